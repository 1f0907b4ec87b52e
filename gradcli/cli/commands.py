"""The commands and their options, as declarations; what they do is imported when they run.

Constraints: imports click and nothing heavy, so that `--help` and completion are immediate. Help
shows examples first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click

FORMATS = ("text", "json", "npz", "npy", "csv")
CONTEXT = {"help_option_names": ["-h", "--help"]}
BINDING = "NAME=VALUE"


def _lazy(path: str) -> Callable[..., Any]:
    """The function `module:name`, imported when it is called."""

    def call(**options: Any) -> Any:
        module, _, name = path.partition(":")
        return getattr(import_module(module), name)(**options)

    return call


def _expression() -> click.Argument:
    return click.Argument(["expression"], metavar="EXPR")


def _bindings(metavar: str = f"[{BINDING}]...") -> click.Argument:
    return click.Argument(["bindings"], nargs=-1, metavar=metavar)


def _option(*names: str, **settings: Any) -> click.Option:
    """An option; a setting that people keep has an environment variable `GRADCLI_NAME`."""
    return click.Option(list(names), **settings)


def _common() -> list[click.Parameter]:
    return [
        _option("--seed", type=int, envvar="GRADCLI_SEED", help="Random seed, as manual_seed(N)."),
        _option(
            "--dtype",
            metavar="DTYPE",
            envvar="GRADCLI_DTYPE",
            help="Default dtype and the dtype of floating-point bindings, such as float64.",
        ),
        _option(
            "--precision",
            type=click.IntRange(0, 100),
            envvar="GRADCLI_PRECISION",
            help="Digits after the point in printed tensors (4).",
        ),
        _option(
            "--max-memory",
            metavar="SIZE",
            envvar="GRADCLI_MAX_MEMORY",
            help="Refuse results larger than this, such as 2GB (80 % of what is free).",
        ),
        _option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="S",
            envvar="GRADCLI_TIMEOUT",
            help="Stop after S seconds.",
        ),
        *_everywhere(),
    ]


def _everywhere() -> list[click.Parameter]:
    return [
        _option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            help="Colour of messages; also NO_COLOR and FORCE_COLOR.",
        ),
        _option("--debug", is_flag=True, expose_value=False, help="Show a traceback for a bug."),
    ]


def colour_flag(words: Sequence[str]) -> str | None:
    """What `--color` says on a command line, also where it could not be parsed."""
    for position, word in enumerate(words):
        if word.startswith("--color="):
            return word.partition("=")[2]
        if word == "--color" and position + 1 < len(words):
            return words[position + 1]
    return None


EVAL = click.Command(
    "eval",
    callback=_lazy("gradcli.cli.eval:run"),
    context_settings=CONTEXT,
    short_help="Value, grad_fn and gradients of an expression.",
    help="""Evaluate an expression and differentiate it by its variables.

\b
Examples:
  gradcli eval "mean(3*(x+2)**2)" x='ones(2,2)'
  gradcli eval "sum(x**2)" x=3                    a number, differentiated
  gradcli eval "x @ w" x=@data.npy w=[1,2] --vjp 'ones(5)'
  gradcli eval "mean((X@w-y)**2)" X=@t.csv:a,b y=@t.csv:c w=[0,0] -w w
  gradcli eval "sum(sin(x))" x=- -f json < x.json
  gradcli eval "x**2" x=[1,2] --jacobian
  gradcli eval "x**2 + y" x=2 y='x*3' --steps     a binding may use earlier ones
  gradcli eval -- "-x**2" x=-3                    after -- a leading minus is no option

\b
EXPR is PyTorch's language (mean(x) is torch.mean(x)), '-' for stdin, or @FILE.
A binding is a number, a list, an expression, @FILE (npy, npz:key, csv:col,col,
tsv, json:path, safetensors:key) or '-' for stdin.""",
    params=[
        _expression(),
        _bindings(),
        _option(
            "-w",
            "--wrt",
            metavar="NAMES",
            help="Variables to differentiate by, such as x,y (all floating-point ones).",
        ),
        _option("--no-grad", is_flag=True, help="Only the value."),
        _option(
            "--vjp",
            metavar="V",
            help="Cotangent for a result that is no scalar, as backward(V) takes it.",
        ),
        _option(
            "--jvp",
            metavar="X=V",
            multiple=True,
            help="The derivative in the direction V of the variable X (forward mode).",
        ),
        _option(
            "--hvp",
            metavar="X=V",
            multiple=True,
            help="The Hessian of a scalar times the vector V, by X.",
        ),
        _option("--jacobian", is_flag=True, help="The derivative of every element of the result."),
        _option("--hessian", is_flag=True, help="The second derivatives of a scalar."),
        _option(
            "--steps", is_flag=True, help="Every subexpression with value, grad_fn and gradient."
        ),
        _option(
            "-f", "--format", type=click.Choice(FORMATS), help="How to print the result (text)."
        ),
        _option(
            "-o",
            "--output",
            type=click.Path(),
            metavar="FILE",
            help="Write the result to a file; the format follows from its suffix.",
        ),
        *_common(),
    ],
)

RUN = click.Command(
    "run",
    callback=_lazy("gradcli.cli.run:run"),
    context_settings=CONTEXT,
    short_help="Run a script.",
    help="""Run a script written in the part of Python that autograd snippets use.

\b
Examples:
  gradcli run train.py
  gradcli run train.py lr=0.1 X=@data.npy         bindings are variables of the script
  gradcli run - < snippet.py
  ./train.py                    whose first line is #!/usr/bin/env -S gradcli run""",
    params=[
        click.Argument(["script"], metavar="SCRIPT"),
        _bindings(),
        *_common(),
    ],
)

OPS = click.Command(
    "ops",
    callback=_lazy("gradcli.cli.ops:run"),
    context_settings=CONTEXT,
    short_help="Every function: signature, derivative, grad_fn.",
    help="""List the functions, or describe one.

\b
Examples:
  gradcli ops                list all
  gradcli ops softmax        signature, derivative, grad_fn
  gradcli ops entropy        search names and descriptions""",
    params=[
        click.Argument(["name"], required=False),
        _option("-f", "--format", type=click.Choice(["text", "json"]), default="text"),
        *_everywhere(),
    ],
)

EXPLAIN = click.Command(
    "explain",
    callback=_lazy("gradcli.cli.explain:run"),
    context_settings=CONTEXT,
    short_help="An error code or a grad_fn name in plain words.",
    help="""Explain an error code or a grad_fn name.

\b
Examples:
  gradcli explain G021
  gradcli explain MulBackward0""",
    params=[click.Argument(["what"], metavar="CODE|GRAD_FN"), *_everywhere()],
)

BACKENDS = click.Command(
    "backends",
    callback=_lazy("gradcli.cli.backends:run"),
    context_settings=CONTEXT,
    short_help="What is installed and usable here.",
    help="""List the backends that can execute expressions here.

\b
Example:
  gradcli backends -f json""",
    params=[
        _option("-f", "--format", type=click.Choice(["text", "json"]), default="text"),
        *_everywhere(),
    ],
)

COMMANDS = (EVAL, RUN, OPS, EXPLAIN, BACKENDS)
