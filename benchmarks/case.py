"""What a benchmark case is: data that says how gradcli runs it and how each peer does.

Constraints: a case computes nothing; it holds source text, so that listing cases imports no peer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """At most `limit` times the best of `peers`; `moonshot` is the number to dream of."""

    peers: tuple[str, ...]
    limit: float
    moonshot: float


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: what the row says.
        data: makes the arrays, by name, from a seeded generator.
        sources: peer -> how it runs the case, in the form that the case's kind takes (see
            `runners.py`); "gradcli" is one of them.
        wrt: the variables to differentiate by.
        kind: the runner's name: "gradient" is the value and the gradients by `wrt`.
        targets: what gradcli is to reach.
        spare: the most bytes that gradcli may use beyond inputs and outputs, or 0 for no such aim.
        microseconds: the most that a node may take in a plan, or 0 for no such aim.
        tolerance: how far the peers' numbers may be from gradcli's, relative to the largest.
    """

    name: str
    data: Callable[[Any], Data]
    sources: Mapping[str, Any]
    wrt: Sequence[str] = ()
    kind: str = "gradient"
    targets: tuple[Target, ...] = ()
    spare: int = 0
    microseconds: float = 0
    tolerance: float = 2e-3
    options: Mapping[str, Any] = field(default_factory=dict)
