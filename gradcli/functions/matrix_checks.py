"""What functions of matrices ask of their arguments, and say of a factorisation that failed.

Constraints: PyTorch's sentences; nothing here computes.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import checked
from gradcli.graph.dtype import SCALAR_TYPES
from gradcli.graph.node import Node
from gradcli.ops.matrices import LinAlgError
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.levels import of_all_examples
from gradcli.tensor.operands import given_dtype, is_half, no_kernel

SINGULAR = "The solver failed because the input matrix is singular."
NO_INVERSE = (
    "The diagonal element {} is zero, the inversion could not be completed because the input "
    "matrix is singular."
)
NOT_POSITIVE = (
    "The factorization could not be completed because the input is not positive-definite (the "
    "leading minor of order {} is not positive-definite)."
)
ZERO_PIVOT = (
    "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero. If you still "
    "want to perform the factorization, consider calling linalg.lu(A, pivot) or "
    "linalg.lu_factor_ex(A, pivot)"
)


def matrices(
    name: str,
    x: Any,
    kernel: str = "",
    *,
    letter: str = "A",
    halves: bool = False,
    tolerant: bool = False,
) -> Node:
    """An operand of matrices of real or complex numbers.

    Args:
        name: PyTorch's name of the function.
        x: the operand.
        kernel: PyTorch's kernel, which speaks of float16; the function does where there is none.
        letter: what the operand is called.
        halves: whether it takes float16 and bfloat16.
        tolerant: whether it computes a tolerance first, from the dtype.

    Raises:
        GradcliError: G021 for fewer than 2 dims, G025 for the dtype.
    """
    node = tensor(x)
    _at_least_two(name, node, letter)
    kind = SCALAR_TYPES[given_dtype(node)]
    if tolerant and (not node.dtype.differentiable or is_half(node)):
        raise GradcliError("G025", "This function doesn't handle types other than float and double")
    if not node.dtype.differentiable:
        raise GradcliError(
            "G025",
            f"{name}: Expected a floating point or complex tensor as input. Got {kind}",
            help="convert it: .float()",
        )
    if is_half(node) and not halves:
        if kernel:
            raise no_kernel(kernel, node)
        raise GradcliError("G025", f"{name}: Low precision dtypes not supported. Got {kind}")
    return node


def square_shape(name: str, x: Node) -> None:
    """Raises G021 for what is no stack of square matrices."""
    _at_least_two(name, x, "A")
    if x.shape[-1] != x.shape[-2]:
        raise GradcliError(
            "G021",
            f"{name}: A must be batches of square matrices, but they are {x.shape[-2]} by "
            f"{x.shape[-1]} matrices",
        )


def square(name: str, x: Any, kernel: str = "", *, halves: bool = False) -> Node:
    """An operand of square matrices; raises as `square_shape` and `matrices` do."""
    node = tensor(x)
    square_shape(name, node)
    return matrices(name, node, kernel, halves=halves)


def _at_least_two(name: str, x: Node, letter: str) -> None:
    if x.ndim < 2:
        raise GradcliError(
            "G021",
            f"{name}: The input tensor {letter} must have at least 2 dimensions.",
        )


def one_dtype(name: str, x: Node, y: Node) -> None:
    """Raises G025 where two operands differ in dtype."""
    if x.dtype is not y.dtype:
        kinds = (SCALAR_TYPES[node.dtype] for node in (x, y))
        raise GradcliError(
            "G025",
            f"{name}: Expected A and B to have the same dtype, but found A of type {next(kinds)} "
            f"and B of type {next(kinds)} instead",
            help="convert one of them: .to(other.dtype)",
        )


def system(name: str, x: Any, y: Any, left: bool) -> tuple[Node, Node]:
    """The operands of AX = B (XA = B unless `left`), B a matrix; raises as PyTorch does."""
    a, b = square(name, x), tensor(y)
    if b.ndim < 2:
        raise GradcliError("G021", f"{name}: The input tensor B must have at least 2 dimensions.")
    one_dtype(name, a, b)
    if a.shape[-2 if left else -1] != b.shape[-2 if left else -1]:
        sizes = ("x".join(map(str, node.shape[-2:])) for node in (a, b))
        raise GradcliError(
            "G021",
            f"{name}: Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B "
            f"({' and '.join(sizes)})",
        )
    return a, b


def succeed(name: str, info: Node, sentence: str, kind: type[BaseException] = LinAlgError) -> None:
    """Raises G026 with `sentence` for the first matrix whose factorisation failed.

    Args:
        name: PyTorch's name of the function.
        info: for each matrix 0, or the place of the pivot that failed.
        sentence: about that place, `{}`.
        kind: the class of PyTorch's exception.
    """
    failed = checked(of_all_examples(info), _first_failure)
    if failed is not None:
        which, place = failed
        raise GradcliError("G026", f"{name}: {which}{sentence.format(place)}", kind=kind)


def _first_failure(places: Any) -> tuple[str, int] | None:
    """(which matrix of several, the place) of the first pivot that failed."""
    for number, place in enumerate(places.ravel().tolist()):
        if place:
            return f"(Batch element {number}): " if places.ndim else "", place
    return None
