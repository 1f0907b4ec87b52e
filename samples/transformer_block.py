# Multi-head attention with a causal mask, layer norm and residuals; weights tied to the embedding.
import torch
import torch.nn.functional as F

torch.manual_seed(7)
B, T, C, H = 2, 5, 8, 2
tokens = torch.randint(0, 11, (B, T + 1))
wte = (torch.randn(11, C) * 0.1).requires_grad_()
wpe = (torch.randn(T, C) * 0.1).requires_grad_()
qkv = (torch.randn(C, 3 * C) * 0.1).requires_grad_()
proj = (torch.randn(C, C) * 0.1).requires_grad_()
g1, b1 = torch.ones(C, requires_grad=True), torch.zeros(C, requires_grad=True)
params = {"wte": wte, "wpe": wpe, "qkv": qkv, "proj": proj, "g1": g1, "b1": b1}

def model(idx):
    x = wte[idx] + wpe[torch.arange(idx.shape[1])]
    h = F.layer_norm(x, (C,), g1, b1)
    q, k, v = (h @ qkv).split(C, dim=-1)
    q, k, v = [t.view(B, T, H, C // H).transpose(1, 2) for t in (q, k, v)]
    att = (q @ k.transpose(-2, -1)) * (k.size(-1) ** -0.5)
    mask = torch.tril(torch.ones(T, T)) == 0
    att = att.masked_fill(mask, float("-inf")).softmax(-1)
    y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
    x = x + y @ proj
    return x @ wte.t(), att

for step in range(5):
    logits, att = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, 11), tokens[:, 1:].reshape(-1))
    grads = torch.autograd.grad(loss, list(params.values()))
    with torch.no_grad():
        for p, g in zip(params.values(), grads):
            p.add_(g, alpha=-1.0)
    print(step, loss)
print(att[0, 0])
for name, g in zip(params, grads):
    print(f"{name}: {tuple(g.shape)} {g.abs().max():.5f}")
