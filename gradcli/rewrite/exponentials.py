"""Exponentials, powers of one base, sigmoids and hyperbolic tangents that meet in a product.

Constraints: see products.py, whose tables these rules go into.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.rewrite.products import PAIRS, SINGLES, product
from gradcli.rewrite.terms import TOTAL, Factor, Terms, number_of


def _exp_pair(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`exp(u)*exp(v)` is `exp(u + v)` where that has fewer terms: `exp(u)*exp(-u)` is 1; powers of
    any one base likewise.
    """
    one, other = a.node, b.node
    if one.op.name not in ("exp", "pow") or one.op is not other.op or one.shape != other.shape:
        return None
    alike = all(
        x is y or None is not number_of(x) == number_of(y)
        for x, y in zip(one.inputs[:-1], other.inputs[:-1], strict=True)
    )
    whole = all(isinstance(f.power, Fraction) and f.power.denominator == 1 for f in (a, b))
    inner = [terms.times(f.power, f.node.inputs[-1]) for f in (a, b)]
    if not alike or not whole or inner[0].shape != inner[1].shape:
        return None
    both = terms.total([(Fraction(1), x) for x in inner], inner[0].shape)
    if _length(both) >= sum(map(_length, inner)):
        return None
    made = terms.node(one.op, (*one.inputs[:-1], both), one.shape)
    return [Factor(made, a.labels, Fraction(1))]


def _exp_power(terms: Terms, f: Factor) -> list[Factor] | None:
    """`exp(u)**p` is `exp(p*u)`."""
    if f.node.op.name != "exp" or f.power == 1:
        return None
    inner = terms.times(f.power, f.node.inputs[0])
    return [Factor(terms.node(OPS["exp"], (inner,), inner.shape), f.labels, Fraction(1))]


def _exp_number(terms: Terms, f: Factor) -> list[Factor] | None:
    """`exp(0)` is 1, and so is `u**0`."""
    zero = f.node.op.name in ("exp", "pow") and number_of(f.node.inputs[-1]) == 0
    return [] if zero else None


def _length(node: Node) -> int:
    """The number of terms; none for a number."""
    return len(node.inputs) if node.op is TOTAL else int(number_of(node) is None)


def _sigmoid_pair(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`exp(u)*sigmoid(-u)` is `sigmoid(u)`, and `sigmoid(u)*sigmoid(-u)` is `s*(1 - s)`."""
    if a.node.op.name != "sigmoid" or b.node.op.name not in ("exp", "sigmoid"):
        return None
    count, u = min(a.power, b.power), b.node.inputs[0]
    other = a.node.inputs[0]
    if count <= 0 or not (other is _negated(terms, u) or u is _negated(terms, other)):
        return None
    made = [Factor(_sigmoid_of(terms, u), a.labels, count)]
    if b.node.op.name == "sigmoid":
        if terms.scaled(u)[0] < 0:
            return None  # the other way round
        s = made[0].node
        pairs = [(Fraction(1), terms.number(1, s.shape)), (Fraction(-1), s)]
        made.append(Factor(terms.total(pairs, s.shape), a.labels, count))
    rest = [f._replace(power=f.power - count) for f in (a, b)]
    return [*made, *(f for f in rest if f.power != 0)]


def _logistic(terms: Terms, f: Factor) -> list[Factor] | None:
    """`1/(1 + exp(-u))` is `sigmoid(u)`."""
    u = _is_one_plus_exp(f.node) if f.power < 0 else None
    if u is None:
        return None
    return [Factor(_sigmoid_of(terms, _negated(terms, u)), f.labels, -f.power)]


def _hyperbolic(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`(1 - exp(-u))*sigmoid(u)` is `tanh(u/2)`, `(1 + tanh(-u/2))*sigmoid(u)` half of
    `1 - tanh(u/2)**2`.
    """
    if a.node.op is not TOTAL or b.node.op.name != "sigmoid" or a.power != 1 or b.power < 1:
        return None
    u = b.node.inputs[0]
    one = terms.number(1, u.shape)

    def sum_of(sign: int, x: Node) -> Node:
        return terms.total([(Fraction(1), one), (Fraction(sign), x)], u.shape)

    def of(name: str, x: Node) -> Node:
        return terms.node(OPS[name], (x,), u.shape)

    half = terms.times(Fraction(1, 2), u)
    if a.node is sum_of(-1, of("exp", _negated(terms, u))):
        made = [Factor(of("tanh", half), a.labels, Fraction(1))]
    elif a.node is sum_of(1, of("tanh", _negated(terms, half))):
        labels = terms.labels(u.ndim)
        even = half if terms.scaled(half)[0] > 0 else _negated(terms, half)
        square = product(terms, [Factor(of("tanh", even), labels, Fraction(2))], labels, u.shape)
        made = [Factor(sum_of(-1, square), a.labels, Fraction(1))]
        made.append(Factor(terms.number(Fraction(1, 2)), (), Fraction(1)))
    else:
        return None
    return [*made, *([b._replace(power=b.power - 1)] if b.power > 1 else [])]


def _is_one_plus_exp(node: Node) -> Node | None:
    """u where the node is 1 + exp(u)."""
    if node.op is not TOTAL or node.attrs["scales"] != (1, 1):
        return None
    for one, other in (node.inputs, node.inputs[::-1]):
        if number_of(one) == 1 and other.op.name == "exp":
            return other.inputs[0]
    return None


def _sigmoid_of(terms: Terms, u: Node) -> Node:
    return terms.node(OPS["sigmoid"], (u,), u.shape)


def _negated(terms: Terms, u: Node) -> Node:
    """`-u`; of a sum each term, so that `-(y - x)` is `x - y`."""
    if u.op is not TOTAL:
        return terms.times(Fraction(-1), u)
    pairs = zip(u.attrs["scales"], u.inputs, strict=True)
    return terms.total([(-scale, x) for scale, x in pairs], u.shape)


PAIRS += [_exp_pair, _sigmoid_pair, _hyperbolic]
SINGLES += [_exp_power, _exp_number, _logistic]
