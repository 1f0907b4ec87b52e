"""Numbers and functions of matrices: determinants, norms, condition, powers, exponentials.

Constraints: matrices are the last two dims, the others are batches.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.matrix_checks import (
    matrices,
    square,
    square_shape,
)
from gradcli.functions.reduce import vector_norm
from gradcli.functions.systems import inv, inv_ex, tolerances
from gradcli.graph.dim import steps
from gradcli.graph.dtype import BOOL, SCALAR_TYPES, as_dtype, int64
from gradcli.graph.node import Node, constant
from gradcli.graph.shape import axis_from_right
from gradcli.ops import decompositions, matrix_functions, reduction
from gradcli.ops import elementwise as ops
from gradcli.ops.matrices import identity, idle
from gradcli.ops.movement import reshape
from gradcli.tensor import registry
from gradcli.tensor.function import composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.named import Named
from gradcli.tensor.operands import is_half
from gradcli.tensor.results import Results, named_results
from gradcli.tensor.storing import CASTABLE, LINALG, NORM, SAME

INFINITY = float("inf")

# -- determinants


@function("linalg.det", Named("det", input="A"), shown="linalg_det", out=SAME)
def det(A: Any) -> Node:
    """The determinants of square matrices."""
    return matrix_functions.det(square("linalg.det", A, "lu_cpu"))


def _slogdet(*names: str) -> Any:
    kind = named_results(names[0].replace(".", "_"), "sign", "logabsdet")

    def body(A: Any) -> Results:
        return kind(*matrix_functions.slogdet.many(square("linalg.slogdet", A)))

    body.__doc__ = "The signs of determinants, and the logarithms of their absolute values."
    return function(*names, shown="linalg_slogdet")(body)


slogdet, _ = _slogdet("linalg.slogdet"), _slogdet(Named("slogdet", input="A"))


@composite("logdet", out=None)
def logdet(input: Any) -> Any:
    """The logarithms of determinants; NaN where one is negative."""
    square("logdet", input.node)
    sign, size = slogdet(input)
    if input.dtype.is_complex:
        return sign.log() + size
    return registry.find("torch.where")(sign == -1.0, float("nan"), size)


# -- norms


@function("linalg.svdvals", shown="linalg_svd", method=False)
def svdvals(A: Any) -> Node:
    """The singular values of matrices, in descending order."""
    x = matrices("linalg.svd", A, "linalg_svd_cpu")
    return decompositions.svd.many(x, full=False)[1]


@composite("linalg.matrix_norm", method=False, out=NORM)
def matrix_norm(
    input: Any,
    ord: Any = "fro",
    dim: Any = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    """A norm of matrices: "fro", "nuc", or 1, 2, inf with either sign."""
    first, second = _matrix_axes(input, ord, dim, dtype)
    if ord == "fro":
        return vector_norm(input, 2, (first, second), keepdim, dtype=dtype)
    if ord in ("nuc", 2, -2):
        values = svdvals(_typed(input, dtype).movedim((first, second), (-2, -1)))
        found = values.sum(-1) if ord == "nuc" else getattr(values, _END[ord > 0])(-1)
        return (
            found.unsqueeze(-1).unsqueeze(-1).movedim((-2, -1), (first, second))
            if keepdim
            else found
        )
    summed, chosen = (first, second) if abs(ord) == 1 else (second, first)
    sums = vector_norm(input, 1, summed, keepdim, dtype=dtype)
    return getattr(sums, _END[ord > 0])(chosen + (chosen < summed and not keepdim), keepdim)


def _matrix_axes(A: Any, ord: Any, dim: Any, dtype: Any) -> tuple[int, int]:
    """The two axes of a norm of matrices; raises as PyTorch does where there is no such norm."""
    name = "linalg.matrix_norm"
    if ord not in ("fro", "nuc", 1, -1, 2, -2, INFINITY, -INFINITY):
        raise GradcliError("G026", f"{name}: Order {ord} not supported.")
    x = tensor(A.node)
    halves = ord not in ("nuc", 2, -2)
    matrices(name, x if dtype is None else ops.cast(x, as_dtype(dtype)), halves=halves)
    dims = dim if isinstance(dim, (list, tuple)) else (dim,)
    if len(dims) != 2:
        said = " ".join(map(str, dims))
        raise GradcliError("G023", f"{name}: dim must be a 2-tuple. Got {said}")
    axes = [axis_from_right(d, x.ndim) for d in dims]
    if axes[0] == axes[1]:
        said = ", ".join(str(axis + x.ndim) for axis in axes)
        raise GradcliError("G023", f"{name}: dims must be different. Got ({said})")
    return axes[0], axes[1]


_END = {True: "amax", False: "amin"}


def _typed(x: Any, dtype: Any) -> Any:
    return x if dtype is None else x.to(dtype)


@composite("linalg.norm", method=False, out=NORM)
def norm(
    input: Any,
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    """The norm of vectors, or of matrices where `dim` has two dims or `ord` is a matrix norm."""
    rank = len(input.shape)
    if ord is not None and dim is None and rank not in (1, 2):
        raise GradcliError(
            "G021",
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. "
            f"Got {rank}D.",
        )
    dims = [dim] if isinstance(dim, int) else dim
    if dims is not None and len(dims) not in (1, 2):
        said = list(dims)
        raise GradcliError(
            "G023",
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {said}",
        )
    pair = len(dims) == 2 if dims is not None else rank == 2
    if isinstance(ord, str) or (ord is not None and pair):
        return matrix_norm(input, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype)
    return vector_norm(input, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


@composite("linalg.cond", method=False, out=LINALG)
def cond(input: Any, p: Any = None) -> Any:
    """The condition number in the norm `p` (2 by default): infinite for singular matrices."""
    if input.dim() < 2:
        kind = f"(ord={p})" if isinstance(p, str) else ""
        letter = " A" if kind else ""
        raise GradcliError(
            "G021",
            f"linalg.cond{kind}: The input tensor{letter} must have at least 2 dimensions.",
        )
    if p is None or p in (2, -2):
        values = svdvals(input)
        if not values.numel():
            return input.new_zeros(values.shape[:-1]).real
        first, last = values.narrow(-1, 0, 1), values.narrow(-1, -1, 1)
        return ((first / last) if p != -2 else (last / first)).squeeze(-1)
    if not isinstance(p, str) and p not in (1, -1, INFINITY, -INFINITY):
        raise GradcliError("G026", f"linalg.cond got an invalid norm type: {p}")
    square_shape(f"linalg.cond(ord={p})", tensor(input.node))
    if p not in ("fro", "nuc", 1, -1, INFINITY, -INFINITY):
        raise GradcliError("G026", f"linalg.cond got an invalid norm type: {p}")
    if not input.numel():
        return input.new_zeros(input.shape[:-2]).real
    if p == "nuc":
        return matrix_norm(input, p) * matrix_norm(inv(input), p)
    inverse, info = inv_ex(input)
    failed = (info > 0).unsqueeze(-1).unsqueeze(-1)
    product = matrix_norm(input, p) * matrix_norm(inverse.masked_fill(failed, INFINITY), p)
    return product.nan_to_num(INFINITY, INFINITY, -INFINITY)


@function("linalg.matrix_rank", shown="linalg_matrix_rank", method=False)
def matrix_rank(
    input: Any,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Node:
    """How many singular values are larger than max(atol, rtol*largest)."""
    x = matrices("torch.linalg.matrix_rank", input, letter="input", tolerant=True)
    if tol is not None:
        atol, rtol = tol, 0
    small, part = tolerances(x, atol, rtol)
    if hermitian:
        sizes = ops.absolute(decompositions.eigh.many(x, uplo="L")[0])
    else:
        sizes = decompositions.svd.many(x, full=False)[1]
    if not sizes.size:
        return constant(0, int64, x.shape[:-2])
    largest = reduction.amax(sizes, axis=(-1,), keepdims=False)
    bound = ops.maximum(small, part * largest)
    counts = ops.gt(sizes, reshape(bound, axes=0, shape=(1,)))
    return reduction.total(ops.cast(counts, int64), axis=(-1,), keepdims=False)


# -- powers and exponentials


@composite("linalg.matrix_power", "matrix_power", out=CASTABLE)
def matrix_power(input: Any, n: int) -> Any:
    """The n-th power of square matrices, by repeated squaring; a negative one of the inverse."""
    if isinstance(n, bool) or not isinstance(n, int):
        raise GradcliError(
            "G013",
            f"linalg_matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}",
            kind=TypeError,
        )
    square_shape("linalg.matrix_power", tensor(input.node))
    if n == 0:
        return _power_zero(input)
    if n == 1:
        return input.clone()
    base, power, result = (input if n > 0 else inv(input)), abs(steps(n, "factors")), None
    while power:
        if power % 2:
            result = base if result is None else result @ base
        power //= 2
        base = base @ base if power else base
    return result


@function("Tensor._power_zero", shown="CopyBackwards")
def _power_zero(input: Any) -> Node:
    """Unit matrices."""
    return idle(input, identity(input.shape[-1], input.dtype))


@function("linalg.matrix_exp", "matrix_exp", shown="linalg_matrix_exp")
def matrix_exp(input: Any) -> Node:
    """The exponential of square matrices: the sum of `input**k / k!`."""
    return matrix_functions.matrix_exp(square("linalg.matrix_exp", input, halves=True))


# -- further products


@composite("linalg.diagonal", method=False)
def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonals over two dims, the last two by default; a view."""
    return registry.find("torch.diagonal")(A, offset, dim1, dim2)


