"""`backward` and `grad`: PyTorch's autograd around the graph's one backward loop.

Constraints: PyTorch's rules about what may be differentiated twice and what may have been
overwritten are kept; its sentences too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.elsewhere import elsewhere
from gradcli.execute.evaluate import let_go, settle
from gradcli.graph import backward as engine
from gradcli.graph.call import held
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import FULL, LEAF
from gradcli.ops.elementwise import cast, clone
from gradcli.tensor import registry
from gradcli.tensor.accumulator import Autograd
from gradcli.tensor.anomaly import Watch, anomaly
from gradcli.tensor.gradfn import history, kept
from gradcli.tensor.hooks import replacements
from gradcli.tensor.refusals import no_gradient, overwritten, refuse_implicit, used_up
from gradcli.tensor.second import shown, steps
from gradcli.tensor.size import Size
from gradcli.tensor.storage import Stop, Version, present, saved_version, value_of
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.write import write


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
    targets = None if inputs is None else Targets(inputs)
    found = pass_.run(tensors, cotangents, targets)
    if targets is not None:
        for x in inputs or ():
            part = targets.cotangent(x, found)
            if part is not None:
                accumulate(x, part, create_graph)
        return
    for node, part in found.items():
        leaf = node.attrs["owner"].tensor()
        if leaf is not None and leaf._requires and node.attrs["counts"]:
            accumulate(leaf, part, create_graph)


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
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` by `inputs`, without touching `.grad`.

    `batched` cotangents have a leading axis more than their outputs; so have the gradients then.
    """
    for number, (y, cotangent) in enumerate(zip(outputs, cotangents, strict=True)):
        seed(y, cotangent, number, batched)  # its errors come before those about inputs
    if not all(x.requires_grad for x in inputs):
        raise GradcliError(
            "G030",
            "One of the differentiated Tensors does not require grad",
            help="make it with requires_grad=True, before the result is computed",
        )
    targets = Targets(inputs)
    keep = create_graph if retain_graph is None else retain_graph
    found = Pass(keep, create_graph, batched).run(outputs, cotangents, targets)
    results: list[Tensor | None] = []
    for place, x in enumerate(inputs):
        part = targets.cotangent(x, found)
        if part is None and materialize_grads:
            part = constant(0, x.dtype, tuple(x.shape))
        if part is None and not allow_unused:
            raise GradcliError(
                "G035",
                f"The differentiated Tensor at index {place} appears to not have been used in the "
                "graph. Set allow_unused=True if this is the desired behavior.",
            )
        results.append(None if part is None else _gradient(part, create_graph))
    return tuple(results)


