"""Terms as formulas in gradcli's own language.

Constraints: renders what it is given, simplifies nothing; a formula may be smaller than its term
where it is only repeated (`Written.shape`), `whole` makes it as large. Sizes are read off the
variables that have them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any

from gradcli.graph.dim import Dim
from gradcli.graph.node import Node
from gradcli.graph.op import SYMBOL
from gradcli.graph.shape import Shape, broadcast
from gradcli.language.print import unparse
from gradcli.render import tree
from gradcli.render.calls import CALLS, function_call
from gradcli.render.layout import EXTENT, Layout, Piece, Stuck, Written, fraction, ratio
from gradcli.render.numbers import known_number
from gradcli.render.tree import Tree
from gradcli.rewrite.terms import (
    PRODUCT,
    SIZE,
    TOTAL,
    UNIT,
    Factor,
    Labels,
    Number,
    number_of,
)

LETTERS = "ijklmnopqrstuvwxyzabcdefgh"


class Writer:
    """Writes terms as trees.

    Args:
        names: what nodes are called.
        variables: the shape of each variable, to read sizes off.
        spoken: the sizes that may be called by their names.
        diagonals: whether `diag(v)@X` is preferred to `v[:, None]*X`.
        plain: whether every product of tensors is an `einsum`.
    """

    def __init__(
        self,
        names: Mapping[Node, str] | None = None,
        variables: Mapping[str, Shape] | None = None,
        *,
        spoken: Collection[str] = (),
        diagonals: bool = False,
        plain: bool = False,
    ) -> None:
        self.names = names or {}
        self.variables = variables or {}
        self.spoken = spoken
        self.diagonals = diagonals
        self.plain = plain
        self._written: dict[Node, Written] = {}

    # -- what is asked for

    def whole(self, node: Node, like: str | None = None) -> Tree:
        """The formula of a node, with all of its shape; `like` names a variable that has it."""
        written = self(node)
        if written.shape == node.shape:
            return written.tree
        if like is not None:
            return self._like(node, written, like)
        if not written.shape:
            number = number_of(node)
            if number == 1:
                return tree.call("ones", *self.sizes(node.shape))
            if number == 0:
                return tree.call("zeros", *self.sizes(node.shape))
        return tree.method(self._tensor(written), "expand", *self.sizes(node.shape))

    def _like(self, node: Node, written: Written, like: str) -> Tree:
        number = number_of(node)
        if number == 0:
            return tree.call("zeros_like", tree.name(like))
        if not written.shape:
            ones = tree.call("ones_like", tree.name(like))
            if number == 1:
                return ones
            top, below = _split_quotient(written.tree)
            if number is not None and top == tree.number(1):
                return tree.chain(ones, below)
            return tree.chain(tree.chain(top, [("*", ones)]), below)
        return tree.method(written.tree, "expand_as", tree.name(like))

    def _tensor(self, written: Written) -> Tree:
        bare = written.tree
        if isinstance(bare, (type(tree.number(1)), type(tree.number(-1)))):
            return tree.call("tensor", bare)
        return bare

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
        if not isinstance(size, Dim):
            return tree.number(int(size))
        from gradcli.rewrite.sizes import size_node
        from gradcli.rewrite.terms import Terms

        made = size_node(Terms(), size)
        assert made is not None
        return self(made).tree

    def size(self, node: Node) -> Tree:
        """A declared size, read off a variable."""
        value = int(node.attrs["value"])
        if node.attrs["name"] in self.spoken:
            return tree.name(node.attrs["name"])
        return self._elements([value]) or self._axis(value, node.attrs["name"])

    def _elements(self, sizes: list[int]) -> Tree | None:
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
        up, down = _numeric(scale)
        return Written(ratio([*up, written.tree], down), written.shape)

    # -- products

    def _product(self, node: Node, times: Number = Fraction(1)) -> Written:
        attrs = node.attrs
        scale = attrs["scale"] * times
        factors = [
            Factor(x, labels, power)
            for x, labels, power in zip(node.inputs, attrs["labels"], attrs["powers"], strict=True)
        ]
        up, down = _numeric(abs(scale))
        factors, result = self._units(factors, attrs["result"], node.shape)
        above, below, pieces = self._pieces(factors)
        up += above
        down += below
        sizes = {x: int(n) for x, n in zip(result, node.shape, strict=True)} | {UNIT: 1}
        try:
            if self.plain and any(p.labels for p in pieces):
                raise Stuck
            core = self._laid_out(pieces, result, sizes, node)
        except Stuck:
            core = self._einsum(factors, result, node)
            up = _numeric(abs(scale))[0] + above
        made, shape = core
        made = _joined(up, down, made)
        return Written(tree.negative(made) if scale < 0 else made, shape)

    def _units(
        self, factors: list[Factor], result: Labels, shape: Shape
    ) -> tuple[list[Factor], Labels]:
        """Axes of length 1 in labels of their own: shared by two factors, or with the result."""
        used = {x for f in factors for x in f.labels}
        free = [x for x, n in zip(result, shape, strict=True) if x not in used and n == 1]
        count = sum(f.labels.count(UNIT) for f in factors)
        if not count:
            return factors, result
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

    def _pieces(self, factors: list[Factor]) -> tuple[list[Tree], list[Tree], list[Piece]]:
        """Scalars above and below the line, and pieces with axes."""
        up: list[Tree] = []
        down: list[Tree] = []
        pieces = []
        counts: dict[Number, list[Node]] = {}
        for f in factors:
            if f.node.op is SIZE:
                counts.setdefault(f.power, []).append(f.node)
                continue
            piece = self._piece(f)
            if piece.labels:
                pieces.append(piece)
            else:
                up += piece.up
                down += piece.down
        for power, nodes in counts.items():
            for made in self._counts(nodes):
                (up if power > 0 else down).append(_to_power(made, abs(power)))
        return up, down, pieces

    def _counts(self, nodes: list[Node]) -> list[Tree]:
        """A product of declared sizes: the number of elements of a variable, where one has it."""
        if all(n.attrs["name"] in self.spoken for n in nodes):
            return [self.size(n) for n in nodes]
        values = [int(n.attrs["value"]) for n in nodes]
        together = self._elements(values)
        if together is not None:
            return [together]
        return [self.size(n) for n in nodes]

    def _piece(self, f: Factor) -> Piece:
        below = f.power < 0
        made, shape = self._power(f.node, abs(f.power))
        labels = f.labels
        if shape != f.node.shape:
            kept = labels[len(labels) - len(shape) :]
            if len(shape) < 2 and not (set(labels) - set(kept)) & {UNIT}:
                labels = kept
            else:
                made = tree.method(made, "expand", *self.sizes(f.node.shape))
        if len(labels) == 2 and labels[0] == labels[1]:
            made, labels = tree.call("diag", made), labels[:1]
        elif len(set(labels)) < len(labels):
            made = tree.call(
                "einsum",
                f"{_letters(labels, labels)}->{_letters(labels, dict.fromkeys(labels))}",
                made,
            )
            labels = tuple(dict.fromkeys(labels))
        return Piece(labels, [] if below else [made], [made] if below else [])

    def _power(self, node: Node, power: Number) -> Written:
        """A positive power of a node; the root of a sum of squares is a norm."""
        if isinstance(power, Fraction) and power.denominator == 2:
            norm = self._norm(node)
            if norm is not None:
                return Written(_to_power(norm.tree, power * 2), norm.shape)
        made, shape = self(node)
        return Written(_to_power(made, power), shape)

    def _norm(self, node: Node) -> Written | None:
        attrs = node.attrs
        if node.op is not PRODUCT or attrs["powers"] != (2,) or attrs["scale"] != 1:
            return None
        (x,), (labels,) = node.inputs, attrs["labels"]
        made = self.whole(x)
        if not attrs["result"]:
            return Written(tree.call("norm", made), ())
        axes = [i for i, a in enumerate(labels) if a not in attrs["result"]]
        kept = tuple(a for a in labels if a in attrs["result"])
        if len(axes) != 1 or kept != attrs["result"]:
            return None
        return Written(tree.call("norm", made, dim=axes[0]), node.shape)

    def _laid_out(
        self, pieces: list[Piece], result: Labels, sizes: dict[int, int], node: Node
    ) -> Written:
        own = tuple(dict.fromkeys(result))
        for p in pieces:
            for label in p.labels:
                sizes.setdefault(label, 0)
        layout = Layout(pieces, own, sizes, diagonals=self.diagonals)
        piece = layout.run()
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
        for f in own:
            made = self.whole(f.node)
            below = f.power < 0
            made = _to_power(made, abs(f.power))
            operands.append(ratio([], [made]) if below else made)
            specs.append(_letters(f.labels, labels))
        seen: dict[int, int] = {}
        output = []
        fresh = max([*labels, 0])
        for place, x in enumerate(result):
            if x in seen or x not in used:
                fresh += 1
                labels[fresh] = None
                other = x if x in seen else None
                size = self.sizes(node.shape[place : place + 1])
                operands.append(tree.call("eye" if other is not None else "ones", *size))
                specs.append(_letters((other, fresh) if other is not None else (fresh,), labels))
                output.append(fresh)
            else:
                output.append(x)
            seen[x] = place
        spec = f"{','.join(specs)}->{_letters(output, labels)}"
        return Written(tree.call("einsum", spec, *operands), node.shape)


def formula(node: Node, names: Mapping[Node, str] | None = None) -> str:
    """The text of a term."""
    return unparse(Writer(names)(node).tree)


def _letters(labels: Any, order: Any) -> str:
    places = {x: LETTERS[i] for i, x in enumerate(dict.fromkeys(order))}
    return "".join(places[x] for x in labels)


def _to_power(base: Tree, power: Number) -> Tree:
    if power == 1:
        return base
    if power == Fraction(1, 2):
        return tree.call("sqrt", base)
    up, down = fraction(power)
    exponent = (
        tree.number(up) if down == 1 else tree.chain(tree.number(up), [("/", tree.number(down))])
    )
    return tree.power(base, exponent)


def _numeric(scale: Number) -> tuple[list[Tree], list[Tree]]:
    """A positive number as factors above and below the line."""
    if scale == 1:
        return [], []
    known = known_number(scale)
    if known is not None:
        return known
    up, down = fraction(scale)
    return [tree.number(up)] if up != 1 else [], [tree.number(down)] if down != 1 else []


def _joined(up: list[Tree], down: list[Tree], core: Tree) -> Tree:
    """Numbers before a product, what divides behind it."""
    one = tree.number(1)
    if core == one:
        return ratio(up, down)
    top, below = _split_quotient(core)
    if not up:
        first = top
    elif isinstance(top, type(tree.product([one, one]))) and top.rest[0][0] not in "+-":  # type: ignore[attr-defined]
        rest = [("*", top.first), *top.rest]  # type: ignore[attr-defined]
        first = tree.chain(up[0], [*(("*", x) for x in up[1:]), *rest])
        if top == one:
            first = tree.product(up)
    else:
        first = tree.product([*up, top] if top != one else up)
    lower = [*down, *(x for _, x in below)]
    return tree.chain(first, [("/", tree.product(_flat(lower)))]) if lower else first


def _flat(factors: list[Tree]) -> list[Tree]:
    found: list[Tree] = []
    for x in factors:
        rest = getattr(x, "rest", [])
        if rest and all(sign == "*" for sign, _ in rest):
            found += [x.first, *(y for _, y in rest)]  # type: ignore[attr-defined]
        else:
            found.append(x)
    return found


def _split_quotient(value: Tree) -> tuple[Tree, list[tuple[str, Tree]]]:
    """A product's part above the line, and the divisions at its end."""
    rest = list(getattr(value, "rest", []))
    if not isinstance(value, type(tree.product([tree.number(2), tree.number(2)]))):
        return value, []
    at = next((i for i, (sign, _) in enumerate(rest) if sign == "/"), len(rest))
    if any(sign != "/" for sign, _ in rest[at:]):
        return value, []
    first: Tree = value.first  # type: ignore[attr-defined]
    return tree.chain(first, rest[:at]), rest[at:]
