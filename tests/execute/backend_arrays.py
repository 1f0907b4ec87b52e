"""Arrays in and out of a backend, and what must be the same on each: random numbers, dtypes.

Constraints: run in a process of its own, for one backend at a time.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import gradcli
from gradcli.tensor.generator import default_generator

LARGE = 600_000
"""Elements of an array that libraries may share, or that has to begin where they ask."""
DRAWS = (
    *("rand(3)", "randn(2, 9)", "randn(40)", "randint(0, 9, (5,))", "randperm(7)"),
    *("bernoulli(x)", "normal(x, 0.5)", "F.dropout(x, 0.5)", "multinomial(x, 3)", "poisson(x)"),
    *("rand(3, dtype=torch.float64)", "randn(2, dtype=torch.complex64)", "rand_like(x)"),
)


def arrays() -> Iterator[np.ndarray[Any, Any]]:
    """The same numbers, lying in memory in all ways."""
    numbers = np.random.default_rng(0).standard_normal(LARGE).reshape(600, -1)
    for offset in (0, 8, 16, 24):
        memory = np.empty(numbers.nbytes + 128, np.uint8)
        start = -memory.ctypes.data % 64 + offset
        array = memory[start : start + numbers.nbytes].view(float).reshape(numbers.shape)
        array[...] = numbers
        yield array
    yield np.asfortranarray(numbers)
    yield numbers[::-1].copy()[::-1]
    yield np.repeat(numbers, 2, 1)[:, ::2]
    yield numbers.astype(">f8")


def results_are_their_own(backend: str) -> None:
    """Whatever memory a library shares, no result changes with an input."""
    f = gradcli.function("sum(x*y)", backend=backend)
    y = np.full((600, LARGE // 600), 2.0)
    first = next(arrays()).copy()
    kept = []
    for x in arrays():
        for call in (f, lambda **v: gradcli.evaluate("sum(x*y)", v, backend=backend)):
            result = call(x=x, y=y)
            kept.append((result.value, result.grads["x"], result.grads["y"]))
        x[...] = 7
    total = (first * 2).sum()
    y[...] = 3
    for value, by_x, by_y in kept:
        assert np.isclose(value, total, rtol=1e-12)
        assert (by_x == 2).all()
        assert np.array_equal(by_y, first)


def random_numbers_are_those_of_numpy(backend: str) -> None:
    x = np.array([0.25, 0.5, 0.125, 1.0])
    for text in DRAWS:
        drawn = []
        for name in ("numpy", backend):
            default_generator.manual_seed(5)
            pair = f"({text}, {text})"
            found = gradcli.evaluate(f"stack({pair})", {"x": x}, gradients=False, backend=name)
            drawn.append((found.value.dtype, found.value.tobytes()))
        assert drawn[0] == drawn[1], text


def dtypes_are_real(backend: str) -> None:
    """float64 numbers have all their digits, complex gradients are PyTorch's conjugates."""
    x = np.array([1 + 1e-12, 3.0])
    found = gradcli.evaluate("sum((x - 1)**2)", {"x": x}, backend=backend)
    assert found.grads["x"].dtype == np.float64
    assert np.allclose(found.grads["x"], 2 * (x - 1), rtol=1e-12, atol=0)
    z = np.array([1 + 2j, -0.5j])
    found = gradcli.evaluate("sum(real(z**2))", {"z": z}, backend=backend)
    assert np.allclose(found.grads["z"], 2 * z.conj(), rtol=1e-12)


def refusals_are_those_of_numpy(backend: str) -> None:
    """A matrix that is not positive definite is told by its first minor that is not."""
    random = np.random.default_rng(1)
    x = random.standard_normal((24, 6, 6))
    x = x @ x.swapaxes(-1, -2) + np.eye(6)
    for i in range(24):
        if i % 7 < 6:
            x[i, i % 7, i % 7] -= 50
    for upper in (False, True):
        text = f"torch.linalg.cholesky_ex(x, upper={upper}).info"
        found, wanted = (
            gradcli.evaluate(text, {"x": x}, gradients=False, backend=name).value
            for name in (backend, "numpy")
        )
        assert np.array_equal(found, wanted)
        assert len(set(wanted.tolist())) > 5
    sentences = []
    for name in (backend, "numpy"):
        try:
            gradcli.evaluate("sum(torch.linalg.cholesky(x))", {"x": x}, backend=name)
        except gradcli.GradcliError as error:
            sentences.append(str(error))
    assert len(sentences) == 2
    assert sentences[0] == sentences[1]


if __name__ == "__main__":
    warnings.simplefilter("error")
    if sys.argv[1] == "cupy":
        from backend_table import stand_in

        stand_in()
    results_are_their_own(sys.argv[1])
    random_numbers_are_those_of_numpy(sys.argv[1])
    dtypes_are_real(sys.argv[1])
    refusals_are_those_of_numpy(sys.argv[1])
