"""What a row of the op table says, and how calling a row makes a node.

Constraints: a row is data; the rows themselves stand in gradcli/ops. A missing derivative is an
error when the table is built, never a silent zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph import node as nodes
from gradcli.graph.dtype import SCALAR_TYPES, DType
from gradcli.graph.node import NO_ATTRS, Node, current
from gradcli.graph.shape import Shape

Rule = Callable[..., Node]
NOTHING: Mapping[Any, str] = {}
Infer = Callable[..., Any]
"""(shape, dtype) of the result, or one such pair for each of several results."""


class Zero:
    """The derivative is zero wherever it exists (floor, sign): the input is connected."""


class NoDerivative:
    """The input has no derivative, for a `reason` that a user can read (an index, a condition)."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


ZERO = Zero()
CONDITION = NoDerivative("a condition is true or false, it has no slope")
INDEX = NoDerivative("an index is a whole number, it has no slope")
INTEGRAL = NoDerivative("the result jumps between whole numbers or truth values, it has no slope")
NONE = NoDerivative("PyTorch defines no derivative of this function")

Derivative = Rule | Zero | NoDerivative


class Check(str):
    """A sentence that PyTorch says with a RuntimeError, not with a NotImplementedError."""

    __slots__ = ()


Refusals = Mapping[Any, str]
"""A category of dtypes or a dtype -> PyTorch's sentence about it, with `{dtype}` in."""


def lacking(refuses: Refusals, dtype: DType) -> GradcliError | None:
    """G025 for a dtype that `refuses` names, itself or its category; else None."""
    sentence = refuses.get(dtype) or refuses.get(dtype.category)
    if sentence is None:
        return None
    kind = RuntimeError if isinstance(sentence, Check) else NotImplementedError
    return GradcliError("G025", sentence.format(dtype=SCALAR_TYPES[dtype]), kind=kind)


