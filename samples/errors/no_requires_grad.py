import torch

w = torch.randn(3)
loss = (w * w).sum()
loss.backward()
