"""Einstein sums and what is made of them: tensordot, Kronecker products."""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.compositions import einsum_composed, tensordot_composed
from gradcli.functions.equation import lettered, read
from gradcli.functions.linalg import one_dtype, tensor_shape
from gradcli.functions.shape import permuted, unsafe_view
from gradcli.graph.dtype import BOOL
from gradcli.graph.node import Node
from gradcli.ops import reduction
from gradcli.ops.linalg import contract
from gradcli.ops.rows import lacks
from gradcli.tensor import Tensor
from gradcli.tensor.arguments import require_tensors
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.operands import no_kernel
from gradcli.tensor.storing import TENSORDOT


@composite("inner", out=TENSORDOT)
def inner(input: Any, other: Any) -> Any:
    """The sums of products over the last dim of both; a scalar multiplies."""
    x, y = tensor_shape(input), tensor_shape(other)
    if not x or not y:
        return input * other
    if x[-1] != y[-1]:
        raise GradcliError(
            "G021",
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(x)} and {list(y)}",
        )
    return tensordot(input, other, dims=([-1], [-1]))


@composite("einsum", method=False, python=True)
def einsum(equation: Any, *operands: Any) -> Any:
    """An Einstein sum: `einsum("ij,jk->ik", x, y)`, or `einsum(x, [0, 1], y, [1, 2], [0, 2])`."""
    given: Any = operands
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        given = operands[0]
    if not given:
        raise GradcliError("G014", _NOTHING, kind=ValueError)
    if not isinstance(equation, str):
        equation, given = lettered((equation, *operands))
    require_tensors(given, argument=1)
    inputs, output = read(equation, [len(tensor_shape(x)) for x in given])
    sums = not set().union(*inputs) <= set(output)
    if len(given) == 1 and not sums:
        _check_sizes(inputs, [given[0].node])
        return einsum_composed(inputs, output, list(given))  # a view
    kinds = ("", "sum") if len(given) == 1 else ("mul", "view")
    return _EINSUMS[kinds[sums]](inputs, output, list(given))


_NOTHING = (
    "einsum(): must specify the equation string and at least one operand, or at least one operand "
    "and its subscripts list"
)


def _einsum(inputs: list[str], output: str, tensors: list[Node]) -> Node:
    """An Einstein sum, contracted from the left."""
    nodes = [tensor(x) for x in tensors]
    _check_sizes(inputs, nodes)
    plain = [_diagonals(x, labels) for x, labels in zip(nodes, inputs, strict=True)]
    nodes, inputs = [x for x, _ in plain], [labels for _, labels in plain]
    result, labels = plain[0]
    for i in range(1, len(nodes)):
        wanted = set(output).union(*inputs[i + 1 :])
        factors = [result, nodes[i]]
        if wanted.issuperset(labels + inputs[i]):
            factors = promoted(*factors)
        else:
            one_dtype("bmm", *factors)
            if factors[0].dtype.category == BOOL:
                raise no_kernel("bmm", factors[0])
        result, labels = _pair(factors[0], labels, factors[1], inputs[i], wanted)
    result, labels = _summed(result, labels, set(output))
    return _ordered(result, labels, output)


_EINSUMS = {
    name: function(
        f"Tensor._einsum_{name}", shown=name, overload=int(name == "sum"), composed=einsum_composed
    )(_einsum)
    for name in ("sum", "mul", "view")
}
"""By what PyTorch does last, and shows: add up, multiply, or view a matrix product."""


def labels_once(labels: str) -> str:
    """Each label once, in the order of first appearance."""
    return "".join(dict.fromkeys(labels))


def _check_sizes(inputs: list[str], nodes: list[Node]) -> None:
    sizes: dict[str, int] = {}
    for number, (labels, node) in enumerate(zip(inputs, nodes, strict=True)):
        own: dict[str, int] = {}
        for label, size in zip(labels, node.shape, strict=True):
            if own.setdefault(label, size) != size:
                raise GradcliError(
                    "G021",
                    f"einsum(): subscript {label} is repeated for operand {number} but the sizes "
                    f"don't match, {size} != {own[label]}",
                )
            known = sizes.setdefault(label, size)
            if known != size and 1 not in (known, size):
                raise GradcliError(
                    "G021",
                    f"einsum(): subscript {label} has size {size} for operand {number} which does "
                    f"not broadcast with previously seen size {known}",
                )
            sizes[label] = max(known, size)


