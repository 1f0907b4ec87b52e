"""Factors in groups that have nothing to do with each other.

Constraints: see products.py.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.rewrite.terms import PRODUCT, SIZE, TOTAL, Factor


def apart(factors: list[Factor], summed: set[int]) -> list[list[Factor]]:
    """Sums of squares, each a group of its own, and the rest, whose sign is that of all of it."""
    groups = components(factors, summed)
    squares = [g for g in groups if {x for f in g for x in f.labels} & summed and _squared(g)]
    rest = [f for g in groups if g not in squares for f in g]
    found = [*squares, rest] if rest else squares
    counts = len(squares) < 2 and all(is_count(f.node) for f in rest)  # a mean is one thing
    return found if len(found) > 1 and not counts else []


def is_count(node: Node) -> bool:
    """Whether it is computed from declared sizes and numbers alone."""
    return node.op is SIZE or (
        node.op in (PRODUCT, TOTAL) and node.ndim == 0 and all(map(is_count, node.inputs))
    )


def _squared(factors: list[Factor]) -> bool:
    """Whether a product of powers is never negative."""
    return all(isinstance(f.power, Fraction) and f.power % 2 == 0 for f in factors)


def components(factors: list[Factor], summed: set[int]) -> list[list[Factor]]:
    """The factors in groups that share no summed label; empty where there is only one group."""
    groups: list[tuple[set[int], list[Factor]]] = []
    for factor in factors:
        own = set(factor.labels) & summed
        joined = [factor]
        rest = []
        for labels_of, members in groups:
            if labels_of & own:
                own |= labels_of
                joined = members + joined
            else:
                rest.append((labels_of, members))
        groups = [*rest, (own, joined)]
    return [members for _, members in groups] if len(groups) > 1 else []
