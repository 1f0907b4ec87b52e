"""How `gradcli explain` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import CONTEXT, everywhere, lazily

COMMAND = click.Command(
    "explain",
    callback=lazily("gradcli.cli.explain:run"),
    context_settings=CONTEXT,
    short_help="An error code or a grad_fn name in plain words.",
    help="""Explain an error code or a grad_fn name.

\b
Examples:
  gradcli explain G021
  gradcli explain MulBackward0""",
    params=[click.Argument(["what"], metavar="CODE|GRAD_FN"), *everywhere()],
)
