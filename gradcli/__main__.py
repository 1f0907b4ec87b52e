"""The `gradcli` command, also as `python -m gradcli`: Ctrl-C is quiet while it is loaded too."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line."""
    try:
        from gradcli.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
