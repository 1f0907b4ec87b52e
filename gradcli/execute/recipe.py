"""What a function did to nodes, learned once and done again on nodes of the same forms.

Constraints: for small values that are known. The same kernels on the same operands in the same
order as evaluation on demand, and the same nodes where somebody may differentiate; left out are
checks, the choice of ops, shapes and dtypes, and nodes that nobody can see. The text that is
compiled says how steps hang together and names no op, so that few texts serve all functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import MAKERS, NUMPY_DTYPES, Array
from gradcli.execute.bound import bound
from gradcli.execute.compiling import like_others
from gradcli.execute.evaluate import backend, let_go
from gradcli.graph.call import Arguments, Part
from gradcli.graph.dtype import DType, bool_
from gradcli.graph.forms import form_of, is_plain, kind_like
from gradcli.graph.node import NO_ATTRS, SHARED, Node
from gradcli.graph.op import DATA, FULL, LEAF, UNKNOWN
from gradcli.graph.recording import Recording
from gradcli.graph.traced import Traced

Do = Callable[[Sequence[Node], Sequence[Any]], Sequence[Node]]
Run = Callable[[Sequence[Node], Sequence[Any]], list[Node]]
FAILURES = (GradcliError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the work may raise of numbers that are followed where it needs plain ones."""
_SEEN = frozenset((DATA, LEAF, *UNKNOWN))
"""Ops whose nodes are not computed."""


class Unlearned(Exception):
    """The work depends on more than the forms of its inputs, and answers about their values."""


class Otherwise(Exception):
    """A question about values has another answer than when the recipe was learned."""


class Recipe:
    """Work as a function of nodes and numbers.

    Attributes:
        run: gives the result nodes for input nodes, whose values are known, and numbers; raises
            `Otherwise` where other steps may follow.
        largest: the number of elements of the largest value in it.
        found: the results of the work when it was learned, of inputs that stood for any.
        inputs: these.
    """

    __slots__ = ("found", "inputs", "largest", "run")

    def __init__(self, run: Run, largest: int, found: list[Node], inputs: list[Node]) -> None:
        self.run = run
        self.largest = largest
        self.found = found
        self.inputs = inputs


def learned(
    do: Do, inputs: Sequence[Node], numbers: Sequence[Any], *, constants: bool = False
) -> Recipe | None:
    """The recipe of `do`; None where the same steps need not follow for other values.

    Args:
        do: pure work; gets nodes like `inputs` and traced `numbers`, returns result nodes.
        inputs: nodes whose values are known.
        numbers: numbers that may be others next time.
        constants: whether these are the numbers of the constants among the inputs.
    """
    with Recording() as recording:
        given = [recording.number(n, ("input", i)) for i, n in enumerate(numbers)]
        theirs = iter(given if constants else ())
        stand_ins = [_stand_in(x, theirs) for x in inputs]
        recording.made.clear()
        try:
            found = list(do(stand_ins, given))
        except FAILURES:
            return None
    if not recording.is_pure:
        return None
    try:
        return _Writer(recording, stand_ins, found).recipe()
    except Unlearned:
        return None


def _stand_in(x: Node, numbers: Iterator[Any]) -> Node:
    """A node of the form of `x`, told from all others."""
    if x.op is FULL:
        attrs = {**x.attrs, "value": next(numbers, x.attrs["value"])}
        return Node(FULL, (), attrs, x.shape, x.dtype, False, x.value)
    return Node(DATA, (), NO_ATTRS, x.shape, x.dtype, x.tracked, x.value)


