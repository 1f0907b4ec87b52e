"""A sweep as plain data and back, so that another process can do a part of it.

Constraints: flat, so that a long chain of nodes is no deep recursion; ops travel by name, arrays in
files by path, spans not at all.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from gradcli.execute.laid import Laid
from gradcli.execute.plan import Rows
from gradcli.execute.tiles import Sweep
from gradcli.graph.node import Node
from gradcli.graph.op import DATA, OPS

FAMILIES = ("special", "fft", "order", "scatter", "window", "matrices", "matrix_functions")
"""Modules of gradcli.ops that are loaded when a function of theirs is first used."""

PLANS = 16
"""Sweeps that a process keeps compiled, to run again on other values."""
Packed = tuple[bytes, dict[int, Any]]


def pack(sweep: Sweep, values: Mapping[Node, Any]) -> Packed:
    """The nodes and what the rows are to them, pickled; and the values by position."""
    rows = sweep.rows
    nodes = {x for node in sweep.nodes for x in (node, *node.inputs)}
    order = sorted(nodes, key=lambda node: node.serial)
    place = {node: i for i, node in enumerate(order)}
    computed = set(sweep.nodes)
    flat = [
        (
            *((n.op.name, [place[x] for x in n.inputs]) if n not in values else ("data", [])),
            *(dict(n.attrs) if n not in values else {}, n.shape, n.dtype),
            *(rows.axis.get(n), rows.kind.get(n), n in computed, n in sweep.kept),
        )
        for n in order
    ]
    known = {
        place[node]: Laid(value) if isinstance(value, np.ndarray) else value
        for node, value in values.items()
    }
    return pickle.dumps((flat, rows.extent, rows.heavy, set(known))), known


def unpack(plan: bytes, known: dict[int, Any]) -> tuple[Sweep, dict[Node, Any]]:
    """What `pack` was given; the same sweep for the same plan, so that it is compiled once."""
    sweep, nodes = _unpacked(plan)
    values = {
        nodes[i]: value.array() if isinstance(value, Laid) else value for i, value in known.items()
    }
    return sweep, values


@lru_cache(maxsize=PLANS)
def _unpacked(plan: bytes) -> tuple[Sweep, list[Node]]:
    """A sweep, and all of its nodes in the order of `pack`."""
    flat, extent, heavy, known = pickle.loads(plan)
    rows = Rows(extent, {}, {}, heavy)
    nodes: list[Node] = []
    computed: list[Node] = []
    kept: set[Node] = set()
    for name, inputs, attrs, shape, dtype, axis, kind, is_computed, is_kept in flat:
        node = Node(_op(name), tuple(nodes[i] for i in inputs), attrs, shape, dtype)
        nodes.append(node)
        if axis is not None:
            rows.axis[node] = axis
        if kind is not None:
            rows.kind[node] = kind
        if is_computed:
            computed.append(node)
        if is_kept:
            kept.add(node)
    return Sweep(computed, kept, {nodes[i] for i in known}, rows), nodes


def _op(name: str) -> Any:
    if name == "data":
        return DATA
    if name not in OPS:
        for family in FAMILIES:
            import_module(f"gradcli.ops.{family}")
        import_module("gradcli.execute.backends.refined")
    return OPS[name]
