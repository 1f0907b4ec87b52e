"""Derivatives beyond the gradient: Jacobians, Hessians, and their products with vectors.

Constraints: one backward pass for all rows of a Jacobian (a batch of cotangents); forward mode is
the transpose of the transpose. Sizes are checked against the memory limit first.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.errors import GradcliError
from gradcli.execute.limits import human, memory
from gradcli.graph.node import Node, constant, current
from gradcli.graph.shape import Shape, numel, text
from gradcli.ops.elementwise import cast
from gradcli.ops.movement import reshape
from gradcli.tensor import autograd, structured
from gradcli.tensor.storage import Stop
from gradcli.tensor.tensor import Tensor


def jacobian(
    output: Tensor, inputs: Sequence[Tensor], *, create_graph: bool = False
) -> list[Tensor | None]:
    """The derivative of every element of `output` by every element of each input.

    Returns:
        For each input a tensor of the shape `output.shape + input.shape`; None where the output
        does not depend on it.

    Raises:
        GradcliError: G060 when one does not fit into memory.
    """
    rows = numel(output.shape)
    for x in inputs:
        _refuse(rows * numel(x.shape), x.dtype.itemsize, "a Jacobian")
    if not output.requires_grad:
        return [None] * len(inputs)
    targets = autograd.Targets(inputs)
    with Stop(create_graph):
        found = structured.jacobians(output.node, targets)
        parts = [targets.cotangent(x, found) for x in inputs]
        return [
            None if part is None else _shaped(part, (*output.shape, *x.shape))
            for x, part in zip(inputs, parts, strict=True)
        ]


def hessian(output: Tensor, inputs: Sequence[Tensor]) -> list[list[Tensor | None]]:
    """The second derivatives of a scalar: for each pair of inputs `a.shape + b.shape`.

    Raises:
        GradcliError: G034 when `output` is no scalar; G060 when a block does not fit into memory.
    """
    if numel(output.shape) != 1:
        raise GradcliError(
            "G034",
            f"only a scalar has a Hessian, this is {text(tuple(output.shape))}",
            help="reduce it: .sum() or .mean()",
        )
    for a in inputs:
        for b in inputs:
            _refuse(numel(a.shape) * numel(b.shape), a.dtype.itemsize, "a Hessian")
    gradients = _gradients(output, inputs)
    return [[None] * len(inputs) if g is None else jacobian(g, inputs) for g in gradients]


def jvp(output: Tensor, inputs: Sequence[Tensor], tangents: Sequence[Tensor]) -> Tensor:
    """The derivative of `output` in the direction `tangents`: a tensor of the output's shape."""
    if not output.requires_grad:
        return Tensor(constant(0, output.dtype, tuple(output.shape)))
    dummy = Tensor(constant(1, output.dtype, tuple(output.shape)))
    dummy.requires_grad = True
    pulled = pulled_back(output, inputs, dummy)
    (result,) = _directional(pulled, tangents, [dummy], forward=True)
    return Tensor(constant(0, output.dtype, tuple(output.shape))) if result is None else result


def pulled_back(output: Tensor, inputs: Sequence[Tensor], dummy: Tensor) -> Sequence[Tensor | None]:
    """The gradients of `output` for the cotangent `dummy`, which forward mode differentiates by.

    That is 1: what is linear in it may be written in a form that is not at 0.
    """
    current.forward = True
    try:
        return autograd.grad(
            [output],
            inputs,
            [dummy],
            retain_graph=True,
            create_graph=True,
            allow_unused=True,
            forward=True,
        )
    finally:
        current.forward = False


def hvp(output: Tensor, inputs: Sequence[Tensor], vectors: Sequence[Tensor]) -> list[Tensor | None]:
    """The Hessian of a scalar times `vectors`: for each input a tensor of its shape."""
    return _directional(_gradients(output, inputs), vectors, inputs)


def _gradients(output: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
    if not output.requires_grad:
        return [None] * len(inputs)
    return autograd.grad(
        [output],
        inputs,
        [None],
        retain_graph=True,
        create_graph=True,
        allow_unused=True,
        named=False,
    )


def _directional(
    gradients: Sequence[Tensor | None],
    vectors: Sequence[Tensor],
    inputs: Sequence[Tensor],
    *,
    forward: bool = False,
) -> list[Tensor | None]:
    """The derivative of the inner product of gradients and vectors by `inputs`."""
    pairs = [
        (g, _matching(v, g))
        for g, v in zip(gradients, vectors, strict=True)
        if g is not None and g.requires_grad
    ]
    if not pairs:
        return [None] * len(inputs)
    return list(
        autograd.grad(
            [g for g, _ in pairs],
            inputs,
            [v for _, v in pairs],
            retain_graph=True,
            allow_unused=True,
            forward=forward,
        )
    )


def _matching(vector: Tensor, like: Tensor) -> Tensor:
    if vector.shape != like.shape:
        raise GradcliError(
            "G036",
            f"the vector is {text(tuple(vector.shape))}, its variable is {text(tuple(like.shape))}",
            help="give it the variable's shape",
        )
    return Tensor(cast(vector.value_node, like.dtype))


def _shaped(part: Node, shape: Shape) -> Tensor:
    from gradcli.execute.evaluate import settle

    node = reshape(part, axes=part.ndim, shape=shape)
    settle(node)
    return Tensor(node)


def _refuse(count: int, itemsize: int, what: str) -> None:
    if count * itemsize > memory.limit:
        raise GradcliError(
            "G060",
            f"{what} of {count} elements needs {human(count * itemsize)}, the limit is "
            f"{human(memory.limit)}",
            help="--hvp and --vjp need no matrix; --max-memory raises the limit",
        )
