"""Creating tensors: from numbers, constants, ranges, random streams.

Constraints: `dtype=` and `requires_grad=` everywhere; `out=` is refused; sizes are checked against the memory
limit before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, dtype_of
from gradcli.execute.limits import memory
from gradcli.functions.shape import sizes_of
from gradcli.graph.dtype import DType, as_dtype, default, int64, of_number
from gradcli.graph.node import Node, constant, data
from gradcli.graph.shape import Shape, numel
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite


def from_array(array: Any, *, requires_grad: bool = False) -> Tensor:
    """A tensor around a NumPy array, which nobody may change afterwards."""
    known = np.asarray(array)
    return made(data(known, known.shape, dtype_of(known)), requires_grad)


def made(node: Node, requires_grad: bool = False) -> Tensor:
    """A leaf tensor of a node."""
    from gradcli.execute.evaluate import settle

    settle(node)
    result = Tensor(node)
    if requires_grad:
        result.requires_grad = True
    return result


def _shape(sizes: tuple[Any, ...], dtype: DType) -> Shape:
    shape = sizes_of(sizes)
    for size in shape:
        if size < 0:
            raise GradcliError(
                "G024", f"Trying to create tensor with negative dimension {size}: {list(shape)}"
            )
    memory.refuse(numel(shape), dtype.itemsize)
    return shape


def _dtype(dtype: Any) -> DType:
    return default.dtype if dtype is None else as_dtype(dtype)


# -- from numbers


@composite("tensor", method=False)
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """A tensor of a number, nested lists of numbers, or a copy of a tensor."""
    if isinstance(data, Tensor):
        array = data.array()
    else:
        array = _array(data, dtype)
    if dtype is not None:
        array = array.astype(NUMPY_DTYPES[as_dtype(dtype)])
    return from_array(array, requires_grad=requires_grad)


@composite("as_tensor", "asarray", method=False)
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """The tensor itself where it already is one of that dtype, else a new one."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return tensor(data, dtype=dtype)


def _array(values: Any, dtype: Any) -> Any:
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, (bool, int, float, complex)):
        return _of_kind(values, of_number(values))
    if not isinstance(values, (list, tuple, range)):
        raise GradcliError(
            "G014", f"could not infer dtype of {type(values).__name__}", kind=TypeError
        )
    shape = _list_shape(values)
    memory.refuse(numel(shape), 8)
    flat: list[Any] = []
    _flatten(values, shape, 0, flat)
    if not flat:
        return np.zeros(shape, NUMPY_DTYPES[default.dtype])
    kind = max(
        (_kind(v) for v in set(map(_kind_key, flat))), key=lambda d: (d.category, d.itemsize)
    )
    return _of_kind(flat, kind if dtype is None else as_dtype(dtype)).reshape(shape)


def _kind_key(value: Any) -> Any:
    return (type(value), value.dtype) if isinstance(value, Tensor) else type(value)


def _kind(key: Any) -> DType:
    if isinstance(key, tuple):
        return key[1]  # type: ignore[no-any-return]
    found = {bool: of_number(True), int: int64, float: default.dtype}.get(key)
    return found or default.dtype.to_complex()


def _of_kind(values: Any, dtype: DType) -> Any:
    if isinstance(values, list):
        values = [v.item() if isinstance(v, Tensor) else v for v in values]
    try:
        with np.errstate(all="ignore"):
            return (
                np.asarray(values).astype(NUMPY_DTYPES[dtype])
                if not isinstance(values, int)
                else np.array(values, NUMPY_DTYPES[dtype])
            )
    except OverflowError:
        raise GradcliError("G026", "Overflow when unpacking long long", kind=RuntimeError) from None


def _list_shape(values: Any) -> Shape:
    shape: list[int] = []
    while isinstance(values, (list, tuple, range)):
        shape.append(len(values))
        if not values:
            break
        values = values[0]
    if isinstance(values, Tensor):
        shape.extend(values.shape)
    return tuple(shape)


def _flatten(values: Any, shape: Shape, depth: int, flat: list[Any]) -> None:
    """Puts the numbers of nested lists into `flat`; raises PyTorch's errors for ragged ones."""
    if isinstance(values, Tensor):
        if tuple(values.shape) != shape[depth:]:
            raise GradcliError(
                "G014",
                "only one element tensors can be converted to Python scalars",
                kind=ValueError,
            )
        flat.extend(values.array().reshape(-1).tolist() if values.shape else [values])
        return
    if not isinstance(values, (list, tuple, range)):
        if depth != len(shape) or not isinstance(values, (bool, int, float, complex)):
            _refuse_element(values, depth, shape)
        flat.append(values)
        return
    if depth >= len(shape):
        raise GradcliError(
            "G014", f"must be real number, not {type(values).__name__}", kind=TypeError
        )
    if len(values) != shape[depth]:
        raise GradcliError(
            "G024",
            f"expected sequence of length {shape[depth]} at dim {depth} (got {len(values)})",
            kind=ValueError,
        )
    for value in values:
        _flatten(value, shape, depth + 1, flat)


