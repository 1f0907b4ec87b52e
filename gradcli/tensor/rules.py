"""What functions pass on, as the rows of second.txt say: formulas become sketches.

Constraints: names and shapes alone; what is passed on is computed elsewhere.
"""

from __future__ import annotations

import re

from gradcli.graph.node import Node
from gradcli.graph.op import DETACH, FULL
from gradcli.tensor.fields import turns
from gradcli.tensor.formulas import Formula, Row, rows
from gradcli.tensor.kept import name_of
from gradcli.tensor.seen import Seen
from gradcli.tensor.sketch import (
    NO_FACTS,
    NOTHING,
    added,
    added_up,
    behind,
    is_sketch,
    is_turned,
    sketch,
)
from gradcli.tensor.words import CONDITIONS, WORDS

ARGUMENTS = {"x": 0, "y": 1, "z": 2}
COTANGENTS = {"g0": 0, "g1": 1, "g2": 2}
G: Formula = ("g", ())
REPEATED = frozenset(
    f"{name}Backward{overload}"
    for name in (
        *("Add", "Sub", "Mul", "Div", "Neg", "Where", "MaskedFill", "MaskedScatter"),
        *("Select", "LinalgCross", "PreluKernelBackward"),
    )
    for overload in range(2)
) | {"g"}
"""Beginnings of formulas whose results have the shape that all arguments are repeated to."""


def operand(formula: Formula, seen: Seen) -> tuple[Node, ...]:
    """The nodes that an argument of a formula speaks of; a sketch, for a call.

    None where a formula speaks of the cotangent of a result that has none.
    """
    name, operands = formula
    if name == "all":
        return tuple(_nothing(seen) if g is None else g for g in seen.cotangents)
    if operands:
        return _called(formula, seen)
    if name in ARGUMENTS:
        place = ARGUMENTS[name]
        return (seen.arguments[place] if place < len(seen.arguments) else _nothing(seen),)
    if name in COTANGENTS:
        place = COTANGENTS[name]
        g = seen.cotangents[place] if place < len(seen.cotangents) else None
        return () if g is None else (g,)
    return ({"g": seen.first, "out": seen.out}.get(name) or _nothing(seen),)


def _called(formula: Formula, seen: Seen) -> tuple[Node, ...]:
    if seen.made is not None and formula in seen.made:
        return (seen.made[formula],)
    name, operands = formula
    several = [operand(inner, seen) for inner in reversed(operands)][::-1]  # as C++ compiles to
    if name == "sum":
        several = [found for found in several if found]
    used = [x for found in several for x in found]
    if name == "first":
        return next(filter(None, several), ())
    if not all(several) or not used:
        return ()
    if name in WORDS:
        made = WORDS[name](seen, *used)
    else:
        reduced = name == "ExpandBackward0" and not is_sketch(seen.out)
        shape = seen.arguments[0].shape if reduced else None
        own = name.startswith(name_of(seen.out)[:-1])  # it is called with the same
        made = sketch(name, *used, shape=shape, facts=seen.facts if own else NO_FACTS)
    if seen.made is not None:
        seen.made[formula] = made
    return (made,)


def row_of(name: str, seen: Seen) -> Row | None:
    """The row of the function `name` that fits its call; None for none."""
    for known in rows(name):
        if not known.words or all(_holds(word, seen) for word in known.words):
            return known
    return None


def _holds(word: str, seen: Seen) -> bool:
    if word[0] == "!":
        return not _holds(word[1:], seen)
    if word in CONDITIONS:
        return CONDITIONS[word](seen)
    key, sign, value = (*re.split("([=<])", word), "", "")[:3]
    found = seen.facts.get(key)
    if not sign:
        return bool(found)
    return found is not None and (found < float(value) if sign == "<" else found == float(value))


def contribution(known: Row | None, position: int, seen: Seen) -> Node | None:
    """What a function passes to an argument, as its row says; None where the row does not say."""
    listed, x = known.of(position) if known is not None else (), seen.arguments[position]
    if not listed:
        return None
    formula, seen = listed[-1 if is_turned(x) else 0], seen._replace(made={})
    for found in operand(formula, seen):
        outer = formula[1][0] if formula[0] in ("times", "whole") else formula
        alike = outer == G and found.shape == seen.first.shape
        if found.shape != x.shape and (alike or (seen.repeats(position) and outer[0] in REPEATED)):
            return added_up(found, x.shape)
        if found.op is DETACH and found not in (*seen.cotangents, *seen.arguments):
            found.shape = x.shape
        return found
    return None


def pulled(seen: Seen, name: str) -> dict[Node, Node | None]:
    """What a function, called by a formula, passes to the nodes that the formula speaks of.

    None for a node that something without a row passes to.
    """
    found: dict[Node, Node | None] = {}
    steps, waiting = [(name, seen)], behind(seen.arguments)
    while steps:
        name, here = steps.pop()
        for position in turns(name, len(here.arguments)):
            x = here.arguments[position]
            if x.tracked:
                known = None if None in here.cotangents else row_of(name, here)
                part = contribution(known, position, here)
                found[x] = added([found[x], part], apart=True) if x in found else part
        if waiting:
            inner = waiting.pop()
            assert inner.call is not None
            g = found.pop(inner, None)
            steps.append((inner.call[0], Seen([g], inner, inner.call[1])))
    return found


def _nothing(seen: Seen) -> Node:
    return Node(FULL, (), NOTHING, (), seen.out.dtype)
