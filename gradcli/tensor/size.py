"""`torch.Size`: a shape, as PyTorch shows it.

Constraints: a tuple of ints in every other respect.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.shape import numel


class Size(tuple[int, ...]):
    """A shape."""

    __slots__ = ()

    @classmethod
    def of(cls, sizes: Iterable[Any] = (), /) -> Size:
        """The shape of these sizes: what a script that calls `torch.Size` gets.

        Raises:
            TypeError: a size is no integer.
        """
        given = tuple(sizes)
        for place, size in enumerate(given):
            if not hasattr(size, "__index__"):
                raise GradcliError(
                    "G014",
                    "torch.Size() takes an iterable of 'int' "
                    f"(item {place} is '{type(size).__name__}')",
                    kind=TypeError,
                )
        return cls(map(index, given))

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return numel(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index: Any) -> Any:
        try:
            found = tuple.__getitem__(self, index)
        except (IndexError, TypeError) as error:
            raise GradcliError("G022", str(error), kind=type(error)) from None
        return Size(found) if isinstance(found, tuple) else found

    def __add__(self, other: Any) -> Any:
        if isinstance(other, tuple):
            return Size(tuple.__add__(self, other))
        raise GradcliError(
            "G014",
            f"can only concatenate tuple (not {type(other).__name__}) to torch.Size",
            help="write the sizes as a tuple: x.shape + (1,)",
            kind=TypeError,
        )

    def __radd__(self, other: Any) -> Any:
        return Size(tuple.__add__(other, self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, count: Any) -> Any:
        if not hasattr(count, "__index__"):
            return NotImplemented
        return Size(tuple.__mul__(self, index(count)))

    __rmul__ = __mul__
