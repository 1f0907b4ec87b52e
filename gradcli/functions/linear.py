"""Linear and bilinear maps of the last dim."""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.linalg import addmm, matmul
from gradcli.graph.dtype import BOOL, C_TYPES
from gradcli.graph.node import Node
from gradcli.graph.shape import numel
from gradcli.ops.linalg import contract
from gradcli.ops.rows import lacks
from gradcli.tensor.function import composite, internal
from gradcli.tensor.storing import SAME


@composite("nn.functional.linear", out=SAME, python=False)
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """`input @ weight.T + bias` along the last dim; `weight` is (out, in) or (in,)."""
    rank, out = len(input.shape), weight.shape[0] if weight.shape else 1
    if rank == 0 or not weight.shape:
        raise GradcliError(
            "G021",
            "both arguments to linear need to be at least 1D, but they are "
            f"{rank}D and {len(weight.shape)}D",
        )
    if bias is None:
        return matmul(input, weight.t())
    if rank != 2 and (len(weight.shape) != 2 or len(bias.shape) != 1):
        return matmul(input, weight.t()) + bias
    count = numel(input.shape[:-1])
    rows = input if rank == 2 else input.reshape(count, input.shape[-1])
    if tuple(bias.shape) != (out,) and input.shape[-1:] == weight.shape[1:]:
        bias.expand(count, out)
    result = addmm(bias, rows, weight.t())
    return result if rank == 2 else result.view(*input.shape[:-1], out)


@composite(
    "bilinear",
    "nn.functional.bilinear",
    method=False,
    refuses=lacks("bmm", BOOL),
    out=None,
    python=False,
)
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """`input1 @ weight[k] @ input2 + bias[k]` for each k; `weight` is (out, in1, in2)."""
    kinds = [v.dtype for v in (input1, input2, weight)]
    if len({*kinds}) > 1:
        names = ("input1", "input2", "weight")
        got = ", ".join(f"{n}: {C_TYPES[d]}" for n, d in zip(names, kinds, strict=True))
        raise GradcliError("G025", f"All tensors must have the same dtype, got {got}")
    _check_bilinear(input1, input2, weight, bias)
    x, y = (v.reshape(-1, v.shape[-1]) for v in (input1, input2))
    result = _trilinear(x, weight, y).view(*input1.shape[:-1], weight.shape[0])
    return result if bias is None else result + bias


@internal("_trilinear")
def _trilinear(x: Node, weight: Node, y: Node) -> Node:
    return contract(contract(x, weight, spec="ni,oij->noj"), y, spec="noj,nj->no")


def _check_bilinear(input1: Any, input2: Any, weight: Any, bias: Any) -> None:
    ranks = [len(v.shape) for v in (input1, input2)]
    misfit = ""
    if ranks[0] != ranks[1]:
        misfit = f"input dimensions do not match: got {ranks[0]} and {ranks[1]}"
    elif len(weight.shape) != 3:
        misfit = f"weight must have 3 dimensions: got {len(weight.shape)}"
    elif input1.shape[:-1] != input2.shape[:-1]:
        misfit = "input batch dimensions do not match"
    for i, v in enumerate((input1, input2), 1):
        if not misfit and v.shape[-1] != weight.shape[i]:
            got = f"got {v.shape[-1]} but expected {weight.shape[i]}"
            misfit = f"input{i} size does not match weight size: {got}"
    if not misfit and bias is not None and bias.shape[0] != weight.shape[0]:
        got = f"got {bias.shape[0]} but expected {weight.shape[0]}"
        misfit = f"bias size does not match weight size: {got}"
    if misfit:
        raise GradcliError("G021", f"bilinear(): {misfit}")


# -- distances and normalisation
