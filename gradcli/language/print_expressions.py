"""How expressions are printed, and the printer that keeps the texts of nodes.

Constraints: one row in `EXPRESSIONS` for each kind of node. Sums are spaced, products are not:
`3*(x + 2)**2`, `X.T@y`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from gradcli.language import ast, tables

TIGHT = frozenset(["product", "power"])
"""The precedences whose operators stand without spaces around them."""

INDENT = "    "
KEPT_LINE_END = "\0"
"""A line end that must not be indented; no text holds this character."""

Row = Callable[..., Any]
"""Takes the printer and a node; gives its text, or its text and the rule of the grammar it is."""


class _Levels:
    """The ladder of precedence: how tightly a rule binds, and which rule an operator belongs to."""

    def __init__(self) -> None:
        ladder = tables.load().levels
        self.order = {
            rule: i for i, rule in enumerate(dict.fromkeys(rule for rule, _, _ in ladder))
        }
        self.order["tuple"] = -1
        self.rule = {(builder, o): rule for rule, builder, all_ in ladder for o in all_}
        names = sorted(self.order, key=self.order.__getitem__)
        self.tighter = dict(itertools.pairwise(names))


class Printer:
    """The texts of the nodes printed so far, each with the rule of the grammar that it is."""

    levels: _Levels | None = None

    def __init__(self, rows: dict[type[ast.Node], Row]) -> None:
        self.rows = rows
        if Printer.levels is None:
            Printer.levels = _Levels()
        self.ladder = Printer.levels
        self.texts: dict[int, tuple[str, str]] = {}

    def add(self, node: ast.Node) -> None:
        """Prints a node whose children are printed."""
        result = self.rows[type(node)](self, node)
        self.texts[id(node)] = result if isinstance(result, tuple) else (result, "atom")

    def show(self, node: ast.Node | None, rule: str = "tuple") -> str:
        """The text of `node` where the grammar wants `rule`; empty for None."""
        if node is None:
            return ""
        text, own = self.texts[id(node)]
        weaker = self.ladder.order[own] < self.ladder.order[rule]
        return f"({text})" if weaker else text

    def all(self, nodes: list[Any], rule: str = "expression") -> str:
        """The texts of nodes with commas between."""
        return ", ".join(self.show(node, rule) for node in nodes)

    def block(self, head: str, body: list[ast.Statement]) -> str:
        """A statement with its body, indented."""
        lines = [line for each in body for line in self.show(each).split("\n")]
        return "\n".join([f"{head}:", *(INDENT + line for line in lines)])

    def otherwise(self, word: str, body: list[ast.Statement]) -> str:
        """The `else` or `finally` of a statement; empty where it has none."""
        return "\n" + self.block(word, body) if body else ""


# -- literals


def _constant(p: Printer, node: ast.Constant) -> Any:
    value = node.value
    if value is ...:
        return "..."
    text = repr(value)
    if not isinstance(value, str):
        text = text.replace("inf", "1e999")
    return (text, "sign") if text.startswith("-") else text


def _formatted_string(p: Printer, node: ast.FormattedString) -> str:
    return f'f"{_parts(p, node, spec=False)}"'


def _parts(p: Printer, node: ast.FormattedString, *, spec: bool) -> str:
    return "".join(
        _escaped(part, spec) if isinstance(part, str) else p.show(part) for part in node.parts
    )


def _escaped(text: str, spec: bool) -> str:
    """An f-string's text; braces are doubled, or escaped in a specification, where that fails."""
    braces = {"{": r"\x7b", "}": r"\x7d"} if spec else {"{": "{{", "}": "}}"}
    special = {**braces, '"': r"\"", "\\": r"\\"}
    return "".join(special.get(c) or (c if c.isprintable() else repr(c)[1:-1]) for c in text)


def _placeholder(p: Printer, node: ast.Placeholder) -> str:
    value = p.show(node.value)
    if "lambda" in value:  # its ':' would begin the specification
        value = f"({value})"
    value = node.prefix.replace("\n", KEPT_LINE_END) or (
        f" {value}" if value.startswith("{") else value
    )
    spec = "" if node.spec is None else ":" + _parts(p, node.spec, spec=True)
    shown = node.prefix and node.spec is None and node.conversion == "r"
    conversion = f"!{node.conversion}" if node.conversion and not shown else ""
    return f"{{{value}{conversion}{spec}}}"


# -- operators


def _unary(p: Printer, node: ast.Unary) -> tuple[str, str]:
    rule = p.ladder.rule["unary", node.operator]
    gap = " " if node.operator.isalpha() else ""
    return f"{node.operator}{gap}{p.show(node.operand, rule)}", rule


def _chain(p: Printer, node: ast.Chain) -> tuple[str, str]:
    return _joined(p, p.ladder.rule["chain", node.rest[0][0]], node.first, node.rest)


def _compare(p: Printer, node: ast.Compare) -> tuple[str, str]:
    return _joined(p, "comparison", node.first, node.rest)


def _boolean(p: Printer, node: ast.Boolean) -> tuple[str, str]:
    first, *others = node.operands
    rest = [(node.operator, other) for other in others]
    return _joined(p, p.ladder.rule["boolean", node.operator], first, rest)


