"""Statements about the graph of gradients for random programs: hooks, nodes, transforms, dtypes.

Constraints: as in program_parts.py. The names that a statement makes are `t`, `p`, `q`, `g`, `h`.
"""

from __future__ import annotations

from program_parts import ELEMENTWISE, Pick, Shape

HEAD = """\
class Again(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, k):
        return x.sin() * k

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])
        ctx.k = inputs[1]

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * x.cos() * ctx.k, None

    @staticmethod
    def jvp(ctx, t, _):
        x, = ctx.saved_tensors
        return t * x.cos() * ctx.k

class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x)
        ctx.shape = y.shape
        return (x * y).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * torch.ones_like(x), g * torch.ones(ctx.shape)

class Kept(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale=2):
        y = x * scale
        ctx.save_for_backward(y)
        return y, x

    @staticmethod
    def backward(ctx, g, h):
        y, = ctx.saved_tensors
        return g * y + h, None
"""
"""Classes that the statements speak of."""


def nodes(a: str, s: Shape, pick: Pick) -> list[str]:
    """Nodes of the graph, hooks on them and on tensors, and passes that they change."""
    x = f"x = {a}.detach().clone().requires_grad_()"
    step = pick(ELEMENTWISE).format(a="x", b="2", c="x")
    other = pick(ELEMENTWISE).format(a="t", b="x", c="x")
    seen = "lambda *v: print('seen', v)"
    return [
        f"{x}\nt = {step}\nt.register_hook(lambda g: g * 2)\n"
        f"t.register_hook(lambda g: print(g))\n(t * x).sum().backward()\nprint(x.grad)",
        f"{x}\nt = {step}\np = {other}\n"
        f"print(names(p.grad_fn), p.grad_fn is None or p.grad_fn.next_functions)",
        f"{x}\nt = {step}\nh = t.register_hook({seen})\nt.sum().backward(retain_graph=True)\n"
        f"h.remove()\nt.sum().backward()\nprint(x.grad)",
        f"{x}\nh = x.register_post_accumulate_grad_hook(lambda v: v.grad.mul_(3))\n"
        f"t = {step}\nt.sum().backward()\nt = {other}\nt.sum().backward()\nprint(x.grad)",
        f"{x}\nt = {step}\nt.retain_grad()\np = {other}\np.sum().backward()\n"
        f"print(t.grad, x.grad, t.retains_grad, p.retains_grad)",
        f"{x}\nt = {step}\nt.grad_fn.register_hook(lambda i, o: print(i, o))\np = {other}\n"
        f"p.sum().backward()",
        f"{x}\nt = {step}\nt.grad_fn.register_prehook(lambda o: tuple(v * 2 for v in o))\n"
        f"t.sum().backward()\nprint(x.grad)",
        f"{x}\nt = {step}\nt.register_hook(lambda g: torch.ones(5))\nt.sum().backward()",
        f"{x}\nt = {step}\np = torch.utils.checkpoint.checkpoint(lambda v: (v * v).sin(), t, "
        f"use_reentrant=False)\nprint(p)\np.sum().backward()\nprint(x.grad)",
        f"{x}\nt, p = Kept.apply(x)\nprint(t, p, p.grad_fn)\n(t * p).sum().backward()\n"
        f"print(x.grad)",
        f"{x}\nt = Once.apply(x, x * 2)\nprint(t)\n"
        f"g, = torch.autograd.grad(t, x, create_graph=True)\nprint(g)\ng.sum().backward()",
        f"{x}\nt = Again.apply(x, 3)\ng, = torch.autograd.grad(t.sum(), x, "
        f"create_graph=True)\nprint(g, names(g.grad_fn))\n"
        f"print(torch.autograd.grad(g.sum(), x))",
        f"{x}\nt = {step}\nprint(t.grad_fn.name(), t.grad_fn._saved_self)",
        f"{x}\nt = {step}\ntorch.autograd.backward([t, t * 2], [torch.ones_like(t)] * 2)\n"
        f"print(x.grad)",
        f"{x}\nt = {step}\nt.sum().backward()\nx.grad.zero_()\n(x * 3).sum().backward()\n"
        f"print(x.grad)\nx.grad = None\nprint(x.grad)",
        f"{x}\ny = x.detach().clone().requires_grad_()\nt = {step} * y\n"
        f"p = torch.autograd.grad(t.sum(), (y, x), create_graph=True)\nprint(p)\n"
        f"print(torch.autograd.grad(p[0].sum() + (p[1] * y).sum(), (x, y), allow_unused=True))",
        f"{x}\nt = {step}\np = t.detach().requires_grad_()\nq = (p * p).sum()\nq.backward()\n"
        f"t.backward(p.grad)\nprint(x.grad, p.grad)",
        f"{x}\nt = {step}\nx.data = x.data * 2\nt.sum().backward()\nprint(x.grad)",
        f"{x}\nwith torch.no_grad():\n    t = {step}\nprint(t.requires_grad, t.grad_fn)\n"
        f"t.requires_grad_()\n(t * x).sum().backward()\nprint(t.grad, x.grad)",
        f"{x}\nt = {step}\nt.sum().backward(create_graph=True)\n"
        f"print(x.grad, x.grad.grad_fn)\ng = x.grad.sum()\nx.grad = None\ng.backward()\n"
        f"print(x.grad)",
    ]


