"""Further statements for random programs: what the first generator does not draw.

Functions of several results, transforms of functions, functions of the script's own, complex
numbers, mixed dtypes, indexing by tensors, chains of views with writes at their ends, layers,
passes to chosen inputs, and steps of descent.

Constraints: as in program_parts.py. A name that a statement makes for itself is `t`, `p` or `q`.
"""

from __future__ import annotations

from math import prod

from program_parts import Option, Pick, Shape

HEAD = """\
class Split(torch.autograd.Function):
    @staticmethod
    def forward(x, y, n):
        return x * n, y.detach().sign(), (x * y).sum()

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, n = inputs
        ctx.save_for_backward(x, y)
        ctx.n = n
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx, g, h, k):
        x, y = ctx.saved_tensors
        print("needs", ctx.needs_input_grad)
        return g * ctx.n + k * y, k * x if ctx.needs_input_grad[1] else None, None

class Bare(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x.clone(), x * 2

    @staticmethod
    def backward(ctx, g, h):
        return g if h is None else 2 * h if g is None else g + 2 * h
"""
"""Classes that the statements speak of."""


def several(a: str, s: Shape, pick: Pick) -> list[str]:
    """Functions of several results, looked at and used; factors only where their sign is not."""
    lines = [
        f"p = torch.broadcast_tensors({a}, torch.ones({[2, *s]}))\nprint(p[0], p[0].grad_fn)",
        f"p, q = torch.frexp({a}.detach())\nprint(p, q)",
        f"p = Split.apply({a}, {a} * 2, 3)\nprint(p)\n(p[0].sum() + p[2]).backward()",
        f"p, q = Bare.apply({a})\nprint(p, q)\n{pick('pq')}.sum().backward()",
        f"p, q = torch.var_mean({a})\nprint(p, q)\n(p + q).backward()",
        f"p = torch.aminmax({a})\nprint(p)\n(p.max - p.min).backward()",
        f"print(torch.unique({a}.detach(), return_inverse=True, return_counts=True))",
    ]
    if not s or not prod(s):
        return lines
    d, k = pick(range(len(s))), pick(range(1, s[0] + 1))
    lines += [
        f"p = {a}.{name}({k}, {d})\nprint(p)\np[0].sum().backward()"
        for name in ("topk", "kthvalue")
    ]
    lines += [
        f"p = {a}.{name}({d})\nprint(p)\np.values.sum().backward()"
        for name in ("sort", "max", "min", "median", "mode", "cummax", "cummin")
    ]
    lines += [
        f"p = {a}.unbind({d})\nprint(p)\n(p[0] * p[-1]).sum().backward()",
        f"p = {a}.split({k})\nprint(p)\nsum([(t * t).sum() for t in p]).backward()",
        f"p = torch.std_mean({a}, {d})\nprint(p)\n(p[0].sum() + p[1].sum()).backward()",
        f"p = torch.gradient({a}, dim={d})\nprint(p)\np[0].sum().backward()",
        f"p = torch.meshgrid({a}.flatten(), torch.arange(2.), indexing='ij')\nprint(p[0], p[1])",
        f"print(torch.aminmax({a}, dim={d}), {a}.sort({d}, descending=True))",
        f"p = torch.histc({a}.detach(), 4)\nprint(p, torch.bucketize({a}.detach(), p.sort()[0]))",
    ]
    if len(s) == 2:
        n = s[1]
        square = f"({a}.T @ {a} + 4 * torch.eye({n}, dtype={a}.dtype))"
        lines += [
            f"p = torch.linalg.slogdet({square})\nprint(p)\np[1].backward()",
            f"p = torch.linalg.eigh({square} + torch.diag(torch.arange({n}, dtype={a}.dtype)))\n"
            "print(p[0])\n(p[0] * p[0]).sum().backward()",
            f"p = torch.linalg.svdvals({square})\nprint(p)\np.sum().backward()",
            f"p = torch.linalg.cholesky({square})\nprint(p)\np.sum().backward()",
            f"p = torch.linalg.solve({square}, {a}.T)\nprint(p)\np.sum().backward()",
            f"p = torch.linalg.lu_factor({square})\nprint(p)",
            f"p = torch.linalg.lstsq({square}, {a}.T)[0]\nprint(p)\np.sum().backward()",
            f"p = torch.linalg.pinv({square})\nprint(p)\np.sum().backward()",
            f"p = torch.linalg.matrix_exp({square} / 9)\nprint(p)\np.sum().backward()",
            f"p, q = torch.linalg.qr({square})\nprint((p @ q).detach())\n(q * q).sum().backward()",
        ]
    return lines