def _joined(p: Printer, rule: str, first: ast.Expression, rest: list[Any]) -> tuple[str, str]:
    operand = p.ladder.tighter[rule]
    gap = "" if rule in TIGHT else " "
    pieces = [p.show(first, operand)]
    pieces += [f"{gap}{operator}{gap}{p.show(x, operand)}" for operator, x in rest]
    return "".join(pieces), rule


def _power(p: Printer, node: ast.Power) -> tuple[str, str]:
    return f"{p.show(node.base, 'postfix')}**{p.show(node.exponent, 'sign')}", "power"


def _conditional(p: Printer, node: ast.Conditional) -> tuple[str, str]:
    body, test = (p.show(each, "disjunction") for each in (node.body, node.test))
    return f"{body} if {test} else {p.show(node.otherwise, 'expression')}", "expression"


def _lambda(p: Printer, node: ast.Lambda) -> tuple[str, str]:
    head = f"lambda {parameters(p, node.parameters)}".rstrip()
    return f"{head}: {p.show(node.body, 'expression')}", "expression"


# -- brackets


def _tuple(p: Printer, node: ast.Tuple) -> Any:
    if not node.items:
        return "()"
    return p.all(node.items) + "," * (len(node.items) == 1), "tuple"


def _dict(p: Printer, node: ast.Dict) -> str:
    pairs = [
        f"**{p.show(value, 'bitor')}"
        if key is None
        else f"{p.show(key, 'expression')}: {p.show(value, 'expression')}"
        for key, value in node.items
    ]
    return f"{{{', '.join(pairs)}}}"


def _comprehension(p: Printer, node: ast.Comprehension) -> str:
    key = f"{p.show(node.key, 'expression')}: " if node.key else ""
    inner = [key + p.show(node.element, "expression"), *map(p.show, node.clauses)]
    left, right = {"list": ("[", "]"), "generator": ("(", ")")}.get(node.kind, ("{", "}"))
    return f"{left}{' '.join(inner)}{right}"


def _clause(p: Printer, node: ast.Clause) -> str:
    head = f"for {p.show(node.target)} in {p.show(node.iterable, 'disjunction')}"
    return " ".join([head, *(f"if {p.show(each, 'disjunction')}" for each in node.conditions)])


def _call(p: Printer, node: ast.Call) -> tuple[str, str]:
    inner = p.all([*node.arguments, *node.keywords])
    only = node.arguments[0] if len(node.arguments) == 1 and not node.keywords else None
    if isinstance(only, ast.Comprehension) and only.kind == "generator":
        inner = inner[1:-1]
    return f"{p.show(node.function, 'postfix')}({inner})", "postfix"


def _keyword(p: Printer, node: ast.Keyword) -> str:
    value = p.show(node.value, "expression")
    return f"**{value}" if node.name is None else f"{node.name}={value}"


def _attribute(p: Printer, node: ast.Attribute) -> tuple[str, str]:
    value = p.show(node.value, "postfix")
    return f"({value}).{node.name}" if value.isdigit() else f"{value}.{node.name}", "postfix"


def _slice(p: Printer, node: ast.Slice) -> str:
    parts = [p.show(each, "expression") for each in (node.lower, node.upper)]
    return ":".join(parts + [p.show(node.step, "expression")] * (node.step is not None))


def parameters(p: Printer, nodes: list[ast.Parameter]) -> str:
    """Parameters with commas between, and the `*` that makes the rest keyword-only."""
    texts = []
    star = False
    for each in nodes:
        if each.kind == "keyword" and not star:
            texts.append("*")
        star = star or each.kind in ("*", "keyword")
        texts.append(p.show(each))
    return ", ".join(texts)


def _parameter(p: Printer, node: ast.Parameter) -> str:
    stars = node.kind if node.kind != "keyword" else ""
    default = f"={p.show(node.default, 'expression')}" if node.default else ""
    return f"{stars}{node.name}{default}"


EXPRESSIONS: dict[type[ast.Node], Row] = {
    ast.Constant: _constant,
    ast.FormattedString: _formatted_string,
    ast.Placeholder: _placeholder,
    ast.Name: lambda p, node: node.id,
    ast.List: lambda p, node: f"[{p.all(node.items)}]",
    ast.Tuple: _tuple,
    ast.Set: lambda p, node: f"{{{p.all(node.items)}}}",
    ast.Dict: _dict,
    ast.Starred: lambda p, node: f"*{p.show(node.value, 'bitor')}",
    ast.Unary: _unary,
    ast.Chain: _chain,
    ast.Power: _power,
    ast.Compare: _compare,
    ast.Boolean: _boolean,
    ast.Conditional: _conditional,
    ast.Parameter: _parameter,
    ast.Lambda: _lambda,
    ast.Clause: _clause,
    ast.Comprehension: _comprehension,
    ast.Keyword: _keyword,
    ast.Call: _call,
    ast.Attribute: _attribute,
    ast.Subscript: lambda p, node: (
        f"{p.show(node.value, 'postfix')}[{p.show(node.index)}]",
        "postfix",
    ),
    ast.Slice: _slice,
}
