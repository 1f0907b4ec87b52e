import torch

x = torch.ones(3)
print(torch.men(x))
