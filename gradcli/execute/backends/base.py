"""What a backend is: ops on one array library, one at a time or a whole graph in one call.

Constraints: imports no array library but NumPy, the host's; a backend's module is imported when it
is asked for. A kernel is looked for among the library's own, then under its name in the library's
namespaces, then among those composed of others, and last on the host, which is said on stderr.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, NumPy, stored
from gradcli.execute.backends.reuse import fitting, reused
from gradcli.execute.backends.shared import SHARED
from gradcli.execute.work import Work
from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.graph.op import ALIASES, UNKNOWN, Op
from gradcli.graph.shape import Shape
from gradcli.ops.elementwise import ROUNDING

Array = Any
Kernel = Callable[..., Any]
Run = Callable[[Sequence[Array]], list[Array]]

DIVISIONS = frozenset(("floor_divide", "div_trunc", "fmod", "remainder"))
"""Kernels that refuse a zero divisor where the numbers are whole."""
FINITE = frozenset(("linalg_svd", "linalg_eig", "linalg_pinv"))
"""Kernels that refuse what is not finite."""
CHECKED = FINITE | {"checked", "cholesky_inverse"}
"""Kernels that look at values and may refuse them."""


class Library(ABC):
    """A library other than NumPy; what differs between them is a table and a few methods.

    Attributes:
        renamed: kernel name -> the library's name of it, where that is another.
        missing: kernel names whose function of that name in the library means something else, or is
            less exact.
        own: kernels under no single name: `(library, *values, **attrs) -> value`; they come before
            those that are shared.
        over: kernels that take `out`, which may be an operand of the result's shape and dtype.
        fresh: other kernels whose result is in memory of its own.
        gives_up: whether compiled work can write over inputs that nobody reads after it.
        copies: whether what `from_numpy` gives never shares the host's memory.
        spaces: the library's modules, searched in this order.
        device: where its arrays are, in words.
    """

    name: ClassVar[str]
    renamed: ClassVar[Mapping[str, str]] = {}
    missing: ClassVar[frozenset[str]] = frozenset()
    own: ClassVar[Mapping[str, Kernel]] = {}
    over: ClassVar[frozenset[str]] = frozenset()
    fresh: ClassVar[frozenset[str]] = frozenset()
    gives_up: ClassVar[bool] = False
    copies = False

    def __init__(self, spaces: Sequence[Any], device: str) -> None:
        self.spaces = spaces
        self.device = device
        self.host = NumPy()
        self.kernels: dict[str, Kernel | None] = {}
        self.said: set[str] = set()

    @property
    def xp(self) -> Any:
        """The library's main module."""
        return self.spaces[0]

    # -- what each library says

    @abstractmethod
    def from_numpy(self, array: Array) -> Array:
        """The library's array of a NumPy array, on the device."""

    @abstractmethod
    def to_numpy(self, array: Array) -> Array:
        """The NumPy array of the library's array."""

    @abstractmethod
    def full(self, shape: Shape, value: complex, dtype: DType) -> Array:
        """An array that holds one number everywhere."""

    @abstractmethod
    def cast(self, array: Array, dtype: DType) -> Array:
        """`array` in another dtype."""

    def dtype(self, dtype: DType) -> Any:
        """The library's name for a dtype."""
        return getattr(self.spaces[0], NUMPY_DTYPES[dtype].name)

    def finish(self, arrays: Sequence[Array]) -> None:  # noqa: B027 - most compute at once
        """Waits until `arrays` are computed."""

    def transform(self, name: str, x: Array, axes: Any, norm: str, sizes: Any = None) -> Array:
        """A Fourier transform by its name in the library."""
        return getattr(self.xp.fft, name)(x, s=sizes, axes=axes, norm=norm)

    def as_complex(self, x: Array) -> Array:
        """Real numbers as complex ones, where a transform wants them so."""
        return x

    def computing(self) -> AbstractContextManager[Any]:
        """The block in which its functions are called."""
        return nullcontext()

    def slice_at(self, x: Array, starts: Any, *, slices: Any) -> Array:
        """A slice that starts at `starts`."""
        moved = [(int(i), n, step) for i, (_, n, step) in zip(starts, slices, strict=True)]
        return self.slice(x, slices=tuple(moved))

    # -- ops

    def run(self, node: Node, values: Sequence[Array], out: Array = None) -> Any:
        """The value of `node`, a tuple where it is several; in the memory of `out` if it fits."""
        op = node.op
        plain = PLAIN.get(op.name)
        if plain is not None:
            return plain(self, node, values)
        if self.stops(node):
            self._look(node, values)
        kernel = self.kernel(op.kernel)
        if kernel is None:
            return self.on_host(node, values)
        fits = fitting(node.shape, values, out) and out.dtype == self.dtype(node.dtype)
        found = kernel(*values, **node.attrs, **({"out": out} if fits else {}))
        return tuple(found) if op.multiple else self.exact(found, node.dtype)

    def _look(self, node: Node, values: Sequence[Array]) -> None:
        """Refuses the values that an op refuses."""
        kernel = node.op.kernel
        if kernel in DIVISIONS and not self.all(values[1] != 0):
            raise GradcliError("G026", "ZeroDivisionError", kind=RuntimeError)
        if kernel in FINITE and not self.all(self.isfinite(values[0])):
            self.host.run(node, [self.fetched(value) for value in values])  # has the sentence

    def has(self, op: Op) -> bool:
        """Whether an op runs here, not on the host."""
        return op.name in PLAIN or self.kernel(op.kernel) is not None

    def kernel(self, name: str) -> Kernel | None:
        """The function that executes a kernel here; None where the host must."""
        try:
            return self.kernels[name]
        except KeyError:
            found = self.kernels[name] = self._found(name)
            return found

    def _found(self, name: str) -> Kernel | None:
        from gradcli.execute.backends.composed import COMPOSED, NEEDS

        own = self.own.get(name) or SHARED.get(name)
        if own is not None:
            return self._bound(own)
        if name not in self.missing:
            for space in self.spaces:
                found = getattr(space, self.renamed.get(name, name), None)
                if found is not None:
                    return found  # type: ignore[no-any-return]  # a module holds anything
        if name not in COMPOSED or any(self.kernel(need) is None for need in NEEDS.get(name, ())):
            return None
        return self._bound(COMPOSED[name])

    def _bound(self, kernel: Kernel) -> Kernel:
        return lambda *values, **attrs: kernel(self, *values, **attrs)

    def __getattr__(self, name: str) -> Kernel:
        """A kernel by name, so that kernels can be composed of others."""
        if name.startswith("_") or (found := self.kernel(name)) is None:
            raise AttributeError(name)
        return found

    def exact(self, value: Array, dtype: DType) -> Array:
        """A value in the dtype that the graph says."""
        return value if value.dtype == self.dtype(dtype) else self.cast(value, dtype)

    def as_cast(self, x: Array, dtype: DType) -> Array:
        """The cast that a user asks for: of a complex number the real part, as PyTorch takes it."""
        if self.is_complex(x) and not dtype.is_complex:
            x = self.ne_zero(x) if dtype.category == 0 else self.real(x)
        made = self.exact(x, dtype)
        return getattr(self, ROUNDING[dtype].kernel)(made) if dtype in ROUNDING else made

    def ne_zero(self, x: Array) -> Array:
        """Where `x` is not 0."""
        return x != 0

    def is_complex(self, x: Array) -> bool:
        """Whether the numbers are complex."""
        return "complex" in str(x.dtype)

    def all(self, x: Array) -> bool:
        """Whether all elements are true; looks at the values."""
        return bool(self.to_numpy(x).all())

    # -- the host

    def on_host(self, node: Node, values: Sequence[Array]) -> Any:
        """The value of `node` from NumPy, and a note that it is so, once for each op."""
        self.say_host(node.op)
        found = self.host.run(node, [self.fetched(value) for value in values])
        return self.sent(found)

    def alone(self, node: Node, values: Sequence[Array]) -> Any:
        """The value of `node` as NumPy's, from NumPy's values."""
        if node.op in UNKNOWN:
            return self.host.run(node, list(values))
        with self.computing():
            return self.fetched(guarded(self, node, [self.sent(value) for value in values]))

    def say_host(self, op: Op) -> None:
        """Says on stderr that this library lacks an op; once."""
        if op.name not in self.said:
            self.said.add(op.name)
            print(f"note: {self.name} has no {op.name}: it runs on the host", file=sys.stderr)

    def fetched(self, value: Any) -> Any:
        """A value as NumPy's; a tuple where it is several."""
        if isinstance(value, tuple):
            return tuple([self.to_numpy(part) for part in value])
        return self.to_numpy(value)

    def sent(self, value: Any) -> Any:
        """NumPy's value as this library's."""
        if isinstance(value, tuple):
            return tuple([self.from_numpy(part) for part in value])
        return self.from_numpy(value)

    def stops(self, node: Node) -> bool:
        """Whether an op looks at values: it runs by itself, at once."""
        whole = node.dtype.category < 2
        return node.op.kernel in CHECKED or (whole and node.op.kernel in DIVISIONS)

    # -- whole graphs

    def compiled(self, work: Work, free: Sequence[int] = ()) -> Run:
        """What computes a graph's outputs from its inputs, and may write over those in `free`."""
        steps = list(reused(work, self.over, self.fresh))

        def run(arrays: Sequence[Array]) -> list[Array]:
            slots = [*arrays, *[None] * len(steps)]
            for step, over in steps:
                values = [slots[i] for i in step.sources]
                out = None if over is None else slots[over]
                slots[step.target] = guarded(self, step.node, values, out)
                for slot in step.last:
                    slots[slot] = None
            return [slots[i] for i in work.outputs]

        return run


