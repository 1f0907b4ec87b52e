# MAML on sine waves: the inner step stays differentiable with create_graph=True.
import math
import torch

torch.manual_seed(1)
shapes = [(1, 16), (16,), (16, 1), (1,)]
params = [torch.randn(*s).mul(0.5).requires_grad_() for s in shapes]

def net(x, p):
    w1, b1, w2, b2 = p
    return torch.tanh(x @ w1 + b1) @ w2 + b2

def task():
    amplitude = 0.1 + 4.9 * torch.rand(1)
    phase = math.pi * torch.rand(1)
    def batch(n=10):
        x = torch.rand(n, 1) * 10 - 5
        return x, amplitude * torch.sin(x + phase)
    return batch

def mse(p, x, y):
    return ((net(x, p) - y) ** 2).mean()

inner, outer = 0.01, 0.005
for it in range(15):
    meta = torch.zeros(())
    for t in range(4):
        batch = task()
        x, y = batch()
        grads = torch.autograd.grad(mse(params, x, y), params, create_graph=True)
        adapted = [p - inner * g for p, g in zip(params, grads)]
        x, y = batch()
        meta = meta + mse(adapted, x, y)
    meta = meta / 4
    grads = torch.autograd.grad(meta, params)
    with torch.no_grad():
        for p, g in zip(params, grads):
            p -= outer * g.clamp(-1, 1)
    if it % 5 == 4:
        print(it + 1, f"{meta.item():.4f}", meta.grad_fn.name())
