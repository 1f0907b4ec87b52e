"""Making nodes: what all builders share.

Constraints: every node is made by `make`, which counts its depth and refuses too deep a nesting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gradcli.errors import GradcliError
from gradcli.language import ast
from gradcli.language.lexer import Token
from gradcli.source import Span

Builder = Callable[..., Any]
"""Takes the span of a rule and its children: nodes, tokens, lists, None."""

N = TypeVar("N", bound=ast.Node)
TOO_DEEP = f"the text is nested more than {ast.MAX_DEPTH} levels deep"


def make(kind: type[N], span: Span, *fields: Any) -> N:
    """A node with its depth; G003 beyond `ast.MAX_DEPTH`."""
    node = kind(*fields, span=span)
    node.depth = 1 + _depth(fields)
    if node.depth > ast.MAX_DEPTH:
        place = Span(span.source, span.start, min(span.end, span.start + 1))
        help = "give the parts names, on lines of their own"
        raise GradcliError("G003", TOO_DEEP, place, help=help, kind=RecursionError)
    return node


def _depth(value: Any) -> int:
    if isinstance(value, ast.Node):
        return value.depth
    return max(map(_depth, value), default=0) if isinstance(value, (list, tuple)) else 0


def text(child: Any) -> Any:
    """A token's text; any other child as it is."""
    return child.text if isinstance(child, Token) else child


def node(kind: type[ast.Node]) -> Builder:
    """A builder whose rule's children are the node's fields, in order."""
    return lambda span, *children: make(kind, span, *map(text, children))


def display(kind: type[ast.Node]) -> Builder:
    """A builder whose rule's children are the items of the node's one list."""
    return lambda span, *children: make(kind, span, list(children))
