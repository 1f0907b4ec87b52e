"""Pooling by maxima: windows that slide, or as many as a result of a given size needs.

Constraints: one dim is pooled as two, as PyTorch does. A maximum is a choice of positions (the
first of equal ones, the last NaN) that the input is then read at: its derivatives are those of
reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.functions.index import positions
from gradcli.functions.nn import floating
from gradcli.functions.pool_checks import (
    check_adaptive,
    check_rank,
    check_windows,
    numbers,
)
from gradcli.functions.shape import reshaped
from gradcli.graph.dim import bases, steps
from gradcli.graph.dtype import BOOL
from gradcli.graph.node import Node
from gradcli.graph.shape import numel
from gradcli.ops.indexing import index
from gradcli.ops.window import Range, even_parts, sliding, window_argmax
from gradcli.tensor import registry
from gradcli.tensor.function import Function, composite, internal
from gradcli.tensor.named import Named
from gradcli.tensor.operands import no_kernel

Numbers = tuple[int, ...]

Ranges = tuple[tuple[Range, ...], ...]


def _chosen(x: Node, ranges: Ranges) -> tuple[Node, Node]:
    """The maximum of each window, and its position in the flattened last axes."""
    found = window_argmax(x, ranges=ranges)
    return read_at(x, found, len(ranges)), found


def read_at(x: Node, found: Node, core: int) -> Node:
    """`x` at positions in its flattened last `core` axes."""
    lead = x.shape[: x.ndim - core]
    flat = reshaped(x, (numel(lead), numel(x.shape[x.ndim - core :])))
    places = reshaped(found, (numel(lead), numel(found.shape[found.ndim - core :])))
    rows = positions(np.arange(numel(lead))[:, None])
    return reshaped(index(flat, rows, places, axes=2), found.shape)


def maxima(pair: Callable[..., Any], name: str, doc: str, *names: str) -> Function:
    """The entry of `pair`, which returns maxima and their positions, that returns both when asked.

    `names` are those of the entry; under `NAME_with_indices`, another one always returns both.
    """
    place = pair.__code__.co_varnames.index("return_indices")
    indexed = composite(f"nn.functional.{name}_with_indices", method=False)(pair)
    indexed.doc = f"`{name}`, and the positions of what it chose."

    def alone(*args: Any, **kwargs: Any) -> Any:
        both = indexed(*args, **kwargs)
        asked = args[place] if len(args) > place else kwargs.get("return_indices", False)
        return both if asked else both[0]

    alone.__wrapped__ = pair  # type: ignore[attr-defined]
    alone.__doc__ = doc
    alone_names = [Named(n, return_indices=None) for n in names]
    return composite(f"nn.functional.{name}", *alone_names, method=False)(alone)


def _as_two(chosen: Function, count: int, input: Any, *given: Any) -> Any:
    """What `chosen` makes of `input`; one dim goes through it as two."""
    if count > 1:
        return chosen(input, *given)
    return tuple(result.squeeze(-2) for result in chosen(input.unsqueeze(-2), *given))


def _max_pool_of(count: int) -> Function:
    core = max(count, 2)

    @internal(f"max_pool{core}D_with_indices")
    def chosen(x: Node, *given: Any) -> tuple[Node, Node]:
        kernel, stride, padding, dilation, up, alone = given
        counts = check_windows(x, kernel, stride, padding, dilation, up)
        if alone:
            floating(x, "max_pool1d_impl")
        elif x.dtype.category == BOOL or x.dtype.is_complex:
            raise no_kernel(f"max_pool{core}d", x)
        sizes = x.shape[x.ndim - core :]
        each = zip(counts, sizes, kernel, stride, padding, dilation, strict=True)
        values, places = _chosen(x, tuple(sliding(*one) for one in each))
        if not any(map(bases, counts)):
            return values, places
        shape = x.shape[: x.ndim - core] + counts  # ranges are counted without names
        return reshaped(values, shape), reshaped(places, shape)

    return chosen


def _max_pool(count: int) -> Function:
    name, chosen = f"max_pool{count}d", _max_pool_of(count)

    def pair(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        check_rank(input, count, name)
        asked = f"{name}{'_with_indices' * return_indices}"
        given = numbers(asked, count, kernel_size, stride, padding=padding, dilation=dilation)
        alone = count == 1 and not return_indices
        return _as_two(chosen, count, input, *given, ceil_mode, alone)

    doc = f"The maximum of each window over the last {count} dims; the first of equal ones counts."
    return maxima(pair, name, doc, name)


def _adaptive_max_pool(count: int) -> Function:
    core, name = max(count, 2), f"adaptive_max_pool{count}d"

    @internal(f"adaptive_max_pool{core}D")
    def chosen(x: Node, sizes: Numbers) -> tuple[Node, Node]:
        floating(x, f"adaptive_max_pool{core}d")
        parted = [steps(n, "elements to part") for n in x.shape[x.ndim - core :]]
        return _chosen(x, tuple(map(even_parts, parted, sizes)))

    def pair(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        sizes = check_adaptive(input, output_size, count, name)
        return _as_two(chosen, count, input, (1,) * (core - count) + sizes)

    doc = f"Maxima over the last {count} dims, as many as `output_size` says."
    return maxima(pair, name, doc)


max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, (1, 2, 3))
for _name in ("max_pool1d_with_indices", "adaptive_max_pool1d"):
    _both = f"torch.nn.functional.{_name.removesuffix('_with_indices')}_with_indices"
    _entry = registry.find(_both)
    registry.register(f"torch.{_name}", _entry.variant(arguments={"return_indices": None}))