class Targets:
    """What to differentiate by: leaves by their owner (a leaf has many nodes), others by node."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        nodes = [history(x.node) for x in inputs]
        self.owners: set[Autograd] = {
            n.attrs["owner"] for n in nodes if n.op is LEAF and n.attrs["counts"]
        }
        self.nodes = {n for n in nodes if n.op is not LEAF}

    def __call__(self, node: Node) -> bool:
        """Whether to differentiate by `node`."""
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


class Pass:
    """One backward pass: its options, and what it checks at each node."""

    def __init__(self, retain_graph: bool, create_graph: bool, batched: bool = False) -> None:
        self.retain_graph = retain_graph
        self.create_graph = create_graph
        self.batched = batched
        self.shows = create_graph and not batched and not current.forward
        self.used: list[Node] = []
        self.watch = Watch() if anomaly.enabled and anomaly.check_nan else None

    def run(
        self,
        outputs: Sequence[Tensor],
        cotangents: Sequence[Tensor | None],
        targets: Targets | None,
    ) -> dict[Node, Node]:
        """Runs the engine, then lets go of what the pass has used up."""
        with Stop(self.create_graph):
            seeds = [
                seed(output, cotangent, number, self.batched)
                for number, (output, cotangent) in enumerate(zip(outputs, cotangents, strict=True))
            ]
            seen = present if Version.any_unseen else None
            found = engine.backward(
                seeds,
                targets,
                before=self.before,
                after=self.after,
                seen=seen,
                whole=self.whole,
                done=self.done,
            )
        for node in self.used:
            node.released = True
            if node.value is not None:
                let_go(node)
        if elsewhere.engine is not None and not self.create_graph:
            elsewhere.engine.turn(passed=True)
        return found

    def before(self, node: Node, cotangent: Node, passed_on: bool) -> Node:
        """Applies hooks; refuses a node that is used up."""
        if isinstance(cotangent, Node) and not _is_number(cotangent):
            settle(cotangent)
        hooks = node.attrs["owner"].hooks if node.op is LEAF else node.hooks
        for hook in tuple(hooks or ()):
            cotangent = hook(cotangent)
        if node.released and passed_on:
            raise used_up(node)
        return cotangent

    def after(
        self, node: Node, cotangent: Any, saved: tuple[Node, ...], parts: engine.Parts
    ) -> engine.Parts:
        """Refuses values that were overwritten; remembers what the pass uses up."""
        used = False
        for x in (*saved, *held(node)):
            stamp = saved_version(x)
            if stamp is not None and stamp[0].number != stamp[1]:
                raise overwritten(node, x, *stamp[:2])
            used = used or x.op is not FULL or (node.call is not None and x in node.call[1])
        if used and not self.retain_graph:
            self.used.append(node)
        if self.watch is not None:
            self.watch(node, parts)
        function = node.attrs.get("function")
        if function is not None and not self.retain_graph:
            function.free()
        return parts

    def whole(self, node: Node) -> Sequence[Node]:
        """The steps of a function whose gradients are shown or hooked; none where it has one."""
        return steps(node) if self.shows or node in kept else ()

    def done(self, node: Node, cotangent: Any, parts: engine.Parts) -> engine.Parts:
        """Gives the gradients of a function the names that PyTorch shows; applies its hooks."""
        if self.shows:
            parts = shown(node, cotangent, parts)
        for hook in tuple(kept[node].hooks if node in kept else ()):
            parts = _replaced(hook, node, cotangent, parts)
        return parts


def _is_number(cotangent: Node) -> bool:
    """Whether a cotangent follows from numbers alone: a plan sees them only if it is not computed.

    The cotangents of several results are none.
    """
    return (
        cotangent.shape == ()
        and cotangent.value is None
        and all([x.op is FULL or (x.value is None and x.shape == ()) for x in cotangent.inputs])
    )


def _replaced(hook: Any, node: Node, cotangent: Node, parts: engine.Parts) -> engine.Parts:
    """What a function's hook makes of the gradients that the function passes on."""
    arguments = node.call[1] if node.call is not None else node.inputs
    given = dict(parts)
    before = [given.get(x) for x in arguments]
    after = replacements(hook, before, (before, (cotangent,)))
    given.update((x, y) for x, y in zip(arguments, after, strict=True) if x in given)
    return list(given.items())


def seed(
    output: Tensor, cotangent: Tensor | None, number: int, batched: bool = False
) -> tuple[Node, Node]:
    """An output's node and its cotangent's, checked as PyTorch checks them."""
    node = output.node
    given = None if cotangent is None else cotangent.node
    if given is not None and given.shape[batched:] != node.shape:
        raise GradcliError(
            "G036",
            f"Mismatch in shape: grad_output[{number}] has a shape of {Size(given.shape)} and "
            f"output[{number}] has a shape of {Size(node.shape)}.",
            help="the cotangent has the shape of the result",
        )
    if not node.tracked or (node.op is LEAF and not node.attrs["counts"]):
        raise no_gradient(node, number)
    if given is None:
        refuse_implicit(node)
        return node, constant(1, node.dtype, node.shape)
    return node, cast(given, node.dtype)


def accumulate(tensor: Tensor, part: Node, create_graph: bool) -> None:
    """Adds a gradient to `.grad`: in place, unless the gradient shall be differentiated."""
    settle(part)
    keeper = tensor.autograd
    known = keeper.grad
    if known is None:
        keeper.grad = _gradient(_copied(part) if create_graph else part, create_graph)
    elif create_graph:
        keeper.grad = registry.method("add")(known, Tensor(part))
    else:
        with Stop(False):
            write(known, known.value_node + part)
    for hook in tuple(keeper.after):
        hook(tensor)


def _copied(part: Node) -> Node:
    copy = clone(part)
    if copy.tracked:
        copy.call = ("CopyBackwards", (part,))
    return copy


def _gradient(part: Node, create_graph: bool) -> Tensor:
    """The tensor of a gradient: where it is a variable, as a cotangent can be, that variable."""
    node = part if create_graph else value_of(part)
    settle(node)
    leaf = node.attrs["owner"].tensor() if node.op is LEAF else None
    return leaf if leaf is not None and leaf.node is node else Tensor(node)
