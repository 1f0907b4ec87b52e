"""The first op, forward and backward, that made a NaN or an infinity of finite numbers.

Constraints: facts about values that were seen; says where a masked branch of `where` leaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli.errors import Diagnostic, Label
from gradcli.execute.evaluate import array
from gradcli.graph.backward import propagate
from gradcli.graph.node import Node
from gradcli.graph.op import DATA, LEAF
from gradcli.tensor import Tensor
from gradcli.tensor.kept import name_of
from gradcli.tensor.storage import Stop
from gradcli.trace.leak import Leak, find_leak
from gradcli.trace.watch import Observer

Array = Any
CODE = "G083"


class Tracer(Observer):
    """Remembers the first non-finite value and the first non-finite gradient.

    Attributes:
        forward, backward: reports, where there is something to report.
        leak: the masked branch that the gradient leaked through, where it did.
    """

    def __init__(self) -> None:
        self.forward: Diagnostic | None = None
        self.backward: Diagnostic | None = None
        self.leak: Leak | None = None

    def computed(self, node: Node, values: list[Array], result: Array) -> None:
        """Notes the first op that makes a non-finite value of finite ones."""
        if self.forward is not None or node.op.multiple or _finite(result):
            return
        if node.op in (DATA, LEAF):
            return
        made = _made(node, values, np.asarray(result))
        if not made.any():
            return
        place = _first(made)
        operands = _operands(node, values, place, made.shape)
        fact = f"{_text(node)} gives {_number(np.asarray(result)[place])}"
        self.forward = _report(node, fact, place, operands)

    def arrived(self, node: Node, cotangent: Node, earlier: dict[Node, Node]) -> None:
        """Notes the first step of a backward pass that makes a non-finite gradient."""
        if self.backward is not None or _finite(array(cotangent)):
            return
        for user, given in reversed(earlier.items()):
            if node in user.inputs and _finite(array(given)):
                with Stop(False):
                    parts = [part for x, part in propagate(user, given, {node}) if x is node]
                    bad = [array(part) for part in parts if not _finite(array(part))]
                if bad:
                    self._note(user, node, given, bad[0], earlier)
                    return

    def _note(
        self, user: Node, node: Node, given: Node, part: Array, earlier: dict[Node, Node]
    ) -> None:
        place = _first(~np.isfinite(part))
        values = [array(x) for x in user.inputs]
        operands = _operands(user, values, place, np.shape(part))
        cotangent = np.asarray(array(given))
        came, zero = "", bool(np.isnan(part[place]) and (cotangent == 0).any())
        if cotangent.shape == np.shape(part):
            came = f", the incoming gradient is {_number(cotangent[place])}"
            zero = bool(cotangent[place] == 0)
        fact = f"the gradient of {_text(user)} ({name_of(user)}) is {_number(part[place])}"
        self.backward = _report(user, fact, place, operands + came)
        self.leak = find_leak(user, list(earlier)) if zero else None
        if self.leak is not None:
            self.backward.notes.append(self.leak.sentence)


def given_reports(variables: Mapping[str, Any]) -> list[Diagnostic]:
    """Reports of the variables that are not finite as they were given."""
    reports = []
    for name, value in variables.items():
        if isinstance(value, Tensor) and not _finite(value.array()):
            place = _first(~np.isfinite(value.array()))
            at = f" at {list(place)}" if place else ""
            fact = f"{name} is {_number(value.array()[place])}{at} as it was given"
            reports.append(Diagnostic(CODE, fact, severity="warning"))
    return reports


def _report(node: Node, fact: str, place: tuple[int, ...], operands: str) -> Diagnostic:
    at = f"at {list(place)}: " if place else ""
    label = (at + operands).rstrip(": ")
    labels = [] if node.span is None else [Label(node.span, label)]
    notes = [] if labels else [label]
    return Diagnostic(CODE, fact, labels, notes=notes, severity="warning")


def _made(node: Node, values: list[Array], result: Array) -> Array:
    """Where an op makes an infinity or NaN of finite numbers, or NaN of numbers that are not it."""
    arrays = [np.asarray(v) for v in values if np.asarray(v).dtype.kind in "fc"]
    made, nan = ~np.isfinite(result), np.isnan(result)
    for value in arrays:
        finite, known = np.isfinite(value), ~np.isnan(value)
        if not (node.op.elementwise and _spreads(value.shape, result.shape)):
            finite, known = finite.all(), known.all()
        made, nan = made & finite, nan & known
    return np.asarray(made | nan)


def _operands(
    node: Node, values: list[Array], place: tuple[int, ...], shape: tuple[int, ...]
) -> str:
    """What is at a place of arrays of a shape, where an operand of an elementwise op has it.

    Of others the smallest and the largest number. An op inside a function has operands without a
    name.
    """
    names = [part.text for part in node.span.parts] if node.span is not None else []
    if _inside(node):
        names = [f"operand {i}" for i in range(1, len(values) + 1)]
    elif len(names) != len(values):
        names = [_called(x) for x in node.inputs]
    said = []
    for name, value in zip(names, map(np.asarray, values), strict=True):
        if node.op.elementwise and _spreads(value.shape, shape):
            shown = _number(np.broadcast_to(value, shape)[place])
            said += [] if _is_number(name) else [f"{name} = {shown}"]
        elif value.size and value.dtype.kind in "fiu":
            said.append(f"{name} from {_number(value.min())} to {_number(value.max())}")
    return ", ".join(said)


def _spreads(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether broadcasting makes arrays of a shape of such ones."""
    ends = shape[len(shape) - len(own) :]
    return len(own) <= len(shape) and all(n in (1, m) for n, m in zip(own, ends, strict=True))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _inside(node: Node) -> bool:
    """Whether an op is a step inside a function: an operand comes from the same call."""
    if node.span is None:
        return False
    return any(x.inputs and x.op is not LEAF and x.span == node.span for x in node.inputs)


def _called(node: Node) -> str:
    if node.op is LEAF or node.span is None:
        return "x"
    return node.span.whole


def _text(node: Node) -> str:
    if node.span is None:
        return node.op.name
    return f"{node.op.torch} inside {node.span.whole}" if _inside(node) else node.span.whole


def _finite(value: Array) -> bool:
    value = np.asarray(value) if not isinstance(value, tuple) else np.zeros(())
    return value.dtype.kind not in "fc" or bool(np.isfinite(value).all())


def _first(mask: Array) -> tuple[int, ...]:
    at = np.flatnonzero(mask)[0]
    return tuple(int(i) for i in np.unravel_index(at, np.shape(mask)))


def _number(value: Any) -> str:
    return f"{value.item():.6g}" if hasattr(value, "item") else f"{value:.6g}"
