"""The table of results in Markdown: milliseconds, ratios against the targets, memory.

Constraints: computes ratios of numbers it is given; runs nothing.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from benchmarks.arena import Outcome
from benchmarks.case import Case, Target
from benchmarks.runners import PEERS

Row = tuple[Case, dict[str, Outcome]]


def written(rows: list[Row], notes: str) -> str:
    """The whole of RESULTS.md."""
    lines = [
        "# Results",
        "",
        f"`python -m benchmarks` on {_machine()}; two threads; medians in milliseconds, each",
        "library in a process of its own, turns interleaved. A ratio is gradcli's time by the",
        "best of the peers named; smaller is better.",
        "",
        f"Versions: {_versions()}.",
        "",
        "| case | gradcli | " + " | ".join(PEERS.values()) + " | ratio (target / moonshot) |",
        "|---" * (len(PEERS) + 3) + "|",
    ]
    lines += [_row(case, outcomes) for case, outcomes in rows if not case.microseconds]
    lines += ["", "## Plan and programs, microseconds a node", ""]
    lines += [plan(case, outcomes) for case, outcomes in rows if case.microseconds]
    lines += ["", "## Memory beyond inputs and outputs, MB", ""]
    lines += ["| case | gradcli | " + " | ".join(PEERS.values()) + " |"]
    lines += ["|---" * (len(PEERS) + 2) + "|"]
    lines += [_memory(case, outcomes) for case, outcomes in rows if case.kind == "gradient"]
    return "\n".join(lines) + "\n" + (f"\n{notes.strip()}\n" if notes.strip() else "")


def verdict(target: Target, outcomes: dict[str, Outcome]) -> str:
    """`0.45 of JAX jit (0.5 / 0.3)`, and the word for it."""
    mine = outcomes["gradcli"].seconds
    times = {p: o.seconds for p in target.peers if (o := outcomes.get(p)) and o.seconds}
    if mine is None or not times:
        return "not measured"
    best = min(times, key=lambda peer: times[peer] or 0)
    ratio = mine / (times[best] or 1)
    word = "moonshot" if ratio <= target.moonshot else "met" if ratio <= target.limit else "MISSED"
    return f"{ratio:.2f} of {PEERS[best]} ({target.limit:g} / {target.moonshot:g}): {word}"


def _row(case: Case, outcomes: dict[str, Outcome]) -> str:
    cells = [f"`{case.name}`" if "(" in case.name else case.name]
    cells += [_time(outcomes.get(peer)) for peer in ("gradcli", *PEERS)]
    cells.append("<br>".join(verdict(target, outcomes) for target in case.targets))
    return f"| {' | '.join(cells)} |"


def plan(case: Case, outcomes: dict[str, Outcome]) -> str:
    """What a node of a plan took, and the word for it."""
    each = per_node(outcomes)
    if each is None:
        return f"- {case.name}: not measured"
    word = "met" if each <= case.microseconds else "MISSED"
    return f"- {case.name}: {each:.1f} (at most {case.microseconds:g}): {word}"


def per_node(outcomes: dict[str, Outcome]) -> float | None:
    """Microseconds a node of a plan; its runner says how many nodes there are."""
    mine = outcomes["gradcli"]
    if mine.seconds is None or not mine.numbers:
        return None
    return mine.seconds / mine.numbers[0][0] * 1e6


def _memory(case: Case, outcomes: dict[str, Outcome]) -> str:
    cells = [f"`{case.name}`" if "(" in case.name else case.name]
    for peer in ("gradcli", *PEERS):
        spare = outcomes[peer].spare if peer in outcomes else None
        cells.append("" if spare is None else f"{spare / 1e6:.1f}")
    if case.spare:
        cells[1] += f" (at most {case.spare / 1e6:g})"
    return f"| {' | '.join(cells)} |"


def _time(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return "fails" if outcome.seconds is None else f"{outcome.seconds * 1000:.3g}"


def _machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"


def _versions() -> str:
    found = []
    for name in ("numpy", "scipy", "torch", "jax", "autograd"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)
