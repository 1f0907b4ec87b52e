"""What PyTorch refuses about tensors, in its words.

Constraints: errors only; nothing is checked that costs time before something is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError, Label
from gradcli.graph.dtype import C_TYPES, SCALAR_TYPES, DType, bfloat16, bool_
from gradcli.graph.node import Node, current
from gradcli.graph.op import LEAF, NoDerivative
from gradcli.graph.shape import text
from gradcli.source import Span
from gradcli.tensor import levels
from gradcli.tensor.inference import refuse_requiring
from gradcli.tensor.kept import name_of, qualified
from gradcli.tensor.operators import Operators

if TYPE_CHECKING:
    from gradcli.tensor.storage import Version
    from gradcli.tensor.tensor import Tensor

CHANGED = "its base or another view of its base has been modified inplace"
COMPUTED = (
    "you can only change requires_grad flags of leaf variables. If you want to use a computed "
    "variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
)
CAUTIONS = {
    "inference": (
        " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify "
        "your code by moving both the view and the inplace either both inside the inference_mode "
        "block (if you don't want the inplace to be tracked) or both outside (if you want the "
        "inplace to be tracked)."
    ),
    "no_grad": (
        " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify "
        "your code by moving both the view and the inplace either both inside the no_grad block "
        "(if you don't want the inplace to be tracked) or both outside (if you want the inplace to "
        "be tracked)."
    ),
    "custom": (
        " This view was created inside a custom Function (or because an input was returned as-is) "
        "and the autograd logic to handle view+inplace would override the custom backward "
        "associated with the custom Function, leading to incorrect gradients. This behavior is "
        "forbidden. You can fix this by cloning the output of the custom Function."
    ),
    "multiple": (
        " This view is the output of a function that returns multiple views. Such functions do not "
        "allow the output views to be modified inplace. You should replace the inplace operation "
        "by an out-of-place one."
    ),
}
"""PyTorch's reasons why autograd does not follow writes to a view."""


def forbidden(tensor: Tensor, what: str) -> GradcliError:
    """G033 for a view that was made in a way that forbids writes which autograd has to follow."""
    view, node = tensor._view, tensor._node
    assert view is not None
    if view.caution == "inference":
        fact = f"A view was created in inference mode and {what} in normal mode."
    elif not node.tracked:
        fact = f"A view was created in no_grad mode and {what} with grad mode enabled."
    else:
        maker = name_of(node).partition("Backward")[0]
        fact = f"Output {getattr(node.call, 'output', 0)} of {maker} is a view"
        if view.caution == "no_grad":
            fact += " of a view which was created in no_grad mode"
            fact += f" and {what} with grad mode enabled."
        else:
            fact += f" and {what}."
    return GradcliError("G033", fact + CAUTIONS[view.caution])


def check_gradient(tensor: Tensor, value: Any) -> None:
    """Raises G014 or G036 for what cannot be assigned to `.grad`."""
    if not issubclass(type(value), Operators):
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
            f"attempting to assign a gradient with dtype '{C_TYPES[value.dtype]}' to a tensor with "
            f"grad_dtype '{SCALAR_TYPES[tensor.dtype]}'. The gradient must match the tensor's "
            "grad_dtype (defaults to the tensor's dtype). You can set the tensor's grad_dtype "
            "attribute with a specific dtype, or None to allow any dtype. Set grad_dtype with "
            "caution. Diverging the dtypes of a tensor and its gradient may break downstream "
            "systems that assume they match.",
            help="convert it: .to(x.dtype)",
        )


def check_data(tensor: Tensor, value: Any) -> None:
    """Raises G014 or G025 for what cannot be assigned to `.data`, G016 in a vmap."""
    levels.refuse_data(
        tensor, "mutating directly with `.data` under vmap transform is not allowed."
    )
    if not issubclass(type(value), Operators):
        raise GradcliError(
            "G014",
            f"Variable data has to be a tensor, but got {type(value).__name__}",
            kind=TypeError,
        )
    if tensor.requires_grad and not value.dtype.differentiable:
        raise GradcliError(
            "G025",
            "data set to a tensor that requires gradients must be floating point or complex dtype",
        )


def check_leaf(dtype: DType, wanted: bool) -> None:
    """Raises G025 for a new leaf that could not get the gradient it wants."""
    if wanted and not dtype.differentiable:
        raise GradcliError(
            "G025",
            "Only Tensors of floating point and complex dtype can require gradients",
            help="say dtype=torch.float32",
        )


def check_requires(tensor: Tensor, wanted: bool, kinds: str = "floating point") -> None:
    """Raises G025, which names these `kinds`, or G033 for what cannot require a gradient.

    G014 is for what is neither True nor False.
    """
    if not isinstance(wanted, bool):
        raise GradcliError("G014", "requires_grad must be a bool")
    if wanted and not tensor.dtype.differentiable:
        raise GradcliError(
            "G025",
            f"only Tensors of {kinds} dtype can require gradients",
            help="make it floating: x.float()",
        )
    if wanted:
        refuse_requiring(tensor)


DEVICES = (
    *("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga"),
    *("maia", "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone"),
)
"""What PyTorch takes for the type of a device."""


