"""The language in random programs, calls that are refused, and tensors that are large.

Constraints: as in program_parts.py. The names that a statement makes are `t`, `p`, `q`, `r`, `f`.
"""

from __future__ import annotations

from math import prod

from program_parts import ELEMENTWISE, Pick, Shape

CALLS = (
    *("{a}.sum({d})", "{a}.mean(dim={d})", "{a}.max({d})", "{a}.reshape({n}, -1)", "{a}.view({n})"),
    *("{a}.transpose(0, {d})", "{a}.permute({d}, 0)", "{a}.squeeze({d})", "{a}.unsqueeze({d})"),
    *(
        "{a}[{n}]",
        "{a}[:, {n}]",
        "{a}[{n}:]",
        "{a}[..., {d}, None]",
        "{a}['x']",
        "{a}[1.5]",
        "{a}[0, 0, 0, 0]",
    ),
    *("{a} + torch.ones({n})", "{a} @ torch.ones({n})", "{a} @ {a}", "{a}.mm({a})", "{a}.dot({a})"),
    *("torch.cat([{a}, torch.ones({n})])", "torch.stack([{a}, torch.ones({n})])", "torch.cat([])"),
    *("{a}.expand({n}, 3)", "{a}.repeat({n})", "{a}.narrow({d}, 0, {n})", "{a}.select({d}, {n})"),
    *(
        "{a}.index_select({d}, torch.tensor([{n}]))",
        "{a}.gather({d}, torch.tensor([{n}]))",
        "{a}.item()",
    ),
    *(
        "{a}.topk({n})",
        "{a}.kthvalue({n}, {d})",
        "{a}.split({n}, {d})",
        "{a}.chunk({n})",
        "{a}.unbind({d})",
    ),
    *(
        "{a}.masked_fill({a} > 0, torch.ones({n}))",
        "{a}[torch.tensor([True, False])]",
        "{a}.softmax({d})",
    ),
    *(
        "{a}.backward()",
        "{a}.backward(torch.ones({n}))",
        "torch.autograd.grad({a}, {a})",
        "bool({a})",
    ),
    *(
        "float({a})",
        "int({a})",
        "len({a})",
        "list({a})",
        "if_({a})",
        "{a}.foo",
        "torch.foo({a})",
        "{a}.sum(1, 2, 3)",
    ),
    *(
        "torch.tensor([[1, 2], [3]])",
        "torch.tensor('x')",
        "torch.ones(-1)",
        "torch.ones(2.5)",
        "torch.eye({d})",
    ),
    *(
        "torch.zeros({n}, dtype=int)",
        "torch.arange(5, 0)",
        "torch.linspace(0, 1, {n})",
        "torch.full((2,), 'x')",
    ),
    *(
        "{a}.requires_grad_('x')",
        "{a}.clamp()",
        "{a}.clamp('a')",
        "{a}.norm({n})",
        "{a}.flip({d})",
        "{a}.roll({n}, {d})",
    ),
    *(
        "F.softmax({a})",
        "F.relu({n})",
        "F.cross_entropy({a}, torch.tensor([{n}]))",
        "F.mse_loss({a}, torch.ones({n}))",
    ),
    *(
        "F.conv1d({a}, {a})",
        "F.linear({a}, torch.ones({n}, 3))",
        "F.layer_norm({a}, ({n},))",
        "F.one_hot({a})",
    ),
    *(
        "torch.einsum('ij,jk', {a}, {a})",
        "torch.einsum('i', {a})",
        "torch.where({a})",
        "torch.where({a} > 0, 1)",
    ),
    *(
        "{a}.long().requires_grad_()",
        "{a}.bool() - 1",
        "-({a} > 0)",
        "~{a}",
        "{a} & 1",
        "{a} << 1",
        "{a}.T",
        "{a}.mT",
    ),
    *(
        "{a}.view(torch.int32)",
        "{a}.type('x')",
        "{a}.to('cuda')",
        "{a}.to(torch.int32)",
        "{a}.diag({d})",
        "{a}.triu({n})",
    ),
    *(
        "{a}.std({d}, True)",
        "{a}.var(correction={n})",
        "{a}.cumsum()",
        "{a}.cumsum({d})",
        "{a}.sort({d})",
        "{a}.prod({d})",
    ),
    *(
        "torch.outer({a}, {a})",
        "torch.cross({a}, {a})",
        "torch.kron({a}, torch.ones({n}))",
        "torch.det({a})",
        "torch.inverse({a})",
    ),
    *(
        "{a}.unflatten({d}, ({n}, -1))",
        "{a}.flatten({d})",
        "{a}.movedim(0, {d})",
        "{a}.diff({n})",
        "{a}.swapaxes({d}, 0)",
    ),
    *(
        "{a}.detach().numpy() + 1",
        "{a}.numpy()",
        "{a}.tolist()[{n}]",
        "({a},)[{n}]",
        "1 / 0",
        "{a} / 0",
        "[][{n}]",
        "{{}}['k']",
    ),
    *(
        "torch.take({a}, torch.tensor([{n}]))",
        "{a}.scatter(0, torch.tensor([{n}]), 1.)",
        "{a}.index_add(0, torch.tensor([{n}]), {a})",
    ),
    *(
        "torch.quantile({a}, {n})",
        "torch.multinomial({a}, {n})",
        "torch.bincount({a})",
        "torch.logspace({n})",
        "undefined_name",
    ),
)
"""Calls that are refused for some operands."""


