"""Complex numbers: parts, conjugates, angles, and views as pairs of real numbers.

Constraints: `real`, `imag`, `conj` and the views share memory, so that writes go through; whether a
tensor is a conjugate view is read off the way from its storage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.shape import select_at
from gradcli.graph.dtype import FLOATING, SCALAR_TYPES, bfloat16, bool_, float16
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import Check
from gradcli.ops import complexes
from gradcli.ops import elementwise as ops
from gradcli.ops.rows import lacks
from gradcli.ops.ruled import ruled
from gradcli.tensor import registry
from gradcli.tensor.function import as_floating, composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.storing import FOUND, OBJECT, InPlace

# -- making them

PAIRS = "Expected both inputs to be Half, Float or Double tensors but got {dtype} and {dtype}"
VIEWED = (
    "view_as_complex is only supported for half, float and double tensors, but got a tensor of "
    "scalar type: {dtype}"
)


def _parts(first: Any, second: Any) -> tuple[Node, Node]:
    """Two floating-point tensors of one dtype, as `complex` and `polar` take them."""
    x, y = tensor(first), tensor(second)
    if any(v.dtype.category != FLOATING for v in (x, y)):
        raise GradcliError(
            "G025",
            "Expected both inputs to be Half, Float or Double tensors but got "
            f"{SCALAR_TYPES[x.dtype]} and {SCALAR_TYPES[y.dtype]}",
        )
    if x.dtype is not y.dtype:
        raise GradcliError(
            "G025",
            f"Expected object of scalar type {SCALAR_TYPES[x.dtype]} but got scalar type "
            f"{SCALAR_TYPES[y.dtype]} for second argument",
        )
    return x, y


@function("complex", method=False, refuses={bfloat16: Check(PAIRS)}, out=OBJECT)
def complex(real: Any, imag: Any) -> Node:
    """`real + imag*1j`."""
    return ops.make_complex(*_parts(real, imag))


@function(
    "polar",
    method=False,
    refuses={**lacks("polar_cpu", float16), bfloat16: Check(PAIRS)},
    out=OBJECT,
)
def polar(abs: Any, angle: Any) -> Node:
    """`abs * (cos(angle) + 1j*sin(angle))`."""
    size, turn = _parts(abs, angle)
    made = ops.make_complex(size * ops.cos(turn), size * ops.sin(turn))
    return ruled(made, size, turn, rules=_POLAR)


def _direction(out: Node, angle: Node) -> Node:
    """The number of size 1; where that is 0, only forward mode knows it."""
    return ops.make_complex(ops.cos(angle), ops.sin(angle)) if current.forward else ops.sgn(out)


_POLAR = (
    lambda g, out, x, y: ops.real(ops.conj(g) * _direction(out, y)),
    lambda g, out, x, y: ops.real(ops.conj(g) * (out * 1j)),
)


# -- parts and views


@function("real", shown="select", view=True, method=False, out=None)
def real(input: Any) -> Node:
    """The real parts, sharing memory; a real tensor itself."""
    x = tensor(input)
    return select_at(complexes.view_as_real(x), -1, 0) if x.dtype.is_complex else x


@function("imag", shown="select", view=True, method=False, out=None)
def imag(input: Any) -> Node:
    """The imaginary parts, sharing memory."""
    x = tensor(input)
    if not x.dtype.is_complex:
        raise GradcliError("G025", "imag is not implemented for tensors with non-complex dtypes.")
    return select_at(complexes.view_as_real(x), -1, 1)


@composite("view_as_real", method=False, out=None)
def view_as_real(input: Any) -> Any:
    """The real and imaginary parts along a new last dim of length 2, sharing memory."""
    if not input.dtype.is_complex:
        raise GradcliError("G025", "view_as_real is only supported for complex tensors")
    if is_conj(input):
        raise GradcliError(
            "G026",
            "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate "
            "tensor so you can view it as real, use self.resolve_conj(); however, be warned that "
            "the resulting tensor will NOT alias the original.",
        )
    return _view_as_real(input)


@function("Tensor._view_as_real", shown="view_as_real", view=True)
def _view_as_real(input: Any) -> Node:
    return complexes.view_as_real(input)


@composite("view_as_complex", method=False, out=None)
def view_as_complex(input: Any) -> Any:
    """Pairs along a last dim of length 2 as complex numbers, sharing memory."""
    made = _view_as_complex(input)
    *outer, last = input.stride()
    if last != 1:
        raise GradcliError("G024", "Tensor must have a last dimension with stride 1")
    if any(s % 2 for s, n in zip(outer, input.shape, strict=False) if n != 1):
        sentence = "Tensor must have a stride divisible by 2 for all but last dimension"
        raise GradcliError("G024", sentence)
    if input.storage_offset() % 2:
        raise GradcliError("G024", "Tensor must have a storage_offset divisible by 2")
    return made


@function(
    "Tensor._view_as_complex",
    shown="view_as_complex",
    view=True,
    refuses={bfloat16: Check(VIEWED)},
)
def _view_as_complex(input: Any) -> Node:
    x = tensor(input)
    if x.dtype.category != FLOATING:
        raise GradcliError(
            "G025",
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {SCALAR_TYPES[x.dtype]}",
        )
    if x.ndim == 0:
        raise GradcliError("G024", "Input tensor must have one or more dimensions")
    if x.shape[-1] != 2:
        raise GradcliError("G024", "Tensor must have a last dimension of size 2")
    return complexes.view_as_complex(x)


# -- conjugates


@function("conj", view=True, out=None)
def conj(input: Any) -> Node:
    """The complex conjugates, sharing memory; a real tensor itself."""
    x = tensor(input)
    return complexes.conjugate(x) if x.dtype.is_complex else x


@function("conj_physical", out=FOUND, in_place=InPlace(functions=True, digit=1))
def conj_physical(input: Any) -> Node:
    """The complex conjugates, copied; a real tensor itself."""
    return ops.conj(tensor(input))


@composite("is_conj")
def is_conj(input: Any) -> bool:
    """Whether the tensor is a conjugate view of its memory."""
    count = 0
    for op, _ in input.view_path:
        count = 0 if op is complexes.view_as_real else count + (op is complexes.conjugate)
    return count % 2 == 1


@composite("resolve_conj")
def resolve_conj(input: Any) -> Any:
    """The tensor itself, or a copy of a conjugate view."""
    return input.clone() if is_conj(input) else input


@composite("is_neg")
def is_neg(input: Any) -> bool:
    """Whether it shows the imaginary parts of a conjugate view: in memory they are negative."""
    turned = False
    steps = iter(input.view_path)
    for op, _ in steps:
        if op is complexes.view_as_real and turned:
            return bool(next(steps)[1]["slices"][-1][0])
        turned ^= op is complexes.conjugate
    return False


@composite("resolve_neg")
def resolve_neg(input: Any) -> Any:
    """The tensor itself, or a copy of one that is negative in memory."""
    return input.clone() if is_neg(input) else input


@composite("adjoint", out=None)
def adjoint(input: Any) -> Any:
    """The conjugate transpose of matrices."""
    return conj(input.mT)


def _matrix_only(input: Any) -> Any:
    if len(input.shape) not in (0, 2):
        raise GradcliError(
            "G023",
            "tensor.H is only supported on matrices (2-D tensors). "
            f"Got {len(input.shape)}-D tensor.",
        )
    return adjoint(input) if input.shape else conj(input)


def _part(of: Callable[[Any], Any]) -> property:
    """The attribute of a part, which can be written to."""

    def write(self: Any, value: Any) -> None:
        of(self).copy_(registry.find("torch.as_tensor")(value))

    return property(of, write)


registry.METHODS.update(
    **{"real": _part(real), "imag": _part(imag)},
    **{"mH": property(adjoint), "H": property(_matrix_only)},
)


# -- questions


@function("angle")
def angle(input: Any) -> Node:
    """The angle from the positive real axis: 0 or pi for a real number."""
    return complexes.angle(as_floating(input))


@function("isreal", layout=True, out=None)
def isreal(input: Any) -> Node:
    """Where the imaginary part is zero."""
    x = tensor(input)
    if not x.dtype.is_complex:
        return constant(True, bool_, x.shape)
    return ops.eq(ops.imag(x), constant(0, x.dtype.to_real()))
