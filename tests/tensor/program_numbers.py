"""Statements about numbers for random programs: special values, integers, random numbers, text.

Constraints: as in program_parts.py. The names that a statement makes are `t`, `p`, `q` and `g`.
"""

from __future__ import annotations

from program_parts import Pick, Shape

SPECIAL = (
    "0., -0., 1., -1., float('inf'), -float('inf'), float('nan'), 1e-30, -3e5, 0.5, -0.5, 88.8"
)
UNARY = (
    *("exp", "log", "sqrt", "rsqrt", "sin", "tanh", "sigmoid", "abs", "sign", "sgn", "reciprocal"),
    *("log1p", "expm1", "relu", "erf", "erfc", "lgamma", "digamma", "atan", "asinh", "acosh"),
    *("atanh", "cosh", "sinh", "floor", "ceil", "round", "trunc", "frac", "square", "exp2", "log2"),
    *("log10", "logit", "erfinv", "sinc", "nan_to_num", "positive", "deg2rad", "isnan", "isinf"),
    *(
        "isfinite",
        "signbit",
        "asin",
        "acos",
        "tan",
        "cos",
        "angle",
        "i0",
        "isposinf",
        "bool",
        "long",
    ),
)
ACTIVATIONS = (
    *("relu", "gelu", "silu", "softplus", "elu", "selu", "celu", "mish", "hardtanh", "hardswish"),
    *("softshrink", "hardshrink", "softsign", "relu6", "logsigmoid", "hardsigmoid", "tanhshrink"),
    *("leaky_relu", "sigmoid", "tanh"),
)
BINARY = (
    *("maximum", "minimum", "fmax", "fmin", "atan2", "hypot", "logaddexp", "logaddexp2", "xlogy"),
    *("copysign", "remainder", "fmod", "floor_divide", "true_divide", "pow", "eq", "lt", "ge"),
    *("mul", "sub", "div", "nextafter", "heaviside", "special.xlog1py", "isclose", "dist"),
    *("logical_and", "logical_xor", "ne", "add", "float_power", "allclose", "equal"),
)
REDUCTIONS = (
    *("sum", "mean", "prod", "std", "var", "amax", "amin", "max", "min", "median", "nanmedian"),
    *("nansum", "nanmean", "norm", "logsumexp", "argmax", "argmin", "all", "any", "count_nonzero"),
    *(
        "cumsum",
        "cumprod",
        "cummax",
        "cummin",
        "logcumsumexp",
        "sort",
        "argsort",
        "mode",
        "softmax",
    ),
)
INTEGERS = ("uint8", "int8", "int16", "int32", "int64", "bool")
PAIRS = (
    *("t + u", "t - u", "t * u", "t / u", "t // u", "t % u", "t ** u", "t & u", "t | u", "t ^ u"),
    *("t << u", "t >> u", "t < u", "t == u", "torch.gcd(t, u)", "torch.lcm(t, u)", "t.fmod(u)"),
    *("torch.maximum(t, u)", "torch.floor_divide(t, u)", "torch.where(t > u, t, u)", "t.add(u)"),
    *("torch.bitwise_and(t, u)", "torch.div(t, u, rounding_mode='floor')", "torch.stack([t, u])"),
    *("torch.div(t, u, rounding_mode='trunc')", "torch.clamp(t, u)", "t @ u", "torch.outer(t, u)"),
    *("torch.add(t, u, alpha=2)", "torch.result_type(t, u)", "torch.can_cast(t.dtype, u.dtype)"),
    *("torch.cat([t, u])", "torch.hypot(t, u)", "torch.atan2(t, u)", "torch.remainder(t, u)"),
    *("torch.isin(t, u)", "torch.searchsorted(t.sort()[0], u)", "torch.bucketize(t, u.sort()[0])"),
)
ALONE = (
    *(
        "-t",
        "~t",
        "abs(t)",
        "t.sum()",
        "t.prod()",
        "t.cumsum(0)",
        "t.cumprod(0)",
        "t.max()",
        "t.sort()",
    ),
    *(
        "t.unique(return_counts=True)",
        "t.bincount()",
        "t.mean(dtype=torch.float32)",
        "t.float().std()",
    ),
    *(
        "t.sqrt()",
        "t.exp()",
        "t.bool()",
        "t.half()",
        "t.to(torch.complex64)",
        "t.median()",
        "t.mode()",
    ),
    *(
        "t.all()",
        "t.any()",
        "t.sign()",
        "t.square()",
        "t.pow(2)",
        "2 ** t",
        "t ** -1",
        "t ** 0.5",
        "t.diff()",
    ),
    *(
        "t.clamp(1, 5)",
        "t.topk(2)",
        "t.kthvalue(2)",
        "t.nonzero()",
        "t.argsort()",
        "t.flip(0)",
        "t.roll(1)",
    ),
    *(
        "t.new_zeros(2)",
        "t.tolist()",
        "t.numpy()",
        "t[t > 1]",
        "t.float() @ t.float()",
        "t.mean()",
        "t * 2.5",
    ),
    *(
        "t / 2",
        "t // 2",
        "t % 3",
        "t << 1",
        "t >> 1",
        "t & 3",
        "t | True",
        "t ^ 1",
        "t * True",
        "t + 1.5",
    ),
    *(
        "2 - t",
        "7 // t",
        "7 % t",
        "1 / t",
        "t.bitwise_not()",
        "t.float().softmax(0)",
        "t.histc(3)",
        "t + 2j",
    ),
    *(
        "F.one_hot(t.long() % 4, 4)",
        "t.view(torch.uint8)",
        "t.type(torch.int8)",
        "t.gcd(t + 2)",
        "t == 2.0",
    ),
    *(
        "t.cummax(0)",
        "t.logical_not()",
        "t.count_nonzero()",
        "t.sum(dtype=torch.uint8)",
        "t.argmax()",
        "t.aminmax()",
    ),
)
IN_PLACE = (
    *(
        "t += 1",
        "t *= 2",
        "t -= 1",
        "t /= 2",
        "t //= 2",
        "t **= 2",
        "t &= 3",
        "t |= 1",
        "t ^= 3",
        "t <<= 1",
    ),
    *(
        "t %= 3",
        "t += 1.5",
        "t.add_(u)",
        "t.mul_(u)",
        "t.zero_()",
        "t.fill_(2.7)",
        "t.copy_(u)",
        "t[0] = 9",
    ),
    *(
        "t[t > 2] = 0",
        "t.clamp_(1, 3)",
        "t.index_add_(0, torch.tensor([0, 0]), t[:2].clone())",
        "t.neg_()",
    ),
    *(
        "t.bitwise_and_(u)",
        "t.scatter_(0, torch.tensor([1]), 5)",
        "t.pow_(2)",
        "t.abs_()",
        "t.sqrt_()",
        "t[1:] -= t[:-1]",
    ),
)


