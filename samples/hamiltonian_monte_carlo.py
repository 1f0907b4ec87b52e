# Hamiltonian Monte Carlo on a correlated normal distribution.
import torch
import torch.nn.functional as F

torch.manual_seed(0)
Sigma = torch.tensor([[1.0, 0.8], [0.8, 1.5]])
P = torch.inverse(Sigma)
def U(q):
    return 0.5 * q @ P @ q
def grad_U(q):
    q = q.detach().requires_grad_(True)
    return torch.autograd.grad(U(q), q)[0]
q = torch.zeros(2)
samples, accept = [], 0
eps, L = 0.2, 10
for n in range(100):
    p = torch.randn(2)
    q0, p0 = q.clone(), p.clone()
    p = p - eps / 2 * grad_U(q)
    for l in range(L):
        q = q + eps * p
        if l < L - 1:
            p = p - eps * grad_U(q)
    p = p - eps / 2 * grad_U(q)
    dH = U(q) + p @ p / 2 - U(q0) - p0 @ p0 / 2
    if torch.rand(1) < torch.exp(-dH):
        accept += 1
    else:
        q = q0
    samples.append(q)
S = torch.stack(samples)
print(accept, S.mean(0), torch.cov(S.T))
