"""Values between PyTorch and gradcli, and how closely two results must agree.

Constraints: tensors travel through NumPy; a value that gradcli cannot take raises `Outside`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from gradcli.functions import find
from gradcli.graph.dtype import DTYPES, DType
from gradcli.tensor import Tensor

RELATIVE = {
    **{"float64": 1e-10, "complex128": 1e-10, "float32": 1e-4, "complex64": 1e-4},
    **{"float16": 2e-3, "bfloat16": 1.6e-2, "complex32": 2e-3},
}
"""Allowed error, relative to the largest element."""
FLOOR = {
    **{"float64": 1e-13, "complex128": 1e-13, "float32": 4e-6, "complex64": 4e-6},
    **{"float16": 1e-3, "bfloat16": 8e-3, "complex32": 1e-3},
}
"""Allowed absolute error: cancellation leaves rounding noise where one side has an exact zero."""


STORED = {torch.bfloat16: torch.float32, torch.complex32: torch.complex64}
"""What the types that NumPy lacks are compared in."""


class Outside(Exception):
    """A sample uses a feature that gradcli leaves out; the message names it."""


def to_gradcli(value: Any, known: dict[int, Tensor]) -> Any:
    """A sample's argument for gradcli; equal tensors stay one tensor, leaves keep requires_grad."""
    if isinstance(value, torch.Tensor):
        if id(value) not in known:
            known[id(value)] = _tensor(value)
        return known[id(value)]
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(to_gradcli(v, known) for v in value)
    if isinstance(value, dict):
        return {k: to_gradcli(v, known) for k, v in value.items()}
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, torch.dtype):
        return dtype_of(value)
    if value is torch.strided:
        return None
    if value in (torch.preserve_format, torch.contiguous_format):
        return find(str(value))
    if isinstance(value, torch.nn.PairwiseDistance):
        return find("torch.nn.functional.pairwise_distance")
    if isinstance(value, (torch.memory_format, torch.layout, torch.Generator)):
        raise Outside(type(value).__name__.replace("_", " "))
    if isinstance(value, slice):
        return slice(*(to_gradcli(v, known) for v in (value.start, value.stop, value.step)))
    if isinstance(value, torch.device):
        return str(value)
    return value


def dtype_of(dtype: torch.dtype) -> DType:
    """gradcli's dtype of PyTorch's."""
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise Outside(f"dtype {name}")
    return DTYPES[name]


def array_of(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """A NumPy copy of a dense tensor."""
    if tensor.layout is not torch.strided or tensor.is_meta:
        raise Outside("meta tensor" if tensor.is_meta else "sparse layout")
    if tensor.ndim > 64:
        raise Outside("more dimensions than NumPy has")
    dtype_of(tensor.dtype)
    return np.array(tensor.to(STORED.get(tensor.dtype, tensor.dtype)).numpy(force=True))


def _tensor(value: torch.Tensor) -> Tensor:
    made: Tensor = find("torch.tensor")(array_of(value), dtype=dtype_of(value.dtype))
    made.requires_grad = value.requires_grad
    return made


def leaves(value: Any, kind: type) -> Iterator[Any]:
    """Every object of class `kind` in nested arguments, each once."""
    seen: set[int] = set()
    stack = [value]
    while stack:
        item = stack.pop(0)
        if isinstance(item, kind):
            if id(item) not in seen:
                seen.add(id(item))
                yield item
        elif isinstance(item, (list, tuple)):
            stack[:0] = list(item)
        elif isinstance(item, dict):
            stack[:0] = list(item.values())


class Comparison:
    """How closely results must agree.

    Args:
        values: whether elements are compared, or dtype and shape alone.
        looser: dtype name -> a relative error that is allowed where RELATIVE allows less.
        second: whether these are second derivatives: differences of larger numbers, so that the
            noise is larger; and nothing is said where PyTorch's is NaN, at a corner.
    """

    def __init__(
        self, *, values: bool = True, looser: dict[str, float] | None = None, second: bool = False
    ) -> None:
        self.values = values
        self.relative = {**RELATIVE, **(looser or {})}
        self.second = second

    def difference(self, ours: Any, theirs: Any) -> str:
        """Why a result of gradcli is not PyTorch's, in words; empty when it is."""
        if isinstance(theirs, torch.Tensor):
            return self._of_tensors(ours, theirs)
        if isinstance(theirs, (list, tuple)):
            if not isinstance(ours, (list, tuple)) or len(ours) != len(theirs):
                return f"{type(ours).__name__} in place of {len(theirs)} results"
            pairs = zip(ours, theirs, strict=True)
            return next((d for pair in pairs if (d := self.difference(*pair))), "")
        if isinstance(theirs, (float, complex)) and isinstance(ours, type(theirs)):
            return self._of_arrays(np.asarray(ours), np.asarray(theirs), "float64")
        return "" if ours == theirs else f"{ours!r} in place of {theirs!r}"

    def _of_tensors(self, ours: Any, theirs: torch.Tensor) -> str:
        if not isinstance(ours, Tensor):
            return f"{type(ours).__name__} in place of a tensor"
        name = dtype_of(theirs.dtype).name
        if ours.dtype.name != name:
            return f"dtype {ours.dtype.name} in place of {name}"
        if tuple(ours.shape) != tuple(theirs.shape):
            return f"shape {tuple(ours.shape)} in place of {tuple(theirs.shape)}"
        return self._of_arrays(ours.array(), array_of(theirs), name) if self.values else ""

    def _of_arrays(self, a: Any, b: Any, dtype: str) -> str:
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"array {a.dtype}{a.shape} in place of {b.dtype}{b.shape}"
        wrong = ~self._close(a, b, dtype) if a.dtype.kind in "fc" else a != b
        if not np.any(wrong):
            return ""
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        count = np.count_nonzero(wrong)
        return f"{a[place]} in place of {b[place]} at {place} ({count} of {a.size})"

    def _close(self, a: Any, b: Any, dtype: str) -> Any:
        with np.errstate(all="ignore"):
            finite = np.isfinite(b)
            scale = np.abs(b[finite]).max(initial=0)
            near = np.abs(a - b) <= self.relative[dtype] * scale + FLOOR[dtype] * (
                100 if self.second else 1
            )
            same = (a == b) | (np.isnan(b) & (self.second | np.isnan(a)))
            return np.where(finite & np.isfinite(a), near, same)


def requires_grad(values: Any, kind: type) -> list[Any]:
    """The tensors of class `kind` in nested values that a gradient flows to."""
    return [x for x in leaves(values, kind) if x.requires_grad]
