# Scaled dot-product attention with gradients for queries, keys and values.
import torch
import torch.nn.functional as F

torch.manual_seed(1)
q = torch.randn(4, 8, requires_grad=True)
k = torch.randn(5, 8, requires_grad=True)
v = torch.randn(5, 8, requires_grad=True)

scores = q @ k.T / 8 ** 0.5
weights = F.softmax(scores, dim=-1)
out = weights @ v
print(weights)
print(out.shape, out.grad_fn)

loss = out.pow(2).sum()
loss.backward()
for name, tensor in [("q", q), ("k", k), ("v", v)]:
    print(name, tensor.grad.norm())
