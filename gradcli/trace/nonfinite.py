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
        if node.op in (DATA, LEAF) or not all(map(_finite, values)):
            return
        place = _first(result)
        operands = _operands(node, values, place)
        made = _number(np.asarray(result)[place])
        self.forward = _report(node, f"{_text(node)} gives {made}", place, operands)

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
        place = _first(part)
        values = [array(x) for x in user.inputs]
        operands = _operands(user, values, place)
        cotangent = np.asarray(array(given))
        came = ""
        if cotangent.shape == np.shape(part):
            came = f", the incoming gradient is {_number(cotangent[place])}"
        fact = f"the gradient of {_text(user)} ({name_of(user)}) is {_number(part[place])}"
        self.backward = _report(user, fact, place, operands + came)
        zero = cotangent.shape == np.shape(part) and cotangent[place] == 0
        self.leak = find_leak(user, node, list(earlier)) if zero else None
        if self.leak is not None:
            self.backward.notes.append(self.leak.sentence)


def given_reports(variables: Mapping[str, Any]) -> list[Diagnostic]:
    """Reports of the variables that are not finite as they were given."""
    reports = []
    for name, value in variables.items():
        if isinstance(value, Tensor) and not _finite(value.array()):
            place = _first(value.array())
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


def _operands(node: Node, values: list[Array], place: tuple[int, ...]) -> str:
    """The operands at a place of an elementwise op; the sizes of what another op takes."""
    names = [part.text for part in node.span.parts] if node.span is not None else []
    if len(names) != len(values):
        names = [_called(x) for x in node.inputs]
    said = []
    for name, value in zip(names, values, strict=True):
        array_ = np.asarray(value)
        if node.op.elementwise:
            try:
                shown = _number(np.broadcast_to(array_, np.shape(node.value or 0))[place])
            except (ValueError, IndexError):
                shown = _aligned(array_, place)
            said.append(f"{name} = {shown}")
        elif array_.size and array_.dtype.kind in "fiu":
            said.append(f"{name} from {_number(array_.min())} to {_number(array_.max())}")
    return ", ".join(said)


def _aligned(value: Array, place: tuple[int, ...]) -> str:
    """The element that broadcasting brings to a place."""
    own = place[len(place) - value.ndim :]
    return _number(value[tuple(0 if n == 1 else i for n, i in zip(value.shape, own, strict=True))])


def _called(node: Node) -> str:
    if node.op is LEAF or node.span is None:
        return "x"
    return node.span.whole


def _text(node: Node) -> str:
    return node.op.name if node.span is None else node.span.whole


def _finite(value: Array) -> bool:
    value = np.asarray(value) if not isinstance(value, tuple) else np.zeros(())
    return value.dtype.kind not in "fc" or bool(np.isfinite(value).all())


def _first(value: Array) -> tuple[int, ...]:
    bad = np.flatnonzero(~np.isfinite(np.asarray(value)).reshape(-1))
    return tuple(int(i) for i in np.unravel_index(bad[0], np.shape(value)))


def _number(value: Any) -> str:
    return f"{value.item():.6g}" if hasattr(value, "item") else f"{value:.6g}"
