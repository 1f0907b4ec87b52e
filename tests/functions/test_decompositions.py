"""Linear algebra: names, second derivatives, singular matrices and errors, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import REFUSALS, compare, ours, theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import gradcli
from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import dtype_of
from gradcli.execute.evaluate import array
from gradcli.functions import find
from gradcli.graph.backward import backward
from gradcli.graph.node import data
from gradcli.ops import matrix_functions

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:torch.*deprecated:UserWarning")

S = np.array([[4.0, 1.0, 0.5], [1.2, 3.0, -1.0], [0.5, -0.7, 2.0]])
T = np.array([[1.0, 2.0], [-0.5, 1.5], [0.3, -2.0]])
VALUES: dict[str, Any] = {
    **{"s": S, "t": T, "b": np.stack([S, S + np.eye(3)]), "v": np.array([1.0, -2.0, 0.5])},
    **{"ci": np.arange(4).reshape(2, 2), "cu": np.array([[1.0, 2.0], [2.0, 4.0]])},
    **{"ch": np.ones((2, 2), np.float16), "cn": np.full((2, 2), np.nan), "cr": np.ones((2, 3))},
}
L = "torch.linalg."
COMPLEX = "torch.complex(s, s.mT)"

EXPRESSIONS = [
    *("det(s)", "det(b)", "slogdet(s)[1]", "inv(b)", "inv_ex(s)[0]", "solve(s, t)", "solve(b, v)"),
    *("solve(s, t.mT, left=False)", "solve(s, v)", "solve_ex(s, t)[0]", "pinv(t)", "pinv(t.mT)"),
    *("solve_triangular(s, t, upper=True)", "solve_triangular(s, t, upper=False)"),
    *("solve_triangular(s, t.mT, upper=True, left=False, unitriangular=True)",),
    *("lstsq(t, s)[0]", "lstsq(t.mT, t.mT)[0]", "lstsq(t, s, driver='gelsd')[1]"),
    *("lstsq(t, v)[0]", "lstsq(t, s, driver='gels')[0]", "pinv(s @ s.mT, hermitian=True)"),
    *("cholesky(s @ s.mT)", "cholesky(s @ s.mT, upper=True)", "cholesky_ex(b @ b.mT)[0]"),
    *("qr(t)[0]", "qr(t)[1]", "qr(t.mT)[0]", "qr(t.mT)[1]", "qr(s, 'complete')[1]"),
    *("lu(s)[1]", "lu(s)[2]", "lu(t)[1]", "lu(t.mT)[2]", "lu_factor(b)[0]", "lu_factor_ex(t)[0]"),
    *("lu_solve(*torch.linalg.lu_factor(s), t)", "eigvalsh(s)", "eigh(s)[0]", "svdvals(t)"),
    *("lu_solve(*torch.linalg.lu_factor(s), t.mT, left=False, adjoint=True)", "svd(t)[1]"),
    *("eigvals(s).real", "eig(s)[1].abs()", "svd(t, full_matrices=False)[0].abs()"),
    *("svd(t)[2].abs()", "matrix_exp(s)", "matrix_power(s, 3)", "matrix_power(s, -2)"),
    *("matrix_power(s, 0)", "matrix_power(s, 1)", "cond(s)", "cond(s, -2)", "cond(s, 'nuc')"),
    *("householder_product(t, v[:2])", "matrix_norm(t)"),
    *("matrix_norm(t, 2)", "matrix_norm(t, 'nuc')", "matrix_norm(b, -2)", "matrix_norm(b, 1)"),
    *("matrix_norm(b, -1, keepdim=True)", "matrix_norm(t, float('inf'))", "norm(t)", "norm(v, 3)"),
    *("matrix_norm(b, 2, dim=(0, 2))", "norm(t, 1)", "norm(b, 1, dim=1)", "vander(v)"),
    *("matrix_norm(b, float('-inf'), dim=(2, 0))", "norm(t, 'fro')", "vander(v, N=2)"),
    *(
        "tensorinv(b[:, :2, 0].reshape(2, 1, 2), ind=1).sum()",
        "tensorsolve(s, v)",
        "diagonal(b, offset=1)",
    ),
]
OLD = [
    *("torch.det(s)", "torch.slogdet(s)[1]", "torch.logdet(s)", "torch.inverse(b)", "s.inverse()"),
    *("torch.cholesky(s @ s.mT)", "torch.cholesky_inverse(s)", "torch.cholesky_solve(t, s)"),
    *("torch.cholesky_solve(t, s, upper=True)", "torch.cholesky_inverse(s, upper=True)"),
    *("torch.triangular_solve(t, s)[0]", "torch.triangular_solve(t, s, transpose=True)[0]"),
    *("torch.qr(t)[0]", "torch.svd(t)[1]", "torch.svd(t)[2].abs()", "torch.pinverse(t)"),
    *("torch.lu(s)[0]", "torch.lu_unpack(*torch.lu(s))[2]", "torch.lu_solve(t, *torch.lu(s))"),
    *("torch.ormqr(t, v[:2], s)", "torch.ormqr(t, v[:2], s, left=False, transpose=True)"),
    *("torch.orgqr(t, v[:2])", "torch.matrix_power(s, 2)", "torch.matrix_exp(b)"),
]


@pytest.mark.parametrize("expression", [*(L + e for e in EXPRESSIONS), *OLD])
def test_value_name_and_derivatives(expression: str) -> None:
    compare(expression, VALUES, double=1e-8)


@pytest.mark.parametrize(
    "expression",
    [
        *(f"det({COMPLEX}).abs()", f"slogdet({COMPLEX})[1]", f"slogdet({COMPLEX})[0].imag"),
        *(f"inv({COMPLEX}).real", f"solve({COMPLEX}, {COMPLEX}.mT).abs()", f"pinv({COMPLEX}).imag"),
        *(f"eigvalsh({COMPLEX})", f"svdvals({COMPLEX})", f"eigh({COMPLEX})[1].abs()"),
        *(f"qr({COMPLEX})[0].real", f"lu_factor({COMPLEX})[0].imag", f"eig({COMPLEX})[1].abs()"),
        *(f"cholesky({COMPLEX} @ {COMPLEX}.mH).imag", f"matrix_exp({COMPLEX}).abs()"),
    ],
)
def test_complex(expression: str) -> None:
    compare(L + expression, VALUES, double=1e-8)


PRINTED = [
    *("torch.linalg.slogdet(s)", "torch.slogdet(s)", "torch.linalg.lu(s)", "torch.linalg.qr(t)"),
    *("torch.linalg.lu_factor_ex(cu)", "torch.linalg.inv_ex(cu)", "torch.linalg.solve_ex(cu, cu)"),
    *("torch.linalg.lstsq(t, v)", "torch.linalg.cholesky_ex(-cu)", "torch.geqrf(t.detach())"),
    *("torch.linalg.eigh(cu)", "torch.linalg.svd(cu + 1)", "torch.linalg.matrix_rank(cu)"),
    *("torch.linalg.ldl_factor(s.detach())", "torch.lu(s, get_infos=True)", "torch.qr(t)"),
    *("torch.linalg.lu_factor(s)", "torch.linalg.cond(cu, 'fro')", "torch.logdet(cu)"),
    *(
        "torch.vander(v.detach(), increasing=True)",
        "torch.linalg.cond(b, 1).detach()",
        "torch.linalg.cholesky_ex(cu)",
    ),
    *("torch.svd(t, compute_uv=False)", "torch.lu_unpack(*torch.lu(s), unpack_data=False)"),
]


@pytest.mark.parametrize("expression", PRINTED)
def test_printed_as_pytorch_prints_it(expression: str) -> None:
    wanted = repr(theirs(expression, VALUES)[0])
    assert repr(ours(expression, VALUES)[0]) == wanted.replace("ReflectedBackward", "Backward")


ERRORS = [
    *("det(v)", "det(t)", "det(ci)", "det(ch)", "slogdet(ch)", "inv(cu)", "inv(cr)", "inv(ci)"),
    *("inv(torch.stack([s, 0*s]))", "inv_ex(cu, check_errors=True)", "pinv(v)", "pinv(cn)"),
    *("matrix_rank(v)", "matrix_rank(ci)", "cholesky(cu)", "cholesky(cn)", "cholesky(ch)"),
    *("cholesky_ex(-s, check_errors=True)", "qr(v)", "qr(t, 'raw')", "lu(v)", "lu(ci)", "lu(ch)"),
    *("lu_factor(cu)", "lu_factor_ex(cu, check_errors=True)", "lu_factor(s, pivot=False)"),
    *("lu_solve(s, ci[0].int(), t)", "eig(cn)", "eig(ci)", "eigvals(cr)"),
    *("eigh(s, UPLO='X')", "eigh(ci)", "svd(cn)", "svd(v)", "svd(ch)", "svd(s, driver='gesvd')"),
    *("cond(v)", "cond(v, 'fro')", "cond(t, 'fro')", "cond(s, 'x')", "cond(s, 3)", "cond(ci)"),
    *("matrix_power(t, 2)", "matrix_power(cu, -1)", "matrix_power(s, 1.5)", "matrix_exp(ci)"),
    *("tensorinv(t, ind=1)", "tensorinv(t, ind=0)", "tensorinv(cu, ind=1)", "tensorsolve(s, t)"),
    *("matrix_norm(v)", "matrix_norm(ci)", "matrix_norm(t, 3)", "matrix_norm(t, dim=(0, 0))"),
    *("norm(b, 2)", "norm(t, 'fro', dim=0)", "norm(v, 'fro')", "norm(b, dim=(0, 1, 2))"),
    *("solve(s, v[:2])", "solve(s, t.mT)", "solve(s, t, left=False)", "solve(cu, cu)"),
    *("solve(s, t.float())", "solve(s, v[0])", "solve(t, v)", "solve(v, v)", "solve(b, b[:, :2])"),
    *("solve_ex(cu, cu, check_errors=True)", "solve_triangular(s, v, upper=True)"),
    *("solve_triangular(t, t, upper=True)", "solve_triangular(s, t.mT, upper=True)"),
    *("lstsq(s, t.mT)", "lstsq(v, v)", "lstsq(s, t.float())", "lstsq(s, s, driver='x')"),
    *("householder_product(t.mT, v)", "householder_product(t, v)", "vander(v, N=1)"),
    *("ldl_factor(t)", "ldl_factor(s)[0].sum().backward()", "qr(s, 'r')[1].sum().backward()"),
    *("ldl_solve(s, torch.tensor([1, 0, 2]), s)", "ldl_solve(s, torch.tensor([1, 2, 9]), s)"),
    *("ldl_solve(s, v, s)", "ldl_solve(s, torch.tensor([1]), s)"),
    *("qr(t, 'complete')[1].sum().backward()",),
    *(f"{name}.real.sum().backward()" for name in (f"svd({COMPLEX})[0]", f"eigh({COMPLEX})[1]")),
    f"eig({COMPLEX})[1].imag.sum().backward()",
]
OLD_ERRORS = [
    *("torch.logdet(v)", "torch.logdet(t)", "torch.inverse(cu)", "torch.cholesky(-s)"),
    *("torch.cholesky(ci)", "torch.cholesky_inverse(0*s)", "torch.cholesky_inverse(ci)"),
    *("torch.cholesky_solve(v, s)", "torch.cholesky_solve(t.mT, s)", "torch.svd(v)"),
    *("torch.triangular_solve(t.mT, s)", "torch.lu(v)", "torch.lu_unpack(s, v)", "torch.vander(s)"),
    *("torch.geqrf(v)", "torch.geqrf(s)[0].sum().backward()", "torch.ormqr(t, v[:2], v)"),
    *("torch.ormqr(t, v[:2], t.mT)", "torch.pca_lowrank(t, q=5)", "torch.pca_lowrank(t, niter=-1)"),
]


@pytest.mark.parametrize("expression", [*(L + e for e in ERRORS), *OLD_ERRORS])
def test_refusals(expression: str) -> None:
    with pytest.raises(REFUSALS) as caught:
        theirs(expression, VALUES)
    with pytest.raises(GradcliError) as mine:
        ours(expression, VALUES)
    assert str(mine.value) == str(caught.value).splitlines()[0]
    assert mine.value.kind.__name__ == type(caught.value).__name__


def test_pivots_that_lead_out_of_the_matrix_are_refused() -> None:
    """LAPACK reads a negative pivot together with the next one, which the last row has not."""
    with pytest.raises(GradcliError, match="must come in pairs"):
        ours(L + "ldl_solve(s, torch.tensor([1, 2, -3]), s)", VALUES)


@pytest.mark.parametrize("x", [[[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
@pytest.mark.parametrize("expression", ["log(det(x))", "sqrt(det(x))", "3*det(x)"])
def test_a_singular_determinant_passes_an_infinite_gradient_on_as_pytorch_does(
    expression: str, x: list[list[float]]
) -> None:
    import torch

    leaf = torch.tensor(x, requires_grad=True)
    eval(expression, {"log": torch.log, "sqrt": torch.sqrt, "det": torch.det, "x": leaf}).backward()
    found = gradcli.evaluate(expression, {"x": x}).grads["x"]
    assert np.array_equal(found, leaf.grad.numpy(), equal_nan=True)


def test_a_singular_matrix_can_be_caught_as_a_runtime_error() -> None:
    error = find("torch.linalg.LinAlgError")
    assert issubclass(error, RuntimeError)
    assert repr(error) == repr(torch.linalg.LinAlgError)


SINGULAR = [
    np.array([[1.0, 2.0], [2.0, 4.0]]),
    np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.5], [3.0, 6.0, 9.0]]),
    np.outer([1.0, 2.0, -1.0], [0.5, 1.0, 3.0]),
    np.zeros((2, 2)),
]


@pytest.mark.parametrize("x", SINGULAR)
def test_a_singular_determinant_has_its_first_two_derivatives(x: Any) -> None:
    """Where gradients are recorded; without that PyTorch answers with zeros, and so do we."""
    assert not _determinant_slopes(x, create_graph=False)[0].any()
    numbers = np.random.default_rng(3)
    first, second = _determinant_slopes(x, create_graph=True, weights=numbers.normal(size=x.shape))
    weights = np.random.default_rng(3).normal(size=x.shape)
    step, ahead = 1e-5, numbers.normal(size=x.shape)
    slope = (np.linalg.det(x + step * ahead) - np.linalg.det(x - step * ahead)) / (2 * step)
    assert np.sum(first * ahead) == pytest.approx(slope, abs=1e-6)
    turned = [
        np.sum(_determinant_slopes(x + sign * step * ahead, create_graph=True)[0] * weights)
        for sign in (1, -1)
    ]
    assert np.sum(second * ahead) == pytest.approx((turned[0] - turned[1]) / (2 * step), abs=1e-4)


def _determinant_slopes(x: Any, *, create_graph: bool, weights: Any = None) -> list[Any]:
    make, grad = find("torch.tensor"), find("torch.autograd.grad")
    given = make(x, requires_grad=True)
    (first,) = grad(find("torch.linalg.det")(given), given, create_graph=create_graph)
    if weights is None:
        return [first.array()]
    return [first.array(), grad(first, given, make(weights))[0].array()]


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (3, 3), elements=st.integers(-3, 3).map(float)))
def test_cofactors_of_any_matrix_are_its_minors(x: Any) -> None:
    node = data(x, x.shape, dtype_of(x))
    minors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(3)]
        for i in range(3)
    ]
    np.testing.assert_allclose(array(matrix_functions.cofactors(node)), minors, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (2, 3, 3), elements=st.floats(-2, 2)))
def test_factors_multiply_to_the_matrix(x: Any) -> None:
    tensor = find("torch.tensor")(x)
    p, lower, upper = find("torch.linalg.lu")(tensor)
    q, r = find("torch.linalg.qr")(tensor)
    u, s, v = find("torch.linalg.svd")(tensor)
    for product in (p @ lower @ upper, q @ r, u @ s.diag_embed() @ v):
        np.testing.assert_allclose(product.array(), x, atol=1e-12)


ROUNDED = [np.round(np.random.default_rng(n).normal(size=(n, n)) * 3) / 2 for n in (3, 4, 5, 8)]
SYMMETRIC = [
    *([[2, -1, 0], [-1, 2, -1], [0, -1, 2]], [[2, 1, 1], [1, 2, 1], [1, 1, 2]], [[1, 2], [2, 1]]),
    *([[1]], np.eye(3), np.diag([3.0, 1.0, 2.0, 1.0]), np.zeros((3, 3))),
    *([[4, 1, -2, 2], [1, 2, 0, 1], [-2, 0, 3, -2], [2, 1, -2, -1]], [[0, 1], [1, 0]]),
    *(x + x.T for x in ROUNDED),
    *(x + x.T + 1j * (x - x.T) for x in ROUNDED[:2]),
]


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("number", range(len(SYMMETRIC)))
def test_eigenvectors_have_the_signs_of_pytorch(number: int, lower: bool) -> None:
    x = np.asarray(SYMMETRIC[number])
    x = x if x.dtype.kind == "c" else x.astype(np.float64)
    uplo = "L" if lower else "U"
    values, vectors = find("torch.linalg.eigh")(find("torch.tensor")(x), uplo)
    wanted = torch.linalg.eigh(torch.from_numpy(x), UPLO=uplo)
    np.testing.assert_allclose(values.array(), wanted[0].numpy(), atol=1e-12)
    # With repeated eigenvalues, which vectors are found differs from processor to processor.
    different = np.unique(values.array().round(9))
    for one in different:
        own = np.isclose(values.array(), one)
        found, theirs = vectors.array()[:, own], wanted[1].numpy()[:, own]
        if len(different) < len(x):
            found, theirs = found @ found.conj().T, theirs @ theirs.conj().T
        np.testing.assert_allclose(found, theirs, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (5, 5), elements=st.integers(-2, 2).map(float)))
def test_eigenvectors_of_any_symmetric_matrix(x: Any) -> None:
    x = np.tril(x) + np.tril(x, -1).T
    values, vectors = (v.array() for v in find("torch.linalg.eigh")(find("torch.tensor")(x)))
    np.testing.assert_allclose(values, np.linalg.eigvalsh(x), atol=1e-11)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-11)
    np.testing.assert_allclose(vectors * values @ vectors.T, x, atol=1e-11)


def test_a_batch_of_cotangents_passes_where_half_of_the_matrix_is_read() -> None:
    for name in ("linalg_cholesky_ex", "linalg_eigh", "cholesky_inverse"):
        _check_batch(name, {"uplo": "L"} if name == "linalg_eigh" else {"upper": False})


def _check_batch(name: str, attrs: dict[str, Any]) -> None:
    from gradcli.graph.op import OPS

    x = S @ S.T
    node = data(x, x.shape, dtype_of(x))
    node.tracked = True
    op = OPS[name]
    out = op.many(node, **attrs) if op.multiple else (op(node, **attrs),)
    found = next(o for o in out if o.shape == x.shape)
    batch = np.random.default_rng(0).normal(size=(2, 3, 3))
    together = backward([(found, data(batch, batch.shape, dtype_of(batch)))], {node}.__contains__)
    for row in range(2):
        one = data(batch[row], x.shape, dtype_of(batch))
        alone = backward([(found, one)], {node}.__contains__)
        np.testing.assert_allclose(array(together[node])[row], array(alone[node]), atol=1e-12)
