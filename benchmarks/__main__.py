"""The command: `python -m benchmarks [CASE...]` runs the cases and writes RESULTS.md.

Constraints: needs the extra `bench`; a peer that is not installed is left out of the table.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from benchmarks import report
from benchmarks.arena import Outcome, compete, disagreement
from benchmarks.cases import CASES
from benchmarks.runners import PEERS

HERE = Path(__file__).parent
NOTES = "## Where a target is missed"


def main() -> None:
    """Runs what was asked for."""
    options = _options()
    numbers = [i for i, c in enumerate(CASES) if _chosen(c.name, options.cases)]
    if options.list:
        print("\n".join(CASES[i].name for i in numbers))
        return
    known: dict[str, dict[str, Outcome]] = _load(options.keep) if options.keep else {}
    for i in numbers:
        case = CASES[i]
        outcomes = compete(case, i, options.rounds, options.peers and set(options.peers))
        known[case.name] = outcomes
        _tell(case.name, outcomes)
        told = [report.verdict(target, outcomes) for target in case.targets]
        print("   ", "; ".join(told) or report.plan(case, outcomes))
        if problem := disagreement(case, outcomes):
            print("    !!", problem)
        if options.keep:
            _save(options.keep, known)
    if options.write:
        rows = [(case, known[case.name]) for case in CASES if case.name in known]
        path = HERE / "RESULTS.md"
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        _, mark, notes = old.partition(NOTES)
        path.write_text(report.written(rows, mark + notes), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", help="parts of the names of the cases; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each library")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="only these beside gradcli")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md")
    parser.add_argument("--keep", type=Path, help="a JSON file that gathers results over runs")
    return parser.parse_args()


def _chosen(name: str, wanted: list[str]) -> bool:
    return not wanted or any(part in name for part in wanted)


def _tell(name: str, outcomes: dict[str, Outcome]) -> None:
    print(name, flush=True)
    for peer, outcome in outcomes.items():
        if outcome.error:
            print(f"    {peer:10} {outcome.error}")
        elif outcome.seconds is not None:
            spare = "" if outcome.spare is None else f"{outcome.spare / 1e6:9.1f} MB"
            print(f"    {peer:10} {outcome.seconds * 1000:9.3f} ms {spare}")


def _load(path: Path) -> dict[str, dict[str, Outcome]]:
    if not path.exists():
        return {}
    saved = json.loads(path.read_text(encoding="utf-8"))
    return {name: {p: Outcome(**o) for p, o in row.items()} for name, row in saved.items()}


def _save(path: Path, known: dict[str, dict[str, Outcome]]) -> None:
    plain = {name: {p: asdict(o) for p, o in row.items()} for name, row in known.items()}
    path.write_text(json.dumps(plain), encoding="utf-8")


if __name__ == "__main__":
    main()
