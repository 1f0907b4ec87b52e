"""One call at a time, right and wrong: gradcli prints, or refuses with, what PyTorch does."""

from __future__ import annotations

import contextlib
import io
import warnings

import pytest

import gradcli

torch = pytest.importorskip("torch")

SETUP = """
import torch
import torch.nn.functional as F

x0 = torch.tensor(1.)
x = torch.ones(2, 3)
g = torch.ones(2, 3, requires_grad=True)
c = torch.ones(2, 2) * 1j
i = torch.ones(3, dtype=torch.int64)
h = torch.ones(3, 3).half()
b = torch.ones(3) > 0
bf = torch.ones(2).bfloat16()
"""
CALLS = [
    "torch.chain_matmul(x)",
    "torch.chain_matmul(x, x.T)",
    "torch.linalg.multi_dot([x])",
    "torch.linalg.multi_dot((x, x.T))",
    "x.permute()",
    "x0.permute(*[])",
    "x0.permute(())",
    "torch.meshgrid(x0, i)",
    "torch.meshgrid(c[0], x[0])",
    "x0.movedim(0, -1)",
    "torch.diag_embed(x0)",
    "x0.permute(())",
    "torch.permute(x0, ())",
    "torch.einsum('...i, ...i->...', x0, x0)",
    "torch.einsum('i, i->', x0, x0)",
    "torch.einsum('ij, kj->ik', x0, x)",
    "torch.einsum('ij, kj->ik', x, x[:, :2])",
    "torch.einsum('...i, ...i->...', x, x[:, :2])",
    "torch.func.jacrev(torch.sin)(i)",
    "torch.func.jacfwd(torch.sin)(i)",
    "torch.func.jacrev(torch.sin)(b)",
    "torch.func.jacfwd(torch.sin)(c)",
    "torch.func.jacrev(torch.sin)(c)",
    "torch.func.hessian(torch.sum)(i)",
    "torch.func.hessian(lambda t:(t*t).sum().abs())(c)",
    "torch.func.jvp(torch.tanh, (i, ), (i, ))",
    "torch.func.jvp(torch.tanh, (c, ), (c, ))",
    "torch.func.vjp(torch.exp, i)[0]",
    "torch.func.grad(lambda t:t.sum())(i)",
    "torch.func.grad(lambda t:t.sum())(c)",
    "torch.func.linearize(torch.sin, i)[0]",
    "torch.autograd.functional.jacobian(torch.sin, i)",
    "torch.autograd.functional.jvp(torch.sin, i, i)",
    "torch.autograd.functional.vjp(torch.sin, i, i)",
    "F.bilinear(h, h, torch.ones(2, 3, 3))",
    "F.bilinear(x, x, torch.ones(2, 4, 4))",
    "F.bilinear(c, h, torch.ones(2, 3, 3))",
    "F.scaled_dot_product_attention(x, x.double(), x)",
    "F.scaled_dot_product_attention(x[0], x[0].double(), x[0])",
    "torch.inner(x, x.double())",
    "torch.inner(x, torch.ones(2).double())",
    "torch.inner(x, i)",
    "torch.tensordot(x, x.double(), dims=1)",
    "torch.tensordot(x0, x0, dims=1)",
    "torch.tensordot(x, x, dims=1)",
    "torch.baddbmm(c, c, c)",
    "torch.baddbmm(x0, x0, x0)",
    "torch.bmm(c, c)",
    "torch.bmm(x0, x0)",
    "torch.linalg.pinv(h)",
    "torch.linalg.lstsq(i, i)",
    "torch.linalg.matrix_rank(bf)",
    "torch.linalg.cond(h)",
    "torch.linalg.multi_dot([x, x])",
    "torch.linalg.multi_dot([x[None], x])",
    "torch.linalg.multi_dot([x, x[0], x])",
    "torch.linalg.multi_dot([b, b])",
    "torch.linalg.multi_dot([x, x.double().T])",
    "F.kl_div(x, 2.)",
    "torch.lerp(x, c, .3)",
    "torch.lerp(x, i, .3)",
    "torch.lerp(c, x, .3)",
    "torch.lerp(x.double(), x, .3)",
    "F.linear(torch.ones(2, 2, 3), x[0])",
    "F.linear(torch.ones(2, 2, 3), torch.ones(4))",
    "F.linear(x, torch.ones(4))",
    "torch.fft.fft(h)",
    "torch.fft.fft2(x0)",
    "x0[0]",
    "x0[..., 0]",
    "x[0, 0, 0]",
    "torch.dist(b, x)",
    "torch.dist(x, b)",
    "torch.dist(b, b)",
    "F.margin_ranking_loss(i, i, i)",
    "F.margin_ranking_loss(i, i, torch.ones(3))",
    "F.nll_loss(F.log_softmax(x.bool(), -1), i)",
    "F.batch_norm(x[0], None, None, training=True)",
    "torch.matmul(torch.ones(1, 2), torch.ones(3, 1))",
    "torch.ones(2)@torch.ones(3, 1)",
    "torch.ones(1, 2)@torch.ones(3)",
    "torch.ones(2, 2, 3)@torch.ones(2, 2, 3)",
    "torch.ones(2, 2, 3)@torch.ones(2, 3)",
    "torch.ones(5, 2, 3)@torch.ones(4, 3, 2)",
    "torch.matmul(x[0], torch.ones(2, 2, 3))",
    "torch.addmm(x, x, x)",
    "F.conv1d(x[None, :1], torch.ones(1, 2, 2, 3))",
    "F.conv1d(x, torch.ones(2, 2, 2, 3))",
    "F.conv2d(x, torch.ones(2, 2, 2))",
    "x0.size(1)",
    "x0.shape[1]",
    "x.sort(5)",
    "torch.sort(c, 5)",
    "torch.sort(c)",
    "x.std_mean()",
    "torch.nan_to_num(c.requires_grad_())",
    "torch.cdist(x0, x0)",
    "torch.cdist(x, torch.ones(2, 2))",
    "torch.cdist(x, i[None])",
    "torch.clamp(c, 0, 1)",
    "torch.clamp(c, min=c)",
    "x.t_()",
    "torch.softmax(i, 0)",
    "F.max_pool2d(x[None], 5)",
    "F.avg_pool1d(x[None], 5)",
    "torch.median(c)",
    "torch.nanmedian(c)",
    "torch.linalg.multi_dot([x, x])",
    "torch.linalg.multi_dot([x[None], x])",
    "torch.linalg.multi_dot([x, x[0], x])",
    "torch.linalg.multi_dot([b, b])",
    "torch.linalg.multi_dot([x, x.double().T])",
    "torch.linalg.multi_dot([x[0], x])",
    "torch.linalg.multi_dot([x, x[0, :2]])",
    "torch.linalg.multi_dot([x[0], x[0]])",
    "torch.linalg.multi_dot([x, x.T, x[None]])",
    "torch.linalg.multi_dot([x])",
    "torch.chain_matmul(x, x)",
    "g @ torch.ones(2, 2, 3)",
    "x @ torch.ones(2, 2, 3)",
    "x[0] @ torch.ones(2, 2, 3)",
    "torch.ones(2, 2, 3) @ x",
    "torch.ones(2, 2, 3) @ x[0, :2]",
    "torch.ones(2, 2, 3) @ torch.ones(3, 2, 3)",
    "torch.ones(3, 2, 2, 3) @ torch.ones(2, 2, 3)",
    "torch.ones(3, 2, 2, 3) @ torch.ones(3, 3, 3)",
    "x @ x",
    "x[0] @ x[0, :2]",
    "x @ x[0, :2]",
    "x[0] @ x",
    "torch.mm(x, x)",
    "torch.mv(x, x[0, :2])",
    "torch.bmm(x[None], x[None])",
    "torch.bmm(x[None], torch.ones(2, 3, 3))",
    "torch.dot(x[0], x[0, :2])",
    "torch.inner(x, x[:, :2])",
    "F.linear(x, torch.ones(4, 2))",
    "F.linear(torch.ones(2, 2, 3), torch.ones(4, 2))",
    "F.linear(torch.ones(2, 2, 3), torch.ones(4, 2), torch.ones(4))",
    "F.linear(x, torch.ones(4, 2), torch.ones(4))",
    "F.linear(torch.ones(2, 2, 3), torch.ones(4))",
    "F.linear(x[0], torch.ones(4, 2))",
    "torch.addmm(x, x, x)",
    "torch.baddbmm(x[None], x[None], x[None])",
    "torch.outer(x, x)",
    "torch.vdot(x[0], x[0, :2])",
    "F.hinge_embedding_loss(i, i)",
    "F.hinge_embedding_loss(i, -i, reduction='sum')",
    "F.soft_margin_loss(torch.ones(1, 3), torch.ones(3, 3))",
    "F.soft_margin_loss(torch.ones(3, 3), torch.ones(1, 3))",
    "torch.cdist(x, x.double())",
    "F.cosine_similarity(h, torch.tensor(2., dtype=torch.double), dim=-1).dtype",
    "F.rms_norm(h, (3, ))",
    "F.rms_norm(bf, (2, ))",
    "F.rms_norm(torch.tensor([.1, -.05, .2], dtype=torch.bfloat16), (3, ))",
    "torch.cross(x[0], x[0].long(), dim=0)",
    "torch.linalg.cross(x[0], x[0].double())",
    "torch.cross(x[0] > 0, d > 0, dim=0)",
    "torch.cross(x[0].long(), x[0].long(), dim=0)",
    "torch.linalg.vecdot(x[0], x[0].double())",
    "torch.linalg.vecdot(x[0], d > 0)",
    "torch.linalg.vecdot(x[0].long(), x[0].long())",
    "torch.linalg.vecdot(x[0].requires_grad_(), d)",
    "torch.linalg.vecdot(torch.ones(2, 3).requires_grad_(), d)",
    "torch.linalg.vecdot(x[0] * 1j, d * 1j)",
    "torch.linalg.vecdot(x[0], torch.ones(4))",
    "torch.linalg.vecdot(torch.tensor(1.0), torch.tensor(1.0))",
    "torch.softmax(c.long() if False else torch.ones(2, 2).long(), 0)",
    "torch.softmax(torch.ones(2, 2).long(), 1)",
    "torch.log_softmax(c, 0)",
    "torch.median(c, 0)",
    "torch.median(c, 5)",
    "torch.i0(c)",
    "torch.maximum(c, torch.ones(4, 4))",
    "torch.clamp(c, 0)",
    "torch.minimum(torch.ones(2, 2), torch.ones(3, 3) * 1j)",
    "torch.cdist(torch.ones(2, 2), torch.ones(2, 2).double())",
    "torch.median(torch.ones(3) > 0)",
    "torch.median(torch.ones(3) > 0, 0)",
    "x.cosh(out=x)",
    "x.cosh(foo=1)",
    "torch.cosh(x, foo=1)",
    "x.matmul(x, out=x)",
    "F.gelu(x, out=torch.empty(0))",
    "F.relu(x, out=torch.empty(0))",
    "F.linear(x, foo=1)",
    "torch.stack([g, g], out=torch.empty(0))",
    "torch.hstack([g, g], out=torch.empty(0))",
    "torch.logical_not(g, out=torch.empty(0))",
    "torch.eq(g, g, out=torch.empty(0))",
    "torch.add(g, torch.ones(4), out=torch.empty(0))",
    "torch.isposinf(g, out=torch.empty(0))",
    "torch.sum(x, 0, out=torch.empty(0, dtype=torch.double))",
    "torch.mm(x, x.T, out=torch.empty(0, dtype=torch.double))",
    "torch.floor(x, out=torch.empty(0, dtype=torch.double))",
    "torch.full((2, ), 1j, out=torch.empty(0, dtype=torch.bool))",
    "torch.max(x, 0, out=(torch.empty(0), torch.empty(0, dtype=torch.long)))",
    "torch.max(x, 0, out=(torch.empty(0), torch.empty(0)))",
    "torch.max(x, 0, out=(torch.empty(0), ))",
    "torch.exp(x, out=(torch.empty(0), ))",
    "torch.cat([x, x], out=torch.empty(0, dtype=torch.bool))",
    "torch.any(x, out=torch.empty(0))",
    "torch.fft.fft(x, out=torch.empty(0))",
    "torch.linalg.pinv(x, out=torch.empty(0, dtype=torch.bool))",
    "F.max_pool1d(i[None], 2)",
    "F.max_pool1d(i[None], 2, return_indices=True)",
    "F.max_pool1d(c, 2)",
    "F.max_pool1d(c, 2, return_indices=True)",
    "F.huber_loss(i, x[0])",
    "F.huber_loss(b, b)",
    "F.huber_loss(x[:, :2], c)",
    "F.soft_margin_loss(b, b)",
    "F.soft_margin_loss(x, x > 0)",
    "F.soft_margin_loss(x, x.to(torch.uint8))",
    "F.soft_margin_loss(c, c)",
    "F.soft_margin_loss(h, torch.ones(3, 3))",
    "F.silu(torch.ones(2) * torch.tensor(1j, requires_grad=True))",
    "F.embedding(i, c.requires_grad_())",
    "torch.cummin(c[0, 0].requires_grad_(), 0)",
    "F.unfold(torch.ones(1, 2, 2) > 0, 2)",
    "F.unfold(torch.ones(1, 1, 1).long(), 2)",
    "F.rrelu(i)",
    "(g * 1).eq_(1)",
    "x.eq_(g)",
    "(g * 1).logical_not_()",
    "g.logical_and_(g)",
    "g.sum(None)",
    "g.mean(None, True)",
    "g.sum(dtype=torch.double)",
    "x.copy_(3)",
    "x.sub(1, alpha=True)",
    "torch.bucketize(b, torch.tensor([0., 1.]))",
    "torch.bucketize(b, b)",
    "torch.cat([g[0, :0], i[:, None]])",
    "x.histogram()",
    "F.mse_loss(x, 2)",
    "F.smooth_l1_loss(x, None)",
    "F.binary_cross_entropy(x, 1)",
    "torch.float_power(2, g)",
    "torch.float_power(g, x)",
    "[torch.mul(3, 1.0) for _ in range(4)]",
]
WRITES = [
    "b.add_(1)",
    "b[0] = 1",
    "b[0].add_(1)",
    "b.view(-1)[0:1].mul_(2)",
    "b.copy_(torch.ones(3))",
    "b.zero_()",
    "b.exp_()",
    "b.mul_(b)",
    "b.fill_(2)",
    "b.masked_fill_(b > 0, 1)",
    "b.clamp_(0, 1)",
    "b.normal_()",
    "b.index_add_(0, torch.tensor([0]), b[:1].detach() * 2)",
]
"""Writes to a tensor that a product has saved."""


def script(call: str) -> str:
    return (
        f"{SETUP}try:\n    print({call})\nexcept Exception as e:\n"
        "    print(type(e).__name__, str(e).partition(chr(10))[0])\n"
    )


@pytest.mark.parametrize("call", CALLS)
def test_a_call_prints_or_says_what_pytorch_does(call: str) -> None:
    expected, found = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(expected), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(script(call), {})
    gradcli.run(script(call), stdout=found)
    assert found.getvalue() == expected.getvalue()


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_the_error_about_an_overwritten_value_names_what_pytorch_names(
    write: str, kind: str
) -> None:
    program = (
        f"import torch\na = torch.ones(3, dtype=torch.{kind}, requires_grad=True)\nb = a * 2\n"
        f"loss = (b * b).sum()\n{write}\ntry:\n    loss.backward()\n"
        "except RuntimeError as e:\n    print(str(e).partition(' Hint')[0])\n"
    )
    expected, found = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(expected):
        exec(program, {})
    gradcli.run(program, stdout=found)
    assert "modified by an inplace operation" in expected.getvalue()
    assert found.getvalue() == expected.getvalue()
