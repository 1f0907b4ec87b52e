"""What a script's `jvp` returned, held against the results of its `forward`.

Constraints: PyTorch's sentences; a tangent of another dtype is taken as it is, as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.tensor import Tensor


def fitted(
    found: Any,
    outputs: Sequence[Node | None],
    places: Sequence[int],
    written: Mapping[int, tuple[Tensor | None, int]],
    views: Sequence[int],
) -> list[Node | None]:
    """The tangents of the results at `places`.

    Args:
        found: what `jvp` returned.
        outputs: the values of the results; None for one that is no tensor.
        places: the numbers of those that have a derivative.
        written: for results that are arguments written to, by number: the tangent that `jvp` was
            given for the argument, and the number of writes to it before that.
        views: the numbers of those that are views of arguments.

    Raises:
        GradcliError: G046 for what does not fit.
    """
    parts = found if isinstance(found, tuple) else (found,)
    _require(parts, len(outputs))
    for i, (part, output) in enumerate(zip(parts, outputs, strict=True)):
        if part is not None and i not in places:
            what = "not a Tensor" if output is None else "not a differentiable Tensor."
            way = "" if output is None else "You should return None at that position instead."
            raise _misfit(
                f"Function's jvp returned a gradient at position {i}, but  the corresponding "
                f"forward output is {what}{way}"
            )
        _check_memory(part, written.get(i), i in views)
        if part is not None and output is not None and part.shape != output.shape:
            raise _misfit(
                "Trying to set a forward gradient that has a different size than that of the "
                f"original Tensor, this is not supported. Tensor is of size {list(output.shape)} "
                f"while the given forward gradient is of size {list(part.shape)}."
            )
    return [None if parts[i] is None else parts[i].node for i in places]


def _require(parts: tuple[Any, ...], count: int) -> None:
    for i, part in enumerate(parts):
        if part is not None and not isinstance(part, Tensor):
            kind = type(part).__name__
            raise _misfit(f"expected Variable or None (got {kind}) for grad output {i}.")
    if len(parts) != count:
        raise _misfit(
            "Function's jvp returned an invalid number of forward gradients (expected "
            f"{count} but got {len(parts)})"
        )


def _check_memory(
    part: Tensor | None, given: tuple[Tensor | None, int] | None, is_view: bool
) -> None:
    if given is not None and (
        part is None or part is not given[0] or part.version.number == given[1]
    ):
        raise _misfit(
            "An inplace custom Function is not modifying the forward mode gradients inplace. If "
            "the forward is modifying an input inplace, then the jvp function must modify the "
            "corresponding gradient inplace."
        )
    if part is not None and is_view and (part._view is None or part._view.base is None):
        raise _misfit(
            "A custom Function's forward is returning a view (or an input as-is) but the jvp is "
            "not returning a view."
        )


def _misfit(sentence: str) -> GradcliError:
    return GradcliError(
        "G046",
        sentence,
        help="jvp returns a tangent, or None, for each result of forward",
    )
