"""Long loops for random programs: bodies that are recorded and done again, and what ends them.

Parameters, buffers, numbers and lists that an iteration hands to the next; gradients and descent;
branches on tensors and numbers; parts of tensors at places that numbers say; random numbers.

Constraints: as in program_parts.py. Values stay small however long a loop runs. The names of a loop
are its own: `w` a leaf, `m` and `q` tensors like it, `c` a float, `n` and `i` integers, `log` a
list, `loss` a scalar.
"""

from __future__ import annotations

from program_parts import Pick, Shape

STARTS = ("{a}.detach().clone()", "torch.linspace(-1, 1, {k})", "torch.zeros({k}) + 0.5")

STEPS = (
    *("q = (w * m).tanh()", "q = 0.5 * q + w.sin()", "q = torch.where(w > m, w, q)", "q = m"),
    *("q = q.clamp(-1, 1) * c", "q = (q + m) / 2", "q = q.flip(0)", "q = w.detach() - m", "m = q"),
    *("m = 0.9 * m + 0.1 * w.detach()", "m.mul_(0.9).add_(q.detach(), alpha=0.1)", "m, q = q, m"),
    *("m = m.detach()", "q = q.detach()", "q = q * 1\n    q[0] = 0.25", "q = q.roll(1)"),
    *("m = m.detach().clone()\n    m[i % {k}] = c", "m = m.detach() + 0\n    m[-1] += 0.01 * n"),
    *("c = 0.9 * c + 0.05", "c *= -0.5", "n += 1", "n = (n * 3 + i) % 7", "c = c / (1 + c * c)"),
    *("n = n + i % 3", "c = max(min(c, 2.0), -2)", "c = q.sum().item() / 8", "n -= 2 * (n > 4)"),
    *("c = float(loss)", "n = int(q.abs().sum() > 1)", "log.append(c)", "log.append(loss.item())"),
    *("log.append((i, n))", "log.append(round(c, 3))", "log = log[-5:]", "log += [n]", "c -= 0.01"),
    *("loss = (w * w).sum() + q.sum()", "loss = ((w - m) ** 2).mean()", "loss = (q * w).sum()"),
    *("loss = loss.detach() * 0.5 + w.cos().sum()", "loss = (w[i % {k}] - c) ** 2 + w.sum() * 0.1"),
    *(
        "loss = w.softmax(0)[n % {k}].log()",
        "loss = torch.dot(w, w) / {k}",
        "q = w[n % {k}:].sum() + m",
    ),
    *("g, = torch.autograd.grad((w * w * c).sum(), w)\n    m = m.detach() - 0.1 * g",),
    *("g, = torch.autograd.grad((w ** 3).sum(), w, create_graph=True)\n    q = g.tanh() * m",),
    *("(w.sin() * c).sum().backward()", "(w.exp().log1p() * m.detach()).sum().backward()"),
    *("w.grad = None\n    ((w - c) ** 2).sum().backward()\n    w.data -= 0.05 * w.grad",),
    *(
        "((w * m.detach()) ** 2).mean().backward()\n    with torch.no_grad():\n"
        "        w.sub_(0.1 * w.grad)\n        w.grad.zero_()",
    ),
    *(
        "with torch.no_grad():\n        w.mul_(0.95)",
        "with torch.no_grad():\n        m = w * 0.5 + m * 0.5",
    ),
    *("w.data.clamp_(-1, 1)", "if w.grad is not None:\n        w.grad.mul_(0.5)", "w.grad = None"),
    *(
        "if i % 3 == 0:\n        m = m * 0.5",
        "if i % 4 == n % 4:\n        c += 0.1\n    else:\n        n += 1",
    ),
    *(
        "if q.sum() > 0:\n        q = -q * 0.5\n    else:\n        q = q + 0.1",
        "if c > 0.5: c = c - 1",
    ),
    *(
        "if i > 20 and c < 0.1: break",
        "if n > 40: break",
        "if i % 5 == 3: continue",
        "if i == 17: m = m + 1",
    ),
    *("if i % 10 == 0: print(i, n, f'{{c:.4f}}', q.detach().sum())", "if i % 9 == 8: print(loss)"),
    *(
        "if loss.item() < 0.2:\n        n += 2\n        w.data.add_(0.3)",
        "q = step(q, m)",
        "c = half(c)",
    ),
    *(
        "for j in range(3):\n        q = q * 0.5 + m * j / 4",
        "for j in range(n % 3):\n        c = c * 0.5",
    ),
    *(
        "q = q + 0.01 * torch.randn({k})",
        "j = torch.randint(0, {k}, (2,))\n    q = q + w[j].sum() * 0.1",
    ),
    *(
        "q = torch.cat([q[1:], w[:1]])",
        "q = torch.stack([w, m]).mean(0)",
        "m = q.sort()[0]",
        "q = q.cumsum(0) / 8",
    ),
    *(
        "m = torch.outer(w, m).mean(0)",
        "q = (w[:, None] * m).sum(1) / {k}",
        "q = step(w, q) @ torch.eye({k})",
    ),
    *(
        "q = q.double().float()",
        "q = q + n",
        "q = (q * 10).round() / 10",
        "m = m * (m > 0)",
        "q = q / q.norm()",
    ),
    *(
        "assert i < 100",
        "t = {a}.sum() * 0.01\n    q = q + t",
        "pass",
        "v = w[:2]\n    q = q + v.sum() * 0.1",
    ),
    *(
        "k, v = divmod(i, 3)\n    n += k - v",
        "table[i % 3] = c",
        "c += table.get(n % 3, 0.5) * 0.1",
        "s = f'{{n}}'",
    ),
)
"""Statements of a body; `k` is the number of elements."""

