"""Syntax trees at random, such as the parser could have built them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from gradcli.language import ast
from gradcli.source import Source, Span

SPAN = Span(Source("<drawn>", ""), 0, 0)
NAMES = ["x", "y", "loss", "θ", "inputs", "_a1"]
LEVELS = ["|", "^", "&", ("<<", ">>"), ("+", "-"), ("*", "/", "//", "%", "@")]
COMPARATORS = ["<", ">", "==", ">=", "<=", "!=", "in", "not in", "is", "is not"]
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=4)
CONSTANTS = st.one_of(
    st.integers(0, 10**20),
    st.floats(0, allow_nan=False),
    st.floats(0, allow_nan=False).map(lambda imaginary: complex(0, imaginary)),
    TEXT,
    st.sampled_from([True, False, None, ...]),
)


def make(kind: type[ast.Node], *fields: Any) -> Any:
    return kind(*fields, span=SPAN)


@st.composite
def expressions(draw: Any) -> ast.Expression:
    return _Drawer(draw).expression(3)


@st.composite
def scripts(draw: Any) -> ast.Script:
    return make(ast.Script, _Drawer(draw).body(2, least=0))


class _Drawer:
    """Draws nodes; `depth` is how deep they may still nest."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def one(self, values: Any) -> Any:
        return self.draw(st.sampled_from(list(values)))

    def some(self, what: Any, *arguments: Any, least: int = 0, most: int = 2) -> list[Any]:
        count = self.draw(st.integers(least, max(least, most)))
        return [what(*arguments) for _ in range(count)]

    def maybe(self, what: Any, *arguments: Any) -> Any:
        return what(*arguments) if self.draw(st.booleans()) else None

    # -- expressions

    def name(self) -> Any:
        return make(ast.Name, self.one(NAMES))

    def expression(self, depth: int) -> Any:
        if depth == 0 or self.draw(st.integers(0, 3)) == 0:
            return (
                self.name()
                if self.draw(st.booleans())
                else make(ast.Constant, self.draw(CONSTANTS))
            )
        return self.one(KINDS)(self, depth - 1)

    def pairs(self, operators: Any, depth: int) -> Any:
        return self.some(lambda: (self.one(operators), self.expression(depth)), least=1)

    def starred(self, depth: int) -> Any:
        return make(ast.Starred, self.expression(depth))

    def item(self, depth: int) -> Any:
        return self.one([self.expression, self.expression, self.starred])(depth)

    def slot(self, depth: int) -> Any:
        return self.one([self.item, self.slice])(depth)

    def slice(self, depth: int) -> Any:
        return make(ast.Slice, *(self.maybe(self.expression, depth) for _ in range(3)))

    def target(self, depth: int) -> Any:
        kind = self.one([ast.Name, ast.Attribute, ast.Subscript])
        if kind is ast.Name:
            return self.name()
        if kind is ast.Attribute:
            return make(kind, self.expression(depth), self.one(NAMES))
        return make(kind, self.expression(depth), self.expression(depth))

    def targets(self, depth: int) -> Any:
        if self.draw(st.booleans()):
            return self.target(depth)
        return make(ast.Tuple, self.some(self.target, depth))

    def clause(self, depth: int) -> Any:
        conditions = self.some(self.expression, depth)
        return make(ast.Clause, self.targets(depth), self.expression(depth), conditions)

    def comprehension(self, depth: int) -> Any:
        kind = self.one(["list", "set", "generator", "dict"])
        key = self.expression(depth) if kind == "dict" else None
        clauses = self.some(self.clause, depth, least=1)
        return make(ast.Comprehension, kind, key, self.expression(depth), clauses)

    def parameters(self, depth: int) -> Any:
        plain = [(f"p{i}", None, "") for i in range(self.one([0, 1, 2]))]
        plain += [("d", self.expression(depth), "")] * self.one([0, 1])
        plain += [("args", None, "*")] * self.one([0, 1])
        plain += [("k", self.maybe(self.expression, depth), "keyword")] * self.one([0, 1])
        plain += [("kw", None, "**")] * self.one([0, 1])
        return [make(ast.Parameter, *fields) for fields in plain]

    def call(self, depth: int) -> Any:
        names = self.draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
        keywords = [make(ast.Keyword, name, self.expression(depth)) for name in names]
        keywords += self.some(lambda: make(ast.Keyword, None, self.expression(depth)), most=1)
        return make(ast.Call, self.expression(depth), self.some(self.item, depth), keywords)

    def formatted(self, depth: int, *, spec: bool = False) -> Any:
        parts: list[Any] = []
        for _ in range(self.one([0, 1, 2]) if spec else self.one([1, 2, 3])):
            text = self.draw(TEXT)
            parts += [text] if text and self.draw(st.booleans()) else []
            parts.append(self.placeholder(depth, spec=spec))
        return make(ast.FormattedString, parts)

    def placeholder(self, depth: int, *, spec: bool) -> Any:
        inner = None if spec or self.draw(st.booleans()) else self.formatted(0, spec=True)
        conversion = self.one(["", "r", "s", "a"])
        return make(ast.Placeholder, self.expression(depth), conversion, inner, "")

    # -- statements

    def body(self, depth: int, *, inside: tuple[Any, ...] = (), least: int = 1) -> Any:
        return self.some(self.statement, depth, inside, least=least)

    def statement(self, depth: int, inside: tuple[Any, ...]) -> Any:
        return self.one([*SIMPLE, *inside, *(COMPOUND * (depth > 0))])(self, depth - 1)

    def otherwise(self, depth: int) -> Any:
        return self.body(depth) if self.draw(st.booleans()) else []

    def branch(self, depth: int) -> Any:
        return self.expression(1), self.body(depth)

    def loop(self, depth: int) -> Any:
        body = self.body(depth, inside=(_leave_loop,))
        if self.draw(st.booleans()):
            return make(ast.While, self.expression(1), body, self.otherwise(depth))
        return make(ast.For, self.targets(1), self.expression(1), body, self.otherwise(depth))

    def function(self, depth: int) -> Any:
        decorators = self.some(lambda: make(ast.Name, "staticmethod"), most=1)
        body = self.body(depth, inside=(_leave_function,))
        return make(ast.FunctionDef, self.one(NAMES), self.parameters(1), body, decorators)

    def class_(self, depth: int) -> Any:
        base = make(ast.Attribute, make(ast.Name, "autograd"), "Function")
        return make(ast.ClassDef, "F", [base], self.some(self.function, depth, least=1))

    def attempt(self, depth: int) -> Any:
        handlers = self.some(
            lambda: make(
                ast.Handler, self.expression(1), self.one([None, *NAMES]), self.body(depth)
            )
        )
        final = self.body(depth) if not handlers else self.otherwise(depth)
        otherwise = self.otherwise(depth) if handlers else []
        return make(ast.Try, self.body(depth), handlers, otherwise, final)

    def context(self, depth: int) -> Any:
        items = self.some(lambda: (self.name(), self.maybe(self.target, 1)), least=1)
        return make(ast.With, items, self.body(depth))

    def renamed(self, name: str) -> Any:
        return (name, self.one([None, *NAMES]))


