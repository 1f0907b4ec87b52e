"""What an entry says about where its result is written: to `out`, or to the tensor itself.

Constraints: data; what is done with it stands in out.py, in_place.py and write.py.
"""

from __future__ import annotations

from typing import NamedTuple

from gradcli.graph.op import NOTHING, Refusals


class Out(NamedTuple):
    """Which dtypes of `out` a function writes to, and PyTorch's sentence about others.

    Attributes:
        sentence: with `{wanted}` and `{got}` as C++ names them, `{Wanted}` and `{Got}` as scalar
            types, the function's `{name}` and its `{short}` one; "" for the one about casts.
        equal: whether only the result's own dtype is; else those of its kind of numbers or higher.
        kind: the class of the error.
        whatever: whether any dtype is.
        in_order: whether one of as many elements is filled whatever its shape.
        leads: whether the function computes in the dtype of `out`, where it is told no other.
    """

    sentence: str = ""
    equal: bool = True
    kind: type[Exception] = RuntimeError
    whatever: bool = False
    in_order: bool = False
    leads: bool = False


CAST = Out(equal=False)
ANY = Out(whatever=True)
IN_ORDER = Out(equal=False, in_order=True)
SAME = Out("Expected out tensor to have dtype {wanted}, but got {got} instead")
LEADING = SAME._replace(leads=True)
FOUND = Out("Found dtype {Got} but expected {Wanted}")
RESULT = Out("result dtype {Got} does not match input dtype {Wanted}")
OBJECT = Out("Expected object of scalar type {Wanted} but got scalar type {Got} for argument 'out'")
SCALAR = Out("expected scalar_type {Wanted} but found {Got}")
TYPE = Out("expected scalar type {Wanted} but found {Got}")
BOOLS = Out("{name} does not support non-boolean outputs.")
BOTH = Out("{name}(): self and result must have the same scalar type")
ONLY_BOOLS = Out("{name} only supports bool tensor for result, got: {Got}")
MATCHING = Out(
    "Expected the dtype for input and out to match, but got {Wanted} for input's dtype and {Got} "
    "for out's dtype."
)
NORM = Out("linalg.{short} expected out tensor dtype {Wanted} but got: {Got}")
QUANTILE = Out("quantile() out tensor must be same dtype as the input tensor")
TENSORDOT = Out(
    "tensordot: Expected the output tensor to have dtype {Wanted}, but got an output tensor with "
    "dtype {Got}"
)
SPECTRUM = Out("{short} expects a complex output tensor, but got {Got}", equal=False)
SPECTRA = Out("fftn expects a complex output tensor, but got {Got}", equal=False)
_CASTABLE = (
    ": Expected result to be safely castable from {Wanted} dtype, but got result with dtype {Got}"
)
CASTABLE = Out(f"{{short}}{_CASTABLE}", equal=False)
LINALG = Out(f"linalg.{{short}}{_CASTABLE}", equal=False)
JOINED = Out(
    "torch.cat(): input types can't be cast to the desired output type {Got}",
    equal=False,
    kind=TypeError,
)
"""What the kernel of `cat` puts together, which converts."""


class InPlace(NamedTuple):
    """The form of a function that writes its result to the first argument: `NAME_`.

    Attributes:
        functions: the names under which it is a function of `torch` too, not a method alone; True
            for all of them.
        overloads: how transforms call it: "Tensor" like the form of two tensors whatever it is
            given, "Scalar" like that of a number where its last argument is one.
        unseen: whether autograd does not look at it.
        digit: the one of its own name in grad_fn, where PyTorch has it apart; else -1.
        derivative: whether PyTorch has one of this form.
        refuses: dtypes that it does not take, and the sentence.
    """

    functions: bool | tuple[str, ...] = False
    overloads: str = ""
    unseen: bool = False
    digit: int = -1
    derivative: bool = True
    refuses: Refusals = NOTHING


METHOD = InPlace()
EVERYWHERE = InPlace(functions=True)
OF_TENSORS = InPlace(overloads="Tensor")
OF_NUMBERS = InPlace(overloads="Scalar")


class Memory(NamedTuple):
    """Which memory a function may not write its result to.

    Attributes:
        apart: the number of the first operand from which on none may have an element in common with
            what is written to; -1 where they may, element by element.
        operands: whether operands are looked at; else they may share its memory in any way.
        numbers: whether 0-dim operands are: not where they are read as numbers before the write.
        repeated: whether one must not be written to whose elements share memory.
    """

    apart: int = -1
    operands: bool = True
    numbers: bool = True
    repeated: bool = True


ALIKE = Memory()
GATHERING = Memory(apart=0)
SCATTERING = Memory(apart=1)
PUTTING = Memory(apart=1, repeated=False)
