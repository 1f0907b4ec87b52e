"""Decompositions of matrices: Cholesky, QR, eigenvalues, singular values; LU stands in lu.py.

Constraints: matrices are the last two dims, the others are batches; results have PyTorch's names.
Factors that are unique only up to a sign or a phase are LAPACK's, as in PyTorch.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.matrix_checks import (
    NOT_POSITIVE,
    matrices,
    square,
    square_shape,
    succeed,
)
from gradcli.graph.dim import steps
from gradcli.graph.dtype import NARROW, SCALAR_TYPES
from gradcli.graph.node import Node
from gradcli.ops import decompositions as own
from gradcli.ops import elementwise as ops
from gradcli.ops.matrices import adjoint, as_matrix, block, identity, idle, product
from gradcli.ops.movement import reshape, slice_, tril
from gradcli.ops.rows import lacks
from gradcli.tensor import registry
from gradcli.tensor.function import composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.named import Named
from gradcli.tensor.operands import is_half, no_kernel, with_real_gradient
from gradcli.tensor.results import Results, named_results
from gradcli.tensor.storing import CASTABLE, SAME

CholeskyEx = named_results("linalg_cholesky_ex", "L", "info")
Eig = named_results("linalg_eig", "eigenvalues", "eigenvectors")
Eigh = named_results("linalg_eigh", "eigenvalues", "eigenvectors")
SVD = named_results("linalg_svd", "U", "S", "Vh")
OldSVD = named_results("svd", "U", "S", "V")
Geqrf = named_results("geqrf", "a", "tau")
_REFLECTIONS: Any = {"columns": (0,), "refuses": lacks("orgqr_cpu", *NARROW)}

# -- Cholesky


@function("linalg.cholesky", shown="linalg_cholesky_ex", method=False, columns=(0,), out=SAME)
def cholesky(input: Any, *, upper: bool = False) -> Node:
    """The triangular L with `input = L @ L.mH`; `input` must be positive-definite."""
    x = square("linalg.cholesky", input, "cholesky_cpu")
    factor, info = own.cholesky_ex.many(x, upper=upper)
    succeed("linalg.cholesky", info, NOT_POSITIVE)
    return factor


@function("cholesky", columns=(0,), out=CASTABLE)
def _cholesky(input: Any, upper: bool = False) -> Node:
    """The triangular L with `input = L @ L.mH`, or the transposed one."""
    x = tensor(input)
    square_shape("cholesky", x)
    if not x.dtype.differentiable or is_half(x):
        raise no_kernel("cholesky_cpu", x)
    factor, info = own.cholesky_ex.many(x, upper=upper)
    succeed("cholesky", info, NOT_POSITIVE)
    return factor


@function("linalg.cholesky_ex", shown="linalg_cholesky_ex", method=False, columns=(0,))
def cholesky_ex(input: Any, *, upper: bool = False, check_errors: bool = False) -> Results:
    """The Cholesky factors, and for each the order of the minor that was not positive, or 0."""
    x = square("linalg.cholesky", input, "cholesky_cpu")
    factor, info = own.cholesky_ex.many(x, upper=upper)
    if check_errors:
        succeed("linalg.cholesky_ex", info, NOT_POSITIVE)
    return CholeskyEx(factor, info)


# -- QR and Householder reflections


def _qr(A: Any, mode: str) -> tuple[Node, ...]:
    x = matrices("linalg.qr", A, "geqrf_cpu")
    if mode not in ("reduced", "complete", "r"):
        raise GradcliError(
            "G026",
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'",
        )
    return own.qr.many(x, mode=mode)


QR = named_results("linalg_qr", "Q", "R")
OldQR = named_results("qr", "Q", "R")


@function("linalg.qr", shown="linalg_qr", method=False, columns=(0, 1))
def qr(A: Any, mode: str = "reduced") -> Results:
    """A = Q @ R, the columns of Q orthonormal, R triangular: "reduced", "complete" or only "r"."""
    return QR(*_qr(A, mode))


@function("qr", shown="linalg_qr", columns=(0, 1))
def _old_qr(input: Any, some: bool = True) -> Results:
    """`input = Q @ R`, reduced where `some`."""
    return OldQR(*_qr(input, "reduced" if some else "complete"))


@function("geqrf", columns=(0,))
def geqrf(input: Any) -> Results:
    """The QR decomposition as LAPACK stores it: R above Householder vectors, and their scales."""
    x = tensor(input)
    if x.ndim < 2:
        raise GradcliError("G021", "torch.geqrf: input must have at least 2 dimensions.")
    if not x.dtype.differentiable or is_half(x):
        raise no_kernel("geqrf_cpu", x)
    return Geqrf(*own.geqrf.many(with_real_gradient("geqrf", x)))


def _reflectors(name: str, input: Any, tau: Any) -> tuple[Node, Node]:
    x, scales = tensor(input), tensor(tau)
    if x.ndim < 2:
        raise GradcliError("G021", f"{name}: input must have at least 2 dimensions.")
    if x.shape[-2] < x.shape[-1] and name.startswith("torch.linalg"):
        raise GradcliError(
            "G021", f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if x.shape[-1] < scales.shape[-1] and name != "torch.ormqr":
        raise GradcliError(
            "G021", f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    if x.dtype is not scales.dtype:
        raise GradcliError(
            "G025",
            f"{name}: tau dtype {SCALAR_TYPES[scales.dtype]} does not match input dtype "
            f"{SCALAR_TYPES[x.dtype]}",
        )
    return tril(x, diagonal=-1) + identity(x.shape[-2], x.dtype, x.shape[-1]), scales


def _reflected(vectors: Node, scales: Node, x: Node, *, transpose: bool, left: bool) -> Node:
    """Q @ x, Q the product of `1 - scale * v @ v.mH`; or with its adjoint, or from the right."""
    order = range(steps(scales.shape[-1], "reflections"))
    for i in order if transpose == left else reversed(order):
        v = block(vectors, wide=slice(i, i + 1))
        scale = _number(scales, i)
        scale = ops.conj(scale) if transpose else scale
        if left:
            x = x - product(scale * v, product(adjoint(v), x))
        else:
            x = x - product(product(x, v), scale * adjoint(v))
    return x


def _number(scales: Node, place: int) -> Node:
    return as_matrix(reshape(slice_(scales, slices=((place, 1, 1),)), axes=1, shape=()))


@function(
    "linalg.householder_product",
    Named("orgqr", input2="tau"),
    shown="linalg_householder_product",
    **_REFLECTIONS,
)
def householder_product(input: Any, tau: Any) -> Node:
    """The first columns of a product of reflections `1 - tau * v @ v.mH`, v below the diagonal."""
    vectors, scales = _reflectors("torch.linalg.householder_product", input, tau)
    start = idle(vectors, identity(vectors.shape[-2], vectors.dtype, vectors.shape[-1]))
    return _reflected(vectors, scales, start, transpose=False, left=True)


@function("ormqr", columns=(0,), refuses=lacks("ormqr_cpu", *NARROW))
def ormqr(
    input: Any, input2: Any, input3: AnyTensor, left: bool = True, transpose: bool = False
) -> Node:
    """A matrix times the product of reflections, or its adjoint, from the left or the right."""
    vectors, scales = _reflectors("torch.ormqr", input, input2)
    x, axis = tensor(input3), -2 if left else -1
    if x.ndim < 2:
        raise GradcliError("G021", "torch.ormqr: other must have at least 2 dimensions.")
    if scales.shape[-1] != min(x.shape[axis], vectors.shape[-1]):
        raise GradcliError(
            "G021",
            f"torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{axis}], "
            "input.shape[-1])",
        )
    if x.shape[axis] != vectors.shape[-2]:
        raise GradcliError(
            "G021", f"torch.ormqr: other.shape[{axis}] must be equal to input.shape[-2]"
        )
    x = x if scales.shape[-1] else ops.clone(x)  # a result of its own
    return _reflected(vectors, scales, x, transpose=transpose, left=left)


# -- eigenvalues and singular values


def _eig(name: str, A: Any) -> tuple[Node, ...]:
    x = tensor(A)
    square_shape(name, x)
    if not x.dtype.differentiable:
        raise GradcliError("G025", f"Unknown Complex ScalarType for {SCALAR_TYPES[x.dtype]}")
    if is_half(x):
        raise no_kernel("linalg_eig_out_cpu", x)
    return own.eig.many(x)


@function("linalg.eig", shown="linalg_eig", method=False, columns=(1,))
def eig(input: Any) -> Results:
    """The complex eigenvalues of square matrices, and eigenvectors of length 1 as columns."""
    return Eig(*_eig("linalg.eig", input))


@function("linalg.eigvals", shown="linalg_eig", method=False)
def eigvals(input: Any) -> Node:
    """The complex eigenvalues of square matrices."""
    return _eig("linalg.eigvals", input)[0]


def _eigh(A: Any, UPLO: str) -> tuple[Node, ...]:
    x = tensor(A)
    square_shape("linalg.eigh", x)
    if str(UPLO).upper() not in ("L", "U"):
        raise GradcliError("G026", f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    if not x.dtype.differentiable or is_half(x):
        raise no_kernel("linalg_eigh_cpu", x)
    return own.eigh.many(x, uplo=UPLO.upper())


@function("linalg.eigh", shown="linalg_eigh", method=False, columns=(1,))
def eigh(input: Any, UPLO: str = "L") -> Results:
    """The ascending eigenvalues and orthonormal eigenvectors of symmetric (Hermitian) matrices."""
    return Eigh(*_eigh(input, UPLO))


@function("linalg.eigvalsh", shown="linalg_eigh", method=False, out=SAME)
def eigvalsh(input: Any, UPLO: str = "L") -> Node:
    """The eigenvalues of symmetric (Hermitian) matrices, ascending."""
    return _eigh(input, UPLO)[0]


@function("linalg.svd", shown="linalg_svd", method=False, columns=(0, 2))
def svd(A: Any, full_matrices: bool = True, *, driver: str | None = None) -> Results:
    """A = U @ diag(S) @ Vh, S descending; U and Vh are square unless `full_matrices` is False."""
    x = matrices("linalg.svd", A, "linalg_svd_cpu")
    if driver is not None:
        raise GradcliError(
            "G026",
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with "
            "cuSOLVER backend.",
        )
    return SVD(*own.svd.many(x, full=full_matrices))


@composite("svd")
def _old_svd(input: Any, some: bool = True, compute_uv: bool = True) -> Results:
    """`input = U @ diag(S) @ V.mH`; U and V are zero unless `compute_uv`."""
    rank = input.dim()
    if rank < 2:
        raise GradcliError(
            "G021",
            "linalg.svd: input should have at least 2 dimensions, but has "
            f"{rank} dimensions instead",
        )
    if compute_uv:
        left, values, right = svd(input, full_matrices=not some)
        return OldSVD(left, values, right.mH)
    lead, (m, n) = tuple(input.shape[:-2]), input.shape[-2:]
    zeros = registry.find("torch.zeros")
    nothing = (zeros(*lead, size, size, dtype=input.dtype) for size in (m, n))
    return OldSVD(next(nothing), registry.find("torch.linalg.svdvals")(input), next(nothing))


# -- decompositions of low rank (Halko, Martinsson, Tropp: Finding structure with randomness, 2011)


@composite("svd_lowrank", method=False)
def svd_lowrank(A: Any, q: int | None = 6, niter: int | None = 2, M: Any = None) -> Any:
    """The `q` largest singular values of A - M and their vectors, from random projections."""
    x = A if M is None else A - M
    tall = A.shape[-2] >= A.shape[-1]
    x = x if tall else x.mH
    basis = _range_of(x, 6 if q is None else q, 2 if niter is None else niter)
    left, values, right = svd(basis.mH @ x, full_matrices=False)
    left, right = basis @ left, right.mH
    return (left, values, right) if tall else (right, values, left)


def _range_of(x: Any, count: int, rounds: int) -> Any:
    """Orthonormal columns that nearly span what `x` maps to."""
    draw = registry.find("torch.randn")(x.shape[-1], count, dtype=x.dtype)
    basis = qr(x @ draw)[0]
    for _ in range(rounds):
        basis = qr(x @ qr(x.mH @ basis)[0])[0]
    return basis


@composite("pca_lowrank", method=False)
def pca_lowrank(A: Any, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """The principal components of the rows of A, nearly, as by `svd_lowrank`."""
    least = min(A.shape[-2:])
    if q is not None and not 0 <= q <= least:
        raise GradcliError(
            "G026",
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={least}",
            kind=ValueError,
        )
    if niter < 0:
        raise GradcliError("G026", f"niter(={niter}) must be non-negative integer", kind=ValueError)
    centred = A - A.mean(-2, True) if center else A
    return svd_lowrank(centred, min(6, least) if q is None else q, niter)
