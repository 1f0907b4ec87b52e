"""What PyTorch refuses about tensors, in its words.

Constraints: errors only; nothing is checked that costs time before something is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError, Label, did_you_mean
from gradcli.graph.node import current
from gradcli.source import Span
from gradcli.tensor import registry

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor

CAUTIONS = {
    "no_grad": (
        "A view was created in no_grad mode and {what} with grad mode enabled. Given that this "
        "use case is ambiguous and error-prone, it is forbidden. You can clarify your code by "
        "moving both the view and the inplace either both inside the no_grad block (if you don't "
        "want the inplace to be tracked) or both outside (if you want the inplace to be tracked)."
    ),
    "multiple": (
        "Output {output} of {maker} is a view and {what}. This view is the output of a function "
        "that returns multiple views. Such functions do not allow the output views to be modified "
        "inplace. You should replace the inplace operation by an out-of-place one."
    ),
}
"""PyTorch's reasons why autograd does not follow writes to a view."""


def forbidden(tensor: Tensor, what: str) -> GradcliError:
    """G033 for a view that was made in a way that forbids writes which autograd has to follow."""
    view = tensor._view
    assert view is not None
    reason = CAUTIONS[view.caution.partition(":")[0]]
    _, maker, output = (*view.caution.split(":"), "", "")[:3]
    return GradcliError("G033", reason.format(what=what, maker=maker, output=output))


def no_attribute(name: str) -> GradcliError:
    """The error for an attribute that tensors do not have."""
    from gradcli.tensor.tensor import Tensor

    known = [*registry.method_names(), *dir(Tensor)]
    return GradcliError(
        "G011",
        f"'Tensor' object has no attribute '{name}'",
        help=did_you_mean(name, (k for k in known if not k.startswith("_"))),
        kind=AttributeError,
    )


def check_gradient(tensor: Tensor, value: Any) -> None:
    """Raises G014 or G036 for what cannot be assigned to `.grad`."""
    if not isinstance(value, type(tensor)):
        raise GradcliError(
            "G014",
            "assigned grad expected to be a Tensor or None but got grad of type "
            f"{type(value).__name__}",
            kind=TypeError,
        )
    if value is tensor:
        raise GradcliError("G036", "can't assign Variable as its own grad")
    if value.shape != tensor.shape:
        raise GradcliError(
            "G036",
            f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size "
            f"'{list(tensor.shape)}'. Please ensure that the gradient and the tensor are the same "
            "size",
        )
    if value.dtype is not tensor.dtype:
        raise GradcliError(
            "G036",
            f"attempting to assign a gradient with dtype '{value.dtype.name}' to a tensor of dtype "
            f"'{tensor.dtype.name}'",
        )


def with_places(error: GradcliError, *places: tuple[Span | None, str]) -> GradcliError:
    """The error at the current place, and further places that have to do with it."""
    error.at(current.span)
    error.diagnostic.labels += [
        Label(span, text)
        for span, text in places
        if span is not None and all(span != known.span for known in error.diagnostic.labels)
    ]
    return error
