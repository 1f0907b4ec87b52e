"""The transforms of `torch.func` that are running now, the outermost first.

Constraints: a level is entered and left as a block; whoever makes tensors or looks at values asks
here what runs around it. Nothing is imported before a transform runs.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import bool_
from gradcli.graph.node import Node, constant, current
from gradcli.tensor.blocks import apart, inference

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor


class Level:
    """One running transform.

    Args:
        size: how many examples a vmap has; 0 for any other transform.
        randomness: what random functions do in a vmap: "error", "same" or "different".
        variables: of a transform that differentiates.
        forward: whether it does so in forward mode.

    Attributes:
        is_transform: whether it is a transform, and no block of forward mode.
        lanes: the lanes of a vmap, and the batches that they stand for.
        dims: where the batches of its arguments lie, and in which nodes.
        scattered: those of them whose elements do not lie in memory one after another.
        start: the serial number of a node that was made when it was entered.
    """

    is_transform = True

    def __init__(
        self,
        size: int | None = None,
        randomness: str = "error",
        *,
        variables: list[Tensor] | None = None,
        forward: bool = False,
    ) -> None:
        self.size = size
        self.variables = [] if variables is None else variables
        self.forward = forward
        self.randomness = randomness
        self.lanes: dict[Node, Node] = {}
        self.scattered: set[Node] = set()
        self.dims: dict[Node, tuple[int, Node]] = {}
        self.start = 0

    def __enter__(self) -> Level:
        self.start = constant(0, bool_).serial
        active.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        active.remove(self)
        for lane in self.lanes:
            lane.released = True

    def example(self, batch: Node) -> Node:
        """One example of `batch` in this vmap."""
        from gradcli.ops.batching import lane

        example = lane(batch)
        self.lanes[example] = batch
        return example

    def batches(self, nodes: Iterable[Node]) -> list[Node | None]:
        """The nodes of all examples of a vmap; None for one that is the same for all."""
        from gradcli.ops.batching import Batching

        return Batching(self.lanes, self.size or 0).of(list(nodes))

    def tangent(self, tensor: Tensor) -> Tensor | None:
        """The tangent that a tensor has in a block of forward mode; None for none."""
        return None

    def written(self, target: Tensor) -> None:
        """Is told of a write to a tensor, where there are dual ones."""


active: list[Level] = []
"""The running transforms."""


def adopt(leaf: Tensor) -> None:
    """Lets a leaf that was made inside of a transform that differentiates be one of its own."""
    if active and active[-1].is_transform and active[-1].size is None:
        active[-1].variables.append(leaf)


duals: weakref.WeakSet[Any] = weakref.WeakSet()
"""What autograd keeps with the dual tensors of forward mode: they need no gradient for that."""


def refuse_inside(call: str, apis: str = "") -> None:
    """Raises G016 for a change to a tensor inside of a function that `torch.func` transforms."""
    if any(level.is_transform for level in active):
        raise GradcliError(
            "G016",
            f"You are attempting to call Tensor.{call}() {apis}inside of a function being "
            "transformed by a functorch transform. This is unsupported, please attempt to use the "
            f"functorch transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call {call}() "
            "outside of a function being transformed instead.",
        )


def refuse_requiring_inside() -> None:
    """Raises G016 where a tensor is to require a gradient inside of such a function."""
    refuse_inside("requires_grad_", "(or perhaps using torch.autograd.functional.* APIs) ")


ARITHMETIC = frozenset(
    (
        *("sub", "mul", "div", "true_divide", "copy", "clamp_min", "clamp_max", "logical_and"),
        *("logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor"),
    )
)
"""Functions to whose in-place form vmap gives one name in its errors."""
RULED = frozenset(
    (
        *("fill", "index_add", "index_fill", "index_put", "scatter_add", "scatter_reduce"),
        *("transpose", "squeeze", "unsqueeze"),
    )
)
"""Those that it calls by their own; the others by that of an operator of a level."""


def unbatched(name: str, number: int, shape: tuple[int, ...]) -> str:
    """PyTorch's sentence about a write by `name`, at level `number`, of values of this shape."""
    function = name.partition(".")[0].removesuffix("_")
    if function in ("", "add", "atan2", "copysign"):
        return (
            f"output with shape {list(shape[1:])} doesn't match the broadcast shape {list(shape)}"
        )
    what, where = f"aten::{function}_", f"at level {number}"
    if function in RULED or function in ARITHMETIC or name == "masked_fill_.Scalar":
        what = f"{function}_" if function in RULED else "inplace arithmetic"
        where = "in a vmap"
    return (
        f"vmap: {what}(self, *extra_args) is not possible because there exists a Tensor `other` in "
        "extra_args that has more elements than `self`. This happened due to `other` being vmapped "
        f"over but `self` not being vmapped over {where}. Please try to use out-of-place operators "
        f"instead of {what}. If said operator is being called inside the PyTorch framework, please "
        "file a bug report instead."
    )


