"""Creating tensors: from numbers, constants, ranges.

Constraints: `dtype=` and `requires_grad=` everywhere; sizes are checked against
the memory limit before anything is allocated.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, dtype_of, stored
from gradcli.execute.evaluate import settle
from gradcli.execute.limits import memory
from gradcli.files.stored import held
from gradcli.functions.shape import sizes_of, whole
from gradcli.graph.dtype import DType, as_dtype, bfloat16, default, float64, int64, of_number
from gradcli.graph.node import Node, constant, data
from gradcli.graph.shape import Shape, numel
from gradcli.ops.elementwise import ROUNDING
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite
from gradcli.tensor.fused import multiply_add
from gradcli.tensor.kinds import AnyTensor, Number
from gradcli.tensor.operands import as_number


def from_array(array: Any, dtype: DType | None = None, *, requires_grad: bool = False) -> Tensor:
    """A tensor around an array, which nobody may change afterwards, as `dtype` if given."""
    known = held(array)
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
    return result


def shape_of(sizes: tuple[Any, ...], dtype: DType, name: str = "") -> Shape:
    """The shape that `zeros(2, 3)` or `zeros((2, 3))` asks for; raises G024, G060."""
    shape = sizes_of(sizes)
    for size in shape:
        if size < 0:
            message = f"{name}: Dimension size must be non-negative."
            if not name:
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


@composite("as_tensor", "asarray", "from_numpy", method=False)
def as_tensor(data: Any, dtype: Any = None) -> Any:
    """The tensor itself where it already is one of that dtype, else a new one."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return tensor(data, dtype=dtype)


def _old_style(name: str, dtype: str | None) -> None:
    @composite(name, method=False)
    def construct(*data: Any) -> Any:
        kind = default.dtype if dtype is None else as_dtype(dtype)
        if len(data) == 1 and isinstance(data[0], Tensor):
            return data[0].detach() if dtype is None else data[0].detach().to(kind)
        if len(data) == 1 and isinstance(data[0], (list, tuple)):
            return tensor(data[0], dtype=kind)
        if len(data) == 1 and isinstance(data[0], (float, complex, bool)):
            raise GradcliError(
                "G013",
                f"new(): data must be a sequence (got {type(data[0]).__name__})",
                help="torch.tensor(...) makes a tensor of a number",
                kind=TypeError,
            )
        return made(constant(0, kind, shape_of(data or (0,), kind)))

    construct.doc = "A tensor of a list, or of the given sizes; PyTorch's constructor of old."


for _name, _dtype in (
    *(("FloatTensor", "float32"), ("DoubleTensor", "float64"), ("HalfTensor", "float16")),
    *(("LongTensor", "int64"), ("IntTensor", "int32"), ("ShortTensor", "int16")),
    *(("CharTensor", "int8"), ("ByteTensor", "uint8"), ("BoolTensor", "bool")),
    ("BFloat16Tensor", "bfloat16"),
):
    _old_style(_name, _dtype)


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
    _flatten(values, shape, 0, flat)
    if not flat:
        return np.zeros(shape, NUMPY_DTYPES[dtype or default.dtype])
    kinds = (_kind(key) for key in set(map(_kind_key, flat)))
    kind = max(kinds, key=lambda d: (d.category, d.itemsize))
    numbers = [number_of(v) for v in flat]
    return _filled_array(numbers, kind, dtype).reshape(shape)


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
    try:
        with np.errstate(all="ignore"):
            known = np.asarray(values, np.int64 if integral else None)
            if integral and 0 < kind.itemsize < 8 and kind.category == 1:
                _refuse_overflow(known, kind)
            return known.astype(NUMPY_DTYPES[kind])
    except OverflowError:
        raise GradcliError("G026", "Overflow when unpacking long long", kind=ValueError) from None


