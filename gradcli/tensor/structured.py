"""Jacobians by cotangents that keep their identity matrices symbolic.

Constraints: a cotangent of every element of the output at once would begin as an identity matrix
for each axis of the output. Here such a pair of equal axes is one axis, and becomes two only where
an op mixes along it: what works element by element keeps it, a contraction keeps it or frees it.
(Laue, Mitterreiter, Giesen: A Simple and Efficient Tensor Calculus, AAAI 2020.)
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from string import ascii_letters
from typing import Any

from gradcli.execute.axes import links
from gradcli.execute.plan import LOCAL
from gradcli.graph.backward import backward, unbroadcast
from gradcli.graph.node import Node, constant
from gradcli.graph.op import FULL, ITEM, NoDerivative, Zero
from gradcli.graph.shape import numel
from gradcli.graph.walk import ancestors
from gradcli.ops.elementwise import conj
from gradcli.ops.linalg import contract, parts
from gradcli.ops.movement import expand, reshape
from gradcli.tensor.paired import Part, added, apart, dense, permuted

SPREADING = ("expand",)
"""Ops that repeat their input, as elementwise ones do with a smaller operand."""


def jacobians(output: Node, targets: Callable[[Node], bool]) -> dict[Node, Node]:
    """For each target that `output` depends on, a node of the shape `output.shape + its own`.

    From the results of an op with several on, a dense batch of cotangents has to do.
    """
    order = ancestors([output], lambda node: node.tracked)
    needed: set[Node] = set()
    for node in order:
        if targets(node) or any(x in needed for x in node.inputs):
            needed.add(node)
    identity = constant(1, output.dtype, output.shape)
    sums = {output: Part(identity, (), {a: a - output.ndim for a in range(output.ndim)})}
    found: dict[Node, Node] = {}
    several: list[tuple[Node, Node]] = []
    for node in reversed(order):
        part = sums.pop(node, None)
        if part is None or node not in needed:
            continue
        if targets(node):
            found[node] = dense(part)
        if node.op is ITEM:
            batch = (numel(output.shape), *node.shape)
            several.append((node, reshape(dense(part), axes=output.ndim + node.ndim, shape=batch)))
            continue
        for position, x in enumerate(node.inputs):
            if x.tracked and x in needed:
                piece = _through(node, position, x, part)
                if piece is not None:
                    sums[x] = piece if x not in sums else added(sums[x], piece)
    for node, rows in backward(several, targets).items():
        more = reshape(rows, axes=rows.ndim, shape=(*output.shape, *node.shape))
        # What came to a result is among the rows already.
        found[node] = found[node] + more if node in found and node.op is not ITEM else more
    return found


def _through(node: Node, position: int, x: Node, part: Part) -> Part | None:
    """What `part`, the cotangent of `node`, is for one of its inputs."""
    op = node.op
    rule = op.derivative(position)
    if isinstance(rule, NoDerivative):
        return None
    if _scales(node, x) and callable(rule):
        weight = part.weight or constant(1, node.dtype, node.shape)
        scaled = _applied(rule, weight, node, position)
        if scaled is None:
            return None
        passed = _folded(scaled)
        return Part(part.core, part.free, part.pairs, passed)
    if op.name == "contract" and callable(rule) and _is_plain(node):
        return _contracted(node, position, part)
    part = part.weighed()
    if isinstance(rule, Zero):
        whole = apart(part, part.pairs)
        batch = whole.core.shape[: len(whole.free)]
        return Part(constant(0, x.dtype, batch + x.shape), whole.free, {})
    spreads = op.elementwise or op.name in SPREADING
    along = {outer: inner for y, inner, outer in links(node) if y is x}
    if not spreads:
        local = op.name in LOCAL and op.name != "contract"
        mixed = [a for a, j in part.pairs.items() if not local or j not in along]
        part = apart(part, mixed)
    if op.name in SPREADING:
        return _narrowed(part.core, part, node.ndim, x, along)
    core = _applied(rule, part.core, node, position)
    if core is None:
        return None
    if spreads:
        return _narrowed(core, part, node.ndim, x, along)
    if op.broadcasts:
        core = unbroadcast(core, part.core.shape[: len(part.free)], x.shape)
    return Part(core, part.free, {a: along[j] for a, j in part.pairs.items()})


def _applied(rule: Callable[..., Node | None], g: Node, node: Node, position: int) -> Node | None:
    """What the rule of a node for one of its inputs gives for the cotangent `g`."""
    place = {"position": position} if node.op.variadic else {}
    return rule(g, node, *node.inputs, **place, **node.attrs)


_FOLDS: dict[str, Callable[..., Any]] = {
    **{"mul": operator.mul, "div": operator.truediv, "neg": operator.neg},
}


def _folded(weight: Node) -> Node:
    """`weight`, an operation on constants as a constant."""
    fold = _FOLDS.get(weight.op.name)
    if fold is None or not all(x.op is FULL for x in weight.inputs):
        return weight
    values = [x.attrs["value"] for x in weight.inputs]
    if fold is operator.truediv and not values[1]:
        return weight
    return constant(fold(*values), weight.dtype, weight.shape)


def _scales(node: Node, x: Node) -> bool:
    """Whether the rule of a node for one of its inputs multiplies each element by a number."""
    plain = node.dtype is x.dtype and not x.dtype.is_complex
    return node.op.elementwise and plain and x.shape == node.shape


def _narrowed(core: Node, part: Part, rank: int, x: Node, along: dict[int, int]) -> Part:
    """Undoes broadcasting: a repeated axis that is paired is freed, the others are summed."""
    kept = {a: along[j] for a, j in part.pairs.items() if j in along}
    moved = {a: j for a, j in part.pairs.items() if j not in along}
    if moved:
        rest = [j for j in range(-core.ndim, 0) if j not in moved.values()]
        sizes = [core.shape[j] for j in range(-core.ndim, -rank)]
        for j in range(-rank, 0):
            if j not in moved.values():
                sizes.append(core.shape[j])
            elif -j <= x.ndim:
                sizes.append(1)
        front = [core.shape[j] for j in moved.values()]
        core = permuted(core, [*moved.values(), *rest])
        core = reshape(core, axes=core.ndim, shape=(*front, *sizes))
    free = (*moved, *part.free)
    return Part(unbroadcast(core, core.shape[: len(free)], x.shape), free, kept)


def _is_plain(node: Node) -> bool:
    """Whether a contraction has labels for all axes of its operands."""
    left, right, _ = parts(node.attrs["spec"])
    x, y = node.inputs
    return x.ndim == len(left) and y.ndim == len(right)


def _contracted(node: Node, position: int, part: Part) -> Part:
    """The rule of a contraction, in which an axis that would be summed with an identity stays."""
    left, right, result = parts(node.attrs["spec"])
    own, others = (left, right) if position == 0 else (right, left)
    other = conj(node.inputs[1 - position])
    labels = {a: result[j] for a, j in part.pairs.items()}
    moved = {a: k for a, k in labels.items() if k not in own}
    unused = (c for c in ascii_letters if c not in left + right + result)
    front = "".join(next(unused) for _ in part.free)
    wanted = "".join(moved.values()) + front + own
    sizes = _sizes(node, front, part)
    core, given, scale = _lean(part, front + result, wanted)
    if core.op is FULL and not given:
        core = _repeated(other, others, wanted, sizes)
    else:
        made = "".join(c for c in wanted if c in given + others)
        if position == 0:
            core = contract(core, other, spec=f"{given},{others}->{made}")
        else:
            core = contract(other, core, spec=f"{others},{given}->{made}")
        core = core if made == wanted else _repeated(core, made, wanted, sizes)
    kept = {a: own.index(k) - len(own) for a, k in labels.items() if k in own}
    x = node.inputs[position]
    weight = None if scale == 1 else constant(scale, x.dtype, x.shape)
    return Part(core, (*moved, *part.free), kept, weight)


def _lean(part: Part, labels: str, wanted: str) -> tuple[Node, str, complex]:
    """The cotangent without the axes along which it only repeats itself, and the labels left.

    Those that are summed over stay. A factor comes last.
    """
    core, weight = part.core, part.weight
    scale: complex = 1
    if weight is not None and weight.op is FULL:
        scale, weight = weight.attrs["value"], None
    if weight is not None:
        return part.weighed().core, labels, 1
    if core.op is FULL:
        left = "".join(c for c in labels if c not in wanted)
        shape = tuple(core.shape[labels.index(c)] for c in left)
        return constant(1, core.dtype, shape), left, core.attrs["value"] * scale
    if core.op is expand and core.inputs and core.inputs[0].ndim == core.ndim:
        lone = [
            i
            for i, c in enumerate(labels)
            if c in wanted and core.inputs[0].shape[i] == 1 != core.shape[i]
        ]
        left = "".join(c for i, c in enumerate(labels) if i not in lone)
        shape = tuple(n for i, n in enumerate(core.shape) if i not in lone)
        source = core.inputs[0]
        bare = tuple(n for i, n in enumerate(source.shape) if i not in lone)
        core = expand(reshape(source, axes=source.ndim, shape=bare), shape=shape)
        labels = left
    return core, labels, scale


def _sizes(node: Node, front: str, part: Part) -> dict[str, int]:
    left, right, result = parts(node.attrs["spec"])
    found = dict(zip(front + result, part.core.shape, strict=True))
    for labels, x in zip((left, right), node.inputs, strict=True):
        found.update(zip(labels, x.shape, strict=True))
    return found


def _repeated(x: Node, labels: str, wanted: str, sizes: dict[str, int]) -> Node:
    """`x` with the axes `wanted`, repeated along those that it has not."""
    order = [labels.index(c) - len(labels) for c in wanted if c in labels]
    lone = tuple(sizes[c] if c in labels else 1 for c in wanted)
    turned = reshape(permuted(x, order), axes=x.ndim, shape=lone)
    return expand(turned, shape=tuple(sizes[c] for c in wanted))