def refused(a: str, s: Shape, pick: Pick) -> list[str]:
    """Calls that may be wrong: what is raised, and its first line."""
    calls = [
        pick(CALLS).format(a=a, d=pick((-3, -2, -1, 0, 1, 2, 3)), n=pick((-1, 0, 1, 2, 3, 5)))
        for _ in range(3)
    ]
    lines = [f"try:\n    print({call})\nexcept Exception as e:\n    no(e)" for call in calls]
    kinds = (
        "RuntimeError",
        "ValueError",
        "TypeError",
        "IndexError",
        "(RuntimeError, IndexError)",
        "AttributeError",
    )
    return [
        "\n".join(lines),
        "\n".join(lines[1:]),
        f"t = {calls[0]}\nprint(t)",
        f"try:\n    t = {calls[0]}\n    print(t)\nexcept {pick(kinds)} as e:\n"
        f"    print('caught', type(e).__name__)\nelse:\n    print('fine')\nfinally:\n"
        f"    print('end')",
        f"def f(t, n=2, *rest, **named):\n    return t.sum() * n + len(rest), named\n"
        f"print(f({a}.detach(){pick(('', ', 3', ', n=1', ', 1, 2, 3', ', k=4'))}))",
    ]


LANGUAGE = (
    "r = [t * 2 for t in {a}.detach().reshape(-1) if t > 0]\nprint(r, len(r))",
    "r = {{n: {a}.shape for n in 'ab'}}\nr.update(c=1)\n"
    "print(r, list(r.items())[-1], r.get('z', 0), 'a' in r)",
    "p, *q = {a}.detach().reshape(-1).tolist() + [1., 2.]\n"
    "print(p, q, sum(q), max(q), min([p, *q]), sorted(q)[::-1])",
    "r = ' '.join(f'{{v:.2f}}' for v in {a}.detach().reshape(-1).tolist())\n"
    "print(r.upper().split(), r.replace('0', 'o'), len(r))",
    "def f(n):\n    return 1 if n < 2 else n * f(n - 1)\n"
    "print(f(6), [f(i) for i in range(5)], f(20) % 1000)",
    "def f(t):\n    def g(u):\n        return u * t.detach().sum()\n    return g\n"
    "p = f({a})({a})\nprint(p, p.grad_fn)\np.sum().backward()",
    "f = lambda t, k=2: (t ** k).sum()\n"
    "print(f({a}), f({a}, 3), (lambda *u: len(u))(1, 2))\nf({a}).backward()",
    "r = []\nfor i, (p, q) in enumerate(zip({a}.detach().reshape(-1), range(3))):\n"
    "    if i == 1:\n        continue\n    r.append((p.item(), q))\nelse:\n"
    "    r.append('done')\nprint(r)",
    "n = 0\nwhile True:\n    n += 1\n    if n > 5:\n        break\nelse:\n"
    "    print('never')\nprint(n, 0 < n <= 6 != 3, n if n % 2 else -n, not n, n and 'x' "
    "or 'y')",
    "try:\n    try:\n        raise ValueError('bad', {a}.dim())\n    finally:\n"
    "        print('first')\nexcept (TypeError, ValueError) as e:\n"
    "    print(repr(e), e.args, str(e))",
    "try:\n    assert {a}.dim() > 5, f'dim {{{a}.dim()}}'\nexcept AssertionError as e:\n"
    "    print(type(e).__name__, e)",
    "print(isinstance({a}, torch.Tensor), type({a}), {a}.dtype == torch.float32, {a} is "
    "{a}, {a}.device, torch.is_tensor(2))",
    "r = {{*{a}.shape, 7}}\nprint(sorted(r), r | {{9}}, tuple(reversed(range(3))), list("
    "map(lambda v: v * 2, [1, 2])), divmod(-7, 3), 2 ** -1, -7 // 2, -7 % 3)",
    "r = [[0] * 2 for _ in range(2)]\nr[0][1] = {a}.numel()\ndel r[1]\nr += [3]\n"
    "print(r, r[::-1], r.index(3), r * 2, any(r), all(r), [*r, *r])",
    "r = '%5.2f|%-6s|%03d' % (1.5, 'ab', 7)\n"
    "print(r, r[1:-1], r.strip('7'), r.find('a'), 'x' * 3, 'a' < 'b', f'{{r!r:>22}}', "
    "f'{{1e-5:g}} {{1234567:,}} {{255:x}} {{0.5:%}}')",
    "with torch.no_grad(), torch.enable_grad():\n    p = {a} * 2\n"
    "print(p.requires_grad, torch.is_grad_enabled())",
    "@torch.no_grad()\ndef f(t):\n    return t * 2\nprint(f({a}).requires_grad)",
    "print(torch.allclose({a}, {a} * 1), torch.equal({a}, {a}), {a}.eq({a}).all().item(),"
    " bool(({a} == {a}).all()), {a}.ne(0).sum())",
    "r = [{a}, {a} * 2]\np = torch.stack(r).sum(0)\nr[0] = p\nprint(p.grad_fn, len(r))\n"
    "sum(t.sum() for t in r).backward()",
    "p = {a}.detach().clone()\nq = p\nq += 1\nprint(p is q, p)\nq = q + 1\nprint(p is q, p)",
    "p = {a} if {a}.numel() > 3 else -{a}\nprint(p)\np, q = p * 2, p\n(p * q).sum().backward()",
    "p = {a}.detach().numpy()\nprint(p.shape, p.dtype, p.sum() if p.size else 0, p.tolist())",
    "print(abs(-2), round(2.567, 1), round(2.5), pow(2, 3), int('12') + float('1.5'), "
    "str(1.0), repr('a'), bool([]), 1_000, 0x1f, 1e3, 3 // 2 * 1.0, complex(1, 2))",
    "import math\nprint(math.sqrt(2), math.pi, math.floor(-1.5), math.isnan(float("
    "'nan')), math.exp(1), math.inf, math.log(10, 2))\np = {a} * math.pi\nprint(p)",
    "print(*{a}.shape, sep='x', end='!\\n')\n"
    "print([*range(0, 10, 3)], list(enumerate('ab', 1)), list(zip([1, 2], 'xy')), [i for "
    "i in range(6) if i % 2 for _ in 'a'])",
    "def f(t):\n    for i in range(4):\n        if t.sum() > i:\n"
    "            return i, t\n    return None\nprint(f({a}.detach()))",
    "def f(t):\n    with torch.no_grad():\n        for i in range(3):\n"
    "            t = t * 0.5\n            if i == 1:\n                return t\n"
    "print(f({a}), torch.is_grad_enabled())",
    "global_value = 1\ndef f():\n    global_value = 2\n    return global_value\n"
    "print(f(), global_value)",
    "for t in ({a}, {a}.detach()):\n    match_ = 'leaf' if t.is_leaf else 'inner'\n"
    "    print(match_, t.requires_grad)",
)


