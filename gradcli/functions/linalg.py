"""Products of vectors, matrices and tensors.

Constraints: every product is the op `contract`; an entry says which labels, and PyTorch's sentence
when the shapes do not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.compositions import matmul_composed
from gradcli.functions.shape import expand
from gradcli.graph.dtype import BOOL, C_TYPES, SCALAR_TYPES
from gradcli.graph.node import Node
from gradcli.graph.shape import broadcast, numel, own_axis
from gradcli.ops import elementwise as ops
from gradcli.ops import reduction
from gradcli.ops.linalg import contract
from gradcli.ops.movement import reshape
from gradcli.ops.rows import lacks
from gradcli.tensor import Tensor
from gradcli.tensor.arguments import require_tensors
from gradcli.tensor.beside import operand_names
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import Number
from gradcli.tensor.operands import as_number, no_kernel
from gradcli.tensor.orders import weighed
from gradcli.tensor.storing import EVERYWHERE, METHOD, RESULT, SAME, Memory, Out
from gradcli.tensor.wrapping import written


def _operands(name: str, x: Any, y: Any, ranks: tuple[int, int]) -> tuple[Node, Node]:
    """Two tensors of the given ranks."""
    left, right = tensor(x), tensor(y)
    if name == "dot":
        return _vectors_of_one_dtype(left, right)
    if name == "mv":
        own_axis(0, left.ndim)
    if (left.ndim, right.ndim) != ranks:
        raise GradcliError("G021", _ranks(name, left, right, ranks))
    return left, right


def _vectors_of_one_dtype(x: Node, y: Node) -> tuple[Node, Node]:
    if x.ndim != 1 or y.ndim != 1:
        raise GradcliError(
            "G021",
            f"1D tensors expected, but got {x.ndim}D and {y.ndim}D tensors",
        )
    if x.dtype is not y.dtype:
        raise GradcliError(
            "G025",
            "dot : expected both vectors to have same dtype, but found "
            f"{SCALAR_TYPES[x.dtype]} and {SCALAR_TYPES[y.dtype]}",
            help="convert one of them: .to(other.dtype)",
        )
    return x, y


def _ranks(name: str, x: Node, y: Node, ranks: tuple[int, int]) -> str:
    """PyTorch's sentence about operands of other ranks."""
    if name in ("mv", "addmv"):
        return f"vector + matrix @ vector expected, got 1, {x.ndim}, {y.ndim}"
    second = x.ndim == ranks[0]
    if ranks[0] == 3:
        return f"batch{1 + second} must be a 3D tensor"
    if name == "mm":
        return f"{'mat2' if second else 'self'} must be a matrix"
    return f"mat{1 + second} must be a matrix, got {(x, y)[second].ndim}-D tensor"


def one_dtype(kernel: str, x: Node, y: Node, added: Node | None = None) -> None:
    """Raises G025, in the words of PyTorch's `kernel`, unless all have one dtype."""
    if x.dtype is y.dtype and (added is None or added.dtype is x.dtype):
        return
    first = y if added is None else added
    words = [SCALAR_TYPES[v.dtype] for v in (first, x, y)]
    if kernel in ("mv", "addmv"):
        sentence = "addmv input tensors must have the same dtype, but got {}, {}, and {}"
    elif kernel in ("addmm", "addbmm"):
        sentence = "mat1 and mat2 must have the same dtype, but got {1} and {2}"
        if first.dtype is not y.dtype:
            sentence = "self and mat2 must have the same dtype, but got {0} and {2}"
    elif kernel == "mm":
        words = [C_TYPES[x.dtype], C_TYPES[y.dtype]]
        sentence = "expected m1 and m2 to have the same dtype, but got: {} != {}"
    elif kernel == "baddbmm" and first.dtype is not x.dtype:
        words = [C_TYPES[v.dtype] for v in (first, x, y)]
        sentence = "Input dtypes must be the same, got: input {}, batch1: {}, batch2: {}"
    else:
        sentence = "expected scalar type {1} but found {2}"
    raise GradcliError(
        "G025", sentence.format(*words), help="convert one of them: .to(other.dtype)"
    )


