"""Tensors that are made, not given: filled, ranges, identities."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.limits import memory
from gradcli.functions.create import dtype_or_default, from_array, made, number_of, shape_of, tensor
from gradcli.functions.shape import in_rows, whole
from gradcli.functions.spacing import between, count_of, counted, require_range
from gradcli.graph.dtype import (
    BOOL,
    C_TYPES,
    FLOATING,
    SCALAR_TYPES,
    DType,
    as_dtype,
    complex32,
    complex64,
    default,
    float64,
    int64,
    of_number,
)
from gradcli.graph.node import constant, data
from gradcli.graph.shape import Shape
from gradcli.tensor import Tensor, levels
from gradcli.tensor.function import composite
from gradcli.tensor.kinds import AnyTensor, Number
from gradcli.tensor.operands import as_number, as_scalar
from gradcli.tensor.storing import IN_ORDER
from gradcli.tensor.wrapping import laid_out


def _filled(name: str, value: complex) -> tuple[Any, Any]:
    """The functions `name` and `name_like`."""

    def of(kind: DType, sizes: tuple[Any, ...], requires_grad: bool, title: str = "") -> Tensor:
        return made(constant(value, kind, shape_of(sizes, kind, title)), requires_grad)

    @composite(name, method=False)
    def filled(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
        return of(dtype_or_default(dtype), _given(name, size), requires_grad, name)

    @composite(f"{name}_like", method=False, out=None)
    def like(
        input: Any, *, dtype: Any = None, requires_grad: bool = False, memory_format: Any = None
    ) -> Any:
        kind, shape = like_what(f"{name}_like", input, dtype)
        return _laid_like(of(kind, (shape,), requires_grad), input, memory_format)

    @composite(f"Tensor.new_{name}")
    def new(input: Any, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
        kind, _ = like_what(name, input, dtype)
        return beside(of(kind, size, requires_grad, f"new_{name}"), input)

    filled.doc = f"A tensor of {name}: `{name}(2, 3)`."
    like.doc = f"A tensor of {name} of the shape and dtype of `input`."
    new.doc = f"A tensor of {name} of the dtype of `input`."
    return filled, like


def _laid_like(fresh: Tensor, input: Tensor, memory_format: Any = None) -> Tensor:
    """A new tensor with the layout in memory of one of its shape, unless rows are asked for."""
    model = [] if in_rows(memory_format) else [input]
    return beside(laid_out(fresh.value_node, model, True), input, fresh._requires)


def beside(fresh: Tensor, input: Tensor, requires_grad: bool = False) -> Tensor:
    """A new tensor, inside vmap one of each example's own where `input` is that."""
    if levels.active:
        node = levels.for_each_example(fresh.value_node, input)
        if node is not fresh.value_node:
            requires_grad, fresh = requires_grad or fresh._requires, Tensor(node)
    fresh._requires = fresh._requires or requires_grad
    return fresh


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
    if dtype is None and kind is complex32:  # which PyTorch does not make of itself
        kind = complex64
    value = as_number(value, kind).attrs["value"]
    return made(constant(value, kind, shape_of((size,), kind)), requires_grad)


@composite("scalar_tensor", method=False, out=None)
def scalar_tensor(s: Number, *, dtype: Any = None, requires_grad: bool = False) -> Any:
    """A 0-dim tensor of a number, of the default dtype."""
    return made(as_scalar(number_of(s), dtype_or_default(dtype)), requires_grad)