def _diagonals(x: Node, labels: str) -> tuple[Node, str]:
    """`x` with repeated labels reduced to the diagonal over them, and its labels then."""
    from gradcli.ops.movement import diagonal

    while len(set(labels)) < len(labels):
        label = next(c for c in labels if labels.count(c) > 1)
        first = labels.index(label)
        second = labels.index(label, first + 1)
        rest = [i for i in range(len(labels)) if i not in (first, second)]
        order = tuple(i - x.ndim for i in (*rest, first, second))
        x = diagonal(permuted(x, order), offset=0)
        labels = "".join(labels[i] for i in rest) + label
    return x, labels


def _summed(x: Node, labels: str, wanted: set[str]) -> tuple[Node, str]:
    """`x` summed over the labels that nobody wants any more."""
    axes = tuple(i - x.ndim for i, c in enumerate(labels) if c not in wanted)
    if not axes:
        return x, labels
    kept = "".join(c for c in labels if c in wanted)
    return reduction.total(x, axis=axes, keepdims=False), kept


def _pair(x: Node, left: str, y: Node, right: str, wanted: set[str]) -> tuple[Node, str]:
    x, left = _summed(_unit_free(x, left, y, right), left, wanted | set(right))
    y, right = _summed(_unit_free(y, right, x, left), right, wanted | set(left))
    result = labels_once("".join(c for c in left + right if c in wanted))
    return contract(x, y, spec=f"{left},{right}->{result}"), result


def _unit_free(x: Node, labels: str, y: Node, others: str) -> Node:
    """`x` expanded where it has length 1 and `y` has more along the same label."""
    from gradcli.ops.movement import expand

    shape = tuple(
        y.shape[others.index(c)] if n == 1 and c in others else n
        for c, n in zip(labels, x.shape, strict=True)
    )
    return expand(x, shape=shape) if shape != x.shape else x


def _ordered(x: Node, labels: str, output: str) -> Node:
    """`x` with its axes as `output` names them."""
    order = tuple(labels.index(c) - x.ndim for c in output)
    return permuted(x, order) if order != tuple(range(-x.ndim, 0)) else x


@composite("tensordot", method=False, out=TENSORDOT, python=True)
def tensordot(a: AnyTensor, b: AnyTensor, dims: Any = 2) -> Any:
    """The contraction of two tensors over the last `dims` of one and the first of the other."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    m, n = len(a.shape), len(b.shape)
    if a.dtype is not b.dtype:
        raise GradcliError("G025", "both inputs should have same dtype")
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if not 0 <= dims <= min(m, n):
            wanted = ">= 0" if dims < 0 else "< ndim_a or ndim_b"
            raise GradcliError("G026", f"tensordot expects dims {wanted}, but got dims={dims}")
        dims = (list(range(-dims, 0)), list(range(dims)))
    if not isinstance(dims, (list, tuple)) or len(dims) != 2:
        raise GradcliError(
            "G013",
            "tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] "
            f"containing two lists, but got dims={dims}",
        )
    first, second = ([d % r for d in ds] for ds, r in zip(dims, (m, n), strict=True))
    left = letters[:m]
    right = list(letters[m : m + n])
    for i, j, *named in zip(first, second, *dims, strict=True):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise GradcliError(
                "G021",
                f"contracted dimensions need to match, but first has size {a.shape[i]} in dim "
                f"{named[0]} and second has size {b.shape[j]} in dim {named[1]}",
            )
        right[j] = left[i]
    kept = [c for i, c in enumerate(left) if i not in first]
    kept += [c for j, c in enumerate(right) if j not in second]
    return _tensordot([left, "".join(right)], "".join(kept), [a, b])


_tensordot = function(
    "Tensor._tensordot",
    shown="view",
    composed=tensordot_composed,
    refuses=lacks("addmm_impl_cpu_", BOOL),
)(_einsum)


@composite("kron")
def kron(input: Any, other: Any) -> Any:
    """The Kronecker product."""
    rank = max(len(input.shape), len(other.shape))
    first, second = ((1,) * (rank - len(x.shape)) + tuple(x.shape) for x in (input, other))
    wide = unsafe_view(input, tuple(n for size in first for n in (size, 1)))
    high = unsafe_view(other, tuple(n for size in second for n in (1, size)))
    return unsafe_view(wide * high, tuple(a * b for a, b in zip(first, second, strict=True)))
