"""`torch.autograd.forward_ad`: tensors with a tangent, in a block.

Constraints: a dual tensor is a variable of the block's level; its tangent is found when it is asked
for, as `torch.func.jvp` finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from gradcli.errors import GradcliError
from gradcli.functions.func import slope_of
from gradcli.functions.transform import Scope
from gradcli.graph.shape import text
from gradcli.tensor import Tensor, levels, registry
from gradcli.tensor.closing import depend
from gradcli.tensor.function import composite
from gradcli.tensor.levels import Level
from gradcli.tensor.storage import Stop


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent."""

    primal: Any
    tangent: Any


class DualLevel(Level):
    """A block in which tensors have tangents."""

    is_transform = False

    def __init__(self) -> None:
        self.scope = Scope()
        self.tangents: list[Tensor] = []
        super().__init__(variables=self.scope.variables, forward=True)


@contextmanager
def dual_level() -> Iterator[DualLevel]:
    """A block in which tensors have tangents.

    Raises:
        GradcliError: G013 for a block inside another one, as in PyTorch.
    """
    if _innermost() is not None:
        raise GradcliError("G013", "Nested forward mode AD is not supported at the moment")
    with DualLevel() as level:
        assert isinstance(level, DualLevel)
        yield level


def _innermost() -> DualLevel | None:
    return next((x for x in reversed(levels.active) if isinstance(x, DualLevel)), None)


@composite("autograd.forward_ad.make_dual", method=False)
def make_dual(tensor: Any, tangent: Any, *, level: Any = None) -> Any:
    """`tensor` with a tangent, which what is computed from it has too."""
    current = level or _innermost()
    if current is None:
        raise GradcliError(
            "G013",
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first.",
            help="with forward_ad.dual_level(): ...",
        )
    if tensor.shape != tangent.shape:
        raise GradcliError(
            "G036",
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} while the "
            f"given forward gradient is of size {list(tangent.shape)}.",
            label=f"the tangent is {text(tuple(tangent.shape))}",
        )
    dual = current.scope.variable(tensor)
    current.tangents.append(tangent)
    return dual


@composite("autograd.forward_ad.unpack_dual", method=False)
def unpack_dual(tensor: Any, *, level: Any = None) -> Any:
    """The tensor itself and its tangent; None for one that depends on no dual tensor."""
    current = level or _innermost()
    if current is None or not depend([tensor.node], {x.autograd for x in current.variables}):
        return UnpackedDualTensor(tensor, None)
    (primal,) = current.scope.outside([tensor])
    for dual, tangent in zip(current.variables, current.tangents, strict=True):
        if dual is tensor:
            return UnpackedDualTensor(primal, tangent)
    inner = Scope()
    inner.variables = list(current.variables)
    with Stop(True):
        slope = slope_of(inner, tensor, list(current.variables), current.tangents)
    (found,) = inner.outside([slope])
    return UnpackedDualTensor(primal, found)


registry.register("torch.autograd.forward_ad.dual_level", dual_level)
