"""The algebra of products and sums: signs, numbers and scalars are gathered and applied once.

Constraints: real floating-point nodes of one dtype; results the same up to rounding. Factors are
reordered, terms of a sum are not. Linear in the nodes: a product is taken apart only where nobody
else needs it, up to LONGEST factors.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import Shape, broadcast, numel

LONGEST = 8
RANGE = 1e-30, 1e30
"""Where a gathered number must stay: its float32 rounds, and does not overflow or vanish."""
KINDS = ("float32", "float64")


class Term(NamedTuple):
    """`number * scalars * over / under`; scalars are 0-dimensional, `over` and `under` larger."""

    number: float = 1.0
    scalars: tuple[Node, ...] = ()
    over: tuple[Node, ...] = ()
    under: tuple[Node, ...] = ()

    def times(self, other: Term) -> Term:
        """The product."""
        return Term(
            self.number * other.number,
            self.scalars + other.scalars,
            self.over + other.over,
            self.under + other.under,
        )

    @property
    def length(self) -> int:
        """How many factors there are."""
        return len(self.scalars) + len(self.over) + len(self.under)

    @property
    def is_signed_node(self) -> bool:
        """Whether this is a node or its negative."""
        return self.number in (1.0, -1.0) and not self.scalars + self.under and len(self.over) == 1


class Products(Builder):
    """One pass over a graph without repeated work.

    Attributes:
        terms: node -> it as a product, for the nodes that are one.
        done: node -> what takes its place, made when it is first asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[Node, Term] = {}
        self.done: dict[Node, Node] = {}
        self.uses: dict[Node, int] = {}

    def run(self, order: Sequence[Node], wanted: Collection[Node]) -> dict[Node, Node]:
        """For every node of `wanted` one that means the same."""
        for node in order:
            for x in node.inputs:
                self.uses[x] = self.uses.get(x, 0) + 1
        for node in wanted:
            self.uses[node] = self.uses.get(node, 0) + 1
        for node in order:
            term = self._term(node)
            if term is not None:
                self.terms[node] = term
            else:
                inputs = tuple([self.get(x) for x in node.inputs])
                self.done[node] = self.unified(node, inputs, self.like)
        return {node: self.get(node) for node in wanted}

    def get(self, node: Node) -> Node:
        """What takes the place of `node`."""
        found = self.done.get(node)
        if found is None:
            term = self.terms.get(node)
            found = node if term is None else self._built(term, node, node.shape)
            self.done[node] = found
        return found

    def _term(self, node: Node) -> Term | None:
        """`node` as a product; None where it is none."""
        rule = RULES.get(node.op.name)
        if rule is None or node.dtype.name not in KINDS:
            return None
        if any(x.dtype is not node.dtype for x in node.inputs):
            return None
        term = rule(self, node)
        if term is None or term.length > LONGEST or not _in_range(term.number):
            return None
        return term

    def _factor(self, x: Node) -> Term:
        """`x` as a factor: taken apart where it is a product that nobody else needs."""
        if x.op is FULL and isinstance(x.attrs["value"], (int, float)):
            number = float(x.attrs["value"])
            if _in_range(number):
                return Term(number)
        term = self.terms.get(x)
        if term is not None and (self.uses[x] == 1 or term.is_signed_node):
            return term
        made = self.get(x)
        while made.op.name == "expand" and made.value is None:
            (made,) = made.inputs
        if made.size == 1:
            return Term(scalars=(self.reshape(made, ()),))
        return Term(over=(made,))

    # -- rules

    def _mul(self, node: Node) -> Term | None:
        x, y = node.inputs
        if x is y:
            return self._square(x)
        return self._factor(x).times(self._factor(y))

    def _square(self, x: Node) -> Term:
        factor = self._factor(x)
        if factor.length > 1:
            factor = Term(over=(self.get(x),))
        return factor.times(factor)

    def _pow(self, node: Node) -> Term | None:
        x, y = node.inputs
        if y.op is not FULL or y.attrs["value"] not in (2, 3):
            return None
        square = self._square(x)
        return square if y.attrs["value"] == 2 else square.times(Term(over=(self.get(x),)))

    def _div(self, node: Node) -> Term | None:
        x, y = node.inputs
        above, below = self._factor(x), self._factor(y)
        if below.number == 0 or not _in_range(1 / below.number):
            return None
        if below.length > 1 or below.under:
            below = Term(over=(self.get(y),))
        return Term(
            above.number / below.number,
            above.scalars,
            above.over,
            above.under + below.scalars + below.over,
        )

    def _neg(self, node: Node) -> Term | None:
        (x,) = node.inputs
        return self._factor(x).times(Term(-1.0))

    def _expand(self, node: Node) -> Term | None:
        (x,) = node.inputs
        return self._factor(x)

    def _add(self, node: Node) -> Term | None:
        x, y = (self._factor(x) for x in node.inputs)
        return self._sum_of(x, y, node)

    def _sub(self, node: Node) -> Term | None:
        x, y = (self._factor(x) for x in node.inputs)
        return self._sum_of(x, y.times(Term(-1.0)), node)

    def _sum_of(self, x: Term, y: Term, node: Node) -> Term:
        """x + y, common scalars in front."""
        if x[1:] == y[1:] and x.number * y.number > 0:
            return x._replace(number=x.number + y.number)
        common = []
        left, right = list(x.scalars), list(y.scalars)
        for scalar in x.scalars:
            if scalar in right and x.over + x.under and y.over + y.under:
                common.append(scalar)
                left.remove(scalar)
                right.remove(scalar)
        number = 1.0
        if abs(x.number) == abs(y.number) != 0 and x.length and y.length:
            number = x.number
        elif x.number < 0 and y.number < 0:
            number = -1.0
        x = x._replace(number=x.number / number, scalars=tuple(left))
        y = y._replace(number=y.number / number, scalars=tuple(right))
        if y.number < 0:
            name, first, second = "sub", x, y._replace(number=-y.number)
        elif x.number < 0:
            name, first, second = "sub", y, x._replace(number=-x.number)
        else:
            name, first, second = "add", x, y
        operands = (self._built(first, node, None), self._built(second, node, None))
        shape = broadcast(*(operand.shape for operand in operands))
        made = self.shaped(name, operands, shape, node.dtype, node)
        return Term(number, tuple(common), (made,))

    def _sum(self, node: Node) -> Term | None:
        """Numbers and scalars leave a sum."""
        (x,) = node.inputs
        factor = self._factor(x)
        if factor.number == 1 and not factor.scalars:
            return None
        if not factor.over and not factor.under:
            return factor.times(Term(float(x.size // max(node.size, 1))))
        rest = self._built(Term(1.0, (), factor.over, factor.under), x, x.shape)
        made = self.make("sum", (rest,), node, **node.attrs)
        return Term(factor.number, factor.scalars, (made,))

    def _contract(self, node: Node) -> Term | None:
        """Numbers and scalars leave a product of matrices."""
        factors = [self._factor(x) for x in node.inputs]
        if all(f.number == 1 and not f.scalars for f in factors):
            return None
        rest = tuple(
            self._built(Term(1.0, (), f.over, f.under), x, x.shape)
            for f, x in zip(factors, node.inputs, strict=True)
        )
        made = self.make("contract", rest, node, **node.attrs)
        front = factors[0].times(factors[1])
        return Term(front.number, front.scalars, (made,))

    # -- building

    def _built(self, term: Term, place: Node, shape: Shape | None) -> Node:
        """The node of a product, in `shape` or in the shape that its factors have together."""
        parts = [x.shape for x in (*term.over, *term.under)]
        full = broadcast(*parts) if parts else ()
        made = self._product(term, place, full)
        if shape is not None and made.shape != shape:
            if made.op is FULL:
                return self.constant(made.attrs["value"], made.dtype, shape)
            made = self.shaped("expand", (made,), shape, made.dtype, place, {"shape": shape})
        return made

    def _product(self, term: Term, place: Node, full: Shape) -> Node:
        """Smaller factors are multiplied first."""
        size = numel(full)
        front: Node | None = None
        for scalar in term.scalars:
            front = self._pair("mul", front, scalar, place)
        under = list(term.under)
        if front is not None or not term.over:
            for x in [x for x in under if x.ndim == 0]:
                under.remove(x)
                front = self._pair("div", front or self._number(1.0, place), x, place)
        number = term.number
        if number not in ((1.0,) if front is not None else (1.0, -1.0)):
            constant = self._number(number, place)
            front = constant if front is None else self._pair("mul", constant, front, place)
            number = 1.0
        large: list[Node] = []
        for x in sorted(term.over, key=lambda x: x.size):
            if x.size < size and (front is None or numel(broadcast(front.shape, x.shape)) < size):
                front = self._pair("mul", front, x, place)
            else:
                large.append(x)
        made = self._powers(large, place)
        if front is not None:
            made = front if made is None else self._pair("mul", front, made, place)
        if made is None:
            made = self._number(number, place)
            number = 1.0
        for x in under:
            made = self._pair("div", made, x, place)
        return made if number == 1.0 else self.make("neg", (made,), made)

    def _powers(self, factors: list[Node], place: Node) -> Node | None:
        """The product of `factors`, equal ones as squares."""
        made: Node | None = None
        for x in dict.fromkeys(factors):
            count = factors.count(x)
            power = self.make("square", (x,), x) if count > 1 else x
            for _ in range(count - 2):
                power = self._pair("mul", power, x, place)
            made = self._pair("mul", made, power, place)
        return made

    def _pair(self, name: str, x: Node | None, y: Node, place: Node) -> Node:
        if x is None:
            return y
        shape = broadcast(x.shape, y.shape)
        return self.shaped(name, (x, y), shape, place.dtype, place)

    def _number(self, number: float, place: Node) -> Node:
        return self.constant(number, place.dtype)


def _in_range(number: float) -> bool:
    return number == 0 or RANGE[0] < abs(number) < RANGE[1]


RULES = {
    **{"mul": Products._mul, "div": Products._div, "neg": Products._neg, "pow": Products._pow},
    **{"add": Products._add, "sub": Products._sub, "expand": Products._expand},
    **{"sum": Products._sum, "contract": Products._contract},
}
"""Op name -> how its node is a product."""
