"""Values with a derivative of their own: the steps that they were computed by pass nothing on.

Constraints: see gradcli/ops. PyTorch differentiates these functions by formulas that the chain rule
gives for numbers only: where something is infinite or NaN, and at corners, they say other things.
`rules` are functions of a module, so that equal calls have equal attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import DType
from gradcli.graph.node import Node, arithmetic, constant, current
from gradcli.graph.op import OPS, NoDerivative, Op, Zero
from gradcli.graph.shape import Shape

Rules = tuple[Callable[..., Node | None], ...]


def _value(value: Node, *sources: Node, **attrs: Any) -> tuple[Shape, DType]:
    return value.shape, value.dtype


def _by_rule(
    g: Node,
    out: Node,
    value: Node,
    *sources: Node,
    rules: Rules,
    position: int,
    corner: bool = False,
    **attrs: Any,
) -> Any:
    return rules[position - 1](g, out, *sources, **attrs)


_ROW: dict[str, Any] = {"variadic": True, "text": "{0}", "exact": True}
_ITSELF = NoDerivative("gradients go to what the value was computed from, by rules of its own")
_elementwise = Op(
    "ruled", _value, _ITSELF, _by_rule, elementwise=True, broadcasts=True, torch="clone", **_ROW
)
RULED = frozenset(("ruled", "ruled_whole"))
_whole = Op("ruled_whole", _value, _ITSELF, _by_rule, torch="clone", **_ROW)


def ruled(value: Node, *sources: Node, rules: Rules, **attrs: Any) -> Node:
    """`value`, computed element by element from `sources`, each with its rule.

    A rule is `(g, out, *sources, **attrs) -> cotangent of the source`, or None for no gradient;
    broadcasting is undone. Where the value 0 is a corner, `corner` says so to who looks for kinks.
    """
    return _elementwise(value, *sources, rules=rules, **attrs) if _varies(sources) else value


def ruled_whole(value: Node, *sources: Node, rules: Rules, **attrs: Any) -> Node:
    """The same of a value whose elements depend on more than those of the sources at their place.

    The sources count their axes as `value` does, from the right.
    """
    return _whole(value, *sources, rules=rules, **attrs) if _varies(sources) else value


def _varies(sources: tuple[Node, ...]) -> bool:
    return current.tracking and any([x.tracked for x in sources])


def opaque(value: Node, *sources: Node, sentence: str, kind: type[Exception]) -> Node:
    """`value`, whose derivative PyTorch has not: asking for it raises `sentence`, as there."""
    rules = (_refused,) * len(sources)
    return _whole(value, *sources, rules=rules, sentence=sentence, kind=kind)


def _refused(
    g: Node, out: Node, *sources: Node, sentence: str, kind: type[Exception], **attrs: Any
) -> Node:
    raise GradcliError("G037", sentence, kind=kind)


def halved(value: Node, *sources: Node, op: Op, attrs: Mapping[str, Any]) -> Node:
    """`value`, what an elementwise op makes of numbers of half the width, rounded to it.

    PyTorch's derivative sees the rounded result and is rounded after each of its steps.
    """
    return _elementwise(value, *sources, rules=_rules_of(op, len(sources)), **attrs)


arithmetic["halved"] = halved


@cache
def _rules_of(op: Op, count: int) -> Rules:
    return tuple([_rounded(op, position) for position in range(count)])


def _rounded(op: Op, position: int) -> Callable[..., Node | None]:
    def rule(g: Node, out: Node, *sources: Node, **attrs: Any) -> Node | None:
        derivative = op.derivative(position)
        if isinstance(derivative, NoDerivative):
            return None
        if isinstance(derivative, Zero):
            return constant(0, sources[position].dtype, g.shape)
        if not op.fused:
            return derivative(g, out, *sources, **attrs)
        wide = [OPS["widen"](x) if x.dtype.wider else x for x in (g, out, *sources)]
        return arithmetic["cast"](derivative(*wide, **attrs), g.dtype)

    return rule
