"""The same values as another dtype, as NumPy's, or through a Python function of each element."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.devices import Device
from gradcli.functions.shape import in_rows, reshaped
from gradcli.graph.dtype import DTYPES, SCALAR_TYPES, DType, as_dtype, default, of_tensor_type
from gradcli.graph.node import Node, current
from gradcli.ops.elementwise import ROUNDING, cast
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import composite, internal
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.refusals import check_device
from gradcli.tensor.shared import SharedArray


@internal("to_copy")
def _to_dtype(input: Any, dtype: DType, rows: bool = False) -> Node:
    made = cast(input, dtype)
    return reshaped(made, made.shape) if rows else made


@composite("Tensor.to")
def to(input: Any, *args: Any, dtype: Any = None, copy: bool = False, **options: Any) -> Any:
    """The tensor as another dtype; raises G071 for a device that is not there."""
    for value in (*args, options.get("other"), options.get("device")):
        if isinstance(value, DType) or value in (float, int, bool, complex):
            dtype = value
        elif isinstance(value, Tensor):
            dtype = value.dtype
        elif isinstance(value, (str, Device)):
            check_device(value)
    wanted = input.dtype if dtype is None else as_dtype(dtype)
    if wanted is input.dtype:
        return input.clone() if copy else input
    return _to_dtype(input, wanted, in_rows(options.get("memory_format")))


@composite("Tensor.type")
def type_(input: Any, dtype: object = None) -> Any:
    """The tensor as another dtype (`torch.long`, `torch.LongTensor`, `"torch.LongTensor"`), or the
    name of its type."""
    if dtype is None:
        return f"torch.{SCALAR_TYPES[input.dtype]}Tensor"
    if isinstance(dtype, DType):
        return to(input, dtype)
    named = default.dtype if dtype in (Tensor, "torch.Tensor") else of_tensor_type(dtype)
    if named is None and isinstance(dtype, (str, type)):
        name = dtype if isinstance(dtype, str) else dtype.__name__
        raise GradcliError("G025", f"invalid type: {name!r}", kind=ValueError)
    if named is None:
        raise GradcliError("G025", "dtype must be a type, str, or dtype object", kind=TypeError)
    return to(input, named)


@composite("Tensor.type_as")
def type_as(input: Any, other: Any) -> Any:
    """The tensor as the dtype of `other`."""
    return to(input, other.dtype)


def _conversion(name: str, dtype: str) -> None:
    @composite(f"Tensor.{name}")
    def converted(input: Any) -> Any:
        return to(input, DTYPES[dtype])

    converted.doc = f"The tensor as {dtype}."


for _method, _dtype in (
    *(("float", "float32"), ("double", "float64"), ("half", "float16"), ("int", "int32")),
    *(("long", "int64"), ("short", "int16"), ("char", "int8"), ("byte", "uint8")),
    *(("bool", "bool"), ("cfloat", "complex64"), ("cdouble", "complex128")),
    *(("bfloat16", "bfloat16"), ("chalf", "complex32")),
):
    _conversion(_method, _dtype)


def _same(name: str) -> None:
    @composite(f"Tensor.{name}")
    def same(input: Any, *args: Any, **kwargs: Any) -> Any:
        return input

    same.doc = "The tensor itself: everything is in the machine's memory here."


for _method in ("cpu", "pin_memory"):
    _same(_method)


@composite("Tensor.apply_")
def apply_(input: Any, callable: Any) -> Any:
    """Writes `callable` of each element, one after the other."""
    return _by_element("apply_", callable, input)


@composite("Tensor.map_")
def map_(input: Any, tensor: AnyTensor, callable: Any) -> Any:
    """Writes `callable` of each element and that of `tensor` at its place."""
    return _by_element("map_", callable, input, tensor.broadcast_to(input.shape))


@composite("Tensor.map2_")
def map2_(input: Any, x: AnyTensor, y: AnyTensor, callable: Any) -> Any:
    """Writes `callable` of each element and those of `x` and `y` at its place."""
    others = (other.broadcast_to(input.shape) for other in (x, y))
    return _by_element("map2_", callable, input, *others)


def _by_element(name: str, callable: Any, input: Any, *others: Any) -> Any:
    if any(x.requires_grad for x in (input, *others)):
        sentence = f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}()"
        raise GradcliError("G033", f"{sentence} instead.")
    numbers = (x.reshape(-1).tolist() for x in (input, *others))
    made = [callable(*given) for given in zip(*numbers, strict=True)]
    return input.copy_(registry.find("torch.tensor")(made, dtype=input.dtype).view(input.shape))


@composite("Tensor.numpy")
def numpy(input: Any, *, force: bool = False) -> Any:
    """The elements as a NumPy array."""
    if input.requires_grad and current.tracking and not force:
        raise GradcliError(
            "G033",
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
        )
    if input.dtype in ROUNDING:
        word = SCALAR_TYPES[input.dtype]
        raise GradcliError(
            "G025",
            f"Got unsupported ScalarType {word}",
            help="NumPy has no such type: x.float().numpy()",
            kind=TypeError,
        )
    return SharedArray.of(input)


@composite("from_numpy", method=False)
def from_numpy(ndarray: Any) -> Any:
    """The tensor of an array, in its memory where it shows a tensor.

    Raises:
        GradcliError: G025, a TypeError, for anything but an array.
    """
    if not isinstance(ndarray, np.ndarray):
        sentence = f"expected np.ndarray (got {type(ndarray).__name__})"
        raise GradcliError("G025", sentence, help="torch.as_tensor(x) takes it", kind=TypeError)
    return registry.find("torch.as_tensor")(ndarray)