_NO_BOOL = {
    "mv": "addmv_impl_cpu",
    "addmv": "addmv_impl_cpu",
    "mm": "addmm_impl_cpu_",
    "addmm": "addmm_impl_cpu_",
    "dot": "dot",
    "bmm": "bmm",
}
"""Products that PyTorch does not have for truth values, and their kernels."""


def _product(
    name: str, x: Any, y: Any, spec: str, kernel: str = "", added: Node | None = None
) -> Node:
    """The product that `spec` says, to be added to `added`; refuses in the words of `kernel`."""
    left, _, right = spec.partition("->")[0].partition(",")
    a, b = _operands(name, x, y, (len(left), len(right)))
    if a.dtype.category == BOOL and name == "bmm":
        raise no_kernel(_NO_BOOL[name], a)
    _inner(a, b, a.shape[left.index("k")], b.shape[right.index("k")], name)
    if name == "bmm" and a.shape[0] != b.shape[0]:
        raise GradcliError(
            "G021",
            f"Expected size for first two dimensions of batch2 tensor to be: [{a.shape[0]}, "
            f"{a.shape[2]}] but got: [{b.shape[0]}, {b.shape[1]}].",
        )
    one_dtype(kernel or name, a, b, added)
    if a.dtype.category == BOOL and name in _NO_BOOL:
        raise no_kernel(_NO_BOOL[name], a)
    return contract(a, b, spec=spec)


def _inner(x: Node, y: Node, left: int, right: int, name: str) -> None:
    """Raises G021, in the words of the product that PyTorch makes of it, unless sizes agree."""
    if left != right:
        raise GradcliError("G021", _misfit(x, y, name), help=_transposed(x, y))


def _misfit(x: Node, y: Node, name: str) -> str:
    rows, inner = numel(x.shape[:-1]), x.shape[-1]
    if name == "dot":
        return (
            f"inconsistent tensor size, expected tensor [{x.size}] and src [{y.size}] to have the "
            f"same number of elements, but got {x.size} and {y.size} elements respectively"
        )
    if name == "folded":  # (x @ y).mT is y.mT @ x.mT, and its rows are those of one matrix
        first = f"{numel(y.shape[:-2]) * y.shape[-1]}x{y.shape[-2]}"
        return f"mat1 and mat2 shapes cannot be multiplied ({first} and {inner}x{rows})"
    if y.ndim == 1:
        return f"size mismatch, got input ({rows}), mat ({rows}x{inner}), vec ({y.size})"
    if y.ndim == 2:
        second = "x".join(map(str, y.shape))
        return f"mat1 and mat2 shapes cannot be multiplied ({rows}x{inner} and {second})"
    lead = x.shape[0] if name == "bmm" else numel(broadcast(x.shape[:-2], y.shape[:-2]))
    return (
        f"Expected size for first two dimensions of batch2 tensor to be: [{lead}, {inner}] but "
        f"got: [{lead if name != 'bmm' else y.shape[0]}, {y.shape[-2]}]."
    )


def _transposed(x: Node, y: Node) -> list[str]:
    """Help that transposes one factor, where that makes the product fit."""
    names = operand_names(2)
    if not names:
        return []
    names = [n if n.replace(".", "").isidentifier() else f"({n})" for n in names]
    if y.ndim == 2 and y.shape[1] == x.shape[-1]:
        return [f"did you mean {names[0]} @ {names[1]}.T?"]
    if x.ndim == 2 and x.shape[0] == y.shape[0]:
        return [f"did you mean {names[0]}.T @ {names[1]}?"]
    return []


@function("mm", out=SAME)
def mm(input: Any, mat2: Any) -> Node:
    """The product of two matrices."""
    return _product("mm", input, mat2, "ik,kj->ij")


@function("mv", out=SAME)
def mv(input: Any, vec: Any) -> Node:
    """A matrix times a vector."""
    return _product("mv", input, vec, "ik,k->i")


@function("dot", out=RESULT)
def dot(input: Any, tensor: Any) -> Node:
    """The sum of products of two vectors."""
    return _product("dot", input, tensor, "k,k->")


@function("vdot", out=RESULT)
def vdot(input: Any, other: Any) -> Node:
    """The sum of products of two vectors, the first one conjugated."""
    return _product("dot", ops.conj(tensor(input)), other, "k,k->")


