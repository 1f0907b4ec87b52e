"""Products of tensors with leading axes in common, as matrix products over those: `A@B.mT`.

Constraints: see layout.py, which lays out what stands behind the common axes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gradcli.language import ast
from gradcli.language.make import make
from gradcli.render import tree
from gradcli.render.layout import Layout
from gradcli.render.pieces import EXTENT, Piece, Stuck
from gradcli.render.tree import NOWHERE, Tree
from gradcli.rewrite.terms import Labels


def batched(layout: Layout) -> Piece:
    """One piece for a product in which some have more than two axes.

    Raises:
        Stuck: where the axes are in no order that matrix products can follow.
    """
    pieces = [_summed(layout, p) for p in layout.pieces]
    if any(len(set(p.labels)) < len(p.labels) for p in pieces):
        raise Stuck
    if len(pieces) == 1:
        return _along(pieces[0], layout.result)
    try:
        return _matrices(layout, pieces)
    except Stuck:
        return _broadcast(layout, pieces)


class _Behind(Layout):
    """What stands behind common axes: only matrix products, which know nothing of those axes."""

    def _dot(self, label: int, pieces: list[Piece]) -> bool:
        return False

    def _row_sums(self, label: int, pieces: list[Piece]) -> bool:
        return False

    def _split(self, label: int, pieces: list[Piece]) -> bool:
        return False

    def _joined(self) -> Piece:
        if len(self.pieces) != 1:
            raise Stuck
        return super()._joined()


def _matrices(layout: Layout, pieces: list[Piece]) -> Piece:
    """Matrix products behind the common axes."""
    lead = _lead(pieces)
    rest = tuple(x for x in layout.result if x not in lead)
    kept = tuple(x for x in layout.result if x in lead)
    if not lead or kept not in (lead, ()) or layout.result[: len(kept)] != kept:
        raise Stuck
    inner = _Behind([_behind(p, lead) for p in pieces], rest, layout.sizes, diagonals=False)
    made = inner.run()
    if inner.up or inner.down or len(made.labels) != 2:
        raise Stuck
    marked = Piece(
        (*lead, *made.labels), *(_marked(part) for part in (made.up, made.down, made.row))
    )
    if kept:
        return marked
    places: Any = 0 if len(lead) == 1 else tuple(range(len(lead)))
    return Piece(made.labels, [tree.call("sum", marked.tree(), places)], [])


def _broadcast(layout: Layout, pieces: list[Piece]) -> Piece:
    """Everything element by element, added up along an axis at a time."""
    order = list(layout.result)
    while summed := [x for p in pieces for x in p.labels if x not in order]:
        joined = [p for p in pieces if summed[0] in p.labels]
        axes = max((p.labels for p in joined), key=len)
        if any(not set(p.labels) <= set(axes) for p in joined):
            raise Stuck
        others = {x for p in pieces if p not in joined for x in p.labels}
        gone = [x for x in axes if x in summed and x not in others]
        made = _added(_multiplied(joined, axes), gone or summed[:1])
        pieces = [p for p in pieces if p not in joined] + [made]
    axes = max((p.labels for p in pieces), key=len, default=())
    if {x for p in pieces for x in p.labels} == {*axes}:
        return _along(_multiplied(pieces, axes), layout.result)
    axes = tuple(x for x in order if any(x in p.labels for p in pieces))
    return _multiplied(pieces, axes)


def _multiplied(pieces: list[Piece], axes: Labels) -> Piece:
    """Pieces times each other, along all of the axes."""
    up: list[Tree] = []
    down: list[Tree] = []
    conditions: list[Tree] = []
    for p in sorted(pieces, key=lambda p: len(p.labels)):
        if tuple(x for x in axes if x in p.labels) != p.labels:
            raise Stuck
        above, below = p.factors() if p.row is not None else (p.up, p.down)
        for part, factors in ((up, above), (down, below), (conditions, p.conditions)):
            part += [_spread(x, p.labels, axes) for x in factors]
    return Piece(axes, up, down, None, conditions)


def _spread(value: Tree, labels: Labels, axes: Labels) -> Tree:
    """A factor with axes of length 1 where it has none."""
    places = [EXTENT if x in labels else None for x in axes]
    while places and places[0] is None:
        places.pop(0)
    return value if None not in places else tree.item(value, *places)


def _lead(pieces: list[Piece]) -> Labels:
    """The axes before the last two, the same of all that have some."""
    wide = [p for p in pieces if len(p.labels) > 2]
    leads = {p.labels[:-2] for p in wide}
    if len(leads) != 1 or any(
        len(p.labels) > 2 and len(set(p.labels)) < len(p.labels) for p in wide
    ):
        return ()
    (lead,) = leads
    return () if any(set(p.labels) & set(lead) for p in pieces if p not in wide) else lead


def _behind(piece: Piece, lead: Labels) -> Piece:
    if piece.conditions:
        raise Stuck
    if piece.labels[: len(lead)] != lead:
        return piece
    return Piece(piece.labels[len(lead) :], piece.up, piece.down, piece.row)


def _summed(layout: Layout, piece: Piece) -> Piece:
    """A piece added up along the axes that nothing else has."""
    others = {x for p in layout.pieces if p is not piece for x in p.labels}
    gone = [
        x
        for x in piece.labels
        if x not in layout.result and x not in others and piece.labels.count(x) == 1
    ]
    return _added(piece, gone) if gone else piece


def _added(piece: Piece, gone: Collection[int]) -> Piece:
    """A piece added up along axes."""
    axes = [i for i, x in enumerate(piece.labels) if x in gone]
    labels = tuple(x for x in piece.labels if x not in gone)
    dims: list[Any] = [axes[0] if len(axes) == 1 else tuple(axes)] if labels else []
    return Piece(labels, [tree.call("sum", piece.tree(), *dims)], [])


def _along(piece: Piece, result: Labels) -> Piece:
    """A piece with its axes in the order of the result's."""
    order = tuple(x for x in result if x in piece.labels)
    if len(order) < len(piece.labels):
        raise Stuck
    if piece.labels == order:
        return piece
    places = [piece.labels.index(x) for x in order]
    moved = [i for i, place in enumerate(places) if i != place]
    if len(moved) == 2:
        return Piece(order, [tree.method(piece.tree(), "transpose", *moved)], [])
    return Piece(order, [tree.method(piece.tree(), "permute", *places)], [])


def _marked(factors: list[Tree] | None) -> Any:
    """Factors whose transposes are those of the last two axes."""
    return None if factors is None else [_turned(x) for x in factors]


def _turned(value: Tree) -> Tree:
    if isinstance(value, ast.Attribute) and value.name == "T":
        return tree.attribute(value.value, "mT")
    if isinstance(value, ast.Chain) and {sign for sign, _ in value.rest} <= {"*", "@", "/"}:
        rest = [(sign, _turned(x)) for sign, x in value.rest]
        return make(ast.Chain, NOWHERE, _turned(value.first), rest)
    return value