@composite("full_like", method=False)
def full_like(
    input: Any,
    fill_value: Number,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Any:
    """A tensor of one number, of the shape and dtype of `input`."""
    kind, shape = like_what("full_like", input, dtype)
    made = full(shape, fill_value, dtype=kind, requires_grad=requires_grad)
    return _laid_like(made, input, memory_format)


@composite("Tensor.new_full")
def new_full(
    input: Any, size: Any, fill_value: Number, *, dtype: Any = None, requires_grad: bool = False
) -> Any:
    """A tensor of one number, of the dtype of `input`."""
    kind = input.dtype if dtype is None else dtype
    return beside(full(size, fill_value, dtype=kind, requires_grad=requires_grad), input)


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


@composite("arange", method=False, out=IN_ORDER)
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
    ends = (0, start) if end is None else (0 if start is None else start, end)
    first, last, step = (number_of(v) for v in (*ends, step))
    integral = all(isinstance(v, int) for v in (first, last, step))
    kind = (int64 if integral else default.dtype) if dtype is None else as_dtype(dtype)
    return from_array(counted(first, last, step, kind), kind, requires_grad=requires_grad)


@composite("range", method=False, out=IN_ORDER)
def inclusive(
    start: Number, end: Number, step: Number = 1, *, dtype: Any = None, requires_grad: bool = False
) -> Any:
    """The numbers from `start` up to and with `end`, `step` apart; `arange` leaves out the end."""
    kind = dtype_or_default(dtype)
    require_range("range", kind)
    if kind.category < FLOATING:
        start, end, step = int(start), int(end), int(step)
    count_of(start, end, step)
    count = int((end - start) / step) + 1
    memory.refuse(count, kind.itemsize)
    numbers = start + np.arange(count, dtype=np.float64) * step
    return from_array(numbers, kind, requires_grad=requires_grad)


def _ends(name: str, start: Any, end: Any) -> tuple[complex, complex]:
    ranks = [len(v.shape) if isinstance(v, Tensor) else 0 for v in (start, end)]
    if any(ranks):
        raise GradcliError(
            "G024",
            f"{name} only supports 0-dimensional start and end tensors, but got start with "
            f"{ranks[0]} dimension(s) and end with {ranks[1]} dimension(s).",
        )
    if levels.active:  # where an example's number is not known, each is asked for its own
        for end_tensor in (v for v in (start, end) if isinstance(v, Tensor)):
            end_tensor.array()
    first, last = number_of(start), number_of(end)
    if isinstance(first, complex) or isinstance(last, complex):
        return complex(first), complex(last)
    return float(first), float(last)


def _spaced_kind(name: str, ends: tuple[complex, complex], dtype: Any) -> DType:
    """The dtype of numbers between `ends`: complex where one of them is."""
    if not isinstance(ends[0], complex):
        return dtype_or_default(dtype)
    kind = default.dtype.to_complex()
    wanted = kind if dtype is None else as_dtype(dtype)
    if not wanted.is_complex:
        raise GradcliError(
            "G025",
            f"torch.{name}(): inferred dtype {C_TYPES[kind]} can't be safely cast to passed dtype "
            f"{SCALAR_TYPES[wanted]}",
        )
    return wanted


@composite("linspace", method=False, out=IN_ORDER)
def linspace(
    start: AnyTensor | Number,
    end: AnyTensor | Number,
    steps: int,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """`steps` numbers from `start` to `end`, evenly spaced."""
    ends = _ends("linspace", start, end)
    kind = _spaced_kind("linspace", ends, dtype)
    if kind.category == BOOL:
        require_range("linspace", kind)
    values = between(_fitting((start, end), ends, kind), whole(steps), kind)
    return from_array(values, kind, requires_grad=requires_grad)


def _fitting(given: Any, ends: tuple[complex, complex], kind: DType) -> tuple[complex, complex]:
    """The ends as numbers of the dtype: whole ones where it has no others."""
    first, last = [as_number(number_of(value), kind).attrs["value"] for value in given]
    return ends if kind.category >= FLOATING else (first, last)


@composite("logspace", method=False, out=IN_ORDER)
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
    ends = _ends("logspace", start, end)
    kind = _spaced_kind("logspace", ends, dtype)
    fraction = kind if kind.category >= FLOATING else float64
    exponents = between(_fitting((start, end), ends, kind), whole(steps), fraction)
    wide = np.complex128 if kind.is_complex else np.float64
    values = np.power(wide(base), exponents.astype(wide))
    return from_array(values, kind, requires_grad=requires_grad)
