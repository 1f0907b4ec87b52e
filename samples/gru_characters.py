# A character model: embedding, a GRU cell by hand, truncated backpropagation through time.
import torch
import torch.nn.functional as F

torch.manual_seed(5)
text = "the quick brown fox jumps over the lazy dog. "
chars = sorted(set(text))
index = {}
for i, c in enumerate(chars):
    index[c] = i
data = torch.tensor([index[c] for c in text * 2])
V, E, H = len(chars), 6, 12

def init(*shape):
    return torch.empty(*shape).uniform_(-0.3, 0.3).requires_grad_()

emb, Wx, Wh = init(V, E), init(E, 3 * H), init(H, 3 * H)
bias, Wo = torch.zeros(3 * H, requires_grad=True), init(H, V)
bo = torch.zeros(V, requires_grad=True)
params = [emb, Wx, Wh, bias, Wo, bo]

def cell(x, h):
    gx = (x @ Wx + bias).chunk(3, dim=-1)
    gh = (h @ Wh).chunk(3, dim=-1)
    r = torch.sigmoid(gx[0] + gh[0])
    z = torch.sigmoid(gx[1] + gh[1])
    n = torch.tanh(gx[2] + r * gh[2])
    return (1 - z) * n + z * h

h = torch.zeros(1, H)
for chunk in range(0, 64, 16):
    h = h.detach()
    loss = 0
    for t in range(chunk, chunk + 16):
        x = F.embedding(data[t:t + 1], emb)
        h = cell(x, h)
        loss += F.cross_entropy(h @ Wo + bo, data[t + 1:t + 2])
    loss = loss / 16
    loss.backward()
    total = torch.sqrt(sum([p.grad.pow(2).sum() for p in params]))
    with torch.no_grad():
        for p in params:
            p -= 0.5 * p.grad / max(1.0, total.item())
            p.grad.zero_()
    print(f"{chunk:>3} loss={loss:.4f} |g|={total:.4f}")
print((emb.grad == 0).all().item(), h.requires_grad, h.shape)
