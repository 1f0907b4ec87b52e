# REINFORCE on a bandit: log-probabilities, a baseline, entropy, and gradient clipping.
import torch
import torch.nn.functional as F

torch.manual_seed(3)
logits = torch.zeros(4, requires_grad=True)
rewards = torch.tensor([0.1, 0.5, 0.9, 0.3])
baseline, lr = 0.0, 0.5
for episode in range(1, 41):
    probs = F.softmax(logits, dim=-1)
    actions = torch.multinomial(probs.detach(), 16, replacement=True)
    log_prob = torch.log(probs)[actions]
    r = torch.bernoulli(rewards[actions])
    advantage = r - baseline
    baseline = 0.9 * baseline + 0.1 * r.mean().item()
    entropy = -(probs * probs.log()).sum()
    loss = -(log_prob * advantage).mean() - 0.01 * entropy
    if logits.grad is not None:
        logits.grad.zero_()
    loss.backward()
    norm = logits.grad.norm()
    if norm > 0.3:
        logits.grad.mul_(0.3 / norm)
    with torch.no_grad():
        logits -= lr * logits.grad
    if episode % 10 == 0:
        print(f"{episode}: reward {r.mean():.4f} baseline {baseline:.3f} norm {norm:.4f}")
print(F.softmax(logits, -1), probs.argmax())
