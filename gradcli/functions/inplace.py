"""In-place functions and copies: `add_`, `zero_`, `copy_`, `clone`, `to`.

Constraints: `NAME_` computes the function `NAME` and writes the result; only names that PyTorch has are here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.functions.create import from_array
from gradcli.graph.dtype import DTYPES, DType, as_dtype
from gradcli.graph.node import Node, constant
from gradcli.ops import elementwise as ops
from gradcli.ops.elementwise import cast
from gradcli.ops.movement import expand
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.write import in_place, write

NAMES = """
    abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr arccos arccosh arcsin
    arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh baddbmm bitwise_and
    bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil clamp
    clamp_max clamp_min clip conj_physical copysign cos cosh cumprod cumsum deg2rad digamma div
    divide eq erf erfc erfinv exp exp2 expm1 fix float_power floor floor_divide fmod frac gcd ge
    greater greater_equal gt heaviside hypot i0 igamma igammac index_add index_copy index_fill
    index_put index_reduce lcm ldexp le lerp less less_equal lgamma log log10 log1p log2
    logical_and logical_not logical_or logical_xor logit lt masked_fill masked_scatter mul
    multiply mvlgamma nan_to_num ne neg negative nextafter not_equal polygamma pow put rad2deg
    reciprocal relu remainder round rsqrt scatter scatter_add scatter_reduce sgn sigmoid sign
    sin sinc sinh sqrt square sub subtract tan tanh tril triu true_divide trunc xlogy
