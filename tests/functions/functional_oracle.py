"""Evaluates one expression under gradcli and under PyTorch and compares everything that shows.

Constraints: the expression sees `F`, `torch` and named tensors; floating-point ones require
gradients unless their name starts with `c` (a constant).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.functions import find
from gradcli.functions.create import from_array
from gradcli.tensor import Tensor

torch = pytest.importorskip("torch")

Arrays = Mapping[str, Any]
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError)


class Names:
    """A module of the function table: `Names("torch.nn.functional").relu`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __getattr__(self, name: str) -> Any:
        qualified = f"{self.prefix}.{name}"
        return Names(qualified) if qualified in MODULES else find(qualified)


MODULES = ("torch.special", "torch.linalg", "torch.fft")
OURS = {"F": Names("torch.nn.functional"), "torch": Names("torch")}
THEIRS = {"F": torch.nn.functional, "torch": torch}


def _differentiable(name: str, array: Any) -> bool:
    return array.dtype.kind == "f" and not name.startswith("c")


def ours(expression: str, arrays: Arrays) -> tuple[Any, dict[str, Tensor]]:
    """The result under gradcli, and the tensors it was computed from."""
    given = {
        n: from_array(a.copy(), requires_grad=_differentiable(n, a)) for n, a in arrays.items()
    }
    return eval(expression, {**OURS, **given}), given


def theirs(expression: str, arrays: Arrays) -> tuple[Any, dict[str, Any]]:
    """The result under PyTorch, and the tensors it was computed from."""
    given = {
        n: torch.from_numpy(a.copy()).requires_grad_(_differentiable(n, a))
        for n, a in arrays.items()
    }
    return eval(expression, {**THEIRS, **given}), given


def numpy_of(value: Any) -> Any:
    """The array of a tensor of either side."""
    return value.array() if isinstance(value, Tensor) else value.detach().numpy(force=True)


def assert_close(mine: Any, other: Any, what: str, double: float = 1e-9) -> None:
    """Same shape, dtype and numbers (NaN and infinities included)."""
    a, b = numpy_of(mine), numpy_of(other)
    assert a.shape == b.shape, what
    assert a.dtype == b.dtype, what
    tolerance = {"float16": 4e-3, "float32": 3e-5}.get(str(b.dtype), double)
    scale = np.abs(b[np.isfinite(b)]).max(initial=1.0) if b.dtype.kind == "f" else 1.0
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale, err_msg=what)


def _weights(shape: tuple[int, ...], dtype: Any, seed: int) -> Any:
    return np.asarray(np.random.default_rng(seed).uniform(0.5, 2.0, shape)).astype(dtype)


def _grads(result: Any, given: Arrays, wrap: Callable[[Any], Any], grad: Any, seed: int) -> Any:
    inputs = [x for x in given.values() if x.requires_grad]
    array = numpy_of(result)
    cotangent = wrap(_weights(array.shape, array.dtype, seed))
    return grad([result], inputs, [cotangent], create_graph=True, allow_unused=True)


def _second(grads: Any, given: Arrays, wrap: Callable[[Any], Any], grad: Any) -> Any:
    inputs = [x for x in given.values() if x.requires_grad]
    wanted = [g for g in grads if g is not None and g.requires_grad]
    cotangents = [
        wrap(_weights(numpy_of(g).shape, numpy_of(g).dtype, 7 + i)) for i, g in enumerate(wanted)
    ]
    if not wanted:
        return None
    return grad(wanted, inputs, cotangents, allow_unused=True)


def compare(expression: str, arrays: Arrays, *, order: int = 2, double: float = 1e-9) -> None:
    """Value, dtype, grad_fn name and gradients up to `order` are PyTorch's; `double` in float64."""
    mine, my_inputs = ours(expression, arrays)
    other, other_inputs = theirs(expression, arrays)
    assert_close(mine, other, "value", double)
    names = [None if r.grad_fn is None else r.grad_fn.name() for r in (mine, other)]
    assert names[0] == names[1]
    if other.grad_fn is None or order == 0:
        return
    my_grad, other_grad = find("torch.autograd.grad"), torch.autograd.grad
    my_first = _grads(mine, my_inputs, from_array, my_grad, 3)
    other_first = _grads(other, other_inputs, torch.from_numpy, other_grad, 3)
    _assert_all(my_first, other_first, "gradient", double)
    if order == 1:
        return
    other_second = _second(other_first, other_inputs, torch.from_numpy, other_grad)
    if other_second is None:
        return
    my_second = _second(my_first, my_inputs, from_array, my_grad)
    _assert_all(my_second, other_second, "second derivative", double)


def _assert_all(mine: Any, other: Any, what: str, double: float) -> None:
    """Compares gradients; one that there is not counts as zero."""
    mine = [None] * len(other) if mine is None else mine
    for i, (a, b) in enumerate(zip(mine, other, strict=True)):
        zero = np.zeros(())
        if a is None or b is None:
            left = zero if a is None else numpy_of(a)
            right = zero if b is None else numpy_of(b)
            assert not left.any(), f"{what} {i}"
            assert not right.any(), f"{what} {i}"
        else:
            assert_close(a, b, f"{what} {i}", double)


def compare_error(expression: str, arrays: Arrays) -> None:
    """Both refuse: the same class of exception and the same first line."""
    with pytest.raises(REFUSALS) as caught:
        theirs(expression, arrays)
    with pytest.raises(GradcliError) as mine:
        ours(expression, arrays)
    assert str(mine.value) == str(caught.value).splitlines()[0]
    assert mine.value.kind is type(caught.value)