HEADS = (
    "for i in range({many}):",
    "for i in range({many}):",
    "for i in range(2, {many} * 2, 2):",
    "for i, e in enumerate(torch.linspace(0, 1, {many})):",
    "for i, e in enumerate([0.5, 0.25] * {many}):",
    "i = 0\nwhile i < {many}:\n    i += 1",
    "i = -1\nwhile i < {many} and q.abs().sum() < 99:\n    i += 1",
    "for i in reversed(range({many})):",
)


def loops(a: str, s: Shape, pick: Pick) -> list[str]:
    """One loop at the top of the script or in a function, and what it leaves."""
    k = pick((2, 3, 4, 5))
    start = pick(STARTS[:2] if s == (k,) else STARTS[1:]).format(a=a, k=k)
    dtype = pick(("", "", ".double()"))
    many = pick((9, 14, 30, 45, 60))
    body = "\n    ".join(
        pick(STEPS).format(k=k, a=a) for _ in range(pick((1, 2, 2, 3, 3, 4, 5, 6)))
    )
    loop = f"{pick(HEADS).format(many=many)}\n    {body}"
    setup = (
        f"torch.manual_seed({pick(range(9))})\n"
        f"w = ({start}){dtype}.requires_grad_()\nm, q = torch.ones({k}){dtype}, w * 0.5\n"
        f"c, n, log, table, loss = {pick(('0.5', '-1.0', '2'))}, {pick(('0', '1'))}, [], {{0: "
        f"1.0}}, w.sum()"
    )
    names = "i, w, m, q, c, n, log, table, loss, w.grad"
    ends = pick(("", "\n(q.sum() + m.sum() + loss).backward()\nprint(w.grad)"))
    inside = f"{setup}\n{loop}\nreturn {names}".replace("\n", "\n    ")
    looks = (
        "print(i, n, f'{c:.4f}', log[-3:], len(log), table)\nprint(w, m, q)\n"
        "print(loss, w.grad, q.grad_fn, m.requires_grad, w._version, m.dtype)"
    )
    call = f"def descend():\n    {inside}\n{names.replace('w.grad', 'd')} = descend()"
    guarded = "try:\n    " + loop.replace("\n", "\n    ") + "\nexcept Exception as e:\n    no(e)"
    return [
        f"{setup}\n{loop}\n{looks}{ends}",
        f"{setup}\n{guarded}\n{looks}{ends}",
        f"{call}\n{looks}{ends}",
    ]


HEAD = """\
def step(u, v):
    r = u * v
    if r.dim() > 1:
        return r.sum(0)
    return r / (1 + r * r)

def half(v):
    if v > 1:
        return v / 2
    return v * 0.5 + 0.125
"""
"""Functions that the bodies call."""
