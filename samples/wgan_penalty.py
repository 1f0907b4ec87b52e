# A WGAN with gradient penalty on a line of points, everything by hand.
import torch

torch.manual_seed(4)
def linear(n, m):
    weight = torch.randn(n, m) * (2 / n) ** 0.5
    return [weight.requires_grad_(), torch.zeros(m, requires_grad=True)]

G = linear(2, 8) + linear(8, 2)
D = linear(2, 8) + linear(8, 1)

def mlp(p, x):
    h = torch.nn.functional.leaky_relu(x @ p[0] + p[1], 0.2)
    return h @ p[2] + p[3]

def penalty(real, fake):
    eps = torch.rand(real.size(0), 1)
    mix = (eps * real + (1 - eps) * fake).requires_grad_(True)
    score = mlp(D, mix)
    grad, = torch.autograd.grad(score, mix, grad_outputs=torch.ones_like(score), create_graph=True)
    return ((grad.norm(2, dim=1) - 1) ** 2).mean()

def sgd(params, loss, lr):
    for p in params:
        p.grad = None
    loss.backward()
    with torch.no_grad():
        for p in params:
            if p.grad is not None:
                p.sub_(lr * p.grad)

for step in range(12):
    t = torch.randn(16, 1)
    real = torch.cat([t, 2 * t + 1], dim=1)
    fake = mlp(G, torch.randn(16, 2)).detach()
    gp = penalty(real, fake)
    d_loss = mlp(D, fake).mean() - mlp(D, real).mean() + 10 * gp
    sgd(D, d_loss, 0.01)
    if step % 3 == 2:
        g_loss = -mlp(D, mlp(G, torch.randn(16, 2))).mean()
        sgd(G, g_loss, 0.01)
        print("step %d: D %.4f  G %.4f  penalty %.4f" % (step + 1, d_loss, g_loss, gp))