class _Writer:
    """The text of a recipe, and what its names mean."""

    def __init__(self, recording: Recording, inputs: list[Node], found: list[Node]) -> None:
        self.sources = dict(recording.made)
        self.asked = recording.asked
        self.inputs = inputs
        self.found = found
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self.places = {x: f"x{i}" for i, x in enumerate(inputs)}
        self.numbers = 0
        self.steps = self._needed()
        self.shown = self._shown()

    def recipe(self) -> Recipe:
        """The recipe."""
        for i, node in enumerate(self.steps):
            self._step(node, f"y{i}")
        for node, question, answer in self.asked:
            given = f"{self._name('q', question)}(asarray(v{self.places[node]}))"
            self.lines.append(f"if {given} != {self._name('r', answer)}: raise Otherwise")
        results = ", ".join(self.places[node] for node in self.found)
        taken = "".join(f"{self.places[x]}, " for x in self.inputs)
        head = [f"{taken}= nodes"] if taken else []
        used = {x for node in self.steps for x in self.sources.get(node, ())}
        used.update(node for node, _, _ in self.asked)
        head += [f"v{self.places[x]} = {self.places[x]}.value" for x in self.inputs if x in used]
        body = "\n    ".join([*head, *self.lines, f"return [{results}]"])
        run = like_others(f"def run(nodes, numbers):\n    {body}\n", {**self.names, **_NAMES})
        sizes = [x.size for x in (*self.inputs, *self.steps)]
        return Recipe(run, max(sizes, default=0), self.found, self.inputs)

    def _needed(self) -> list[Node]:
        """The nodes that must be computed, in order."""
        needed: set[Node] = set()
        stack = [*self.found, *(node for node, _, _ in self.asked)]
        while stack:
            node = stack.pop()
            if node in needed or node in self.places:
                continue
            known = node in self.sources
            if not (known or node.op is FULL) or node.op in _SEEN or node.op.multiple:
                raise Unlearned
            needed.add(node)
            stack.extend(self.sources.get(node, ()))
        return sorted(needed, key=lambda node: node.serial)

    def _shown(self) -> set[Node]:
        """The nodes that there must be: the results and what a derivative of them may read."""
        shown = set(self.found)
        for node in reversed(self.steps):
            if node in shown and (node.tracked or _is_condition(node)):
                shown.update(self.sources.get(node, ()))
        return shown

    def _step(self, node: Node, place: str) -> None:
        self.places[node] = place
        if node.op is FULL:
            self._number(node, place)
            return
        if not is_plain(tuple(node.attrs.values())) or node.dtype.rare:
            raise Unlearned
        values = [f"v{self.places[x]}" for x in self.sources[node]]
        self._compute(node, place, values)
        if node in self.shown:
            self._make(node, place)

    def _number(self, node: Node, place: str) -> None:
        """A number: the same each time, or one that is given."""
        value = node.attrs["value"]
        if isinstance(value, Traced) and not value.is_constant:
            kind, *which = value.expression
            if kind != "input" or node.shape:
                raise Unlearned
            dtype = self._name("d", node.dtype)
            self.lines.append(f"{place} = constant(numbers[{which[0]}], {dtype})")
            self.lines.append(f"v{place} = {place}.value")
            return
        if isinstance(value, Traced):
            node = Node(FULL, (), {**node.attrs, "value": value.plain}, node.shape, node.dtype)
        if node.value is None:
            node.value = backend.run(node, [])
        if node in self.found:
            self.names[f"v{place}"] = node.value
            self._make(node, place)
        else:
            self.names.update({place: node, f"v{place}": node.value})

    def _compute(self, node: Node, place: str, values: list[str]) -> None:
        op, result = node.op, f"v{place}"
        wanted = NUMPY_DTYPES[node.dtype]
        if op.name in MAKERS:
            template = Node(op, (), node.attrs, node.shape, node.dtype)
            maker, made = self._name("k", MAKERS[op.name]), self._name("t", template)
            self.lines.append(f"{result} = {maker}({made}, [{', '.join(values)}])")
            return
        known = bound(node, self.sources[node])
        kernel = self._name("k", known or backend.kernel(op.name, op.kernel))
        attrs = {} if known else node.attrs
        named = [f"{key}={self._name('a', value)}" for key, value in attrs.items()]
        self.lines.append(f"{result} = {kernel}({', '.join([*values, *named])})")
        if op.multiple:
            self.lines.append(f"{result} = tuple({result})")
            return
        self.lines.append(
            f"if {result}.dtype is not {self._name('w', wanted)}: "
            f"{result} = exact({result}, w{len(self.names) - 1})"
        )

    def _make(self, node: Node, place: str) -> None:
        inputs = self.sources.get(node, ())
        condition = _is_condition(node) and node not in self.found
        kept = [self.places[x] for x in inputs] if node.tracked or condition else []
        given = [
            self._name("o", node.op),
            f"({''.join(f'{x}, ' for x in kept)})",
            *(self._name("a", node.attrs), self._name("s", node.shape)),
            *(self._name("d", node.dtype), str(node.tracked), f"v{place}"),
            self._name("f", form_of(node)),
            self._name("q", kind_like(node, inputs)) if node.tracked else "None",
        ]
        self.lines.append(f"{place} = made({', '.join(given)})")
        if condition:
            self.lines.append(f"{self._name('g', let_go)}({place})")
        if node.call is not None:
            self.lines.append(f"{place}.call = {self._call(node.call)}")
        if node.released:
            self.lines.append(f"{place}.released = True")

    def _call(self, call: Any) -> str:
        name, arguments = call
        if isinstance(call, Part):
            raise Unlearned
        shown = self._tuple(arguments)
        if isinstance(arguments, Arguments):
            if arguments.results or arguments.kept or arguments.composition:
                raise Unlearned
            shown = f"{self._name('g', Arguments)}({shown}, {self._tuple(arguments.tensors)})"
        return f"({self._name('n', name)}, {shown})"

    def _tuple(self, nodes: Sequence[Node]) -> str:
        if not all(x in self.places for x in nodes):
            raise Unlearned
        return f"({''.join(f'{self.places[x]}, ' for x in nodes)})"

    def _name(self, letter: str, value: Any) -> str:
        """A name for what the text cannot say."""
        name = f"{letter}{len(self.names)}"
        self.names[name] = value
        return name


def _is_condition(node: Node) -> bool:
    """Whether it may have to keep what it was computed from, as `let_go` decides."""
    return node.dtype is bool_ and not node.tracked and not node.released


def _exact(value: Array, wanted: Any) -> Array:
    """A kernel's result in the dtype that the graph says."""
    return value if value.dtype == wanted else value.astype(wanted)


def _constant(value: Any, dtype: DType) -> Node:
    """The 0-dim node of a number, with its value; the same one for numbers that come again."""
    key = (value.__class__, value or str(value), dtype)
    node = _constants.get(key)
    if node is None:
        attrs: Mapping[str, Any] = {"value": value, "shape": ()}
        node = Node(FULL, (), attrs, (), dtype)
        node.value = backend.run(node, [])
        if len(_constants) > 256:
            _constants.clear()
        _constants[key] = node
        node.stale = SHARED
    return node


_constants: dict[Any, Node] = {}
_NAMES: dict[str, Any] = {
    **{"made": Node.known, "exact": _exact, "constant": _constant},
    **{"asarray": np.asarray, "Otherwise": Otherwise, "tuple": tuple},
}
"""What every text knows."""
