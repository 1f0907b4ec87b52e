# A network that solves u'' = -u: derivatives by the input, create_graph, momentum by hand.
import torch
import torch.nn.functional as F

torch.manual_seed(0)
N = 10
W1, b1 = torch.randn(1, N), torch.randn(N)
W2, b2 = torch.randn(N, 1) / N ** 0.5, torch.zeros(1)
params = [W1, b1, W2, b2]
for p in params:
    p.requires_grad_(True)
def u(t):
    return torch.tanh(t @ W1 + b1) @ W2 + b2
t = torch.linspace(0, 2, 21).view(-1, 1).requires_grad_(True)
m = [torch.zeros_like(p) for p in params]
for epoch in range(100):
    y = u(t)
    dy = torch.autograd.grad(y, t, torch.ones_like(y), create_graph=True)[0]
    d2y = torch.autograd.grad(dy.sum(), t, create_graph=True)[0]
    res = d2y + y
    bc = (u(torch.zeros(1, 1)) - 1.0) ** 2
    loss = res.pow(2).mean() + bc.squeeze()
    grads = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, g, mm in zip(params, grads, m):
            mm.mul_(0.9).add_(g)
            p.sub_(0.01 * mm)
    if epoch % 25 == 0:
        print(epoch, '%.5f' % loss.item())
print(u(torch.tensor([[0.], [1.]])))
