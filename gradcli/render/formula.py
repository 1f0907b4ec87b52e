"""Terms as formulas in gradcli's own language.

Constraints: renders what it is given, simplifies nothing; a formula may be smaller than its term
where it is only repeated (`Written.shape`), `whole` makes it as large. Sizes are read off the
variables that have them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gradcli.graph.dim import NEAR, recovered
from gradcli.graph.node import Node
from gradcli.graph.op import SYMBOL
from gradcli.graph.shape import Shape, broadcast
from gradcli.language.print import unparse
from gradcli.render import tree
from gradcli.render.calls import CALLS, function_call
from gradcli.render.factors import numeric, split_quotient
from gradcli.render.pieces import Written, ratio
from gradcli.render.products import Products
from gradcli.render.stacked import stacked
from gradcli.render.tree import Tree
from gradcli.rewrite.sizes import size_node
from gradcli.rewrite.terms import PRODUCT, SIZE, TOTAL, Number, Terms, number_of
from gradcli.tensor.symbols import declared_sizes


class Writer(Products):
    """Writes terms as trees.

    Args:
        names: what nodes are called.
        variables: the shape of each variable, to read sizes off.
        spoken: the sizes that may be called by their names.
        diagonals: whether `diag(v)@X` is preferred to `v[:, None]*X`.
        plain: whether every product of tensors is an `einsum`.
        wrt: the variables that stand behind others in products.
        terms: what made the nodes that are written.
    """

    def __init__(
        self,
        names: Mapping[Node, str] | None = None,
        variables: Mapping[str, Shape] | None = None,
        *,
        spoken: Collection[str] = (),
        diagonals: bool = False,
        plain: bool = False,
        wrt: Collection[str] = (),
        terms: Terms | None = None,
    ) -> None:
        self.names = names or {}
        self.variables = variables or {}
        self.spoken = spoken
        self.diagonals = diagonals
        self.plain = plain
        self.wrt = wrt
        self.terms = terms or Terms()
        self._written: dict[Node, Written] = {}

    # -- what is asked for

    def whole(self, node: Node, like: str | None = None) -> Tree:
        """The formula of a node, with all of its shape; `like` names a variable that has it."""
        written = self(node)
        if written.shape == node.shape:
            return written.tree
        if not written.shape:
            return self._filled(node, written.tree, like)
        missing = node.ndim - len(written.shape)
        if missing and node.shape == (1,) * missing + written.shape:
            return tree.item(written.tree, *(None,) * missing)
        if like is not None:
            return tree.method(written.tree, "expand_as", tree.name(like))
        return tree.method(written.tree, "expand", *self.sizes(node.shape))

    def _filled(self, node: Node, value: Tree, like: str | None) -> Tree:
        """A number everywhere: `sum(y)*ones_like(x)`."""
        number, known = number_of(node), None if like is None else tree.name(like)
        sizes = self.sizes(node.shape)
        if number == 0:
            return tree.call("zeros", *sizes) if known is None else tree.call("zeros_like", known)
        if number is not None and number != 1 and known is None:
            return tree.call("full", tuple(sizes), tree.real(float(number)))
        ones = tree.call("ones", *sizes) if known is None else tree.call("ones_like", known)
        top, below = split_quotient(value)
        return tree.chain(ones if top == tree.number(1) else tree.product([top, ones]), below)

    def __call__(self, node: Node) -> Written:
        """The formula of a node, perhaps without what is only repeated."""
        written = self._written.get(node)
        if written is None:
            written = self._written[node] = self._write(node)
        return written

    def _write(self, node: Node) -> Written:
        if node in self.names:
            return Written(tree.name(self.names[node]), node.shape)
        if node.op is SYMBOL:
            return Written(tree.name(str(node.attrs["name"])), node.shape)
        if node.op is SIZE:
            return Written(self.size(node), ())
        if node.op is PRODUCT:
            return self._product(node)
        if node.op is TOTAL:
            return self._total(node)
        rule = CALLS.get(node.op.name)
        return rule(self, node) if rule is not None else function_call(self, node)

    # -- sizes

    def sizes(self, shape: Shape) -> list[Tree]:
        """The sizes of a shape as formulas."""
        return [self._size_of(n) for n in shape]

    def _size_of(self, size: int) -> Tree:
        if abs(size) <= NEAR:
            return tree.number(int(size))
        named = recovered(size, declared_sizes(self.variables.values()).values())
        made = size_node(self.terms, named)
        return tree.number(int(size)) if made is None else self(made).tree

    def whole_number(self, value: int, size: int) -> Any:
        """A position: a number, counted from the end of `size` where it is near it, or a size."""
        if 0 <= value <= NEAR:
            return int(value)
        if 0 < int(size) - value <= NEAR:
            return int(value) - int(size)
        return self._size_of(value)

    def size(self, node: Node) -> Tree:
        """A declared size, read off a variable."""
        value = int(node.attrs["value"])
        if node.attrs["name"] in self.spoken:
            return tree.name(node.attrs["name"])
        return self.elements([value]) or self._axis(value, node.attrs["name"])

    def elements(self, sizes: list[int]) -> Tree | None:
        """`numel(x)` of the variable that has exactly these sizes."""
        wanted = sorted(sizes)
        for name, shape in self.variables.items():
            if sorted(int(n) for n in shape) == wanted:
                return tree.call("numel", tree.name(name))
        return None

    def _axis(self, value: int, name: str) -> Tree:
        for variable, shape in self.variables.items():
            for axis, n in enumerate(shape):
                if int(n) == value:
                    return tree.item(tree.attribute(tree.name(variable), "shape"), axis)
        return tree.name(name)

    # -- sums

    def _total(self, node: Node) -> Written:
        whole = stacked(self, self.terms, node)
        if whole is not None:
            return whole
        terms = list(zip(node.attrs["scales"], node.inputs, strict=True))
        positive = next((i for i, (s, _) in enumerate(terms) if s > 0), None)
        if positive:
            terms.insert(0, terms.pop(positive))
        shape: Shape = ()
        parts: list[tuple[str, Tree]] = []
        for scale, x in terms:
            written = self._scaled(abs(scale), x)
            shape = broadcast(shape, written.shape) if shape else written.shape
            parts.append(("-" if scale < 0 else "+", written.tree))
        (sign, first), *rest = parts
        return Written(tree.chain(tree.negative(first) if sign == "-" else first, rest), shape)

    def _scaled(self, scale: Number, node: Node) -> Written:
        if scale == 1:
            return self(node)
        if node.op is PRODUCT:
            return self._product(node, scale)
        written = self(node)
        up, down = numeric(scale)
        return Written(ratio([*up, written.tree], down), written.shape)


def formula(node: Node, names: Mapping[Node, str] | None = None) -> str:
    """The text of a term."""
    return unparse(Writer(names)(node).tree)
