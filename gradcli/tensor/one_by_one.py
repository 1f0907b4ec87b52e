"""A function of the table that looks at values, inside vmap: called for each example.

Constraints: only where PyTorch does the same; what depends on a variable that was made inside the
vmap is not known before that has its derivative, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gradcli.errors import ExampleUnknown, GradcliError
from gradcli.graph.dtype import int64
from gradcli.graph.node import Node, constant
from gradcli.graph.op import LEAF
from gradcli.graph.walk import ancestors
from gradcli.ops.batching import example_of, lanes_in, numbers, stacked
from gradcli.ops.elementwise import eq, where
from gradcli.tensor import levels
from gradcli.tensor.tensor import Tensor

if TYPE_CHECKING:
    from gradcli.tensor.entry import Function

PLEASE = "Please file an issue at https://github.com/pytorch/pytorch/issues if you need this "
REFUSED = {
    "allclose": f"vmap over torch.allclose isn't supported yet. {PLEASE}feature.",
    "equal": "Batching rule not implemented for aten::equal. We could not generate a fallback.",
    "masked_select": "vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask) We "
    "cannot support this because for each batch this would return a differently shaped Tensor. "
    f"{PLEASE}functionality",
    "rrelu": "vmap: we do not yet support aten::rrelu. Please file an issue",
    **dict.fromkeys(
        ("numpy", "to_list"), "Cannot access data pointer of Tensor that doesn't have storage"
    ),
}
"""What PyTorch says of functions that have no form for examples."""
OPERATORS = {
    **dict.fromkeys(("unique", "_unique"), "_unique2"),
    **{"_unique_slices": "unique_dim", "_unique_runs": "unique_consecutive", "argwhere": "nonzero"},
}
"""PyTorch's names of operators whose results have as many elements as examples say."""
DYNAMIC = frozenset(("unique", "_unique", "_unique_slices", "_unique_runs", "where"))
"""Functions whose results have sizes that values decide."""


def one_by_one(
    function: Function, args: Sequence[Any], kwargs: dict[str, Any], unknown: ExampleUnknown
) -> Any:
    """What `function`, which looked at the value of an example, gives for each one.

    Raises:
        GradcliError: G016 in PyTorch's words, where the examples do not have results of one shape.
    """
    name = function.__name__
    if name in REFUSED:
        raise GradcliError("G016", REFUSED[name])
    if name in DYNAMIC:
        raise _dynamic(name)
    tensors = list(_tensors((*args, *kwargs.values())))
    level = _innermost(tensors)
    if level is None or function.view or not level.size or any(map(callable, args)):
        raise unknown.final()
    varied = [x.node.tracked and _is_varied(x.node, level) for x in tensors]
    found = level.batches([x.value_node for x in tensors])
    known = [None if flag else batch for flag, batch in zip(varied, found, strict=True)]
    alone = all(batch is None for batch in known)
    made = []
    for i in range(level.size):
        examples = found if alone else known
        given = iter([_example(x, batch, i) for x, batch in zip(tensors, examples, strict=True)])
        chosen = tuple([_replaced(a, given) for a in args])
        made.append(function.called(chosen, _replaced(kwargs, given)))
    if alone and any(x.node.tracked for x in _tensors(made)):
        raise unknown.final()
    return Together(name, level, unknown, apart=alone or not any(varied)).of(made)


def _example(x: Tensor, batch: Node | None, number: int) -> Tensor:
    if batch is None:
        return x
    example = Tensor(example_of(batch, number))
    if x.node.tracked and not example.node.tracked:
        example.requires_grad = True
    return example


def _is_varied(node: Node, level: levels.Level) -> bool:
    """Whether there is a variable of a transform inside the vmap between `node` and its lanes."""
    return any(x.op is LEAF and _differs(x, level) for x in ancestors([node], _is_unknown))


def _is_unknown(node: Node) -> bool:
    return node.value is None


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _replaced(value: Any, given: Iterator[Tensor]) -> Any:
    """`value` with the next of the tensors `given` for each that is in it."""
    if isinstance(value, Tensor):
        return next(given)
    if isinstance(value, dict):
        return {k: _replaced(v, given) for k, v in value.items()}
    if isinstance(value, (list, tuple)) and any(True for _ in _tensors(value)):
        return type(value)([_replaced(v, given) for v in value])
    return value


def _innermost(tensors: Sequence[Tensor]) -> levels.Level | None:
    lanes = lanes_in([x.value_node for x in tensors])
    inner = reversed(levels.vmaps())
    return next((level for level in inner if not lanes.isdisjoint(level.lanes)), None)


def _differs(node: Node, level: levels.Level) -> bool:
    return not lanes_in(node.inputs).isdisjoint(level.lanes)


class Together:
    """The results for all examples as one example's.

    Args:
        name: the function's.
        level: of the vmap.
        unknown: what is raised where they are no tensors.
        apart: whether a result is one example's; else it is all of theirs, of which one is right.
    """

    def __init__(
        self, name: str, level: levels.Level, unknown: ExampleUnknown, *, apart: bool
    ) -> None:
        self.name = name
        self.level = level
        self.unknown = unknown
        self.apart = apart

    def of(self, made: list[Any]) -> Any:
        """The result of `made`, one for each example."""
        first = made[0]
        if isinstance(first, Tensor):
            if any(x.shape != first.shape for x in made):
                raise _dynamic(self.name)
            nodes = [x.node for x in made]
            return Tensor(self._stacked(nodes) if self.apart else self._picked(nodes))
        if not isinstance(first, (list, tuple)):
            raise self.unknown.final()
        if any(len(each) != len(first) for each in made):
            raise _dynamic(self.name)
        parts = [self.of(list(part)) for part in zip(*made, strict=True)]
        make: Callable[..., Any] = type(first)
        return make(*parts) if hasattr(make, "_fields") else make(parts)

    def _stacked(self, nodes: list[Node]) -> Node:
        return self.level.example(stacked(nodes, nodes[0]))

    def _picked(self, nodes: list[Node]) -> Node:
        number = self.level.example(numbers(len(nodes)))
        found = nodes[0]
        for i, node in enumerate(nodes[1:], 1):
            found = where(eq(number, constant(i, int64)), node, found)
        return found


def _dynamic(name: str) -> GradcliError:
    return GradcliError(
        "G016",
        "vmap: We do not support batching operators that can output dynamic shape. Attempted to "
        f"vmap over aten::{OPERATORS.get(name, name)}. {PLEASE}feature.",
    )
