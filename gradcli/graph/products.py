"""The algebra of products and sums: signs, numbers and scalars are gathered and applied once.

Constraints: real floating-point nodes of one dtype; results the same up to rounding. Factors are
reordered, terms of a sum are not. Linear in the nodes: a product is taken apart only where nobody
else needs it, up to LONGEST factors.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import Shape, broadcast
from gradcli.graph.terms import Term, TermBuilder, in_range

LONGEST = 8
KINDS = ("float32", "float64")


class Products(TermBuilder):
    """One pass over a graph without repeated work.

    Attributes:
        terms: node -> it as a product, for the nodes that are one.
        done: node -> what takes its place, made when it is first asked for.
        sums: a sum of two that this pass made -> the two.
        parts: what stayed of a product when its scalars left -> that product.
    """

    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[Node, Term] = {}
        self.done: dict[Node, Node] = {}
        self.sums: dict[Node, tuple[Term, Term]] = {}
        self.parts: dict[Node, Term] = {}
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
            found = node if term is None else self.built(term, node, node.shape)
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
        if term is None or term.length > LONGEST or not in_range(term.number):
            return None
        return term

    def _factor(self, x: Node) -> Term:
        """`x` as a factor: taken apart where it is a product that nobody else needs."""
        if x.op is FULL and isinstance(x.attrs["value"], (int, float)):
            number = float(x.attrs["value"])
            if in_range(number):
                return Term(number)
        term = self.terms.get(x)
        if term is not None and (self.uses[x] == 1 or term.is_signed_node):
            return term
        if term is not None and term.over and (term.number != 1 or term.scalars):
            rest = self._rest(term, x, None)
            self.parts[rest] = term
            return Term(term.number, term.scalars, (rest,))
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
        if below.number == 0 or not in_range(1 / below.number):
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
        """x + y, common scalars in front; equal terms of one sign are one."""
        if x[1:] == y[1:] and x.number * y.number > 0:
            return self._opened(x._replace(number=x.number + y.number))
        parts = self.sums.get(x.over[0]) if len(x.over) == 1 and not x.under else None
        if parts is not None:
            front = Term(x.number, x.scalars)
            first, last = (front.times(part) for part in parts)
            if last[1:] == y[1:] and last.number * y.number > 0:
                both = self._opened(last._replace(number=last.number + y.number))
                return self._sum_of(first, both, node)
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
        under = x.under if x.under == y.under else ()
        x = Term(x.number / number, tuple(left), x.over, x.under if not under else ())
        y = Term(y.number / number, tuple(right), y.over, y.under if not under else ())
        parts = (x, y)
        if y.number < 0:
            name, first, second = "sub", x, y._replace(number=-y.number)
        elif x.number < 0:
            name, first, second = "sub", y, x._replace(number=-x.number)
        else:
            name, first, second = "add", x, y
        operands = (self.built(first, node, None), self.built(second, node, None))
        shape = broadcast(*(operand.shape for operand in operands))
        made = self.shaped(name, operands, shape, node.dtype, node)
        self.sums[made] = parts
        return Term(number, tuple(common), (made,), under)

    def _opened(self, term: Term) -> Term:
        """A term all of whose uses have come together, taken apart again."""
        parts = self.parts.get(term.over[0]) if len(term.over) == 1 and not term.under else None
        return term if parts is None else term._replace(over=parts.over, under=parts.under)

    def _sum(self, node: Node) -> Term | None:
        """Numbers and scalars leave a sum."""
        (x,) = node.inputs
        factor = self._factor(x)
        if not factor.over and not factor.under:
            return factor.times(Term(float(x.size // max(node.size, 1))))
        return self._linear(node)

    def _reshape(self, node: Node) -> Term | None:
        factor = self._factor(node.inputs[0])
        return self._linear(node) if factor.over or factor.under else factor

    def _linear(self, node: Node) -> Term | None:
        """Numbers and scalars leave what is linear in its one input."""
        (x,) = node.inputs
        factor = self._factor(x)
        if factor.number == 1 and not factor.scalars:
            return None
        made = self.make(node.op.name, (self._rest(factor, x, x.shape),), node, **node.attrs)
        return Term(factor.number, factor.scalars, (made,))

    def _rest(self, term: Term, place: Node, shape: Shape | None) -> Node:
        """What stays when numbers and scalars leave."""
        return self.built(term._replace(number=1.0, scalars=()), place, shape)

    def _contract(self, node: Node) -> Term | None:
        """Numbers and scalars leave a product of matrices."""
        factors = [self._factor(x) for x in node.inputs]
        if all(f.number == 1 and not f.scalars for f in factors):
            return None
        rest = tuple(self._rest(f, x, x.shape) for f, x in zip(factors, node.inputs, strict=True))
        made = self.make("contract", rest, node, **node.attrs)
        front = factors[0].times(factors[1])
        return Term(front.number, front.scalars, (made,))


RULES = {
    **{"mul": Products._mul, "div": Products._div, "neg": Products._neg, "pow": Products._pow},
    **{"add": Products._add, "sub": Products._sub, "expand": Products._expand},
    **{"sum": Products._sum, "contract": Products._contract, "reshape": Products._reshape},
    **{"permute": Products._linear, "flip": Products._linear},
}
"""Op name -> how its node is a product."""