def _number(node: Node) -> Any:
    """A constant, rounded where its dtype is stored in a wider one."""
    value = node.attrs["value"]
    return stored(np.asarray(value), node.dtype).item() if node.dtype in ROUNDING else value


def _pulled(library: Library, node: Node, values: Sequence[Array]) -> Any:
    return tuple([library.full(shape, 0, dtype) for shape, dtype in node.attrs["kinds"]])


PLAIN: dict[str, Callable[[Library, Node, Sequence[Array]], Any]] = {
    "full": lambda b, node, values: b.full(node.shape, _number(node), node.dtype),
    "item": lambda b, node, values: b.exact(values[0][node.attrs["index"]], node.dtype),
    "cast": lambda b, node, values: b.as_cast(values[0], node.dtype),
    "widen": lambda b, node, values: b.exact(values[0], node.dtype),
    **dict.fromkeys(ALIASES, lambda b, node, values: values[0]),
    **dict.fromkeys(("overwrite", "replace"), lambda b, node, values: values[1]),
    "slice_at": lambda b, node, values: b.slice_at(*values, slices=node.attrs["slices"]),
    "custom": lambda b, node, values: tuple(values[: node.attrs["count"]]),
    "pulled": _pulled,
}
"""Ops that are no kernel's."""


def guarded(library: Library, node: Node, values: Sequence[Array], out: Array = None) -> Any:
    """Runs an op; whatever is raised becomes an error with the node's place."""
    try:
        return library.run(node, values, out)
    except GradcliError as error:
        raise error.at(node.span) from None
    except (TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise GradcliError(
            "G071",
            f"{library.name} cannot compute {node.op.name} of "
            f"{', '.join(str(v.dtype) for v in values if hasattr(v, 'dtype'))}: "
            f"{str(error).strip().partition(chr(10))[0]}",
            node.span,
            help="use --backend numpy",
        ) from error
