"""`backward` and `grad`: PyTorch's autograd around the graph's one backward loop.

Constraints: what happens at each function is gradcli/tensor/passing.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import add

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph import backward as engine
from gradcli.graph.call import results_of
from gradcli.graph.node import Node, constant
from gradcli.graph.op import LEAF
from gradcli.ops.elementwise import clone
from gradcli.tensor import registry
from gradcli.tensor.accumulator import Autograd
from gradcli.tensor.hooks import not_a, replacements
from gradcli.tensor.kept import history
from gradcli.tensor.passing import Pass
from gradcli.tensor.pulls import added
from gradcli.tensor.refusals import refuse_retained
from gradcli.tensor.repeats import is_watched
from gradcli.tensor.seeds import seed
from gradcli.tensor.storage import Stop, value_of
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.write import write

__all__ = ["Pass", "Targets", "accumulate", "backward", "grad", "gradient_of"]


def backward(
    tensors: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Adds the gradients of `tensors` to `.grad` of the leaves (or `inputs`) they depend on."""
    pass_ = Pass(create_graph if retain_graph is None else retain_graph, create_graph)
    pass_.adds = True
    for number, (y, cotangent) in enumerate(zip(tensors, cotangents, strict=True)):
        if inputs:
            seed(y, cotangent, number)  # its errors come before those about inputs
    for x in inputs or ():
        refuse_retained(x)
        if not x.is_leaf:
            registry.method("retain_grad")(x)  # what adds to its `.grad`, now and in later passes
    targets = None if inputs is None else Targets(inputs)

    def arrived(node: Node, part: Node | None) -> None:
        leaf = node.attrs["owner"].tensor()
        if leaf is not None and leaf._requires and node.attrs["counts"]:
            accumulate(leaf, part, create_graph)

    found = pass_.run(tensors, cotangents, targets, engine.ignored if targets else arrived)
    for x in inputs or ():
        part = targets.cotangent(x, found) if targets is not None and x.is_leaf else None
        if part is not None:
            accumulate(x, part, create_graph)


def grad(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
    batched: bool = False,
    named: bool = True,
    forward: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` by `inputs`, without touching `.grad`.

    `batched` cotangents have a leading axis more than their outputs; so have the gradients then.
    Not `named`, they show no grad_fn of PyTorch's and may be differentiated where it refuses that.
    In `forward` mode there are neither hooks nor checks of what was saved.
    """
    for number, (y, cotangent) in enumerate(zip(outputs, cotangents, strict=True)):
        seed(y, cotangent, number, batched)  # its errors come before those about inputs
    targets = Targets(inputs)
    retain_graph = create_graph if retain_graph is None else retain_graph
    found = Pass(retain_graph, create_graph, batched, named, forward).run(
        outputs, cotangents, targets
    )
    results: list[Tensor | None] = []
    for place, x in enumerate(inputs):
        part = targets.cotangent(x, found)
        if part is None and not (allow_unused or materialize_grads):
            raise _unused(place)
        made = None if part is None else gradient_of(part, create_graph)
        if made is None and materialize_grads:
            made = Tensor(constant(0, x.dtype, tuple(x.shape)))
            made.requires_grad = create_graph
        results.append(made)
    return tuple(results)


def _unused(place: int) -> GradcliError:
    return GradcliError(
        "G035",
        f"The differentiated Tensor at index {place} appears to not have been used in the graph. "
        "Set allow_unused=True if this is the desired behavior.",
    )


class Targets:
    """What to differentiate by: leaves by their owner (a leaf has many nodes), others by node."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        if not all(x.node.tracked for x in inputs):
            raise GradcliError(
                "G030",
                "One of the differentiated Tensors does not require grad",
                help="make it with requires_grad=True, before the result is computed",
            )
        nodes = [history(x.node) for x in inputs]
        self.owners: set[Autograd] = {
            n.attrs["owner"] for n in nodes if n.op is LEAF and n.attrs["counts"]
        }
        self.nodes = {y for n in nodes if n.op is not LEAF for y in results_of(n).values()}

    def __call__(self, node: Node) -> bool:
        """Whether to differentiate by `node`, or by another result of the function that made it."""
        if node.op is LEAF:
            return node.attrs["owner"] in self.owners
        return node in self.nodes

    def cotangent(self, x: Tensor, found: dict[Node, Node]) -> Node | None:
        """What was found for `x`."""
        wanted = history(x.node)
        if wanted.op is not LEAF:
            return found.get(wanted)
        total: Node | None = None
        for node, part in found.items():
            if node.op is LEAF and node.attrs["owner"] is wanted.attrs["owner"]:
                total = part if total is None else total + part
        return total


def accumulate(tensor: Tensor, part: Node | None, create_graph: bool) -> None:
    """Adds a gradient, if any came, to `.grad`, with the hooks that PyTorch calls around that."""
    keeper, is_leaf = tensor.autograd, tensor.is_leaf
    for hook in tuple(keeper.adding) if is_leaf else ():
        (part,) = replacements(hook, (part,), ((part,),))
    if part is not None:
        _add(keeper, part, create_graph, "CopyBackwards" if is_leaf else "CloneBackward0")
    for hook in tuple(keeper.after):
        returned = hook(tensor)
        if returned is not None and returned is not tensor:
            if not isinstance(returned, Tensor):
                raise not_a("Variable", returned)
            raise GradcliError("G030", "Tensor post accumulate grad hooks should return None.")
    for hook in tuple(keeper.added) if is_leaf else ():
        replacements(hook, (), ((), (part,)))


def _add(keeper: Autograd, part: Node, create_graph: bool, name: str) -> None:
    """Adds a gradient in place, unless it shall be differentiated; `name` is that of a copy."""
    settle(part)
    known = keeper.grad
    if known is None:
        keeper.grad = gradient_of(_copied(part, name) if create_graph else part, create_graph)
    elif create_graph:
        keeper.grad = registry.method("add")(known, Tensor(part))
    else:
        with Stop(False):
            write(known, (add if is_watched() else added)(known.value_node, part), "")


def _copied(part: Node, name: str) -> Node:
    copy = clone(part)
    if copy.tracked:
        copy.call = (name, (part,))
    return copy


def gradient_of(part: Node, create_graph: bool) -> Tensor:
    """The tensor of a gradient: where it is a variable, as a cotangent can be, that variable."""
    node = part if create_graph else value_of(part)
    settle(node)
    leaf = node.attrs["owner"].tensor() if node.op is LEAF else None
    return leaf if leaf is not None and leaf.node is node else Tensor(node)
