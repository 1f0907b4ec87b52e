# A mixture of two normal distributions, by gradient descent on its likelihood.
import torch
import torch.nn.functional as F

torch.manual_seed(0)
x = torch.cat([torch.randn(50) - 2, torch.randn(50) * 0.5 + 1])
mu = torch.tensor([-1., 1.], requires_grad=True)
ls = torch.zeros(2, requires_grad=True)
lw = torch.zeros(2, requires_grad=True)
for i in range(60):
    logp = -0.5 * ((x[:, None] - mu) / ls.exp()) ** 2 - ls - 0.9189385
    nll = -torch.logsumexp(F.log_softmax(lw, 0) + logp, 1).mean()
    nll.backward()
    with torch.no_grad():
        for p in [mu, ls, lw]:
            p -= 0.2 * p.grad
            p.grad = None
    if i % 20 == 0: print(i, nll.item())
print(mu.detach(), ls.exp().detach(), lw.softmax(0).detach())
