"""JAX as a backend: a whole graph is one function that XLA compiles for the device.

Constraints: float64 is real inside our calls, whatever the program around us has set; JAX's own
differentiation is not used, so that there is no other convention for complex gradients. What looks
at values or runs on the host stands between compiled pieces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from typing import Any

import numpy as np

from gradcli.execute import outputs, spent
from gradcli.execute.backends import composed
from gradcli.execute.backends.array_api import OWN, ArrayAPI
from gradcli.execute.backends.base import Run, guarded
from gradcli.execute.backends.choice import found_device
from gradcli.execute.backends.jax_linalg import LINALG
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.backends.shared import Axes, Slices, places, taken
from gradcli.execute.work import Step, Work
from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.graph.shape import Shape, numel

jax: Any = import_module("jax")
jnp: Any = import_module("jax.numpy")
lax: Any = import_module("jax.lax")
special: Any = import_module("jax.scipy.special")
Array = Any

EXACT = lax.Precision.HIGHEST
"""Of products: float32, where XLA would take shorter numbers on some devices."""


def devices() -> list[str]:
    """Where JAX can compute on this machine, its own choice first."""
    return list(_known())


def _places_of(kind: str) -> list[Any]:
    try:
        return list(jax.devices(kind))
    except RuntimeError:
        return []


def _known() -> dict[str, Any]:
    """JAX's devices by name, its own choice first."""
    first = jax.devices()[0]
    named = {f"cuda:{i}": device for i, device in enumerate(_places_of("cuda"))}
    named["cpu"] = jax.devices("cpu")[0]
    return dict(sorted(named.items(), key=lambda item: item[1] is not first))


def load(device: str | None) -> Jax:
    """The backend on `device`, JAX's first one by default."""
    known = _known()
    return Jax(known[found_device("jax", device or next(iter(known)), list(known))])


def _contract(b: Jax, x: Array, y: Array, *, spec: str) -> Array:
    operands, _, result = spec.partition("->")
    left, _, right = operands.partition(",")
    return jnp.einsum(f"...{left},...{right}->...{result}", x, y, precision=EXACT)


def _embed(b: Jax, x: Array, *, slices: Slices, shape: Shape) -> Array:
    core = len(shape)
    config = [(0, 0, 0)] * (x.ndim - core)
    for (first, n, step), size in zip(slices, shape, strict=True):
        config.append((first, size - first - (max(n - 1, 0) * step + (n > 0)), step - 1))
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def _slice_put(b: Jax, x: Array, y: Array, *, slices: Slices) -> Array:
    core = len(slices)
    lead = jnp.broadcast_shapes(x.shape[: x.ndim - core], y.shape[: y.ndim - core])
    x = jnp.broadcast_to(x, lead + x.shape[x.ndim - core :])
    return x.at[taken(slices)].set(y)


def _overlap_add(b: Jax, x: Array, *, stride: Axes, dilation: Axes, shape: Shape) -> Array:
    """A sum of paddings, which XLA fuses; a scatter is slow."""
    core = len(shape)
    kernel, counts = x.shape[-2 * core : -core], x.shape[x.ndim - core :]
    if numel(kernel) > 256 or not numel(x.shape):
        return composed.overlap_add(b, x, stride=stride, dilation=dilation, shape=shape)
    out = jnp.zeros((*x.shape[: x.ndim - 2 * core], *shape), x.dtype)
    for place in np.ndindex(*kernel):
        starts = [p * d for p, d in zip(place, dilation, strict=True)]
        slices = tuple(zip(starts, counts, stride, strict=True))
        rest = (slice(None),) * core
        out = out + _embed(b, x[(..., *place, *rest)], slices=slices, shape=shape)
    return out


def _index_add(b: Jax, x: Array, *indices: Array, shape: Shape) -> Array:
    picked = jnp.broadcast_shapes(*(i.shape for i in indices))
    rest = len(shape) - len(indices)
    lead = x.shape[: x.ndim - len(picked) - rest]
    return jnp.zeros(lead + shape, x.dtype).at[places(len(shape), indices)].add(x)


def _scatter_reduce(
    b: Jax, x: Array, y: Array, *indices: Array, axes: int, reduce: str, include: bool
) -> Array:
    where = places(axes, indices)
    if not include:
        x = x.at[where].set(_identity(reduce, x.dtype))
    at = x.at[where]
    return {"prod": at.multiply, "amax": at.max, "amin": at.min}[reduce](y)


