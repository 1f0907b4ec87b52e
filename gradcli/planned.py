"""An expression as a function: parsed once, planned once for each kind of arguments, then only run.

Constraints: what cannot be planned (its way depends on values, it draws random numbers, it reads a
file) is evaluated anew. Values and gradients are the same to the bit, Hessians up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.api import as_leaf, evaluate, parsed
from gradcli.execute.backends.choice import chosen
from gradcli.execute.program import Unplannable
from gradcli.execute.straight import LARGEST, Straight
from gradcli.files.stored import Stored
from gradcli.graph.dtype import default
from gradcli.graph.node import Node, data
from gradcli.graph.recording import Recording
from gradcli.language import ast
from gradcli.result import Result
from gradcli.source import Source
from gradcli.tensor import Tensor

MOST = 256
"""Plans that a function keeps."""
HELD = 1 << 24
"""Elements in the graphs of those plans, one plan left aside."""
DERIVATIVES = ("gradients", "jacobians", "products")


class Function:
    """An expression as a function of its variables: `f(x=array).grads["x"]`; see `function`.

    Args:
        expression: text of the language, or its syntax tree.
        fixed: further variables, whose values are the same in each call; one that is given in
            a call as well has that value there.
        options: as of `evaluate`.
    """

    __slots__ = ("_fixed", "_library", "_options", "_plans", "_tree")

    def __init__(
        self,
        expression: str | Source | ast.Expression,
        *,
        fixed: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._tree = expression if isinstance(expression, ast.Expression) else parsed(expression)
        self._fixed = {n: argument(n, v) for n, v in (fixed or {}).items()}
        self._options = options
        self._library = chosen(options.get("backend", "numpy"), options.get("device"))
        self._plans: dict[Any, Plan | None] = {}

    def __call__(self, *, cotangent: Any = None, **bindings: Any) -> Result:
        """Evaluates at the given values; see `evaluate`."""
        given = {name: argument(name, value) for name, value in bindings.items()}
        seed = None if cotangent is None else argument("cotangent", cotangent)
        if any(isinstance(v, Tensor) for v in (*given.values(), *self._fixed.values())):
            every = {**self._fixed, **given}  # rows of files, which have no plan to keep
            return evaluate(self._tree, every, cotangent=seed, **self._options)
        key = _key(given, seed)
        plan = self._plans.get(key) if key is not None else None
        try:
            if plan is not None:
                return plan.result(plan.values(given, seed))
        except Unplannable:  # these values go another way than the first ones
            pass
        if key is None or key in self._plans or self._options.get("steps"):
            every = {**self._fixed, **bindings}
            return evaluate(self._tree, every, cotangent=cotangent, **self._options)
        return self._first(key, given, seed)

    def plan(self, given: Mapping[str, Any], cotangent: Any = None) -> Plan | None:
        """The plan for such arguments (see `argument`), where calls have made one."""
        key = _key(given, cotangent)
        return None if key is None else self._plans.get(key)

    def _first(self, key: Any, given: dict[str, Any], seed: Any) -> Result:
        """Evaluates while that is recorded, and keeps the plan."""
        inputs = {n: as_leaf(n, v) for n, v in given.items()}
        cotangent = None if seed is None else as_leaf("cotangent", seed)
        nodes = [x.value_node for x in (*inputs.values(), cotangent) if isinstance(x, Tensor)]
        every = {**{n: as_leaf(n, v) for n, v in self._fixed.items()}, **inputs}
        with Recording(numbers=False) as recording:
            result = evaluate(self._tree, every, cotangent=cotangent, **self._options)
        self._make_room(sum(node.size for node, _ in recording.made))
        try:
            self._plans[key] = Plan(recording, nodes, result, self._library)
        except Unplannable:
            self._plans[key] = None
        return result

    def _make_room(self, size: int) -> None:
        """Drops the oldest plans until another one of `size` elements may be kept."""
        held = size + sum(plan.size for plan in self._plans.values() if plan)
        while self._plans and (len(self._plans) >= MOST or held > HELD):
            plan = self._plans.pop(next(iter(self._plans)))
            held -= plan.size if plan else 0


def function(expression: str, wrt: Sequence[str] | None = None, **options: Any) -> Function:
    """`expression` parsed once, planned once for each kind of arguments: `function("sum(x**2)")`.

    Args:
        expression: text of the language.
        wrt: the variables to differentiate by; all floating-point ones by default.
        options: as of `evaluate`: `gradients=False`, `jacobian=True`, `backend="jax"`, ...
    """
    return Function(expression, wrt=wrt, **options)


class Plan:
    """A program, and what its results are called.

    Attributes:
        like: the first result.
        tensors: its tensors, of which `values` gives others.
        size: elements that were computed for it.
        form: what a caller makes of `like` for all results.
        program: what computes the values of `tensors`.
    """

    __slots__ = ("form", "like", "program", "size", "tensors")

    def __init__(
        self, recording: Recording, inputs: list[Node], result: Result, library: Any
    ) -> None:
        if not isinstance(result.output, Tensor):
            raise Unplannable("the result is no tensor")
        self.form: Any = None
        self.like = result
        self.tensors = _tensors(result)
        self.size = sum(node.size for node, _ in recording.made)
        outputs = [x.value_node for x in self.tensors]
        self.program = _program(recording, inputs, outputs, library)

    def values(self, given: Mapping[str, Any], cotangent: Any = None) -> list[Any]:
        """The arrays that `tensors` would hold for other arguments.

        Raises:
            Unplannable: when these go another way than the first ones.
        """
        arguments = (*given.values(), cotangent)
        return self.program.run([x for x in arguments if isinstance(x, np.ndarray)])  # type: ignore[no-any-return]

    def result(self, values: list[Any]) -> Result:
        """The result that holds these values."""
        made = {id(x): _again(x, v) for x, v in zip(self.tensors, values, strict=True)}
        like = self.like
        result = Result(like.expression, made[id(like.output)])
        result.backend = like.backend
        for name in DERIVATIVES:
            setattr(result, name, _row(getattr(like, name), made))
        result.hessians = {name: _row(row, made) for name, row in like.hessians.items()}
        result.tangent = None if like.tangent is None else made[id(like.tangent)]
        return result


def _program(recording: Recording, inputs: list[Node], outputs: list[Node], library: Any) -> Any:
    """What computes the outputs from the inputs: a line of calls, or sweeps over large values."""
    if library is not None:
        from gradcli.execute.recorded import Recorded

        return Recorded(library, recording, inputs, outputs)
    if sum(node.size for node, _ in recording.made) > LARGEST:
        from gradcli.execute.swept import Swept

        try:
            return Swept(recording, inputs, outputs)
        except Unplannable:  # nothing goes row by row, or Straight gives the reason
            pass
    return Straight(recording, inputs, outputs)


def _tensors(result: Result) -> list[Tensor]:
    """Every tensor of a result, its output first."""
    rows = [getattr(result, name) for name in DERIVATIVES] + list(result.hessians.values())
    found = [result.output, *(x for row in rows for x in row.values()), result.tangent]
    return [x for x in found if x is not None]


def _row(like: dict[str, Tensor | None], made: dict[int, Tensor]) -> dict[str, Tensor | None]:
    return {name: None if x is None else made[id(x)] for name, x in like.items()}


def _again(like: Tensor, value: Any) -> Tensor:
    """A tensor as `like` with another value; its graph is used up, as after any gradient."""
    old = like.value_node
    if not old.tracked:
        return Tensor(data(value, old.shape, old.dtype))
    node = Node(old.op, old.inputs, old.attrs, old.shape, old.dtype, True, value)
    node.call = None if old.call is None else (old.call[0], ())
    node.released = True
    return Tensor(node)


def argument(name: str, value: Any) -> Any:
    """An argument as an array, where it stands for a tensor; as a tensor where it is in a file."""
    if value.__class__ is np.ndarray and value.dtype.isnative:
        return value
    leaf = as_leaf(name, value)
    if not isinstance(leaf, Tensor) or isinstance(leaf.value_node.value, Stored):
        return leaf
    return leaf.array()


def _key(given: Mapping[str, Any], cotangent: Any) -> Any:
    """What a plan depends on; None where an argument has no kind, such as a function."""
    key = (default.dtype, *given, *map(_kind, given.values()), _kind(cotangent))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _kind(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype
    return value.__class__, value
