"""The leak of `where`: a branch that is masked out still has a gradient, and 0 times infinity is NaN.

Constraints: reads the graph for where the branch is, and the source for how to write it safely.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF
from gradcli.graph.walk import ancestors
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.source import Source, Span

SAFE = {**dict.fromkeys(("asin", "acos", "atanh", "erfinv"), "0"), "acosh": "2"}
"""An argument at which the derivative of an op is finite, where it is not 1."""


class Leak:
    """A masked branch through which a gradient leaks.

    Attributes:
        sentence: which branch of what.
        rewrite: the same `where` without the leak, or None where the source does not show it.
        span: the `where` that it replaces.
    """

    def __init__(self, sentence: str, rewrite: str | None, span: Span | None) -> None:
        self.sentence = sentence
        self.rewrite = rewrite
        self.span = span

    @property
    def help(self) -> list[str]:
        """What to write instead."""
        return [] if self.rewrite is None else [f"write {self.rewrite}"]


def find_leak(node: Node, operand: Node, later: Sequence[Node]) -> Leak | None:
    """The `where` among `later` that masks `node`, whose gradient by `operand` is not finite."""
    for choice in later:
        if choice.op.name != "where" or len(choice.inputs) != 3:
            continue
        for branch in (1, 2):
            below = ancestors([choice.inputs[branch]], lambda x: x.tracked)
            if node in below:
                return _leak(choice, branch, node, operand)
    return None


def _leak(choice: Node, branch: int, node: Node, operand: Node) -> Leak:
    span = choice.span
    name = "where" if span is None else span.whole
    ordinal = "first" if branch == 1 else "second"
    text = "" if node.span is None else node.span.whole
    sentence = (
        f"{text} is in the {ordinal} branch of {name}; where the condition takes the other one, "
        "its gradient is 0 times infinity"
    )
    return Leak(sentence, _rewrite(choice, branch, node, operand), span)


def _rewrite(choice: Node, branch: int, node: Node, operand: Node) -> str | None:
    """The source of `choice` with a harmless argument where the branch is masked."""
    if choice.span is None or node.span is None or node.span.source is not choice.span.source:
        return None
    source = choice.span.source
    try:
        tree = parse_expression(Source("", choice.span.text))
    except GradcliError:
        return None
    if not isinstance(tree, ast.Call):
        return None
    shift = choice.span.start
    words = [argument.span for argument in tree.arguments]
    if isinstance(tree.function, ast.Attribute) and len(words) == 2:
        words.insert(1, tree.function.value.span)
    if len(words) != 3:
        return None
    condition = words[0].text
    place = _operand_place(tree, node, shift, operand)
    if place is None:
        return None
    safe = SAFE.get(node.op.name, "1")
    chosen = [condition, place.text, safe] if branch == 1 else [condition, safe, place.text]
    inner = f"where({', '.join(chosen)})"
    text = tree.span.source.text
    return f"{text[: place.start]}{inner}{text[place.end :]}" if source else None


def _operand_place(
    tree: ast.Expression, node: Node, shift: int, operand: Node
) -> Span | None:
    """Where the operand of `node` stands in the source of the `where`."""
    assert node.span is not None
    start, end = node.span.start - shift, node.span.end - shift
    pending: list[ast.Node] = [tree]
    while pending:
        found = pending.pop()
        below = ast.children(found)
        if (found.span.start, found.span.end) == (start, end) and isinstance(found, ast.Expression):
            if isinstance(found, ast.Call):
                below = [*found.arguments, *_owner(found)]
            spans = [x.span for x in _operands(found, below)]
            names = [s for s in spans if _is_operand(s, operand, shift)]
            return names[0] if names else None
        pending += below
    return None


def _owner(call: ast.Call) -> list[ast.Node]:
    return [call.function.value] if isinstance(call.function, ast.Attribute) else []


def _operands(found: ast.Expression, below: list[ast.Node]) -> list[ast.Node]:
    if isinstance(found, ast.Chain):
        return [found.first, *(operand for _, operand in found.rest)]
    return below


def _is_operand(span: Span, operand: Node, shift: int) -> bool:
    if operand.op is LEAF or operand.span is None:
        return span.text.isidentifier()
    return (span.start + shift, span.end + shift) == (operand.span.start, operand.span.end)