def spoken(a: str, s: Shape, pick: Pick) -> list[str]:
    """Constructs of the language."""
    return [pick(LANGUAGE).format(a=a)]


def large(a: str, s: Shape, pick: Pick) -> list[str]:
    """Tensors that wait until they are needed, in parts and written to."""
    rows, columns = pick(((60000, 1), (300, 250), (20000, 4), (2, 50000)))
    kind = pick(("", "", ", dtype=torch.float64"))
    x = f"t = (torch.arange({rows * columns}{kind}) % 97 / 50 - 1).reshape({rows}, {columns})"
    steps = [
        *(f"p = {f.format(a='p', b='2', c='p.detach()')}" for f in ELEMENTWISE if "loss" not in f),
        *(
            "p = p.T.contiguous().T",
            "p = p - p.mean(0)",
            "p = p.softmax(1)",
            "p = p / p.norm()",
            "p = p[::2]",
            "p = p[:, :1]",
        ),
        *(
            "p = p.cumsum(1) / 8",
            "p = p * p.sum(1, keepdim=True)",
            "p = torch.cat([p, p[:5]])",
            "p = p.reshape(-1)[5:][None]",
        ),
        *(
            "p = p.flip(0)",
            "p = p.masked_fill(p > 0.5, 0.25)",
            "p = p @ torch.ones(p.shape[1], 2, dtype=p.dtype) / 99",
            "p = p.roll(3, 0)",
        ),
        *(
            "p = p.sort(0)[0]",
            "p = (p - p.amax(0)).exp()",
            "p = p[p[:, 0] > 0]",
            "p = torch.where(p > p.mean(), p, -p)",
        ),
        *(
            "p = p * 1\np[5:9] = 2.",
            "p = p * 1\np[:, 0] *= 3",
            "p = p + 1\np.mul_(0.5).clamp_(-1, 1)",
            "p = p * 1\nq = p[3]\nq.add_(1)",
        ),
        f"p = p * ({a}.sum() / 9).to(p.dtype)",
    ]
    body = "\n".join(pick(steps) for _ in range(pick((1, 2, 3, 4))))
    last = pick(
        (
            "p.sum()",
            "(p * p).mean()",
            "p[::7].exp().mean()",
            "p.std()",
            "p.logsumexp(0).sum()",
            "p.prod(1).sum()",
        )
    )
    looks = pick(
        (
            "print(p)",
            "print(p.shape, p.dtype, p.grad_fn)",
            "print(p.max(), p.argmin())",
            "print(p[:2, :3], p.stride())",
        )
    )
    grad = "t.grad[:2, :2], t.grad.abs().mean()"
    return [
        f"{x}.requires_grad_()\np = t\n{body}\n{looks}\nr = {last}\nprint(r)\nr.backward()\n"
        f"print({grad})",
        f"{x}.requires_grad_()\np = t\n{body}\nr = {last}\nr.backward()\nt.data.mul_(2)\n"
        f"print(r, {grad}, p[:1, :2])",
        f"{x}\np = t\n{body}\n{looks}\nt.zero_()\nprint({last})",
        f"{x}.requires_grad_()\np = t\n{body}\n"
        f"g, = torch.autograd.grad({last}, t, create_graph=True)\nprint(g[:2, :2])\n"
        f"(g * g).sum().backward()\nprint({grad})",
        f"{x}.requires_grad_()\nfor i in range(12):\n    p = t\n    "
        + body.replace("\n", "\n    ")
        + f"\n    r = {last}\n    r.backward()\n    with torch.no_grad():\n"
        f"        t -= 0.1 * t.grad\n        t.grad.zero_()\nprint(r, t[:2, :2])",
    ]


