"""Jacobians, Hessians and their products with vectors, against PyTorch and against each other."""

from __future__ import annotations

import numpy as np
import pytest

import gradcli
from gradcli.errors import GradcliError

CASES = {
    "(w@x).sin()*x[0]": {"x": (3,), "w": (2, 3)},
    "softmax(x, 0)": {"x": (4,)},
    "cumprod(x, 0) + x.std()": {"x": (3,)},
    "x.reshape(3, 2).T @ y": {"x": (2, 3), "y": (3,)},
    "x[[0, 0, 1]] * y[:, None]": {"x": (2, 2), "y": (3,)},
    "cat([x, y]).flip(0).prod()": {"x": (2,), "y": (2,)},
    "where(x > 0, x, x*x).sum(1)": {"x": (3, 2)},
    "torch.einsum('ij,jk->ki', x, y).logsumexp(0)": {"x": (2, 3), "y": (3, 2)},
}


def bindings(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {name: rng.uniform(0.2, 1.5, shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("expression", CASES)
def test_jacobian_is_pytorch_s(expression: str) -> None:
    torch = pytest.importorskip("torch")
    given = bindings(CASES[expression])
    found = gradcli.evaluate(expression, given, jacobian=True).jacobian

    def function(*values: object) -> object:
        names = dict(zip(given, values, strict=True))
        return eval(expression, {**vars(torch), "torch": torch}, names)

    tensors = tuple(torch.tensor(v) for v in given.values())
    expected = torch.autograd.functional.jacobian(function, tensors)
    for name, part in zip(given, expected, strict=True):
        np.testing.assert_allclose(found[name], part.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("expression", CASES)
def test_hessian_is_pytorch_s(expression: str) -> None:
    torch = pytest.importorskip("torch")
    given = bindings(CASES[expression])
    found = gradcli.evaluate(f"({expression}).sum()", given, hessian=True).hessian

    def function(*values: object) -> object:
        names = dict(zip(given, values, strict=True))
        return eval(expression, {**vars(torch), "torch": torch}, names).sum()

    tensors = tuple(torch.tensor(v) for v in given.values())
    expected = torch.autograd.functional.hessian(function, tensors)
    for first, row in zip(given, expected, strict=True):
        for second, part in zip(given, row, strict=True):
            block = found[first][second]
            block = np.zeros(part.shape) if block is None else block
            np.testing.assert_allclose(block, part.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("expression", CASES)
def test_products_are_the_matrices_times_vectors(expression: str) -> None:
    given = bindings(CASES[expression])
    vectors = {k: np.cos(np.arange(v.size)).reshape(v.shape) for k, v in given.items()}
    result = gradcli.evaluate(expression, given, jacobian=True, jvp=vectors)
    expected = sum(
        np.tensordot(part, vectors[name], vectors[name].ndim)
        for name, part in result.jacobian.items()
    )
    np.testing.assert_allclose(result.tangent.array(), expected, rtol=1e-10, atol=1e-12)
    result = gradcli.evaluate(f"({expression}).sum()", given, hessian=True, hvp=vectors)
    for first, row in result.hessian.items():
        expected = sum(
            np.tensordot(part, vectors[name], vectors[name].ndim)
            for name, part in row.items()
            if part is not None
        )
        found = result.products[first]
        found = np.zeros(np.shape(expected)) if found is None else found.array()
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dim", [1, 2])
def test_strides_over_scattered_examples_are_refused(dim: int) -> None:
    program = (
        "import torch\nx = torch.arange(24.).reshape(2, 3, 4)\n"
        f"torch.func.vmap(lambda a: a.as_strided((2, 2), (1, 2)), {dim})(x)\n"
    )
    with pytest.raises(GradcliError, match="lie in memory in order"):
        gradcli.run(program)
