# Hyperparameters of a Gaussian process, through a Cholesky factor.
import torch
import torch.nn.functional as F

torch.manual_seed(2)
X = torch.linspace(-3, 3, 20).unsqueeze(1)
y = torch.sin(X).squeeze() + 0.1 * torch.randn(20)
log_ls = torch.zeros((), requires_grad=True)
log_noise = torch.tensor(-2.0, requires_grad=True)
def rbf(a, b):
    return torch.exp(-0.5 * torch.cdist(a, b) ** 2 / torch.exp(log_ls) ** 2)
for i in range(20):
    K = rbf(X, X) + torch.exp(log_noise) * torch.eye(20)
    L = torch.linalg.cholesky(K)
    alpha = torch.cholesky_solve(y.unsqueeze(1), L)
    nll = 0.5 * y @ alpha.squeeze() + L.diagonal().log().sum() + 0.5 * 20 * torch.log(torch.tensor(2 * torch.pi))
    nll.backward()
    with torch.no_grad():
        log_ls -= 0.02 * log_ls.grad
        log_noise -= 0.02 * log_noise.grad
        log_ls.grad.zero_(); log_noise.grad.zero_()
    if i % 5 == 0:
        print(f'{i} nll={nll.item():.3f} ls={log_ls.exp().item():.3f}')
Xs = torch.tensor([[0.5], [1.5]])
print(rbf(Xs, X) @ alpha)
