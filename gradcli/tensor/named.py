"""A name of an entry under which PyTorch reads arguments by other names than the body has them.

Constraints: data; kinds.py makes parameters of it.
"""

from __future__ import annotations

from typing import Any


class Named(str):
    """A qualified name, such as `det` of the entry `linalg.det(A)`: `Named("det", input="A")`.

    Attributes:
        arguments: PyTorch's name -> the body's one, alone or with what it takes under this name
            (`"elements: Number"`). The body's name of such a parameter is none of PyTorch's unless
            it stands here too. None for a parameter of the body that PyTorch's has not.
    """

    arguments: dict[str, str | None]

    def __new__(cls, name: str, /, **arguments: str | None) -> Named:
        """The name with what is said of its arguments."""
        made = super().__new__(cls, name)
        made.arguments = arguments
        return made


def arguments_of(name: str) -> dict[str, str | None]:
    """What is said of the arguments of the name, which may be a plain one."""
    return getattr(name, "arguments", _NONE)


_NONE: dict[str, Any] = {}
NUMBER_FIRST: dict[str, str | None] = {"input": "input: Tensor", "self": "input: Number"}
"""What PyTorch calls a first operand that may be a number."""
