# Soft k-means by gradient descent, with an exponential moving average of the centres.
import torch

torch.manual_seed(8)
corners = ([0., 0.], [2., 2.], [0., 3.])
points = torch.cat([torch.randn(20, 2) * 0.3 + torch.tensor(c) for c in corners])
centres = points[torch.randperm(len(points))[:3]].clone().requires_grad_(True)
ema = centres.detach().clone()
for epoch in range(25):
    d = torch.cdist(points, centres) ** 2
    w = torch.softmax(-4 * d, dim=1)
    loss = (w * d).sum(1).mean()
    loss.backward()
    with torch.no_grad():
        centres -= 0.5 * centres.grad
        ema.mul_(0.8).add_(centres, alpha=0.2)
    centres.grad = None
    if epoch % 8 == 0:
        print(epoch, f"{loss:.4f}")
labels = w.argmax(1)
print(ema, torch.bincount(labels), labels.unique())
values, order = torch.sort(w.max(dim=1).values)
print(values[:4], order[:4])
