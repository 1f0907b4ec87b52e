import torch

y = torch.sum((torch.ones(3) + 1)
print(y)
