"""One wrong place in a formula: every small change of it, to try which of them makes it right.

Constraints: trees in, trees out; evaluates nothing. A change is one that people get wrong: a sign,
an exponent or index that is off by one, an axis, a side of a comparison, a variable, a transpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gradcli.language import ast
from gradcli.language.print import unparse

TWINS = (
    *(("sin", "cos"), ("sinh", "cosh"), ("sum", "mean"), ("softmax", "log_softmax")),
    *(("log", "log2"), ("log", "log10"), ("amax", "amin"), ("maximum", "minimum")),
    *(("diag", "diagflat"), ("dot", "outer"), ("zeros", "ones")),
)
"""Functions that are taken for each other."""
OPPOSITES = {"+": "-", "-": "+", "*": "/", "/": "*"}
SMALL = 0.1
"""A constant below this one may be an epsilon that a derivative by hand leaves out."""
UNCHANGED = (ast.Constant, ast.Compare, ast.Slice, ast.Starred, ast.Lambda)
"""What is not wrapped in anything."""
TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "!=", "!=": "=="}


class Edit:
    """A changed formula: `tree` is all of it, `before` and `after` are texts of the place."""

    __slots__ = ("after", "before", "tree")

    def __init__(self, tree: ast.Expression, before: str, after: str) -> None:
        self.tree = tree
        self.before = before
        self.after = after


def edits(
    formula: ast.Expression, variables: Sequence[str], masks: Sequence[ast.Expression] = ()
) -> Iterator[Edit]:
    """The formula with one place changed, for every place and every usual change.

    Args:
        formula: is left as it is.
        variables: the names that a name may have been taken for.
        masks: factors that may have been forgotten.
    """
    places = _places(formula)
    for node, called in places:
        for new, before, after in _changes(node, variables, called):
            yield Edit(_replaced(formula, node, new), before, after)
    for node, called in places:
        if not called and not isinstance(node, UNCHANGED):
            for new in _joined(node, variables, masks):
                yield Edit(_replaced(formula, node, new), unparse(node), unparse(new))


def small_constants(tree: ast.Expression) -> Iterator[Edit]:
    """The expression with one small constant, such as an epsilon, replaced by zero."""
    pending: list[ast.Node] = [tree]
    for node in pending:
        pending += ast.children(node)
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, float) and 0 < value < SMALL:
            zero = ast.Constant(0.0, span=node.span)
            yield Edit(_replaced(tree, node, zero), unparse(node), "0")


def parts(tree: ast.Expression) -> list[ast.Expression]:
    """Every expression inside of one that may stand alone, itself first."""
    return [node for node, called in _places(tree) if not called]


def reductions(tree: ast.Expression) -> Iterator[Edit]:
    """The expression with a call replaced by one, as of a sign that is taken to be positive, or
    with only the first of several terms.
    """
    for node in parts(tree):
        if isinstance(node, ast.Call):
            one = ast.Constant(1.0, span=node.span)
            yield Edit(_replaced(tree, node, one), unparse(node), "1.0")
        if isinstance(node, ast.Chain) and len(node.rest) > 1 and node.rest[0][0] in "+-":
            yield Edit(_replaced(tree, node, node.first), unparse(node), unparse(node.first))


def _places(tree: ast.Expression) -> list[tuple[ast.Expression, bool]]:
    """The expressions inside of one, itself first, and whether each is the name of a call."""
    nodes: list[ast.Node] = [tree]
    called: set[int] = set()
    for node in nodes:
        nodes += ast.children(node)
        if isinstance(node, ast.Call):
            called.add(id(node.function))
    return [(node, id(node) in called) for node in nodes if isinstance(node, ast.Expression)]


def _changes(
    node: ast.Expression, variables: Sequence[str], called: bool
) -> Iterator[tuple[ast.Expression, str, str]]:
    """Each change of one node: the new node, and the texts of both."""
    if called:
        yield from _told(node, _twins(node))
    elif isinstance(node, ast.Constant):
        yield from _told(node, _numbers(node))
    elif isinstance(node, ast.Chain):
        yield from _links(node)
    elif isinstance(node, ast.Compare):
        turned = [(TURNED.get(word, word), x) for word, x in node.rest]
        yield from _told(node, [_like(node, first=node.first, rest=turned)])
    if called or isinstance(node, UNCHANGED):
        return
    if isinstance(node, ast.Name):
        others = [ast.Name(name, span=node.span) for name in variables if name != node.id]
        yield from _told(node, others)
    yield from _told(node, _bared(node))
    yield from _told(node, _wrapped(node))


def _told(
    node: ast.Expression, changed: Sequence[ast.Expression]
) -> Iterator[tuple[ast.Expression, str, str]]:
    for new in changed:
        yield new, unparse(node), unparse(new)


def _numbers(node: ast.Constant) -> list[ast.Expression]:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return []
    near = [value + 1, value - 1, 2 * value, value / 2, -value]
    return [ast.Constant(v, span=node.span) if v >= 0 else _minus(-v, node) for v in near]


def _minus(value: Any, like: ast.Expression) -> ast.Expression:
    return ast.Unary("-", ast.Constant(value, span=like.span), span=like.span)


def _twins(node: ast.Expression) -> list[ast.Expression]:
    """The function with another name."""
    field = {ast.Name: "id", ast.Attribute: "name"}.get(type(node))
    if field is None:
        return []
    pairs = [(a, b) for one, other in TWINS for a, b in ((one, other), (other, one))]
    return [_like(node, **{field: b}) for a, b in pairs if getattr(node, field) == a]


def _links(node: ast.Chain) -> Iterator[tuple[ast.Expression, str, str]]:
    """A chain with one operator turned round, two operands swapped, or one operand left out."""
    rest = node.rest
    for i, (word, x) in enumerate(rest):
        if word in OPPOSITES:
            turned = [*rest[:i], (OPPOSITES[word], x), *rest[i + 1 :]]
            shown = unparse(x)
            new = _like(node, first=node.first, rest=turned)
            yield new, f"{word} {shown}", f"{OPPOSITES[word]} {shown}"
            yield from _told(node, [_without(node, i)])
        if word == "@" or (word in "-/" and i == 0):
            before = node.first if i == 0 else rest[i - 1][1]
            swapped = list(rest)
            swapped[i] = (word, before)
            if i > 0:
                swapped[i - 1] = (rest[i - 1][0], x)
            yield from _told(node, [_like(node, first=node.first if i else x, rest=swapped)])
    if rest and rest[0][0] in "+*":
        first, others = rest[0][1], rest[1:]
        yield from _told(node, [_like(node, first=first, rest=others) if others else first])


def _without(node: ast.Chain, place: int) -> ast.Expression:
    rest = [*node.rest[:place], *node.rest[place + 1 :]]
    return _like(node, first=node.first, rest=rest) if rest else node.first


def _bared(node: ast.Expression) -> list[ast.Expression]:
    """What is inside of a transpose, a sign, a power or a function."""
    if isinstance(node, ast.Attribute) and node.name == "T":
        return [node.value]
    if isinstance(node, (ast.Unary, ast.Power)):
        return [node.operand if isinstance(node, ast.Unary) else node.base]
    if not isinstance(node, ast.Call) or not node.arguments:
        return []
    inner = node.arguments[0]
    side = ast.Compare(inner, [(">", ast.Constant(0, span=node.span))], span=node.span)
    relu = isinstance(node.function, ast.Name) and node.function.id == "relu"
    return [inner, ast.Call(ast.Attribute(side, "double", span=node.span), [], [], span=node.span)][
        : 1 + relu
    ]


def masks(tree: ast.Expression) -> list[ast.Expression]:
    """What a choice in an expression multiplies its derivative by: `where(u > 0, 1.0, 0.0)`."""
    found: dict[str, ast.Expression] = {}
    pending: list[ast.Node] = [tree]
    for node in pending:
        pending += ast.children(node)
        if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
            continue
        name, span = node.function.id, node.span
        if name == "where" and len(node.arguments) == 3:
            condition = node.arguments[0]
        elif name == "relu" and node.arguments:
            zero = ast.Constant(0, span=span)
            condition = ast.Compare(node.arguments[0], [(">", zero)], span=span)
        elif name in ("maximum", "minimum") and len(node.arguments) == 2:
            left, right = node.arguments
            condition = ast.Compare(left, [(">", right)], span=span)
        else:
            continue
        numbers = [ast.Constant(x, span=span) for x in (1.0, 0.0)]
        for pair in (numbers, numbers[::-1]):
            made = ast.Call(ast.Name("where", span=span), [condition, *pair], [], span=span)
            found[unparse(made)] = made
    return list(found.values())


def _joined(
    node: ast.Expression, variables: Sequence[str], masks: Sequence[ast.Expression]
) -> list[ast.Expression]:
    """The node with a variable, a one or a mask that may have been forgotten beside it."""
    span = node.span
    names: list[ast.Expression] = [ast.Name(name, span=span) for name in variables]
    one = ast.Constant(1, span=span)
    beside = [("*", x) for x in masks]
    beside += [(word, x) for word in "*-+" for x in names] + [("-", one), ("+", one)]
    return [_chained(node, word, x) for word, x in beside]


def _chained(node: ast.Expression, word: str, x: ast.Expression) -> ast.Expression:
    """`node word x`, in one chain where `node` is one of this precedence."""
    if isinstance(node, ast.Chain) and (node.rest[0][0] in "+-") == (word in "+-"):
        return _like(node, rest=[*node.rest, (word, x)])
    return ast.Chain(node, [(word, x)], span=node.span)


def _wrapped(node: ast.Expression) -> list[ast.Expression]:
    """What a forgotten square, transpose, sign, reciprocal, complement or function makes of it."""
    span = node.span
    one = ast.Constant(1, span=span)
    complement = ast.Chain(one, [("-", node)], span=span)
    return [
        ast.Power(node, ast.Constant(2, span=span), span=span),
        ast.Attribute(node, "T", span=span),
        ast.Unary("-", node, span=span),
        ast.Chain(one, [("/", node)], span=span),
        complement,
        ast.Chain(node, [("*", complement)], span=span),
        ast.Call(ast.Name("sqrt", span=span), [node], [], span=span),
        ast.Call(ast.Name("log", span=span), [node], [], span=span),
    ]


def _like(node: ast.Expression, **fields: Any) -> ast.Expression:
    """A copy of a node with some fields changed."""
    values = [fields.get(name, getattr(node, name)) for name in node.fields]
    return type(node)(*values, span=node.span)


def _replaced(value: Any, old: ast.Node, new: ast.Node) -> Any:
    """A copy of a tree in which `new` stands where `old` stood."""
    if value is old:
        return new
    if isinstance(value, (list, tuple)):
        return type(value)(_replaced(item, old, new) for item in value)
    if not isinstance(value, ast.Node):
        return value
    fields = [_replaced(getattr(value, name), old, new) for name in value.fields]
    return type(value)(*fields, span=value.span)
