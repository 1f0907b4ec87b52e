"""Runs random programs under gradcli and PyTorch, batch after batch, and writes down what differs.

    python tests/tensor/program_fuzz.py LOG --start 100000 --count 50000

A program that differs is made smaller, statement by statement, before it is written down; programs
that come down to the same text but for numbers are written down once.

About 87,200 programs have run so, 4,600 of them with `--further`. Of what they found is left: some
names inside of gradients, which of equal elements kthvalue and topk choose, last digits, gradients
of `as_strided` outside of a view's own elements, what some hooks see of partial gradients.

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

BATCH = 250
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
    parser.add_argument("--as-found", action="store_true", help="make no program smaller")
    options = parser.parse_args()
    options.log.mkdir(parents=True, exist_ok=True)
    return options


def _batch(start: int, end: int, options: argparse.Namespace) -> None:
    """In the fork: the programs of seeds `start` to `end`; never returns.

    Leaves in the file `next` where the next batch begins: after a program that hangs or dies.
    """
    import program_generator as programs

    current, lines = start, list[str]()

    def late(number: int, frame: FrameType | None) -> None:
        _note(options.log / f"hang-{current}.txt", "\n".join(lines), "", "hangs")
        os._exit(1)

    signal.signal(signal.SIGPROF, late)
    for current in range(start, end):
        (options.log / "next").write_text(str(current + 1), encoding="utf-8")
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)
        lines = programs.Programs(current, options.statements, options.further).lines
        try:
            how = _apart(lines)
            if how == "text" and not options.as_found:
                lines = smaller(lines)
                how = _apart(lines)
            if how:
                _write_down(lines, current, options.log, how)
        except BaseException as error:
            _note(options.log / f"crash-{current}.txt", "\n".join(lines), "", repr(error))
    os._exit(0)


def _outputs(lines: list[str]) -> tuple[str, str]:
    import program_runs as runs

    source = "\n".join(lines) + "\n"
    return runs.run_gradcli(source), runs.run_pytorch(source)


def _apart(lines: list[str]) -> str:
    import program_runs as runs

    return runs.apart(*_outputs(lines))


def smaller(lines: list[str]) -> list[str]:
    """The program without the statements that it differs without; the last ones go first."""
    import program_runs as runs

    shrinking = True
    while shrinking:
        shrinking = False
        for i in range(len(lines) - 1, 0, -1):
            rest = lines[:i] + lines[i + 1 :]
            found, wanted = _outputs(rest)
            if runs.apart(found, wanted) == "text" and "stopped by" not in wanted:
                lines, shrinking = rest, True
    return lines


def _write_down(lines: list[str], seed: int, log: Path, how: str) -> None:
    kind = re.sub(r"-?\d+(\.\d+)?|\bv\w+|\bx\w+", "", "\n".join(lines[1:]))
    name = f"{how}-{len(lines) - 1:02d}-{hash_of(kind):08x}.txt"
    if how != "text":  # what rounding alone makes different is counted, a few are kept
        with open(log / how, "a", encoding="utf-8") as file:
            file.write(f"{seed}\n")
    if how == "text" or len(list(log.glob(f"{how}-*"))) < 40:
        _keep(lines, seed, log / name)


def _keep(lines: list[str], seed: int, path: Path) -> None:
    if not path.exists():
        found, wanted = _outputs(lines)
        _note(path, "\n".join(lines), _difference(found, wanted), f"seed {seed}")


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
