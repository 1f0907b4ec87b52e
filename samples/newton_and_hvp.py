# Newton's method with Hessians, conjugate gradients with Hessian-vector products.
import torch

def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
for i in range(8):
    f = rosenbrock(x)
    g, = torch.autograd.grad(f, x, create_graph=True)
    H = torch.stack([torch.autograd.grad(g[k], x, retain_graph=True)[0] for k in range(2)])
    step = torch.linalg.solve(H, g.detach())
    with torch.no_grad():
        x -= step
    print(i, f"{f.item():.6e}", [round(v, 4) for v in x.tolist()])

A = torch.tensor([[4., 1., 0.], [1., 3., 1.], [0., 1., 2.]])
b = torch.tensor([1., 2., 3.])
w = torch.zeros(3, requires_grad=True)

def q(w):
    return 0.5 * w @ A @ w - b @ w

def hvp(v):
    g, = torch.autograd.grad(q(w), w, create_graph=True)
    return torch.autograd.grad(g @ v, w)[0]

r = b - hvp(torch.zeros(3))
p, sol = r.clone(), torch.zeros(3)
for i in range(3):
    Ap = hvp(p)
    alpha = r.dot(r) / p.dot(Ap)
    sol = sol + alpha * p
    new = r - alpha * Ap
    p = new + (new.dot(new) / r.dot(r)) * p
    r = new
print(sol, torch.allclose(A @ sol, b, atol=1e-5))