def complex_numbers(a: str, s: Shape, pick: Pick) -> list[str]:
    """Statements with complex tensors made of a real one."""
    z = f"torch.complex({a}, {a} + 1)"
    steps = ("z * z", "z.conj() * z", "z.exp()", "z.abs()", "z.angle()", "z.sgn()", "z / (z + 2)")
    steps += ("z.real * z.imag", "torch.view_as_real(z)", "z.sin()", "z ** 2", "z.reciprocal()")
    steps += ("z.sqrt()", "z.log()", "z * 2j", "z + 1", "z.tanh()", "z.conj().resolve_conj() - z")
    step = pick(steps)
    return [
        f"z = {z}\ny = {step}\nprint(z, y)\ny.abs().sum().backward()",
        f"z = {z}\ny = {step}\nprint(y.grad_fn, y.dtype)\n(y * y.conj()).real.sum().backward()",
        f"z = {z}.detach().requires_grad_()\ny = {step}\n"
        "print(torch.autograd.grad(y, z, torch.ones_like(y)))",
        f"z = {z}\nz.real.mul_(2)\nprint(z)\nz.imag.sum().backward()",
        f"z = {z}\nz += {a}\nz *= 1j\nprint(z.tolist())\nz.imag.sum().backward()",
        f"z = {z}.detach()\nprint(z.conj(), z.is_conj(), z.conj().imag, z.mT, z.isreal())"
        if len(s) > 1
        else f"z = {z}.detach()\nprint(z.conj(), z == z, z.isfinite(), z.isreal(), z.sum())",
        f"z = torch.polar({a}.abs(), {a})\nprint(z)\nz.real.sum().backward()",
        f"z = torch.fft.fft({a})\nprint(z)\nz.abs().sum().backward()"
        if s and prod(s)
        else f"print({z}.item())",
    ]


def dtypes(a: str, s: Shape, pick: Pick) -> list[str]:
    """Statements in which dtypes meet."""
    kinds = ("float16", "bfloat16", "float64", "int64", "int32", "uint8", "bool", "complex64")
    kind, other = pick(kinds), pick(kinds)
    b = f"({a}.detach().abs() * 3).to(torch.{kind})"
    operator = pick(("+", "*", "-", "/", "//", "%", "**", "<", "=="))
    number = pick(("2", "2.5", "True", "-1", "torch.tensor(2)", "torch.tensor(1.5)"))
    return [
        f"t = {b}\nprint(t, t {operator} {number})",
        f"t = {b}\nprint({number} {operator} t)",
        f"t = {b} {operator} {a}.detach().to(torch.{other})\nprint(t, t.dtype)",
        f"t = {b}\nt += {number}\nprint(t)",
        f"t = {b}\nt[...] = {number}\nprint(t.sum(), t.dtype)",
        f"t = {a}.to(torch.{pick(kinds[:3])})\nprint(t)\nt.sum().backward()",
        f"t = {a} * {b}\nprint(t, t.grad_fn)\nt.abs().sum().backward()",
        f"t = torch.where({a} > 0, {a}, {b})\nprint(t)\nt.abs().sum().backward()",
        f"print(torch.result_type({a}, {b}), torch.promote_types(torch.{kind}, torch.{other}))",
        f"t = {b}\nprint(t.sum(), t.prod(), t.cumsum(-1) if t.dim() else t, t.max())",
        f"t = torch.cat([{a}.reshape(-1), {b}.reshape(-1)])\nprint(t)\nt.abs().sum().backward()",
    ]


