"""Functions of windows as products with a matrix: the function of each unit tensor.

Constraints: see linear.py; these are linear in their first input, convolutions in either one.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.graph.shape import Shape, numel
from gradcli.rewrite.convolutions import CONVOLUTION, TRANSPOSED
from gradcli.rewrite.linear import LINEAR, LINEAR_SECOND
from gradcli.rewrite.places import along, one_hot
from gradcli.rewrite.pools import MEANS, REPEATED, SCATTERED, UNFOLDED
from gradcli.rewrite.products import product
from gradcli.rewrite.terms import Factor, Terms


def _units(terms: Terms, shape: Shape) -> Node:
    """Each unit tensor of a shape: `eye(n).reshape(n, *shape)`."""
    (label,) = terms.labels(1)
    count = numel(shape)
    eye = product(terms, [], (label, label), (count, count))
    return _shaped(terms, eye, (count, *shape))


def _shaped(terms: Terms, x: Node, shape: Shape) -> Node:
    if [*map(str, x.shape)] == [*map(str, shape)]:
        return x
    return terms.node(OPS["reshape"], (x,), shape, x.dtype, axes=x.ndim, shape=shape)


def _pooled(terms: Terms, node: Node) -> Node:
    """What is done to the last axes alone."""
    return _on_last(terms, node, len(node.attrs.get("kernel", node.attrs.get("counts"))))


def _of_input(terms: Terms, node: Node) -> Node:
    """A convolution of each unit input with the weight; the batch stays."""
    return _on_last(terms, node, len(node.attrs["stride"]) + 1)


def _on_last(terms: Terms, node: Node, count: int) -> Node:
    """An op on the last `count` axes of its first input, of each unit tensor there."""
    x, *others = node.inputs
    given, made = x.shape[-count:], node.shape[x.ndim - count :]
    units = _units(terms, given)
    matrix = terms.node(node.op, (units, *others), (units.shape[0], *made), **node.attrs)
    matrix = _shaped(terms, matrix, (*given, *made))
    lead, inner, outer = (terms.labels(n) for n in (x.ndim - count, count, len(made)))
    factors = [
        Factor(x, along(x.shape, (*lead, *inner)), Fraction(1)),
        Factor(matrix, along(matrix.shape, (*inner, *outer)), Fraction(1)),
    ]
    return product(terms, factors, (*lead, *outer), node.shape)


def _scattered(terms: Terms, node: Node) -> Node:
    """`eye(n)[places]`: the places are one number each, whatever they are counted over."""
    x, places = node.inputs
    core = len(places.attrs.get("kernel", places.attrs.get("output_size")))
    lead, made = node.shape[:-core], node.shape[-core:]
    hot = one_hot(terms, places, numel(made))
    hot = _shaped(terms, hot, (*places.shape, *made))
    rest, inner, outer = (terms.labels(len(s)) for s in (lead, x.shape[-core:], made))
    factors = [
        Factor(x, along(x.shape, (*rest, *inner)), Fraction(1)),
        Factor(hot, along(hot.shape, (*rest, *inner, *outer)), Fraction(1)),
    ]
    return product(terms, factors, (*rest, *outer), node.shape)


def _of_weight(terms: Terms, node: Node) -> Node | None:
    """A convolution of the input with each unit filter, where channels are not in groups."""
    x, weight = node.inputs
    core = len(node.attrs["stride"])
    if node.attrs["groups"] != 1:
        return None
    back = node.op is TRANSPOSED
    filters = weight.shape[1:] if not back else (weight.shape[0], *weight.shape[2:])
    units = _units(terms, filters)
    if back:  # the channels that come in stand first
        labels = terms.labels(units.ndim)
        turned = (labels[1], labels[0], *labels[2:])
        shape = (units.shape[1], units.shape[0], *units.shape[2:])
        units = product(terms, [Factor(units, labels, Fraction(1))], turned, shape)
    lead, places = x.shape[: x.ndim - core - 1], node.shape[-core:]
    matrix = terms.node(node.op, (x, units), (*lead, numel(filters), *places), **node.attrs)
    matrix = _shaped(terms, matrix, (*lead, *filters, *places))
    batch, inner, outer = (terms.labels(n) for n in (len(lead), len(filters), core))
    (out,) = terms.labels(1)
    own = (inner[0], out, *inner[1:]) if back else (out, *inner)
    factors = [
        Factor(weight, along(weight.shape, own), Fraction(1)),
        Factor(matrix, along(matrix.shape, (*batch, *inner, *outer)), Fraction(1)),
    ]
    return product(terms, factors, (*batch, out, *outer), node.shape)


LINEAR.update({op.name: _pooled for op in (MEANS, REPEATED, UNFOLDED)})
LINEAR.update({CONVOLUTION.name: _of_input, TRANSPOSED.name: _of_input})
LINEAR.update({SCATTERED.name: _scattered})
LINEAR_SECOND.update({CONVOLUTION.name: _of_weight, TRANSPOSED.name: _of_weight})
