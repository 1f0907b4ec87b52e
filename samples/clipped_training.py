# Training with clipped gradients, written to run on whatever device there is.
from typing import List, Tuple

import torch
import torch.backends.cudnn as cudnn
from torch import nn
from torch.nn.utils import clip_grad_norm_, parameters_to_vector

torch.manual_seed(3)
torch.cuda.manual_seed_all(3)
cudnn.benchmark = False
cudnn.deterministic = True
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print(device, cudnn.deterministic, torch.backends.cudnn.benchmark)

w1 = nn.Parameter(torch.randn(8, 2, device=device) * 0.5)
b1 = nn.Parameter(torch.zeros(8))
w2 = nn.Parameter(torch.randn(1, 8) * 0.5)
params = [w1, b1, w2]

def model(x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x @ w1.T + b1) @ w2.T

def step(x: torch.Tensor, y: torch.Tensor, lr: float = 0.5) -> Tuple[float, float]:
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    norm = clip_grad_norm_(params, max_norm=0.25)
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
            p.grad = None
    return loss.item(), norm.item()

x = torch.rand(32, 2).to(device) * 2 - 1
y = (x[:, :1] * x[:, 1:]).abs()
history: List[float] = []
for epoch in range(20):
    loss, norm = step(x, y)
    history.append(loss)
    if epoch % 5 == 0:
        print(f"{epoch:2d} loss {loss:.4f} norm {norm:.4f}")
print(history[-1] < history[0], b1.grad, type(b1))
print(w2)
print(parameters_to_vector(params).shape, sum(p.numel() for p in params))

# The slope of a power stays a function of x, however often it is taken.
x = torch.tensor(2.0, requires_grad=True)
y = x ** 3
while y.requires_grad:
    y, = torch.autograd.grad(y, x, create_graph=True)
    print(y)
