"""Where equal elements end up in PyTorch's sort, topk, kthvalue and mode, which keep no order.

Constraints: PyTorch sorts and selects by the C++ library's algorithms (introsort, introselect, a
heap: Musser, Introspective Sorting and Selection Algorithms, 1997) and kthvalue by a quickselect of
its own. They are followed step by step, so only in rows where something depends on them, and in
rows of at most `MOST` elements: beyond, equal elements keep their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = Any
Row = list[tuple[int, int]]
"""(rank, place) of each element: equal elements have equal ranks."""
MOST = 1 << 13
FEW = 16
"""Elements that introsort leaves to insertion, which keeps the order of equal ones."""


def reordered(x: Array, places: Array, ties: tuple[Any, ...]) -> Array:
    """`places`, the stable order of the rows of `x`, in that of PyTorch's algorithm.

    Args:
        x: elements along the last axis.
        places: of the same shape, where those in order are.
        ties: `("sort",)`, `("topk", k, whether the k are sorted)` or `("kthvalue", k)`: then only
            the first k places, or that of number k, are those of PyTorch.
    """
    if ties == ("sort",) and x.shape[-1] <= FEW:
        return places
    found = places.copy()
    ordered = np.take_along_axis(x, places, -1)
    same = ordered[..., 1:] == ordered[..., :-1]
    same |= (ordered[..., 1:] != ordered[..., 1:]) & (ordered[..., :-1] != ordered[..., :-1])
    for index in _rows(same, ties, x.shape[-1]):
        ranks = np.empty(x.shape[-1], np.int64)
        ranks[places[index]] = np.concatenate(([0], np.cumsum(~same[index])))
        row = [(rank, place) for place, rank in enumerate(ranks.tolist())]
        _arrange(row, ties)
        found[index] = [place for _, place in row]
    return found


def _rows(same: Array, ties: tuple[Any, ...], length: int) -> Iterator[tuple[int, ...]]:
    """The rows in which the algorithm decides something."""
    if length < 2 or length > MOST:
        return
    wanted = same.any(-1) if ties[0] != "topk" or ties[2] else np.ones(same.shape[:-1], bool)
    yield from (tuple(map(int, index)) for index in np.argwhere(wanted))


def _arrange(row: Row, ties: tuple[Any, ...]) -> None:
    kind, *options = ties
    if kind == "sort":
        _sort(row, 0, len(row))
    elif kind == "kthvalue":
        _quickselect(row, options[0] - 1)
    elif options[0]:
        _top(row, *options)


def _top(row: Row, count: int, is_sorted: bool) -> None:
    if count * 64 <= len(row):
        _select_by_heap(row, 0, count, len(row))
        _sort_heap(row, 0, count)
        return
    _select(row, count - 1)
    if is_sorted:
        _sort(row, 0, count - 1)


def inserted(values: list[float]) -> list[int]:
    """The places in the order that insertion leaves: a NaN is neither below nor above a number."""
    order: list[int] = []
    for place, value in enumerate(values):
        at = 0 if order and value < values[order[0]] else len(order)
        while at and value < values[order[at - 1]]:
            at -= 1
        order.insert(at, place)
    return order


def _insert(row: Row, first: int, last: int) -> None:
    row[first:last] = sorted(row[first:last], key=_rank)


def _rank(entry: tuple[int, int]) -> int:
    return entry[0]


def _sort(row: Row, first: int, last: int) -> None:
    """Introsort."""
    _split(row, first, last, _depth(last - first))
    _insert(row, first, last)


def _split(row: Row, first: int, last: int, depth: int) -> None:
    while last - first > FEW:
        if not depth:
            _select_by_heap(row, first, last, last)
            _sort_heap(row, first, last)
            return
        depth -= 1
        cut = _partition(row, first, last)
        _split(row, cut, last, depth)
        last = cut


def _select(row: Row, place: int) -> None:
    """Introselect: the element of this place in order comes there, none larger before it."""
    first, last, depth = 0, len(row), _depth(len(row))
    while last - first > 3:
        if not depth:
            _select_by_heap(row, first, place + 1, last)
            row[first], row[place] = row[place], row[first]
            return
        depth -= 1
        cut = _partition(row, first, last)
        first, last = (cut, last) if cut <= place else (first, cut)
    _insert(row, first, last)


def _depth(count: int) -> int:
    return 2 * (max(count, 1).bit_length() - 1)


def _partition(row: Row, first: int, last: int) -> int:
    """Puts smaller elements before larger ones than the median of three; where these begin."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    x, y, z = row[a][0], row[b][0], row[c][0]
    rising = b if y < z else c if x < z else a
    middle = rising if x < y else a if x < z else c if y < z else b
    row[first], row[middle] = row[middle], row[first]
    pivot, i, j = row[first][0], first + 1, last
    while True:
        while row[i][0] < pivot:
            i += 1
        j -= 1
        while pivot < row[j][0]:
            j -= 1
        if i >= j:
            return i
        row[i], row[j] = row[j], row[i]
        i += 1


def _quickselect(row: Row, place: int) -> None:
    """PyTorch's quickselect, of three pivots each time."""
    left, right = 0, len(row) - 1
    while right > left:
        if right == left + 1:
            _in_order(row, left, right)
            return
        middle = left + (right - left) // 2
        row[middle], row[left + 1] = row[left + 1], row[middle]
        _in_order(row, left + 1, right)
        _in_order(row, left, right)
        _in_order(row, left + 1, left)
        i, j, pivot = left + 1, right, row[left][0]
        while True:
            i += 1
            while pivot > row[i][0]:
                i += 1
            j -= 1
            while row[j][0] > pivot:
                j -= 1
            if j < i:
                break
            row[i], row[j] = row[j], row[i]
        row[left], row[j] = row[j], row[left]
        if j <= place:
            left = i
        if j >= place:
            right = j - 1


def _in_order(row: Row, low: int, high: int) -> None:
    if row[low][0] > row[high][0]:
        row[low], row[high] = row[high], row[low]


# -- heaps, the largest element first


def _select_by_heap(row: Row, first: int, middle: int, last: int) -> None:
    """The smallest elements of `first` to `last` as a heap up to `middle`."""
    count = middle - first
    for parent in range((count - 2) // 2, -1, -1):
        _sift(row, first, parent, count, row[first + parent])
    for i in range(middle, last):
        if row[i][0] < row[first][0]:
            _pop(row, first, middle, i)


def _sort_heap(row: Row, first: int, last: int) -> None:
    for end in range(last - 1, first, -1):
        _pop(row, first, end, end)


def _pop(row: Row, first: int, last: int, result: int) -> None:
    value, row[result] = row[result], row[first]
    _sift(row, first, 0, last - first, value)


def _sift(row: Row, first: int, hole: int, count: int, value: tuple[int, int]) -> None:
    """Fills a hole of a heap from below, then lets `value` rise from there."""
    top, child = hole, hole
    while child < (count - 1) // 2:
        child = 2 * (child + 1)
        if row[first + child][0] < row[first + child - 1][0]:
            child -= 1
        row[first + hole], hole = row[first + child], child
    if count % 2 == 0 and child == (count - 2) // 2:
        child = 2 * child + 1
        row[first + hole], hole = row[first + child], child
    parent = (hole - 1) // 2
    while hole > top and row[first + parent][0] < value[0]:
        row[first + hole], hole = row[first + parent], parent
        parent = (hole - 1) // 2
    row[first + hole] = value
