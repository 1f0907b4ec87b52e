"""The leak of `where`: a branch that is masked out has a gradient, and 0 times infinity is NaN.

Constraints: reads the graph for where the branch is, and the source for how to write it safely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcli import api
from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.graph.walk import ancestors
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.lowering.unbound import unbound
from gradcli.source import Source, Span
from gradcli.tensor import Tensor
from gradcli.tensor.kept import name_of

SAFE = {**dict.fromkeys(("asin", "acos", "atanh", "erfinv"), "0"), "acosh": "2"}
"""An argument at which the derivative of an op is finite, where it is not 1."""


class Leak:
    """A masked branch through which a gradient leaks.

    Attributes:
        sentence: which branch of what.
        rewrites: the same `where` with harmless arguments in the branch, the shortest first; none
            where the source does not show it.
        span: the `where` that they replace.
        product: whether it is a product with a mask, whose value is NaN too.
    """

    def __init__(
        self, sentence: str, rewrites: list[str], span: Span | None, *, product: bool = False
    ) -> None:
        self.product = product
        self.sentence = sentence
        self.rewrites = rewrites
        self.span = span


def tried(leak: Leak, variables: Mapping[str, Any]) -> str | None:
    """The first rewrite with which the expression has the same value, and finite gradients."""
    return next((r for r in leak.rewrites if _holds(leak, r, variables)), None)


def _holds(leak: Leak, rewrite: str, variables: Mapping[str, Any]) -> bool:
    assert leak.span is not None
    text, span = leak.span.source.text, leak.span
    changed = text[: span.start] + rewrite + text[span.end :]
    pair = (span.text, rewrite) if leak.product else (text, changed)
    try:
        before, after = (api.evaluate(t, variables, gradients=False).value for t in pair)
        kept = np.isfinite(before) if leak.product else np.ones_like(before, bool)
        same = np.array_equal(before[kept], after[kept], equal_nan=True)
        wanted = [n for n, v in variables.items() if isinstance(v, Tensor) and v.requires_grad]
        total = api.evaluate(f"sum({changed})", variables, wrt=wanted)
    except GradcliError:
        return False
    return same and all(g is None or np.isfinite(g).all() for g in total.grads.values())


def find_leak(node: Node, later: Sequence[Node]) -> Leak | None:
    """The `where` among `later` that masks `node`, whose gradient is not finite."""
    for choice in later:
        if choice.op.name != "where" or len(choice.inputs) != 3:
            continue
        for branch in (1, 2):
            below = ancestors([choice.inputs[branch]], lambda x: x.tracked)
            if node in below:
                return _leak(choice, branch, node)
    return None


def find_product(node: Node, masked: Node) -> Leak | None:
    """The leak of a product with a mask: `mask*(1/x)` is NaN where the mask is 0, and x too."""
    span, inner = node.span, masked.span
    if span is None or inner is None or inner.source is not span.source:
        return None
    masks = [p for p in span.parts if not (p.start <= inner.start and inner.end <= p.end)]
    shown = span.source.text[span.start : span.start + len(span.whole)] == span.whole
    if len(span.parts) != 2 or len(masks) != 1 or not shown:
        return None
    span = Span(span.source, span.start, span.start + len(span.whole))
    try:
        tree = parse_expression(Source("", span.text))
    except GradcliError:
        return None
    safe = SAFE.get(masked.op.name, "1")
    chosen = f"where({masks[0].text} != 0, {{0}}, {safe})"
    places = [[place] for place in _operand_places(tree, masked, span.start)]
    rewrites = [_replaced(tree.span.source.text, spans, chosen) for spans in places]
    sentence = f"{masks[0].text} is 0 there, and 0 times infinity is NaN: a mask must choose first"
    return Leak(sentence, list(dict.fromkeys(rewrites)), span, product=True)


def _leak(choice: Node, branch: int, node: Node) -> Leak:
    span = choice.span
    name = "where" if span is None else span.whole
    ordinal = "first" if branch == 1 else "second"
    text = "" if node.span is None else node.span.whole
    masked = f"is in the {ordinal} branch of {name}; where the condition takes the other one"
    if name_of(choice).startswith("MaskedFill"):
        masked = f"is filled in by {name}; where the mask does so"
    sentence = f"{text} {masked}, its gradient is 0 times infinity"
    return Leak(sentence, _rewrites(choice, branch, node), span)


def _rewrites(choice: Node, branch: int, node: Node) -> list[str]:
    """The source of `choice` with harmless arguments where the branch is masked."""
    if choice.span is None or node.span is None or node.span.source is not choice.span.source:
        return []
    try:
        tree = parse_expression(Source("", choice.span.text))
    except GradcliError:
        return []
    if not isinstance(tree, ast.Call):
        return []
    words: list[ast.Expression] = list(tree.arguments)
    callee = tree.function.span.text
    filled = callee.rpartition(".")[2] == "masked_fill"
    if isinstance(tree.function, ast.Attribute) and len(words) == 2:
        words.insert(0 if filled else 1, tree.function.value)
        callee = tree.function.name
    if len(words) != 3:
        return []
    safe = SAFE.get(node.op.name, "1")
    at, other = (0, 2) if filled else (branch, 3 - branch)
    texts = [word.span.text for word in words]
    texts[at], texts[other] = "{0}", safe
    inner = f"{callee}({', '.join(texts)})"
    variables = unbound(words[at], ())
    uses = [x.span for x in _inside(words[at]) if isinstance(x, ast.Name)]
    candidates = [[place] for place in _operand_places(tree, node, choice.span.start)]
    candidates.append([s for s in uses if s.text in variables])
    texts = [_replaced(tree.span.source.text, spans, inner) for spans in candidates]
    return list(dict.fromkeys(texts))


def _replaced(text: str, spans: Sequence[Span], inner: str) -> str:
    """The text with every span put into `inner`, in the place of its `{0}`."""
    for span in sorted(spans, key=lambda s: s.start, reverse=True):
        text = text[: span.start] + inner.replace("{0}", span.text) + text[span.end :]
    return text


def _inside(tree: ast.Node) -> list[ast.Node]:
    found = [tree]
    for node in found:
        found += ast.children(node)
    return found


def _operand_places(tree: ast.Expression, node: Node, shift: int) -> list[Span]:
    """Where the operands of `node` stand in the source of the `where`, a divisor first."""
    assert node.span is not None
    start, end = node.span.start - shift, node.span.end - shift
    pending: list[ast.Node] = [tree]
    while pending:
        found = pending.pop()
        below = ast.children(found)
        if (found.span.start, found.span.end) == (start, end) and isinstance(found, ast.Expression):
            if isinstance(found, ast.Call):
                below = [*found.arguments, *_owner(found)]
            operands = [x for x in _operands(found, below) if isinstance(x, ast.Expression)]
            spans = [x.span for x in operands if unbound(x, ())]
            return spans[::-1] if node.op.name == "div" else spans
        pending += below
    return []


def _owner(call: ast.Call) -> list[ast.Node]:
    return [call.function.value] if isinstance(call.function, ast.Attribute) else []


def _operands(found: ast.Expression, below: list[ast.Node]) -> list[ast.Node]:
    if isinstance(found, ast.Chain):
        return [found.first, *(operand for _, operand in found.rest)]
    return below
