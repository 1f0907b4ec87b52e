"""The first op, forward and backward, that made a NaN or an infinity of finite numbers; the first
of those that came through, where a choice took another branch.

Constraints: facts about values that were seen; says where a masked branch of `where` leaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import Diagnostic, Label
from gradcli.execute.evaluate import array
from gradcli.graph.backward import propagate
from gradcli.graph.node import Node
from gradcli.graph.op import DATA, LEAF
from gradcli.tensor import Tensor
from gradcli.tensor.kept import name_of
from gradcli.tensor.storage import Stop
from gradcli.trace.leak import Leak, find_leak, find_product
from gradcli.trace.watch import Observer

Array = Any
CODE = "G083"


class Tracer(Observer):
    """Remembers where non-finite values and gradients were made, and what they came to."""

    def __init__(self) -> None:
        self._values = _Trail()
        self._gradients = _Trail()

    @property
    def forward(self) -> list[Found]:
        """What to report of values."""
        return self._values.told("the result")

    @property
    def backward(self) -> list[Found]:
        """What to report of gradients."""
        return self._gradients.told("a gradient")

    def computed(self, node: Node, values: list[Array], result: Array) -> None:
        """Notes an op that makes a non-finite value of finite ones, and what it is passed on to."""
        if node.op in (DATA, LEAF):
            return
        parts = result if node.op.multiple else (result,)
        bad = not all(map(_finite, parts))
        self._values.passed(node, node.inputs if bad else None)
        if not bad or node.op.multiple:
            return
        made = _made(node, values, np.asarray(result))
        if made.any():
            place = _first(made)
            operands = _operands(node, values, place, made.shape)
            fact = f"{_text(node)} gives {_number(np.asarray(result)[place])}"
            self._values.made[node] = Found(_report(node, fact, place, operands), None)
            self._masked(node, values, place)

    def _masked(self, node: Node, values: list[Array], place: tuple[int, ...]) -> None:
        """Says of an infinity that a product multiplies it by 0, which is NaN."""
        if node.op.name != "mul":
            return
        for x, mask in zip(node.inputs, values[::-1], strict=True):
            origin = self._values.origin(x)
            if origin is not None and np.broadcast_to(mask, node.shape)[place] == 0:
                leak = find_product(node, origin)
                if leak is not None:
                    report = self._values.made[origin].report
                    report.notes.append(leak.sentence)
                    self._values.made[origin] = Found(report, leak)

    def arrived(self, node: Node, cotangent: Node, earlier: dict[Node, Node]) -> None:
        """Notes a step of a backward pass that makes a non-finite gradient of a finite one."""
        ends = node.op is LEAF or not node.inputs
        if _finite(array(cotangent)):
            self._gradients.passed(node, None, end=ends)
            return
        users = [user for user in earlier if node in user.inputs]
        self._gradients.passed(node, users, end=ends)
        for user in reversed(users):
            given = earlier[user]
            if _finite(array(given)):
                with Stop(False):
                    parts = [part for x, part in propagate(user, given, {node}) if x is node]
                    bad = [array(part) for part in parts if not _finite(array(part))]
                if bad:
                    found = _step(user, given, bad[0], earlier)
                    self._gradients.made.setdefault(node, found)
                    return


class Found(NamedTuple):
    """A report, and the masked branch that the gradient leaked through, where it did."""

    report: Diagnostic
    leak: Leak | None


class _Trail:
    """Where non-finite numbers were made, and from what each that is not finite has them."""

    def __init__(self) -> None:
        self.made: dict[Node, Found] = {}
        self._sources: dict[Node, list[Node]] = {}
        self._ends: list[Node] = []

    def passed(
        self, node: Node, sources: Iterable[Node] | None, *, end: bool | None = None
    ) -> None:
        """A node is finite (None), or has what is not from `sources`; `end`: it is asked for.

        Without a word on it the last node is what is asked for.
        """
        if sources is not None:
            self._sources[node] = [x for x in sources if x in self._sources]
        if end is None:
            self._ends = [node]
        elif end:
            self._ends.append(node)

    def told(self, end: str) -> list[Found]:
        """The first that was made, and for each end the first that reached it."""
        if not self.made:
            return []
        first = next(iter(self.made.values()))
        origins = [x for x in map(self.origin, self._ends) if x is not None]
        reaching = {id(self.made[x]): self.made[x] for x in origins}
        if not reaching or id(first) in reaching:
            return [first, *(x for x in reaching.values() if x is not first)]
        for found in (first, *reaching.values()):
            said = f"it reaches {end}" if found is not first else f"it does not reach {end}"
            if said not in found.report.notes:
                found.report.notes.append(said)
        return [first, *reaching.values()]

    def origin(self, end: Node) -> Node | None:
        """The first op on the way to a node that made what is not finite."""
        seen: set[Node] = set()
        pending = [end] if end in self._sources else []
        while pending:
            node = pending.pop()
            if node not in seen:
                seen.add(node)
                pending += self._sources[node]
        return next((node for node in self.made if node in seen), None)


def _step(user: Node, given: Node, part: Array, earlier: dict[Node, Node]) -> Found:
    """What is said of a step that makes a non-finite gradient."""
    place = _first(~np.isfinite(part))
    values = [array(x) for x in user.inputs]
    operands = _operands(user, values, place, np.shape(part))
    cotangent = np.asarray(array(given))
    came, zero = "", bool(np.isnan(part[place]) and (cotangent == 0).any())
    if cotangent.shape == np.shape(part):
        came = f", the incoming gradient is {_number(cotangent[place])}"
        zero = bool(cotangent[place] == 0)
    fact = f"the gradient of {_text(user)} ({name_of(user)}) is {_number(part[place])}"
    report = _report(user, fact, place, operands + came)
    leak = find_leak(user, list(earlier)) if zero else None
    if leak is not None:
        report.notes.append(leak.sentence)
    return Found(report, leak)


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