KINDS: list[Any] = [
    lambda d, n: make(ast.Chain, d.expression(n), d.pairs([d.one(d.one(LEVELS))], n)),
    lambda d, n: make(ast.Chain, d.expression(n), d.pairs(d.one(LEVELS), n)),
    lambda d, n: make(ast.Unary, d.one(["-", "+", "~", "not"]), d.expression(n)),
    lambda d, n: make(ast.Power, d.expression(n), d.expression(n)),
    lambda d, n: make(ast.Compare, d.expression(n), d.pairs(COMPARATORS, n)),
    lambda d, n: make(ast.Boolean, d.one(["and", "or"]), d.some(d.expression, n, least=2)),
    lambda d, n: make(ast.Conditional, *(d.expression(n) for _ in range(3))),
    lambda d, n: make(ast.Lambda, d.parameters(n), d.expression(n)),
    lambda d, n: make(ast.List, d.some(d.item, n)),
    lambda d, n: make(ast.Tuple, d.some(d.item, n)),
    lambda d, n: make(ast.Set, d.some(d.item, n, least=1)),
    lambda d, n: make(ast.Dict, d.some(lambda: (d.maybe(d.expression, n), d.expression(n)))),
    lambda d, n: make(ast.Attribute, d.expression(n), d.one(NAMES)),
    lambda d, n: make(ast.Subscript, d.expression(n), d.one([d.expression, d.slice])(n)),
    lambda d, n: make(ast.Subscript, d.expression(n), make(ast.Tuple, d.some(d.slot, n, least=1))),
    _Drawer.comprehension,
    _Drawer.call,
    _Drawer.formatted,
]
SIMPLE: list[Any] = [
    lambda d, n: make(ast.ExpressionStatement, d.expression(2)),
    lambda d, n: make(ast.Assign, d.some(d.targets, 1, least=1), d.expression(2)),
    lambda d, n: make(
        ast.AugmentedAssign, d.target(1), d.one(["+", "**", "//", "@", ">>"]), d.expression(1)
    ),
    lambda d, n: make(ast.Assert, d.expression(1), d.maybe(d.expression, 1)),
    lambda d, n: make(ast.Delete, d.some(d.target, 1, least=1)),
    lambda d, n: make(ast.Pass),
    lambda d, n: make(ast.Raise, d.expression(1), d.maybe(d.expression, 1)),
    lambda d, n: make(ast.Import, d.some(d.renamed, "torch.nn", least=1)),
    lambda d, n: make(ast.ImportFrom, "torch", d.some(d.renamed, "grad", least=1)),
]
COMPOUND: list[Any] = [
    lambda d, n: make(ast.If, d.some(d.branch, n, least=1), d.otherwise(n)),
    _Drawer.loop,
    _Drawer.function,
    _Drawer.class_,
    _Drawer.attempt,
    _Drawer.context,
]


def _leave_function(d: Any, n: int) -> Any:
    return make(ast.Return, d.maybe(d.expression, 1))


def _leave_loop(d: Any, n: int) -> Any:
    return make(d.one([ast.Break, ast.Continue]))
