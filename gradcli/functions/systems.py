"""Inverses, pseudo-inverses and systems of linear equations.

Constraints: matrices are the last two dims, the others are batches. `..._ex` functions return
LAPACK's `info` in place of an error. A parameter is called `A` where PyTorch calls it so.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.functions.matrix_checks import (
    NO_INVERSE,
    SINGULAR,
    matrices,
    one_dtype,
    square,
    square_shape,
    succeed,
    system,
)
from gradcli.graph.dtype import BOOL, HALVES, INTEGER, NARROW, SCALAR_TYPES
from gradcli.graph.node import Node, constant
from gradcli.graph.op import DETACH
from gradcli.graph.shape import numel
from gradcli.ops import elementwise as ops
from gradcli.ops import systems
from gradcli.ops.matrices import EPSILON, LinAlgError, emptied, transposed
from gradcli.ops.movement import reshape
from gradcli.ops.rows import lacks
from gradcli.tensor import registry
from gradcli.tensor.function import composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.named import Named
from gradcli.tensor.results import Results, named_results
from gradcli.tensor.storing import CASTABLE, LINALG, TYPE

registry.register("torch.linalg.LinAlgError", LinAlgError)
InvEx = named_results("linalg_inv_ex", "inverse", "info")
SolveEx = named_results("linalg_solve_ex", "result", "info")
Lstsq = named_results("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
Triangular = named_results("triangular_solve", "solution", "cloned_coefficient")


def from_left(*arguments: Any, left: bool = True, **options: Any) -> tuple[int, ...]:
    """The results that lie column by column: none where PyTorch solves the adjoint system."""
    return (0,) if left else ()


DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@function("linalg.inv", Named("inverse", input="A"), shown="linalg_inv_ex", columns=(0,))
def inv(A: Any) -> Node:
    """The inverses of square matrices; a singular one is an error."""
    return _inverted("linalg.inv", A)


def _inverted(name: str, A: Any) -> Node:
    inverse, info = systems.inv_ex.many(square("linalg.inv", A))
    succeed(name, info, NO_INVERSE)
    return inverse


@function("linalg.inv_ex", shown="linalg_inv_ex", method=False, columns=(0,))
def inv_ex(A: Any, *, check_errors: bool = False) -> Results:
    """The inverses of square matrices, and for each the pivot that was zero, or 0."""
    inverse, info = systems.inv_ex.many(square("linalg.inv", A))
    if check_errors:
        succeed("linalg.inv_ex", info, NO_INVERSE)
    return InvEx(inverse, info)


def _solved(name: str, A: Any, B: Any, left: bool, check: bool) -> tuple[Node, Node]:
    a, b = tensor(A), tensor(B)
    one_dtype("linalg.solve", a, b)
    vector = b.ndim == 1 or (a.ndim - 1 == b.ndim and b.shape == a.shape[:-1])
    if vector:
        b = reshape(b, axes=1, shape=(b.shape[-1], 1))
    found, info = systems.solve_ex.many(*system("linalg.solve", a, b, left), left=left)
    if check:
        succeed(name, info, SINGULAR)
    return (reshape(found, axes=2, shape=found.shape[-2:-1]) if vector else found), info


_SOLVING: Any = {
    **{"shown": "linalg_solve_ex", "method": False, "columns": from_left},
    "refuses": lacks("lu_cpu", *HALVES),
}


@function("linalg.solve", **_SOLVING)
def solve(A: Any, B: Any, *, left: bool = True) -> Node:
    """The solution of AX = B, or of XA = B; B is a vector where it has one dim less than A."""
    return _solved("torch.linalg.solve", A, B, left, True)[0]


@function("linalg.solve_ex", **_SOLVING)
def solve_ex(A: Any, B: Any, *, left: bool = True, check_errors: bool = False) -> Results:
    """The solution as of `linalg.solve`, and for each matrix the pivot that was zero, or 0."""
    return SolveEx(*_solved("torch.linalg.solve_ex", A, B, left, check_errors))


@function(
    "linalg.solve_triangular",
    shown="linalg_solve_triangular",
    method=False,
    columns=(0,),
    refuses=lacks("triangular_solve_cpu", *NARROW),
    out=TYPE,
)
def solve_triangular(
    input: Any,
    B: Any,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Node:
    """The solution of AX = B, or of XA = B, with a triangle A of `input`; infinite if singular."""
    a, b = system("linalg.solve_triangular", input, B, left)
    return systems.solve_triangular(a, b, upper=upper, left=left, unit=unitriangular)


@function("triangular_solve", columns=(0, 1), refuses=lacks("triangular_solve_cpu", *NARROW))
def triangular_solve(
    input: Any,
    A: Any,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> Results:
    """The solution of AX = input with a triangle of A or of its transpose, and A itself."""
    b, a = tensor(input), square("triangular_solve", A)
    _fitting("triangular_solve", a, b)
    matrix = ops.clone(a)
    turned = transposed(a) if transpose else a
    found = systems.solve_triangular(
        turned, b, upper=upper != transpose, left=True, unit=unitriangular
    )
    return Triangular(found, matrix)


def _fitting(name: str, a: Node, b: Node) -> None:
    if b.ndim < 2:
        raise GradcliError(
            "G021", f"b should have at least 2 dimensions, but has {b.ndim} dimensions instead"
        )
    if a.shape[-1] != b.shape[-2]:
        m, n = a.shape[-2:]
        raise GradcliError(
            "G021",
            f"Incompatible matrix sizes for {name}: each A matrix is {m} by {n} but each b matrix "
            f"is {b.shape[-2]} by {b.shape[-1]}",
        )


@function(
    "cholesky_solve",
    columns=(0,),
    refuses=lacks("cholesky_solve_cpu", BOOL, INTEGER, *HALVES),
    out=CASTABLE,
)
def cholesky_solve(input: Any, input2: Any, upper: bool = False) -> Node:
    """The solution of AX = input from the Cholesky factor of A."""
    b, a = tensor(input), tensor(input2)
    if b.ndim >= 2:
        a = square("cholesky_solve", a)
    _fitting("cholesky_solve", a, b)
    one_dtype("cholesky_solve", a, b)
    return systems.cholesky_solve(b, a, upper=upper)


@function(
    "cholesky_inverse",
    columns=(0,),
    refuses=lacks("cholesky_inverse_out_cpu", *NARROW),
    out=CASTABLE,
)
def cholesky_inverse(input: Any, upper: bool = False) -> Node:
    """The inverse of A from its Cholesky factor."""
    x = tensor(input)
    square_shape("cholesky_inverse", x)
    return systems.cholesky_inverse(x, upper=upper)


@function("linalg.lstsq", shown="linalg_lstsq", method=False, columns=(0,))
def lstsq(input: Any, b: Any, rcond: float | None = None, *, driver: str | None = None) -> Results:
    """The X with the least squares of `input @ X - b`; residuals, ranks and singular values."""
    x, y, vector = _least_squares(input, b)
    method = driver or "gelsy"
    if method not in DRIVERS:
        raise GradcliError(
            "G026",
            f"torch.linalg.lstsq: parameter `driver` should be one of ({', '.join(DRIVERS)})",
        )
    found, off, rank, sizes = systems.lstsq.many(x, y, rcond=rcond, driver=method)
    if off.size and method in ("gelsd", "gelss") and (array(rank) < x.shape[-1]).any():
        off = emptied(off)
    if vector:
        found = reshape(found, axes=2, shape=(x.shape[-1],))
    return Lstsq(found, off, rank, DETACH(sizes))


def _least_squares(input: Any, b: Any) -> tuple[Node, Node, bool]:
    x, y, name = tensor(input), tensor(b), "torch.linalg.lstsq"
    if x.ndim < 2:
        raise GradcliError("G021", f"{name}: input must have at least 2 dimensions.")
    if y.ndim < 1:
        raise GradcliError("G021", f"{name}: other must have at least 1 dimension.")
    if not 0 <= x.ndim - y.ndim <= 1:
        raise GradcliError(
            "G021",
            f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - "
            "other.dim()) <= 1",
        )
    if x.dtype is not y.dtype:
        raise GradcliError(
            "G025",
            f"{name}: Expected input and other to have the same dtype, but got input's dtype "
            f"{SCALAR_TYPES[x.dtype]} and other's dtype {SCALAR_TYPES[y.dtype]}",
        )
    matrices(name, x, tolerant=True)
    vector = x.ndim - 1 == y.ndim and y.shape == x.shape[:-1]
    if vector:
        y = reshape(y, axes=1, shape=(y.shape[-1], 1))
    if y.ndim < 2 or x.shape[-2] != y.shape[-2]:
        axis = -min(y.ndim, 2)
        raise GradcliError("G021", f"{name}: input.size(-2) should match other.size({axis})")
    return x, y, vector


def tolerances(x: Node, atol: Any, rtol: Any) -> tuple[Node, Node]:
    """The absolute and the relative size of singular values that count as zero."""
    kind = x.dtype.to_real()
    usual = EPSILON[kind.name] * max(x.shape[-2:])
    absolute = _tolerance(0 if atol is None else atol, kind)
    if rtol is not None:
        return absolute, _tolerance(rtol, kind)
    given = ops.gt(absolute, constant(0, kind))
    return absolute, ops.where(given, constant(0, kind), constant(usual, kind))


def _tolerance(value: Any, kind: Any) -> Node:
    return ops.cast(value, kind) if isinstance(value, Node) else constant(value, kind)


@function(
    "linalg.pinv",
    Named("pinverse", atol=None, rtol=None, hermitian=None),
    shown="linalg_pinv",
    exact=True,
    out=LINALG,
)
def pinv(
    input: Any,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Node:
    """The pseudo-inverse; singular values of at most max(atol, rtol*largest) count as zero."""
    x = tensor(input)
    if x.ndim < 2 or not x.dtype.differentiable or x.dtype.itemsize < 4:
        raise GradcliError(
            "G025",
            f"linalg.pinv({SCALAR_TYPES[x.dtype]}{{{list(x.shape)}}}): expected a tensor with 2 or "
            "more dimensions of float, double, cfloat or cdouble types",
        )
    limits = tolerances(x, atol, rcond if rtol is None else rtol)
    return systems.pinv(x, *limits, hermitian=hermitian)


def _prods(shape: Any, count: int) -> tuple[int, int]:
    return numel(tuple(shape[:count])), numel(tuple(shape[count:]))


@composite("linalg.tensorinv", method=False, out=CASTABLE)
def tensorinv(input: Any, ind: int = 2) -> Any:
    """The inverse of the linear map that takes the last dims of `input` to the first `ind`."""
    if ind <= 0:
        raise GradcliError("G026", f"Expected a strictly positive integer for 'ind', but got {ind}")
    shape = tuple(input.shape)
    high, wide = _prods(shape, ind)
    if high != wide:
        raise GradcliError(
            "G021",
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {wide} != {high}",
        )
    return _inverse_of_map(input.reshape(high, wide)).reshape(*shape[ind:], *shape[:ind])


@function("Tensor._inverse_of_map", shown="linalg_inv_ex", columns=(0,))
def _inverse_of_map(input: Any) -> Node:
    """The inverse of a matrix."""
    return _inverted("inv", input)


@composite("linalg.tensorsolve", method=False, out=CASTABLE)
def tensorsolve(input: Any, other: Any, dims: Any = None) -> Any:
    """The X with `tensordot(input, X, X.ndim) = other`; `dims` of `input` are moved last first."""
    if dims is not None:
        input = input.movedim(tuple(dims), tuple(range(-len(dims), 0)))
    shape, count = tuple(input.shape), len(other.shape)
    wide = _prods(shape, count)[1]
    if wide != numel(tuple(other.shape)):
        raise GradcliError(
            "G021",
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {wide} != {numel(tuple(other.shape))}",
        )
    return solve(input.reshape(wide, wide), other.reshape(wide)).reshape(*shape[count:])
