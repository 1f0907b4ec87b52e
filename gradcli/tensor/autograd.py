"""`backward` and `grad`: PyTorch's autograd around the graph's one backward loop.

Constraints: PyTorch's rules about what may be differentiated twice and what may have been overwritten are
kept; its sentences too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph import backward as engine
from gradcli.graph.node import Node, constant
from gradcli.graph.op import FULL, LEAF, NoDerivative
from gradcli.graph.shape import text
from gradcli.ops.elementwise import cast
from gradcli.tensor.gradfn import name_of
from gradcli.tensor.storage import Stop, origin
from gradcli.tensor.tensor import Owner, Size, Tensor
from gradcli.tensor.write import write


def backward(
    tensors: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Adds the gradients of `tensors` to `.grad` of the leaves (or of `inputs`) that they depend on."""
    pass_ = Pass(create_graph if retain_graph is None else retain_graph, create_graph)
    targets = None if inputs is None else Targets(inputs)
    found = pass_.run(tensors, cotangents, targets)
    if targets is not None:
        for x in inputs or ():
            part = targets.cotangent(x, found)
            if part is not None:
                accumulate(x, part, create_graph)
        return
    for node, part in found.items():
        owner = node.attrs["owner"].tensor()
        if owner is not None:
            accumulate(owner, part, create_graph)