def special(a: str, s: Shape, pick: Pick) -> list[str]:
    """Functions at infinities, NaN, zeros of both signs and numbers far from one."""
    kind = pick(("", "", ", dtype=torch.float64"))
    x = f"x = torch.tensor([{SPECIAL}]{kind}, requires_grad=True)"
    y = f"y = x.detach().roll({pick(range(12))}).clone().requires_grad_()"
    unary = pick([*(f"x.{name}()" for name in UNARY), *(f"F.{name}(x)" for name in ACTIVATIONS)])
    binary = f"torch.{pick(BINARY)}(x, y)"
    reduced = (
        f"x[{pick(range(6))}:{pick(range(6, 13))}].{pick(REDUCTIONS)}({pick(('', '0', '0', '-1'))})"
    )
    told = f"print(t, {pick(('', 't.grad_fn', 't.dtype'))})"
    second = (
        f"{x}\n{y}\ng = torch.autograd.grad({pick((binary, unary))}.sum(), x, "
        f"create_graph=True)[0]\n"
        "print(g)\nprint(torch.autograd.grad(g.sum(), x, allow_unused=True))"
    )
    return [
        f"{x}\nt = {unary}\n{told}\nt.sum().backward()\nprint(x.grad)",
        f"{x}\nt = {unary}\nt.backward(x.detach().flip(0))\nprint(x.grad)",
        f"{x}\n{y}\nt = {binary}\n{told}\nt.sum().backward()\nprint(x.grad, y.grad)",
        f"{x}\nt = {reduced}\nprint(t)\n(t if torch.is_tensor(t) else t[0]).sum().backward()\n"
        f"print(x.grad)",
        second,
        second,
        f"{x}\nprint("
        f"x.{pick(('clamp(-1, 1)', 'clamp(min=y)', 'pow(2)', 'pow(0)', 'pow(-1)', 'pow(0.5)'))})"
        f"\nprint(2 ** x, x ** 3, x.softmax(0), x[:4].softmax(0), x[4:].log_softmax(0))".replace(
            "min=y", "min=0"
        ),
    ]