def _refuse_overflow(known: Any, kind: DType) -> None:
    span = 1 << (kind.itemsize * 8)
    low, high = (-span // 2, span // 2) if kind.signed else (-span, span)
    if known.size and not (low <= known.min() and known.max() < high):
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
    elif isinstance(value, str):
        raise GradcliError("G014", "too many dimensions 'str'", kind=ValueError)
    elif not isinstance(value, (bool, int, float, complex)):
        raise _no_dtype(value)
    if too_early:
        raise GradcliError("G014", "not a sequence", kind=TypeError)


@composite("scalar_tensor", method=False)
def scalar_tensor(s: Any, *, dtype: Any = None, requires_grad: bool = False) -> Any:
    """A 0-dim tensor of a number, of the default dtype."""
    return made(constant(number_of(s), dtype_or_default(dtype)), requires_grad)


# -- constants


def _filled(name: str, value: complex) -> tuple[Any, Any]:
    """The functions `name` and `name_like`."""

    def of(kind: DType, sizes: tuple[Any, ...], requires_grad: bool, title: str = "") -> Tensor:
        return made(constant(value, kind, shape_of(sizes, kind, title)), requires_grad)

    @composite(name, method=False)
    def filled(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
        return of(dtype_or_default(dtype), _given(name, size), requires_grad, name)

    @composite(f"{name}_like", method=False)
    def like(
        input: Any,
        *,
        dtype: Any = None,
        requires_grad: bool = False,
    ) -> Any:
        kind, shape = like_what(f"{name}_like", input, dtype)
        return of(kind, (shape,), requires_grad)

    @composite(f"Tensor.new_{name}")
    def new(input: Any, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
        return of(like_what(name, input, dtype)[0], size, requires_grad, name)

    filled.doc = f"A tensor of {name}: `{name}(2, 3)`."
    like.doc = f"A tensor of {name} of the shape and dtype of `input`."
    new.doc = f"A tensor of {name} of the dtype of `input`."
    return filled, like


def _given(name: str, size: tuple[Any, ...]) -> tuple[Any, ...]:
    if not size:
        raise GradcliError(
            "G013", f'{name}() missing 1 required positional arguments: "size"', kind=TypeError
        )
    return size


def like_what(name: str, input: Any, dtype: Any) -> tuple[DType, Shape]:
    """The dtype and shape of a tensor made like `input`."""
    if not isinstance(input, Tensor):
        raise GradcliError(
            "G014",
            f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}",
            kind=TypeError,
        )
    return input.dtype if dtype is None else as_dtype(dtype), tuple(input.shape)


zeros, zeros_like = _filled("zeros", 0)
ones, ones_like = _filled("ones", 1)
empty, empty_like = _filled("empty", 0)


@composite("full", method=False)
def full(
    size: Any,
    fill_value: Number,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """A tensor of one number: `full((2, 3), 7.)`."""
    if not isinstance(size, (list, tuple)):
        raise GradcliError(
            "G013",
            "full(): argument 'size' (position 1) must be tuple of ints, not "
            f"{type(size).__name__}",
            help="full((n,), value)",
            kind=TypeError,
        )
    value = number_of(fill_value)
    kind = of_number(value) if dtype is None else as_dtype(dtype)
    if isinstance(value, complex) and not kind.is_complex:
        as_number(value, kind)
    return made(constant(value, kind, shape_of((size,), kind)), requires_grad)


@composite("full_like", method=False)
def full_like(
    input: Any,
    fill_value: Number,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """A tensor of one number, of the shape and dtype of `input`."""
    kind, shape = like_what("full_like", input, dtype)
    return full(shape, fill_value, dtype=kind, requires_grad=requires_grad)


@composite("Tensor.new_full")
def new_full(
    input: Any, size: Any, fill_value: Number, *, dtype: Any = None, requires_grad: bool = False
) -> Any:
    """A tensor of one number, of the dtype of `input`."""
    kind = input.dtype if dtype is None else dtype
    return full(size, fill_value, dtype=kind, requires_grad=requires_grad)


@composite("Tensor.new_tensor")
def new_tensor(input: Any, data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Any:
    """A tensor of numbers, of the dtype of `input`."""
    kind = input.dtype if dtype is None else dtype
    return tensor(data, dtype=kind, requires_grad=requires_grad)


@composite("eye", method=False)
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """The identity matrix."""
    kind = dtype_or_default(dtype)
    for name, size in (("n", n), ("m", m)):
        if size is not None and whole(size) < 0:
            raise GradcliError("G024", f"{name} must be greater or equal to 0, got {size}")
    shape = shape_of((n, n if m is None else m), kind)
    return made(data(np.eye(*shape, dtype=NUMPY_DTYPES[kind]), shape, kind), requires_grad)


# -- ranges


@composite("arange", method=False)
def arange(
    start: Number | None = None,
    end: Number | None = None,
    step: Number = 1,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """The numbers from `start` up to and without `end`, `step` apart."""
    if start is None and end is None:
        sentence = (
            "arange() received an invalid combination of arguments - got (), but expected one of:"
        )
        raise GradcliError("G013", sentence, help="arange(5)", kind=TypeError)
    ends = (0, start) if end is None else (start or 0, end)
    first, last, step = (number_of(v) for v in (*ends, step))
    count = _count(first, last, step)
    integral = all(isinstance(v, int) for v in (first, last, step))
    kind = (int64 if integral else default.dtype) if dtype is None else as_dtype(dtype)
    memory.refuse(count, kind.itemsize)
    steps = np.arange(count, dtype=np.int64 if integral else np.float64)
    return from_array(first + steps * step, kind, requires_grad=requires_grad)


def _count(first: Any, last: Any, step: Any) -> int:
    if step == 0:
        raise GradcliError("G026", "step must be nonzero")
    if not (isfinite(first) and isfinite(last)):
        raise GradcliError("G026", f"unsupported range: {first} -> {last}")
    if (last - first) * step < 0:
        raise GradcliError("G026", "upper bound and lower bound inconsistent with step sign")
    if all(isinstance(v, int) for v in (first, last, step)):
        return int(-(-(last - first) // step))
    return int(np.ceil((last - first) / step))


def _spaced(start: float, end: float, steps: int, kind: DType) -> Any:
    """Evenly spaced numbers, counted from both ends as PyTorch does."""
    if steps < 0:
        raise GradcliError("G026", "number of steps must be non-negative")
    memory.refuse(steps, kind.itemsize)
    if steps == 1:
        return np.array([start], NUMPY_DTYPES[kind])
    index = np.arange(steps, dtype=np.float64)
    if kind.category < 2:
        step = (end - start) / (steps - 1)
        forward, backward = np.trunc(start + step * index), np.trunc(end - step * index[::-1])
    elif kind.wider is not None:  # each step is rounded
        given = np.array([start, end, steps - 1], np.float64)
        first, last, count = stored(given, kind)
        step = stored(stored(last - first, kind) / count, kind)
        forward, backward = (stored(step * stored(i, kind), kind) for i in (index, index[::-1]))
        forward, backward = first + forward, last - backward
    else:
        scalar = NUMPY_DTYPES[kind].type
        step = (scalar(end) - scalar(start)) / scalar(steps - 1)
        forward = multiply_add(index, float(step), float(scalar(start)))
        backward = multiply_add(index[::-1], -float(step), float(scalar(end)))
    return np.where(index < steps // 2, forward, backward).astype(NUMPY_DTYPES[kind])


def _ends(name: str, start: Any, end: Any) -> tuple[float, float]:
    ranks = [len(v.shape) if isinstance(v, Tensor) else 0 for v in (start, end)]
    if any(ranks):
        raise GradcliError(
            "G024",
            f"{name} only supports 0-dimensional start and end tensors, but got start with "
            f"{ranks[0]} dimension(s) and end with {ranks[1]} dimension(s).",
        )
    return float(number_of(start)), float(number_of(end))


@composite("linspace", method=False)
def linspace(
    start: AnyTensor | Number,
    end: AnyTensor | Number,
    steps: int,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """`steps` numbers from `start` to `end`, evenly spaced."""
    kind = dtype_or_default(dtype)
    values = _spaced(*_ends("linspace", start, end), whole(steps), kind)
    return from_array(values, kind, requires_grad=requires_grad)


@composite("logspace", method=False)
def logspace(
    start: AnyTensor | Number,
    end: AnyTensor | Number,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """`steps` numbers from `base**start` to `base**end`, evenly spaced on a logarithmic scale."""
    kind = dtype_or_default(dtype)
    first, last = _ends("logspace", start, end)
    exponents = _spaced(first, last, whole(steps), kind if kind.category >= 2 else default.dtype)
    values = np.power(float(base), exponents.astype(np.float64))
    return from_array(values, kind, requires_grad=requires_grad)
