"""Prints how many of PyTorch's op_db samples agree, op by op, the worst first.

    python tests/conformance/scoreboard.py [--dtype float64] [--twice] [--failures N] [NAME ...]

Constraints: a report, not a test; exits with 0 whatever it finds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "conformance")]

import torch  # noqa: E402
from op_db_run import Score, operations, run  # noqa: E402
from op_db_text import written  # noqa: E402


def main() -> None:
    options = _options()
    chosen = set(options.names)
    dtypes = [getattr(torch, name) for name in options.dtype.split(",")]
    scores = []
    for name, op in operations().items():
        if chosen and op.name not in chosen and name not in chosen:
            continue
        for dtype in dtypes:
            if dtype not in op.dtypes:
                continue
            started = time.perf_counter()
            score = run(op, dtype, written(op) if options.text else None, twice=options.twice)
            score.title = f"{name} [{str(dtype).removeprefix('torch.')}]"
            score.seconds = time.perf_counter() - started
            scores.append(score)
    scores.sort(key=_share)
    for score in scores:
        _show(score, options.failures)
    _totals(scores)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="op_db names; all by default")
    parser.add_argument("--dtype", default="float64,float32")
    parser.add_argument("--text", action="store_true", help="through the language")
    parser.add_argument("--twice", action="store_true", help="second derivatives too")
    parser.add_argument("--failures", type=int, default=0, help="sentences to show for each op")
    return parser.parse_args()


def _share(score: Score) -> float:
    total = score.forward[1] + score.gradient[1]
    return (score.forward[0] + score.gradient[0]) / total if total else 1.0


def _show(score: Score, failures: int) -> None:
    parts = " ".join(
        "{} {:4d}/{:<4d}".format(word, *getattr(score, word)) for word in Score.COMPARED
    )
    outside = ", ".join(f"{count} {reason}" for reason, count in score.outside.items())
    print(f"{score.title:58s} {parts} {score.seconds:5.1f}s  {outside}")
    for sentence, count in score.failures.most_common(failures):
        print(f"        {count:4d} x {sentence}")


def _totals(scores: list[Score]) -> None:
    passed = [s for s in scores if s.passed]
    sums = [[sum(getattr(s, w)[i] for s in scores) for i in (0, 1)] for w in Score.COMPARED]
    print(f"\nops that pass everything: {len(passed)} of {len(scores)}")
    pairs = zip(Score.COMPARED, sums, strict=True)
    print("samples: " + ", ".join("{} {}/{}".format(word, *pair) for word, pair in pairs))
    for what, chosen in (
        ("names that pass with all variants in all these dtypes", scores),
        ("of these differentiable", [s for s in scores if s.differentiable]),
    ):
        by_name: dict[str, bool] = {}
        for score in chosen:
            by_name[score.plain] = by_name.get(score.plain, True) and score.passed
        print(f"{what}: {sum(by_name.values())} of {len(by_name)}")
    skipped = sum((s.outside for s in scores), Counter())
    for reason, count in skipped.most_common():
        print(f"outside: {count:5d} {reason}")


if __name__ == "__main__":
    main()
