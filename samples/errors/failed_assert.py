import torch

x = torch.tensor(3.0, requires_grad=True)
(x ** 2).backward()
assert x.grad == 5, "the slope at 3"
