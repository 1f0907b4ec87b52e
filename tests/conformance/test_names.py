"""Every function and method that gradcli knows is one of PyTorch's, under the same name."""

from __future__ import annotations

import functools

import pytest

from gradcli import functions
from gradcli.tensor import registry

torch = pytest.importorskip("torch")

OWN_METHODS = {"__imatmul__"}
"""Python tries `@=` as `@` where a class has no such method."""


def test_every_function_is_pytorchs() -> None:
    unknown = []
    for name in functions.names():
        try:
            functools.reduce(getattr, name.removeprefix("torch.").split("."), torch)
        except AttributeError:
            unknown.append(name)
    assert unknown == []


def test_every_method_is_pytorchs() -> None:
    for name in functions.names():
        registry.find(name)
    assert {n for n in registry.METHODS if not hasattr(torch.Tensor, n)} <= OWN_METHODS
