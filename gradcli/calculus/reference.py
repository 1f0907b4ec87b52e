"""The engine's own derivatives of an expression at given values: what formulas are checked against.

Constraints: an evaluation like any other, in float64; not the graph that the formula came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.calculus.trace import ANY, in_float64
from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.graph.shape import Shape
from gradcli.lowering.interpret import Interpreter
from gradcli.tensor import Tensor, autograd, derivatives
from gradcli.tensor.symbols import sized_shape

if TYPE_CHECKING:
    from gradcli.calculus.task import Task

Sizes = tuple[dict[str, int], Shape]


def _number(name: str, value: Tensor) -> Any:
    """The value of a variable in float64; raises G060 where it is larger than memory."""
    try:
        return np.asarray(value.array(), np.float64)
    except GradcliError as error:
        if error.diagnostic.code == "G060":
            sizes = ",".join("mnklpqrs"[: value.ndim])
            way = f"a formula needs no values: declare the shape instead, {name}:{sizes}"
            error.diagnostic.help = [way, *error.diagnostic.help]
        raise


class Reference:
    """Derivatives of a traced expression by numbers.

    Args:
        task: what is differentiated, by what, and which derivative it is.
    """

    def __init__(self, task: Task) -> None:
        self.traced = traced = task.traced
        self.kind = task.kind
        self.wrt = list(task.wrt)
        self.vectors = dict(task.vectors)
        self.cotangent = task.cotangent
        self.directions = dict(task.directions)
        self.values = {n: _number(n, value) for n, value in traced.values.items()}

    def choices(
        self, sizes: Sequence[Sequence[int]], any_shapes: Sequence[Shape]
    ) -> Iterator[Sizes]:
        """Sizes for the declared names, and shapes for what has any."""
        names = list(self.traced.dims)
        if not names and not self.traced.free:
            yield {}, ()
            return
        rounds = max(len(sizes) if names else 0, len(any_shapes) if self.traced.free else 0)
        for i in range(rounds):
            chosen = sizes[i % len(sizes)]
            numbers = [chosen[k % len(chosen)] + k // len(chosen) for k in range(len(names))]
            yield dict(zip(names, numbers, strict=True)), any_shapes[i % len(any_shapes)]

    def shapes(self, sizes: Sizes) -> dict[str, Shape]:
        """The shape of every variable and vector at some sizes."""
        return {
            name: self._shape(shape, sizes)
            for name, shape in {**self.traced.shapes, **self.vectors}.items()
        }

    def _shape(self, shape: Shape, sizes: Sizes) -> Shape:
        numbers, any_shape = sizes
        names = [str(n) for n in shape]
        if names == list(ANY):
            return any_shape
        return sized_shape(shape, numbers)

    def variables(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """What an expression may use at a point: tensors, and the sizes it speaks of."""
        known = {n: v for n, v in self.traced.given.items() if n not in self.traced.shapes}
        known.update({name: from_array(value) for name, value in point.items()})
        sizes = self._sizes(point)
        known.update({name: sizes[name] for name in self.traced.spoken})
        return known

    def _sizes(self, point: Mapping[str, Any]) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, shape in self.traced.shapes.items():
            for size, number in zip(shape, point[name].shape, strict=False):
                form = getattr(size, "form", None)
                if isinstance(form, str):
                    found[form] = number
        return found

    def derivatives(self, point: Mapping[str, Any]) -> dict[str, Any] | None:
        """Every derivative at a point, by name; None where the point is outside the domain."""
        with in_float64():
            known = self.variables(point)
            for name in self.traced.shapes:
                known[name].requires_grad = True
            inputs = [known[name] for name in self.wrt]
            output = Interpreter(dict(known)).evaluate(self.traced.expression)
            found = self._found(output, inputs, known, self._sizes(point))
            arrays = {name: np.asarray(t.array(), np.float64) for name, t in found.items()}
        good = [np.asarray(output.array()), *arrays.values()]
        return arrays if all(np.isfinite(a).all() for a in good) else None

    def _found(
        self,
        output: Tensor,
        inputs: list[Tensor],
        known: Mapping[str, Tensor],
        sizes: Mapping[str, int],
    ) -> dict[str, Tensor]:
        if self.kind == "hessian":
            blocks = derivatives.hessian(output, inputs)
            return {
                f"{a},{b}": _or_zero(part, (*x.shape, *y.shape))
                for a, x, row in zip(self.wrt, inputs, blocks, strict=True)
                for b, y, part in zip(self.wrt, inputs, row, strict=True)
            }
        if self.kind == "jvp":
            chosen = [known[name] for name in self.directions]
            vectors = [vector.value(known, sizes) for vector in self.directions.values()]
            return {"jvp": derivatives.jvp(output, chosen, vectors)}
        if self.kind == "jacobian":
            parts: Sequence[Tensor | None] = derivatives.jacobian(output, inputs)
            shapes = [(*output.shape, *x.shape) for x in inputs]
        else:
            given = self.cotangent
            seed = _ones(output) if given is None else given.value(known, sizes)
            shapes = [tuple(x.shape) for x in inputs]
            parts = [None] * len(inputs)
            if output.requires_grad:
                parts = autograd.grad(
                    [output], inputs, [seed], allow_unused=True, retain_graph=True
                )
            if self.kind == "elementwise2":
                parts = self._again(output, inputs)
        return {
            name: _or_zero(part, shape)
            for name, part, shape in zip(self.wrt, parts, shapes, strict=True)
        }

    def _again(self, output: Tensor, inputs: list[Tensor]) -> list[Tensor | None]:
        """The second derivative of each element."""
        found: list[Tensor | None] = []
        for x in inputs:
            seed = _ones(output)
            (first,) = autograd.grad([output], [x], [seed], create_graph=True, allow_unused=True)
            second = None
            if first is not None and first.requires_grad:
                (second,) = autograd.grad(
                    [first], [x], [_ones(first)], allow_unused=True, retain_graph=True
                )
            found.append(second)
        return found


def _ones(like: Tensor) -> Tensor:
    return from_array(np.ones(tuple(like.shape)))


def _or_zero(part: Tensor | None, shape: Sequence[int]) -> Tensor:
    return from_array(np.zeros(tuple(shape))) if part is None else part
