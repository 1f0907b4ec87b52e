# Variational autoencoder by hand: encoder, reparametrisation, KL divergence and Adam.
import torch
import torch.nn.functional as F

torch.manual_seed(0)
x = torch.rand(32, 8)
sizes = {"enc": (8, 6), "mu": (6, 2), "logvar": (6, 2), "dec": (2, 6), "out": (6, 8)}
params = {}
for name, (n, m) in sizes.items():
    params[name + ".w"] = (torch.randn(n, m) / n ** 0.5).requires_grad_()
    params[name + ".b"] = torch.zeros(m, requires_grad=True)

def layer(name, t):
    return t @ params[name + ".w"] + params[name + ".b"]

def forward(x):
    h = torch.tanh(layer("enc", x))
    mu, logvar = layer("mu", h), layer("logvar", h)
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    h = F.relu(layer("dec", z))
    return torch.sigmoid(layer("out", h)), mu, logvar

def loss_function(recon, x, mu, logvar):
    bce = F.binary_cross_entropy(recon, x, reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld, kld

m = dict([(k, torch.zeros_like(p)) for k, p in params.items()])
v = dict([(k, torch.zeros_like(p)) for k, p in params.items()])
for step in range(1, 31):
    recon, mu, logvar = forward(x)
    loss, kld = loss_function(recon, x, mu, logvar)
    for p in params.values():
        p.grad = None
    loss.backward()
    with torch.no_grad():
        for k, p in params.items():
            m[k].mul_(0.9).add_(p.grad, alpha=0.1)
            v[k].mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
            mhat = m[k] / (1 - 0.9 ** step)
            vhat = v[k] / (1 - 0.999 ** step)
            p.addcdiv_(mhat, vhat.sqrt() + 1e-8, value=-0.01)
    if step % 10 == 0:
        print(f"step {step:3d}  loss {loss.item():.3f}  kl {kld.item():.3f}")
print(params["mu.b"])
