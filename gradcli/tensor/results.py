"""Results with names: the tuples of PyTorch's functions that return several tensors.

Constraints: made cheaply, because families make them when they are imported; printed as PyTorch's,
and found as its `torch.return_types`.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from gradcli.tensor import registry


class Results(tuple[Any, ...]):
    """A tuple whose places have names; subclasses are made by `named_results`."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __new__(cls, *values: Any) -> Results:
        """The results, in order, or one sequence of them.

        Raises:
            TypeError: for another number of results than the class has names.
        """
        results = values if len(values) != 1 or len(cls._fields) == 1 else tuple(values[0])
        if len(results) != len(cls._fields):
            raise TypeError(
                f"{cls.__module__}.{cls.__name__}() takes a {len(cls._fields)}-sequence "
                f"({len(results)}-sequence given)"
            )
        return tuple.__new__(cls, results)

    def __repr__(self) -> str:
        places = zip(self._fields, self, strict=True)
        lines = ",\n".join(f"{field}={value!r}" for field, value in places)
        return f"torch.return_types.{type(self).__name__}(\n{lines})"


def named_results(name: str, *fields: str) -> type[Results]:
    """A class of results: `named_results("sort", "values", "indices")`; its name is an entry."""
    made = _of_fields(name, fields)
    registry.register(f"torch.return_types.{name}", made)
    return made


def written(results: Results, targets: Sequence[Any]) -> Results:
    """What a function returns that has written its `results` to `targets`."""
    kind = type(results)
    return _of_fields(f"{kind.__name__}_out", kind._fields)(*targets)


def _of_fields(name: str, fields: tuple[str, ...]) -> type[Results]:
    places = {field: property(itemgetter(i)) for i, field in enumerate(fields)}
    return type(
        name,
        (Results,),
        {"__slots__": (), "_fields": fields, "__module__": "torch.return_types", **places},
    )
