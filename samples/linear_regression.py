# Gradient descent by hand, as PyTorch's "learning by examples" does it.
import torch

torch.manual_seed(42)
X = torch.randn(64, 3)
true_w = torch.tensor([1.5, -2.0, 0.5])
y = X @ true_w + 0.1 * torch.randn(64)

w = torch.zeros(3, requires_grad=True)
b = torch.zeros((), requires_grad=True)
for step in range(101):
    loss = ((X @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
    w.grad.zero_()
    b.grad = None
    if step % 50 == 0:
        print(f"step {step}: loss {loss.item():.4f}")
print(w)
