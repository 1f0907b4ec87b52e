"""How `gradcli run` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import CONTEXT, bindings, common, lazily, rows, tracing, where

COMMAND = click.Command(
    "run",
    callback=lazily("gradcli.cli.run:run"),
    context_settings=CONTEXT,
    short_help="Run a script.",
    help="""Run a script written in the part of Python that autograd snippets use.

\b
Examples:
  gradcli run train.py
  gradcli run train.py lr=0.1 X=@data.npy         bindings are variables of the script
  gradcli run train.py --backend torch --device cuda
  gradcli run train.py X=@'parts/*.npy' --backend dask --scheduler tcp://host:8786
  gradcli run - < snippet.py
  ./train.py                    whose first line is #!/usr/bin/env -S gradcli run""",
    params=[
        click.Argument(["script"], metavar="SCRIPT"),
        bindings(),
        *tracing(),
        *where(),
        *rows(),
        *common(),
    ],
)
