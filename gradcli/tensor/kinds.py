"""What a parameter takes, read from its annotation: PyTorch's word for it, and what fits.

Constraints: a parameter annotated `Any` takes a tensor when its name is one of `TENSORS`, a dtype
when it is `dtype`, a generator when it is `generator`, and anything otherwise;
`from __future__ import annotations` keeps annotations as text. No values of tensors are looked at,
except of one that stands for a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import INTEGER, DType
from gradcli.graph.node import Node
from gradcli.graph.op import NOTHING
from gradcli.tensor.tensor import Tensor

AnyTensor = Any
"""Annotation: a tensor, where the parameter's name does not say so."""
Number = Any
"""Annotation: a Python number, or a 0-dim tensor in its place."""
Real = float
"""Annotation: a Python number that PyTorch makes a double of: a complex one is of its type."""
Operand = Any
"""Annotation: a tensor, or a number where another operand is a tensor."""
Sized = Any
"""Annotation: a tensor, whose size PyTorch's function, written in Python, asks for first."""
Value = Any
"""Annotation: a tensor or a number, which PyTorch makes a tensor of."""
Listed = Any
"""Annotation of `*sizes`: whole numbers, which functions (not methods) take as one list alone."""
Tensors = Any
"""Annotation: a list or tuple of tensors."""
Dims = int | Sequence[int]
"""Annotation: a dimension or several."""

TENSORS = frozenset(
    (
        *("input", "other", "weight", "bias", "target", "index", "src", "mask", "vec", "tensor"),
        *("A", "B", "L", "LD", "LU", "LU_data", "LU_pivots", "pivots", "tau", "x", "y", "x1", "x2"),
        *("input1", "input2", "mat1", "mat2", "vec1", "vec2", "tensor1", "tensor2", "pos_weight"),
        *("indices", "anchor", "positive", "negative", "query", "key", "value", "attn_mask"),
        *("condition", "real", "imag", "abs", "angle", "sorter", "window", "grid"),
        *("mat", "batch1", "batch2"),
    )
)
"""Parameters that take a tensor (or None where that is their default) when annotated `Any`."""

MISFIT = object()
"""What a kind makes of a value that does not fit."""


def _tensor(value: Any) -> Any:
    return value if isinstance(value, (Tensor, Node)) else MISFIT


def stands_for_number(value: Any) -> bool:
    """Whether PyTorch takes the tensor for a Python number."""
    return isinstance(value, Tensor) and not value.shape and not value.requires_grad


def _plain(value: Any) -> Any:
    """A Python number of what stands for one; anything else itself."""
    if stands_for_number(value):
        return value._number()
    one = hasattr(value, "__array_interface__") and not value.shape
    return value.item() if one else value


def _number(value: Any) -> Any:
    plain = _plain(value)
    return plain if isinstance(plain, (bool, int, float, complex)) else MISFIT


def _float(value: Any) -> Any:
    plain = _plain(value)
    return plain if isinstance(plain, (bool, int, float)) else MISFIT


def _real(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, complex):
        sentence = "value cannot be converted to type double without overflow"
        raise GradcliError("G014", sentence, help="give its .real")
    return plain if isinstance(plain, (bool, int, float)) else MISFIT


def whole(value: Any) -> Any:
    """A whole number; `MISFIT` for anything else, truth values among it."""
    if isinstance(value, Tensor) and value.dtype.category != INTEGER:
        return MISFIT
    plain = _plain(value)
    return plain if isinstance(plain, int) and not isinstance(plain, bool) else MISFIT


def _bool(value: Any) -> Any:
    plain = value.item() if type(value).__name__ == "bool_" else value
    return plain if isinstance(plain, bool) else MISFIT


def _dtype(value: Any) -> Any:
    return value if isinstance(value, DType) or value in (float, int, bool, complex) else MISFIT


def _several(value: Any) -> Any:
    """Whole numbers in a list or tuple; the first element decides, as in PyTorch."""
    if not isinstance(value, (list, tuple)):
        return MISFIT
    taken = [whole(v) for v in value]
    if MISFIT in taken:
        return MISFIT
    return value if all(t is v for t, v in zip(taken, value, strict=True)) else taken


def _dims(value: Any) -> Any:
    return _several(value) if isinstance(value, (list, tuple)) else whole(value)


