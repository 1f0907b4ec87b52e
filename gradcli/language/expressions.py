"""Builders of expressions: what the grammar's rules for them become.

Constraints: one builder for each rule, in `EXPRESSIONS`; checks what a grammar cannot say.
"""

from __future__ import annotations

from typing import Any

from gradcli.language import ast, fence, literals
from gradcli.language.lexer import Token
from gradcli.language.make import Builder, display, make, node, text
from gradcli.language.targets import check_target
from gradcli.language.unreadable import error
from gradcli.source import Span


def _comprehension(kind: str) -> Builder:
    def build(span: Span, element: ast.Expression, *clauses: ast.Clause) -> ast.Comprehension:
        return make(ast.Comprehension, span, kind, None, element, list(clauses))

    return build


# -- names, literals, f-strings

CONSTANTS = {"True": True, "False": False, "None": None, "...": ...}


def _constant(span: Span, token: Token) -> ast.Constant:
    return make(ast.Constant, span, CONSTANTS[token.text])


def _number(span: Span, token: Token) -> ast.Constant:
    return make(ast.Constant, span, literals.number(token.text, span))


def _strings(span: Span, *pieces: Token | list[Any]) -> ast.Expression:
    """Strings side by side are one; a node with placeholders only where there are some."""
    parts: list[Any] = []
    for piece in pieces:
        if isinstance(piece, list):
            parts += piece
            continue
        place = Span(span.source, piece.start, piece.end)
        if "b" in piece.text[: piece.text.index(piece.text[-1])].lower():
            raise fence.refusal("bytes", place)
        parts.append(literals.string(piece.text, place))
    parts = _merged(parts)
    if all(isinstance(part, str) for part in parts):
        return make(ast.Constant, span, "".join(parts))
    return make(ast.FormattedString, span, parts)


def _merged(parts: list[Any]) -> list[Any]:
    merged: list[Any] = []
    run: list[str] = []
    for part in [*parts, None]:
        if isinstance(part, str):
            run.append(part)
            continue
        if run:
            merged += filter(None, ["".join(run)])
        run = []
        merged.append(part)
    return merged[:-1]


def _fstring(span: Span, start: Token, *parts: Any) -> list[Any]:
    return [text(part) for part in parts[:-1]]


def _spec(span: Span, colon: Token, *parts: Any) -> ast.FormattedString:
    return make(ast.FormattedString, span, _merged([*map(text, parts)]))


def _placeholder(
    span: Span,
    brace: Token,
    value: Any,
    equals: Token | None,
    conversion: Token | None,
    spec: Any,
    end: Token,
) -> ast.Placeholder:
    """`{value=}` alone shows the value's repr, as in Python."""
    shown = "r" if equals and not spec else ""
    kind = conversion.text if conversion else shown
    return make(ast.Placeholder, span, value, kind, spec, equals.text if equals else "")


# -- operators


def _operators(kind: type[ast.Chain | ast.Compare]) -> Builder:
    def build(span: Span, first: ast.Expression, *rest: Any) -> ast.Expression:
        pairs = zip(map(text, rest[::2]), rest[1::2], strict=True)
        return make(kind, span, first, list(pairs))

    return build


def _boolean(span: Span, first: ast.Expression, *rest: Any) -> ast.Expression:
    return make(ast.Boolean, span, rest[0].text, [first, *rest[1::2]])


def _comparator(span: Span, *words: Token) -> str:
    return " ".join(word.text for word in words)


def _conditional(span: Span, body: Any, test: Any, otherwise: Any) -> ast.Expression:
    return make(ast.Conditional, span, test, body, otherwise)


# -- brackets


def _group(span: Span, inner: ast.Expression) -> ast.Expression:
    """Parentheses make no node; they belong to the tuple or generator inside, as in Python."""
    if isinstance(inner, ast.Tuple):
        inner.span = span
    return inner


def _dict_comprehension(span: Span, key: Any, element: Any, *clauses: Any) -> ast.Expression:
    return make(ast.Comprehension, span, "dict", key, element, list(clauses))


def _clause(span: Span, goal: ast.Expression, iterable: Any, *conditions: Any) -> ast.Clause:
    check_target(goal)
    return make(ast.Clause, span, goal, iterable, list(conditions))