""".split()
"""The functions that have an in-place form under their name and an underscore."""

AUGMENTED = {
    **{"add": "add", "sub": "sub", "mul": "mul", "truediv": "true_divide", "mod": "remainder"},
    **{"floordiv": "floor_divide", "pow": "pow", "matmul": "matmul", "and": "__and__"},
    **{"or": "__or__", "xor": "__xor__", "lshift": "bitwise_left_shift"},
    **{"rshift": "bitwise_right_shift"},
}
"""Augmented assignment: `x += y` is `__iadd__`."""


def _in_place(method: str, name: str) -> None:
    @composite(f"Tensor.{method}")
    def written(input: Any, *args: Any, **kwargs: Any) -> Any:
        return in_place(registry.method(name), input, *args, **kwargs)

    written.doc = f"`{name}`, written to the tensor itself."


for _name in NAMES:
    if f"{_name}_" not in registry.METHODS:
        _in_place(f"{_name}_", _name)
for _python, _name in AUGMENTED.items():
    _in_place(f"__i{_python}__", _name)


@function("clone")
def clone(input: Any, *, memory_format: Any = None) -> Node:
    """A copy that the gradient flows through."""
    return ops.clone(input)


@composite("Tensor.contiguous")
def contiguous(input: Any, memory_format: Any = None) -> Any:
    """The tensor itself: gradcli has no memory layout."""
    return input


@composite("Tensor.copy_")
def copy_(input: Any, src: Any, non_blocking: bool = False) -> Any:
    """Writes the elements of `src`, repeated where it has to be."""
    value = src if isinstance(src, Tensor) else registry.find("torch.tensor")(src)
    return write(input, _copied(input, value))


@function("Tensor._copied", shown="CopyBackwards")
def _copied(input: Any, src: Any) -> Node:
    """`src` in the shape and dtype of `input`."""
    value = cast(src, input.dtype)
    value = expand(value, shape=input.shape) if value.shape != input.shape else value
    return value if value is not src else ops.clone(value)


@composite("Tensor.fill_")
def fill_(input: Any, value: Any) -> Any:
    """Writes one number everywhere."""
    return write(input, _filled(input, value))


@function("Tensor._filled", shown="fill")
def _filled(input: Any, value: Any) -> Node:
    """`value` in the shape and dtype of `input`."""
    if isinstance(value, Node):
        return expand(cast(value, input.dtype), shape=input.shape)
    return ops.mul(input, constant(0, input.dtype)) * 0 + promoted(input, value)[1]


@composite("Tensor.zero_")
def zero_(input: Any) -> Any:
    """Writes 0 everywhere."""
    return fill_(input, 0)


@composite("Tensor.set_")
def set_(input: Any, source: Any) -> Any:
    """Makes the tensor share the memory of `source`."""
    input.data = source
    return input


def _random_fill(name: str, draw: str, *parameters: str) -> None:
    @composite(f"Tensor.{name}")
    def filled(input: Any, *args: Any, generator: Any = None, **kwargs: Any) -> Any:
        from gradcli.functions.create import _generator

        stream = _generator(generator)
        named = dict(zip(parameters, args, strict=False))
        given = {{"from": "low", "to": "high"}.get(k, k): v for k, v in {**named, **kwargs}.items()}
        array = getattr(stream, draw)(tuple(input.shape), NUMPY_DTYPES[input.dtype], **given)
        return write(input, from_array(array))

    filled.doc = f"Writes random numbers ({draw})."


_random_fill("uniform_", "uniform", "low", "high")
_random_fill("normal_", "normal", "mean", "std")
_random_fill("exponential_", "exponential", "lambd")
_random_fill("cauchy_", "cauchy", "median", "sigma")
_random_fill("geometric_", "geometric", "p")
_random_fill("log_normal_", "log_normal", "mean", "std")


@composite("Tensor.bernoulli_")
def bernoulli_(input: Any, p: Any = 0.5, *, generator: Any = None) -> Any:
    """Writes 0 or 1, 1 with probability `p`."""
    from gradcli.functions.create import _generator

    chance = p.array() if isinstance(p, Tensor) else p
    array = _generator(generator).bernoulli(chance, tuple(input.shape), NUMPY_DTYPES[input.dtype])
    return write(input, from_array(array))


# -- dtypes and devices


@function("Tensor._to_dtype", shown="to_copy")
def _to_dtype(input: Any, dtype: DType) -> Node:
    """`input` as another dtype."""
    return cast(input, dtype)


@composite("Tensor.to")
def to(input: Any, *args: Any, dtype: Any = None, copy: bool = False, **options: Any) -> Any:
    """The tensor as another dtype; device and layout arguments change nothing here."""
    for value in args:
        if isinstance(value, DType) or value in (float, int, bool, complex):
            dtype = value
        elif isinstance(value, Tensor):
            dtype = value.dtype
    wanted = input.dtype if dtype is None else as_dtype(dtype)
    if wanted is input.dtype:
        return input.clone() if copy else input
    return _to_dtype(input, wanted)


@composite("Tensor.type")
def type_(input: Any, dtype: Any = None) -> Any:
    """The tensor as another dtype, or the name of its type."""
    return f"torch.{_TYPE_NAMES[input.dtype.name]}" if dtype is None else to(input, as_dtype(dtype))


_TYPE_NAMES = {
    **{"float32": "FloatTensor", "float64": "DoubleTensor", "float16": "HalfTensor"},
    **{"int64": "LongTensor", "int32": "IntTensor", "int16": "ShortTensor"},
    **{"int8": "CharTensor", "uint8": "ByteTensor", "bool": "BoolTensor"},
    **{"complex64": "ComplexFloatTensor", "complex128": "ComplexDoubleTensor"},
}


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
):
    _conversion(_method, _dtype)


def _same(name: str) -> None:
    @composite(f"Tensor.{name}")
    def same(input: Any, *args: Any, **kwargs: Any) -> Any:
        return input

    same.doc = "The tensor itself: everything is in the machine's memory here."


for _method in ("cpu", "pin_memory", "resolve_neg"):
    _same(_method)


@composite("Tensor.numpy")
def numpy(input: Any, *, force: bool = False) -> Any:
    """The elements as a NumPy array."""
    from gradcli.errors import GradcliError

    if input.requires_grad and not force:
        raise GradcliError(
            "G033",
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
        )
    return np.array(input.array())
