"""What is checked: a function of one variable, its derivative by autodiff, and one by hand.

Constraints: everything in float64; random numbers inside the expression are the same in every
evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli import api
from gradcli.checks.differences import Function, rounding
from gradcli.checks.points import array_of
from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.graph.dtype import bfloat16, default, float16, float32, float64
from gradcli.graph.shape import text as shape_text
from gradcli.graph.walk import ancestors
from gradcli.language import ast
from gradcli.lowering.interpret import Interpreter
from gradcli.tensor import Tensor, derivatives
from gradcli.tensor.generator import default_generator
from gradcli.tensor.storage import Stop

Array = Any
EPSILONS = {bfloat16: 2.0**-7, float16: 2.0**-10, float32: 2.0**-23, float64: 2.0**-52}
"""The distance from one to the next number of a dtype."""


class Double:
    """A block in which new tensors are float64, where nothing says otherwise."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = default.dtype
        default.dtype = float64

    def __exit__(self, *exception: object) -> None:
        default.dtype = self._before


class Problem:
    """The derivative of an expression by a variable, of the first or second order.

    Args:
        tree: the expression.
        by: the variable, or for the second order two of them.
        seed: of random numbers inside the expression.

    Attributes:
        output: the result that the last `autodiff` differentiated, with its graph.
        precision: the relative error of one rounding in it, of its least precise dtype.
    """

    output: Tensor
    precision: float

    def __init__(self, tree: ast.Expression, by: tuple[str, ...], seed: int = 0) -> None:
        self.tree = tree
        self.by = by
        self.seed = seed

    @property
    def label(self) -> str:
        """What reports call it: `x`, or `x,y`."""
        return ",".join(self.by)

    def function(self, values: Mapping[str, Any]) -> Function:
        """The function whose slope is wanted, of the last variable of `by`."""
        name = self.by[-1]

        def at(x: Array) -> Array:
            moved = {**values, name: from_array(x)}
            with Double():
                return self._value(moved) if len(self.by) == 1 else self._gradient(moved)

        return at

    def autodiff(self, values: Mapping[str, Any]) -> Array:
        """The derivative: an array of the shape of the output, then of the variable."""
        names = list(dict.fromkeys(self.by))
        default_generator.manual_seed(self.seed)
        for name in names:
            values[name].requires_grad = True
        first = values[names[0]]
        with Double():
            output = self.output = _real_tensor(Interpreter(dict(values)).evaluate(self.tree))
            self.precision = _precision(output)
            if len(self.by) == 1:
                (found,) = derivatives.jacobian(output, [first])
                shape = (*output.shape, *first.shape)
            else:
                found = derivatives.hessian(output, [values[name] for name in names])[0][-1]
                shape = (*first.shape, *values[self.by[1]].shape)
            return np.zeros(shape) if found is None else array_of(found)

    def derivative(self, values: Mapping[str, Any]) -> Function:
        """`autodiff` as a function of the last variable of `by`; leaves `output` as it is."""
        other = Problem(self.tree, self.by, self.seed)
        return lambda x: other.autodiff({**values, self.by[-1]: from_array(x)})

    def noise(self, values: Mapping[str, Any]) -> float:
        """How much of the function is rounding here; infinite where it has no value or slope."""
        with np.errstate(all="ignore"):
            found = self.autodiff(values), array_of(self.output)
        if not all(bool(np.all(np.isfinite(array))) for array in found):
            return math.inf
        function, point = self.function(values), array_of(values[self.by[-1]])
        middle = function(point)
        lost = rounding(function, point, middle, self.precision)
        size = np.abs(middle).max(initial=1e-300)
        return float(np.where(np.isnan(lost), np.inf, lost / size).max(initial=0.0))

    def _value(self, values: Mapping[str, Any]) -> Array:
        default_generator.manual_seed(self.seed)
        with Stop(False):
            output = Interpreter(dict(values)).evaluate(self.tree)
        return array_of(_real_tensor(output))

    def _gradient(self, values: Mapping[str, Any]) -> Array:
        name = self.by[0]
        default_generator.manual_seed(self.seed)
        part = api.evaluate(self.tree, values, wrt=[name]).grads[name]
        return np.zeros(values[name].shape) if part is None else part


def hand_written(
    tree: ast.Expression, values: Mapping[str, Any], shape: tuple[int, ...], size: int
) -> Array:
    """A hand-written derivative where it fits: of `shape` (or repeated to it).

    For a result of several elements that each depend on the element at their place alone, a formula
    of the variable's shape stands for the diagonal; `size` is how many trailing sizes of `shape`
    are the variable's.

    Raises:
        GradcliError: G036 where it does not fit, with both shapes.
    """
    found = value_of(tree, values)
    own, rest = shape[len(shape) - size :], shape[: len(shape) - size]
    if own and rest == own and np.ndim(found) <= size and _repeats(np.shape(found), own):
        diagonal = np.diag(np.broadcast_to(found, own).reshape(-1))
        return diagonal.reshape((*own, *own))
    if _repeats(np.shape(found), shape):
        return np.broadcast_to(found, shape)
    if np.shape(found) == own and int(np.prod(rest)) == 1:
        return found.reshape(shape)
    raise Misfit(np.shape(found), shape, found)


def value_of(tree: ast.Expression, values: Mapping[str, Any]) -> Array:
    """What a formula gives, of any shape."""
    with Stop(False), Double():
        value = api.as_leaf("expected", Interpreter(dict(values)).evaluate(tree))
    return array_of(_real_tensor(value))


class Misfit(GradcliError):
    """G036: a hand-written derivative of another shape; keeps its value, to find out why."""

    def __init__(self, given: tuple[int, ...], wanted: tuple[int, ...], value: Array) -> None:
        super().__init__(
            "G036",
            f"the hand-written derivative is {shape_text(given)}, "
            f"the derivative is {shape_text(wanted)}",
        )
        self.value = value


def _repeats(given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether broadcasting repeats `given` to exactly `wanted`."""
    try:
        return np.broadcast_shapes(given, wanted) == wanted
    except ValueError:
        return False


def _precision(output: Tensor) -> float:
    """The relative error of one rounding, of the least precise dtype that gradients go through."""
    dtypes = {node.dtype for node in ancestors([output.node], lambda node: node.tracked)}
    return max((EPSILONS[d.to_real()] for d in dtypes), default=EPSILONS[float64])


def _real_tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor) and value.dtype.is_floating_point:
        return value
    kind = value.dtype.name if isinstance(value, Tensor) else type(value).__name__
    raise GradcliError(
        "G025",
        f"the result is {kind}: only a real floating-point tensor has a derivative to check",
        help="make the result floating: .float(), or take a real part of it",
    )
