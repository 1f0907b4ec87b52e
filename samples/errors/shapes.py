import torch

X = torch.ones(8, 3)
w = torch.ones(4)
print((X * w).sum())
