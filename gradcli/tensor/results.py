"""Results with names: the tuples of PyTorch's functions that return several tensors.

Constraints: made cheaply, because families make them when they are imported; printed as PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any


class Results(tuple[Any, ...]):
    """A tuple whose places have names; subclasses are made by `named_results`."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __new__(cls, *values: Any) -> Results:
        """The results, in order."""
        return tuple.__new__(cls, values)

    def __repr__(self) -> str:
        places = zip(self._fields, self, strict=True)
        lines = ",\n".join(f"{field}={value!r}" for field, value in places)
        return f"torch.return_types.{type(self).__name__}(\n{lines})"


def named_results(name: str, *fields: str) -> type[Results]:
    """A class of results: `named_results("sort", "values", "indices")`."""
    places = {field: property(itemgetter(i)) for i, field in enumerate(fields)}
    return type(
        name,
        (Results,),
        {"__slots__": (), "_fields": fields, "__module__": "torch.return_types", **places},
    )


def written(results: Results, targets: Sequence[Any]) -> Results:
    """What a function returns that has written its `results` to `targets`."""
    kind = type(results)
    return named_results(f"{kind.__name__}_out", *kind._fields)(*targets)
