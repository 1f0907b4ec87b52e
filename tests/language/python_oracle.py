"""Python's own `ast` as gradcli's tree: the oracle for what a text means."""

from __future__ import annotations

import ast as python
import warnings
from typing import Any

from gradcli.language import ast
from gradcli.source import Source, Span

SPAN = Span(Source("<python>", ""), 0, 0)
OPERATORS = {
    **dict(zip([python.Add, python.Sub, python.Mult, python.Div], "+-*/", strict=True)),
    **{python.FloorDiv: "//", python.Mod: "%", python.MatMult: "@", python.Pow: "**"},
    **{python.LShift: "<<", python.RShift: ">>", python.BitOr: "|", python.BitXor: "^"},
    **{python.BitAnd: "&", python.Eq: "==", python.NotEq: "!=", python.Lt: "<"},
    **{python.LtE: "<=", python.Gt: ">", python.GtE: ">=", python.In: "in"},
    **{python.NotIn: "not in", python.Is: "is", python.IsNot: "is not", python.And: "and"},
    **{python.Or: "or", python.Not: "not", python.USub: "-", python.UAdd: "+"},
    python.Invert: "~",
}
LEVELS = [("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "//", "%", "@")]


SIMPLE: dict[Any, tuple[Any, ...]] = {
    python.Module: (ast.Script, "body"),
    python.List: (ast.List, "elts"),
    python.Tuple: (ast.Tuple, "elts"),
    python.Set: (ast.Set, "elts"),
    python.Starred: (ast.Starred, "value"),
    python.IfExp: (ast.Conditional, "test", "body", "orelse"),
    python.keyword: (ast.Keyword, "arg", "value"),
    python.Call: (ast.Call, "func", "args", "keywords"),
    python.Attribute: (ast.Attribute, "value", "attr"),
    python.Subscript: (ast.Subscript, "value", "slice"),
    python.Slice: (ast.Slice, "lower", "upper", "step"),
    python.Expr: (ast.ExpressionStatement, "value"),
    python.Assign: (ast.Assign, "targets", "value"),
    python.While: (ast.While, "test", "body", "orelse"),
    python.For: (ast.For, "target", "iter", "body", "orelse"),
    python.Return: (ast.Return, "value"),
    python.Assert: (ast.Assert, "test", "msg"),
    python.Delete: (ast.Delete, "targets"),
    python.ExceptHandler: (ast.Handler, "type", "name", "body"),
    python.Try: (ast.Try, "body", "handlers", "orelse", "finalbody"),
    python.Raise: (ast.Raise, "exc", "cause"),
    python.Break: (ast.Break,),
    python.Continue: (ast.Continue,),
    python.Pass: (ast.Pass,),
}
"""Kinds of nodes that differ in names only: gradcli's kind and Python's fields in its order."""


def python_tree(text: str, mode: str = "exec") -> Any:
    """gradcli's tree for the text as Python reads it; Python's warnings do not matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return convert(python.parse(text, mode=mode), text)


def convert(node: Any, text: str) -> Any:
    """gradcli's tree for Python's; `text` tells an operand in parentheses from a chain."""
    return _Convert(text)(node)


class _Convert:
    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")

    def __call__(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self(each) for each in node]
        if not isinstance(node, python.AST):
            return node
        if type(node) in SIMPLE:
            kind, *fields = SIMPLE[type(node)]
            return self.make(kind, *(self(getattr(node, field)) for field in fields))
        return getattr(self, f"of_{type(node).__name__.lower()}")(node)

    def make(self, kind: type[ast.Node], *fields: Any) -> Any:
        return kind(*fields, span=SPAN)

    def of_expression(self, n: Any) -> Any:
        return self(n.body)

    def of_constant(self, n: Any) -> Any:
        return self.make(ast.Constant, n.value)

    def of_name(self, n: Any) -> Any:
        return self.make(ast.Name, n.id)

    def of_joinedstr(self, n: Any, spec: bool = False) -> Any:
        parts = [self._part(v) for v in n.values]
        if not spec and all(isinstance(p, str) for p in parts):
            return self.make(ast.Constant, "".join(parts))
        return self.make(ast.FormattedString, [p for p in parts if p != ""])

    def _part(self, v: Any) -> Any:
        if isinstance(v, python.Constant):
            return v.value
        spec = None if v.format_spec is None else self.of_joinedstr(v.format_spec, spec=True)
        conversion = "" if v.conversion < 0 else chr(v.conversion)
        return self.make(ast.Placeholder, self(v.value), conversion, spec, "")

    def of_dict(self, n: Any) -> Any:
        return self.make(ast.Dict, list(zip(self(n.keys), self(n.values), strict=True)))

    def of_unaryop(self, n: Any) -> Any:
        return self.make(ast.Unary, OPERATORS[type(n.op)], self(n.operand))

    def of_binop(self, n: Any) -> Any:
        operator = OPERATORS[type(n.op)]
        if operator == "**":
            return self.make(ast.Power, self(n.left), self(n.right))
        level = next(level for level in LEVELS if operator in level)
        left = n.left
        chained = (
            isinstance(left, python.BinOp)
            and OPERATORS[type(left.op)] in level
            and (left.lineno, left.col_offset) == (n.lineno, n.col_offset)
        )
        rest = [(operator, self(n.right))]
        if chained:
            inner = self(left)
            if not self._closed(left, n.right):
                return self.make(ast.Chain, inner.first, inner.rest + rest)
        return self.make(ast.Chain, self(left), rest)

    def _closed(self, left: Any, right: Any) -> bool:
        """Whether a bracket closes between the end of `left` and its operator."""
        first = self.lines[left.end_lineno - 1].encode()[left.end_col_offset :]
        return first.lstrip().startswith(b")")

    def of_compare(self, n: Any) -> Any:
        operators = [OPERATORS[type(o)] for o in n.ops]
        rest = list(zip(operators, self(n.comparators), strict=True))
        return self.make(ast.Compare, self(n.left), rest)

    def of_boolop(self, n: Any) -> Any:
        return self.make(ast.Boolean, OPERATORS[type(n.op)], self(n.values))

    def _parameters(self, a: Any) -> Any:
        assert not a.posonlyargs
        missing = [None] * (len(a.args) - len(a.defaults))
        found = [(x, d, "") for x, d in zip(a.args, missing + a.defaults, strict=True)]
        found += [(a.vararg, None, "*")] if a.vararg else []
        found += [(x, d, "keyword") for x, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
        found += [(a.kwarg, None, "**")] if a.kwarg else []
        return [self.make(ast.Parameter, x.arg, self(d), kind) for x, d, kind in found]

    def of_lambda(self, n: Any) -> Any:
        return self.make(ast.Lambda, self._parameters(n.args), self(n.body))

    def of_comprehension(self, n: Any) -> Any:
        assert not n.is_async
        return self.make(ast.Clause, self(n.target), self(n.iter), self(n.ifs))

    def _comprehension(self, kind: str, n: Any, key: Any = None) -> Any:
        element = n.value if key else n.elt
        return self.make(ast.Comprehension, kind, self(key), self(element), self(n.generators))

    def of_listcomp(self, n: Any) -> Any:
        return self._comprehension("list", n)

    def of_setcomp(self, n: Any) -> Any:
        return self._comprehension("set", n)

    def of_generatorexp(self, n: Any) -> Any:
        return self._comprehension("generator", n)

    def of_dictcomp(self, n: Any) -> Any:
        return self._comprehension("dict", n, n.key)

    def of_annassign(self, n: Any) -> Any:
        if n.value is None:
            return self.make(ast.Pass)
        return self.make(ast.Assign, [self(n.target)], self(n.value))

    def of_augassign(self, n: Any) -> Any:
        operator = OPERATORS[type(n.op)]
        return self.make(ast.AugmentedAssign, self(n.target), operator, self(n.value))

    def of_if(self, n: Any) -> Any:
        branches = [(self(n.test), self(n.body))]
        rest = n.orelse
        while len(rest) == 1 and isinstance(rest[0], python.If) and self._elif(rest[0]):
            branches.append((self(rest[0].test), self(rest[0].body)))
            rest = rest[0].orelse
        return self.make(ast.If, branches, self(rest))

    def _elif(self, n: Any) -> bool:
        return self.lines[n.lineno - 1].encode()[n.col_offset :].startswith(b"elif")

    def of_functiondef(self, n: Any) -> Any:
        parameters = self._parameters(n.args)
        return self.make(ast.FunctionDef, n.name, parameters, self(n.body), self(n.decorator_list))

    def of_classdef(self, n: Any) -> Any:
        assert not n.keywords
        return self.make(ast.ClassDef, n.name, self(n.bases), self(n.body))

    def of_with(self, n: Any) -> Any:
        items = [(self(i.context_expr), self(i.optional_vars)) for i in n.items]
        return self.make(ast.With, items, self(n.body))

    def _names(self, n: Any) -> Any:
        return [(alias.name, alias.asname) for alias in n.names]

    def of_import(self, n: Any) -> Any:
        return self.make(ast.Import, self._names(n))

    def of_importfrom(self, n: Any) -> Any:
        return self.make(ast.ImportFrom, n.module, self._names(n))
