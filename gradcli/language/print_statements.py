"""How statements are printed.

Constraints: one row in `STATEMENTS` for each kind of node; blocks are indented by four spaces.
"""

from __future__ import annotations

from typing import Any

from gradcli.language import ast
from gradcli.language.print_expressions import Printer, Row, parameters


def _words(p: Printer, *words: Any) -> str:
    """Keywords, and expressions that may be tuples, with spaces between; None is left out."""
    return " ".join(w if isinstance(w, str) else p.show(w) for w in words if w is not None)


def _assert(p: Printer, node: ast.Assert) -> str:
    return f"assert {p.all([node.test] + [node.message] * (node.message is not None))}"


def _if(p: Printer, node: ast.If) -> str:
    words = ["if"] + ["elif"] * (len(node.branches) - 1)
    blocks = [
        p.block(f"{word} {p.show(test, 'expression')}", body)
        for word, (test, body) in zip(words, node.branches, strict=True)
    ]
    return "\n".join(blocks) + p.otherwise("else", node.otherwise)


def _while(p: Printer, node: ast.While) -> str:
    head = f"while {p.show(node.test, 'expression')}"
    return p.block(head, node.body) + p.otherwise("else", node.otherwise)


def _for(p: Printer, node: ast.For) -> str:
    head = f"for {p.show(node.target)} in {p.show(node.iterable)}"
    return p.block(head, node.body) + p.otherwise("else", node.otherwise)


def _function(p: Printer, node: ast.FunctionDef) -> str:
    decorators = [f"@{p.show(each, 'expression')}\n" for each in node.decorators]
    head = f"def {node.name}({parameters(p, node.parameters)})"
    return "".join(decorators) + p.block(head, node.body)


def _class(p: Printer, node: ast.ClassDef) -> str:
    return p.block(f"class {node.name}({p.all(node.bases)})", node.body)


def _try(p: Printer, node: ast.Try) -> str:
    blocks = [p.block("try", node.body), *map(p.show, node.handlers)]
    rest = p.otherwise("else", node.otherwise) + p.otherwise("finally", node.final)
    return "\n".join(blocks) + rest


def _handler(p: Printer, node: ast.Handler) -> str:
    kind = f" {p.show(node.type, 'expression')}" if node.type else ""
    return p.block(f"except{kind}{f' as {node.name}' if node.name else ''}", node.body)


def _with(p: Printer, node: ast.With) -> str:
    items = [
        p.show(context, "expression") + (f" as {p.show(target, 'bitor')}" if target else "")
        for context, target in node.items
    ]
    return p.block(f"with {', '.join(items)}", node.body)


def _raise(p: Printer, node: ast.Raise) -> str:
    exception = f" {p.show(node.exception, 'expression')}" if node.exception else ""
    cause = f" from {p.show(node.cause, 'expression')}" if node.cause else ""
    return f"raise{exception}{cause}"


def _names(names: list[tuple[str, str | None]]) -> str:
    return ", ".join(f"{name} as {alias}" if alias else name for name, alias in names)


STATEMENTS: dict[type[ast.Node], Row] = {
    ast.ExpressionStatement: lambda p, node: p.show(node.value),
    ast.Assign: lambda p, node: " = ".join(map(p.show, [*node.targets, node.value])),
    ast.AugmentedAssign: lambda p, node: _words(p, node.target, f"{node.operator}=", node.value),
    ast.If: _if,
    ast.While: _while,
    ast.For: _for,
    ast.Break: lambda p, node: "break",
    ast.Continue: lambda p, node: "continue",
    ast.Pass: lambda p, node: "pass",
    ast.FunctionDef: _function,
    ast.ClassDef: _class,
    ast.Return: lambda p, node: _words(p, "return", node.value),
    ast.Assert: _assert,
    ast.Delete: lambda p, node: f"del {p.all(node.targets)}",
    ast.Handler: _handler,
    ast.Try: _try,
    ast.Raise: _raise,
    ast.With: _with,
    ast.Import: lambda p, node: f"import {_names(node.names)}",
    ast.ImportFrom: lambda p, node: f"from {node.module} import {_names(node.names)}",
    ast.Script: lambda p, node: "\n".join(map(p.show, node.body)),
}
