"""One call of `differentiate`: which derivative it is, its terms, its formulas and their check.

Constraints: each step is a function of the ones before; what was asked for is decided here and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from gradcli.calculus import derive
from gradcli.calculus.derive import COTANGENT, NotLinear, gradients, no_form
from gradcli.calculus.reference import Reference
from gradcli.calculus.results import Derivative, Derivatives
from gradcli.calculus.trace import Traced, described, in_float64
from gradcli.calculus.vectors import Given, Vector
from gradcli.calculus.verify import Formula, mismatch
from gradcli.errors import GradcliError, did_you_mean
from gradcli.graph.node import Node
from gradcli.graph.op import DATA
from gradcli.graph.shape import Shape, numel
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.language.print import unparse
from gradcli.lowering.interpret import Interpreter
from gradcli.render.formula import Writer
from gradcli.render.shared import needed, shared
from gradcli.render.tree import Tree
from gradcli.rewrite.translate import Rewriter
from gradcli.source import Source
from gradcli.tensor import Tensor


class Task:
    """One call of `differentiate`."""

    def __init__(
        self,
        expression: ast.Expression,
        given: Mapping[str, Any],
        wrt: Sequence[str] | None,
        order: int,
        vjp: Given | None,
        jvp: Given | Mapping[str, Given] | None,
    ) -> None:
        self.traced = traced = Traced(expression, given)
        traced.trace()
        output = traced.output
        if not isinstance(output, Tensor) or not output.dtype.is_floating_point:
            kind = output.dtype.name if isinstance(output, Tensor) else type(output).__name__
            fact = f"the expression gives {kind}, only a floating-point tensor has a derivative"
            help = "take one of its results: (...)[0]" if isinstance(output, tuple) else ""
            raise GradcliError("G014", fact, expression.span, help=help)
        self.output: Node = output.node
        self.wrt = self._chosen(wrt)
        self.leaves = {name: traced.variables[name].node for name in self.wrt}
        self.cotangent: Vector | None = None
        self.directions: dict[str, Vector] = {}
        self.kind = self._kind(order, vjp, jvp)
        self.rewrite = Rewriter(traced.dims.values(), self.output.serial)
        self.names: dict[Node, str] = {}
        for name, value in traced.variables.items():
            if isinstance(value, Tensor) and value.value_node.op is DATA:
                self.names[value.value_node] = name
        with self._located():
            self.terms = self._terms()

    @contextmanager
    def _located(self) -> Iterator[None]:
        """A block whose errors have a place: the whole expression, where they say no other."""
        try:
            yield
        except GradcliError as error:
            raise error.at(self.traced.expression.span) from None

    def _chosen(self, wrt: Sequence[str] | None) -> list[str]:
        known = self.traced.shapes
        for name in wrt or ():
            if name not in known:
                raise GradcliError(
                    "G012",
                    f"{name} is no variable of the expression",
                    help=did_you_mean(name, known) or f"there are {', '.join(known) or 'none'}",
                    kind=NameError,
                )
        chosen = list(dict.fromkeys(wrt if wrt is not None else known))
        if not chosen:
            raise GradcliError(
                "G030",
                "the expression has no variable to differentiate by",
                self.traced.expression.span,
                help="a name without a value is one: x**2",
            )
        return chosen

    def _kind(self, order: int, vjp: Given | None, jvp: Given | Mapping[str, Given] | None) -> str:
        shape = self.output.shape
        if vjp is not None:
            self.cotangent = Vector(vjp, shape, self.traced)
            return "vjp"
        if jvp is not None:
            for name, vector in self._directions(jvp).items():
                self._chosen([name])
                self.directions[name] = Vector(vector, self.traced.shapes[name], self.traced)
            return "jvp"
        if self.traced.free and shape and numel(shape) != 1:
            return "elementwise" if order == 1 else "elementwise2"
        if order == 2:
            if shape and any(n != 1 for n in shape):
                raise GradcliError(
                    "G034",
                    f"only a scalar has a Hessian, this is {tuple(shape)}",
                    self.traced.expression.span,
                    help="reduce it: sum(...) or mean(...)",
                )
            return "hessian"
        return "gradient" if all(n == 1 for n in shape) else "jacobian"

    def _directions(self, jvp: Given | Mapping[str, Given]) -> Mapping[str, Given]:
        """A direction for each variable; one alone is of the only one."""
        if isinstance(jvp, Mapping):
            return jvp
        if len(self.wrt) > 1:
            said = f" {jvp}" if isinstance(jvp, str) else ""
            raise GradcliError(
                "G070",
                f"--jvp{said} does not say which of {', '.join(self.wrt)} it is a direction of",
                help=f"write --jvp {self.wrt[0]}={said.strip() or 'V'}, or choose with --wrt",
            )
        return {self.wrt[0]: jvp}

    @property
    def vectors(self) -> dict[str, Shape]:
        """The symbols that stand for cotangents and directions, and their shapes."""
        given = [self.cotangent, *self.directions.values()]
        return {str(v.name): v.shape for v in given if v is not None and v.new}

    def keep_guards(self) -> None:
        """Writes again, with the choices around singular points: they may be everywhere."""
        self.rewrite = Rewriter(self.traced.dims.values(), self.output.serial, guards=True)
        with self._located():
            self.terms = self._terms()

    # -- terms

    def _terms(self) -> dict[str, Node | None]:
        """The derivative by each variable, rewritten; None where there is no dependence."""
        output, rewrite = self.output, self.rewrite
        rewrite(output)
        if self.kind == "jvp":
            leaves = {n: self.traced.variables[n].node for n in self.directions}
            vectors = {n: v.node() for n, v in self.directions.items()}
            found = derive.directional(output, leaves, vectors)
            return {"jvp": None if found is None else rewrite(found)}
        if self.kind == "hessian":
            return self._hessian()
        if self.kind == "jacobian":
            return self._jacobian(output, self.leaves, output.shape)
        if self.kind in ("elementwise", "elementwise2"):
            return self._elementwise()
        seed = derive.ones(output)
        if self.cotangent is not None:
            seed = self.cotangent.node()
        parts = gradients(output, seed, self.leaves)
        return {name: None if part is None else rewrite(part) for name, part in parts.items()}

    def _jacobian(
        self, output: Node, leaves: Mapping[str, Node], shape: Shape
    ) -> dict[str, Node | None]:
        parts = gradients(output, derive.symbol(COTANGENT, shape), leaves)
        found: dict[str, Node | None] = {}
        for name, part in parts.items():
            try:
                found[name] = None if part is None else derive.jacobian(self.rewrite, part, shape)
            except NotLinear:
                assert part is not None
                self.writer().whole(self.rewrite(part))  # says so where --vjp has no words either
                raise no_form(self.kind, name, self.traced.expression.span) from None
        return found

    def _hessian(self) -> dict[str, Node | None]:
        firsts = gradients(self.output, derive.ones(self.output), self.leaves)
        found: dict[str, Node | None] = {}
        for place, (a, first) in enumerate(firsts.items()):
            others = {b: self.leaves[b] for b in self.wrt[place:]}
            blocks: Mapping[str, Node | None] = dict.fromkeys(others)
            if first is not None and first.tracked:
                again = self._retraced(a, first)
                blocks = self._jacobian(again, others, self.leaves[a].shape)
            found.update({f"{a},{b}": block for b, block in blocks.items()})
        return found

    def _retraced(self, name: str, first: Node) -> Node:
        """The gradient as the graph of its formula, which has a simpler derivative."""
        if not first.tracked:
            return first
        text = unparse(self.writer().whole(self.rewrite(first), name))
        with in_float64():
            found = Interpreter(dict(self.traced.variables)).evaluate(
                parse_expression(Source("<formula>", text))
            )
        if not isinstance(found, Tensor):
            return first
        node: Node = found.node
        self.rewrite.last = node.serial
        self.rewrite(node)
        return node if node.shape == first.shape else first

    def _elementwise(self) -> dict[str, Node | None]:
        found: dict[str, Node | None] = {}
        for name, leaf in self.leaves.items():
            part: Node | None = self.output
            for turn in range(2 if self.kind == "elementwise2" else 1):
                assert part is not None
                probe = derive.symbol(COTANGENT, part.shape)
                found_probe = gradients(part, probe, {name: leaf})[name]
                if found_probe is not None and not derive.is_elementwise(self.rewrite, found_probe):
                    raise self._mixed(name)
                part = gradients(part, derive.ones(part), {name: leaf})[name]
                if part is None:
                    break
                if self.kind == "elementwise2" and turn == 0:
                    part = self._retraced(name, part)
            found[name] = None if part is None else self.rewrite(part)
        return found

    def _mixed(self, name: str) -> GradcliError:
        return GradcliError(
            "G015",
            f"elements of the result depend on several elements of {name}: its shape must be "
            "declared for the Jacobian",
            self.traced.expression.span,
            help=f"declare it: {name}:n for a vector, {name}:m,n for a matrix",
        )

    # -- formulas

    def written(self, *, plain: bool, cse: bool) -> Derivatives:
        """The terms as formulas."""
        writer = self.writer(diagonals=self.kind in ("jacobian", "hessian"), plain=plain)
        with self._located():
            trees = {name: self._formula(writer, name, term) for name, term in self.terms.items()}
        meanings: dict[str, Tree] = {}
        if cse:
            trees, meanings = shared(
                trees, [*writer.variables, *self.traced.variables, *self.traced.dims]
            )
        found = Derivatives()
        found.traced, found.kind, found.meanings = self.traced, self.kind, meanings
        found.vectors, found.directions = self.vectors, self.directions
        for name, formula in trees.items():
            term = self.terms[name]
            found[name] = Derivative(
                name, formula, needed(formula, meanings), self._shape(name), term is not None
            )
        return found

    def writer(self, **style: bool) -> Writer:
        """What writes terms over the variables and the vectors."""
        variables = {**self.traced.shapes, **self.vectors}
        others = set(self.traced.shapes) - set(self.wrt)
        return Writer(
            self.names,
            variables,
            spoken=self.traced.spoken,
            wrt=self.wrt if others else (),  # where all vary, products stay in the user's order
            terms=self.rewrite.terms,
            **style,
        )

    def _formula(self, writer: Writer, name: str, term: Node | None) -> Tree:
        any_shape = self.kind in ("elementwise", "elementwise2")
        like = name if self.kind in ("gradient", "vjp") else None
        if term is None:
            term = self.rewrite.terms.number(0, self._full_shape(name))
        if any_shape:
            return writer(term).tree
        if like is not None and not self.traced.shapes[like]:
            return writer.whole(term)
        return writer.whole(term, like)

    def _full_shape(self, name: str) -> Shape:
        shapes = [self.traced.shapes[n] for n in name.split(",")] if name != "jvp" else []
        lead = self.output.shape if self.kind in ("jacobian", "jvp") else ()
        return (*lead, *(n for shape in shapes for n in shape))

    def _shape(self, name: str) -> list[Any] | None:
        shape = self._full_shape(name)
        free = any(n in self.traced.free for n in name.split(","))
        return None if free else described(shape)

    def wrong(self, found: Derivatives, *, poles: bool = False) -> str | None:
        """The name of a formula that fails its check, its `poles` left out; None when all pass."""
        formulas = {n: Formula(d.formula, d.where) for n, d in found.items()}
        with self._located():
            return mismatch(formulas, Reference(self), poles=poles)