def refuse_captured(target: Tensor, name: str) -> None:
    """Raises G016 for a write, `name`, to what was there before a transform that differentiates."""
    inside = (level for level in reversed(active) if level.size is None and level.is_transform)
    level = next(inside, None)
    if level is not None and target.memory.serial < level.start:
        raise GradcliError(
            "G016",
            "During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to "
            f"call in-place operation (aten::{name}) that would mutate a captured Tensor. This is "
            "not supported; please rewrite the function being transformed to explicitly accept the "
            "mutated Tensor(s) as inputs.",
            help="make a tensor of its own first: y = y.clone()",
        )


def refuse_data(tensor: Tensor, sentence: str) -> None:
    """Raises G016 for `.data` of an example of a vmap."""
    if active and lanes_of(tensor.value_node):
        raise GradcliError("G016", sentence, help="x.detach() reads it, x.copy_(y) writes to it")


def recording() -> bool:
    """Whether gradients are recorded now: the grad mode that a script sees."""
    return inference.asked if inference.enabled else current.tracking and not apart.enabled


def record(mode: bool) -> None:
    """Records gradients from now on or not; forward mode goes on, `inference_mode` too."""
    if inference.enabled:
        inference.asked, current.tracking = mode, False
        return
    forward = any(level.forward for level in active)
    apart.switch(forward and not mode and current.tracking)
    current.tracking = mode or apart.enabled


def wants_gradient(node: Node) -> bool:
    """Whether `node`, which is tracked, depends on more than dual tensors."""
    if not (duals or apart.blocks):
        return True
    from gradcli.tensor.closing import others

    return others([node], duals)


def tangents(tensor: Tensor) -> list[Tensor]:
    """The tangent of a tensor in the running block of forward mode, where it has one."""
    found = [level.tangent(tensor) for level in active if not level.is_transform]
    return [tangent for tangent in found if tangent is not None]


def vmaps() -> list[Level]:
    """The vmaps among them."""
    return [level for level in active if level.size is not None]


def lanes_of(node: Node) -> set[Node]:
    """The lanes that the value of `node` depends on; none outside vmap."""
    if not active or node.value is not None:
        return set()
    from gradcli.ops.batching import lanes_in

    return lanes_in([node])


def for_each_example(node: Node, like: Tensor) -> Node:
    """`node` with a value of its own for each example that `like` differs for, in each vmap."""
    own = lanes_of(like.value_node)
    if not own:
        return node
    from gradcli.ops.batching import repeated

    for level in vmaps():
        if not own.isdisjoint(level.lanes):
            node = level.example(repeated(node, level.size or 0))
    return node


def of_all_examples(node: Node) -> Node:
    """`node` with an axis in front for each vmap that it depends on: what checks look at."""
    for level in reversed(vmaps()):
        (batch,) = level.batches([node])
        node = node if batch is None else batch
    return node
