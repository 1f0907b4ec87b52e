"""`torch.nn.utils`: gradients made smaller, parameters as one vector.

Constraints: no gradient is recorded for what is written; the norms are those of `.grad`, and
parameters without one are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions import find
from gradcli.graph.shape import numel
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite
from gradcli.tensor.storage import Stop


def _gradients(parameters: Any) -> list[Tensor]:
    listed = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in listed if p.grad is not None]


@composite("nn.utils.get_total_norm", method=False)
def get_total_norm(
    tensors: Any, norm_type: Any = 2.0, error_if_nonfinite: bool = False, foreach: Any = None
) -> Tensor:
    """The norm of all elements of the tensors together.

    Raises:
        GradcliError: G026 for a norm that is no finite number, where that is an error.
    """
    listed = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    order = float(norm_type)
    norm = find("torch.linalg.vector_norm")
    if not listed:
        return find("torch.tensor")(0.0)  # type: ignore[no-any-return]
    total: Tensor = norm(find("torch.stack")([norm(x, order) for x in listed]), order)
    if error_if_nonfinite and not find("torch.isfinite")(total).item():
        raise GradcliError(
            "G026",
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite "
            "norm anyway, set `error_if_nonfinite=False`",
        )
    return total


@composite("nn.utils.clip_grads_with_norm_", method=False)
def clip_grads_with_norm_(
    parameters: Any, max_norm: Any, total_norm: Any, foreach: Any = None
) -> None:
    """Scales the gradients of the parameters by `max_norm / total_norm` where that is under 1."""
    with Stop(False):
        factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for gradient in _gradients(parameters):
            gradient.mul_(factor)


@composite("nn.utils.clip_grad_norm_", "nn.utils.clip_grad_norm", method=False)
def clip_grad_norm_(
    parameters: Any,
    max_norm: Any,
    norm_type: Any = 2.0,
    error_if_nonfinite: bool = False,
    foreach: Any = None,
) -> Tensor:
    """Scales gradients so that all of them together have at most the norm `max_norm`.

    Returns:
        The norm before.
    """
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    with Stop(False):
        total = get_total_norm(_gradients(listed), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(listed, max_norm, total)
    return total  # type: ignore[no-any-return]


@composite("nn.utils.clip_grad_value_", method=False)
def clip_grad_value_(parameters: Any, clip_value: Any, foreach: Any = None) -> None:
    """Cuts every element of the gradients off at `clip_value` and its negative."""
    bound = float(clip_value)
    with Stop(False):
        for gradient in _gradients(parameters):
            gradient.clamp_(-bound, bound)


@composite("nn.utils.parameters_to_vector", method=False)
def parameters_to_vector(parameters: Any) -> Tensor:
    """All elements of the parameters, one after the other, in one dimension."""
    return find("torch.cat")([p.view(-1) for p in parameters])  # type: ignore[no-any-return]


@composite("nn.utils.vector_to_parameters", method=False)
def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Lets the parameters go on with the elements of `vec`, in its memory."""
    if not isinstance(vec, Tensor):
        raise GradcliError(
            "G014", f"expected torch.Tensor, but got: {type(vec).__name__}", kind=TypeError
        )
    start = 0
    for parameter in parameters:
        stop = start + numel(parameter.shape)
        parameter.data = vec[start:stop].view(parameter.shape).data
        start = stop
