"""Jacobians and Hessians through functions of windows: formulas, evaluated as they are printed
under PyTorch, against PyTorch's derivative.
"""

from __future__ import annotations

from typing import Any

import pytest

from gradcli.calculus import differentiate
from tests.calculus.test_formulas import names

JACOBIANS = {
    "F.conv1d(x, w)": {"x": (2, 7), "w": (4, 2, 3)},
    "F.conv1d(x, w, stride=2, padding=1)": {"x": (3, 2, 6), "w": (4, 2, 3)},
    "F.conv2d(x, w, dilation=2)": {"x": (2, 2, 5, 4), "w": (3, 2, 2, 1)},
    "F.conv_transpose1d(x, w, stride=2)": {"x": (2, 2, 5), "w": (2, 4, 3)},
    "tanh(F.conv1d(x, w))": {"x": (1, 2, 5), "w": (3, 2, 2)},
    "F.avg_pool1d(x, 2)": {"x": (3, 8)},
    "F.avg_pool1d(x, 3, 1)": {"x": (3, 8)},
    "F.avg_pool2d(x, 2, stride=1, padding=1)": {"x": (2, 4, 5)},
    "F.max_pool1d(x, 2)": {"x": (3, 8)},
    "F.max_pool2d(x, 2)": {"x": (2, 4, 6)},
    "relu(F.max_pool1d(F.conv1d(x, w), 2))": {"x": (2, 7), "w": (2, 2, 2)},
}
HESSIANS = {
    "sum(F.conv1d(x, w)**2)": {"x": (2, 5), "w": (2, 2, 3)},
    "sum(F.avg_pool2d(x, 2)**3)": {"x": (1, 4, 4)},
    "sum(F.max_pool1d(x, 2)**3)": {"x": (3, 6)},
}


def evaluated(torch: Any, found: Any, name: str, point: dict[str, Any]) -> Any:
    """A printed formula under PyTorch."""
    known = names(torch) | point
    for called, text in found[name].where.items():
        known[called] = eval(text, known)
    return torch.as_tensor(eval(found[name].formula, known))


def points(torch: Any, shapes: dict[str, Any]) -> dict[str, Any]:
    torch.manual_seed(2)
    return {name: torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()}


@pytest.fixture
def torch() -> Any:
    module = pytest.importorskip("torch")
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(module.float32)


@pytest.mark.parametrize("expression", JACOBIANS)
def test_jacobian(expression: str, torch: Any) -> None:
    shapes = JACOBIANS[expression]
    point = points(torch, shapes)
    found = differentiate(expression, shapes)
    wanted = torch.autograd.functional.jacobian(
        lambda *given: eval(expression, names(torch) | dict(zip(shapes, given, strict=True))),
        tuple(point.values()),
    )
    for name, value in zip(shapes, wanted, strict=True):
        made = evaluated(torch, found, name, point)
        torch.testing.assert_close(made, value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("expression", HESSIANS)
def test_hessian(expression: str, torch: Any) -> None:
    shapes = HESSIANS[expression]
    point = points(torch, shapes)
    found = differentiate(expression, shapes, ["x"], order=2)
    wanted = torch.autograd.functional.hessian(
        lambda x: eval(expression, names(torch) | point | {"x": x}), point["x"]
    )
    made = evaluated(torch, found, "x,x", point)
    torch.testing.assert_close(made, wanted, rtol=1e-9, atol=1e-12)
