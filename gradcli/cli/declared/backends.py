"""How `gradcli backends` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import CONTEXT, everywhere, lazily, option

COMMAND = click.Command(
    "backends",
    callback=lazily("gradcli.cli.backends:run"),
    context_settings=CONTEXT,
    short_help="What is installed and usable here.",
    help="""List the backends that can execute expressions here.

\b
Example:
  gradcli backends -f json""",
    params=[
        option("-f", "--format", type=click.Choice(["text", "json"]), default="text"),
        *everywhere(),
    ],
)
