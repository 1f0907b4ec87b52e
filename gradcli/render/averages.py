"""Sums that have names: means, norms and standard deviations, found in products.

Constraints: a mixin of `Writer`, for products.py; only what is the same for all sizes.
"""

from __future__ import annotations

from typing import Any

from gradcli.graph.node import Node
from gradcli.language.print import unparse
from gradcli.render import tree
from gradcli.render.pieces import Piece, Written
from gradcli.render.tree import Tree
from gradcli.rewrite.terms import PRODUCT, SIZE, TOTAL, Factor, Labels


class Averages:
    """How a `Writer` writes sums that have a name."""

    whole: Any
    sizes: Any
    elements: Any
    _piece: Any

    def __call__(self, node: Node) -> Written:
        """The formula of a node."""
        raise NotImplementedError

    def _mean(self, factors: list[Factor], result: Labels) -> Tree | None:
        """`mean(x)`: a sum over all axes divided by their sizes, and nothing else."""
        own = [f for f in factors if f.node.op is not SIZE]
        counts = sorted(int(f.node.attrs["value"]) for f in factors if f.node.op is SIZE)
        labels = {x: int(n) for f in own for x, n in zip(f.labels, f.node.shape, strict=True)}
        if not counts or sorted(labels.values()) != counts or set(labels) & set(result):
            return None
        if len(set(result)) < len(result):
            return None
        if any(f.power != -1 for f in factors if f.node.op is SIZE):
            return None
        if any(f.labels != own[0].labels or f.power < 0 for f in own):
            return None
        pieces = [self._piece(f) for f in own]
        if any(len(p.labels) != len(labels) for p in pieces):
            return None
        return tree.call("mean", tree.product([p.tree() for p in pieces]))

    def _averaged(
        self,
        piece: Piece,
        pieces: list[Piece],
        result: Labels,
        counts: list[Node],
        sizes: dict[int, int],
    ) -> Piece:
        """A sum along axes of a piece alone, divided by their sizes, which are then gone."""
        others = {x for p in pieces if p is not piece for x in p.labels}
        axes = [i for i, x in enumerate(piece.labels) if x not in result and x not in others]
        used: list[Node] = []
        for i in axes:
            left = [c for c in counts if c not in used]
            found = [c for c in left if int(c.attrs["value"]) == sizes[piece.labels[i]]]
            if not found:
                return piece
            used.append(found[0])
        if not axes or piece.labels.count(piece.labels[axes[0]]) > 1:
            return piece
        for node in used:
            counts.remove(node)
        labels = tuple(x for i, x in enumerate(piece.labels) if i not in axes)
        dims: list[Any] = [axes[0] if len(axes) == 1 else tuple(axes)] if labels else []
        return Piece(labels, [tree.call("mean", piece.tree(), *dims)], [])

    def _norm(self, node: Node) -> Written | None:
        attrs = node.attrs
        if node.op is not PRODUCT or attrs["powers"] != (2,) or attrs["scale"] != 1:
            return None
        (x,), (labels,) = node.inputs, attrs["labels"]
        made = self.whole(x)
        if not set(attrs["result"]) & set(labels) and all(n == 1 for n in node.shape):
            return Written(tree.call("norm", made), ())
        axes = [i for i, a in enumerate(labels) if a not in attrs["result"]]
        kept = tuple(a for a in labels if a in attrs["result"])
        if len(axes) != 1 or kept != attrs["result"]:
            return None
        return Written(tree.call("norm", made, dim=axes[0]), node.shape)

    def _deviation(self, node: Node) -> Written | None:
        """`std(x)`: the root of a sum of squared distances from the mean, over `n - 1`."""
        if node.op is not PRODUCT or node.attrs["scale"] != 1:
            return None
        powers = dict(zip(node.attrs["powers"], node.inputs, strict=True))
        labels = dict(zip(node.attrs["powers"], node.attrs["labels"], strict=True))
        if len(node.inputs) != 2 or set(powers) != {2, -1} or labels[-1]:
            return None
        axes = [i for i, a in enumerate(labels[2]) if a not in node.attrs["result"]]
        kept = tuple(a for i, a in enumerate(labels[2]) if i not in axes)
        if kept != node.attrs["result"] or len(axes) not in (1, len(labels[2])):
            return None
        (x, mean), count = _centred(powers[2]), unparse(self(powers[-1]).tree)
        if x is None or mean is None:
            return None
        dims = [] if not kept else [axes[0]]
        size = self.sizes([x.shape[a] for a in axes])
        whole = tree.call("mean", self.whole(x), *dims)
        told = self.elements([int(x.shape[a]) for a in axes]) or tree.product(size)
        right = {
            unparse(tree.chain(n, [("-", tree.number(1))])) for n in (told, tree.product(size))
        }
        shown = unparse(self(mean).tree).removesuffix("[:, None]")
        if count not in right or shown != unparse(whole):
            return None
        return Written(tree.call("std", self.whole(x), *dims), node.shape)


def _centred(node: Node) -> tuple[Node | None, Node | None]:
    """x and m of `x - m`."""
    if node.op is not TOTAL or node.attrs["scales"] != (1, -1):
        return None, None
    return node.inputs[0], node.inputs[1]
