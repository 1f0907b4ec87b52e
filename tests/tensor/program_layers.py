"""Statements with layers for random programs: convolutions, pools, norms, losses, lookups.

Constraints: as in program_parts.py. The names that a statement makes are `x`, `w`, `t` and `g`;
what is drawn of random numbers comes after a seed. Numbers are multiples of 1/8, so that equal ones
occur.
"""

from __future__ import annotations

from math import prod

from program_parts import Pick, Shape

ENDS = (
    "t.sum().backward()",
    "(t * t).sum().backward()",
    "t.backward((torch.arange(t.numel()) % 3 - 1.).reshape(t.shape).to(t.dtype))",
    "(t.sin()).mean().backward()",
    "g = torch.autograd.grad((t * t).sum(), x, create_graph=True)[0]\nprint(g.detach())\n"
    "(g * g).sum().backward()",
)


def made(name: str, shape: Shape, pick: Pick, wanted: bool = True) -> str:
    """The text of a tensor whose numbers repeat."""
    n, k, m = prod(shape), pick((3, 5, 7)), pick((7, 11, 13))
    text = f"{name} = ((torch.arange({n}) * {k} % {m} - {m // 2}) / 8.).reshape({list(shape)})"
    return text + (".requires_grad_()" if wanted else "")


def finished(lines: list[str], expression: str, names: str, pick: Pick) -> str:
    """A statement that makes `t` and looks at it and at the gradients."""
    grads = ", ".join(f"{name}.grad" for name in names)
    return "\n".join([*lines, f"t = {expression}", "print(t)", pick(ENDS), f"print({grads})"])


