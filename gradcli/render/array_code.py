"""What NumPy and JAX have no function for, as functions that go before a formula: windows that
slide, places to add to, padding.

Constraints: one text for both, which calls the array module `xp`; what depends on shapes alone is
computed by NumPy, so that JAX can compile the rest. A helper may call others.
"""

from __future__ import annotations

import re

WINDOWED = {
    "each_axis": '''
def each_axis(sizes, *options):
    """The size and the options of each axis; a number stands for all of them."""
    return zip(sizes, *(np.broadcast_to(v, len(sizes)).tolist() for v in options))
''',
    "windows": '''
def windows(x, tables, fill=0):
    """Windows over the last axes, their insides behind; fill where a place lies outside."""
    for axis, table in enumerate(tables, x.ndim - len(tables)):
        size = x.shape[axis]
        inside = ((table >= 0) & (table < size)).reshape(*table.shape, *[1]*(x.ndim - axis - 1))
        x = xp.where(inside, xp.take(x, np.clip(table, 0, size - 1), axis), fill)
        x = xp.moveaxis(x, axis + 1, -1)
    return x
''',
    "sliding": '''
def sliding(x, kernel, stride, padding, dilation, ceil_mode=False):
    """The places of each window, an axis at a time."""
    tables = []
    sizes = x.shape[x.ndim - len(kernel):]
    for n, k, s, p, d in each_axis(sizes, kernel, stride, padding, dilation):
        after = min(p + s - 1, d*(k - 1)) if ceil_mode else p
        count = (n + p + after - d*(k - 1) - 1)//s + 1
        tables.append(s*np.arange(count)[:, None] + d*np.arange(k) - p)
    return tables
''',
    "contracted": '''
def contracted(x, w, tables, groups):
    """The sum over channels and places of each window times a weight (out, in/groups, ...)."""
    places = [len(table) for table in tables]
    cut = windows(x, tables)
    cut = cut.reshape(-1, groups, w.shape[1], math.prod(places), math.prod(w.shape[2:]))
    weight = w.reshape(groups, -1, w.shape[1], cut.shape[-1])
    out = xp.einsum("bgcpk,gock->bgop", cut, weight)
    return out.reshape(*x.shape[:x.ndim - len(places) - 1], w.shape[0], *places)
''',
    "convolve": '''
def convolve(x, w, stride=1, padding=0, dilation=1, groups=1):
    """x (batch, in, ...) with w (out, in/groups, ...)."""
    return contracted(x, w, sliding(x, w.shape[2:], stride, padding, dilation), groups)
''',
    "convolve_transposed": '''
def convolve_transposed(x, w, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """The transpose of a convolution: x (batch, in, ...) with w (in, out/groups, ...)."""
    tables = []
    sizes = zip(x.shape[x.ndim - w.ndim + 2:], w.shape[2:])
    options = each_axis(w.shape[2:], stride, padding, output_padding, dilation)
    for (n, k), (_, s, p, more, d) in zip(sizes, options):
        places = np.arange(s*(n - 1) + d*(k - 1) + 1 + more - 2*p)[:, None] + p - d*np.arange(k)
        tables.append(np.where(places % s == 0, places//s, -1))
    w = w.reshape(groups, -1, *w.shape[1:]).swapaxes(1, 2)
    return contracted(x, w.reshape(-1, *w.shape[2:]), tables, groups)
''',
    "avg_pool": '''
def avg_pool(x, kernel, stride=None, padding=0):
    """The mean of each window."""
    cut = windows(x, sliding(x, kernel, stride or kernel, padding, 1))
    return xp.mean(cut, tuple(range(-len(kernel), 0)))
''',
    "maxima": '''
def maxima(x, tables):
    """The largest element of each window, and its place in the last axes, flattened."""
    core = len(tables)
    sizes = x.shape[x.ndim - core:]
    cut = windows(x, tables, -np.inf)
    cut = cut.reshape(*cut.shape[:-core], -1)
    places = windows(xp.arange(math.prod(sizes)).reshape(sizes), tables)
    places = xp.broadcast_to(places.reshape(*places.shape[:core], -1), cut.shape)
    first = xp.argmax(cut, -1)[..., None]
    return xp.max(cut, -1), xp.take_along_axis(places, first, -1)[..., 0]
''',
    "max_pool": '''
def max_pool(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest element of each window, and its place."""
    return maxima(x, sliding(x, kernel, stride or kernel, padding, dilation, ceil_mode))
''',
    "adaptive_max_pool": '''
def adaptive_max_pool(x, counts):
    """The largest element of each of as many windows, and its place."""
    tables = []
    for n, count in zip(x.shape[x.ndim - len(counts):], counts):
        starts = np.arange(count)*n//count
        ends = -(-np.arange(1, count + 1)*n//count)
        places = starts[:, None] + np.arange((ends - starts).max())
        tables.append(np.where(places < ends[:, None], places, -1))
    return maxima(x, tables)
''',
    "unfold": '''
def unfold(x, axis, size, step):
    """Windows along an axis, their insides behind."""
    axis = axis % x.ndim
    count = (x.shape[axis] - size)//step + 1
    places = step*np.arange(count)[:, None] + np.arange(size)
    return xp.moveaxis(xp.take(x, places, axis), axis + 1, -1)
''',
    "flattened": '''
def flattened(x, start=0, end=-1):
    """The axes from start to end as one."""
    return x.reshape(*x.shape[:start % x.ndim], -1, *x.shape[end % x.ndim + 1:])
''',
    "scatter_add": '''
def scatter_add(zeros, axis, places, values):
    """values added at places along an axis."""
    index = list(np.indices(places.shape, sparse=True))
    index[axis] = places
    return added_at(zeros, tuple(index), values)
''',
    "padded": '''
def padded(x, *pairs):
    """Zeros around the last axes."""
    return xp.pad(x, [(0, 0)]*(x.ndim - len(pairs)) + list(pairs))
''',
}
"""Name -> the function's lines, `xp` for the array module."""


def helpers(prefix: str) -> dict[str, str]:
    """The functions, with the array module called `prefix`."""
    return {name: re.sub(r"\bxp\.", f"{prefix}.", text.strip()) for name, text in WINDOWED.items()}


def used_by(text: str, known: dict[str, str]) -> list[str]:
    """The helpers that a text calls, and those that these call, first what others need."""
    found: dict[str, None] = {}
    for name, body in known.items():
        if re.search(rf"(?<![\w.]){name}\(", text):
            inner = body.partition("\n")[2]
            found.update(dict.fromkeys([*used_by(inner, known), name]))
    return list(found)
