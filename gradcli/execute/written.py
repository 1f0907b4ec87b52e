"""The nodes of a sweep in the form in which they are computed, and what that costs.

Constraints: holds no value; which form pays is found out elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from gradcli.execute.calls import folded
from gradcli.execute.plan import CROSS, Rows
from gradcli.graph.node import Node


class Form(NamedTuple):
    """The nodes of a sweep as they are computed.

    Attributes:
        nodes: what to compute, inputs first.
        results: what is wanted of them -> what it is as written.
        rows: the row analysis.
        guards: what has to be moderate everywhere -> the least and the greatest that is.
        zeros: those of them that may also be 0, as nothing is divided by them.
        never: conditions that must not hold anywhere.
    """

    nodes: Sequence[Node]
    results: Mapping[Node, Node]
    rows: Rows
    guards: Mapping[Node, tuple[float, float]] = MappingProxyType({})
    never: Collection[Node] = ()
    zeros: Collection[Node] = ()


def as_written(nodes: Sequence[Node], kept: Collection[Node], rows: Rows) -> Form:
    """What a sweep computes (inputs first), with the rows of `kept` and all that combines rows."""
    return Form(nodes, {n: n for n in nodes if n in kept or rows.kind[n] == CROSS}, rows)


def cost(form: Form, kept: set[Node]) -> int:
    """The elements that are computed or summed up."""
    products = {node.inputs[0] for node in folded(form.nodes, kept, form.rows)}
    computed = [n for n in form.nodes if not n.op.view and n not in products and n.inputs]
    return sum(max(x.size for x in (n, *n.inputs)) for n in computed)
