"""`gradcli backends`: what can execute expressions on this machine.

Constraints: imports no backend's library, unless it shall be timed.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

from gradcli.cli.outputs import write_text
from gradcli.execute.backends.choice import CHOICES, CLUSTER, devices, install, installed

REFERENCE = "mean(tanh(x)*exp(-x*x) + log1p(exp(x)))"
ELEMENTS = 10**6
"""The expression whose value and gradient are timed, over so many float32 numbers."""


def run(*, format: str, bench: bool, seconds: float) -> None:
    """The command."""
    found = [record for name in CHOICES for record in _records(name, bench, seconds)]
    if format == "json":
        from gradcli.files import json_text

        write_text(json_text(found), None)
        return
    rows = [_row(record) for record in found]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = [f"{a:{widths[0]}}  {b:{widths[1]}}  {rest}".rstrip() for a, b, rest in rows]
    write_text("\n".join(lines), None)


def _records(name: str, bench: bool, seconds: float) -> list[dict[str, Any]]:
    """What is known of a backend: a record, or one for each of its devices where it is timed."""
    if not installed(name):
        return [{"name": name, "version": None, "devices": [], "install": install(name)}]
    record = {
        "name": name,
        "version": metadata.version(_distribution(CHOICES[name].package)),
        "devices": list(CHOICES[name].devices),
        "default": name == "numpy",
    }
    if not bench or name == CLUSTER:
        return [record]
    found = devices(name)
    timed = [{**record, "devices": [d], "seconds": _seconds(name, d, seconds)} for d in found]
    return timed or [{**record, "devices": []}]


def _distribution(package: str) -> str:
    """What a package is installed as; CuPy's wheels have CUDA's version in their names."""
    known = metadata.packages_distributions().get(package) if package == "cupy" else None
    return known[0] if known else package


def _seconds(name: str, device: str, budget: float) -> float | None:
    """The median of the reference expression's value and gradient, warm."""
    import numpy as np

    from gradcli.benching.peers import Problem, own
    from gradcli.benching.timing import compare
    from gradcli.language.parser import parse_expression
    from gradcli.source import Source

    x = np.linspace(-3, 3, ELEMENTS, dtype=np.float32)
    problem = Problem(parse_expression(Source("<reference>", REFERENCE)), {"x": x}, ["x"])
    (timing,) = compare(problem, [own(name, device)], budget, lambda part: None)
    return timing.median


def _row(record: dict[str, Any]) -> tuple[str, str, str]:
    name, version = record["name"], record["version"]
    if version is None:
        return name, "-", f"not installed: {record['install']}"
    where = ", ".join(record["devices"]) or "finds no device"
    if record.get("seconds") is not None:
        return name, version, f"{where:8}  {record['seconds'] * 1e3:.2f} ms"
    return name, version, where + "  (default)" * record["default"]