def _refuse_element(value: Any, depth: int, shape: Shape) -> None:
    if isinstance(value, (bool, int, float, complex)):
        raise GradcliError("G014", f"not a sequence: {value}", kind=TypeError)
    if isinstance(value, str):
        raise GradcliError("G014", "new(): invalid data type 'str'", kind=TypeError)
    raise GradcliError(
        "G014", f"could not infer dtype of {type(value).__name__}", kind=RuntimeError
    )


@composite("scalar_tensor", method=False)
def scalar_tensor(s: Any, *, dtype: Any = None) -> Any:
    """A 0-dim tensor of a number, of the default dtype."""
    return made(constant(s, _dtype(dtype)))


# -- constants


def _filled(name: str, value: complex) -> Callable[..., Any]:
    @composite(name, method=False)
    def filled(
        *size: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None
    ) -> Any:
        kind = _dtype(dtype)
        return made(constant(value, kind, _shape(size, kind)), requires_grad)

    @composite(f"{name}_like", method=False)
    def like(
        input: Any, *, dtype: Any = None, requires_grad: bool = False, device: Any = None
    ) -> Any:
        kind = input.dtype if dtype is None else as_dtype(dtype)
        return made(constant(value, kind, tuple(input.shape)), requires_grad)

    @composite(f"Tensor.new_{name}")
    def new(input: Any, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
        kind = input.dtype if dtype is None else as_dtype(dtype)
        return made(constant(value, kind, _shape(size, kind)), requires_grad)

    filled.doc = f"A tensor of {name}: `{name}(2, 3)`."
    like.doc = f"A tensor of {name} of the shape and dtype of `input`."
    new.doc = f"A tensor of {name} of the dtype of `input`."
    return filled


for _name, _value in (("zeros", 0), ("ones", 1), ("empty", 0)):
    _filled(_name, _value)


@composite("full", method=False)
def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Any:
    """A tensor of one number: `full((2, 3), 7.)`."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    kind = of_number(value) if dtype is None else as_dtype(dtype)
    shape = _shape(tuple(size) if isinstance(size, (list, tuple)) else (size,), kind)
    return made(constant(value, kind, shape), requires_grad)


@composite("full_like", method=False)
def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False
) -> Any:
    """A tensor of one number, of the shape and dtype of `input`."""
    kind = input.dtype if dtype is None else dtype
    return full(tuple(input.shape), fill_value, dtype=kind, requires_grad=requires_grad)


@composite("Tensor.new_full")
def new_full(input: Any, size: Any, fill_value: Any, *, dtype: Any = None) -> Any:
    """A tensor of one number, of the dtype of `input`."""
    return full(size, fill_value, dtype=input.dtype if dtype is None else dtype)


@composite("Tensor.new_tensor")
def new_tensor(input: Any, data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Any:
    """A tensor of numbers, of the dtype of `input`."""
    kind = input.dtype if dtype is None else dtype
    return tensor(data, dtype=kind, requires_grad=requires_grad)


@composite("eye", method=False)
def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Any:
    """The identity matrix."""
    kind = _dtype(dtype)
    shape = _shape((n, n if m is None else m), kind)
    return from_array(np.eye(*shape, dtype=NUMPY_DTYPES[kind]), requires_grad=requires_grad)


# -- ranges


@composite("arange", method=False)
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
) -> Any:
    """The numbers from `start` up to and without `end`, `step` apart."""
    first, last = (0, start) if end is None else (start, end)
    first, last, step = (v.item() if isinstance(v, Tensor) else v for v in (first, last, step))
    if step == 0:
        raise GradcliError("G026", "step must be nonzero")
    if (last - first) * step < 0:
        raise GradcliError("G026", "upper bound and lower bound inconsistent with step sign")
    whole = all(isinstance(v, int) for v in (first, last, step))
    kind = (int64 if whole else default.dtype) if dtype is None else as_dtype(dtype)
    count = int(np.ceil((last - first) / step)) if not whole else -(-(last - first) // step)
    memory.refuse(count, kind.itemsize)
    steps = np.arange(count, dtype=np.int64 if whole else np.float64)
    return from_array(
        (first + steps * step).astype(NUMPY_DTYPES[kind]), requires_grad=requires_grad
    )


def _spaced(start: float, end: float, steps: int, kind: DType) -> Any:
    """Evenly spaced numbers, counted from both ends as PyTorch does."""
    if steps < 0:
        raise GradcliError("G026", "number of steps must be non-negative")
    memory.refuse(steps, kind.itemsize)
    if steps == 1:
        return np.array([start], NUMPY_DTYPES[kind])
    if kind.category < 2:
        step = (end - start) / max(steps - 1, 1)
        forward = np.trunc(start + step * np.arange(steps))
        backward = np.trunc(end - step * np.arange(steps - 1, -1, -1))
    else:
        scalar = NUMPY_DTYPES[kind].type
        step = (scalar(end) - scalar(start)) / scalar(max(steps - 1, 1))
        index = np.arange(steps).astype(scalar)
        forward, backward = scalar(start) + step * index, scalar(end) - step * index[::-1]
    half = np.arange(steps) < steps // 2
    return np.where(half, forward, backward).astype(NUMPY_DTYPES[kind])


@composite("linspace", method=False)
def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, requires_grad: bool = False
) -> Any:
    """`steps` numbers from `start` to `end`, evenly spaced."""
    ends = [float(v) for v in (start, end)]
    return from_array(_spaced(*ends, steps, _dtype(dtype)), requires_grad=requires_grad)


@composite("logspace", method=False)
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """`steps` numbers from `base**start` to `base**end`, evenly spaced on a logarithmic scale."""
    kind = _dtype(dtype)
    exponents = _spaced(
        float(start), float(end), steps, kind if kind.category >= 2 else default.dtype
    )
    values = np.power(float(base), exponents.astype(np.float64))
    return from_array(values.astype(NUMPY_DTYPES[kind]), requires_grad=requires_grad)


# -- random numbers


def _generator(generator: Any) -> Any:
    from gradcli.tensor.random import default_generator

    return default_generator if generator is None else generator


@composite("manual_seed", method=False)
def manual_seed(seed: Any) -> Any:
    """Starts the random streams anew; the same seed gives PyTorch's numbers."""
    return _generator(None).manual_seed(int(seed))


@composite("seed", method=False)
def seed() -> int:
    """Starts the random streams at a number that nobody chose; returns it."""
    return _generator(None).seed()  # type: ignore[no-any-return]


@composite("initial_seed", method=False)
def initial_seed() -> int:
    """The number that the random streams started at."""
    return _generator(None).initial_seed()  # type: ignore[no-any-return]


def _random(name: str, draw: str, words: str) -> None:
    @composite(name, method=False)
    def fresh(
        *size: Any,
        dtype: Any = None,
        requires_grad: bool = False,
        generator: Any = None,
        device: Any = None,
    ) -> Any:
        kind = _dtype(dtype)
        shape = _shape(size, kind)
        array = getattr(_generator(generator), draw)(shape, NUMPY_DTYPES[kind])
        return from_array(array, requires_grad=requires_grad)

    @composite(f"{name}_like", method=False)
    def like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Any:
        kind = input.dtype if dtype is None else as_dtype(dtype)
        return fresh(tuple(input.shape), dtype=kind, requires_grad=requires_grad)

    fresh.doc = f"Random numbers {words}: `{name}(2, 3)`."
    like.doc = f"Random numbers {words}, of the shape and dtype of `input`."


_random("rand", "uniform", "from 0 up to 1")
_random("randn", "normal", "from the standard normal distribution")


@composite("randint", method=False)
def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Any = None,
) -> Any:
    """Random whole numbers from `low` (0 by default) up to and without `high`."""
    if size is None:
        low, high, size = 0, low, high
    kind = int64 if dtype is None else as_dtype(dtype)
    shape = _shape(tuple(size), kind)
    array = _generator(generator).integers(low, high, shape, NUMPY_DTYPES[kind])
    return from_array(array, requires_grad=requires_grad)