def integers(a: str, s: Shape, pick: Pick) -> list[str]:
    """Arithmetic of whole numbers and truth values, over their ends as well."""
    kind, other = pick(INTEGERS), pick((*INTEGERS, "float32", "float64", "float16", "complex64"))
    numbers = [pick((0, 1, 2, 3, 5, 7, 100, -1, -2, -7, 127)) for _ in range(4)]
    more = [pick((1, 2, 3, 4, -1, -3, 0)) for _ in range(4)]
    t = f"t = torch.tensor({numbers}).to(torch.{kind})\nu = torch.tensor({more}).to(torch.{other})"
    return [
        f"{t}\np = {pick(PAIRS)}\nprint(p)\nprint({pick(PAIRS)})",
        f"{t}\nprint({pick(ALONE)})\nprint({pick(ALONE)})",
        f"{t}\nv = t[{pick(('1:', '::2', ':3', '...'))}]\n{pick(IN_PLACE)}\n"
        f"print(t, t._version, v)",
        f"{t}\nprint({pick(ALONE)})\nprint({pick(PAIRS)})",
        f"t = torch.arange(6).reshape(2, 3).to(torch.{kind})\n"
        f"print(t.T @ t, t.sum({pick((0, 1))}), t.prod(1))",
        f"x = {a}.detach().requires_grad_()\n{t}\np = x.sum() * t[{pick((0, 1))}]\nprint(p)\n"
        f"p.backward()\nprint(x.grad)",
    ]


def drawn(a: str, s: Shape, pick: Pick) -> list[str]:
    """Random numbers after a seed, and gradients through what they made."""
    seed, n = pick((0, 1, 42, 1234)), pick((1, 3, 5, 15, 16, 17, 24, 40))
    size = pick((f"{n}", f"2, {n}", f"{n}, 3", f"({n},)"))
    kind = pick(("", "", ", dtype=torch.float64"))
    draws = (
        f"torch.rand({size}{kind})",
        f"torch.randn({size}{kind})",
        f"torch.randint({pick(('10', '-5, 5', '0, 2'))}, ({n}, 2))",
        f"torch.randperm({n})",
        f"torch.normal({pick(('0., 1.', '2.0, 0.5'))}, size=({n},){kind})",
        f"torch.normal(torch.zeros({n}), torch.arange({n}) + 1.)",
        f"torch.bernoulli(torch.full(({n},), 0.3))",
        f"torch.multinomial(torch.arange(1., {n + 2}), {pick((1, 2))})",
        f"torch.multinomial(torch.arange(1., {n + 2}), {n}, replacement=True)",
        f"torch.empty({n}).uniform_(-1, 2)",
        f"torch.empty({n}).normal_(1, 3)",
        f"torch.empty({n}).exponential_(2.)",
        f"torch.empty({n}).geometric_(0.4)",
        f"torch.empty({n}).log_normal_()",
        f"torch.empty({n}).cauchy_()",
        f"torch.empty({n}).random_({pick(('', '10', '-3, 9'))})",
        f"torch.empty({n}).bernoulli_(0.4)",
        f"torch.rand_like({a}.detach())",
        f"torch.randn_like({a}.detach())",
        f"torch.randint_like({a}.detach(), 5)",
        f"torch.poisson(torch.arange({n}) * 1.5)",
        f"F.dropout(torch.ones({size.strip('(,)')}), {pick(('0.2', '0.5', '0.9'))})",
        f"torch.rand({n})[torch.randperm({n})]",
        f"F.gumbel_softmax(torch.zeros({n}))",
        f"F.rrelu(-torch.ones({n}), training=True)",
    )
    first, second = pick(draws), pick(draws)
    return [
        f"torch.manual_seed({seed})\nprint({first})\nprint({second})",
        f"torch.manual_seed({seed})\np, q = {first}, {second}\nprint(p, q)",
        f"torch.manual_seed({seed})\np = F.dropout({a}, 0.4)\nprint(p)\np.sum().backward()",
        f"torch.manual_seed({seed})\np = {a} * torch.randn_like({a}.detach())\nprint(p)\n"
        f"p.sum().backward()",
        f"h = torch.Generator().manual_seed({seed})\n"
        f"print(torch.rand({n}, generator=h), torch.randn({n}, generator=h))",
        f"torch.manual_seed({seed})\nr = torch.get_rng_state()\np = {first}\n"
        f"torch.set_rng_state(r)\nprint({second})",
        f"torch.manual_seed({seed})\nfor i in range(12):\n    p = torch.randn({n})\n"
        f"print(p, torch.initial_seed())",
        f"torch.manual_seed({seed})\np = torch.empty({n}, requires_grad=True)\n"
        f"with torch.no_grad():\n    p.normal_(0, 0.1)\nprint(p, {second})",
    ]


