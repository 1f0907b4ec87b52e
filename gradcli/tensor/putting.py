"""Values that are written through views: the views undone, from the last to the storage.

Constraints: nothing is written: what the whole storage holds then is a new node.
"""

from __future__ import annotations

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.graph.dtype import int64
from gradcli.graph.node import Node, data
from gradcli.graph.op import Op
from gradcli.ops.indexing import index, index_put
from gradcli.ops.movement import expand, reinterpret, reshape, slice_, slice_put
from gradcli.tensor.storage import Steps, through

BIJECTIVE = frozenset({"reshape", "permute", "flip", "conj", "view_as_real", "view_as_complex"})
"""View ops whose derivative is their inverse."""


def put(root: Node, steps: Steps, new: Node) -> Node:
    """`root` after `new` was written through a view."""
    below = [root]
    for op, attrs in steps:
        below.append(op(below[-1], **attrs))
    last = next((i for i, (op, _) in enumerate(steps) if not _invertible(op)), len(steps))
    if last < len(steps):
        new = _put_positions(below[last], steps[last:], new)
    for (op, attrs), seen in zip(reversed(steps[:last]), reversed(below[:last]), strict=True):
        if op is slice_:
            new = slice_put(seen, new, **attrs)
        elif op is reinterpret:
            new = reinterpret(new, source=attrs["dtype"], dtype=attrs["source"])
        else:
            rule = op.derivatives[0]
            assert callable(rule)
            new = rule(new, new, seen, **attrs)
    return new


def _invertible(op: Op) -> bool:
    return op in (slice_, reinterpret) or op.name in BIJECTIVE


def _put_positions(root: Node, steps: Steps, new: Node) -> Node:
    """`root` after `new` was written where the view sees it, found by sending positions through.

    Of several elements in one place, one that differs from what was there is written last.
    """
    if any(op is reinterpret for op, _ in steps):
        raise GradcliError(
            "G024",
            "elements picked out of memory are not written to as numbers of another type",
            help="write to x.view(dtype), and pick after that",
        )
    count = root.size
    numbers = data(np.arange(count).reshape(root.shape), root.shape, int64)
    places = np.reshape(array(through(numbers, steps)), -1)
    flat = reshape(root, axes=root.ndim, shape=(count,))
    line = reshape(new, axes=new.ndim, shape=(new.size,))
    if any(op is expand for op, _ in steps):
        changed = np.reshape(array(new), -1) != np.reshape(array(root), -1)[places]
        order = np.argsort(changed, kind="stable")
        line = index(line, data(order, order.shape, int64), axes=1)
        places = places[order]
    written = index_put(flat, line, data(places, places.shape, int64), axes=1)
    return reshape(written, axes=1, shape=root.shape)