def check_device_type(name: str) -> None:
    """Raises G071 for a name that is no type of device."""
    if name not in DEVICES:
        raise GradcliError(
            "G071",
            f"Expected one of {', '.join(DEVICES)} device type at start of device string: {name}",
            help="everything is on the CPU here: torch.device('cpu')",
        )


def check_device(device: Any) -> None:
    """Raises G071, as PyTorch without accelerators does, for a device that is not the CPU."""
    name = str(device).partition(":")[0]
    if name in ("None", "cpu"):
        return
    check_device_type(name)
    help = ["leave the device out: gradcli eval --device says where an expression is computed"]
    if name in ("cuda", "xpu"):
        fact = f"Torch not compiled with {name.upper()} enabled"
        raise GradcliError("G071", fact, help=help, kind=AssertionError)
    raise GradcliError("G071", f"PyTorch is not linked with support for {name} devices", help=help)


# -- of backward passes


def refuse_implicit(node: Node) -> None:
    """Raises G034 when the gradient of `node` needs a cotangent."""
    if node.size != 1:
        raise GradcliError(
            "G034",
            "grad can be implicitly created only for scalar outputs",
            label=f"this is {text(node.shape)}",
            help=[
                "reduce it to a scalar: .sum() or .mean()",
                "or give a cotangent of its shape: .backward(v)",
            ],
        )
    refuse_complex(node.dtype)


def refuse_complex(dtype: DType) -> None:
    """Raises G034 for an output whose gradient would start from a complex 1."""
    if dtype.is_complex:
        raise GradcliError(
            "G034",
            f"grad can be implicitly created only for real scalar outputs but got {dtype!r}",
            help="take a real number of it, such as .abs() or .real",
        )


def refuse_retained(x: Tensor) -> None:
    """Raises G030 where a gradient is to be kept for a tensor that needs none."""
    if not x.requires_grad:
        raise GradcliError(
            "G030",
            "can't retain_grad on Tensor that has requires_grad=False",
            help="make an input with requires_grad=True",
        )


def no_gradient(node: Node, number: int) -> GradcliError:
    """PyTorch's error for a result that no gradient flows to, with the op that cut it."""
    error = GradcliError(
        "G030",
        f"element {number} of tensors does not require grad and does not have a grad_fn",
        help=[
            "requires_grad=True belongs on the input, before the result is computed "
            "(setting it on the loss trains nothing)"
        ],
    )
    rule = node.op.derivatives[0] if node.op.derivatives else None
    cut = isinstance(rule, NoDerivative) and node.op.cuts
    if isinstance(rule, NoDerivative) and cut:
        error.diagnostic.notes.append(f"{node.op.name}: {rule.reason}")
    return with_places(error, (node.span if cut else None, "the graph is cut here"))


def used_up(node: Node) -> GradcliError:
    """PyTorch's error for a second backward pass through the same graph."""
    error = GradcliError(
        "G031",
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
        "backward through the graph a second time or if you need to access saved tensors after "
        "calling backward.",
        help=[
            "compute the result again inside the loop, add the losses up and call backward once, "
            "or pass retain_graph=True"
        ],
    )
    return with_places(error, (node.span, f"{name_of(node)} was used up by the first pass"))


def overwritten(node: Node, saved: Node, version: Version, expected: int) -> GradcliError:
    """PyTorch's error for a value that was changed in place after it was saved."""
    kind = SCALAR_TYPES[saved.dtype]
    named = saved.dtype.is_complex or saved.dtype in (bfloat16, bool_)
    kind = f"CPU{kind}Type" if named else f"torch.{kind}Tensor"
    maker, part = "", saved.stale is not None and bool(saved.stale[2])
    shape = saved.shape if saved is node or part else version.shape or saved.shape
    if saved.tracked and saved.op is not LEAF:
        maker = f", which is output 0 of {_maker_now(node, saved, version)},"
    error = GradcliError(
        "G032",
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [{kind} {list(shape)}]{maker} is at version "
        f"{version.number}; expected version {expected} instead. Hint: enable anomaly detection "
        "to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True, check_nan=False).",
        help="make a new tensor instead: x = x + ... for x += ...",
    )
    return with_places(
        error, (node.span, "saved here for the gradient"), (version.span, "overwritten here")
    )


def _maker_now(node: Node, saved: Node, version: Version) -> str:
    """What made the tensor that is now where `node` saved a value, in the words of G032."""
    if saved is node:  # a function keeps its own result as it was
        name = name_of(saved)
    elif saved.stale is not None and saved.stale[2]:  # a view is seen anew after a write
        name = "AsStrided"
    else:
        name = version.maker or name_of(saved)
    if name == "CopyBackwards":
        return qualified(name)
    return qualified(name).replace("Backward0", "").replace("Backward", "")


def with_places(error: GradcliError, *places: tuple[Span | None, str]) -> GradcliError:
    """The error at the current place, and further places that have to do with it."""
    error.at(current.span)
    error.diagnostic.labels += [
        Label(span, text)
        for span, text in places
        if span is not None and all(span != known.span for known in error.diagnostic.labels)
    ]
    return error
