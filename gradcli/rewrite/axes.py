"""What only moves, repeats or adds up elements along axes, as terms.

Constraints: see translate.py.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.ops.linalg import parts
from gradcli.rewrite.products import product
from gradcli.rewrite.terms import PRODUCT, UNIT, Factor, number_of
from gradcli.rewrite.translate import Rewriter, row


@row("contract")
def _contract(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    left, right, result = parts(node.attrs["spec"])
    names = dict(zip(sorted({*left, *right, *result}), r.terms.labels(52), strict=False))
    rank = node.ndim - len(result)
    lead = r.terms.labels(rank)
    factors = []
    for x, own in zip(inputs, (left, right), strict=True):
        extra = x.ndim - len(own)
        labels = (*lead[rank - extra :], *(names[c] for c in own))
        factors.append(r.unit(Factor(x, labels, Fraction(1))))
    return product(r.terms, factors, (*lead, *(names[c] for c in result)), node.shape)


@row("sum")
def _sum(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (x,) = inputs
    axes = [a + x.ndim for a in node.attrs["axis"]]
    labels = r.terms.labels(x.ndim)
    kept = tuple(a for i, a in enumerate(labels) if i not in axes)
    if node.attrs["keepdims"]:
        fresh = r.terms.labels(x.ndim)
        kept = tuple(fresh[i] if i in axes else a for i, a in enumerate(labels))
    return r.relabelled(x, labels, kept, node.shape)


@row("expand")
def _expand(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return r.spread(inputs[0], node.shape)


@row("permute")
def _permute(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (x,) = inputs
    labels = r.terms.labels(x.ndim)
    axes = node.attrs["axes"]
    lead = labels[: x.ndim - len(axes)]
    return r.relabelled(x, labels, (*lead, *(labels[a] for a in axes)), node.shape)


@row("diagonal")
def _diagonal(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (x,) = inputs
    if node.attrs["offset"] or x.shape[-1] != x.shape[-2]:
        return None
    lead = r.terms.labels(node.ndim)
    return r.relabelled(x, (*lead, lead[-1]), lead, node.shape)


@row("diagonal_embed")
def _diagonal_embed(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (x,) = inputs
    if node.attrs["offset"] or node.shape[-1] != node.shape[-2]:
        return None
    lead = r.terms.labels(x.ndim)
    return r.relabelled(x, lead, (*lead, lead[-1]), node.shape)


@row("reshape")
def _reshape(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Axes of length 1 come and go; anything else is a reshape of what was reshaped first."""
    (x,) = inputs
    if [n for n in x.shape if n != 1] != [n for n in node.shape if n != 1]:
        scale, numbers, bare = r.bare(x)
        if number_of(bare) is not None:
            return r.times(node.shape, *numbers, scale=scale)
        if bare.op.name == "reshape":
            made = _reshape(r, node, bare.inputs)
            assert made is not None
            return r.times(node.shape, (made, 1), *numbers, scale=scale)
        if _is_unit(bare) and node.shape[: node.ndim // 2] * 2 == node.shape:
            half = r.terms.labels(node.ndim // 2)
            made = product(r.terms, [], half * 2, node.shape)
            return r.times(node.shape, (made, 1), *numbers, scale=scale)
        return r.linear(node, x)
    labels = iter(r.terms.labels(x.ndim))
    own = tuple(next(labels) if n != 1 else UNIT for n in x.shape)
    kept = iter([a for a in own if a != UNIT])
    result = tuple(next(kept) if n != 1 else r.terms.labels(1)[0] for n in node.shape)
    return r.relabelled(x, own, result, node.shape)


def _is_unit(x: Node) -> bool:
    """Whether it is a unit matrix, which is one for any way to count its rows and columns."""
    return x.op is PRODUCT and not x.inputs and x.ndim == 2 and len({*x.attrs["result"]}) == 1


# -- linear ops on places: the scale comes out


@row("flip", "tril", "triu", "cumsum")
def _moved(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (x,) = inputs
    bare = r.terms.scaled(x)[1]
    if node.op.name in ("tril", "triu") and bare.op is node.op and bare.attrs == node.attrs:
        return x
    if node.op.name == "flip" and bare.op is node.op and bare.attrs == node.attrs:
        return r.terms.times(r.terms.scaled(x)[0], bare.inputs[0])
    number = number_of(x)
    if node.op.name == "flip" and number is not None:
        return r.terms.number(number, node.shape)
    return r.linear(node, x)
