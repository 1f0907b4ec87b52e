"""What a markup language says of the parts of mathematical notation.

Constraints: an interface; LaTeX and MathML are its two forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Markup:
    """How a language writes the parts of notation; each method takes and gives its text."""

    signs: ClassVar[Mapping[str, str]]

    def name(self, text: str) -> str:
        """A variable."""
        raise NotImplementedError

    def number(self, text: str) -> str:
        """A number."""
        raise NotImplementedError

    def sign(self, name: str) -> str:
        """An operator of `signs`."""
        raise NotImplementedError

    def row(self, *parts: str) -> str:
        """Parts side by side."""
        raise NotImplementedError

    def fenced(self, inner: str, left: str = "(", right: str = ")") -> str:
        """Something between brackets."""
        raise NotImplementedError

    def power(self, base: str, exponent: str) -> str:
        """A superscript."""
        raise NotImplementedError

    def index(self, base: str, place: str) -> str:
        """A subscript."""
        raise NotImplementedError

    def fraction(self, above: str, below: str) -> str:
        """A quotient."""
        raise NotImplementedError

    def root(self, inner: str) -> str:
        """A square root."""
        raise NotImplementedError

    def function(self, name: str, *, known: bool) -> str:
        """The name of a function; `known` where the language has one of its own."""
        raise NotImplementedError

    def cases(self, rows: list[tuple[str, str]]) -> str:
        """A choice: (value, condition) rows."""
        raise NotImplementedError

    def matrix(self, rows: list[list[str]]) -> str:
        """Elements in rows and columns, in brackets."""
        raise NotImplementedError

    def text(self, words: str) -> str:
        """Plain words."""
        raise NotImplementedError

    def lines(self, formulas: Mapping[str, str], named: Mapping[str, str]) -> str:
        """Formulas by variable (or one without a name), then what names mean."""
        raise NotImplementedError
