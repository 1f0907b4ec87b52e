"""What pooling checks before it starts, and its numbers for each axis, in PyTorch's words.

Constraints: raises, never changes anything. One dim is pooled as two, so its numbers get a first
one that does nothing.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.execute.limits import memory
from gradcli.functions.shape import whole
from gradcli.graph.dtype import SCALAR_TYPES, int64
from gradcli.graph.node import Node

Numbers = tuple[int, ...]
_WORDS = {1: "one", 2: "two", 3: "three"}


def numbers(name: str, count: int, kernel: Any, stride: Any, **rest: Any) -> tuple[Numbers, ...]:
    """Kernel, stride and the rest as a whole number for each pooled axis.

    Raises:
        GradcliError: G013 for lists of another length.
    """
    omitted = stride is None or stride == [] or stride == ()
    given = {"kernel_size": kernel, "stride": kernel if omitted else stride, **rest}
    found = []
    for what, value in given.items():
        values = [whole(v) for v in value] if isinstance(value, (list, tuple)) else [whole(value)]
        if len(values) not in (1, count):
            raise GradcliError("G013", _misfit(name, what, count, len(values)))
        values = values * count if len(values) == 1 else values
        idle = [0 if what == "padding" else 1] if count == 1 else []
        found.append(tuple(idle + values))
    if name == "max_pool1d":
        _check_one_dim(*(n[1] for n in found))
    return tuple(found)


def _misfit(name: str, what: str, count: int, got: int) -> str:
    if count == 1 and name == "max_pool1d":
        return (
            f"{name}() {what} must be an int, list of ints or tuple of ints of size 1 but got size "
            f"{got}"
        )
    if count == 1:
        return f"{name}() argument '{what}' should contain one int (got {got})"
    word, must = _WORDS[count], "must either be a single int,"
    if what == "stride":
        must = "must either be omitted, a single int,"
    elif what == "dilation":
        must = "must be either a single int,"
    elif name == "avg_pool3d":
        must = "must be a single int,"
    return f"{name}: {what} {must} or a tuple of {word} ints"


def _check_one_dim(kernel: int, stride: int, padding: int, dilation: int = 1) -> None:
    for what, bad in (
        (f"kernel_size must be greater than zero, but got {kernel}", kernel < 1),
        (f"stride must be greater than zero, but got {stride}", stride < 1),
        (f"padding must be non-negative, but got {padding}", padding < 0),
        (
            f"padding should be at most half of kernel size, but got padding={padding} and "
            f"kernel_size={kernel}",
            padding > kernel // 2,
        ),
        (f"dilation must be greater than zero, but got {dilation}", dilation < 1),
    ):
        if bad:
            raise GradcliError("G026", f"max_pool1d() {what}")


def only_one(name: str, what: str, value: Any, count: int) -> Numbers:
    """A whole number for each of `count` dims; raises G013 for a list of another length."""
    given = tuple(value) if isinstance(value, (list, tuple)) else (value,) * count
    if len(given) != count:
        raise GradcliError("G013", f"{name}: {what} must either be a single Int or tuple of Ints")
    return tuple(whole(n) for n in given)


def check_rank(input: Any, count: int, name: str) -> None:
    """Refuses an input with too many or too few dims, or with an empty one."""
    rank, shape = len(input.shape), list(input.shape)
    fits = rank in (count + 1, count + 2)
    if name == "avg_pool1d" and not fits:
        raise GradcliError("G021", _dims(1, rank, name))
    if count == 1:
        if not fits or 0 in shape[rank - 2 :]:
            start = "" if name == "avg_pool1d" else f"{name}: "
            raise GradcliError("G021", start + _expected(1, shape))
    elif not fits:
        raise GradcliError(
            "G021",
            f"non-empty {count + 1}D or {count + 2}D (batch mode) tensor expected for input",
        )


def _expected(count: int, shape: list[int]) -> str:
    return (
        f"Expected {count + 1}D or {count + 2}D (batch mode) tensor with optional 0 dim batch size "
        f"for input, but got:{shape}"
    )


def _empty(count: int, shape: list[int]) -> str:
    if count < 3:
        return _expected(count, shape)
    return (
        "max_pool3d_with_indices_out_cpu_template(): Expected input's non-batch dimensions to have "
        f"positive length, but input has a shape of {shape} and non-batch dimension 0 has length "
        "zero!"
    )


def _dims(count: int, rank: int, name: str) -> str:
    return (
        f"Expected {count + 1} to {count + 2} dimensions, but got {rank}-dimensional tensor for "
        f"argument #1 'self' (while checking arguments for {name})"
    )


def check_windows(
    x: Node, kernel: Numbers, stride: Numbers, padding: Numbers, dilation: Numbers, up: bool
) -> Numbers:
    """How many windows there are along each axis; raises G026 or G024 where there can be none."""
    core = len(kernel)
    letters = "THW"[-core:]
    if 0 in stride:
        raise GradcliError("G026", "stride should not be zero")
    for text, prefix, values in (
        ("kernel size", "k", kernel),
        ("stride", "d", stride),
        ("dilation", "dilation", dilation),
    ):
        if min(values) < 1:
            said = " ".join(f"{prefix}{c}: {n}" for c, n in zip(letters, values, strict=True))
            raise GradcliError("G026", f"{text} should be greater than zero, but got {said}")
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if p < 0:
            raise GradcliError("G026", f"pad must be non-negative, but got pad: {p}")
        if p > (d * (k - 1) + 1) // 2:
            raise GradcliError(
                "G026",
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}",
            )
    if 0 in x.shape[x.ndim - core - 1 :]:
        raise GradcliError("G021", _empty(core, list(x.shape)))
    sizes = x.shape[x.ndim - core :]
    each = zip(sizes, kernel, stride, padding, dilation, strict=True)
    counts = tuple(_pooled_size(*one, up) for one in each)
    if min(counts) < 1:
        channels = x.shape[x.ndim - core - 1]
        before, after = ("x".join(map(str, (channels, *ns))) for ns in (sizes, counts))
        raise GradcliError(
            "G024",
            f"Given input size: ({before}). Calculated output size: ({after}). Output size is too "
            "small",
        )
    return counts


def check_averages(x: Node, kernel: Numbers, padding: Numbers, divisor: int | None) -> None:
    """Refuses a divisor of zero, and windows larger than the input in three dims."""
    if divisor == 0:
        raise GradcliError("G026", "divisor must be not zero")
    sizes = x.shape[x.ndim - len(kernel) :]
    each = zip(sizes, kernel, padding, strict=True)
    if len(kernel) == 3 and min(padding) >= 0 and any(n + 2 * p < k for n, k, p in each):
        image, window = (
            " ".join(f"{prefix}{c}: {n}" for c, n in zip("THW", ns, strict=True))
            for prefix, ns in (("", sizes), ("k", kernel))
        )
        raise GradcliError("G024", f"input image ({image}) smaller than kernel size ({window})")


def check_adaptive(input: Any, output_size: Any, count: int, name: str) -> Numbers:
    """The sizes of an adaptive pooling's result; None keeps the input's.

    Raises:
        GradcliError: G021 for the input's rank or an empty dim, G013 for too many sizes, G024 for
            negative ones.
    """
    many = isinstance(output_size, (list, tuple))
    _check_adaptive_rank(input, many, count, name)
    rank, shape = len(input.shape), list(input.shape)
    given = list(output_size) if many else [output_size] * count
    if len(given) != count:
        if count == 1:
            text = f"{name}() argument 'output_size' should contain one int (got {len(given)})"
        elif "max" in name:
            text = f"{name}(): internal error: output_size.size() must be {count}"
        else:
            text = f"{name}: output_size must be {count}"
        raise GradcliError("G013", text)
    sizes = tuple(
        n if size is None else whole(size)
        for size, n in zip(given, shape[rank - count :], strict=True)
    )
    _check_made(sizes, shape, count, name)
    for size, n in zip(sizes, shape[rank - count :], strict=True):
        # Ranges, and a matrix where they are uneven, are made before the result is.
        memory.refuse(size * (n + 32), 8)
    for axis in range(rank - count, rank):
        if shape[axis] == 0:
            raise GradcliError(
                "G021",
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {shape} with dimension {axis} being empty",
            )
    return sizes


def _check_adaptive_rank(input: Any, many: bool, count: int, name: str) -> None:
    rank, shape = len(input.shape), list(input.shape)
    if rank not in (count + 1, count + 2):
        if count == 1:
            raise GradcliError("G021", _dims(1, rank, name))
        if many and rank <= count:
            least = f"Input dimension should be at least {count + 1}"
            raise GradcliError("G021", least, kind=ValueError)
        colon = ":" if "max" in name else ""
        raise GradcliError(
            "G021",
            f"{name}(): Expected {count + 1}D or {count + 2}D tensor, but got{colon} {shape}",
        )


def _check_made(sizes: Numbers, shape: list[int], count: int, name: str) -> None:
    if min(sizes) >= 0:
        return
    made = (1, *sizes) if count == 1 else sizes
    if "max" in name:
        least = min(sizes)
        full = [*shape[: len(shape) - count], *made]
        raise GradcliError(
            "G024", f"Trying to create tensor with negative dimension {least}: {full}"
        )
    flat = max(count, 2)
    said = ", ".join(map(str, made[:2])) + "".join(f",{n}" for n in made[2:])
    raise GradcliError(
        "G024",
        f"adaptive_avg_pool{flat}d: elements of output_size must be greater than or equal to 0 but "
        f"received {{{said}}}",
    )


def check_unpooled(x: Node, found: Node, size: Numbers, core: int) -> None:
    """Refuses positions of another type or shape than `max_pool` returns, or outside of `size`."""
    if found.dtype is not int64:
        raise GradcliError(
            "G025", f"elements in indices should be type int64 but got: {SCALAR_TYPES[found.dtype]}"
        )
    if x.ndim not in (core + 1, core + 2):
        raise GradcliError(
            "G021",
            f"Input to max_unpooling{core}d should be a {core + 1}d or {core + 2}d Tensor, but got "
            f"a tensor with {x.ndim} dimensions.",
        )
    if found.shape != x.shape:
        raise GradcliError(
            "G021",
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(x.shape)}) but got indices tensor with shape: {list(found.shape)}",
        )
    known = array(found)
    total = 1
    for n in size:
        total *= n
    beyond = (known < 0) | (known >= total)
    if beyond.any():
        raise GradcliError(
            "G022",
            f"Found an invalid max index: {known[beyond].flat[0]} (output volumes are of size "
            f"{'x'.join(map(str, size))})",
        )


def _pooled_size(size: int, kernel: int, stride: int, padding: int, dilation: int, up: bool) -> int:
    """How many windows there are along an axis; `up` counts one that only begins inside."""
    left = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (left + (stride - 1 if up else 0)) // stride + 1
    return count - 1 if up and (count - 1) * stride >= size + padding else count
