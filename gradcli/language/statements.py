"""Builders of statements: what the grammar's rules for them become.

Constraints: one builder for each rule, in `STATEMENTS`; checks what a grammar cannot say.
Annotations are dropped.
"""

from __future__ import annotations

from typing import Any

from gradcli.language import ast, fence
from gradcli.language.lexer import Token
from gradcli.language.make import Builder, display, make, node, text
from gradcli.language.targets import check_place, check_target
from gradcli.language.unreadable import error
from gradcli.source import Span


def _assign(span: Span, *sides: ast.Expression) -> ast.Assign:
    for target in sides[:-1]:
        check_target(target)
    return make(ast.Assign, span, list(sides[:-1]), sides[-1])


def _annotated_assign(
    span: Span, target: ast.Expression, annotation: ast.Expression, value: ast.Expression | None
) -> ast.Statement:
    check_place(target, "annotate")
    return make(ast.Assign, span, [target], value) if value else make(ast.Pass, span)


def _augmented_assign(
    span: Span, target: ast.Expression, operator: Token, value: ast.Expression
) -> ast.AugmentedAssign:
    check_place(target)
    return make(ast.AugmentedAssign, span, target, operator.text[:-1], value)


def _delete(span: Span, *targets: ast.Expression) -> ast.Delete:
    for target in targets:
        check_target(target, "delete")
    return make(ast.Delete, span, list(targets))


def _renamed(span: Span, name: Token | str, alias: Token | None) -> tuple[str, str | None]:
    return text(name), text(alias)


def _dotted(span: Span, *names: Token) -> str:
    return ".".join(name.text for name in names)


def _if(span: Span, *children: Any) -> ast.If:
    branches = list(zip(children[:-1:2], children[1:-1:2], strict=True))
    return make(ast.If, span, branches, children[-1] or [])


def _while(span: Span, test: Any, body: Any, otherwise: Any) -> ast.While:
    return make(ast.While, span, test, body, otherwise or [])


def _for(span: Span, target: ast.Expression, iterable: Any, body: Any, otherwise: Any) -> ast.For:
    check_target(target)
    return make(ast.For, span, target, iterable, body, otherwise or [])


def _try(span: Span, body: Any, *rest: Any) -> ast.Try:
    *handlers, otherwise, final = rest
    if not handlers and (otherwise or not final):
        raise error(_word(span), "expected 'except' or 'finally' after the block of this 'try'")
    for handler in handlers[:-1]:
        if handler.type is None:
            raise error(_word(handler.span), "a bare 'except:' comes last")
    return make(ast.Try, span, body, handlers, otherwise or [], final or [])


def _word(span: Span) -> Span:
    """The keyword that a statement begins with."""
    length = len(span.text.split(":")[0].split()[0])
    return Span(span.source, span.start, span.start + length)


def _handler(span: Span, kind: Any, name: Token | None, body: Any) -> ast.Handler:
    return make(ast.Handler, span, kind, text(name), body)


def _with(span: Span, *children: Any) -> ast.With:
    return make(ast.With, span, list(children[:-1]), children[-1])


def _with_item(span: Span, context: Any, target: Any) -> tuple[Any, Any]:
    if target is not None:
        check_target(target)
    return context, target


def _function(
    span: Span, decorators: Any, name: Token, parameters: Any, annotation: Any, body: Any
) -> ast.FunctionDef:
    return make(ast.FunctionDef, span, name.text, parameters or [], body, decorators)


def _class(span: Span, decorators: Any, name: Token, arguments: Any, body: Any) -> ast.ClassDef:
    if decorators:
        raise fence.refusal("class decorator", decorators[0].span)
    bases, keywords = arguments or ([], [])
    if keywords:
        raise fence.refusal("class", keywords[0].span)
    return make(ast.ClassDef, span, name.text, bases, body)


STATEMENTS: dict[str, Builder] = {
    "script": display(ast.Script),
    "formula": lambda span, expression: expression,
    "expression_statement": node(ast.ExpressionStatement),
    "assign": _assign,
    "augmented_assign": _augmented_assign,
    "annotated_assign": _annotated_assign,
    "pass_statement": node(ast.Pass),
    "break_statement": node(ast.Break),
    "continue_statement": node(ast.Continue),
    "return_statement": node(ast.Return),
    "assert_statement": node(ast.Assert),
    "delete_statement": _delete,
    "raise_statement": node(ast.Raise),
    "import_statement": display(ast.Import),
    "from_import": lambda span, module, *names: make(ast.ImportFrom, span, module, list(names)),
    "renamed": _renamed,
    "dotted": _dotted,
    "import_star": lambda span, star: ("*", None),
    "if_statement": _if,
    "while_loop": _while,
    "for_loop": _for,
    "try_statement": _try,
    "with_statement": _with,
    "function": _function,
    "class_definition": _class,
    "block": lambda span, *statements: list(statements),
    "handler": _handler,
    "with_item": _with_item,
    "decorators": lambda span, *decorators: list(decorators),
}
