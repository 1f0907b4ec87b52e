"""LU and LDL decompositions of matrices, and the systems they solve.

Constraints: matrices are the last two dims, the others are batches; results have PyTorch's names.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import checked
from gradcli.functions.matrix_checks import (
    ZERO_PIVOT,
    square,
    succeed,
    system,
)
from gradcli.functions.systems import from_left
from gradcli.graph.dtype import HALVES, INTEGER, SCALAR_TYPES, int32
from gradcli.graph.node import Node, constant
from gradcli.ops import decompositions as own
from gradcli.ops.matrices import adjoint, emptied, product, transposed
from gradcli.ops.rows import lacks
from gradcli.ops.systems import solve_triangular
from gradcli.tensor.function import composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.levels import of_all_examples
from gradcli.tensor.operands import is_half, no_kernel
from gradcli.tensor.results import Results, named_results
from gradcli.tensor.storing import SAME

LU = named_results("linalg_lu", "P", "L", "U")
LUFactor = named_results("linalg_lu_factor", "LU", "pivots")
LUFactorEx = named_results("linalg_lu_factor_ex", "LU", "pivots", "info")
LUUnpack = named_results("lu_unpack", "P", "L", "U")
LUInfo = named_results("_lu_with_info", "LU", "pivots", "info")
LDLFactor = named_results("linalg_ldl_factor", "LD", "pivots")
LDLFactorEx = named_results("linalg_ldl_factor_ex", "LD", "pivots", "info")


def _lu_factor(name: str, A: Any, pivot: bool) -> tuple[Node, ...]:
    x = tensor(A)
    if x.ndim < 2:
        raise GradcliError(
            "G021",
            f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(x.shape)} instead",
        )
    if not x.dtype.differentiable or is_half(x):
        raise no_kernel("lu_cpu", x)
    if not pivot:
        raise GradcliError(
            "G026", "linalg.lu_factor: LU without pivoting is not implemented on the CPU"
        )
    return own.lu_factor_ex.many(x)


@function("linalg.lu_factor", shown="linalg_lu_factor_ex", method=False, columns=(0,))
def lu_factor(A: Any, *, pivot: bool = True) -> Results:
    """Both triangular factors of A in one matrix, and the exchanges of rows."""
    packed, pivots, info = _lu_factor("torch.lu_factor", A, pivot)
    succeed("torch.linalg.lu_factor", info, ZERO_PIVOT, RuntimeError)
    return LUFactor(packed, pivots)


@function("linalg.lu_factor_ex", shown="linalg_lu_factor_ex", method=False, columns=(0,))
def lu_factor_ex(A: Any, *, pivot: bool = True, check_errors: bool = False) -> Results:
    """As `linalg.lu_factor`, and for each matrix the pivot that was zero, or 0."""
    packed, pivots, info = _lu_factor("torch.lu_factor", A, pivot)
    if check_errors:
        succeed("torch.linalg.lu_factor_ex", info, ZERO_PIVOT, RuntimeError)
    return LUFactorEx(packed, pivots, info)


@function("lu", shown="linalg_lu_factor_ex", columns=(0,))
def _old_lu(A: Any, pivot: bool = True, get_infos: bool = False, check_errors: bool = False) -> Any:
    """Both triangular factors in one matrix, the exchanges of rows, and perhaps the zero pivots."""
    packed, pivots, info = _lu_factor("torch.lu_factor", A, pivot)
    return LUInfo(packed, pivots, info) if get_infos else (packed, pivots)


@function("linalg.lu", shown="linalg_lu", method=False)
def lu(A: Any, *, pivot: bool = True) -> Results:
    """A = P @ L @ U: a permutation and two triangular matrices."""
    packed, pivots, _ = _lu_factor("linalg.lu", A, pivot)
    return LU(_permutation(packed, pivots), *own.unpacked(packed))


def _permutation(packed: Node, pivots: Node) -> Node:
    return own.permutation(pivots, size=packed.shape[-2], dtype=packed.dtype)


@function("lu_unpack", method=False, layout=False)
def lu_unpack(
    LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True
) -> Results:
    """P, L and U from what `linalg.lu_factor` returns."""
    packed, pivots = tensor(LU_data), tensor(LU_pivots)
    if packed.ndim < 2:
        raise GradcliError(
            "G021",
            "torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: "
            f"{list(packed.shape)} instead",
        )
    if pivots.dtype is not int32:
        raise GradcliError(
            "G025",
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype.",
        )
    nothing = constant(0, packed.dtype, (0,))
    order = _permutation(packed, pivots) if unpack_pivots else nothing
    factors = own.unpacked(packed) if unpack_data else (emptied(packed), emptied(packed))
    return LUUnpack(order, *factors)


def _lu_solved(packed: Node, pivots: Node, b: Node, left: bool, adjoint_of: bool) -> Node:
    if not left:
        return adjoint(_lu_solved(packed, pivots, adjoint(b), True, not adjoint_of))
    order = _permutation(packed, pivots)
    if not adjoint_of:
        half = solve_triangular(
            packed, product(transposed(order), b), upper=False, left=True, unit=True
        )
        return solve_triangular(packed, half, upper=True, left=True, unit=False)
    back = adjoint(packed)
    half = solve_triangular(back, b, upper=False, left=True, unit=False)
    return product(order, solve_triangular(back, half, upper=True, left=True, unit=True))


@function(
    "linalg.lu_solve",
    shown="linalg_lu_solve",
    method=False,
    columns=from_left,
    refuses=lacks("linalg.lu_solve_cpu", *HALVES),
)
def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Node:
    """The solution of AX = B (XA = B) from the LU factors of A, or of its adjoint."""
    packed, b = system("linalg.lu_solve", LU, B, left)
    exchanges = tensor(pivots)
    if exchanges.dtype is not int32:
        raise GradcliError(
            "G025", "linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32"
        )
    if exchanges.shape[-1:] != packed.shape[-1:]:
        raise GradcliError(
            "G021",
            "linalg.lu_solve: Number of pivots per batch should be same as the dimension of the "
            "matrix",
        )
    return _lu_solved(packed, exchanges, b, left, adjoint)


@composite("lu_solve", out=SAME)
def _old_lu_solve(input: Any, LU_data: Any, LU_pivots: Any) -> Any:
    """The solution of AX = input from the LU factors of A."""
    return lu_solve(LU_data, LU_pivots, input)


# -- LDL


@function(
    "linalg.ldl_factor",
    shown="NotImplemented",
    method=False,
    columns=(0,),
    refuses=lacks("ldl_factor_kernel_cpu", *HALVES),
)
def ldl_factor(input: Any, *, hermitian: bool = False) -> Results:
    """Factors of symmetric (Hermitian) matrices as LAPACK stores them, and exchanges of rows."""
    x = square("torch.linalg.ldl_factor_ex", input)
    packed, pivots, info = own.ldl_factor_ex.many(x, hermitian=hermitian)
    succeed("torch.linalg.ldl_factor", info, "the pivot {} is zero", RuntimeError)
    return LDLFactor(packed, pivots)


@function(
    "linalg.ldl_factor_ex",
    shown="NotImplemented",
    method=False,
    columns=(0,),
    refuses=lacks("ldl_factor_kernel_cpu", *HALVES),
)
def ldl_factor_ex(input: Any, *, hermitian: bool = False, check_errors: bool = False) -> Results:
    """As `linalg.ldl_factor`, and for each matrix the pivot that was zero, or 0."""
    x = square("torch.linalg.ldl_factor_ex", input)
    packed, pivots, info = own.ldl_factor_ex.many(x, hermitian=hermitian)
    if check_errors:
        succeed("torch.linalg.ldl_factor_ex", info, "the pivot {} is zero", RuntimeError)
    return LDLFactorEx(packed, pivots, info)


@function(
    "linalg.ldl_solve",
    shown="NotImplemented",
    method=False,
    columns=(0,),
    refuses=lacks("ldl_solve_kernel_cpu", *HALVES),
    out=SAME,
)
def ldl_solve(LD: Any, pivots: Any, B: Any, *, hermitian: bool = False) -> Node:
    """The solution of AX = B from what `linalg.ldl_factor` returns for A."""
    name = "torch.linalg.ldl_solve"
    packed, b = system(name, LD, B, True)
    exchanges = tensor(pivots)
    if exchanges.dtype.category != INTEGER:
        kind = SCALAR_TYPES[exchanges.dtype]
        raise GradcliError("G025", f"{name}: Expected pivots to be integers. Got {kind}")
    if exchanges.shape != packed.shape[:-1]:
        raise GradcliError(
            "G021",
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with "
            f"shape {list(exchanges.shape)} instead",
        )
    size = packed.shape[-1]
    wrong = checked(of_all_examples(exchanges), lambda known: _no_pivots(known, size))
    if wrong:
        raise GradcliError("G026", wrong)
    return own.ldl_solve(packed, exchanges, b, hermitian=hermitian)


def _no_pivots(pivots: Any, size: int) -> str | None:
    """What is wrong with numbers that `ldl_factor` cannot have returned: LAPACK would follow them
    out of the matrix.
    """
    hint = "Did you properly pass the result of ldl_factor?"
    for fits, bound in ((abs(pivots) >= 1, ">= 1"), (abs(pivots) <= size, "<= LD.size(-2)")):
        if not fits.all():
            return f"Pivots given to ldl_solve must all satisfy |pivot| {bound}. {hint}"
    for row in pivots.reshape(-1, size).tolist() if pivots.size else []:
        signs = "".join("-" if pivot < 0 else "+" for pivot in row)
        if "-" in signs.replace("--", ""):
            return f"Negative pivots given to ldl_solve must come in pairs. {hint}"
    return None