@composite("linalg.vander", method=False)
def vander(x: Any, *, N: int | None = None) -> Any:
    """The powers 0 to N - 1 of each element, along a new last dim."""
    if x.dtype.category == BOOL or is_half(x):
        raise GradcliError(
            "G025",
            "linalg.vander supports floating point, complex, and integer tensors, but got "
            f"{SCALAR_TYPES[x.dtype]}",
        )
    return _powers(x if x.dim() else x.unsqueeze(0), N)


def _powers(x: Any, N: int | None) -> Any:
    count = x.shape[-1] if N is None else N
    if count <= 1:
        raise GradcliError("G026", "N must be greater than 1.")
    bases = x.unsqueeze(-1).expand(*x.shape, count - 1).cumprod(-1)
    ones = registry.find("torch.ones")(*x.shape, 1, dtype=bases.dtype)
    return registry.find("torch.cat")([ones, bases], -1)


@composite("vander", method=False, out=None)
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of each element of a vector as rows, the highest first unless `increasing`."""
    if x.dim() != 1:
        raise GradcliError("G021", "x must be a one-dimensional tensor.")
    if N is not None and N < 0:
        raise GradcliError("G026", "N must be non-negative.")
    count = x.shape[0] if N is None else N
    dtype = x.dtype if x.dtype.differentiable else int64
    powers = registry.find("torch.empty")(x.shape[0], max(count, 0), dtype=dtype)
    if count > 0:
        powers.select(1, 0).fill_(1)
    if count > 1:  # PyTorch overwrites what its cumprod keeps: there is no gradient
        others = powers.narrow(1, 1, count - 1)
        others.copy_(x.unsqueeze(1))
        others.copy_(others.cumprod(1))
    return powers if increasing else powers.flip(1)