class Op:
    """A primitive: one row of the op table; calling it makes a node.

    Args:
        name: PyTorch's name where it has one.
        infer: `(*inputs, **attrs) -> (shape, dtype)`; raises GradcliError where the inputs do not
            fit.
        derivatives: for each input a rule `(g, out, *inputs, **attrs) -> cotangent of the input`,
            or why there is none.
        kernel: the name under which backends execute it (array-API name where there is one).
        text: how it prints in a formula, with inputs as `{0}`, `{1}`: empty for `name(inputs,
            attrs)`.
        precedence: of that text; 100 for a call or name.
        broadcasts: inputs broadcast against each other; the backward loop undoes it.
        view: the result shares its input's memory in PyTorch.
        promotes: what a function of the same name does to dtypes before it calls the op:
            "float" (integers become floating), "same", "numeric" (bool becomes int64), or "" for no
            function.
        variadic: takes any number of inputs; the last derivative serves all that have none.
        torch: PyTorch's name in grad_fn where it is not `name`.
        multiple: has several results: `infer` gives a (shape, dtype) for each, `many` makes the
            nodes, and rules get tuples `g` and `out`.
        elementwise: each element of the result depends on the elements at its place in the inputs.
        joint: one rule for all inputs instead of `derivatives`, for an op with several results:
            `(g, out, *inputs, **attrs) -> the cotangent of each input, or None`, where `g` has None
            for a result that nothing came to.
        refuses: category of dtypes that it does not take -> PyTorch's sentence, with `{dtype}` in
            it.
        exact: the elements of the result need no rounding: they are elements of the inputs. All
            other ops compute with numbers of half the width in the wider type, and round.
        fused: PyTorch has a kernel of the derivative too, so that it is rounded once there.
        halves: `(*inputs, **attrs) -> node` by the steps that PyTorch's kernel takes where it
            rounds numbers of half the width after each.
    """

    __slots__ = (
        *("broadcasts", "cuts", "derivatives", "elementwise", "exact", "fused", "halves"),
        *("infer", "joint", "kernel", "multiple", "name"),
        *("precedence", "promotes", "refuses", "text", "torch", "variadic", "view"),
    )

    def __init__(
        self,
        name: str,
        infer: Infer,
        *derivatives: Derivative,
        kernel: str = "",
        text: str = "",
        precedence: int = 100,
        broadcasts: bool = False,
        view: bool = False,
        promotes: str = "",
        variadic: bool = False,
        torch: str = "",
        multiple: bool = False,
        elementwise: bool = False,
        joint: Callable[..., Sequence[Node | None]] | None = None,
        refuses: Refusals = NOTHING,
        exact: bool = False,
        fused: bool = False,
        halves: Callable[..., Node] | None = None,
    ) -> None:
        if name in OPS:
            raise ValueError(f"op table: {name} stands there twice; keep one row")
        self.name = name
        self.infer = infer
        self.derivatives = derivatives
        self.kernel = kernel or name
        self.text = text
        self.precedence = precedence
        self.broadcasts = broadcasts
        self.view = view
        self.promotes = promotes
        self.variadic = variadic
        self.torch = torch or name
        self.multiple, self.elementwise = multiple, elementwise
        self.joint = joint
        self.refuses = refuses
        self.exact, self.fused, self.halves = exact or view, fused, halves
        self.cuts = joint is None and all(isinstance(rule, NoDerivative) for rule in derivatives)
        OPS[name] = self

    def derivative(self, position: int) -> Derivative:
        """The derivative for input number `position`."""
        return self.derivatives[min(position, len(self.derivatives) - 1)]

    def __call__(self, *inputs: Node, **attrs: Any) -> Node:
        """Makes the node; raises GradcliError with the current place when the inputs do not fit."""
        shape, dtype = self._inferred(inputs, attrs)
        if dtype.wider is not None and not self.exact:
            if self.halves is None:
                made = nodes.arithmetic["cast"](self(*map(_widened, inputs), **attrs), dtype)
            else:
                made = self.halves(*inputs, **attrs)
            if made.tracked and self.elementwise:
                return nodes.arithmetic["halved"](made, *inputs, op=self, attrs=attrs)
            return made
        return self._node(inputs, attrs, shape, dtype)

    def many(self, *inputs: Node, **attrs: Any) -> tuple[Node, ...]:
        """Makes the nodes of an op with several results; raises as a call does."""
        kinds = self._inferred(inputs, attrs)
        if not self.exact and any(dtype.wider is not None for _, dtype in kinds):
            wide = self.many(*map(_widened, inputs), **attrs)
            cast = nodes.arithmetic["cast"]
            return tuple(cast(x, dtype) for x, (_, dtype) in zip(wide, kinds, strict=True))
        return results(self._node(inputs, attrs, (), kinds[0][1]), kinds)

    def _inferred(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> Any:
        try:
            if not self.refuses:
                return self.infer(*inputs, **attrs)
            sentence = self.refuses.get(inputs[-1].dtype.category)
            if sentence is None or not isinstance(sentence, Check):
                found = self.infer(*inputs, **attrs)
                if sentence is None:
                    return found
            raise self.refusal(inputs[-1].dtype)
        except GradcliError as error:
            raise error.at(current.span) from None

    def _node(
        self, inputs: tuple[Node, ...], attrs: dict[str, Any], shape: Shape, dtype: DType
    ) -> Node:
        tracked = False
        if current.tracking and not self.cuts and dtype.category >= 2:
            for x in inputs:
                if x.tracked:
                    tracked = True
                    break
        return Node(self, inputs, attrs or NO_ATTRS, shape, dtype, tracked)

    def refusal(self, dtype: DType) -> GradcliError:
        """G025 for a dtype that the op does not take."""
        error = lacking(self.refuses, dtype)
        assert error is not None
        return error

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def _widened(x: Node) -> Node:
    if x.dtype.wider is None:
        return x
    if x.op is FULL:  # a number in a formula, which no kernel rounds
        return nodes.constant(x.attrs["value"], x.dtype.wider, x.shape)
    return OPS["widen"](x)


OPS: dict[str, Op] = {}
"""The op table: every primitive by name."""


def _full(*, value: complex, shape: Shape) -> tuple[Shape, DType]:
    raise AssertionError("constants are made by node.constant, which knows their dtype")


def _same(x: Node, **attrs: Any) -> tuple[Shape, DType]:
    return x.shape, x.dtype


def _second(x: Node, value: Node) -> tuple[Shape, DType]:
    return value.shape, value.dtype


def results(bundle: Node, kinds: Any = None, made: Sequence[Node] = ()) -> tuple[Node, ...]:
    """The results of a node of an op with several; those that are `made` are not made again."""
    kinds = bundle.op.infer(*bundle.inputs, **bundle.attrs) if kinds is None else kinds
    known = {x.attrs["index"]: x for x in made if x.op is ITEM}
    return tuple(
        known.get(i)
        or Node(
            ITEM, (bundle,), {"index": i}, shape, dtype, bundle.tracked and dtype.differentiable
        )
        for i, (shape, dtype) in enumerate(kinds)
    )


ITEM = Op("item", _full, NoDerivative("the backward loop gathers the cotangents of all results"))
"""One result of an op with several: attr `index`."""
FULL = Op("full", _full)
"""A constant: attrs `value` (a Python number) and `shape`."""
DATA = Op("data", _full)
"""A known array."""
SYMBOL = Op("symbol", _full)
"""A variable without a value: attr `name`."""
nodes.sources.update(full=FULL, data=DATA)
LANE = Op("lane", _full)
"""One example of a batch that has no values of its own: attr `batch`, the node of all examples."""
ALIASES = frozenset(("leaf", "detach", "clone", "ruled", "ruled_whole"))
"""Ops whose result is their first input under another name."""
UNKNOWN = frozenset((SYMBOL, LANE))
"""Ops whose nodes have no value."""
LEAF = Op("leaf", _same, lambda g, out, x, **attrs: g, text="{0}", elementwise=True)
"""A variable to differentiate by, around its value: attrs `owner` and `counts`, opaque here."""
DETACH = Op(
    "detach",
    _same,
    NoDerivative("detach() cuts the graph"),
    text="{0}",
    view=True,
    elementwise=True,
)
"""The value without its history."""
REPLACE = Op("replace", _second, ZERO, lambda g, out, x, value: g, text="{1}", exact=True)
"""The second input where the first one was, whose gradient is zero then."""
OVERWRITE = Op(
    "overwrite",
    _second,
    lambda g, out, x, value: g,
    NoDerivative("written where no gradient is recorded"),
    text="{1}",
    exact=True,
)
"""The second input's value with the first one's history: a write that autograd does not see."""


def is_rewritten_leaf(node: Node) -> bool:
    """Whether `node` is other numbers in a leaf's place."""
    return node.op is OVERWRITE and node.inputs[0].op is LEAF
