"""Arrays of `tensor.numpy()` share the tensor's memory, in both directions."""

from __future__ import annotations

import program_runs as runs
import pytest

SCRIPTS = {
    "what the tensor writes": """
import torch
t = torch.ones(5)
n = t.numpy()
t.add_(1)
print(n, type(n), n.dtype, repr(n), n.mean(), n[0], f"{n}")
for i in range(60):
    t += i
    if i % 20 == 0:
        print(n)
print(n)
""",
    "what the array writes": """
import torch
t = torch.arange(6).view(2, 3)
n = t.numpy()
part = n[1]
n += 1
part[0] = 50
(n * 2)[0] = 7
n.copy()[0] = 9
print(t, n, part)
n //= 2
print(t, t._version)
""",
    "views": """
import torch
w = torch.arange(6.).reshape(2, 3)
v = w[0].numpy()
w[:, 1] = -1
print(v)
v[2] = 9
print(w)
u = torch.tensor(3.)
n = u.numpy()
u += 1
print(n, repr(n), n.item())
""",
    "autograd does not see it": """
import torch
x = torch.ones(2, requires_grad=True)
y = x * 3
z = y * y
n = y.detach().numpy()
n[0] = 100.
print(y, z)
z.sum().backward()
print(x.grad)
with torch.no_grad():
    print(x.numpy())
try:
    x.numpy()
except RuntimeError as error:
    print(error)
""",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_arrays_share_memory_as_under_pytorch(name: str) -> None:
    pytest.importorskip("torch")
    assert runs.run_gradcli(SCRIPTS[name]) == runs.run_pytorch(SCRIPTS[name])
    assert "stopped by" not in runs.run_pytorch(SCRIPTS[name])
