"""`python -m gradcli` is the `gradcli` command."""

from gradcli.cli.main import main

main()
