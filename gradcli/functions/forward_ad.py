"""`torch.autograd.forward_ad`: tensors with a tangent, in a block.

Constraints: a dual tensor is a variable of the block's level; its tangent is found when it is asked
for, as `torch.func.jvp` finds it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from gradcli.errors import GradcliError
from gradcli.functions.func import check_tangent, slope_of
from gradcli.functions.transform import Scope, shown_as, standing
from gradcli.graph.node import constant, current
from gradcli.tensor import Tensor, layout, levels, registry
from gradcli.tensor.blocks import inference
from gradcli.tensor.closing import depend
from gradcli.tensor.function import composite
from gradcli.tensor.levels import Level, record, recording
from gradcli.tensor.storage import Stop, value_of
from gradcli.tensor.write import write


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent."""

    primal: Any
    tangent: Any


class DualLevel(Level):
    """A block in which tensors have tangents.

    Attributes:
        tangents: of the variables, as they were given.
        made: the dual tensors that a script holds, and the primals and tangents they were made of.
    """

    is_transform = False

    def __init__(self) -> None:
        self.scope = Scope(forward=True)
        self.tangents: list[Tensor] = []
        self.made: list[tuple[weakref.ref[Tensor], Tensor, Tensor]] = []
        self.scope.tracking = True  # blocks inside of it may record gradients
        super().__init__(variables=self.scope.variables, forward=True)

    def __enter__(self) -> Level:
        super().__enter__()
        if not (current.tracking or inference.enabled):
            current.tracking = True  # forward mode goes on in no_grad
            record(False)
        return self

    def __exit__(self, *exception: object) -> None:
        mode = recording()
        super().__exit__(*exception)
        record(mode)

    def tangent(self, tensor: Tensor) -> Tensor | None:
        """The tangent of a tensor; None for one that depends on no dual tensor."""
        found = unpack_dual(tensor, level=self).tangent
        assert found is None or isinstance(found, Tensor)
        return found

    def written(self, target: Tensor) -> None:
        """Writes to the primal and the tangent that `target`, a dual tensor, shares memory with."""
        for i, (dual, primal, tangent) in enumerate(self.made):
            if dual() is target and not (primal.requires_grad or tangent.requires_grad):
                found = unpack_dual(target, level=self)
                if self.tangents[i] is tangent:
                    self.tangents[i] = Tensor(tangent.value_node)
                alike = layout.strides_of(primal) == layout.strides_of(tangent)
                with Stop(False):
                    write(primal, value_of(found.primal.value_node), "")
                    if alike:  # else PyTorch copies the tangent
                        before, slope = tangent.value_node, found.tangent
                        zeros = constant(0, before.dtype, before.shape)
                        write(tangent, zeros if slope is None else value_of(slope.value_node), "")


@contextmanager
def dual_level() -> Iterator[DualLevel]:
    """A block in which tensors have tangents.

    Raises:
        GradcliError: G013 for a block inside another one, as in PyTorch.
    """
    level = enter_dual_level()
    try:
        yield level
    finally:
        exit_dual_level(level=level)


@composite("autograd.forward_ad.enter_dual_level", method=False)
def enter_dual_level() -> Any:
    """Begins a block in which tensors have tangents, until `exit_dual_level`.

    Raises:
        GradcliError: G013 for a block inside another one, as in PyTorch.
    """
    if _innermost() is not None:
        raise GradcliError("G013", "Nested forward mode AD is not supported at the moment")
    return DualLevel().__enter__()


@composite("autograd.forward_ad.exit_dual_level", method=False)
def exit_dual_level(*, level: Any = None) -> None:
    """Ends the block: its tensors have no tangents any more."""
    block = level or _innermost()
    if block is None:
        raise GradcliError(
            "G013", "Trying to exit a forward AD level but no level was entered before."
        )
    block.__exit__()


def _innermost() -> DualLevel | None:
    return next((x for x in reversed(levels.active) if isinstance(x, DualLevel)), None)


@composite("autograd.forward_ad.make_dual", method=False)
def make_dual(tensor: Any, tangent: Any, *, level: Any = None) -> Any:
    """`tensor` with a tangent, which what is computed from it has too."""
    block = level or _innermost()
    if block is None:
        raise GradcliError(
            "G013",
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first.",
            help="with forward_ad.dual_level(): ...",
        )
    check_tangent(tensor, tangent)
    for name, x in (("primal", tensor), ("tangent", tangent)):
        if depend([x.node], {v.autograd for v in block.variables}):
            raise GradcliError(
                "G036",
                f"the {name} has a tangent of its own in this dual level",
                help="fwAD.unpack_dual(x).primal has none",
            )
    dual = block.scope.variable(tensor.view_as(tensor) if tensor.requires_grad else tensor)
    levels.duals.add(dual.autograd)
    block.tangents.append(tangent)
    made = standing(dual)
    block.made.append((weakref.ref(made), tensor, tangent))
    return made


@composite("autograd.forward_ad.unpack_dual", method=False)
def unpack_dual(tensor: Any, *, level: Any = None) -> Any:
    """The tensor itself and its tangent; None for one that depends on no dual tensor."""
    block = level or _innermost()
    if block is None:
        return UnpackedDualTensor(tensor, None)
    (inner,) = block.scope.outside([tensor])
    with Stop(current.tracking and recording()):
        primal = shown_as("Identity", inner)
    if not depend([tensor.node], {x.autograd for x in block.variables}):
        return UnpackedDualTensor(primal, None)
    for dual, tangent in zip(block.variables, block.tangents, strict=True):
        if dual.node is tensor.node:
            return UnpackedDualTensor(primal, tangent)
    inner = Scope()
    inner.variables = list(block.variables)
    with Stop(True):
        slope = slope_of(inner, tensor, list(block.variables), block.tangents)
    (found,) = inner.outside([slope])
    return UnpackedDualTensor(primal, found)


registry.register("torch.autograd.forward_ad.dual_level", dual_level)

UnpackedDualTensor.__module__ = "torch.autograd.forward_ad"
registry.register("torch.autograd.forward_ad.UnpackedDualTensor", UnpackedDualTensor)
