"""Memory read as numbers of another type: `x.view(dtype)`.

Constraints: a view that shares memory and its version, without history, as in PyTorch.
"""

from __future__ import annotations

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph.dtype import SCALAR_TYPES, DType
from gradcli.ops.complexes import conjugate
from gradcli.ops.movement import reinterpret
from gradcli.tensor import layout
from gradcli.tensor.storage import View
from gradcli.tensor.tensor import Tensor


def reinterpreted(tensor: Tensor, dtype: DType) -> Tensor:
    """The same memory as elements of `dtype`: the last dim is shorter or longer where they differ.

    Raises:
        GradcliError: G024 where the elements of the last dim do not make whole ones of `dtype`.
    """
    _check(tensor, dtype)
    attrs = {"source": tensor.dtype, "dtype": dtype}
    known = tensor.detach()
    node = reinterpret(known.value_node, **attrs)
    settle(node)
    assert known._view is not None
    path = (*tensor.view_path, (reinterpret, attrs))
    made = Tensor(node, tensor.memory, View(None, path, own=known._view.own))
    made.version.stamp(node, path)
    return made


def _check(tensor: Tensor, dtype: DType) -> None:
    if dtype is not tensor.dtype and any(op is conjugate for op, _ in tensor.view_path):
        raise GradcliError(
            "G024",
            "torch.Tensor.view is not supported for conjugate view tensors when converting to a "
            "different dtype.",
            help="x.resolve_conj() is a copy",
        )
    old, new = tensor.dtype.itemsize, dtype.itemsize
    if old == new:
        return
    names = f"view {SCALAR_TYPES[tensor.dtype]} as {SCALAR_TYPES[dtype]} (different element sizes)"
    if not tensor.shape:
        raise GradcliError("G024", f"self.dim() cannot be 0 to {names}")
    *outer, inner = layout.strides_of(tensor)
    if inner != 1:
        sentence = f"self.stride(-1) must be 1 to {names}, but got {inner}"
        raise GradcliError("G024", sentence, help="x.contiguous() is a copy that lies so")
    if new < old:
        return
    lengths = [("size(-1)", tensor.shape[-1]), ("storage_offset()", layout.offset_of(tensor))]
    lengths += [(f"stride({dim})", stride) for dim, stride in enumerate(outer)]
    for what, length in lengths:
        if length % (new // old):
            raise GradcliError(
                "G024",
                f"self.{what} must be divisible by {new // old} to {names}, but got {length}",
            )
