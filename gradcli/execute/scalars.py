"""Numbers of a program: the lines that compute them from others, and those that ask about them.

Constraints: what is written out is what the interpreter's own operation does, exceptions included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gradcli.graph.node import Node
from gradcli.graph.traced import Expression, Traced

_ASKED = frozenset(("<", ">", "<=", ">=", "==", "!="))
_WRITTEN = _ASKED | frozenset(("+", "-", "/", "//", "%"))
"""What needs no limit, and is written out; so is a product in which not all numbers are whole."""


class Lines(Protocol):
    """The program.

    Attributes:
        lines: its statements so far.
        arrays: where the values of nodes are.
    """

    lines: list[str]
    arrays: dict[Node, Any]

    def name(self, value: Any) -> str:
        """The name of a value in the program."""

    def need(self, wanted: Any) -> None:
        """Adds the lines that compute nodes."""


class Scalars:
    """The numbers of one program, each computed once.

    Args:
        program: what the lines are added to.
        operations: what the signs of traced numbers do.
    """

    __slots__ = ("_known", "_operations", "_program", "_tested", "_texts")

    def __init__(self, program: Lines, operations: Mapping[str, Callable[..., Any]]) -> None:
        self._program = program
        self._operations = operations
        self._known: dict[int, str] = {}
        self._texts: dict[str, str] = {}
        self._tested: set[str] = set()

    def name(self, value: Any) -> str:
        """The name of a number: a known one, or one that the lines so far compute."""
        if not isinstance(value, (Traced, tuple)):
            return self._program.name(value)
        known = self._known.get(id(value))
        if known is None:
            expression = value.expression if isinstance(value, Traced) else value
            known = self._known[id(value)] = self._name(expression)
        return known

    def _name(self, expression: Expression) -> str:
        sign, *parts = expression
        if sign == "input":
            return str(parts[0])
        if sign == "constant":
            return self._program.name(parts[0])
        text = self._text(sign, parts)
        made = self._texts.get(text)
        if made is None:
            made = self._texts[text] = f"n{len(self._texts)}"
            self._program.lines.append(f"{made} = {text}")
        return made

    def _text(self, sign: Any, parts: list[Any]) -> str:
        if sign == "item":
            self._program.need(parts)
            return f"{self._program.name(self._program.arrays[parts[0]])}.item()"
        names = [self.name(part) for part in parts]
        if sign in _WRITTEN or (sign == "*" and any(isinstance(part, float) for part in parts)):
            return f"{names[0]} {sign} {names[1]}"
        function = sign if callable(sign) else self._operations[sign]
        return f"{self._program.name(function)}({', '.join(names)})"

    def require(self, question: Expression, truth: bool) -> None:
        """Adds the line that leaves the iteration unless numbers answer as they did."""
        sign, *parts = question
        text = self.name(parts[0]) if sign == "truth" else self._text(sign, parts)
        if sign not in _ASKED:
            text = f"bool({text})" if sign == "truth" else text
        line = f"if {'not ' if truth else ''}{text}: break"
        if line not in self._tested:
            self._tested.add(line)
            self._program.lines.append(line)
