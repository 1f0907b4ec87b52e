"""Cotangents and directions that derivatives are multiplied by: symbols, or formulas of their own.

Constraints: a name that no variable has is a symbol of the shape that fits; a value whose elements
only a file knows is one too, called `v`, since the formula is the same whatever they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli import api
from gradcli.calculus.derive import symbol
from gradcli.calculus.trace import ANY, Traced, described, in_float64
from gradcli.errors import GradcliError
from gradcli.graph.dim import bases
from gradcli.graph.node import Node
from gradcli.graph.shape import Shape
from gradcli.language.parser import parse_expression
from gradcli.lowering import names
from gradcli.lowering.interpret import Interpreter
from gradcli.source import Source
from gradcli.tensor import Tensor
from gradcli.tensor.storage import Stop

Given = str | Tensor
"""A name, the text of an expression, or a value."""


class Vector:
    """A cotangent or a direction.

    Args:
        given: a name, an expression over the variables, or a value.
        shape: that it must have.
        traced: the expression that is differentiated.

    Attributes:
        name: of the symbol that it is; None for an expression.

    Raises:
        GradcliError: G036 for another shape.
    """

    def __init__(self, given: Given, shape: Shape, traced: Traced) -> None:
        self.shape = shape
        self.traced = traced
        self.name: str | None = None
        self.tree: Any = None
        if isinstance(given, Tensor):
            self._fits(tuple(given.shape), "the value")
            taken = {*traced.variables, *traced.dims}
            self.name = next(n for n in ("v", "u", "w", "\u03bd") if n not in taken)
        elif given.isidentifier() and not (names.may_mean(given) and names.lookup(given)):
            self.name = given
            known = traced.shapes.get(given)
            if known is not None:
                self._fits(known, given)
        else:
            self.tree = parse_expression(Source("<vector>", given))
            self._fits(tuple(self.value(traced.variables, traced.dims).shape), f"`{given}`")

    def _fits(self, shape: Shape, said: str) -> None:
        if any(name in ANY for n in self.shape for name in bases(n)) and shape != self.shape:
            raise GradcliError(
                "G015",
                f"{said} has a shape, and the variables have none",
                None if self.tree is None else self.tree.span,
                help=f"declare it: {next(iter(self.traced.free))}:3, or give the vector a name",
            )
        if shape != self.shape:
            have, want = (", ".join(map(str, described(s))) for s in (shape, self.shape))
            raise GradcliError(
                "G036",
                f"{said} has the shape ({have}), it must have ({want})",
                None if self.tree is None else self.tree.span,
                help="a cotangent has the shape of the result, a direction that of its variable",
                kind=ValueError,
            )

    @property
    def new(self) -> bool:
        """Whether it is a symbol that the expression does not have."""
        return self.name is not None and self.name not in self.traced.shapes

    def node(self) -> Node:
        """Its node over the variables of the traced expression."""
        if self.tree is not None:
            return self.value(self.traced.variables, self.traced.dims).value_node
        assert self.name is not None
        if self.name in self.traced.shapes:
            found: Node = self.traced.variables[self.name].value_node
            return found
        return symbol(self.name, self.shape)

    def value(self, variables: Mapping[str, Any], sizes: Mapping[str, Any]) -> Tensor:
        """Its value where the variables and the declared sizes have these."""
        if self.tree is None:
            known: Tensor = variables[str(self.name)]
            return known.detach()
        with in_float64(), Stop(False):
            found = Interpreter({**sizes, **variables}).evaluate(self.tree)
            leaf: Tensor = api.as_leaf("v", found)
            return leaf.detach()
