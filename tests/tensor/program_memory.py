"""Statements for random programs about memory and control: what lies where, and what runs when.

Views of views, of halves and complex numbers too, with their strides, offsets and versions after
writes; results in tensors of other shapes; dual numbers; nested loops, functions and hooks.

Constraints: as in program_parts.py. A name that a statement makes for itself is `t`, `p` or `q`.
"""

from __future__ import annotations

from math import prod

from program_parts import ELEMENTWISE, Pick, Shape, copies, views

HEAD = """\
def lies(t):
    g = None if t.grad_fn is None else names(t.grad_fn, 2)
    print(t, t.dtype, t.stride(), t.storage_offset(), t.is_contiguous(), t._version, g)
"""
"""What the statements speak of."""
KINDS = ("half()", "bfloat16()", "double()", "to(torch.cfloat)", "long()", "mul(2)", "bool()")
ALIKE = ("ones_like", "zeros_like", "rand_like", "empty_like")
UNARY = [e for e in ELEMENTWISE if "{b}" not in e and "{c}" not in e]


def laid(a: str, s: Shape, pick: Pick) -> list[str]:
    """Views of views and what is made of them, with where their elements lie."""
    chain, shape = a, s
    for _ in range(pick((1, 2, 3))):
        chain, shape = pick(views(chain, shape, pick))
    copy, _ = pick(copies("t", shape, pick))
    step, kind = pick(UNARY).format(a="t"), pick(KINDS)
    alike = f"torch.{pick(ALIKE)}(t)"
    writes = ("t.mul_(2)", "t.zero_()", "p[...] = 1", "t.t_()", "t.unsqueeze_(0)", "t.squeeze_()")
    writes += ("p.copy_(t)", "t.add_(t)", "t += 1", "t.transpose_(0, -1)", "t.clamp_(0, 1)")
    return [
        f"t = {chain}\nlies(t)\nlies({copy})",
        f"t = {chain}\nlies({step})\nlies(t.clone())",
        f"t = {chain}.{kind}\nlies(t)\nlies(t + t)\nlies(t.contiguous())",
        f"t = ({a} * 1).{kind}\np = t.view(-1)\n{pick(writes)}\nlies(t)\nlies(p)",
        f"t = {chain}\np = {alike} * 0\nlies(p)\nlies(torch.where(p == 0, t, p))",
        f"t = {chain}.clone()\np = t[None]\n{pick(writes)}\nlies(t)\nlies(p)\np.sum().backward()",
        f"t = {chain}.{kind}\nprint(t.is_set_to(t), t.dim_order(), t.element_size(), t.nbytes)\n"
        "lies(t.sum(0, keepdim=True))\nlies(t.flatten())",
        f"t = {chain}\nlies(torch.stack([t, t]))\nlies(torch.cat([t, t], -1))\nlies(t.flip(0))",
    ]


def written_out(a: str, s: Shape, pick: Pick) -> list[str]:
    """Results that go into tensors that are there already."""
    step = pick(("exp", "sin", "neg", "abs", "sqrt", "sign", "floor", "sigmoid", "square"))
    two = pick(("add", "mul", "sub", "div", "maximum", "pow", "atan2", "lt", "eq"))
    kind = pick(("float32", "float64", "float16", "int64", "bool", "complex64"))
    size = pick((list(s), list(s[::-1]), [2, *s], [0], list(s[1:])))
    q = f"q = torch.zeros({size}, dtype=torch.{kind})"
    x = f"{a}.detach()"
    return [
        f"{q}\nprint(torch.{step}({x}, out=q) is q)\nlies(q)",
        f"{q}\ntorch.{two}({x}, {x}, out=q)\nlies(q)",
        f"{q}\ntorch.{step}({a}, out=q)\nlies(q)",
        f"q = torch.zeros({list(s)}, dtype={a}.dtype).mT\ntorch.{step}({x}, out=q)\nlies(q)",
        f"{q}\ntorch.sum({x}, 0, out=q)\nlies(q)\ntorch.cumsum({x}, 0, out=q)\nlies(q)",
        f"{q}\np = torch.zeros({size}, dtype=torch.long)\ntorch.max({x}, 0, out=(q, p))\nlies(q)",
        f"{q}\ntorch.cat([{x}, {x}], out=q)\nlies(q)\ntorch.stack([{x}], out=q)\nlies(q)",
        f"t = ({x} * 1)\ntorch.{step}(t, out=t)\nlies(t)\ntorch.{two}(t, {x}, out=t)\nlies(t)",
    ]


