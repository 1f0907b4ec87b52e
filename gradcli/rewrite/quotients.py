"""Quotients of sums: over one denominator, without quotients inside, powers of sums that meet.

Constraints: see products.py and sums.py, whose tables these rules go into; a rule answers only
where terms or quotients become fewer, so that rewriting ends.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import chain

from gradcli.graph.node import Node
from gradcli.graph.shape import Shape
from gradcli.rewrite.groups import components, is_count
from gradcli.rewrite.opened import Term, merged, opened_terms
from gradcli.rewrite.products import STEPS, Work, product
from gradcli.rewrite.terms import (
    PRODUCT,
    TOTAL,
    UNIT,
    Factor,
    Labels,
    Number,
    Pairs,
    Terms,
    factors_of,
)

WIDEST, DEEPEST = 4, 2
"""Terms of a denominator, and to which power, that a numerator is multiplied by."""


def over_one_denominator(terms: Terms, pairs: Pairs, shape: Shape) -> Node | None:
    """`1 - a/(a + b)` is `b/(a + b)`: quotients with a sum below, where terms then cancel."""
    opened, result = opened_terms(terms, pairs, shape)
    for node, labels in _denominators(opened, result):
        divided = [i for i, t in enumerate(opened) if _below(t, node, labels)]
        others = [i for i, t in enumerate(opened) if t.plain and i not in divided]
        groups = [divided, *([*divided, i] for i in others), [*divided, *others]]
        for group in groups:
            chosen = [opened[i] for i in group]
            made = _over(terms, chosen, Factor(node, labels, Fraction(1)), result, shape)
            if made is not None:
                rest = [p for i, p in enumerate(pairs) if i not in group]
                return terms.total([(Fraction(1), made), *rest], shape)
    return None


def _denominators(opened: list[Term], result: Labels) -> dict[tuple[Node, Labels], None]:
    """The short sums that divide a term, along axes of the result."""
    return {
        (f.node, f.labels): None
        for t in opened
        if t.plain
        for f in t.factors
        if f.node.op is TOTAL
        and len(f.node.inputs) <= WIDEST
        and f.power < 0
        and {*f.labels} <= {*result, UNIT}
    }


def _below(t: Term, node: Node, labels: Labels) -> Number:
    """To which power a node divides a term; 0 where it does not."""
    found = next((f.power for f in t.factors if f[:2] == (node, labels)), Fraction(0))
    return -found if t.plain and found < 0 else Fraction(0)


def _over(
    terms: Terms, group: list[Term], divisor: Factor, result: Labels, shape: Shape
) -> Node | None:
    """A sum of terms with the divisor below all of them; None where that is no shorter."""
    powers = [_below(t, divisor.node, divisor.labels) for t in group]
    whole = max(powers)
    missing = [whole - p for p in powers]
    if len(group) < 2 or any(not _is_whole(m) or m > DEEPEST for m in missing):
        return None
    spread: Pairs = []
    before = 0
    for t, count in zip(group, missing, strict=True):
        rest = [f for f in t.factors if f[:2] != divisor[:2] or f.power > 0]
        inner = next((f for f in rest if _is_short_sum(f)), None)
        if inner is not None:
            rest.remove(inner)
        before += 1 if inner is None else len(inner.node.inputs)
        for scale, factors in _multiplied([inner] if inner else [], [divisor] * int(count)):
            made = product(terms, [*rest, *factors], result, shape)
            spread.append((t.scale * scale, made))
    left = merged(terms, spread)
    if len(left) >= before:
        return None
    axes = tuple(UNIT if n == 1 else x for x, n in zip(result, shape, strict=True))
    above = Factor(terms.total(left, shape), axes, Fraction(1))
    return product(terms, [above, divisor._replace(power=-whole)], result, shape)


def _is_whole(power: Number) -> bool:
    return isinstance(power, Fraction) and power.denominator == 1


def _is_short_sum(f: Factor) -> bool:
    return f.node.op is TOTAL and f.power == 1 and len(f.node.inputs) <= WIDEST


def _multiplied(*sums: list[Factor]) -> list[tuple[Number, list[Factor]]]:
    """A product of sums as scaled products."""
    parts: list[tuple[Number, list[Factor]]] = [(Fraction(1), [])]
    for f in chain(*sums):
        parts = [
            (scale * own, [*factors, f._replace(node=x)])
            for scale, factors in parts
            for own, x in zip(f.node.attrs["scales"], f.node.inputs, strict=True)
        ]
    return parts


def _cleared(work: Work) -> bool:
    """`1/((x/a + 1)*a)` is `1/(x + a)`, and `(y/p - 1)/(1 - p)` is `(y - p)/(p*(1 - p))`."""
    for f in work.factors:
        plain = f.node.op is TOTAL and UNIT not in f.labels and len({*f.labels}) == len(f.labels)
        if not plain or not _is_whole(f.power):
            continue
        below = any(
            g.node.op is TOTAL and g.power < 0 and g.labels == f.labels for g in work.factors
        )
        for x in f.node.inputs:
            own = _divisors(work.terms, x, f.labels)
            if all(is_count(g.node) for g in own):
                continue
            if (f.power == 1 and below) or all(_divides(work, g, f.power) for g in own):
                inverse = [g._replace(power=-g.power) for g in own]
                whole = _times_each(work.terms, f, inverse)
                more = [g._replace(power=-g.power * f.power) for g in inverse]
                return work.replace([f], [Factor(whole, f.labels, f.power), *more])
    return False


def _divisors(terms: Terms, x: Node, labels: Labels) -> list[Factor]:
    """What divides a term, along the axes of the term."""
    factors, result = factors_of(x, terms)
    names = dict(zip(result, labels, strict=True))
    below = [f for f in factors if f.power < 0]
    if len(names) < len(result) or any(not {*f.labels} <= {*names} for f in below):
        return []
    return [f._replace(labels=tuple(names[a] for a in f.labels)) for f in below]


def _divides(work: Work, g: Factor, power: Number) -> bool:
    """Whether a product is divided by what a sum below the line holds in a denominator."""
    return any(f[:2] == g[:2] and f.power <= -g.power * power < 0 for f in work.factors)


def _times_each(terms: Terms, f: Factor, more: list[Factor]) -> Node:
    """A sum with each term multiplied."""
    pairs = zip(f.node.attrs["scales"], f.node.inputs, strict=True)
    made = [
        (scale, product(terms, [Factor(x, f.labels, Fraction(1)), *more], f.labels, f.node.shape))
        for scale, x in pairs
    ]
    return terms.total(made, f.node.shape)


def _met(work: Work) -> bool:
    """A contraction and a power of it are one power: `V*(W@H)/(W@H)**2` is `V/(W@H)`."""
    summed = {x for f in work.factors for x in f.labels} - {*work.result, UNIT}
    inner = [f for f in work.factors if {*f.labels} & summed]
    for f in work.factors:
        if f.node.op is not PRODUCT or f.power == 1 or {*f.labels} & summed:
            continue
        for group in components(inner, summed) or [inner]:
            if not group or not {*f.labels} <= set(chain(*(g.labels for g in group))):
                continue
            if {x for g in group for x in g.labels} - summed - {UNIT} != {*f.labels}:
                continue
            if product(work.terms, group, f.labels, f.node.shape) is f.node:
                work.summed -= {x for g in group for x in g.labels}
                return work.replace([f, *group], [f._replace(power=f.power + 1)])
    return False


STEPS += [_met, _cleared]