@composite("randint_like", method=False)
def randint_like(input: Any, low: int, high: Any = None, *, dtype: Any = None) -> Any:
    """Random whole numbers, of the shape and dtype of `input`."""
    ends = (0, low) if high is None else (low, high)
    return randint(*ends, tuple(input.shape), dtype=input.dtype if dtype is None else dtype)


@composite("randperm", method=False)
def randperm(n: int, *, dtype: Any = None, generator: Any = None) -> Any:
    """The numbers from 0 to n - 1 in random order."""
    kind = int64 if dtype is None else as_dtype(dtype)
    memory.refuse(n, kind.itemsize)
    return from_array(_generator(generator).permutation(n, NUMPY_DTYPES[kind]))


@composite("normal", method=False)
def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None) -> Any:
    """Normally distributed numbers; mean and deviation may be tensors."""
    stream = _generator(generator)
    if size is not None:
        shape = _shape((size,), default.dtype)
        return from_array(stream.normal(shape, NUMPY_DTYPES[default.dtype], mean, std))
    arrays = [v.array() if isinstance(v, Tensor) else v for v in (mean, std)]
    return from_array(stream.normal_from(*arrays))


@composite("bernoulli")
def bernoulli(input: Any, p: float | None = None, *, generator: Any = None) -> Any:
    """0 or 1, 1 with the probability that `input` says."""
    chance = input.array() if p is None else p
    kind = NUMPY_DTYPES[input.dtype]
    return from_array(_generator(generator).bernoulli(chance, tuple(input.shape), kind))


@composite("multinomial")
def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Any:
    """Positions drawn with the weights in each row of `input`."""
    stream = _generator(generator)
    return from_array(stream.multinomial(input.array(), num_samples, replacement))
