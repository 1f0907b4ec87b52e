"""Jacobians at a point, by autograd and by differences: what `gradcheck` compares.

Constraints: a Jacobian has a row for each element of the input and a column for each of the output,
as PyTorch prints it. While differences are taken the input itself has other values, so that a
function that does not read its arguments is measured too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import dtype_of
from gradcli.functions.forward_ad import dual_level, make_dual, unpack_dual
from gradcli.graph.node import data
from gradcli.tensor import Tensor, autograd, layout

Array = Any
Values = tuple[Any, ...]
Pulled = tuple[Tensor | None, ...]


class Point:
    """A function at its inputs.

    Raises:
        GradcliError: G026 or G030 for inputs by which no slope can be measured.
    """

    def __init__(self, function: Callable[..., Any], inputs: Values, eps: float) -> None:
        self.function = function
        self.inputs = inputs
        self.eps = eps
        self.varied = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
        _check(inputs, self.varied)

    def outputs(self, part: str = "") -> list[Tensor]:
        """The outputs; with `part`, the real or imaginary parts of those that are complex."""
        found = as_tuple(self.function(*self.inputs))
        return [getattr(y, part) if part and y.dtype.is_complex else y for y in found]

    def pulled(self, outputs: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Pulled:
        """The gradients by the inputs."""
        return autograd.grad(outputs, self.varied, cotangents, retain_graph=True, allow_unused=True)

    # -- by autograd

    def rows(self, output: Tensor) -> list[Pulled]:
        """The gradients of each element of `output`."""
        return [self.pulled([output], [unit(output, i)]) for i in range(output.array().size)]

    def jacobian(self, j: int, rows: list[Pulled]) -> Array:
        """The Jacobian by input number `j`, of `rows`."""
        x = self.varied[j].array()
        columns = [
            np.zeros(x.size, x.dtype) if row is None else row.array().reshape(-1)
            for row in (row[j] for row in rows)
        ]
        return np.stack(columns, -1) if columns else np.zeros((x.size, 0), x.dtype)

    def forward(self, j: int) -> list[Array]:
        """The Jacobians of every output by input number `j`, in forward mode."""
        x = self.varied[j]
        rows = [self._pushed(x, unit(x, place)) for place in range(x.array().size)]
        return self._stacked(rows)

    def _stacked(self, rows: list[list[Array]]) -> list[Array]:
        """For each output, its rows: one for each element of an input, which may have none."""
        if not rows:
            return [np.zeros((0, y.numel())) for y in self.outputs()]
        return [np.stack(columns) for columns in zip(*rows, strict=True)]

    def _pushed(self, x: Tensor, tangent: Tensor) -> list[Array]:
        """The tangents of every output, flattened, where `x` has a tangent."""
        with dual_level():
            dual = make_dual(x, tangent)
            given = [dual if y is x else y for y in self.inputs]
            outputs = as_tuple(self.function(*given))
            found = [(y, unpack_dual(y).tangent) for y in outputs]
            return [(zeros(y) if t is None else t).array().reshape(-1) for y, t in found]

    # -- by differences

    def differences(self, j: int, part: str = "", *, forward: bool = False) -> list[Array]:
        """Central differences of every output; conjugate Wirtinger's for a complex input."""
        x = self.varied[j]
        rows = []
        for place in range(x.array().size):
            columns = self._slope(x, place, self.eps, part)
            if x.dtype.is_complex and not forward:
                turned = self._slope(x, place, self.eps * 1j, part)
                columns = [a + b * 1j for a, b in zip(columns, turned, strict=True)]
            rows.append(columns)
        return self._stacked(rows)

    def _slope(self, x: Tensor, place: int, step: complex, part: str) -> list[Array]:
        low, high = (self._at(x, place, by, part) for by in (-step, step))
        for a, b in zip(low, high, strict=True):
            for what in ("shape", "dtype"):
                left, right = getattr(a, what), getattr(b, what)
                if left != right:
                    index = tuple(map(int, np.unravel_index(place, x.shape)))
                    raise GradcliError(
                        "G047",
                        f"Expected `func` to return outputs with the same {what} when inputs are "
                        f"perturbed on index {index} by {self.eps}, but got: {what}s {left} and "
                        f"{right}.",
                        kind=AssertionError,
                    )
        return [(b - a).reshape(-1) / (2 * self.eps) for a, b in zip(low, high, strict=True)]

    def _at(self, x: Tensor, place: int, by: complex, part: str) -> list[Array]:
        moved = np.array(x.array())
        moved.reshape(-1)[place] += by
        with _holding(x, moved):
            return [np.array(y.array()) for y in self.outputs(part)]


@contextmanager
def _holding(x: Tensor, value: Array) -> Iterator[None]:
    """A block in which `x` is a leaf of another value."""
    names = ("_node", "_storage", "_seen", "_view", "_requires", "_autograd")
    before = [getattr(x, name) for name in names]
    other = as_tensor(value)
    other.requires_grad = True
    try:
        for name in names:
            setattr(x, name, getattr(other, name))
        yield
    finally:
        for name, kept in zip(names, before, strict=True):
            setattr(x, name, kept)


def _check(inputs: Values, varied: list[Tensor]) -> None:
    for place, x in enumerate(inputs):
        if any(x is y for y in varied) and any(
            step == 0 and size > 1 for step, size in zip(layout.strides_of(x), x.shape, strict=True)
        ):
            raise GradcliError(
                "G026",
                f"The {place}th input has a dimension with stride 0. gradcheck only supports "
                "inputs that are non-overlapping to be able to compute the numerical gradients "
                "correctly. You should call .contiguous on the input before passing it to "
                "gradcheck.",
            )
    if not varied:
        raise GradcliError(
            "G030",
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True.",
            kind=ValueError,
        )


def as_tuple(value: Any) -> Values:
    """A tuple or list as a tuple; anything else as the only item of one."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def as_tensor(value: Array) -> Tensor:
    """A tensor of a NumPy array."""
    return Tensor(data(value, value.shape, dtype_of(value)))


def zeros(like: Tensor) -> Tensor:
    """A tensor of zeros."""
    return as_tensor(np.zeros(tuple(like.shape), like.array().dtype))


def unit(like: Tensor, place: int) -> Tensor:
    """Zeros, and a one at one place of the flattened tensor."""
    one = np.zeros(tuple(like.shape), like.array().dtype)
    one.reshape(-1)[place] = 1
    return as_tensor(one)
