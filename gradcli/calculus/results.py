"""What `differentiate` gives: formulas by variable, with the names that they share.

Constraints: holds trees and writes them as text; computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.calculus.trace import Traced
from gradcli.graph.shape import Shape
from gradcli.language.print import unparse
from gradcli.render.tree import Tree


class Derivative:
    """The derivative by one variable (or pair of variables).

    Attributes:
        variable: its name; `a,b` for a block of a Hessian.
        formula: the text, in gradcli's language.
        where: name -> text of the subexpressions that it names, in order.
        shape: of the derivative: names and numbers; None where it has the shape of anything.
        depends: False where the result does not depend on the variable.
        notes: where PyTorch gives something else: singular points and ties.
    """

    __slots__ = ("depends", "meanings", "notes", "shape", "tree", "variable")

    def __init__(
        self,
        variable: str,
        formula: Tree,
        meanings: Mapping[str, Tree],
        shape: list[Any] | None,
        depends: bool,
    ) -> None:
        self.variable = variable
        self.tree = formula
        self.meanings = dict(meanings)
        self.shape = shape
        self.depends = depends
        self.notes: list[str] = []

    @property
    def formula(self) -> str:
        """The text."""
        return unparse(self.tree)

    @property
    def where(self) -> dict[str, str]:
        """The texts of the names that it uses."""
        return {name: unparse(t) for name, t in self.meanings.items()}

    def __str__(self) -> str:
        return "\n".join([self.formula, *(f"where {n} = {t}" for n, t in self.where.items())])

    def __repr__(self) -> str:
        return f"<Derivative {self.variable}: {self.formula}>"


class Derivatives(dict[str, Derivative]):
    """Derivatives by variable, with the expression they belong to.

    Attributes:
        traced: the expression and its variables.
        kind: "gradient", "elementwise", "elementwise2", "jacobian", "hessian", "vjp" or "jvp".
        meanings: what the names in all of the formulas mean.
        vectors: the shapes of the cotangents and directions.
        directions: variable -> its direction, for "jvp".
    """

    traced: Traced
    kind: str
    meanings: dict[str, Tree]
    vectors: dict[str, Shape]
    directions: Mapping[str, Any]
