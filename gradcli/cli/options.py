"""What the declarations of commands share: their common arguments and options.

Constraints: imports click and nothing heavy, so that `--help` and completion are immediate.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource

from gradcli.errors import GradcliError
from gradcli.execute.backends.choice import CHOICES, CLUSTER

CONTEXT = {"help_option_names": ["-h", "--help"]}
BINDING = "NAME=VALUE"
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def lazily(path: str) -> Callable[..., Any]:
    """The function `module:name`, imported when it is called."""

    def call(**options: Any) -> Any:
        module, _, name = path.partition(":")
        return getattr(import_module(module), name)(**options)

    return call


def expression(metavar: str = "EXPR") -> click.Argument:
    """EXPR: an expression, `-` or `@FILE`."""
    return click.Argument(["expression"], metavar=metavar)


def bindings(metavar: str = f"[{BINDING}]...") -> click.Argument:
    """Any number of `NAME=VALUE`."""
    return click.Argument(["bindings"], nargs=-1, metavar=metavar)


class Number(click.FloatRange):
    """A positive number; infinity and NaN, which no range keeps out, are none."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """The number; fails for anything else."""
        number = super().convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(f"{number} is no number", parameter, context)
        return number


def option(*names: str, **settings: Any) -> click.Option:
    """An option; a setting that people keep has an environment variable `GRADCLI_NAME`."""
    return click.Option(list(names), **settings)


def wrt(words: str = "Variables, such as x,y (all floating ones).") -> click.Option:
    """`-w/--wrt`: the variables to differentiate by."""
    return option("-w", "--wrt", metavar="NAMES", help=words)


def form(*choices: str, words: str = "How to print (text).", default: str | None) -> click.Option:
    """`-f/--format`: without a default, the suffix of `--output` says it."""
    return option("-f", "--format", type=click.Choice(choices), default=default, help=words)


def output(words: str = "Write to a file.") -> click.Option:
    """`-o/--output`: where the result goes."""
    return option("-o", "--output", type=click.Path(), metavar="FILE", help=words)


def order(words: str) -> click.Option:
    """`--order`: of the derivative, 1 or 2."""
    return option("--order", type=click.IntRange(1, 2), default=1, help=words)


def seconds(default: float, words: str) -> click.Option:
    """`--seconds`: how long to measure."""
    shown = f"About how long to measure{words} ({default:g})."
    return option("--seconds", type=Number(), default=default, metavar="S", help=shown)


def common() -> list[click.Parameter]:
    """Options of every command that computes; `session.prepare` applies them."""
    return [
        option("--seed", type=int, envvar="GRADCLI_SEED", help="Random seed, as manual_seed(N)."),
        option(
            "--dtype",
            metavar="DTYPE",
            envvar="GRADCLI_DTYPE",
            help="Default dtype and the dtype of floating-point bindings, such as float64.",
        ),
        option(
            "--precision",
            type=click.IntRange(0, 100),
            envvar="GRADCLI_PRECISION",
            help="Digits after the point in printed tensors (4).",
        ),
        *limits(),
        *everywhere(),
    ]


def _use_threads(context: click.Context, parameter: click.Parameter, count: int | None) -> None:
    """Tells the engine and BLAS, which read it when they are loaded; neither is yet."""
    if count is not None:
        for name in ("GRADCLI_THREADS", *BLAS_THREADS):
            os.environ[name] = str(count)


def _use_scheduler(context: click.Context, parameter: click.Parameter, name: str | None) -> None:
    """Tells the cluster, which reads it when it is first used; without one it has no meaning."""
    typed = context.get_parameter_source("scheduler") is ParameterSource.COMMANDLINE
    if typed and context.params["backend"] != CLUSTER:
        raise GradcliError(
            "G070",
            f"--scheduler is for --backend {CLUSTER}",
            help=f"add --backend {CLUSTER}, or leave it out",
        )
    if name is not None:
        os.environ["GRADCLI_SCHEDULER"] = name


def where(backend: str | None = "numpy") -> list[click.Parameter]:
    """Options that say what computes, and on which device."""
    return [
        option(
            "--backend",
            type=click.Choice(list(CHOICES)),
            default=backend,
            envvar="GRADCLI_BACKEND",
            is_eager=True,  # --scheduler asks for it, whichever stands first
            help="What computes (numpy); gradcli backends lists what is installed.",
        ),
        option(
            "--device",
            metavar="cpu|cuda[:N]|mps",
            envvar="GRADCLI_DEVICE",
            help="Where it computes (the backend's own choice).",
        ),
        option(
            "--scheduler",
            metavar="ADDRESS|local",
            envvar="GRADCLI_SCHEDULER",
            expose_value=False,
            callback=_use_scheduler,
            help="Of --backend dask: tcp://host:8786, or a process a core here (local).",
        ),
    ]


def tracing() -> list[click.Parameter]:
    """Options that look at what is computed; `tracing.Trace` does what they say."""
    return [
        option(
            "--trace-nan",
            is_flag=True,
            help="Name the first operation, forward and backward, that makes NaN or infinity.",
        ),
        option(
            "--kinks",
            type=click.Choice(["note", "warn", "error"]),
            help="Report every kink hit (relu at 0, ties of max), and the slope that is taken.",
        ),
    ]


def rows() -> list[click.Parameter]:
    """Options for files that do not fit into memory; `rows.follow` does what they say."""
    return [
        option(
            "--chunk-rows",
            type=click.IntRange(min=1),
            metavar="N",
            envvar="GRADCLI_CHUNK_ROWS",
            help="Read large files about N rows at a time; the result is the same to the bit.",
        ),
        option(
            "--rows",
            metavar="NAMES",
            help="Variables whose first axis the rows are, such as X,y (found out; -v says).",
        ),
        option("-v", "--verbose", is_flag=True, help="Say what each pass over files reads."),
    ]


def limits() -> list[click.Parameter]:
    """Options that bound a run."""
    return [
        option(
            "--max-memory",
            metavar="SIZE",
            envvar="GRADCLI_MAX_MEMORY",
            help="Refuse results larger than this, such as 2GB (80 % of what is free).",
        ),
        option(
            "--timeout",
            type=Number(),
            metavar="S",
            envvar="GRADCLI_TIMEOUT",
            help="Stop after S seconds.",
        ),
        option(
            "--threads",
            type=click.IntRange(min=1),
            metavar="N",
            envvar="GRADCLI_THREADS",
            expose_value=False,
            callback=_use_threads,
            help="Compute on N threads (one a core); the result is the same to the bit.",
        ),
    ]


def everywhere() -> list[click.Parameter]:
    """Options of every command."""
    return [
        option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            help="Colour of messages; also NO_COLOR and FORCE_COLOR.",
        ),
        option("--debug", is_flag=True, expose_value=False, help="Show a traceback for a bug."),
    ]


def colour_flag(words: Sequence[str]) -> str | None:
    """What `--color` says on a command line, also where it could not be parsed."""
    for position, word in enumerate(words):
        if word.startswith("--color="):
            return word.partition("=")[2]
        if word == "--color" and position + 1 < len(words):
            return words[position + 1]
    return None
