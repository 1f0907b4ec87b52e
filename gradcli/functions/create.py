"""Creating tensors from numbers: `tensor`, `as_tensor`, and what every creation checks.

Constraints: `dtype=` and `requires_grad=` everywhere; sizes are checked against
the memory limit before anything is allocated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, dtype_of, stored
from gradcli.execute.evaluate import settle
from gradcli.execute.limits import memory
from gradcli.files.stored import held
from gradcli.functions.shape import sizes_of
from gradcli.graph.dtype import (
    SCALAR_TYPES,
    DType,
    as_dtype,
    bfloat16,
    bool_,
    default,
    float64,
    int64,
    of_number,
)
from gradcli.graph.node import Node, data
from gradcli.graph.shape import Shape, numel
from gradcli.ops.elementwise import ROUNDING
from gradcli.tensor import Tensor, levels
from gradcli.tensor.function import composite


def from_array(array: Any, dtype: DType | None = None, *, requires_grad: bool = False) -> Tensor:
    """A tensor around an array, which nobody may change afterwards, as `dtype` if given."""
    known = held(array)
    if not known.dtype.isnative:
        known = known.astype(known.dtype.newbyteorder("="))
    if known.dtype.metadata:  # BFLOAT16, which no other array may inherit
        known, dtype = known.view(np.float32), dtype or bfloat16
    if dtype is None:
        dtype = dtype_of(known)
    elif dtype in ROUNDING or known.dtype != NUMPY_DTYPES[dtype]:
        known = stored(known, dtype)
    return made(data(known, known.shape, dtype), requires_grad)


def made(node: Node, requires_grad: bool = False) -> Tensor:
    """A leaf tensor of a node."""
    if requires_grad and not node.dtype.differentiable:
        raise GradcliError(
            "G025",
            "Only Tensors of floating point and complex dtype can require gradients",
            help="say dtype=torch.float32",
        )
    settle(node)
    result = Tensor(node)
    result._requires = bool(requires_grad)
    if requires_grad:
        levels.adopt(result)
    return result


def shape_of(sizes: tuple[Any, ...], dtype: DType, name: str = "") -> Shape:
    """The shape that `zeros(2, 3)` or `zeros((2, 3))` asks for; raises G024, G060."""
    shape = sizes_of(sizes, name)
    for size in shape:
        if size < 0:
            message = f"{name}: Dimension size must be non-negative."
            if name != "zeros":
                message = f"Trying to create tensor with negative dimension {size}: {list(shape)}"
            raise GradcliError("G024", message)
    memory.refuse(numel(shape), dtype.itemsize)
    return shape


def dtype_or_default(dtype: Any) -> DType:
    """`dtype` as a dtype; the default floating-point one for None."""
    return default.dtype if dtype is None else as_dtype(dtype)


def number_of(value: Any) -> Any:
    """A Python number, from itself or from a tensor of one element."""
    return value._number() if isinstance(value, Tensor) else value


# -- from numbers


@composite("tensor", method=False)
def tensor(
    data: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """A tensor of a number, nested lists of numbers, or a copy of a tensor."""
    kind = None if dtype is None else _dtype_argument("tensor", dtype)
    if isinstance(data, Tensor):
        kind = kind or data.dtype
    array = data.array() if isinstance(data, Tensor) else _array(data, kind)
    return from_array(array, kind, requires_grad=requires_grad)


def _dtype_argument(name: str, dtype: Any) -> DType:
    if dtype is float:
        return float64
    if isinstance(dtype, str):
        raise GradcliError(
            "G025", f"{name}(): argument 'dtype' must be torch.dtype, not str", kind=TypeError
        )
    return as_dtype(dtype)


@composite("as_tensor", method=False)
def as_tensor(data: Any, dtype: Any = None) -> Any:
    """The tensor itself where it already is one of that dtype, else a new one.

    The new one shares the memory of an array of that dtype which shows a tensor.
    """
    if isinstance(data, np.ndarray):
        from gradcli.tensor.shared import standing_for

        known = standing_for(data)
        data = data if known is None else known
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return tensor(data, dtype=dtype)


@composite("asarray", method=False)
def asarray(
    obj: Any, *, dtype: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Any:
    """A tensor of `obj`, in the memory of `obj` where that is a tensor of the dtype.

    Args:
        copy: True for memory of its own, False for an error where that would be needed.
        requires_grad: as `obj` by default; False leaves its history behind.

    Raises:
        GradcliError: G026 where `copy` is False and there is nothing to share.
    """
    shared = isinstance(obj, Tensor) and dtype in (None, obj.dtype)
    if copy is False and not shared:
        what = "arbitrary sequence into a tensor."
        if isinstance(obj, Tensor):
            kinds = [SCALAR_TYPES[kind] for kind in (obj.dtype, as_dtype(dtype))]
            what = "tensor with dtype '{}' into dtype '{}'.".format(*kinds)
        raise GradcliError("G026", f"can't alias {what}", kind=ValueError)
    result = as_tensor(obj, dtype)
    if copy and shared:
        result = result.clone()
    if requires_grad is None or requires_grad == result.requires_grad:
        return result
    return result.requires_grad_() if requires_grad else result.detach()


def _array(values: Any, dtype: DType | None) -> Any:
    if isinstance(values, (np.ndarray, np.generic)):
        return np.array(values)
    if isinstance(values, (bool, int, float, complex)):
        return _filled_array(values, of_number(values), dtype)
    if isinstance(values, str):
        raise GradcliError("G014", "new(): invalid data type 'str'", kind=TypeError)
    if not isinstance(values, (list, tuple, range)):
        raise _no_dtype(values)
    shape = _list_shape(values)
    memory.refuse(numel(shape), 8)
    flat: list[Any] = []
    try:
        _flatten(values, shape, 0, flat)
    except GradcliError:
        if dtype is None:
            _refuse_kinds(values)
        raise
    if not flat:
        return np.zeros(shape, NUMPY_DTYPES[dtype or default.dtype])
    kinds = (_kind(key) for key in set(map(_kind_key, flat)))
    kind = max(kinds, key=lambda d: (d.category, d.itemsize))
    numbers = [number_of(v) for v in flat]
    return _filled_array(numbers, kind, dtype).reshape(shape)


def _refuse_kinds(values: Any) -> None:
    """Raises for what has no dtype, which PyTorch looks for before it counts."""
    for value in values:
        if isinstance(value, (list, tuple, range)):
            _refuse_kinds(value)
        elif isinstance(value, str):
            raise GradcliError("G014", "new(): invalid data type 'str'", kind=TypeError)
        elif not isinstance(value, (Tensor, bool, int, float, complex)):
            raise _no_dtype(value)


def _no_dtype(value: Any) -> GradcliError:
    return GradcliError("G014", f"Could not infer dtype of {type(value).__name__}")


def _kind_key(value: Any) -> Any:
    return (type(value), value.dtype) if isinstance(value, Tensor) else type(value)


def _kind(key: Any) -> DType:
    if isinstance(key, tuple):
        return key[1]  # type: ignore[no-any-return]
    found = {bool: of_number(True), int: int64, float: default.dtype}.get(key)
    return found or default.dtype.to_complex()


def _filled_array(values: Any, natural: DType, dtype: DType | None) -> Any:
    """Numbers as an array of `dtype` (their natural one by default), as PyTorch converts them."""
    kind = dtype or natural
    integral = natural.category <= 1
    if natural.is_complex and not kind.is_complex and kind is not bool_:
        sentence = "must be real number, not complex"
        if not kind.is_floating_point:
            sentence = "'complex' object cannot be interpreted as an integer"
        raise GradcliError("G014", sentence, kind=TypeError)
    try:
        with np.errstate(all="ignore"):
            known = np.asarray(values, np.int64 if integral else None)
            if 0 < kind.itemsize < 8 + (not integral) and kind.category == 1:
                _refuse_overflow(known, kind)
            return known.astype(NUMPY_DTYPES[kind])
    except OverflowError:
        raise GradcliError("G026", "Overflow when unpacking long long", kind=ValueError) from None


def _refuse_overflow(known: Any, kind: DType) -> None:
    span = 1 << (kind.itemsize * 8)
    low, high = (-span // 2, span // 2) if kind.signed else (-span, span)
    if known.dtype.kind == "f" and not kind.signed:
        low = 0
    if known.size and not (low <= known.min() and known.max() <= high - 1):
        raise GradcliError(
            "G026", f"value cannot be converted to type {kind.name} without overflow"
        )


def _list_shape(values: Any) -> Shape:
    shape: list[int] = []
    while isinstance(values, (list, tuple, range)):
        shape.append(len(values))
        if not values:
            break
        values = values[0]
    if isinstance(values, str):
        raise GradcliError("G014", "too many dimensions 'str'", kind=ValueError)
    return tuple(shape)


def _flatten(values: Any, shape: Shape, depth: int, flat: list[Any]) -> None:
    """Puts the numbers of nested lists into `flat`; raises PyTorch's errors for ragged ones."""
    if not isinstance(values, (list, tuple, range)):
        _refuse_element(values, depth < len(shape))
        flat.append(values)
        return
    if depth >= len(shape):
        raise GradcliError(
            "G014",
            f"'{type(values).__name__}' object cannot be interpreted as an integer",
            help="every list on one level needs the same depth",
            kind=TypeError,
        )
    if len(values) != shape[depth]:
        raise GradcliError(
            "G024",
            f"expected sequence of length {shape[depth]} at dim {depth} (got {len(values)})",
            kind=ValueError,
        )
    for value in values:
        _flatten(value, shape, depth + 1, flat)


def _refuse_element(value: Any, too_early: bool) -> None:
    if isinstance(value, Tensor):
        if numel(value.shape) != 1 and value.dtype.category <= 1:
            value.__index__()
        if numel(value.shape) != 1:
            raise GradcliError(
                "G014",
                "only one element tensors can be converted to Python scalars",
                help="stack() joins tensors",
                kind=ValueError,
            )
    elif not isinstance(value, (bool, int, float, complex)):
        sentence = f"must be real number, not {type(value).__name__}"
        raise GradcliError("G014", sentence, kind=TypeError)
    if too_early:
        raise GradcliError("G014", "not a sequence", kind=TypeError)
