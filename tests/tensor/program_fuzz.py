"""Runs random programs under gradcli and PyTorch, batch after batch, and writes down what differs.

    python tests/tensor/program_fuzz.py LOG --start 100000 --count 50000

A program that differs is made smaller, statement by statement, before it is written down; programs
that come down to the same text but for numbers are written down once.

About 100,400 programs have run so, 11,300 of them with `--further`. Of what they found is left:
some names inside of gradients and of views whose base became a leaf; last digits, and products of
halves, rounded once; `as_strided` outside of a view's own elements, writes to elements that share
memory; what has no derivative is not refused before all else, nor are second derivatives that
PyTorch has not.

Constraints: PyTorch is imported once. Every batch runs in a fork of that process, which imports
gradcli as it stands then; a program that hangs or dies takes its batch's fork with it, not the run.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time
from pathlib import Path
from types import FrameType

BATCH = 1000
LEARNED = "compare with gradcli itself: what is learned, with what is done anew each time"
PATIENCE = 60
"""Seconds of the processor that one program may take, and be made smaller in."""


def main() -> None:
    """Runs batches until `--count` programs have run."""
    options = _options()
    import torch

    torch.set_num_threads(1)
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    began, start, end = time.monotonic(), options.start, options.start + options.count
    while start < end:
        child = os.fork()
        if child == 0:
            _batch(start, min(start + BATCH, end), options)
        os.waitpid(child, 0)
        start = int((options.log / "next").read_text(encoding="utf-8"))
        done = start - options.start
        found = sum(1 for _ in options.log.glob("text-*")) if options.log.exists() else 0
        with open(options.log / "progress", "a", encoding="utf-8") as file:
            file.write(f"{done} programs, {found} kinds, {time.monotonic() - began:.0f} s\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("log", type=Path, help="the folder for what differs, one file a kind")
    parser.add_argument("--start", type=int, default=1_000_000, help="the first seed")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--statements", type=int, default=6)
    parser.add_argument("--further", action="store_true", help="draw rarer statements as well")
    parser.add_argument("--families", default="", help="which of them; all without a word")
    parser.add_argument("--learned", action="store_true", help=LEARNED)
    parser.add_argument("--as-found", action="store_true", help="make no program smaller")
    options = parser.parse_args()
    options.log.mkdir(parents=True, exist_ok=True)
    return options


def _batch(start: int, end: int, options: argparse.Namespace) -> None:
    """In the fork: the programs of seeds `start` to `end`; never returns.

    Leaves in the file `next` where the next batch begins: after a program that hangs or dies.
    """
    import program_generator as programs

    families = options.families.split(",") if options.families else ()
    families = families or (list(programs.FAMILIES) if options.further else ())
    current, lines, comparison = start, list[str](), Comparison(options.learned)

    def late(number: int, frame: FrameType | None) -> None:
        _note(options.log / f"hang-{current}.txt", "\n".join(lines), "", "hangs")
        os._exit(1)

    signal.signal(signal.SIGPROF, late)
    for current in range(start, end):
        (options.log / "next").write_text(str(current + 1), encoding="utf-8")
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)
        lines = programs.Programs(current, options.statements, families).lines
        try:
            how = comparison.apart(lines)
            if how == "text" and not options.as_found:
                lines = smaller(lines, comparison)
                how = comparison.apart(lines)
            if how:
                _write_down(lines, current, options.log, how, comparison)
        except BaseException as error:
            _note(options.log / f"crash-{current}.txt", "\n".join(lines), "", repr(error))
    os._exit(0)


class Comparison:
    """Two ways to run a program, and how their outputs differ.

    Args:
        learned: whether both are gradcli's, which must agree to the last digit.
    """

    def __init__(self, learned: bool) -> None:
        import program_runs as runs

        self._learned, self._apart = learned, runs.apart
        ways = (runs.run_learned, runs.run_plainly), (runs.run_gradcli, runs.run_pytorch)
        self._found, self._wanted = ways[0 if learned else 1]

    def outputs(self, lines: list[str]) -> tuple[str, str]:
        """What both print."""
        source = "\n".join(lines) + "\n"
        return self._found(source), self._wanted(source)

    def apart(self, lines: list[str]) -> str:
        """As `program_runs.apart` of both."""
        return self._kind(*self.outputs(lines))

    def differ(self, lines: list[str]) -> bool:
        """Whether they differ in more than digits, in a program that is not itself broken."""
        found, wanted = self.outputs(lines)
        broken = any(word in found + wanted for word in ("stopped by", "NameError"))
        return self._kind(found, wanted) == "text" and not broken

    def _kind(self, found: str, wanted: str) -> str:
        kind = self._apart(found, wanted)
        return "text" if kind and self._learned else kind


def smaller(lines: list[str], comparison: Comparison) -> list[str]:
    """The program without the statements that it differs without; the last ones go first.

    Afterwards the lines of its statements, and then those of its head, are tried one by one.
    """
    lines = _without(lines, comparison)
    lines = _without([lines[0], *"\n".join(lines[1:]).split("\n")], comparison)
    parts = re.split(r"\n\n+|\n(?=class |def |import )", lines[0])
    return _without(["", *parts, *lines[1:]], comparison)


def _without(lines: list[str], comparison: Comparison) -> list[str]:
    shrinking = True
    while shrinking:
        shrinking = False
        for i in range(len(lines) - 1, 0, -1):
            rest = lines[:i] + lines[i + 1 :]
            if comparison.differ(rest):
                lines, shrinking = rest, True
    return lines


def _write_down(lines: list[str], seed: int, log: Path, how: str, comparison: Comparison) -> None:
    kind = re.sub(r"-?\d+(\.\d+)?|\bv\w+|\bx\w+", "", "\n".join(lines[1:]))
    name = f"{how}-{len(lines) - 1:02d}-{hash_of(kind):08x}.txt"
    if how != "text":  # what rounding alone makes different is counted, a few are kept
        with open(log / how, "a", encoding="utf-8") as file:
            file.write(f"{seed}\n")
    kept = how == "text" or len(list(log.glob(f"{how}-*"))) < 40
    if kept and not (log / name).exists():
        difference = _difference(*comparison.outputs(lines))
        _note(log / name, "\n".join(lines), difference, f"seed {seed}")


def hash_of(text: str) -> int:
    """A number for a text, the same in every process."""
    import zlib

    return zlib.crc32(text.encode())


def _difference(found: str, wanted: str) -> str:
    import difflib

    lines = difflib.unified_diff(
        wanted.splitlines(), found.splitlines(), "pytorch", "gradcli", n=0, lineterm=""
    )
    return "\n".join(lines)


def _note(path: Path, source: str, difference: str, title: str) -> None:
    path.write_text(f"# {title}\n{source}\n\n{difference}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
