"""What a backward pass begins with: the cotangents of its outputs, checked in PyTorch's words."""

from __future__ import annotations

from gradcli.errors import GradcliError
from gradcli.graph.node import Node, constant
from gradcli.graph.op import LEAF
from gradcli.graph.shape import Shape
from gradcli.ops.elementwise import cast
from gradcli.tensor.refusals import no_gradient, refuse_implicit
from gradcli.tensor.size import Size
from gradcli.tensor.tensor import Tensor


def seed(
    output: Tensor, cotangent: Tensor | None, number: int, batched: bool = False
) -> tuple[Node, Node]:
    """An output's node and its cotangent's, checked as PyTorch checks them."""
    node = output.node
    given = None if cotangent is None else cotangent.node
    if given is not None and batched and not given.shape:
        raise GradcliError(
            "G037",
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` "
            "in C++ to convert a 0-dim tensor to a number",
            help="a batch of cotangents has an axis more than the result",
            kind=IndexError,
        )
    if given is not None and given.shape[batched:] != node.shape:
        raise _misfit(given.shape, node.shape, number, batched)
    if not node.tracked or (node.op is LEAF and not node.attrs["counts"]):
        raise no_gradient(node, number)
    if given is None:
        refuse_implicit(node)
        if batched:
            raise GradcliError(
                "G037",
                "is_grads_batched=True needs a batch of cotangents for each output, and output "
                f"{number} has none",
                help="give one with grad_outputs",
                kind=ValueError,
            )
        return node, constant(1, node.dtype, node.shape)
    return node, cast(given, node.dtype)


def _misfit(given: Shape, wanted: Shape, number: int, batched: bool) -> GradcliError:
    shapes = (
        f"grad_output[{number}] has a shape of {Size(given[2 * batched :])} and output[{number}] "
        f"has a shape of {Size(wanted)}."
    )
    if batched:
        return GradcliError(
            "G036",
            "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as "
            "the batch dimension. The sizes of the remaining dimensions are expected to match the "
            f"shape of corresponding output, but a mismatch was detected: {shapes} If you only "
            "want some tensors in `grad_output` to be considered batched, consider using vmap.",
        )
    sentence = f"Mismatch in shape: {shapes}"
    return GradcliError("G036", sentence, help="the cotangent has the shape of the result")