@composite(
    "linalg.vecdot",
    method=False,
    out=Out("linalg.vecdot: Expected out of dtype{Wanted} but found {Got}"),
)
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The sums of products along `dim`, other dims broadcast; `x` is conjugated."""
    kinds = [SCALAR_TYPES[v.dtype] for v in (x, y)]
    if not x.dtype.differentiable:
        raise GradcliError(
            "G025",
            f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {kinds[0]}",
            help="convert it: .float()",
        )
    if kinds[0] != kinds[1]:
        raise GradcliError(
            "G025",
            "linalg.vecdot: Expected x and y to have the same dtype, but found x of type "
            f"{kinds[0]} and y of type {kinds[1]} instead",
            help="convert one of them: .to(other.dtype)",
        )
    if x.ndim == y.ndim == 1:
        return vdot(x, y)
    return (x.conj() * y).sum(dim)


@function("bmm", out=SAME)
def bmm(input: Any, mat2: Any) -> Node:
    """Products of matrices, pair by pair along the first dim."""
    return _product("bmm", input, mat2, "bik,bkj->bij")


def _outer_composed(input: Any, vec2: Any) -> Any:
    return input.reshape(input.shape[0], 1) * vec2


@function("outer", "ger", shown="mul", composed=_outer_composed)
def outer(input: Any, vec2: Any) -> Node:
    """Every product of an element of one vector with one of another."""
    x, y = promoted(*_vectors("outer", self=input, vec2=vec2))
    return contract(x, y, spec="i,j->ij")


def _vectors(name: str, **vectors: Any) -> list[Node]:
    for argument, node in vectors.items():
        if tensor(node).ndim != 1:
            sentence = f"{name}: Expected 1-D argument {argument}, but got {tensor(node).ndim}-D"
            raise GradcliError("G021", sentence)
    return [tensor(node) for node in vectors.values()]


@function("Tensor._batched_matmul", shown="unsafe_view", composed=matmul_composed)
def _batched(input: Any, other: Any) -> Node:
    """The product of stacks of matrices or vectors, leading dims broadcast."""
    x, y = tensor(input), tensor(other)
    _fitting(x, y)
    kernel = {1: "mv", 2: "mm"}.get(y.ndim, "bmm")
    if kernel != "bmm" or x.dtype.category != BOOL:
        one_dtype(kernel, x, y)
    if x.dtype.category == BOOL:
        raise no_kernel(_NO_BOOL[kernel], x)
    return _matrix_product(x, y)


@function("Tensor._folded_matmul", shown="clone", composed=matmul_composed)
def _folded(input: Any, other: Any) -> Node:
    """The product of one matrix with a stack, which PyTorch computes transposed."""
    x, y = tensor(input), tensor(other)
    _fitting(x, y, "folded")
    one_dtype("mm", y, x)
    return _matrix_product(x, y)


def _fitting(x: Node, y: Node, name: str = "matmul") -> None:
    _inner(x, y, x.shape[-1], y.shape[-2] if y.ndim > 1 else y.shape[0], name)


def _matrix_product(x: Node, y: Node) -> Node:
    left, right, result = "ik", "kj", "ij"
    if x.ndim == 1:
        left, result = "k", "j"
    if y.ndim == 1:
        right, result = "k", result.replace("j", "")
    return contract(x, y, spec=f"{left},{right}->{result}")


@composite("matmul", "Tensor.__matmul__", "linalg.matmul", out=RESULT)
def matmul(input: Any, other: Any) -> Any:
    """The matrix product, as `@`: vectors and stacks of matrices too."""
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        ranks = (input.ndim, other.ndim)
    else:
        ranks = (len(tensor_shape(input)), len(tensor_shape(other)))
    if 0 in ranks:
        raise GradcliError(
            "G021",
            "both arguments to matmul need to be at least 1D, but they are "
            f"{ranks[0]}D and {ranks[1]}D",
            help="a scalar multiplies with *",
        )
    chosen = _BY_RANK.get(ranks)
    if chosen is not None:
        return chosen(input, other)
    if ranks == (1, 2):
        return written(_vector_matrix(input, other), 1)
    if ranks[0] == 2 and input.requires_grad:
        return _folded(input, other)
    return _batched(input, other)


def tensor_shape(value: Any) -> Any:
    """The shape of a tensor argument; raises G014 for anything else."""
    shape = getattr(value, "shape", None)
    if shape is None:
        raise GradcliError(
            "G014",
            f"argument must be Tensor, not {type(value).__name__}",
            kind=TypeError,
        )
    return shape


@function(
    "Tensor._vector_matrix",
    shown="squeeze",
    overload=4,
    composed=lambda input, other: input.unsqueeze(0).mm(other).squeeze(0),
    refuses=lacks("addmm_impl_cpu_", BOOL),
)
def _vector_matrix(input: Any, other: Any) -> Node:
    """A vector times a matrix."""
    _inner(input, other, input.shape[0], other.shape[0], "matmul")
    one_dtype("mm", input, other)
    return contract(input, other, spec="k,kj->j")


_BY_RANK = {(1, 1): dot.of_two, (2, 2): mm.of_two, (2, 1): mv.of_two}


@composite("Tensor.__rmatmul__")
def _rmatmul(input: Any, other: Any) -> Any:
    """`other @ input`."""
    return matmul(other, input)


def _plus(name: str, spec: str, operands: tuple[Any, Any, Any], beta: Any, alpha: Any) -> Node:
    """`beta*input + alpha*product`, where `spec` says which product of the other two operands."""
    x, left, right = map(tensor, operands)
    kind = "bmm" if spec.startswith("b") else name
    if name == "addmm":  # PyTorch looks at the dtypes before the shapes in this one alone
        one_dtype(name, left, right, x)
    product = _product(kind, left, right, spec, name, x)
    _require_room(x, product)
    _check_factors(product, beta, alpha)
    added = product if alpha == 1 else alpha * product
    return added if beta == 0 else (x if beta == 1 else beta * x) + added


def _check_factors(x: Node, *factors: complex) -> None:
    """Refuses numbers that do not fit the dtype of `x`."""
    for factor in factors:
        as_number(factor, x.dtype)


def _require_room(x: Node, product: Node) -> None:
    """Refuses what cannot be repeated to the shape of a product, as PyTorch does first."""
    if x.shape != product.shape:
        expand.body(x, *product.shape)


@function(
    "addmm",
    layout=False,
    out=SAME,
    orders=weighed("mat1", "mat2"),
    memory=Memory(operands=False),
    in_place=METHOD,
)
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Number = 1, alpha: Number = 1) -> Node:
    """`beta*input + alpha*(mat1 @ mat2)`."""
    return _plus("addmm", "ik,kj->ij", (input, mat1, mat2), beta, alpha)


@function("addmv", layout=False, out=SAME, orders=weighed("mat", "vec"), in_place=EVERYWHERE)
def addmv(input: Any, mat: Any, vec: Any, *, beta: Number = 1, alpha: Number = 1) -> Node:
    """`beta*input + alpha*(mat @ vec)`."""
    ranks = [tensor(x).ndim for x in (input, mat, vec)]
    if ranks[0] > 1 or ranks[1:] != [2, 1]:
        sizes = ", ".join(map(str, ranks))
        raise GradcliError("G021", f"vector + matrix @ vector expected, got {sizes}")
    return _plus("addmv", "ik,k->i", (input, mat, vec), beta, alpha)


@function("addbmm", layout=False, orders=weighed("batch1", "batch2"), in_place=METHOD)
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Number = 1, alpha: Number = 1) -> Node:
    """`beta*input + alpha*(batch1 @ batch2)`, summed over the batch."""
    for dim, factor in ((1, batch1), (2, batch2)):
        own_axis(dim, tensor(factor).ndim)
    return _plus("addbmm", "bik,bkj->ij", (input, batch1, batch2), beta, alpha)


@function("baddbmm", layout=False, out=SAME, orders=weighed("batch1", "batch2"), in_place=METHOD)
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Number = 1, alpha: Number = 1) -> Node:
    """`beta*input + alpha*(batch1 @ batch2)`, batch by batch."""
    for dim, factor in ((0, batch1), (1, batch1), (2, batch2)):
        own_axis(dim, tensor(factor).ndim)
    return _plus("baddbmm", "bik,bkj->bij", (input, batch1, batch2), beta, alpha)


@function("addr", orders=weighed("vec1", "vec2"), in_place=METHOD)
def addr(input: Any, vec1: Any, vec2: Any, *, beta: Number = 1, alpha: Number = 1) -> Node:
    """`beta*input + alpha*outer(vec1, vec2)`."""
    vectors, given = _vectors("addr", vec1=vec1, vec2=vec2), tensor(input)
    given = given if given.ndim else reshape(given, axes=0, shape=(1,))  # PyTorch expands it first
    x, left, right = promoted(given, *vectors)
    product = alpha * contract(left, right, spec="i,j->ij")
    _require_room(x, product)
    _check_factors(x, beta, alpha)
    result: Node = product if beta == 0 else beta * x + product
    return result


@composite("trace", out=None)
def trace(input: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    if input.dtype.category == BOOL:
        raise no_kernel("trace", input)
    if len(input.shape) != 2:
        raise GradcliError(
            "G021", f"trace: expected a matrix, but got tensor with dim {len(input.shape)}"
        )
    return _trace(input)


@function("Tensor._trace", shown="trace")
def _trace(input: Any) -> Node:
    """The sum of the diagonal."""
    from gradcli.ops.movement import diagonal
    from gradcli.tensor.function import as_numeric

    return reduction.total(diagonal(as_numeric(input), offset=0), axis=(-1,), keepdims=False)


@composite("chain_matmul", method=False, python=True, out=SAME)
def chain_matmul(*matrices: Any) -> Any:
    """The product of one matrix or more."""
    require_tensors(matrices)
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


@composite("linalg.multi_dot", method=False)
def multi_dot(tensors: Any) -> Any:
    """The product of several matrices; the first and the last may be vectors."""
    factors = list(tensors)
    _chainable(factors)
    first, last = factors[0], factors[-1]
    shape = [*first.shape[:-1], *last.shape[1:]]
    if len(first.shape) == 1:
        factors[0] = first.unsqueeze(0)
    if len(last.shape) == 1:
        factors[-1] = last.unsqueeze(-1)
    return _cheapest(factors).view(shape)


def _cheapest(matrices: Sequence[Any]) -> Any:
    """The product of matrices in the order that takes the fewest multiplications."""
    sizes = [matrices[0].shape[0], *(x.shape[1] for x in matrices)]
    ties = -1 if len(matrices) == 3 else 1  # of two ways that cost the same, PyTorch's

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        """The cost of the factors `i` to `j`, and the last factor on the left."""
        if i == j:
            return 0, i
        splits = [
            (best(i, k)[0] + best(k + 1, j)[0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
            for k in range(i, j)
        ]
        return min(splits, key=lambda split: (split[0], ties * split[1]))

    def product(i: int, j: int) -> Any:
        if i == j:
            return matrices[i]
        k = best(i, j)[1]
        return mm(product(i, k), product(k + 1, j))

    return product(0, len(matrices) - 1)


def _chainable(tensors: Sequence[Any]) -> None:
    """Raises G021 or G025, as PyTorch's multi_dot, for what is no chain of matrices."""
    last = len(tensors) - 1
    if last < 1:
        fact = f"multi_dot(): expected at least 2 tensors but got {len(tensors)}"
        raise GradcliError("G021", fact)
    for i, x in enumerate(tensors):
        ends = {0: "the first tensor must be 1D or 2D", last: "the last tensor must be 1D or 2D"}
        if len(x.shape) != 2 and not (i in ends and len(x.shape) == 1):
            what = ends.get(i, f"tensor {i} must be 2D")
            raise GradcliError("G021", f"multi_dot(): {what} but got {len(x.shape)}D")
    first = tensors[0]
    for i, factor in enumerate(tensors):
        if factor.dtype is not first.dtype:
            kinds = f"tensor 0 is {C_TYPES[first.dtype]} and tensor {i} {C_TYPES[factor.dtype]}"
            raise GradcliError(
                "G025",
                f"multi_dot(): all tensors must have be the same dtype but {kinds}",
                help="convert one of them: .to(other.dtype)",
            )
    for i, (x, y) in enumerate(pairwise(tensors)):
        if x.shape[-1] != y.shape[0]:
            shapes = f"{list(x.shape)} and {list(y.shape)}"
            raise GradcliError(
                "G021",
                f"multi_dot(): tensors {i} and {i + 1} with shapes {shapes} cannot be multiplied",
            )