def grad(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` by `inputs`, without touching `.grad`."""
    for x in inputs:
        if not x.requires_grad:
            raise GradcliError(
                "G030",
                "One of the differentiated Tensors does not require grad",
                help="make it with requires_grad=True, before the result is computed",
            )
    targets = Targets(inputs)
    keep = create_graph if retain_graph is None else retain_graph
    found = Pass(keep, create_graph).run(outputs, cotangents, targets)
    results: list[Tensor | None] = []
    for x in inputs:
        part = targets.cotangent(x, found)
        if part is None and materialize_grads:
            part = constant(0, x.dtype, tuple(x.shape))
        if part is None and not allow_unused:
            raise GradcliError(
                "G035",
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior.",
            )
        results.append(None if part is None else _tensor(part))
    return tuple(results)


class Targets:
    """What to differentiate by: leaves by their owner (they have a node for each version), others by node."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        self.owners: dict[Owner, Tensor] = {x.owner: x for x in inputs if x._requires}
        self.nodes = {x.node for x in inputs if not x._requires}

    def __call__(self, node: Node) -> bool:
        if node.op is LEAF:
            return node.attrs["owner"] in self.owners
        return node in self.nodes

    def cotangent(self, x: Tensor, found: dict[Node, Node]) -> Node | None:
        """What was found for `x`."""
        if not x._requires:
            return found.get(x.node)
        total: Node | None = None
        for node, part in found.items():
            if node.op is LEAF and node.attrs["owner"] is x.owner:
                total = part if total is None else total + part
        return total


class Pass:
    """One backward pass: its options, and what it checks at each node."""

    def __init__(self, retain_graph: bool, create_graph: bool) -> None:
        self.retain_graph = retain_graph
        self.create_graph = create_graph
        self.used: list[Node] = []

    def run(
        self,
        outputs: Sequence[Tensor],
        cotangents: Sequence[Tensor | None],
        targets: Targets | None,
    ) -> dict[Node, Node]:
        """Runs the engine, then lets go of what the pass has used up."""
        with Stop(self.create_graph):
            seeds = [
                seed(*pair, number)
                for number, pair in enumerate(zip(outputs, cotangents, strict=True))
            ]
            found = engine.backward(seeds, targets, before=self.before, after=self.after)
        if not self.retain_graph:
            for node in self.used:
                node.released = True
                if node.value is not None:
                    node.inputs = ()
        return found

    def before(self, node: Node, cotangent: Node) -> Node:
        """Refuses a node that is used up; applies hooks."""
        if node.released:
            raise used_up(node)
        hooks = node.hooks
        if node.op is LEAF:
            owner = node.attrs["owner"].tensor()
            hooks = owner._hooks if owner is not None else None
        for hook in tuple(hooks or ()):
            cotangent = hook(cotangent)
        return cotangent

    def after(self, node: Node, saved: tuple[Node, ...]) -> None:
        """Refuses values that were overwritten; remembers nodes whose saved values go with the pass."""
        kept = [x for x in saved if x.op is not FULL or (node.call and x in node.call[1])]
        for x in kept:
            storage = origin(x).stale
            if storage is not None:
                raise overwritten(node, x, storage)
        if kept and not self.retain_graph:
            self.used.append(node)


def seed(output: Tensor, cotangent: Tensor | None, number: int) -> tuple[Node, Node]:
    """An output's node and its cotangent's, checked as PyTorch checks them."""
    node = output.node
    if not node.tracked:
        raise no_gradient(node, number)
    if cotangent is None:
        if node.size != 1:
            raise GradcliError(
                "G034",
                "grad can be implicitly created only for scalar outputs",
                label=f"this is {text(node.shape)}",
                help=[
                    "reduce it to a scalar: .sum() or .mean()",
                    "or give a cotangent of its shape: .backward(v)",
                ],
            )
        if node.dtype.is_complex:
            raise GradcliError(
                "G034",
                "grad can be implicitly created only for real scalar outputs but got "
                f"{node.dtype!r}",
                help="take its size or a part of it: .abs(), .real",
            )
        return node, constant(1, node.dtype, node.shape)
    given = cotangent.node
    if given.shape != node.shape:
        raise GradcliError(
            "G036",
            f"Mismatch in shape: grad_output[{number}] has a shape of {Size(given.shape)} and "
            f"output[{number}] has a shape of {Size(node.shape)}.",
        )
    return node, cast(given, node.dtype)


def accumulate(tensor: Tensor, part: Node, create_graph: bool) -> None:
    """Adds a gradient to `.grad`."""
    settle(part)
    if tensor._grad is None:
        tensor._grad = _tensor(part)
    elif create_graph:
        tensor._grad = tensor._grad + _tensor(part)
    else:
        with Stop(False):
            write(tensor._grad, tensor._grad + _tensor(part))


def _tensor(node: Node) -> Tensor:
    settle(node)
    return Tensor(node)


def no_gradient(node: Node, number: int) -> GradcliError:
    """PyTorch's error for a result that no gradient flows to, with the op that cut it."""
    error = GradcliError(
        "G030",
        f"element {number} of tensors does not require grad and does not have a grad_fn",
        help=[
            "requires_grad=True belongs on the input, before the result is computed "
            "(setting it on the loss trains nothing)"
        ],
    )
    rule = node.op.derivatives[0] if node.op.derivatives else None
    if isinstance(rule, NoDerivative) and node.op.cuts:
        error.diagnostic.notes.append(f"{node.op.name}: {rule.reason}")
    return error


def used_up(node: Node) -> GradcliError:
    """PyTorch's error for a second backward pass through the same graph."""
    error = GradcliError(
        "G031",
        "Trying to backward through the graph a second time (or directly access saved tensors after "
        "they have already been freed). Saved intermediate values of the graph are freed when you call "
        ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
        "graph a second time or if you need to access saved tensors after calling backward.",
        help=[
            "compute the result again inside the loop, add the losses up and call backward once, or "
            "pass retain_graph=True"
        ],
    )
    if node.span is not None:
        error.diagnostic.notes.append(
            f"the graph was used up at {name_of(node)} of {node.span.text}"
        )
    return error


def overwritten(node: Node, saved: Node, storage: Any) -> GradcliError:
    """PyTorch's error for a value that was changed in place after it was saved."""
    kind = {"float32": "FloatTensor", "float64": "DoubleTensor"}.get(saved.dtype.name, "Tensor")
    maker = (
        f", which is output 0 of {name_of(saved)},"
        if saved.tracked and saved.op is not LEAF
        else ""
    )
    version = storage.version
    error = GradcliError(
        "G032",
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[torch.{kind} {list(saved.shape)}]{maker} is at version {version}; expected version "
        f"{version - 1} instead. Hint: enable anomaly detection to find the operation that failed to "
        "compute its gradient, with torch.autograd.set_detect_anomaly(True).",
        help="make a new tensor instead: x = x + ... for x += ...",
    )
    if node.span is not None:
        error.diagnostic.notes.append(f"saved for the gradient of {node.span.text}")
    if storage.span is not None:
        error.diagnostic.notes.append(f"overwritten by {storage.span.text}")
    return error
