"""Products: factors gathered, opened and cancelled, until nothing changes.

Constraints: each step either removes a factor, a label or a level, so the loop ends. What cancels
is in tables: `PAIRS` for two factors of the same axes, `STEPS` for what needs to see them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial

from gradcli.graph.dim import Dim
from gradcli.graph.node import Node
from gradcli.graph.shape import Shape
from gradcli.rewrite.groups import apart, components
from gradcli.rewrite.sizes import size_node
from gradcli.rewrite.terms import (
    PRODUCT,
    TOTAL,
    UNIT,
    Factor,
    Labels,
    Number,
    Terms,
    exact,
    factors_of,
)

Pair = Callable[[Terms, Factor, Factor], "list[Factor] | None"]
PAIRS: list[Pair] = []
"""`(terms, a, b) -> what a*b is`, of factors with the same labels; None where nothing cancels."""
SINGLES: list[Callable[[Terms, Factor], list[Factor] | None]] = []
"""`(terms, a) -> factors that a is`; None where it is simple."""
SUMS: list[Callable[[Terms, Factor, int], tuple[Number, list[Factor]] | None]] = []
"""`(terms, a, label) -> what the sum of a along a label of its own is`."""
STEPS: list[Callable[[Work], bool]] = []
"""Steps that see all of a product; each says whether it changed something."""


def product(
    terms: Terms,
    factors: Iterable[Factor],
    result: Labels,
    shape: Shape,
    scale: Number = Fraction(1),
) -> Node:
    """The product in normal form; `result` has a label for each axis of `shape`."""
    work = Work(terms, list(factors), result, scale)
    work.run()
    return terms.made_product(work.scale, work.factors, work.result, shape)


class Work:
    """A product while it is simplified."""

    def __init__(self, terms: Terms, factors: list[Factor], result: Labels, scale: Number) -> None:
        self.terms = terms
        self.factors = factors
        self.result = result
        self.scale = scale
        self.sizes: dict[int, int] = {}
        self.summed: set[int] = set()
        self._note(factors)

    def _note(self, factors: Iterable[Factor]) -> None:
        """Keeps the sizes of labels, and which are summed over."""
        for factor in factors:
            self.summed |= {*factor.labels} - {*self.result, UNIT}
            for label, size in zip(factor.labels, factor.node.shape, strict=True):
                known = self.sizes.get(label)
                if known is None or not isinstance(known, Dim):
                    self.sizes[label] = size

    def run(self) -> None:
        """Applies the steps until nothing changes."""
        steps: tuple[Callable[[], bool], ...] = (
            self._open,
            self._squeeze,
            self._single,
            self._gather,
            self._count,
            self._pair,
            *(partial(step, self) for step in STEPS),
            self._sum,
        )
        while self.scale != 0 and any(step() for step in steps):
            pass

    def rename(self, old: int, new: int) -> None:
        """One label in place of another: the axes are the same now."""
        self.factors = [
            Factor(f.node, tuple(new if x == old else x for x in f.labels), f.power)
            for f in self.factors
        ]
        self.result = tuple(new if x == old else x for x in self.result)
        if old in self.summed:
            self.summed.remove(old)
            if new != UNIT and new not in self.result:
                self.summed.add(new)

    def replace(self, gone: list[Factor], new: list[Factor]) -> bool:
        """Other factors in place of some."""
        for factor in gone:
            self.factors.remove(factor)
        self._note(new)
        self.factors += new
        return True

    # -- steps; each says whether it changed something

    def _open(self) -> bool:
        """A product inside the product: its factors are the product's."""
        return any(factor.node.op is PRODUCT and self._opened(factor) for factor in self.factors)

    def _opened(self, factor: Factor) -> bool:
        node, power = factor.node, factor.power
        inner, labels = factors_of(node, self.terms)
        scale: Number = node.attrs["scale"]
        summed = {x for f in inner for x in f.labels} - {*labels, UNIT}
        whole = power == 1 or (isinstance(power, Fraction) and power.denominator == 1)
        if power != 1 and (len(set(labels)) < len(labels) or (scale == 0 and power < 0)):
            return False
        if scale < 0 and not whole:
            return False
        if whole and (power == 1 or not summed):
            kept = [Factor(f.node, f.labels, f.power * power) for f in inner]
        elif scale not in (0, 1) and scale > 0 and (inner or whole):
            rest = self.terms.times(1 / scale, node)
            kept, labels = [Factor(rest, factor.labels, power)], factor.labels
        elif whole and scale == -1:
            rest = self.terms.times(Fraction(-1), node)
            kept, labels = [Factor(rest, factor.labels, power)], factor.labels
        elif power != 1 and (parts := (components if whole else apart)(inner, summed)):
            made = [self._component(part, summed, labels, node) for part in parts]
            kept = [Factor(x, own, power) for x, own in made]
        elif not inner:
            kept = []
        else:
            return False
        self.scale = exact(self.scale * _power(scale, power))
        self.replace([factor], kept)
        self._unify(labels, factor)
        return True

    def _component(
        self, part: list[Factor], summed: set[int], labels: Labels, node: Node
    ) -> tuple[Node, Labels]:
        own = tuple(x for x in labels if any(x in f.labels for f in part))
        sizes = {x: n for x, n in zip(labels, node.shape, strict=True)}
        shape = tuple(sizes[x] for x in own)
        return product(self.terms, part, own, shape), own

    def _unify(self, inner: Labels, factor: Factor) -> None:
        """The labels of what was opened become those of the axes it stood along."""
        names: dict[int, int] = {}
        for own, outer, size in zip(inner, factor.labels, factor.node.shape, strict=True):
            self.sizes.setdefault(outer, size)
            while own in names:
                own = names[own]
            while outer in names:
                outer = names[outer]
            if own != outer:
                self.rename(own, outer)
                names[own] = outer

    def _squeeze(self) -> bool:
        """Axes of length 1 of what was computed say nothing: they go."""
        for factor in self.factors:
            if UNIT in factor.labels and (made := squeezed(self.terms, factor.node)) is not None:
                kept = tuple(x for x in factor.labels if x != UNIT)
                return self.replace([factor], [Factor(made, kept, factor.power)])
        return False

    def _single(self) -> bool:
        for factor in self.factors:
            for rule in SINGLES:
                new = rule(self.terms, factor)
                if new is not None:
                    return self.replace([factor], new)
        return False

    def _gather(self) -> bool:
        """Powers of one node along the same axes are one power."""
        powers: dict[tuple[Node, Labels], Number] = {}
        for f in self.factors:
            powers[f.node, f.labels] = powers.get((f.node, f.labels), Fraction(0)) + f.power
        gathered = [Factor(x, labels, p) for (x, labels), p in powers.items() if p != 0]
        changed = len(gathered) < len(self.factors)
        self.factors = gathered
        return changed

    def _count(self) -> bool:
        """A sum along an axis that no factor has any more multiplies by its size."""
        left = {x for f in self.factors for x in f.labels}
        gone = self.summed - left
        self.summed &= left
        for label in gone - {*self.result}:
            self._times_size(self.sizes[label])
        return bool(gone)

    def _times_size(self, size: int) -> None:
        named = size_node(self.terms, size)
        if named is None:
            self.scale = self.scale * int(size)
        else:
            self.factors.append(Factor(named, (), Fraction(1)))

    def _pair(self) -> bool:
        for i, a in enumerate(self.factors):
            for b in self.factors[i + 1 :]:
                if a.labels != b.labels:
                    continue
                for rule in PAIRS:
                    new = rule(self.terms, a, b)
                    new = rule(self.terms, b, a) if new is None else new
                    if new is not None:
                        return self.replace([a, b], new)
        return False

    def _sum(self) -> bool:
        """A sum along an axis that only one factor has, where it is known."""
        for factor in self.factors:
            for label in set(factor.labels) - {*self.result, UNIT}:
                others = sum(label in f.labels for f in self.factors)
                if others > 1 or factor.labels.count(label) > 1:
                    continue
                for rule in SUMS:
                    found = rule(self.terms, factor, label)
                    if found is not None:
                        self.summed.discard(label)
                        self.scale = self.scale * found[0]
                        return self.replace([factor], found[1])
        return False


def squeezed(terms: Terms, node: Node) -> Node | None:
    """The node without its axes of length 1; None of what has them from elsewhere."""
    shape = tuple(n for n in node.shape if n != 1)
    if len(shape) == node.ndim:
        return node
    if node.op is PRODUCT:
        factors, result = factors_of(node, terms)
        kept = tuple(x for x, n in zip(result, node.shape, strict=True) if n != 1)
        return product(terms, factors, kept, shape, node.attrs["scale"])
    alike = all(x.shape in (node.shape, ()) for x in node.inputs)
    if not alike or (node.op is not TOTAL and not node.op.elementwise):
        return None
    inputs = [squeezed(terms, x) for x in node.inputs]
    known = [x for x in inputs if x is not None]
    if len(known) < len(inputs):
        return None
    if node.op is TOTAL:
        return terms.total(zip(node.attrs["scales"], known, strict=True), shape)
    return terms.node(node.op, known, shape, node.dtype, **node.attrs)


def _power(scale: Number, power: Number) -> Number:
    if isinstance(power, Fraction) and power.denominator == 1:
        return scale ** int(power)
    return exact(float(scale) ** float(power))