def indexed(a: str, s: Shape, pick: Pick) -> list[str]:
    """Statements that index by tensors."""
    if not s or not prod(s):
        return [f"print({a}[torch.tensor(True)], {a}[None, torch.tensor(False)].shape)"]
    i, j = pick(range(s[0])), pick(range(-s[0], s[0]))
    index = f"torch.tensor([{i}, {j}, {i}])"
    reads = [
        f"{a}[{index}]",
        f"{a}[{index}[:2, None], None]",
        f"{a}[{a} > 0]",
        f"{a}[torch.ones({s[0]}, dtype=torch.bool)]",
        f"{a}[..., None, {pick(range(s[-1]))}]",
        f"{a}.take(torch.tensor([0, {prod(s) - 1}]))",
        f"{a}.masked_select({a} < 1)",
        f"{a}[[{i}, {j}]].t()" if len(s) == 2 else f"{a}[[{i}, {j}]]",
        f"{a}.index_select(-1, torch.tensor([0, 0]))",
        f"torch.take_along_dim({a}, {a}.argsort(0), 0)",
    ]
    if len(s) > 1:
        k = pick(range(s[1]))
        reads += [
            f"{a}[{index}, {k}]",
            f"{a}[{index}, torch.tensor([{k}, 0, {k}])]",
            f"{a}[:, torch.tensor([{k}])]",
            f"{a}[:, torch.tensor([[0], [{k}]])]",
            f"{a}[{i}:, torch.tensor([True] * {s[1]})]",
            f"{a}[torch.tensor([{i}]), ..., None]",
        ]
    writes = [
        f"p[{index}] = 2.",
        f"p[{index}] += 1",
        "p[p > 0] = p[p > 0] * 2",
        "p[p < 0] -= 1",
        f"p[torch.tensor([{i}])] *= 3",
        f"p.index_put_(({index},), torch.ones(()), accumulate=True)",
        f"p.masked_scatter_(p > 0, torch.arange({prod(s)}.))",
        f"p.scatter_add_(0, torch.zeros({list(s)}, dtype=torch.int64), p.detach())",
        "p.put_(torch.tensor([0]), torch.tensor([5.]))",
        "p.index_fill_(-1, torch.tensor([0]), 7)",
        f"p[[{i}, {j}]] = p[[{j}, {i}]]",
        f"p.index_copy_(0, torch.tensor([{i}]), p[:1] * 2)",
        f"p.index_reduce_(0, torch.tensor([{i}]), p[:1].detach(), 'amax')",
    ]
    read = pick(reads)
    return [
        f"t = {read}\nprint(t, t.grad_fn)\n(t * t).sum().backward()",
        f"g, = torch.autograd.grad(({read} ** 2).sum(), {a}, create_graph=True)\n"
        f"print(g)\n(g * g).sum().backward()",
        f"p = {a} * 1\n{pick(writes)}\nprint(p, p.grad_fn)\n(p * p).sum().backward()",
        f"p = {a}.detach().clone()\n{pick(writes)}\nprint(p, p._version)",
        f"p = ({a} * 1)[None][0]\n{pick(writes)}\nprint(p, p.grad_fn)\np.sum().backward()",
    ]


