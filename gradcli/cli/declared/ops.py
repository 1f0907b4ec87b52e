"""How `gradcli ops` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import CONTEXT, everywhere, form, lazily

COMMAND = click.Command(
    "ops",
    callback=lazily("gradcli.cli.ops:run"),
    context_settings=CONTEXT,
    short_help="Every function: signature, derivative, grad_fn.",
    help="""List the functions, or describe one.

\b
Examples:
  gradcli ops                list all
  gradcli ops softmax        signature, derivative, grad_fn
  gradcli ops entropy        search names and descriptions
  gradcli ops --outside      what of PyTorch is not there, and why""",
    params=[
        click.Argument(["name"], required=False),
        click.Option(
            ["--outside"], is_flag=True, help="List what is not there, all or NAME, and why."
        ),
        form("text", "json", default="text"),
        *everywhere(),
    ],
)
