# Newton's method: second derivatives by differentiating the gradient.
import torch
from torch.autograd import grad

x = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
for step in range(6):
    f = x ** 3 - 2 * x ** 2 + 2
    (slope,) = grad(f, x, create_graph=True)
    (curvature,) = grad(slope, x)
    print(f"{step}: x = {x.item():.8f}, f'(x) = {slope.item():.2e}")
    x = (x - slope / curvature).detach().requires_grad_()
print(x)