def chained(a: str, s: Shape, pick: Pick) -> list[str]:
    """Views of views, and writes through them."""
    if not s or not prod(s):
        return [f"p = {a} * 1\nq = p[None].expand(3, *p.shape)[1]\nq.add_(1)\nprint(p, q)"]
    steps = ["[None]", ".reshape(-1)[1:]", "[..., :1]", ".unsqueeze(-1)", ".flip(0)", "[::2]"]
    steps += [".view(-1)", ".squeeze()", ".T", ".flatten()", "[-1:]", ".transpose(0, -1)"]
    steps += [".narrow(0, 0, 1)", ".detach()", ".view_as(p)", ".unfold(0, 1, 1)", ".swapdims(0, 1)"]
    steps += [".diagonal()", ".movedim(0, -1)", ".contiguous()", ".unflatten(0, (1, -1))"]
    steps += [".tensor_split(2)[0]", ".chunk(2)[0]", ".unbind()[0]", ".hsplit(1)[0]", ".real"]
    chain = "".join(pick(steps) for _ in range(pick((1, 2, 3))))
    writes = (
        ".mul_(2)",
        ".zero_()",
        ".add_(q)",
        ".exp_()",
        "[0] = 1",
        ".copy_(q * 2)",
        ".fill_(3)",
    )
    writes += ("[..., 0] += 1", ".clamp_(-1, 1)", ".sub_(1).abs_()", ".pow_(2)", ".t_()")
    middle = pick(("", "t = p * p\n", "p.mul_(1.5)\n", "t = q.sum()\n", "q = q.clone()\n"))
    ends = (
        "(p * p).sum().backward()",
        "(q * q).sum().backward()",
        "(p.sum() * q.sum()).backward()",
    )
    return [
        f"p = {a} * 1\nq = p{chain}\n{middle}q{pick(writes)}\nprint(p, p.grad_fn)\n"
        "s = [m for m, n in zip(q.stride(), q.shape) if n != 1]\n"
        f"print(q, q.shape, s, q._version, q.grad_fn)\n{pick(ends)}"
    ]


