"""Sums that can be said shorter: choices joined, factors taken out, products multiplied out.

Constraints: a rule answers only with fewer or simpler terms, so that rewriting ends.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import OPS, SYMBOL
from gradcli.graph.shape import Shape
from gradcli.rewrite.cancelled import exponential, sigmoid_complement
from gradcli.rewrite.conditions import opposite
from gradcli.rewrite.groups import components
from gradcli.rewrite.opened import Term, merged, opened_terms
from gradcli.rewrite.places import SELECTED
from gradcli.rewrite.products import SUMS, product
from gradcli.rewrite.quotients import over_one_denominator
from gradcli.rewrite.terms import (
    INDICATOR,
    SIZE,
    SUM_RULES,
    TOTAL,
    UNIT,
    Factor,
    Labels,
    Number,
    Pairs,
    Terms,
)


def joined_choices(terms: Terms, pairs: Pairs, shape: Shape) -> Node | None:
    """`a` where c holds plus `b` where it does not is `where(c, a, b)`."""
    opened, result = opened_terms(terms, pairs, shape)
    for i, first in enumerate(opened):
        for f in first.factors:
            if f.node.op is not INDICATOR or f.power != 1 or not first.plain:
                continue
            if f.node.inputs[0].serial > opposite(terms, f.node.inputs[0]).serial:
                continue  # said the way round in which the expression says it
            other = terms.node(INDICATOR, (opposite(terms, f.node.inputs[0]),), f.node.shape)
            for j, second in enumerate(opened):
                match = Factor(other, f.labels, Fraction(1))
                if j == i or not second.plain or match not in second.factors:
                    continue
                made = _chosen(terms, f, (first, second, match), result, shape)
                if made is not None:
                    rest = [p for k, p in enumerate(pairs) if k not in (i, j)]
                    return terms.total([(Fraction(1), made), *rest], shape)
    return None


def _chosen(
    terms: Terms, f: Factor, both: tuple[Term, Term, Factor], result: Labels, shape: Shape
) -> Node | None:
    first, second, match = both
    left = [g for g in first.factors if g != f]
    right = [g for g in second.factors if g != match]
    common = [g for g in left if g in right]
    left, right = ([g for g in part if g not in common] for part in (left, right))
    axes = {*f.labels, UNIT}
    if any(not set(g.labels) <= axes for g in (*left, *right)):
        return None
    a = product(terms, left, f.labels, f.node.shape, first.scale)
    b = product(terms, right, f.labels, f.node.shape, second.scale)
    chosen = a
    if a is not b:
        chosen = terms.node(OPS["where"], (f.node.inputs[0], a, b), f.node.shape)
    return product(terms, [*common, Factor(chosen, f.labels, Fraction(1))], result, shape)


def taken_out(terms: Terms, pairs: Pairs, shape: Shape) -> Node | None:
    """What divides every term, or is a matrix that multiplies every term, stands once."""
    scales: list[Number] = [_size(s * terms.scaled(x)[0]) for s, x in pairs]
    if scales[0] != 1 and len(set(scales)) == 1:
        size = scales[0] if any(s * terms.scaled(x)[0] > 0 for s, x in pairs) else -scales[0]
        return terms.times(size, terms.total([(s / size, x) for s, x in pairs], shape))
    opened, result = opened_terms(terms, pairs, shape)
    common = _common(opened, result)
    if common is not None:
        return _with_common(terms, opened, [[common]] * len(opened), result, shape)
    return _contraction_out(terms, opened, result, shape)


def _common(opened: list[Term], result: Labels) -> Factor | None:
    """What every term is multiplied or divided by, to the least power; variables to one power."""
    if not all(t.plain for t in opened):
        return None
    for f in opened[0].factors:
        powers = [next((g.power for g in t.factors if g[:2] == f[:2]), Fraction(0)) for t in opened]
        shared = min(powers) if f.power > 0 else max(powers)
        if shared * f.power <= 0 or not {*f.labels} <= {*result} or f.node.op is SELECTED:
            continue
        if f.node.op in (SYMBOL, SIZE) and len(set(powers)) > 1:
            continue  # 2*x*sin(x) + x**2*cos(x) is left as it is
        if shared < 0 or f.labels in ((), result):
            return f._replace(power=shared)
    return None


def _contraction_out(terms: Terms, opened: list[Term], result: Labels, shape: Shape) -> Node | None:
    """`(w@m)*(S@w) + (w@m)*(S.T@w)` is `(w@m)*(S@w + S.T@w)`."""
    found = [_contractions(terms, t, result) for t in opened if t.plain]
    if len(found) < len(opened):
        return None
    common = next((x for x in found[0] if all(x in other for other in found)), None)
    if common is None:
        return None
    return _with_common(terms, opened, [other[common] for other in found], result, shape)


def _contractions(terms: Terms, t: Term, result: Labels) -> dict[Node, list[Factor]]:
    """The numbers among the factors of a term that are sums of products."""
    summed = {x for f in t.factors for x in f.labels} - {*result, UNIT}
    groups = components([f for f in t.factors if f.labels], summed)
    return {
        product(terms, group, (), ()): group
        for group in groups
        if len(group) > 1 and not any({*f.labels} & {*result} for f in group)
    }


def _size(number: Number) -> Number:
    return number if number >= 0 else -number


def _with_common(
    terms: Terms, opened: list[Term], common: list[list[Factor]], result: Labels, shape: Shape
) -> Node:
    rest = []
    for t, own in zip(opened, common, strict=True):
        left = [f for f in t.factors if f not in own]
        inverse = [f._replace(power=-f.power) for f in own if f not in t.factors]
        rest.append((t.scale, product(terms, [*left, *inverse], result, shape)))
    scales = [s * terms.scaled(x)[0] for s, x in rest]
    number = min(map(_size, scales))
    alike = all(_size(s) == number for s in scales)
    if number == 0 or (not alike and (number % 1 or any(s % number for s in scales))):
        number = Fraction(1)
    number = -number if all(s < 0 for s in scales) else number
    inner = terms.total([(s / number, x) for s, x in rest], shape)
    whole = Factor(inner, _units(result, shape), Fraction(1))
    return product(terms, [*common[0], whole], result, shape, number)


def _units(labels: Labels, shape: Shape) -> Labels:
    return tuple(UNIT if n == 1 else x for x, n in zip(labels, shape, strict=True))


def contracted_once(terms: Terms, pairs: Pairs, shape: Shape) -> Node | None:
    """`X.T@a - X.T@b` is `X.T@(a - b)`."""
    opened, result = opened_terms(terms, pairs, shape)
    for i, first in enumerate(opened):
        for j in range(i + 1, len(opened)):
            made = _same_matrix(terms, first, opened[j], result, shape)
            if made is not None:
                rest = [p for k, p in enumerate(pairs) if k not in (i, j)]
                return terms.total([(Fraction(1), made), *rest], shape)
    return None


def _same_matrix(terms: Terms, a: Term, b: Term, result: Labels, shape: Shape) -> Node | None:
    for f in a.factors:
        for g in b.factors:
            if f.node is not g.node or f.power != 1 or g.power != 1 or f.node.ndim != 2:
                continue
            names = dict(zip(g.labels, f.labels, strict=True))
            if any((x in result or y in result) and x != y for x, y in names.items()):
                continue
            inner = [x for x in f.labels if x not in result and x != UNIT]
            left = [h for h in a.factors if h is not f]
            right = [
                Factor(h.node, tuple(names.get(x, x) for x in h.labels), h.power)
                for h in b.factors
                if h is not g
            ]
            axes = tuple(x for x in (*inner, *result) if _uses(left, x) or _uses(right, x))
            if all(h.labels == axes[::-1] for h in (*left, *right)):
                axes = axes[::-1]  # (a - b)@V, not (a.T - b.T).T@V
            if len(inner) != 1 or not _worth(left, right, axes, {*inner, *result}):
                continue
            sizes = _sizes([f, *left, *right])
            part = tuple(sizes[x] for x in axes)
            pair = [
                (t.scale, product(terms, rest, axes, part)) for t, rest in ((a, left), (b, right))
            ]
            both = Factor(terms.total(pair, part), axes, Fraction(1))
            return product(terms, [f, both], result, shape)
    return None


def _uses(factors: list[Factor], label: int) -> bool:
    return any(label in f.labels for f in factors)


def _worth(left: list[Factor], right: list[Factor], axes: Labels, outer: set[int]) -> bool:
    """Whether what stands beside a shared matrix can be added up, and is no matrix transposed."""
    if any(set(f.labels) - outer - {UNIT} for f in (*left, *right)):
        return False
    if any(not _uses(part, x) for part in (left, right) for x in axes):
        return False
    return not ({f.node for f in left} & {f.node for f in right}) and bool(left and right)


def _sizes(factors: list[Factor]) -> dict[int, int]:
    return {x: n for f in factors for x, n in zip(f.labels, f.node.shape, strict=True)}


def multiplied_out(terms: Terms, pairs: Pairs, shape: Shape) -> Node | None:
    """`s*(1 - y) - y*(1 - s)` is `s - y`: sums inside products, where that leaves fewer terms."""
    opened, result = opened_terms(terms, pairs, shape)
    if len(opened) > 6:
        return None
    parts = [_spread(terms, t, result, shape) for t in opened]
    places = range(len(opened))
    pairs_of_numbers = [
        list(pair)
        for pair in combinations(places, 2)
        if all(not f.labels for i in pair for f in opened[i].factors if f.node.op is TOTAL)
    ]
    for group in ([*places], *pairs_of_numbers):
        spread = [part for i in group for part in parts[i]]
        if len(spread) == len(group):
            continue
        left = merged(terms, spread)
        if len(left) <= len(group) and len(left) < len(spread) - (len(group) == len(opened)):
            rest = [pair for i, pair in enumerate(pairs) if i not in group]
            return terms.total([*left, *rest], shape)
    return None


def _spread(terms: Terms, t: Term, result: Labels, shape: Shape) -> Pairs:
    """A term with a short sum in it as the terms that it is of; else itself."""
    sums = [f for f in t.factors if f.node.op is TOTAL and f.power == 1]
    inner = next((f for f in sums if len(f.node.inputs) < 4), None)
    if inner is None or not t.plain:
        return [(t.scale, product(terms, t.factors, result, shape))]
    rest = [f for f in t.factors if f is not inner]
    return [
        (t.scale * scale, product(terms, [*rest, inner._replace(node=x)], result, shape))
        for scale, x in zip(inner.node.attrs["scales"], inner.node.inputs, strict=True)
    ]


SUM_RULES += [
    exponential,
    joined_choices,
    sigmoid_complement,
    over_one_denominator,
    taken_out,
    multiplied_out,
    contracted_once,
]


def _sum_of_total(terms: Terms, f: Factor, label: int) -> tuple[Number, list[Factor]] | None:
    """The sum of a sum, where terms cancel: `sum(x - mean(x))` is 0."""
    if f.node.op is not TOTAL or f.power != 1 or len(set(f.labels)) < len(f.labels):
        return None
    kept = tuple(x for x in f.labels if x != label)
    shape = tuple(n for x, n in zip(f.labels, f.node.shape, strict=True) if x != label)
    parts: list[tuple[Any, Any]] = []
    for scale, x in zip(f.node.attrs["scales"], f.node.inputs, strict=True):
        own = _units(f.labels, x.shape)
        fresh = terms.labels(len(kept))
        names = dict(zip(kept, fresh, strict=True))
        labels = tuple(names.get(a, a) for a in own)
        parts.append((scale, product(terms, [Factor(x, labels, Fraction(1))], fresh, shape)))
    made = terms.total(parts, shape)
    count = len(made.inputs) if made.op is TOTAL else 1
    if count >= len(f.node.inputs):
        return None
    return Fraction(1), [Factor(made, _units(kept, shape), Fraction(1))]


SUMS.append(_sum_of_total)
