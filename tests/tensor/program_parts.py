"""Expressions for random programs: text and the shape of what it makes, for operands of a shape.

Constraints: `a` is the name of a floating tensor of shape `s`; a dim is chosen by `pick`, which
takes a sequence and returns one of its elements. Text only; nothing is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

Shape = tuple[int, ...]
Option = tuple[str, Shape]
Pick = Callable[[Any], Any]

ELEMENTWISE = (
    *("-{a}", "{a} + {b}", "{a} * {b}", "{a} - {b}", "{b} * {a} + 1", "1 - {a}", "2 / {a}"),
    *("{a} / 2", "{a} ** 2", "{a}.exp()", "{a}.sin()", "{a}.tanh()", "{a}.abs()", "{a} ** 0.5"),
    *("{a}.relu()", "{a}.sigmoid()", "{a}.clamp(-1, 1)", "torch.where({a} > 0, {a}, 0.)"),
    *("({a} * {a} + 1).sqrt()", "{a}.square()", "{a} * {a}", "{a}.sign()", "{a}.cos()"),
    *("{a}.log1p()", "{a}.log()", "{a}.sqrt()", "{a}.reciprocal()", "{a}.floor()", "{a}.neg()"),
    *("torch.maximum({a}, {c})", "torch.minimum({a}, {c})", "{a}.atan2({c})", "{a} % 2"),
    *("torch.lerp({a}, {c}, 0.5)", "torch.addcmul({a}, {c}, {c})", "{a}.pow(3)", "{a} // 2"),
    *("F.gelu({a})", "F.silu({a})", "F.softplus({a})", "F.leaky_relu({a})", "F.elu({a})"),
    *("{a}.expm1()", "{a}.erf()", "{a}.round()", "{a}.trunc()", "{a}.rsqrt()", "{a}.hypot({c})"),
    *("torch.where({a} > {c}, {a}, {c})", "{a}.nan_to_num()", "{a}.double()", "{a}.float()"),
    *("{a}.masked_fill({a} > 0, 1.)", "{a}.clamp(min=0)", "{a}.logaddexp({c})", "{a}.frac()"),
    *("{a}.clone()", "torch.zeros_like({a})", "{a}.detach().clone().requires_grad_()"),
    *("{a}.clamp({c}, None)", "{a}.cosh()", "{a}.sinh()", "{a}.atan()", "{a}.asinh()"),
    *("F.hardtanh({a})", "F.hardswish({a})", "F.mish({a})", "F.selu({a})", "F.celu({a})"),
    *("F.softshrink({a})", "F.hardshrink({a})", "F.softsign({a})", "F.relu6({a})"),
    *("{a}.xlogy({c})", "torch.heaviside({a}, {c})", "{a}.copysign({c})", "{a}.fmod(2)"),
    *("{a}.remainder({c})", "torch.fmax({a}, {c})", "torch.addcdiv({a}, {c}, {c} * {c} + 1)"),
    *("F.mse_loss({a}, {c}, reduction='none')", "F.smooth_l1_loss({a}, {c})", "{a}.sinc()"),
    *("F.binary_cross_entropy_with_logits({a}, {c})", "{a}.logit(0.1)", "{a}.erfc()"),
    *("{a}.exp2()", "{a}.log2()", "{a}.tan()", "{a}.deg2rad()", "torch.special.entr({a})"),
    *("(lambda t: t * t + 1)({a})", "twice({a})", "scaled(3)({a})", "F.huber_loss({a}, {c})"),
)
"""`b` broadcasts to the shape of `a`, or is a number; `c` is a tensor of that shape."""

WRITES = (
    *("{a}.add_({b})", "{a}.mul_({b})", "{a} += {b}", "{a} *= {b}", "{a} -= {b}", "{a} /= 2"),
    *("{a}.zero_()", "{a}.fill_(2)", "{a}.exp_()", "{a}.sin_()", "{a}.relu_()", "{a}.pow_(2)"),
    *("{a}.clamp_(-1, 1)", "{a}.neg_()", "{a}.sigmoid_()", "{a}.sub_(1).mul_(2)", "{a}.tanh_()"),
    *("{a}.square_()", "{a}.copy_({c})", "{a}.masked_fill_({a} > 0, 3)", "{a}.abs_()", "{a} **= 2"),
    *("{a}.addcmul_({c}, {c}, value=0.5)", "{a}.lerp_({c}, 0.5)", "{a}.sqrt_()", "{a}.round_()"),
    *("{a}.addcdiv_({c}, {c} * {c} + 1)", "{a}.add_({c}, alpha=-0.1)", "{a}.clamp_(min=0)"),
    *("{a}.data.mul_(2)", "{a}.detach().add_(1)", "{a}[{a} > 0] = 0.5", "{a}[{a} < 0] *= -1"),
    *("{a}[...] = {b}", "{a}.fill_({c}.sum())", "{a}.div_(2)", "{a}.sgn_()", "{a}.detach_()"),
    *("{a}.unsqueeze(0).mul_(2)", "{a}.view(-1)[:1].zero_()", "{a}.copy_({b} + torch.zeros(()))"),
)
"""What writes to `a`, with operands as in ELEMENTWISE."""


def views(a: str, s: Shape, pick: Pick) -> list[Option]:
    """What shares memory with `a`, or may."""
    options: list[Option] = [
        (f"{a}[None]", (1, *s)),
        (f"{a}[...]", s),
        (f"{a}.unsqueeze(-1)", (*s, 1)),
        (f"{a}.squeeze()", tuple(n for n in s if n != 1)),
        (f"{a}.detach()", s),
        (f"{a}.reshape(-1)", (prod(s),)),
        (f"{a}.flatten()", (max(prod(s), 1) if not s else prod(s),)),
        (f"{a}.view(-1)", (prod(s),)),
        (f"{a}.view({list(s)})", s),
        (f"{a}.view_as({a})", s),
        (f"{a}.expand({[2, *s]})", (2, *s)),
        (f"{a}.data", s),
        (f"{a}.contiguous()", s),
        (f"{a}.requires_grad_(False)", s),
    ]
    if s and s[0]:
        options += _parts(a, s, pick(range(s[0])))
    if len(s) >= 2 and prod(s):
        options += _turned(a, s, pick(range(s[1])))
    if len(s) == 2:
        options += [(f"{a}.t()", s[::-1]), (f"{a}.T", s[::-1])]
    return options


def _parts(a: str, s: Shape, i: int) -> list[Option]:
    row = s[1:]
    return [
        (f"{a}[{i}]", row),
        (f"{a}[{i - s[0]}]", row),
        (f"{a}[{i}:]", (s[0] - i, *row)),
        (f"{a}[:{i + 1}]", (i + 1, *row)),
        (f"{a}[::2]", (-(-s[0] // 2), *row)),
        (f"{a}.narrow(0, {i}, 1)", (1, *row)),
        (f"{a}.select(0, {i})", row),
        (f"{a}.unbind()[{i}]", row),
        (f"{a}.split(1)[{i}]", (1, *row)),
        (f"{a}.chunk({s[0]})[0]", (1, *row)),
        (f"[t for t in {a}][{i}]", row),
        (f"{a}.tensor_split(2)[0]", (-(-s[0] // 2), *row)),
        (f"{a}[..., 0]", s[:-1]),
        (f"{a}.unfold(0, {i + 1}, 1)", (s[0] - i, *row, i + 1)),
        (f"{a}.as_strided([1], [1], {i})", (1,)),
    ]


def _turned(a: str, s: Shape, j: int) -> list[Option]:
    return [
        (f"{a}.mT", (*s[:-2], s[-1], s[-2])),
        (f"{a}.transpose(-1, -2)", (*s[:-2], s[-1], s[-2])),
        (f"{a}[:, {j}]", (s[0], *s[2:])),
        (f"{a}[:, {j}:]", (s[0], s[1] - j, *s[2:])),
        (f"{a}[0, {j}]", s[2:]),
        (f"{a}[:, None, {j}]", (s[0], 1, *s[2:])),
        (f"{a}.permute({[*range(1, len(s)), 0]})", (*s[1:], s[0])),
        (f"{a}.movedim(0, -1)", (*s[1:], s[0])),
        (f"{a}.diagonal()", (*s[2:], min(s[:2]))),
        (f"{a}.view({[s[0] * s[1], *s[2:]]})", (s[0] * s[1], *s[2:])),
        (f"{a}.flatten(0, 1)", (s[0] * s[1], *s[2:])),
    ]


def copies(a: str, s: Shape, pick: Pick) -> list[Option]:
    """What has elements of `a` elsewhere, or numbers made of several of them."""
    options: list[Option] = [
        (f"torch.stack([{a}, {a}])", (2, *s)),
        *((f"{a}.{name}()", ()) for name in ("sum", "mean", "norm", "prod", "std", "var")),
        (f"F.mse_loss({a}, torch.ones({list(s)}))", ()),
        (f"torch.full_like({a}, 0.5)", s),
        (f"{a}.new_ones({list(s)})", s),
    ]
    if not s or not prod(s):
        return options
    d = pick(range(-len(s), len(s)))
    less, one = list(s), list(s)
    del less[d]
    one[d] = 1
    i, k = pick(range(s[0])), pick(range(1, s[d] + 1))
    top = [k if n == d % len(s) else m for n, m in enumerate(s)]
    options += [
        *((f"{a}.{f}({d})", tuple(less)) for f in ("amin", "var", "std", "nansum", "norm")),
        *((f"{a}.{f}({d})[0]", s) for f in ("cummax", "cummin")),
        *((f"{a}.{f}()", ()) for f in ("max", "min", "amax", "median", "logsumexp")[:4]),
        (f"{a}.kthvalue(1, {d})[0]", tuple(less)),
        (f"{a}.mode({d})[0]", tuple(less)),
        (f"{a}.quantile(0.3, {d})", tuple(less)),
        (f"torch.std_mean({a}, {d})[0]", tuple(less)),
        (f"{a}.logcumsumexp({d})", s),
        (f"F.softmin({a}, {d})", s),
        (
            f"{a}.repeat_interleave(2, {d})",
            tuple(m * (1 + (n == d % len(s))) for n, m in enumerate(s)),
        ),
        (f"torch.hstack([{a}, {a}]).sum()", ()),
        (f"torch.where({a} > 0)[0].sum() * {a}", s),
        (f"F.group_norm({a}[None], 1)[0]" if len(s) > 1 else f"{a} + 0", s),
        *((f"{a}.{f}({d})", tuple(less)) for f in ("sum", "mean", "prod", "amax", "logsumexp")),
        *((f"{a}.{f}({d})[0]", tuple(less)) for f in ("max", "min", "median")),
        *((f"{a}.{f}({d}, keepdim=True)", tuple(one)) for f in ("sum", "mean", "std", "amin")),
        *((f"{a}.{f}({d})", s) for f in ("cumsum", "cumprod", "softmax", "log_softmax", "flip")),
        (f"{a}.norm(dim={d})", tuple(less)),
        (f"{a}.sort({d})[0]", s),
        (f"{a}.topk({k}, {d})[0]", tuple(top)),
        (f"F.normalize({a}, dim={d})", s),
        (f"{a}.roll(1, {d})", s),
        (f"torch.cat([{a}, {a}])", (2 * s[0], *s[1:])),
        (f"{a}.diff(dim={d})", tuple(m - (n == d % len(s)) for n, m in enumerate(s))),
        (f"{a}[[0, {i}]]", (2, *s[1:])),
        (f"{a}[torch.tensor([{i}])]", (1, *s[1:])),
        (f"{a}.index_select(0, torch.tensor([{i}, 0]))", (2, *s[1:])),
        (f"{a}.gather({d}, torch.zeros({one}, dtype=torch.int64))", tuple(one)),
        (f"{a}.repeat({[2] * len(s)})", tuple(2 * n for n in s)),
        (f"{a}.index_fill(0, torch.tensor([{i}]), 0.5)", s),
        (f"{a}.index_add(0, torch.tensor([{i}]), {a}[:1])", s),
        (f"{a}.scatter({d}, torch.zeros({one}, dtype=torch.int64), 2.)", s),
        (f"F.pad({a}, (1, 0))", (*s[:-1], s[-1] + 1)),
        (f"sum([t.sum() for t in {a}.unbind({d})])", ()),
        (f"F.layer_norm({a}, {list(s[-1:])})", s),
    ]
    if len(s) == 2:
        options += [
            (f"{a} @ {a}.T", (s[0], s[0])),
            (f"torch.ones({s[0]}) @ {a}", s[1:]),
            (f"torch.einsum('ij,ij->i', {a}, {a})", s[:1]),
            (f"torch.einsum('ij,kl->', {a}, {a})", ()),
            (f"torch.tensordot({a}, {a})", ()),
            (f"torch.cdist({a}, {a} + 1)", (s[0], s[0])),
            (f"F.linear({a}, torch.ones(2, {s[1]}))", (s[0], 2)),
            (f"torch.addmm(torch.ones(()), {a}, {a}.T)", (s[0], s[0])),
            (f"({a}.T @ {a} + 9 * torch.eye({s[1]})).det()", ()),
            (f"torch.linalg.inv({a}.T @ {a} + 9 * torch.eye({s[1]}))", (s[1], s[1])),
            (f"F.cross_entropy({a}, torch.zeros({s[0]}, dtype=torch.int64))", ()),
            (f"F.embedding(torch.zeros(2, dtype=torch.int64), {a})", (2, s[1])),
            (f"torch.kron({a}, {a}).sum()", ()),
            (f"{a}.triu()", s),
            (f"{a}.matrix_power(2)" if s[0] == s[1] else f"{a}.rot90().rot90()", s),
            (f"torch.einsum('ij,kj->ik', {a}, {a})", (s[0], s[0])),
            (f"torch.einsum('ij->j', {a})", s[1:]),
            (f"{a} @ torch.ones({s[1]})", s[:1]),
            (f"{a}.tril()", s),
            (f"F.linear({a}, torch.ones(2, {s[1]}), torch.ones(2))", (s[0], 2)),
            (f"{a}.T.matmul({a})", (s[1], s[1])),
        ]
    if len(s) == 1:
        options += [
            (f"{a}.dot({a})", ()),
            (f"torch.outer({a}, {a})", s * 2),
            (f"{a}.diag()", s * 2),
        ]
    return options


def partial_writes(a: str, s: Shape, b: str, pick: Pick) -> list[str]:
    """What writes to a part of `a`; `b` broadcasts to `a[0]`."""
    i = pick(range(s[0]))
    return [
        *(f"{a}[{i}] = {b}", f"{a}[{i}] += {b}", f"{a}[{i}].mul_({b})", f"{a}[:{i + 1}] = {b}"),
        *(f"{a}[[0, {i}]] = {b}", f"{a}[..., 0] = 2", f"{a}[{i}:] *= 2", f"{a}[{i}].zero_()"),
        *(f"{a}[torch.tensor([{i}])] += 1", f"{a}[None, {i}] = {b}", f"{a}[::2].add_(1)"),
        *(f"{a}[{i}].copy_(torch.ones(()))", f"{a}.index_fill_(0, torch.tensor([{i}]), 2.)"),
        *(f"{a}.index_add_(0, torch.tensor([{i}]), {a}[:1])", f"{a}.narrow(0, {i}, 1).exp_()"),
        *(f"{a}.index_copy_(0, torch.tensor([{i}]), {a}[:1].clone())", f"{a}[-1:] = {a}[:1]"),
        *(f"{a}.select(0, {i}).fill_(3)", f"{a}.unbind()[{i}].mul_(2)", f"{a}.t().mul_(2)"),
        *(f"{a}.diagonal().fill_(1.)", f"{a}.masked_fill_({a}[{i}] > 0, 0.)", f"{a}.T[0].neg_()"),
        *(f"{a}.scatter_(0, torch.zeros({list(s)}, dtype=torch.int64), 3.)", f"{a}.cumsum_(0)"),
        f"{a}.index_put_((torch.tensor([{i}]),), {a}.sum().detach(), accumulate=True)",
        f"{a}.view(-1)[:1].mul_({b})" if not s[1:] else f"{a}.transpose(0, 1)[0] = 1",
    ]
