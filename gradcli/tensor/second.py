"""What PyTorch shows as the grad_fn of a gradient that can itself be differentiated.

Constraints: a gradient shows the last op of its rule, as any node does; a row of second.txt says so
where PyTorch computes it by other functions. Values never depend on it.

A row is `Name0 = formula ; formula`: for each argument of the function the call that PyTorch makes,
where a name without its `Backward` stands for that of the grad_fn (`Mul0`: `MulBackward0`). In it
`g` is the cotangent, `out` the result, `x`, `y`, `z` are the arguments, `-` is nothing that can be
differentiated by, and `all` are the cotangents of all results. `each(...)` has the dims again that
the function reduced, `some(...)` unless it reduced all of them, `view(...)` by one view;
`mean(x)` is over the dims of the function. `/` comes before the call for an argument that is a
transposed matrix, and `*` behind the one call for all arguments.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from gradcli.graph.backward import Given, Parts
from gradcli.graph.call import Part, receivers_of, results_of, tensors_of
from gradcli.graph.node import Node, constant
from gradcli.graph.op import DETACH, FULL, LEAF, REPLACE
from gradcli.graph.walk import ancestors
from gradcli.ops.reduction import total
from gradcli.tensor.kept import name_of

Formula = tuple[str, tuple[Any, ...]]
"""A name, and the formulas that it is called with."""
ARGUMENTS = {"x": 0, "y": 1, "z": 2}


@cache
def _rows() -> dict[str, str]:
    path = os.path.join(os.path.dirname(__file__), "second.txt")
    with open(path, encoding="utf-8") as file:
        return {_full(line.split(" ", 1)[0]): line.partition("=")[2].strip() for line in file}


def _full(name: str) -> str:
    """`Mul0` -> `MulBackward0`; a word of the formulas as it is."""
    return f"{name[:-1]}Backward{name[-1]}" if name[-1].isdigit() else name


@cache
def _formulas(name: str, position: int) -> tuple[Formula, ...]:
    """The formulas for an argument of a function: the usual one, that for a transposed matrix."""
    row = _rows().get(name, "")
    listed = row.removesuffix("*").split(";")
    if row.endswith("*"):
        listed *= position + 1
    text = listed[position].strip() if position < len(listed) else ""
    return tuple(_parsed(re.findall(r"[\w-]+|[(),]", part)) for part in text.split("/") if part)


def _parsed(tokens: list[str]) -> Formula:
    name, operands = tokens.pop(0), list[Formula]()
    if tokens and tokens[0] == "(":
        while tokens.pop(0) != ")":
            operands.append(_parsed(tokens))
    return _full(name), tuple(operands)


def steps(node: Node, outputs: Sequence[Node]) -> Sequence[Node]:
    """The steps, in order, from the arguments of a function to the `outputs`, `node` among them.

    None where something that is no argument leads there.
    """
    call = node.call
    if call is None:
        return ()
    arguments = {*call[1], *tensors_of(call)}

    def inner(x: Node) -> bool:
        if x in outputs:
            return True
        connected = x.tracked or bool(x.inputs)  # a condition on what is tracked
        return connected and x not in arguments and x.call is None and x.op is not LEAF

    found = ancestors([y for y in outputs if y.tracked], inner)
    known = arguments.union(found)
    closed = all(x in known or not x.tracked for step in found for x in step.inputs)
    return found if closed else ()


class Seen(NamedTuple):
    """What the formulas of one function speak of."""

    cotangents: Sequence[Node | None]
    out: Node
    arguments: Sequence[Node]


def shown(node: Node, given: Given, parts: Parts) -> Parts:
    """`parts`, what the function that made `node` passes on, under the names PyTorch shows."""
    if not all(isinstance(g, Node) for g in given.values()):
        return parts
    name, arguments = name_of(node), receivers_of(node)
    newest = max(g.serial for g in given.values())
    seen = Seen(_in_order(node, given), next(iter(given)), arguments)
    named, used = [], set[int]()
    for x, part in sorted(parts, key=lambda pair: pair[1] not in seen.cotangents):
        places = [i for i, y in enumerate(arguments) if y is x and i not in used]
        position = places[0] if places else -1
        used.add(position)
        if part.serial > newest:
            whole = len(places) > 1 and sum(y is x for y, _ in parts) == 1
            if whole and all(_formulas(name, i) for i in places):
                operands = [_operand(_formulas(name, i)[0], seen)[0] for i in places]
                part = _as_sum(part, operands)
            else:
                part = _part_named(part, x, _formulas(name, position) if places else (), seen, node)
        named.append((position, x, part))
    named.sort(key=lambda entry: entry[0])
    return [(x, part) for _, x, part in named]


def _part_named(part: Node, x: Node, formulas: tuple[Formula, ...], seen: Seen, node: Node) -> Node:
    """What goes to an argument, under the name of its formula; summed where `x` was repeated."""
    repeated = part.op is total and part.tracked and x.shape != seen.out.shape
    if formulas:
        formula = formulas[-1 if _is_turned(x) else 0]
        if not (repeated and formula[1]):
            return _named(part, formula, seen)
        part.call = _added_up(part, _operand(formula, seen)[0], seen.out.ndim)
    elif repeated and node.op.broadcasts:
        part.call = _summed(part, seen.cotangents[0] or part)
    return part


def _as_sum(part: Node, operands: Sequence[Node]) -> Node:
    """`part`, the sum of what goes to an argument that a function was given several times."""
    first, *rest = operands
    for other in rest[:-1]:
        first = _showing("AddBackward0", first, other)
    part.call = ("AddBackward0", (first, rest[-1]))
    return part


def _in_order(node: Node, given: Given) -> list[Node | None]:
    if not isinstance(node.call, Part):
        return list(given.values())
    results = results_of(node)
    varied = getattr(node.call[1], "varied", None) or sorted(results)
    return [given.get(results[i]) if i in results else None for i in varied]


def _is_turned(x: Node) -> bool:
    """Whether PyTorch takes `x` for a transposed matrix, by its strides."""
    return x.shape == (1, 1) or (
        x.ndim == 2 and name_of(x) in ("TBackward0", "TransposeBackward0", "PermuteBackward0")
    )


def _summed(part: Node, cotangent: Node) -> tuple[str, tuple[Node, ...]]:
    """How PyTorch sums over the axes along which an argument was repeated to give `part`."""
    source = part.inputs[0]
    if source.op is total and source.serial > cotangent.serial:
        source = source.inputs[0]
    return _added_up(part, source, source.ndim)


def _added_up(part: Node, source: Node, rank: int) -> tuple[str, tuple[Node, ...]]:
    """The call that gives `part` by summing `source`, which has `rank` dims."""
    if part.ndim == 0:
        return "SumBackward0", (source,)
    if part.ndim == rank:
        return "SumBackward1", (source,)
    return "ViewBackward0", (_showing("SumBackward1", source),)


def _named(part: Node, formula: Formula, seen: Seen) -> Node:
    name, operands = formula
    if operands and name not in WORDS:
        used = tuple(x for operand in operands for x in _operand(operand, seen))
    else:
        (found,) = _operand(formula, seen)
        if found in seen.cotangents or found.call is None:
            return found if found.shape == part.shape and _is_copy(part, found) else part
        name, used = found.call
    if not part.tracked:
        if part.op is FULL and part.attrs["value"] == 0:
            return part
        connected = next((x for x in used if x.tracked), None)
        if connected is None:
            return part
        part = REPLACE(connected, part)
    part.call = (name, used)
    return part


def _is_copy(part: Node, source: Node) -> bool:
    """Whether `part` is `source` itself, copied or viewed at most."""
    while part is not source and part.op.name in ("clone", "reshape", "embed") and part.inputs:
        (part,) = part.inputs
    return part is source


def _operand(formula: Formula, seen: Seen) -> tuple[Node, ...]:
    """The nodes that an argument of a formula speaks of; one that only shows a name, for a call."""
    name, operands = formula
    if name == "all":
        return tuple(_nothing(seen) if g is None else g for g in seen.cotangents)
    if operands:
        used = tuple(x for operand in operands for x in _operand(operand, seen))
        return (WORDS[name](used[0], seen) if name in WORDS else _showing(name, *used),)
    if name in ARGUMENTS:
        place = ARGUMENTS[name]
        return (seen.arguments[place] if place < len(seen.arguments) else _nothing(seen),)
    first = next(g for g in seen.cotangents if g is not None)
    return ({"g": first, "out": seen.out}.get(name) or _nothing(seen),)


def _nothing(seen: Seen) -> Node:
    return constant(0, seen.out.dtype)


def _reduced(seen: Seen) -> int:
    """How many dims of its first argument a function has reduced."""
    return seen.arguments[0].ndim - seen.out.ndim


def _each(x: Node, seen: Seen) -> Node:
    for _ in range(_reduced(seen)):
        x = _showing("UnsqueezeBackward0", x)
    return x


def _view(x: Node, seen: Seen) -> Node:
    return _showing("ViewBackward0", x) if _reduced(seen) else x


def _mean(x: Node, seen: Seen) -> Node:
    return _showing(f"MeanBackward{int(seen.out.ndim > 0)}", x)


WORDS = {
    "each": _each,
    "some": lambda x, seen: _each(x, seen) if seen.out.ndim else x,
    "view": _view,
    "mean": _mean,
}
"""Calls that depend on what the function has reduced."""


def _showing(name: str, *arguments: Node) -> Node:
    """A node that stands in a call for a step PyTorch takes; nothing is computed from it."""
    node = DETACH(arguments[0])
    node.tracked = any(x.tracked for x in arguments)
    node.call = (name, arguments)
    return node
