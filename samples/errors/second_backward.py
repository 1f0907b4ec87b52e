import torch

x = torch.ones(3, requires_grad=True)
y = (x * x).sum()
for epoch in range(2):
    y.backward()