def layers(a: str, s: Shape, pick: Pick) -> list[Option]:
    """Functions of layers, of an input that is made to fit."""
    total = prod(s)
    if not total:
        return [(f"F.dropout({a}, 0.)", s)]
    x = f"{a}.reshape(1, 1, -1)"
    return [
        (f"F.conv1d({x}, torch.tensor([[[1., -1.]]]).to({a}.dtype), padding=1)", (1, 1, total + 1)),
        (f"F.conv_transpose1d({x}, torch.ones(1, 1, 2).to({a}.dtype))", (1, 1, total + 1)),
        (f"F.max_pool1d({x}, 1)", (1, 1, total)),
        (f"F.avg_pool1d({x}, 1)", (1, 1, total)),
        (f"F.adaptive_avg_pool1d({x}, 2)", (1, 1, 2)),
        (f"F.interpolate({x}, scale_factor=2)", (1, 1, 2 * total)),
        (f"F.interpolate({x}, size=3, mode='linear')", (1, 1, 3)),
        (f"F.batch_norm({a}.reshape(-1, 1), None, None, training=True)", (total, 1)),
        (f"F.instance_norm({x})", (1, 1, total)),
        (f"F.glu(torch.cat([{x}, {x}], -1))", (1, 1, total)),
        (f"F.pad({x}, (1, 1), mode='{pick(('replicate', 'circular'))}')", (1, 1, total + 2)),
        (f"F.prelu({a}, torch.tensor([0.25]).to({a}.dtype))" if len(s) != 1 else f"F.relu({a})", s),
        (f"F.nll_loss(F.log_softmax({a}.reshape(1, -1), 1), torch.tensor([0]))", ()),
        (f"F.kl_div({a}, {a}.detach().exp(), reduction='sum')", ()),
        (f"F.cosine_similarity({a}.reshape(1, -1), torch.ones(1, {total}))", (1,)),
        (f"F.l1_loss({a}, torch.zeros({list(s)}))", ()),
        (f"F.binary_cross_entropy({a}.sigmoid(), torch.ones({list(s)}, dtype={a}.dtype))", ()),
        (f"F.poisson_nll_loss({a}, torch.ones({list(s)}))", ()),
        (f"F.logsigmoid({a})", s),
        (f"F.hardsigmoid({a})", s),
        (f"F.threshold({a}, 0.1, 2.)", s),
        (f"F.tanhshrink({a})", s),
        (f"F.rms_norm({a}, {list(s[-1:])})" if s else f"{a} * 1", s),
        (f"F.scaled_dot_product_attention({x}, {x}, {x})", (1, 1, total)),
        (f"F.unfold({a}.reshape(1, 1, 1, -1), (1, 1))", (1, 1, total)),
        (f"F.pixel_shuffle({a}.reshape(1, 1, 1, -1), 1)", (1, 1, 1, total)),
        (f"F.one_hot(({a} > 0).long(), 2).sum() * {a}", s),
        (f"F.cross_entropy({a}.reshape(1, -1), torch.tensor([0]), label_smoothing=0.1)", ()),
        (f"F.soft_margin_loss({a}, torch.ones({list(s)}))", ()),
        (f"torch.cumulative_trapezoid({x})", (1, 1, total - 1)),
        (f"torch.renorm({a}.reshape(1, -1), 2, 0, 1.)", (1, total)),
        (f"{a}.reshape(-1).logcumsumexp(0)", (total,)),
        (f"torch.logaddexp2({a}, {a} * 2)", s),
        (f"torch.special.xlog1py({a}, {a}.abs())", s),
        (f"torch.special.i0({a})", s),
        (f"{a}.erfinv()", s),
        (f"{a}.digamma()", s),
        (f"{a}.lgamma()", s),
        (f"{a}.acos()", s),
        (f"{a}.atanh()", s),
        (f"{a}.ldexp(torch.tensor(2.))", s),
        (f"torch.float_power({a}, 2)", s),
        (f"torch.block_diag({a}.reshape(1, -1))", (1, total)),
        (f"torch.cross({a}.reshape(-1)[:1].expand(3), torch.arange(3.).to({a}.dtype), 0)", (3,)),
        (f"torch.dist({a}, {a} * 2 + 1)", ()),
        (f"torch.trapezoid({x})", (1, 1)),
        (f"torch.vander({a}.reshape(-1)[:2])", (min(total, 2),) * 2),
        (f"torch.tile({a}, (2,))", (*s[:-1], 2 * s[-1]) if s else (2,)),
        (f"torch.ravel({a}).clamp_min(0)", (total,)),
        (f"torch.sub({a}, {a}, alpha=3)", s),
        (f"torch.rsub({a}, 2)", s),
        (f"torch.nanmean({a})", ()),
        (f"torch.count_nonzero({a}) * {a}", s),
        (f"torch.linalg.norm({a}.reshape(-1), {pick(('1', '3', '2', '-1'))})", ()),
        (f"torch.linalg.vector_norm({a}, float('inf'))", ()),
        (f"torch.linalg.matrix_norm({a}.reshape(1, -1))", ()),
        (f"torch.outer({a}.reshape(-1), {a}.reshape(-1))", (total, total)),
        (f"torch.baddbmm(torch.ones(1), {x}, {x}.mT)", (1, 1, 1)),
        (f"torch.addmv(torch.ones(1), {a}.reshape(1, -1), {a}.reshape(-1))", (1,)),
        (f"torch.inner({a}.reshape(-1), {a}.reshape(-1))", ()),
        (f"torch.vdot({a}.reshape(-1), {a}.reshape(-1))", ()),
        (f"{a}.reshape(-1, 1) @ {a}.reshape(1, -1)", (total, total)),
        (f"{a}.reshape(1, 1, 1, -1) @ {a}.reshape(1, -1, 1)", (1, 1, 1, 1)),
    ]


