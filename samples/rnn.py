# A recurrent network by hand on the parity of bits: gradients through time.
import torch

torch.manual_seed(3)
hidden = 6
W = (torch.randn(hidden, hidden) * 0.5).requires_grad_()
U = torch.randn(hidden, 1).requires_grad_()
V = torch.randn(1, hidden).requires_grad_()
sequence = [1.0, 0.0, 1.0, 1.0, 0.0]

for epoch in range(3):
    h = torch.zeros(hidden, 1)
    losses = []
    total = 0
    for bit in sequence:
        total = (total + int(bit)) % 2
        h = torch.tanh(W @ h + U * bit)
        p = torch.sigmoid(V @ h)
        losses.append(-(total * p.log() + (1 - total) * (1 - p).log()))
    loss = sum(losses) / len(losses)
    grads = torch.autograd.grad(loss, [W, U, V])
    with torch.no_grad():
        for weight, g in zip([W, U, V], grads):
            weight -= 0.5 * g
    print(epoch, round(loss.item(), 4), [tuple(g.shape) for g in grads])