def _tensors(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else MISFIT


class Kind:
    """What a parameter takes: PyTorch's `word`, and `take`, which gives `MISFIT` for no fit."""

    __slots__ = ("take", "word")

    def __init__(self, word: str, take: Callable[[Any], Any]) -> None:
        self.word = word
        self.take = take


SIZED = Kind("size", _tensor)
TENSOR, NUMBER = Kind("Tensor", _tensor), Kind("Number", _number)
_SEVERAL, _DIMS = Kind("tuple of ints", _several), Kind("tuple of ints", _dims)
OPERAND = (TENSOR, NUMBER)
_KINDS: dict[str, tuple[Kind, ...]] = {
    **{"AnyTensor": (TENSOR,), "Tensor": (TENSOR,), "Number": (NUMBER,)},
    **{"Operand": OPERAND, "Value": OPERAND},
    **{"float": (Kind("float", _float),), "Real": (Kind("Number", _real),)},
    **{"int": (Kind("int", whole),)},
    **{"bool": (Kind("bool", _bool),), "Old": (Kind("bool", _bool),)},
    "str": (Kind("str", lambda value: value if isinstance(value, str) else MISFIT),),
    "Tensors": (Kind("tuple of Tensors", _tensors),),
    "Sized": (SIZED,),
    "DType": (Kind("torch.dtype", _dtype),),
    **{"Dim": (_DIMS,), "Dims": (_DIMS,), "Sizes": (_DIMS,), "Sequence[int]": (_SEVERAL,)},
    "Listed": (_SEVERAL,),
    "Generator": (
        Kind("torch.Generator", lambda v: v if "Generator" in type(v).__name__ else MISFIT),
    ),
}
_BY_NAME = {"dtype": "DType", "generator": "Generator"}
"""What a parameter annotated `Any` of this name takes."""


class Parameter:
    """One parameter of a body.

    Attributes:
        name: the body's.
        shown: PyTorch's, where that is one other.
        kinds: what it takes, any of them; empty for anything.
        none: whether None is taken.
        mixed: an `Operand`: a number only beside a tensor.
        several: whether PyTorch has an overload for each of its kinds.
        inside: whether it depends on the items of a list whether that is taken.
    """

    __slots__ = ("inside", "kinds", "mixed", "name", "none", "several", "shown")

    def __init__(self, name: str, annotation: str, none: bool) -> None:
        words = annotation.split(" | ")
        if annotation == "Any":
            words = [_BY_NAME.get(name) or ("Tensor" if name in TENSORS else "Any")]
        known = [_KINDS.get(word) for word in words if word != "None"]
        self.name = self.shown = name
        self.kinds: tuple[Kind, ...] = () if None in known else sum(filter(None, known), ())
        self.none = none or "None" in words or "Dim" in words
        self.mixed = "Operand" in words
        self.several = len(self.kinds) > 1 and "Value" not in words
        self.inside = _SEVERAL in self.kinds or _DIMS in self.kinds

    @property
    def word(self) -> str:
        """What PyTorch says that it must be."""
        return self.kinds[0].word

    def take(self, value: Any) -> Any:
        """The value as the body takes it; `MISFIT` for one that does not fit."""
        if not self.kinds or (value is None and self.none):
            return value
        for kind in self.kinds:
            taken = kind.take(value)
            if taken is not MISFIT:
                return taken
        return MISFIT


def rest_of(body: Callable[..., Any]) -> str:
    """The name under which a body takes any number of positional arguments; "" if it does not."""
    code = getattr(body, "__wrapped__", body).__code__
    count = code.co_argcount + code.co_kwonlyargcount
    return str(code.co_varnames[count]) if code.co_flags & 4 else ""


def takes_list(body: Callable[..., Any]) -> bool:
    """Whether the function of a body takes as one list what its method takes in any number."""
    return body.__annotations__.get(rest_of(body)) in ("Dims", "Listed")


class Parameters:
    """The parameters of a body.

    Args:
        body: a function.
        listed: whether what it takes any number of, comes as one list.
        arguments: what PyTorch calls them instead, as `Named` says it.

    Attributes:
        positional: those that may be given by position, in order.
        keywords: those that must be named.
        required: how many of `positional` have no default.
        rest: whether it takes any number of further positional arguments, under this name or "".
        more: whether it takes any further named arguments.
        renamed: PyTorch's other names -> the body's one, and what it takes under this name.
        hidden: names of the body that are none of PyTorch's.
    """

    __slots__ = (
        *("by_name", "hidden", "keywords", "more", "positional", "renamed", "required", "rest"),
    )

    def __init__(
        self,
        body: Callable[..., Any],
        listed: bool = False,
        arguments: Mapping[str, str | None] = NOTHING,
    ) -> None:
        source = getattr(body, "__wrapped__", body)
        code, defaults = source.__code__, source.__defaults__ or ()
        names = code.co_varnames
        count = code.co_argcount
        end = count + code.co_kwonlyargcount
        self.required = count - len(defaults)
        given = dict(zip(names[self.required : count], defaults, strict=True))
        given.update(source.__kwdefaults__ or {})
        made = [
            Parameter(
                name,
                str(source.__annotations__.get(name, "")),
                given.get(name, MISFIT) is None,
            )
            for name in names[:end]
        ]
        self.positional, self.keywords = made[:count], made[count:]
        self.by_name = {parameter.name: parameter for parameter in made}
        self.rest = rest_of(body)
        if listed:
            word = source.__annotations__[self.rest]
            self.positional.append(Parameter(self.rest, word, False))
            self.required += word == "Listed"
            self.by_name[self.rest], self.rest = self.positional[-1], ""
        self.more = bool(code.co_flags & 8)
        self.renamed: dict[str, tuple[str, Parameter | None]] = {}
        self.hidden: set[str] = set()
        if arguments:
            self._rename(arguments)

    def _rename(self, arguments: Mapping[str, str | None]) -> None:
        for name, said in arguments.items():
            if said is None:
                del self.by_name[name]
                self.positional = [p for p in self.positional if p.name != name]
                self.keywords = [p for p in self.keywords if p.name != name]
                continue
            own, _, annotation = said.partition(": ")
            self.renamed[name] = own, Parameter(own, annotation, False) if annotation else None
        owns = [own for own, _ in self.renamed.values()]
        self.hidden = {own for own in owns if own not in self.renamed}
        for name, (own, _) in self.renamed.items():
            if owns.count(own) == 1:
                self.by_name[own].shown = name