def passes(a: str, x: str, s: Shape, pick: Pick) -> list[str]:
    """Backward passes with options that the first generator leaves out."""
    ones = f"torch.ones_like({a})"
    return [
        f"torch.autograd.backward([{a}.sum(), ({a} * 2).sum()], inputs=[{x}])\nprint({x}.grad)",
        f"{a}.sum().backward(inputs=[{x}])\nprint({x}.grad)",
        f"print(torch.autograd.grad({a}, {x}, {ones}, allow_unused=True, materialize_grads=True))",
        f"print(torch.autograd.grad(({a} * {a}), [{x}, {a}], {ones}, allow_unused=True))",
        f"v = torch.stack([{ones}, {ones} * 2])\n"
        f"print(torch.autograd.grad({a} * {a}, {x}, v, is_grads_batched=True, allow_unused=True))",
        f"p = {a}.detach().requires_grad_()\nq = (p * p).sum()\nfor i in range(3):\n"
        "    q, = torch.autograd.grad(q.sum(), p, create_graph=True)\n    print(q, q.grad_fn)",
        f"p = {a}.detach().clone().requires_grad_()\nfor i in range(3):\n"
        "    loss = ((p - 1) ** 2).sum()\n    loss.backward()\n    with torch.no_grad():\n"
        "        p -= 0.1 * p.grad\n    p.grad.zero_()\n    print(i, loss.item(), p)",
        f"p = {a}.detach().clone().requires_grad_()\nm = torch.zeros_like(p)\nfor i in range(3):\n"
        "    p.grad = None\n    (p ** 4).sum().backward()\n    m.mul_(0.9).add_(p.grad)\n"
        "    p.data.add_(m, alpha=-0.01)\n    print(f'{p.sum().item():.4f}', m)",
        f"p = {a}.detach().requires_grad_()\nq = p * 2\nq.retain_grad()\n(q * q).sum().backward()\n"
        "print(q.grad, p.grad)\nq.grad.add_(1)\nprint(q.grad)",
        f"with torch.autograd.set_detect_anomaly(True):\n    {a}.log().sum().backward()",
        f"with torch.inference_mode():\n    p = {a} * 2\nprint(p, p.is_inference())\np.add_(1)",
        f"print(torch.autograd.gradcheck(lambda t: (t * t).sin(), ({a}.detach().double()"
        ".requires_grad_(),)))",
        f"print(torch.autograd.functional.vjp(lambda t: t.exp(), {a}.detach(), {ones}.detach()))",
        f"print(torch.autograd.functional.hessian(lambda t: (t ** 3).sum(), {a}.detach()))",
    ]


def transforms(a: str, b: str, s: Shape, pick: Pick) -> list[str]:
    """Transforms of functions of several arguments, nested, or with results beside the value."""
    x, y = f"{a}.detach()", f"{b}.detach()"
    f = pick(
        (
            "(u * v).sum()",
            "(u.sin() * v.exp()).sum()",
            "((u - v) ** 2).mean()",
            "(u / 2 + v * u).sum()",
        )
    )
    e = pick(("u * v", "u.sin() + v", "u * u - v", "(u + v).tanh()"))
    total, each = f"lambda u, v: {f}", f"lambda u, v: {e}"
    return [
        f"print(torch.func.grad({total}, argnums=1)({x}, {y}))",
        f"print(torch.func.grad({total}, argnums=(0, 1))({x}, {y}))",
        f"print(torch.func.grad_and_value({total})({x}, {y}))",
        f"print(torch.func.grad(lambda u, v: ({f}, u * 2), has_aux=True)({x}, {y}))",
        f"print(torch.func.jacrev({each}, argnums=1)({x}, {y}))",
        f"print(torch.func.jacfwd({each})({x}, {y}))",
        f"print(torch.func.jvp({each}, ({x}, {y}), ({y}, {x})))",
        f"p, q = torch.func.vjp({each}, {x}, {y})\nprint(p, q(p))",
        f"print(torch.vmap({each}, in_dims=(0, None))({x}, {y}))",
        f"print(torch.vmap({each}, in_dims=-1, out_dims=-1)({x}, {y}))",
        f"print(torch.vmap(torch.func.grad({total}), in_dims=(0, None))({x}, {y}))",
        f"print(torch.func.grad(torch.func.grad({total}))({x}.sum(), {y}.sum()))",
        f"print(torch.func.jacfwd(torch.func.jacrev(lambda u: {f.replace('v', 'u')}))({x}))",
        f"print(torch.func.linearize(lambda u: u * u, {x})[1]({y}))",
        f"p = torch.func.grad(lambda t: ({a} * t).sum())({y})\nprint(p, p.grad_fn)",
    ]