def _arguments(span: Span, *items: Any) -> tuple[list[Any], list[ast.Keyword]]:
    """Arguments by position and by keyword, in an order that Python takes."""
    positional: list[Any] = []
    keywords: list[ast.Keyword] = []
    seen: set[str | None] = set()
    for item in items:
        if isinstance(item, ast.Keyword):
            if item.name and item.name in seen:
                raise error(item.span, f"the keyword {item.name} is given twice")
            seen.add(item.name)
            keywords.append(item)
            continue
        if None in seen or (keywords and not isinstance(item, ast.Starred)):
            raise error(item.span, "an argument by position comes after one by keyword")
        if isinstance(item, list):
            (item,) = item
            if len(items) > 1:
                raise error(item.span, "a generator beside other arguments needs parentheses")
        positional.append(item)
    return positional, keywords


def _bare_generator(span: Span, *children: Any) -> list[ast.Comprehension]:
    """A generator without parentheses, in a list that tells `_arguments` so."""
    return [_comprehension("generator")(span, *children)]


def _call(span: Span, function: ast.Expression, arguments: Any) -> ast.Expression:
    return make(ast.Call, span, function, *(arguments or ([], [])))


# -- functions


def _parameter(span: Span, name: Token, annotation: Any, default: Any) -> ast.Parameter:
    return make(ast.Parameter, span, name.text, default, "")


def _star_parameter(span: Span, name: Token | None = None, annotation: Any = None) -> Any:
    """`*args`, or a bare `*` as None."""
    return make(ast.Parameter, span, name.text, None, "*") if name else None


def _double_star_parameter(span: Span, name: Token, annotation: Any = None) -> ast.Parameter:
    return make(ast.Parameter, span, name.text, None, "**")


def _parameters(span: Span, *items: ast.Parameter | None) -> list[ast.Parameter]:
    """Parameters in an order that Python takes; those after a star are keyword-only."""
    found: list[ast.Parameter] = []
    names: set[str] = set()
    starred = False
    for item, following in zip(items, [*items[1:], None], strict=True):
        if found and found[-1].kind == "**":
            raise error(span, f"no parameter can follow **{found[-1].name}")
        if item is None or item.kind == "*":
            if starred:
                raise error(span, "only one '*' can stand among the parameters")
            starred = True
        if item is None:
            if following is None or following.kind:
                raise error(span, "a bare '*' needs a parameter after it")
            continue
        if starred and not item.kind:
            item.kind = "keyword"
        if item.name in names:
            raise error(item.span, f"two parameters are called {item.name}")
        if not item.kind and not item.default and found and found[-1].default:
            raise error(item.span, f"{item.name} needs a default, as the one before it has one")
        names.add(item.name)
        found.append(item)
    return found


def _slash_parameter(span: Span) -> None:
    raise fence.refusal("positional-only", span)


EXPRESSIONS: dict[str, Builder] = {
    "tuple": display(ast.Tuple),
    "list": display(ast.List),
    "set": display(ast.Set),
    "dict": display(ast.Dict),
    "pair": lambda span, key, value: (key, value),
    "double_starred_pair": lambda span, value: (None, value),
    "starred": node(ast.Starred),
    "conditional": _conditional,
    "lambda_expression": lambda span, parameters, body: make(
        ast.Lambda, span, parameters or [], body
    ),
    "boolean": _boolean,
    "unary": node(ast.Unary),
    "compare": _operators(ast.Compare),
    "comparator": _comparator,
    "chain": _operators(ast.Chain),
    "power": node(ast.Power),
    "attribute": node(ast.Attribute),
    "call": _call,
    "subscript": node(ast.Subscript),
    "slice": node(ast.Slice),
    "arguments": _arguments,
    "keyword": node(ast.Keyword),
    "double_starred": lambda span, value: make(ast.Keyword, span, None, value),
    "parameters": _parameters,
    "plain_parameter": _parameter,
    "lambda_parameter": lambda span, name, default: _parameter(span, name, None, default),
    "star_parameter": _star_parameter,
    "double_star_parameter": _double_star_parameter,
    "slash_parameter": _slash_parameter,
    "name": node(ast.Name),
    "number": _number,
    "strings": _strings,
    "fstring": _fstring,
    "placeholder": _placeholder,
    "spec": _spec,
    "constant": _constant,
    "group": _group,
    "generator": _comprehension("generator"),
    "bare_generator": _bare_generator,
    "list_comprehension": _comprehension("list"),
    "set_comprehension": _comprehension("set"),
    "dict_comprehension": _dict_comprehension,
    "clause": _clause,
}
