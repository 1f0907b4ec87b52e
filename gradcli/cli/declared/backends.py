"""How `gradcli backends` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import CONTEXT, everywhere, form, lazily, option, seconds

COMMAND = click.Command(
    "backends",
    callback=lazily("gradcli.cli.backends:run"),
    context_settings=CONTEXT,
    short_help="What is installed and usable here.",
    help="""List the backends that can execute expressions here.

\b
Examples:
  gradcli backends
  gradcli backends --bench          each device that is found, and how fast it is
  gradcli backends -f json
  gradcli eval "sum(exp(x))" x=@x.npy --backend jax --device cuda

\b
Without --bench nothing is imported, and the devices are those that a backend
could have. --bench times the value and gradient of
mean(tanh(x)*exp(-x*x) + log1p(exp(x))) over 10^6 float32 numbers, warm.""",
    params=[
        option("--bench", is_flag=True, help="Find devices, and time an expression on each."),
        seconds(0.5, " each"),
        form("text", "json", default="text"),
        *everywhere(),
    ],
)
