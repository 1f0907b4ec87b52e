"""What picks elements or puts them in their places, as products with rows of the unit matrix.

Constraints: see translate.py. A single position is a number of its own (`x[0]`), what is put at one
is a unit vector (`eye(n)[0]`); longer slices stay slices, and are matrices only in `LINEAR`.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.graph.op import OPS, SYMBOL
from gradcli.ops.movement import Slices
from gradcli.rewrite.places import SELECTED, along, at, holds_parts, part_of, unit_vector
from gradcli.rewrite.products import SINGLES, STEPS, SUMS, Work, product
from gradcli.rewrite.terms import (
    PRODUCT,
    TOTAL,
    UNIT,
    Factor,
    Number,
    Terms,
    number_of,
)
from gradcli.rewrite.translate import Rewriter, row

# -- rows of the table


@row("slice")
def _slice(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (x,) = inputs
    slices = node.attrs["slices"]
    lead = x.ndim - len(slices)
    parts = [(0, n, 1) for n in x.shape[:lead]] + list(slices)
    number = number_of(x)
    if number is not None:
        return r.terms.number(number, node.shape)
    if all(part == (0, n, 1) for part, n in zip(parts, x.shape, strict=True)):
        return x
    single = [part[1] == 1 and n != 1 for part, n in zip(parts, x.shape, strict=True)]
    if not any(single):
        return _sliced(r, node, x)
    kept = tuple((0, n, 1) if one else p for p, n, one in zip(parts, x.shape, single, strict=True))
    shape = tuple(part[1] for part in kept)
    inner = r.terms.node(OPS["slice"], (x,), shape, node.dtype, slices=kept)
    whole = _slice(r, inner, (x,))
    assert whole is not None
    labels = r.terms.labels(x.ndim)
    units = [
        Factor(unit_vector(r.terms, n, part[0]), (label,), Fraction(1))
        for n, part, label, one in zip(x.shape, parts, labels, single, strict=True)
        if one
    ]
    fresh = r.terms.labels(x.ndim)
    result = tuple(b if one else a for a, b, one in zip(labels, fresh, single, strict=True))
    factor = r.unit(Factor(whole, labels, Fraction(1)))
    return product(r.terms, [factor, *units], result, node.shape)


def _sliced(r: Rewriter, node: Node, x: Node) -> Node:
    """A slice of a slice is one, of a unit vector a shorter one."""
    slices = node.attrs["slices"]
    if x.op is SELECTED and isinstance(place := x.attrs["place"], int):
        ((start, length, step),) = slices
        if step == 1:
            inside = start <= place < start + length
            unit = unit_vector(r.terms, length, place - start)
            return unit if inside else r.terms.number(0, node.shape)
    whole = (*((0, n, 1) for n in x.shape[: x.ndim - len(slices)]), *slices)
    if holds_parts(x):
        return part_of(r.terms, x, whole)
    if x.op.name == "slice" and len(x.attrs["slices"]) == len(slices):
        pairs = zip(x.attrs["slices"], slices, strict=True)
        joined = tuple(
            (s + step * t, length, step * more) for (s, _, step), (t, length, more) in pairs
        )
        inner = x.inputs[0]
        return r.terms.node(node.op, (inner,), node.shape, node.dtype, slices=joined)
    return r.linear(node, x)


@row("embed")
def _embed(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (x,) = inputs
    slices, shape = node.attrs["slices"], node.attrs["shape"]
    lead = x.ndim - len(slices)
    single = [part[1] == 1 and n != 1 for part, n in zip(slices, shape, strict=True)]
    if all(part == (0, n, 1) for part, n in zip(slices, shape, strict=True)):
        return x
    if not any(single):
        return _embedded(r, node, x)
    kept = tuple((0, 1, 1) if one else part for part, one in zip(slices, single, strict=True))
    middle = tuple(1 if one else n for n, one in zip(shape, single, strict=True))
    inner = r.terms.node(
        node.op, (x,), (*x.shape[:lead], *middle), node.dtype, slices=kept, shape=middle
    )
    rest = _embed(r, inner, (x,))
    assert rest is not None
    result = r.terms.labels(node.ndim)
    units = [
        Factor(unit_vector(r.terms, n, part[0]), (label,), Fraction(1))
        for n, part, label, one in zip(shape, slices, result[lead:], single, strict=True)
        if one
    ]
    factor = r.unit(Factor(rest, result, Fraction(1)))
    return product(r.terms, [factor, *units], result, node.shape)


def _embedded(r: Rewriter, node: Node, x: Node) -> Node:
    """Zeros around what has zeros around it are one frame."""
    scale, bare = r.terms.scaled(x)
    slices = node.attrs["slices"]
    if bare.op.name != "embed" or len(bare.attrs["slices"]) != len(slices):
        return r.linear(node, x)
    joined = _joined(slices, bare.attrs["slices"])
    attrs = {"slices": joined, "shape": node.attrs["shape"]}
    return r.terms.times(scale, r.terms.node(node.op, bare.inputs, node.shape, node.dtype, **attrs))


def _joined(outer: Slices, inner: Slices) -> Slices:
    """A slice of a slice as one."""
    pairs = zip(outer, inner, strict=True)
    return tuple((s + step * t, length, step * more) for (s, _, step), (t, length, more) in pairs)


# -- what cancels


def _picked(work: Work) -> bool:
    """What is multiplied by a unit vector matters at one position: `x*eye(n)[0]` is `x[0]`."""
    for f in work.factors:
        place = f.node.attrs.get("place") if f.node.op is SELECTED else None
        if not isinstance(place, int):
            continue
        (label,) = f.labels
        around = [g for g in work.factors if g is not f and label in g.labels]
        others = [g for g in around if not _stands_alone(g.node)]
        if label not in work.result and len(others) == len(around):
            work.summed.discard(label)
            work.replace([f], [])
        elif not others:
            continue
        for g in others:
            work.replace([g], [_without(work.terms, g, label, place)])
        return True
    return False


def _stands_alone(node: Node) -> bool:
    """Whether it is the cotangent that a Jacobian is read off."""
    return node.op is SYMBOL and str(node.attrs["name"]).startswith("\0")


def _without(terms: Terms, g: Factor, label: int, place: int) -> Factor:
    """A factor at one position of an axis."""
    if g.node.op is SELECTED and isinstance(g.node.attrs["place"], int):
        return Factor(terms.number(int(g.node.attrs["place"] == place)), (), Fraction(1))
    places = tuple(place if x == label else None for x in g.labels)
    kept = tuple(x for x in g.labels if x != label)
    return Factor(at(terms, g.node, places), kept, g.power)


def _sliced_rows(work: Work) -> bool:
    """Rows of the unit matrix times a matrix are rows of it: `eye(n)[1:]@A` is `A[1:]`."""
    for f in work.factors:
        if f.node.op is not SELECTED or not isinstance(f.node.attrs["place"], tuple):
            continue
        row_label, label = f.labels
        others = [g for g in work.factors if g is not f and label in g.labels]
        if label in work.result or len(others) != 1 or others[0].labels.count(label) > 1:
            continue
        (g,) = others
        if _stands_alone(g.node):
            continue
        slices = tuple(
            f.node.attrs["place"] if x == label else (0, n, 1)
            for x, n in zip(g.labels, g.node.shape, strict=True)
        )
        shape = tuple(length for _, length, _ in slices)
        part = work.terms.node(OPS["slice"], (g.node,), shape, g.node.dtype, slices=slices)
        labels = tuple(row_label if x == label else x for x in g.labels)
        work.summed.discard(label)
        return work.replace([f, g], [Factor(part, labels, g.power)])
    return False


def _one_row(work: Work) -> bool:
    """A row of the unit matrix twice has its 1 in one place: `sum(X*E, 1)[:, None]*E` is `X*E`."""
    for i, f in enumerate(work.factors):
        for g in work.factors[i + 1 :]:
            if f.node.op is not SELECTED or g.node is not f.node or f.labels[:-1] != g.labels[:-1]:
                continue
            a, b = f.labels[-1], g.labels[-1]
            if a == b or (a in work.result and b in work.result):
                continue
            work.rename(*((a, b) if b in work.result else (b, a)))
            return True
    return False


def _picked_sum(work: Work) -> bool:
    """A matrix times a sum of scaled unit vectors is a sum of scaled rows of it."""
    for f in work.factors:
        if f.node.op is not TOTAL or f.power != 1 or f.node.ndim != 1:
            continue
        (label,) = f.labels
        others = [g for g in work.factors if g is not f and label in g.labels]
        if label in work.result or not others or not all(map(_is_placed, f.node.inputs)):
            continue
        axes = tuple(dict.fromkeys(x for g in others for x in g.labels if x not in (label, UNIT)))
        if any(_stands_alone(g.node) for g in others) or not {*axes} <= {*work.result}:
            continue
        shape = tuple(work.sizes[x] for x in axes)
        pairs = [
            (scale, product(work.terms, [f._replace(node=x), *others], axes, shape))
            for scale, x in zip(f.node.attrs["scales"], f.node.inputs, strict=True)
        ]
        made = Factor(work.terms.total(pairs, shape), along(shape, axes), Fraction(1))
        work.summed.discard(label)
        return work.replace([f, *others], [made])
    return False


def _is_placed(x: Node) -> bool:
    """Whether a vector is a scaled row of the unit matrix."""
    units = [x] if x.op is SELECTED else x.inputs if x.op is PRODUCT else ()
    return any(y.op is SELECTED and isinstance(y.attrs["place"], int) for y in units)


STEPS += [_picked, _picked_sum, _sliced_rows, _one_row]


def _selected_power(terms: Terms, f: Factor) -> list[Factor] | None:
    """Zeros and ones stay what they are."""
    if f.node.op is not SELECTED or f.power == 1 or f.power <= 0:
        return None
    return [f._replace(power=Fraction(1))]


def _selected_sum(terms: Terms, f: Factor, label: int) -> tuple[Number, list[Factor]] | None:
    """A row of the unit matrix adds up to 1."""
    if f.node.op is not SELECTED or f.power != 1 or f.labels[-1] != label:
        return None
    return Fraction(1), []


SINGLES.append(_selected_power)
SUMS.append(_selected_sum)
