"""Shifts that cancel: the largest element that is taken from a row before its exponentials.

Constraints: reads nodes, computes nothing. `exp(x - t)/sum(exp(x - t))` is the same for every t, so
that where sums of exponentials are moderate without a shift, nobody has to look for the largest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from gradcli.graph.node import Node
from gradcli.graph.numbers import KINDS, number_of

MOST = 4
"""Shifts of a graph at most."""
MOVED = frozenset(("index", "reshape", "expand", "permute", "slice"))
"""Ops that only move elements."""


class Change(NamedTuple):
    """How a node follows a shift that grows by d: by `added*d`, or times exp(`power*d`)."""

    added: float = 0.0
    power: float = 0.0


SAME = Change()


def cancelling(
    nodes: Sequence[Node], results: Collection[Node], exact: Collection[Node]
) -> tuple[set[Node], set[Node]]:
    """The shifts that no result depends on, nor what has to be `exact`, with the choices made of
    them, and the sums of exponentials that have to be moderate without them."""
    shifts, sums = set[Node](), set[Node]()
    found = [n for n in nodes if n.op.name == "amax" and n.dtype.name in KINDS]
    for shift in [n for n in found if n not in exact] if len(found) <= MOST else ():
        changes = _changes(shift, nodes)
        if changes is None or any(changes.get(n, SAME) != SAME for n in results):
            continue
        shifts |= {n for n in changes if n is shift or n.op.name == "where"}
        sums |= {n for n, change in changes.items() if n.op.name == "sum" and change.power}
    return shifts, sums


def _changes(shift: Node, nodes: Sequence[Node]) -> dict[Node, Change] | None:
    """The nodes that depend on a shift; None where that is more than adding and multiplying."""
    changes = {shift: Change(added=1.0)}
    for node in nodes:
        decides = node.op.name == "isfinite" and node.inputs[0] is shift  # between it and a number
        if node is shift or decides or not any(x in changes for x in node.inputs):
            continue
        change = _followed(node, [changes.get(x, SAME) for x in node.inputs], shift)
        if change is None:
            return None
        if change != SAME:
            changes[node] = change
    return changes


def _followed(node: Node, changes: list[Change], shift: Node) -> Change | None:
    name, first, last = node.op.name, changes[0], changes[-1]
    if name == "where":
        condition, chosen, other = node.inputs
        known = condition.op.name == "isfinite" and condition.inputs[0] is chosen is shift
        return changes[1] if known and number_of(other) is not None else None
    if name in MOVED:
        return first if last in (first, SAME) else None
    if name in ("add", "sub") and not (first.power or last.power):
        return Change(first.added + last.added * (1 if name == "add" else -1))
    if name in ("mul", "div") and not (first.added or last.added):
        return Change(power=first.power + last.power * (1 if name == "mul" else -1))
    if name == "sum" and not first.added:
        return first
    if name == "reciprocal" and not first.added:
        return Change(power=-first.power)
    if name == "neg" and not first.power:
        return Change(added=-first.added)
    if name == "exp" and not first.power:
        return Change(power=first.added)
    return Change(added=first.power) if name == "log" and not first.added else None
