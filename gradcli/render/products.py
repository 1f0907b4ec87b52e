"""Products of powers as formulas: numbers and sizes before, matrices laid out, what divides behind.

Constraints: a mixin of `Writer`; where matrix notation has no words the product is an `einsum`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import SYMBOL
from gradcli.graph.shape import Shape
from gradcli.render import tree
from gradcli.render.averages import Averages
from gradcli.render.batched import batched
from gradcli.render.factors import joined, letters, magnitude, numeric, to_power
from gradcli.render.layout import Layout
from gradcli.render.pieces import EXTENT, Piece, Stuck, Written, ratio
from gradcli.render.tree import Tree
from gradcli.rewrite.places import at
from gradcli.rewrite.terms import INDICATOR, SIZE, UNIT, Factor, Labels, Number, Terms


class Products(Averages):
    """How a `Writer` writes products."""

    plain: bool
    diagonals: bool
    size: Any
    spoken: Any
    wrt: Any
    terms: Terms

    def _product(self, node: Node, times: Number = Fraction(1)) -> Written:
        attrs = node.attrs
        scale = attrs["scale"] * times
        factors = [
            Factor(x, labels, power)
            for x, labels, power in zip(node.inputs, attrs["labels"], attrs["powers"], strict=True)
        ]
        factors.sort(key=self._rank)
        up, down = numeric(abs(scale))
        factors, result = self._units(factors, attrs["result"], node.shape)
        mean = self._mean(factors, result)
        if mean is not None:
            made = joined(up, down, mean)
            return Written(tree.negative(made) if scale < 0 else made, ())
        sizes = {x: int(n) for x, n in zip(result, node.shape, strict=True)} | {UNIT: 1}
        sizes |= {x: int(n) for f in factors for x, n in zip(f.labels, f.node.shape, strict=True)}
        above, below, pieces = self._pieces(factors, result, sizes)
        try:
            if self.plain and any(p.labels for p in pieces):
                raise Stuck
            core = self._laid_out(pieces, result, sizes, node)
        except Stuck:
            above, below, _ = self._pieces(factors, None, sizes)
            core = self._einsum(factors, result, node)
        made, shape = core
        made = joined([*up, *above], [*down, *below], made)
        return Written(tree.negative(made) if scale < 0 else made, shape)

    def _rank(self, factor: Factor) -> int:
        """Numbers that are given before those that vary, and those before functions."""
        if factor.node.op is not SYMBOL or factor.node.ndim:
            return 2
        return int(factor.node.attrs["name"] in self.wrt)

    def _units(
        self, factors: list[Factor], result: Labels, shape: Shape
    ) -> tuple[list[Factor], Labels]:
        """Axes of length 1 in labels of their own: shared by two factors, or with the result."""
        used = {x for f in factors for x in f.labels}
        free = [x for x, n in zip(result, shape, strict=True) if x not in used and n == 1]
        count = sum(f.labels.count(UNIT) for f in factors)
        if not count:
            return factors, result
        if sum(UNIT in f.labels for f in factors) == 1:
            return [self._first(f, free) if UNIT in f.labels else f for f in factors], result
        fresh = max({*used, *result}) + 1
        names = iter([*free[: count % 2], *(fresh + i // 2 for i in range(count))])
        if count % 2 and not free:
            names = iter([fresh + i // 2 for i in range(count - 1)] + [fresh + count])
        made = []
        for f in sorted(factors, key=lambda f: -f.labels.count(UNIT)):
            labels = tuple(next(names) if x == UNIT else x for x in f.labels)
            made.append(Factor(f.node, labels, f.power))
        made.sort(key=lambda f: [g.node for g in factors].index(f.node))
        return made, result

    def _first(self, f: Factor, free: list[int]) -> Factor:
        """Axes of length 1 are those that the result has; of others there is only one element."""
        more = f.labels.count(UNIT) - len(free)
        units = iter([*[UNIT] * more, *free])
        labels = tuple(next(units) if a == UNIT else a for a in f.labels)
        places = tuple(0 if a == UNIT else None for a in labels)
        left = f.node if more <= 0 else at(self.terms, f.node, places)
        return Factor(left, tuple(a for a in labels if a != UNIT), f.power)

    def _pieces(
        self, factors: list[Factor], result: Labels | None, sizes: dict[int, int]
    ) -> tuple[list[Tree], list[Tree], list[Piece]]:
        """Scalars above and below the line, and pieces with axes; means where `result` is given."""
        up: list[Tree] = []
        down: list[Tree] = []
        pieces = []
        counts: dict[Any, list[Node]] = {}
        for f in factors:
            if f.node.op is SIZE:
                whole = f.power < 0 and isinstance(f.power, Fraction) and f.power.denominator == 1
                times = int(-f.power) if whole else 1
                counts.setdefault(Fraction(-1) if whole else f.power, []).extend([f.node] * times)
                continue
            piece = self._piece(f)
            if piece.labels:
                pieces.append(piece)
            else:
                above, below = piece.factors()
                up += above
                down += below
        if result is not None:
            left = counts.get(Fraction(-1), [])
            pieces = [self._averaged(p, pieces, result, left, sizes) for p in pieces]
        for power, nodes in counts.items():
            for made in self._counts(nodes):
                (up if power > 0 else down).append(_size_power(made, magnitude(power)))
        return up, down, pieces

    def _counts(self, nodes: list[Node]) -> list[Tree]:
        """A product of declared sizes: the number of elements of a variable, where one has it."""
        if all(n.attrs["name"] in self.spoken for n in nodes):
            return [self.size(n) for n in nodes]
        values = [int(n.attrs["value"]) for n in nodes]
        together = self.elements(values)
        if together is not None:
            return [together]
        return [self.size(n) for n in nodes]

    def _piece(self, f: Factor) -> Piece:
        below = f.power < 0
        if f.node.op is INDICATOR and not below and len(set(f.labels)) == len(f.labels):
            condition = self(f.node.inputs[0])
            if condition.shape == f.node.shape:
                return Piece(f.labels, [], [], None, [condition.tree])
        labels = f.labels
        if len(labels) == 2 and labels[0] == labels[1]:  # the diagonal first: it is shorter
            made = to_power(tree.call("diag", self.whole(f.node)), magnitude(f.power))
            return Piece(labels[:1], [] if below else [made], [made] if below else [])
        made, shape = self._power(f.node, magnitude(f.power))
        if shape != f.node.shape:
            kept = labels[len(labels) - len(shape) :]
            if len(shape) < 2 and not (set(labels) - set(kept)) & {UNIT}:
                labels = kept
            else:
                made = tree.method(made, "expand", *self.sizes(f.node.shape))
        if len(set(labels)) < len(labels):
            made = tree.call(
                "einsum",
                f"{letters(labels, labels)}->{letters(labels, dict.fromkeys(labels))}",
                made,
            )
            labels = tuple(dict.fromkeys(labels))
        return Piece(labels, [] if below else [made], [made] if below else [])

    def _power(self, node: Node, power: Number) -> Written:
        """A positive power of a node; the root of a sum of squares is a norm."""
        if isinstance(power, Fraction) and power.denominator == 2:
            norm = self._norm(node) or self._deviation(node)
            if norm is not None:
                return Written(to_power(norm.tree, power * 2), norm.shape)
        made, shape = self(node)
        return Written(to_power(made, power), shape)

    def _laid_out(
        self, pieces: list[Piece], result: Labels, sizes: dict[int, int], node: Node
    ) -> Written:
        own = tuple(dict.fromkeys(result))
        for p in pieces:
            for label in p.labels:
                sizes.setdefault(label, 0)
        layout = Layout(pieces, own, sizes, diagonals=self.diagonals)
        wide = any(len(p.labels) > 2 for p in pieces)
        aligned = all(p.labels == own[len(own) - len(p.labels) :] for p in pieces)
        piece = batched(layout) if wide and not aligned else layout.run()
        above, below = ([], []) if not piece.labels else piece.factors()
        up, down = layout.up + above, layout.down + below
        if not piece.labels:
            more, less = piece.factors() if piece.up or piece.row or piece.down else ([], [])
            up, down = up + more, down + less
        made = None
        if piece.row is not None and not layout.up and not layout.down:
            made = piece.tree()
        elif up or down:
            made = ratio(up, down)
        return self._placed(made, piece.labels, result, node)

    def _placed(self, made: Tree | None, labels: Labels, result: Labels, node: Node) -> Written:
        """A piece as a value of the result's shape, along its axes."""
        shape = dict(zip(result, node.shape, strict=True))
        if len(set(result)) < len(result):
            if len(result) != 2:
                raise Stuck
            size = self.sizes(node.shape[:1])
            if not labels:
                eye = tree.call("eye", *size)
                return Written(eye if made is None else tree.product([made, eye]), node.shape)
            assert made is not None
            return Written(tree.call("diag", made), node.shape)
        own = tuple(shape[x] for x in labels)
        if made is None:
            return Written(tree.number(1), ())
        if labels == result[len(result) - len(labels) :]:
            return Written(made, own)
        where = [EXTENT if x in labels else None for x in result]
        while where and where[0] is None:
            where.pop(0)
        kept = [x for x in result if x in labels]
        if tuple(kept) != labels:
            raise Stuck
        full = tuple(shape[x] if x in labels else 1 for x in result)[len(result) - len(where) :]
        return Written(tree.item(made, *where), full)

    def _einsum(self, factors: list[Factor], result: Labels, node: Node) -> Written:
        """Everything with axes in one `einsum`; numbers stay outside."""
        own = [f for f in factors if f.labels]
        used = {x for f in own for x in f.labels}
        labels: dict[int, None] = dict.fromkeys([*result, *sorted(used)])
        operands, specs = [], []
        for axes in dict.fromkeys(f.labels for f in own):
            alike = [f for f in own if f.labels == axes]
            up = [self._raised(f) for f in alike if f.power > 0]
            operands.append(ratio(up, [self._raised(f) for f in alike if f.power < 0]))
            specs.append(letters(axes, labels))
        output = []
        fresh = max([*labels, 0])
        for place, x in enumerate(result):
            repeated, again = result.count(x) > 1, x in result[:place]
            if again or (x not in used and not repeated):
                fresh += 1
                labels[fresh] = None
                size = self.sizes(node.shape[place : place + 1])
                operands.append(tree.call("eye" if again else "ones", *size))
                specs.append(letters((x, fresh) if again else (fresh,), labels))
                output.append(fresh)
            else:
                output.append(x)
        spec = f"{','.join(specs)}->{letters(output, labels)}"
        return Written(tree.call("einsum", spec, *operands), node.shape)

    def _raised(self, f: Factor) -> Tree:
        return to_power(self.whole(f.node), magnitude(f.power))


def _size_power(size: Tree, power: Number) -> Tree:
    """A power of a size, which is a number and no tensor."""
    return tree.call("math.sqrt", size) if power == Fraction(1, 2) else to_power(size, power)