def convolutions(a: str, s: Shape, pick: Pick) -> list[str]:
    """Convolutions of one to three dims with all of their options."""
    d, groups = pick((1, 1, 2, 2, 3)), pick((1, 1, 2))
    n, c, o, k = pick((1, 2)), groups * pick((1, 2)), groups * pick((1, 2)), pick((1, 2, 3))
    size = [pick((3, 4, 5)) for _ in range(d)]
    stride, dilation, padding = pick((1, 2)), pick((1, 1, 2)), pick(("0", "1", "'same'", "'valid'"))
    x = made("x", pick(((n, c, *size), (c, *size))), pick)
    options = f"stride={stride}, padding={padding}, dilation={dilation}, groups={groups}"
    bias = pick(("None", f"torch.arange({o}.)"))
    w, v = made("w", (o, c // groups, *[k] * d), pick), made("w", (c, o // groups, *[k] * d), pick)
    back = (
        f"stride={stride}, padding={pick((0, 1))}, output_padding={pick((0, 0, 1))}, "
        f"dilation={dilation}"
    )
    return [
        finished([x, w], f"F.conv{d}d(x, w, {bias}, {options})", "xw", pick),
        finished([x, w], f"F.conv{d}d(x, w, {bias}, {options})", "xw", pick),
        finished(
            [x, v], f"F.conv_transpose{d}d(x, w, {bias}, {back}, groups={groups})", "xw", pick
        ),
        finished(
            [made("x", (2, 2, 5, 4), pick)],
            f"F.unfold(x, {k}, dilation={dilation}, padding=1, stride={stride})",
            "x",
            pick,
        ),
        finished([made("x", (1, 2 * k * k, 1), pick)], f"F.fold(x, ({k}, {k}), {k})", "x", pick),
    ]


def pools(a: str, s: Shape, pick: Pick) -> list[str]:
    """Pooling and resizing."""
    d, k = pick((1, 2, 2, 3)), pick((1, 2, 3))
    size = [pick((3, 4, 5, 6)) for _ in range(d)]
    x = made("x", pick(((1, 2, *size), (2, *size))), pick)
    full = made("x", (1, 2, *size), pick)
    options = f"{k}, stride={pick((1, 2, 3, 'None'))}, padding={pick((0, k // 2))}"
    ceil = f"ceil_mode={pick((True, False))}"
    mode = pick(("nearest", "nearest-exact", "area", ("linear", "bilinear", "trilinear")[d - 1]))
    corners = f", align_corners={pick((True, False))}" if "linear" in mode else ""
    to = pick(
        (f"size={[pick((2, 4, 7)) for _ in range(d)]}", f"scale_factor={pick((2, 1.5, 0.5))}")
    )
    pad = pick(("constant", "reflect", "replicate", "circular"))
    return [
        finished(
            [x], f"F.max_pool{d}d(x, {options}, dilation={pick((1, 1, 2))}, {ceil})", "x", pick
        ),
        finished([x], f"F.max_pool{d}d(x, {options}, return_indices=True)[0]", "x", pick),
        finished(
            [x],
            f"F.avg_pool{d}d(x, {options}, {ceil}, count_include_pad={pick((True, False))})",
            "x",
            pick,
        ),
        finished([x], f"F.adaptive_avg_pool{d}d(x, {pick((1, 2, 3))})", "x", pick),
        finished([x], f"F.adaptive_max_pool{d}d(x, {pick((1, 2, 3))})", "x", pick),
        finished(
            [full],
            f"F.lp_pool1d(x, 2, {k})"
            if d == 1
            else f"F.interpolate(x, {to}, mode='{mode}'{corners})",
            "x",
            pick,
        ),
        finished([full], f"F.interpolate(x, {to}, mode='{mode}'{corners})", "x", pick),
        finished(
            [made("x", (1, 1, 4, 5), pick)],
            f"F.interpolate(x, size=(3, 7), mode='bicubic'{pick(('', ', align_corners=True'))})",
            "x",
            pick,
        ),
        finished(
            [full], f"F.pad(x, {[pick((0, 1, 2)) for _ in range(2 * d)]}, mode='{pad}')", "x", pick
        ),
        finished(
            [made("x", (1, 4, 2, 2), pick)],
            pick(("F.pixel_shuffle(x, 2)", "F.pixel_unshuffle(x, 2)", "F.channel_shuffle(x, 2)")),
            "x",
            pick,
        ),
        finished(
            [made("x", (1, 1, 3, 4), pick), made("w", (1, 2, 3, 2), pick)],
            f"F.grid_sample(x, w, mode='{pick(('bilinear', 'nearest', 'bicubic'))}', "
            f"padding_mode='{pick(('zeros', 'border', 'reflection'))}', "
            f"align_corners={pick((True, False))})",
            "xw",
            pick,
        ),
        finished(
            [made("x", (1, 2, 3), pick)],
            f"F.affine_grid(x, (1, 1, 2, 3), align_corners={pick((True, False))})",
            "x",
            pick,
        ),
    ]


def norms(a: str, s: Shape, pick: Pick) -> list[str]:
    """Normalisation, attention, lookups and similarities."""
    n, c = pick((2, 3)), pick((2, 4))
    x = made("x", pick(((n, c), (n, c, 3), (n, c, 2, 2))), pick)
    wide = made("x", (n, c, 3), pick)
    w, b = made("w", (c,), pick), made("b", (c,), pick)
    stats = f"r, v = torch.zeros({c}), torch.ones({c})"
    training = pick(("True", "False"))
    q, k, v = (
        made("x", (1, 2, 3, c), pick),
        made("w", (1, 2, 4, c), pick),
        made("b", (1, 2, 4, c), pick),
    )
    mask = pick(
        (
            "",
            ", attn_mask=torch.ones(3, 4, dtype=torch.bool).tril()",
            ", is_causal=True",
            ", scale=0.5",
        )
    )
    table, index = (
        made("w", (5, 3), pick),
        f"i = torch.tensor([{pick(range(5))}, 1, {pick(range(5))}, 4])",
    )
    similar = pick(
        (
            "F.cosine_similarity(x, w, dim=-1)",
            "F.pairwise_distance(x, w)",
            f"torch.cdist(x, w, p={pick((1.0, 2.0, 3.0))})",
            "F.bilinear(x, w, torch.ones(2, 3, 3))",
        )
    )
    return [
        finished(
            [x, w, b, stats],
            f"F.batch_norm(x, r, v, w, b, training={training}, momentum={pick((0.1, 0.5))})",
            "xwb",
            pick,
        )
        + "\nprint(r, v)",
        finished(
            [wide, w, b],
            f"F.instance_norm(x, weight=w, bias=b, eps={pick((1e-5, 0.1))})",
            "xwb",
            pick,
        ),
        finished([x, w, b], f"F.group_norm(x, {pick((1, 2))}, w, b)", "xwb", pick),
        finished(
            [made("x", (n, c), pick), w, b],
            f"F.layer_norm(x, ({c},), w{pick(('', ', b'))})",
            "xw",
            pick,
        ),
        finished(
            [made("x", (n, c), pick), w],
            f"F.rms_norm(x, ({c},), w{pick(('', ', 0.1'))})",
            "xw",
            pick,
        ),
        finished([wide], f"F.local_response_norm(x, {pick((2, 3))})", "x", pick),
        finished([q, k, v], f"F.scaled_dot_product_attention(x, w, b{mask})", "xwb", pick),
        finished([q, k, v], f"(x @ w.mT / {c**0.5}).softmax(-1) @ b", "xwb", pick),
        finished(
            [table, index],
            f"F.embedding(i, w{pick(('', ', padding_idx=1', ', scale_grad_by_freq=True'))})",
            "w",
            pick,
        ).replace("grad((t * t).sum(), x", "grad((t * t).sum(), w"),
        finished(
            [table, index],
            f"F.embedding_bag(i, w, torch.tensor([0, {pick((1, 2, 3))}]), "
            f"mode='{pick(('sum', 'mean', 'max'))}')",
            "w",
            pick,
        ).replace("grad((t * t).sum(), x", "grad((t * t).sum(), w"),
        finished([made("x", (2, 3), pick), made("w", (2, 3), pick)], similar, "xw", pick),
        finished([x], f"F.normalize(x, p={pick((1, 2, 3))}, dim={pick((0, 1))})", "x", pick),
        finished(
            [x],
            f"F.{pick(('glu', 'softmin', 'softmax', 'log_softmax'))}(x, {pick((1, 1, -1))})",
            "x",
            pick,
        ),
        finished([x, made("w", (c,), pick)], "F.prelu(x, w)", "xw", pick),
        finished(
            [made("x", (3, 4), pick), made("w", (5, 4), pick)],
            f"F.linear(x, w{pick(('', ', torch.arange(5.)'))})",
            "xw",
            pick,
        ),
    ]


def losses(a: str, s: Shape, pick: Pick) -> list[str]:
    """Losses with their reductions and weights."""
    how = f"reduction='{pick(('mean', 'sum', 'none'))}'"
    x, y = made("x", (3, 4), pick), made("w", (3, 4), pick)
    classes = f"i = torch.tensor([{pick(range(4))}, {pick(range(4))}, {pick((0, 3, -100))}])"
    weight = pick(("", ", weight=torch.arange(1., 5.)"))
    signs = "i = torch.tensor([1., -1., 1.])"
    of_two = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss")
    three = [made("x", (3,), pick), made("w", (3,), pick), signs]
    return [
        finished(
            [x, y],
            f"F.{pick(of_two)}(x, w, {how})",
            "xw",
            pick,
        ),
        finished(
            [x, y],
            f"F.{pick(('smooth_l1_loss', 'huber_loss'))}(x, w, {how}, "
            f"{pick(('beta=0.25', 'delta=0.5'))})",
            "xw",
            pick,
        ),
        finished(
            [x, classes],
            f"F.cross_entropy(x, i{weight}, {how}"
            f"{pick(('', ', label_smoothing=0.2', ', ignore_index=3'))})",
            "x",
            pick,
        ),
        finished([x, y], f"F.cross_entropy(x, w.detach().softmax(1){weight}, {how})", "xw", pick),
        finished([x, classes], f"F.nll_loss(x.log_softmax(1), i{weight}, {how})", "x", pick),
        finished(
            [x, y], f"F.binary_cross_entropy(x.sigmoid(), w.sigmoid().detach(), {how})", "x", pick
        ),
        finished(
            [x, y],
            f"F.binary_cross_entropy_with_logits(x, w.sigmoid(), {how}"
            f"{pick(('', ', pos_weight=torch.arange(4.)'))})",
            "xw",
            pick,
        ),
        finished(
            [x, y],
            f"F.kl_div(x.log_softmax(1), w.softmax(1), {how}, log_target={pick((True, False))})",
            "xw",
            pick,
        ),
        finished(
            [x, y], f"F.poisson_nll_loss(x, w.exp(), {how}, full={pick((True, False))})", "xw", pick
        ),
        finished([x, y], f"F.gaussian_nll_loss(x, w, torch.ones(3, 4) * 0.5, {how})", "xw", pick),
        finished(
            three, f"F.margin_ranking_loss(x, w, i, margin={pick((0, 0.5))}, {how})", "xw", pick
        ),
        finished([x, y, signs], f"F.cosine_embedding_loss(x, w, i, {how})", "xw", pick),
        finished([x, signs], f"F.hinge_embedding_loss(x.sum(1), i, {how})", "x", pick),
        finished(
            [x, y], f"F.triplet_margin_loss(x, w, x * 2 + 1, {how}, p={pick((1, 2))})", "xw", pick
        ),
        finished(
            [x, classes.replace("-100", "2")],
            f"F.multi_margin_loss(x, i, {how}, p={pick((1, 2))})",
            "x",
            pick,
        ),
        finished([x], f"F.multilabel_soft_margin_loss(x, torch.eye(3, 4), {how})", "x", pick),
        finished(
            [x], f"F.multilabel_margin_loss(x, torch.tensor([[1, 0, -1, 2]] * 3), {how})", "x", pick
        ),
        finished(
            [made("x", (5, 1, 3), pick)],
            f"F.ctc_loss(x.log_softmax(2), torch.tensor([[1, {pick((1, 2))}]]), torch.tensor([5]),"
            f" torch.tensor([2]), {how})",
            "x",
            pick,
        ),
    ]
