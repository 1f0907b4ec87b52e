"""Jacobians with symbolic identities against one backward pass for each element of the output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.api import as_leaf
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import evaluate
from gradcli.source import Source
from gradcli.tensor import Tensor, autograd, derivatives

SHAPES = {"x": (3, 2), "y": (2, 3), "v": (3,), "u": (2,), "s": (), "t": (2, 3, 2), "o": (1, 2)}
PIECES = [
    *("x * u", "x + s", "x / (u * u + 2)", "s * v", "x * x", "o * x", "x - o", "v[:, None] * o"),
    *("x @ y", "y @ x", "x @ u", "v @ x", "t @ y", "y.T @ u", "x.T @ x", "t @ u", "v @ v * u"),
    *("outer(v, u)", "einsum('ij,jk,k->ik', x, y, v)", "einsum('bij,kj->bik', t, x)"),
    *("x.sum(0)", "x.sum(1, keepdim=True) * x", "x.mean()", "t.sum((0, 2))", "x.amax(1)"),
    *("softmax(x, 1)", "softmax(x, 0) * x", "logsumexp(t, 1)", "x.cumsum(0)", "x.prod(1)"),
    *("x.T", "t.permute(2, 0, 1)", "x.reshape(6)", "x.reshape(2, 3) * y", "t.reshape(6, 2) @ u"),
    *("x[1:]", "x[:, 0]", "x[[0, 2]] * u", "t[0] + x", "cat((x, x * 2))", "stack((x, y.T), 1)"),
    *("where(x > 0, x, x * x)", "u.expand(3, 2) * x", "v.unsqueeze(1) + u", "x.flip(0) * x"),
    *("tanh(x) * y.T", "exp(x @ u)", "x.norm()", "x.var(0)", "diag(v) @ x", "tril(x) * u"),
    *("linalg.inv(y @ x + 3 * eye(2).double())", "linalg.det(y @ x) * u", "kron(u, v)"),
    *("x.double()", "s", "s * s", "x * 0", "x.float().double() * x", "torch.zeros_like(x) * x"),
    *("x.sort(0)[0]", "x.floor() + x", "x.abs() ** 1.5", "atan2(x, y.T)", "t.sum(0, keepdim=True)"),
]


def leaves(seed: int) -> dict[str, Tensor]:
    numbers = np.random.default_rng(seed)
    made = {n: as_leaf(n, numbers.normal(size=s)) for n, s in SHAPES.items()}
    for x in made.values():
        x.requires_grad = True
    return made


def by_rows(output: Tensor, inputs: list[Tensor]) -> list[Any]:
    """Each element of the output differentiated for itself."""
    rows: list[list[Any]] = [[] for _ in inputs]
    flat = output.reshape(-1)
    for i in range(flat.shape[0]):
        found = autograd.grad([flat[i]], inputs, [None], retain_graph=True, allow_unused=True)
        for row, part in zip(rows, found, strict=True):
            row.append(part)
    return [
        None
        if not row or row[0] is None
        else np.reshape([p.array() for p in row], (*output.shape, *x.shape))
        for x, row in zip(inputs, rows, strict=True)
    ]


def check(text: str) -> None:
    values = leaves(len(text))
    output = evaluate(parse_expression(Source("<expr>", text)), dict(values))
    inputs = list(values.values())
    found = derivatives.jacobian(output, inputs)
    for name, mine, wanted in zip(values, found, by_rows(output, inputs), strict=True):
        if wanted is None or mine is None:
            assert mine is None, name
            assert wanted is None or not wanted.any(), name
            continue
        assert mine.dtype.name == "float64"
        assert tuple(mine.shape) == wanted.shape
        np.testing.assert_allclose(mine.array(), wanted, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("text", PIECES)
def test_a_jacobian_is_made_of_its_rows(text: str) -> None:
    check(text)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(PIECES), st.sampled_from(PIECES), st.sampled_from("+*-"))
def test_jacobians_of_combinations(one: str, two: str, sign: str) -> None:
    check(f"(lambda a, b: tanh(a).sum(-1, keepdim=a.ndim > 0) {sign} b.sum())({one}, {two})")


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PIECES), st.sampled_from(PIECES))
def test_hessians_are_symmetric_and_of_rows(one: str, two: str) -> None:
    text = f"sin({one}).sum() * ({two}).pow(2).sum()"
    values = leaves(3)
    output = evaluate(parse_expression(Source("<expr>", text)), dict(values))
    inputs = [values[name] for name in ("x", "u", "s")]
    blocks = derivatives.hessian(output, inputs)
    slopes = autograd.grad([output], inputs, [None], create_graph=True, allow_unused=True)
    for slope, row in zip(slopes, blocks, strict=True):
        rows = [None] * 3 if slope is None else by_rows(slope, inputs)
        for block, wanted in zip(row, rows, strict=True):
            if block is not None and wanted is not None:
                scale = 1 + np.abs(wanted).max(initial=0)
                assert np.abs(block.array() - wanted).max(initial=0) <= 1e-9 * scale


def test_the_identity_stays_symbolic() -> None:
    """A matrix factorisation's Hessian never has a matrix as wide as all unknowns on its way."""
    from gradcli.graph.recording import Recording

    numbers = np.random.default_rng(0)
    given = {n: numbers.normal(size=s) for n, s in {"U": (40, 3), "V": (40, 3)}.items()}
    with Recording() as recording:
        text = "((U @ V.T - 1)**2).sum()"
        found = gradcli.evaluate(text, given, wrt=["U"], hessian=True).hessian["U"]["U"]
    dense = [n for n, _ in recording.made if n.size >= 40 * 3 * 40 * 3]
    assert {n.op.name for n in dense} <= {"diagonal_embed", "reshape", "permute", "detach"}
    blocks = 2 * given["V"].T @ given["V"]
    wanted = np.einsum("ij,kl->ikjl", np.eye(40), blocks)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "linalg.qr(x)[0]",
        "exp(linalg.qr(x)[0]) * x",
        "linalg.qr(x @ x.T)[1] @ x + x",
        "linalg.eigh(x @ x.T)[0].exp().outer(x.sum(0))",
        "linalg.qr(linalg.qr(x)[0] * 2 + x)[1].sum(0)",
        "sort(x * x, 1)[0] * x",
    ],
)
def test_several_results_take_the_dense_way_from_there_on(text: str) -> None:
    check(text)