def _identity(reduce: str, dtype: Any) -> Any:
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    limits = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    if dtype.kind == "f":
        return -np.inf if reduce == "amax" else np.inf
    return limits.min if reduce == "amax" else limits.max


def _diagonal_embed(b: Jax, x: Array, *, offset: int, shape: Shape) -> Array:
    rows = np.arange(x.shape[-1]) + max(-offset, 0)
    return jnp.zeros(x.shape[:-1] + shape, x.dtype).at[..., rows, rows + offset].set(x)


def _logcumsumexp(b: Jax, x: Array, *, axis: int) -> Array:
    if not x.ndim or not x.shape[axis]:
        return x
    if x.dtype.kind == "c":
        return lax.associative_scan(lambda p, q: composed.logaddexp(b, p, q), x, axis=axis)
    return lax.cumlogsumexp(x, axis % x.ndim)


def _running_place(b: Jax, x: Array, *, axis: int, largest: bool) -> Array:
    axis %= x.ndim
    best = (lax.cummax if largest else lax.cummin)(x, axis)
    places = jnp.arange(x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return lax.cummax(jnp.where((x == best) | (x != x), places, 0), axis)


def _half(x: Array) -> Array:
    return lax.reduce_precision(x, 5, 10)


JAX: dict[str, Callable[..., Any]] = {
    **OWN,
    **{"contract": _contract, "logcumsumexp": _logcumsumexp, "running_place": _running_place},
    **{"embed": _embed, "slice_put": _slice_put, "overlap_add": _overlap_add},
    "diagonal": lambda b, x, *, offset: jnp.diagonal(x, offset, -2, -1),
    "diagonal_embed": _diagonal_embed,
    "index_put": lambda b, x, y, *indices, axes: x.at[places(axes, indices)].set(y),
    **{"index_add": _index_add, "scatter_reduce": _scatter_reduce},
    "to_bfloat16": lambda b, x: lax.reduce_precision(x, 8, 7),
    "to_complex32": lambda b, x: lax.complex(*(_half(part) for part in (x.real, x.imag))),
    "complex": lambda b, x, y: lax.complex(*jnp.broadcast_arrays(x, y)),
    "view_as_complex": lambda b, x: lax.complex(x[..., 0], x[..., 1]),
    "special_frexp": lambda b, x: jnp.frexp(x)[0],
    "special_frexp_exponent": lambda b, x: jnp.frexp(x)[1],
    **LINALG,
}
"""The array API's kernels, those for which JAX has more, and those that may not write."""


class Jax(ArrayAPI):
    """JAX on one device."""

    name = "jax"
    own = JAX
    renamed = {
        **{"lgamma": "gammaln", "special_gcd": "gcd", "special_lcm": "lcm"},
        **{f"special_{n}": n for n in ("i0", "i0e", "i1", "i1e", "entr", "ndtri", "log_ndtr")},
        **{"special_igamma": "gammainc", "special_igammac": "gammaincc", "special_zeta": "zeta"},
        **{"special_modified_bessel_i0": "i0", "special_modified_bessel_i1": "i1"},
        "special_xlog1py": "xlog1py",
    }
    missing = frozenset(("softmax", "log_softmax", "logsumexp", "polygamma"))
    gives_up = True

    def __init__(self, place: Any) -> None:
        super().__init__(jnp, f"{place.platform}:{place.id}", special)
        self.place = place
        self.copies = place.platform != "cpu"

    def from_numpy(self, array: Any) -> Any:
        """An array on the device; on the CPU it shares the memory of one that JAX can take."""
        if self.copies:
            return jax.device_put(array, self.place, may_alias=False)
        return jax.device_put(outputs.aligned(array), self.place)

    def dtype(self, dtype: DType) -> Any:
        """NumPy's dtype, as JAX takes it."""
        return NUMPY_DTYPES[dtype]

    def finish(self, arrays: Sequence[Any]) -> None:
        """Waits until they are computed."""
        jax.block_until_ready(list(arrays))

    def computing(self) -> AbstractContextManager[Any]:
        """A block with float64, on the device."""
        block = ExitStack()
        block.enter_context(jax.enable_x64(True))
        block.enter_context(jax.default_device(self.place))
        return block

    def slice_at(self, x: Any, starts: Any, *, slices: Any) -> Any:
        """A slice that starts where a compiled function is told."""
        lead = x.ndim - len(slices)
        sizes = [max(n - 1, 0) * step + (n > 0) for _, n, step in slices]
        first = [0] * lead + [starts[i] for i in range(len(slices))]
        cut = lax.dynamic_slice(x, first, (*x.shape[:lead], *sizes))
        return cut[taken(tuple((0, n, step) for _, n, step in slices))]

    def compiled(self, work: Work, free: Sequence[int] = ()) -> Run:
        """One compiled function, where nothing looks at values or runs on the host."""
        levels: dict[int, int] = {}
        pieces: dict[tuple[int, bool], list[Step]] = {}
        for step in work.steps:
            alone = self._is_alone(step)
            level = max((levels.get(i, 0) for i in step.sources), default=0)
            levels[step.target] = level + alone
            pieces.setdefault((level, alone), []).append(step)
        stages = [(alone, steps) for (_, alone), steps in sorted(pieces.items(), key=_stage)]
        if not stages:
            return lambda arrays: [arrays[i] for i in work.outputs]
        made = {step.target: step.node for alone, steps in stages if not alone for step in steps}
        own = made | {i: work.inputs[i] for i in free}
        if len(stages) == 1 and not stages[0][0]:
            reads = range(len(work.inputs))
            run = self._compiled(stages[0][1], reads, work.outputs, own)
            return lambda arrays: run(*arrays)
        return self._in_stages(stages, work, own)

    def _is_alone(self, step: Step) -> bool:
        return self.stops(step.node) or not self.has(step.node.op)

    def _piece(
        self, steps: Sequence[Step], reads: Sequence[int], writes: Sequence[int]
    ) -> Callable[..., list[Any]]:
        """Some steps, each by itself."""

        def piece(*arrays: Array) -> list[Array]:
            slots = dict(zip(reads, arrays, strict=True))
            for step in steps:
                slots[step.target] = guarded(self, step.node, [slots[i] for i in step.sources])
            return [slots[i] for i in writes]

        return piece

    def _compiled(
        self,
        steps: Sequence[Step],
        reads: Sequence[int],
        writes: Sequence[int],
        own: Mapping[int, Node],
    ) -> Callable[..., list[Any]]:
        """Some steps as one function, which writes over those of `own` in which a result fits."""
        made = {step.target: step.node for step in steps}
        rooms = Counter(_room(made[i]) for i in set(writes) if i in made)
        over = []
        for place, i in enumerate(reads):
            room = _room(own[i]) if i in own and i not in writes else None
            if room is not None and rooms[room]:
                rooms[room] -= 1
                over.append(place)
        return jax.jit(self._piece(steps, reads, writes), donate_argnums=over)  # type: ignore[no-any-return]  # JAX is Any here

    def _in_stages(
        self, stages: Sequence[tuple[bool, list[Step]]], work: Work, own: Mapping[int, Node]
    ) -> Run:
        calls: list[tuple[Callable[..., list[Any]], list[int], list[int]]] = []
        later = set(work.outputs)
        for alone, steps in reversed(stages):
            made = {step.target for step in steps}
            reads = sorted({i for step in steps for i in step.sources} - made)
            writes = sorted(made & later)
            free = {i: node for i, node in own.items() if i not in later}
            piece = self._piece(steps, reads, writes)
            run = piece if alone else self._compiled(steps, reads, writes, free)
            calls.append((run, reads, writes))
            later |= set(reads)

        def run_all(arrays: Sequence[Array]) -> list[Array]:
            slots = dict(enumerate(arrays))
            for run, reads, writes in reversed(calls):
                slots.update(zip(writes, run(*(slots[i] for i in reads)), strict=True))
            return [slots[i] for i in work.outputs]

        return run_all


def _stage(item: tuple[tuple[int, bool], Any]) -> tuple[int, bool]:
    return item[0]


def _room(node: Node) -> Any:
    """The kind of memory that a value lies in; None for what is not worth writing over."""
    dtype = NUMPY_DTYPES[node.dtype]
    if node.op.multiple or node.size * dtype.itemsize < spent.LEAST:
        return None
    return node.shape, dtype
