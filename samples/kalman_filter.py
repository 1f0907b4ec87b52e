# Noise levels of a Kalman filter, by the gradient of its likelihood.
import torch
import torch.nn.functional as F

torch.manual_seed(0)
A = torch.tensor([[1., 1.], [0., 1.]])
C = torch.tensor([[1., 0.]])
log_q = torch.tensor(-1.0, requires_grad=True)
log_r = torch.tensor(0.0, requires_grad=True)
zs = torch.cumsum(torch.randn(30) * 0.5 + 0.3, 0)
def nll():
    x, P = torch.zeros(2), torch.eye(2)
    Q, R = torch.exp(log_q) * torch.eye(2), torch.exp(log_r)
    total = 0.0
    for z in zs:
        x = A @ x
        P = A @ P @ A.T + Q
        e = z - (C @ x)[0]
        S = (C @ P @ C.T)[0, 0] + R
        K = (P @ C.T)[:, 0] / S
        x = x + K * e
        P = P - torch.outer(K, C[0] @ P)
        total = total + 0.5 * (torch.log(S) + e ** 2 / S)
    return total, x
for it in range(5):
    L, x = nll()
    gq, gr = torch.autograd.grad(L, [log_q, log_r])
    print(it, L, gq, gr)
    with torch.no_grad():
        log_q -= 0.05 * gq
        log_r -= 0.05 * gr
print(x)