def matrices(a: str, s: Shape, pick: Pick) -> list[str]:
    """Linear algebra, Einstein sums and Fourier transforms of matrices with distinct numbers."""
    n, m = pick((2, 3)), pick((2, 3, 4))
    batch = pick(([], [], [2]))
    count = prod(batch) * n * m
    x = f"x = (torch.arange({count}.) * 7 % 11 / 4 - 1).reshape({[*batch, n, m]}).requires_grad_()"
    y = f"y = (torch.arange({count}.) * 5 % 13 / 8).reshape({[*batch, m, n]}).requires_grad_()"
    square = f"z = x @ x.mT + torch.diag(torch.arange(1., {n + 1}))"
    sums = (
        "...ij,...jk->...ik",
        "...ij,...jk",
        "...ij,...ji->...",
        "...ij,...kj->...ik",
        "...ij->...i",
        "...ij->...ji",
    )
    equation = pick(sums)
    two = {1: "x", 2: "x, y"}[equation.split("->")[0].count(",") + 1]
    two = "x, x" if "kj" in equation else two
    operations = (
        *(
            "torch.linalg.det(z)",
            "torch.linalg.inv(z)",
            "torch.linalg.cholesky(z)",
            "torch.linalg.slogdet(z)[1]",
            "z.logdet()",
        ),
        *(
            "torch.linalg.solve(z, x)",
            "torch.linalg.eigvalsh(z)",
            "torch.linalg.svdvals(x)",
            "torch.linalg.qr(z)[1].abs()",
        ),
        *(
            "torch.linalg.matrix_power(z / 8, 3)",
            "torch.linalg.matrix_exp(z / 8)",
            "torch.linalg.pinv(x)",
            "torch.linalg.lstsq(z, x)[0]",
        ),
        *(
            "torch.linalg.norm(x)",
            "torch.linalg.matrix_norm(x, 'nuc')",
            "torch.linalg.matrix_norm(x, 1)",
            "torch.linalg.vector_norm(x, 3)",
        ),
        *(
            "torch.linalg.cond(z)",
            "torch.linalg.lu(z)[2]",
            "torch.linalg.multi_dot([x, y, x])",
            "torch.linalg.solve_triangular(z, x, upper=True)",
        ),
        *(
            f"torch.einsum('{equation}', {two})",
            "x @ y",
            "(x @ y) @ (x @ y)",
            "torch.matmul(y, x)",
            "x.mT @ z @ x",
            "torch.trace(z)",
        ),
        *(
            "torch.tensordot(x, y, 1)",
            "torch.tensordot(x, x, 2)",
            "torch.kron(x, y)",
            "torch.cdist(x, y.mT)",
            "torch.cov(x)",
            "torch.corrcoef(x)",
        ),
        *(
            "torch.fft.rfft(x).abs()",
            "torch.fft.fft2(x).real",
            "torch.fft.irfft(torch.fft.rfft(x, dim=0), dim=0)",
            "torch.fft.fftshift(x)",
        ),
        *(
            "torch.fft.ifft(x).imag",
            "torch.fft.hfft(torch.complex(x, x))",
            "torch.fft.fft(x, n=5, norm='ortho').abs()",
            "torch.block_diag(x, y)",
        ),
        *(
            "torch.bmm(x[None], y[None])",
            "torch.addmm(z, x, y, beta=0.5, alpha=2)",
            "torch.mv(z, x[:, 0])",
            "x.tril() + x.triu(1)",
            "x.diagonal(1)",
        ),
        *(
            "torch.diag_embed(x)",
            "x.diag()",
            "torch.vander(x[0])",
            "torch.cartesian_prod(x[0], y[0])",
            "torch.combinations(x[0])",
            "torch.chain_matmul(x, y)",
        ),
        *(
            "torch.baddbmm(z[None], x[None], y[None])",
            "torch.householder_product(z, x[:, 0])",
            "torch.cholesky_inverse(z)",
            "torch.cholesky_solve(x, z)",
        ),
    )
    ends = ("t.sum().backward()", "(t * t).sum().backward()", "t.sin().sum().backward()")
    second = (
        "g, = torch.autograd.grad((t * t).sum(), x, create_graph=True)\nprint(g)\n"
        "g.sin().sum().backward()"
    )
    kind = pick(
        ("", "\nx, y = x.detach().double().requires_grad_(), y.detach().double().requires_grad_()")
    )
    operation = pick(operations)
    return [
        f"{x}\n{y}{kind}\n{square}\nt = {operation}\nprint(t)\n{end}\nprint(x.grad, y.grad)"
        for end in (*ends, second, second)
    ]