def duals(a: str, s: Shape, pick: Pick) -> list[str]:
    """Dual numbers through views, writes and passes backward."""
    step, second = pick(UNARY).format(a="d"), pick(UNARY).format(a="d")
    chain, _ = pick(views("d", s, pick))
    level = "with fwAD.dual_level():\n    "
    x = f"{a}.detach()"
    start = f"{level}d = fwAD.make_dual({x}, torch.ones_like({x}))\n    "
    show = "print(d, d.grad_fn)\n    print(fwAD.unpack_dual(d))"
    return [
        f"{start}d = {step}\n    {show}",
        f"{start}d = {step}\n    d = {second}\n    {show}",
        f"{start}d = {chain}\n    d = d * d\n    {show}",
        f"{start}d = d * 1\n    d.mul_(2)\n    {show}\n    d[...] = 3\n    {show}",
        f"{level}d = {a}.detach() * 1\n    d.copy_(fwAD.make_dual(d, d * 2))\n    {show}",
        f"{start}d = torch.cat([{step}, d.detach()])\n    {show}",
        f"print(torch.func.jvp(lambda d: {chain} * 2, ({a}.detach(),), ({a}.detach() + 1,)))",
        f"print(torch.func.jvp(torch.func.grad(lambda d: ({step}).sum()), ({a}.detach(),), "
        f"({a}.detach(),)))",
    ]


def nested(a: str, s: Shape, pick: Pick) -> list[str]:
    """Loops in loops, functions in functions, and hooks that change what they see."""
    step = pick(UNARY)
    one, two = step.format(a="t"), pick(UNARY).format(a="t")
    first = f"{a}.reshape(-1)" if prod(s) else "torch.ones(2)"
    return [
        f"t = {a}\nfor i in range(4):\n    if i % 2:\n        t = {one}\n        continue\n"
        f"    for j in range(2):\n        if j > 0 and t.sum() > 0:\n            break\n"
        "        t = t + j\n    else:\n        t = t * 0.5\nprint(t, t.grad_fn)\n"
        "t.sum().backward()",
        "def p(t, n=2):\n    def q(u):\n        return u * n\n"
        f"    return q({one}) if n else p(t, 1)\n"
        f"t = p({a}) + p({a}, n=0)\nprint(t)\nt.sum().backward()",
        f"t = {a} * 1\nseen = []\nt.register_hook(lambda g: seen.append(g.sum().item()))\n"
        f"t.register_hook(lambda g: g.clamp(-1, 1))\nq = {one}\nq.sum().backward()\nprint(seen)",
        f"def p(t):\n    p.calls += 1\n    return {two}\np.calls = 0\nfor i in range(12):\n"
        f"    t = p({a}).sum()\nprint(p.calls, t)",
        f"total, kept = 0.0, {{}}\nfor i, t in enumerate({first}):\n    kept[i % 2] = {one}\n"
        "    total += t.item() if i else 1\nprint(total, kept)",
        f"n, t = 0, {a}.detach()\nwhile True:\n    n += 1\n    t = t * 0.5 + 0.1\n"
        "    if n > 20 or t.abs().sum() < 1:\n        break\nprint(n, t)",
        f"t = {a}.detach().clone().requires_grad_()\nfor i in range(15):\n    q = ({one}).sum()\n"
        "    g, = torch.autograd.grad(q, t)\n    with torch.no_grad():\n"
        "        if i % 3 == 2:\n            t += 0.01\n        else:\n            t -= 0.1 * g\n"
        "print(q, t)",
        f"p = [{a}, {a} * 2]\nfor t in p:\n    t.retain_grad()\nq = sum((t * t).sum() for t in p)\n"
        "q.backward()\nprint([t.grad for t in p], [t.is_leaf for t in p])",
    ]
