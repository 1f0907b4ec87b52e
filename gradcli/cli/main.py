"""The `gradcli` command: its subcommands, and what becomes of every error.

Constraints: `--help` imports neither NumPy nor Lark; a command's module is imported when it runs.
Results go to stdout, everything else to stderr; no error leaves as a traceback unless `--debug`
asks for it.
"""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import click

from gradcli import __version__
from gradcli.cli import settings
from gradcli.cli.commands import COMMANDS
from gradcli.cli.options import colour_flag
from gradcli.errors import Diagnostic, ExitStatus, GradcliError, did_you_mean

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What the system says where a stream takes no more."""
UNMAPPED = ("failed to map segment", "Cannot allocate memory")
"""What the loader of libraries says where there is no memory for one."""
EXAMPLES = """\b
  gradcli eval "mean(3*(x+2)**2)" x='ones(2,2)'     value, grad_fn and gradient
  gradcli eval "sum((X@w - y)**2)" X=@X.npy y=@y.csv w='zeros(3)' -w w
  gradcli run train.py                              a PyTorch autograd script
  printf '1,2\\n3,4\\n' | gradcli eval "sum(x**2)" x=- -f json
  gradcli check "mean(x**2)" x:n --expect "2*x/numel(x)"
  gradcli graph "mean(3*(x+2)**2)" x='ones(2,2)' -o graph.html
  gradcli ops softmax                               signature and derivative"""


class Commands(click.Group):
    """The subcommands, with a hint when a name is not among them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            help = did_you_mean(args[0], self.list_commands(ctx)) or ["gradcli --help lists them"]
            if any(c in args[0] for c in "(+*@ ="):
                help = [f"gradcli eval {_quoted(args[0])} ..."]
            raise GradcliError("G070", f"no such command: {args[0]}", help=help)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a reader that has left is no failure, for which click takes it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _silence()
            return ExitStatus.OK

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table, not of the alphabet."""
        return list(self.commands)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Derivatives of tensor expressions: values, grad_fn names and gradients.\n\n" + EXAMPLES,
    epilog="gradcli COMMAND --help says more about each command.",
)
@click.version_option(__version__, message="gradcli %(version)s")
def group() -> None:
    """The root command."""


for _command in COMMANDS:
    group.add_command(_command)

COLLECTED = (50_000, 20, 100)
"""When to collect: a graph is many small objects that all live, and going through them costs."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and leaves the process with the contract's exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    gc.set_threshold(*COLLECTED)
    atexit.register(gc.freeze)  # as the process ends, nothing has to be looked for in what it held
    _leave_nothing_behind()
    _encode_anything()
    sys.exit(guarded(lambda: _run(words), words))


def _run(words: list[str]) -> Any:
    status = group.main(
        args=words,
        prog_name="gradcli",
        standalone_mode=False,
        default_map=settings.default_map(COMMANDS),
    )
    sys.stdout.flush()
    return status


def _leave_nothing_behind() -> None:
    """Has the signals that end a process end it as an exception does: unfinished files go.

    The exit code is the shell's, 128 and the signal's number. A signal that is ignored, as under
    nohup, stays so; a second one ends the process at once.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)


def _encode_anything() -> None:
    """Has what a stream's encoding lacks written with escapes; a closed stream goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def guarded(work: Callable[[], Any], words: Sequence[str]) -> int:
    """Does `work`; turns whatever leaves it into one block on stderr and an exit code."""
    try:
        status = work()
    except GradcliError as error:
        return report(error.diagnostic, words, error.exit_status)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        return report(_usage(error, words), words, ExitStatus.USAGE)
    except click.ClickException as error:
        return report(Diagnostic("G070", error.format_message()), words, ExitStatus.USAGE)
    except (KeyboardInterrupt, click.Abort):
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        _silence()
        return ExitStatus.OK
    except (MemoryError, OSError) as error:
        return _exhausted(error, words)
    except Exception as error:
        return _exhausted(error, words) if _found_no_room(error) else _bug(error, words)
    return status if isinstance(status, int) else ExitStatus.OK


def _found_no_room(error: BaseException | None) -> bool:
    """Whether a library could not be loaded since there is no memory for it."""
    while error is not None:
        if isinstance(error, MemoryError) or any(text in str(error) for text in UNMAPPED):
            return True
        error = error.__cause__ or error.__context__
    return False


def _exhausted(error: Exception, words: Sequence[str]) -> int:
    """No memory, or no room where the result goes; anything else of the system is a bug."""
    if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
        _silence()
        shown = Diagnostic("G053", f"the result cannot be written: {_lower(error.strerror or '')}")
    elif not isinstance(error, OSError) or error.errno == errno.ENOMEM:
        shown = Diagnostic(
            "G060",
            "there is not enough memory",
            help="read large files by rows: --max-memory 500MB, or work on smaller pieces",
        )
    else:
        return _bug(error, words)
    return report(shown, words, ExitStatus.USAGE)


def report(diagnostic: Diagnostic, words: Sequence[str], status: int) -> int:
    """Prints one diagnostic on stderr; returns `status`."""
    _flush()
    try:
        print(_shown(diagnostic, words), file=sys.stderr)
    except (BrokenPipeError, ValueError):
        _silence()
    return int(status)


def _shown(diagnostic: Diagnostic, words: Sequence[str]) -> str:
    try:
        from gradcli.render.diagnostic import render_diagnostic
        from gradcli.render.markup import use_colour

        colour = use_colour(sys.stderr, colour_flag(words), os.environ)
        return render_diagnostic(diagnostic, colour=colour)
    except (MemoryError, ImportError):  # there is no room to lay it out
        return f"error[{diagnostic.code}]: {diagnostic.message}"


def _usage(error: click.UsageError, words: Sequence[str]) -> Diagnostic:
    help = []
    if isinstance(error, click.NoSuchOption):
        word = error.option_name
        if not word.startswith("--"):
            whole = next((w for w in words if w.startswith(word)), word)
            help = [f"an expression that starts with a minus comes after --: -- {_quoted(whole)}"]
        help += [f"did you mean {p}?" for p in (error.possibilities or [])[:1]]
    if isinstance(error, click.BadParameter) and error.param is not None:
        help += settings.nearest_choice(error, error.param)
        source = error.ctx and error.ctx.get_parameter_source(str(error.param.name))
        if source is click.core.ParameterSource.ENVIRONMENT:
            error.param_hint = str(error.param.envvar)
    message = re.split(r"[.]? \(?Did you mean", error.format_message())[0].rstrip(".")
    if error.ctx is not None:
        help.append(f"{error.ctx.command_path} --help shows examples and options")
    return Diagnostic("G070", _lower(message), help=help)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _bug(error: Exception, words: Sequence[str]) -> int:
    if "--debug" in words:
        import traceback

        traceback.print_exception(error)
    shown = Diagnostic(
        "G099",
        f"this is a bug in gradcli {__version__}: {type(error).__name__}: {error}",
        help="please report it with the command; --debug shows where it happened",
    )
    return report(shown, words, ExitStatus.BUG)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _silence()


def _silence() -> None:
    """Sends what is left of stdout nowhere, so that a closed pipe says nothing at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