def functions(a: str, s: Shape, pick: Pick) -> list[str]:
    """Transforms in transforms, of functions with writes and conditions in them."""
    x = f"x = {a}.detach()"
    single = [f for f in ELEMENTWISE if "{c}" not in f and "requires_grad" not in f]
    step, other = pick(single).format(a="t", b="2"), pick(single).format(a="t", b="x")
    body = pick(
        (
            f"t = {step}\n    return t",
            f"t = {step}\n    t = {other}\n    return t",
            f"t = t * 1\n    t.mul_(2)\n    return {step}",
            f"u = torch.zeros_like(t)\n    u += t\n    return u * {step}",
            "return Again.apply(t, 2)",
            f"return torch.where(t > 0, {step}, t)",
            "return t[..., None] * t[..., None, :] if t.dim() else t * t",
            f"return t.softmax(-1) * {step} if t.dim() else {step}",
            "return t.cumsum(-1) * t.flip(-1) if t.dim() else t",
        )
    )
    f = f"def f(t):\n    {body}\ndef total(t):\n    return (f(t) * f(t)).sum()"
    ones = "torch.ones_like(x)"
    return (
        [
            f"{x}\n{f}\nprint(torch.func.{name})"
            for name in (
                "grad(total)(x)",
                "hessian(total)(x)",
                "jacrev(f)(x)",
                "jacfwd(f)(x)",
                "jacfwd(torch.func.grad(total))(x)",
                "jacrev(torch.func.jacfwd(f))(x.reshape(-1)[:2])",
                f"jvp(torch.func.grad(total), (x,), ({ones},))",
                f"vjp(f, x)[1]({ones})"
                if "None" not in body
                else "vjp(total, x)[1](torch.tensor(2.))",
                "grad_and_value(total)(x)",
                f"jvp(f, (x,), ({ones},))",
                "vmap(f)(x)",
                "vmap(torch.func.grad(total))(x)",
                "vmap(torch.func.hessian(total))(x)",
                "vmap(torch.func.jacrev(f))(x)",
                "grad(lambda t: torch.func.vmap(total)(t).sum())(x)",
                f"vmap(lambda v: torch.func.jvp(f, (x,), (v,))[1])(torch.stack([{ones}, x]))",
                "vmap(torch.func.vjp(total, x)[1])(torch.ones(2))",
                "vmap(f, out_dims=-1)(x)",
                "vmap(f, randomness='error', chunk_size=1)(x)",
                "vmap(torch.vmap(f))(x)",
            )
        ]
        + [
            f"{x}\n{f}\nprint(torch.autograd.functional.{name})"
            for name in (
                "jacobian(f, x)",
                "hessian(total, x)",
                f"vhp(total, x, {ones})",
                f"hvp(total, x, {ones})",
                f"jvp(f, x, {ones})" if "None" not in body else "jvp(total, x, x)",
                "jacobian(f, x, vectorize=True)",
                "jacobian(f, x, create_graph=True)",
                "jacobian(lambda t: (f(t), total(t)), x)",
                "hessian(lambda t, u: (t * u).sum() + total(t), (x, x))",
            )
        ]
        + [
            f"{x}\n{f}\nwith fwAD.dual_level():\n    t = f(fwAD.make_dual(x, {ones}))\n"
            f"    print(t, fwAD.unpack_dual(t))",
            f"{x}.requires_grad_()\n{f}\np = torch.func.grad(total)(x)\nprint(p)\n"
            f"p.sum().backward()\nprint(x.grad)",
            f"{x}.requires_grad_()\n{f}\np = torch.vmap(f)(x)\nprint(p)\np.sum().backward()\n"
            f"print(x.grad)",
        ]
    )