OPTIONS = (
    *(
        "precision=2",
        "precision=8",
        "sci_mode=True",
        "sci_mode=False",
        "linewidth=40",
        "edgeitems=1",
    ),
    *(
        "threshold=4",
        "profile='full'",
        "profile='short'",
        "precision=0",
        "threshold=4, edgeitems=2",
    ),
)
SHOWN = (
    *(
        "{a}",
        "{a}.detach() * 1e5",
        "{a}.detach() / 3e4",
        "{a}.detach().exp() * 1e3",
        "({a} * 4).long()",
    ),
    *(
        "{a} > 0",
        "{a}.detach() * 1j + 1",
        "torch.arange(40.)",
        "torch.arange(1200)",
        "torch.eye(12)",
    ),
    *(
        "torch.linspace(0, 1, 7) ** 9",
        "torch.tensor([1e-8, 1, 1e8])",
        "torch.tensor([1., float('nan')])",
    ),
    *(
        "torch.zeros(3, 0)",
        "torch.zeros(2, 2, 2, 2)",
        "torch.full((1100,), 2.5)",
        "torch.tensor([[1e10, -1]])",
    ),
    *("torch.ones(30, 40) / 3", "torch.tensor([float('inf'), -1, 1e-3])", "torch.tensor(1e-10)"),
    *("torch.tensor([0.1, 100.25], dtype=torch.float64)", "torch.tensor([1 / 3] * 9).half()"),
    *("torch.arange(24).reshape(2, 3, 4) * -1000", "torch.randn(3, 3).mul(0).requires_grad_()"),
    *(
        "torch.tensor([True, False])",
        "torch.tensor([1e-45, 3e38])",
        "torch.tensor([123456789., 0.1])",
    ),
    *(
        "torch.arange(3000.).reshape(30, 100)",
        "{a}.detach().bfloat16()",
        "[{a}, {a}.shape, {a}.dtype]",
    ),
    *(
        "(torch.ones(2), {{'k': {a}.sum()}})",
        "torch.arange(2000) * 1j",
        "torch.arange(5, dtype=torch.uint8)",
    ),
)


def shown(a: str, s: Shape, pick: Pick) -> list[str]:
    """Text of tensors and numbers."""
    t = pick(SHOWN).format(a=a)
    spec = pick(("", ".3f", "8.2f", ".2e", "+.1f", ".4g", "08.3f", ">12", "^10.1f", ",.2f", ".0%"))
    value = pick(
        (f"{a}.detach().sum().item()", f"{a}.detach().mean()", f"{a}.numel()", "1e6", "2.5")
    )
    reset = "torch.set_printoptions(profile='default')"
    return [
        f"print({t})",
        f"torch.set_printoptions({pick(OPTIONS)})\nprint({t})\n"
        f"print({pick(SHOWN).format(a=a)})\n{reset}",
        f"torch.set_printoptions({pick(OPTIONS)})\ntorch.set_printoptions({pick(OPTIONS)})\n"
        f"print({t})\n{reset}",
        f"print(f'{{{value}:{spec}}}', f'{{{value}!r:>20}}', '%.3f|%s|%r' % ({a}.detach().sum("
        f").item(), {t}, {a}.shape))",
        f"print('{{:{spec}}} {{}}'.format({value}, {t}))",
        f"print(repr({t}), str({t}), sep='|', end='.\\n')",
        f"t = {t}\nprint(t.tolist() if torch.is_tensor(t) and t.numel() < 50 else type(t))",
        f"print(({a}.detach() * {pick(('1e4', '1', '1e-6'))}).numpy(), {a}.detach().double("
        f").numpy())",
        f"print({a}.detach().sum().item(), {a}.detach().double().sum().item() / 3, {a}.dim(), "
        f"type({a}).__name__)",
        f"print([round(v, 2) for v in {a}.detach().reshape(-1).tolist()], max({a}.shape, "
        f"default=0), list({a}.size()))",
    ]
