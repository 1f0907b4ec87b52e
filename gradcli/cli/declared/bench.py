"""How `gradcli bench` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import (
    CONTEXT,
    bindings,
    everywhere,
    expression,
    form,
    lazily,
    limits,
    option,
    output,
    seconds,
    where,
    wrt,
)

COMMAND = click.Command(
    "bench",
    callback=lazily("gradcli.cli.bench:run"),
    context_settings=CONTEXT,
    short_help="Time this expression on what is installed.",
    help="""Time an expression and its gradient, beside PyTorch and JAX where they are installed.

\b
Examples:
  gradcli bench "mean(3*(x+2)**2)" x='ones(1000000)'
  gradcli bench "mean((X@w - y)**2)" -w w X=@x.npy y=@y.npy w='zeros(8)'
  gradcli bench "x @ x" x='ones(500, 500)' --no-grad -f json
  gradcli bench "sum(exp(x))" x=@x.npy --backend torch --device cuda

\b
All take turns; the median of the turns counts. Everything is warm: what is
compiled or planned was compiled before. The ratio is to gradcli's first line;
a smaller number is better.""",
    params=[
        expression(),
        bindings(),
        wrt(),
        option("--no-grad", is_flag=True, help="Time the value alone."),
        seconds(2.0, ""),
        form("text", "json", default=None),
        output(),
        option("--dtype", metavar="DTYPE", help="Of numbers without one, such as float64."),
        *where(None),
        *limits(),
        *everywhere(),
    ],
)
