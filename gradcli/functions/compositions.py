"""How PyTorch composes matrix products and Einstein sums of permutations and products of stacks.

Constraints: what a history shows (gradcli/tensor/composed.py); nothing is computed by these before
somebody looks at it.
"""

from __future__ import annotations

from typing import Any

from gradcli.graph.shape import numel
from gradcli.tensor import layout, registry


def einsum_composed(inputs: list[str], output: str, tensors: list[Any]) -> Any:
    """An Einstein sum, as `at::einsum` computes it: `torch/csrc` calls it sumproduct_pair."""
    summed = sorted(set("".join(inputs)) - set(output), key=_alphabetic)
    labels = [*output, *summed]
    operands = [_aligned(x, own, labels) for x, own in zip(tensors, inputs, strict=True)]
    counts = {c: sum(c in own for own in inputs) for c in summed}
    result = operands[0]
    for other in operands[1:]:
        apart, together = list[int](), list[int]()
        for d, c in enumerate(summed, len(output)):
            if result.shape[d] != 1 and other.shape[d] != 1:
                counts[c] -= 1
                if counts[c] == 1:
                    together.append(d)
                    counts[c] = 0
            elif counts[c] == 1 and (result.shape[d] != 1 or other.shape[d] != 1):
                apart.append(d)
                counts[c] = 0
        result, other = (_summed_wide(x, apart) for x in (result, other))
        result = _pair_product(result, other, together) if together else result * other
    if not summed:
        return result
    if len(operands) > 1:
        return result.view(list(result.shape[: len(output)]))
    return result.sum(list(range(len(output), len(labels))))


def _summed_wide(x: Any, dims: list[int]) -> Any:
    wide = [d for d in dims if x.shape[d] != 1]
    return x.sum(wide, True) if wide else x


def _alphabetic(label: str) -> tuple[bool, str]:
    return label.islower(), label


def _aligned(x: Any, own: str, labels: list[str]) -> Any:
    """An operand with a dim for each label, of length 1 where it has none."""
    seen = list(own)
    for label in dict.fromkeys(own):
        while seen.count(label) > 1:
            first = seen.index(label)
            second = seen.index(label, first + 1)
            x = x.diagonal(0, first, second).movedim(-1, first)
            del seen[second]
    for label in labels:
        if label not in seen:
            x = x.unsqueeze(-1)
            seen.append(label)
    return x.permute([seen.index(label) for label in labels])


def _pair_product(left: Any, right: Any, summed: list[int]) -> Any:
    """The product of two operands with the same dims, added up over `summed`, as stacks."""
    rank = len(left.shape)
    both, ours, theirs = list[int](), list[int](), list[int]()
    for d in (d for d in range(rank) if d not in summed):
        wide = left.shape[d] != 1, right.shape[d] != 1
        (both if all(wide) else ours if wide[0] else theirs).append(d)
    sizes = [max(a, b) for a, b in zip(left.shape, right.shape, strict=True)]
    counts = [numel(tuple(sizes[d] for d in dims)) for dims in (both, ours, theirs, summed)]
    left = left.permute(both + ours + summed + theirs).reshape(counts[0], counts[1], counts[3])
    right = right.permute(both + summed + theirs + ours).reshape(counts[0], counts[3], counts[2])
    order = both + ours + summed + theirs
    shape = [1 if d in summed else sizes[d] for d in order]
    return left.bmm(right).view(shape).permute([order.index(d) for d in range(rank)])


def tensordot_composed(inputs: list[str], output: str, tensors: list[Any]) -> Any:
    """A contraction, as `at::tensordot` computes it: of rearranged matrices."""
    (left, right), (x, y) = inputs, tensors
    shared = [c for c in left if c in right]
    for c in shared:
        if y.shape[right.index(c)] == 1:
            x = x.sum(left.index(c), True)
        elif x.shape[left.index(c)] == 1:
            y = y.sum(right.index(c), True)
    sizes = {**dict(zip(right, y.shape, strict=True)), **dict(zip(left, x.shape, strict=True))}
    first, second = ([c for c in own if c not in shared] for own in inputs)
    rows, across, columns = (
        numel(tuple(sizes[c] for c in labels)) for labels in (first, shared, second)
    )
    x = x.permute([left.index(c) for c in first + shared])
    y = y.permute([right.index(c) for c in shared + second])
    shape = [sizes[c] for c in output]
    if rows == columns == 1:
        if layout.is_contiguous(x) and layout.is_contiguous(y):
            return x.flatten().dot(y.flatten()).view(shape)
        return (x.squeeze() * y.squeeze()).sum().view(shape)
    return x.reshape(rows, across).mm(y.reshape(across, columns)).reshape(shape)


def matmul_composed(input: Any, other: Any) -> Any:
    """A product of stacks of matrices, as `at::matmul` computes it."""
    ranks = len(input.shape), len(other.shape)
    turned = ranks[1] >= 3 and ranks[0] <= 2
    if (ranks[0] >= 3 and ranks[1] <= 2) or turned:
        large, small = (other.mT, input) if turned else (input, other)
        small = small.t() if turned and ranks[0] == 2 else small
        if _folds(large, small):
            rows = large.reshape(numel(large.shape[:-1]), large.shape[-1])
            if len(small.shape) == 1:
                return _unsafe_view(rows.mv(small), tuple(large.shape[:-1]))
            shape = (*large.shape[:-1], small.shape[-1])
            product = _unsafe_view(rows.mm(small), shape)
            return product.mT.contiguous() if turned else product
    return _stacked(input, other)


def _folds(large: Any, small: Any) -> bool:
    """Whether PyTorch takes all rows of a stack for those of one matrix."""
    if small.requires_grad or not numel(large.shape) or not numel(small.shape):
        return True
    strides = layout.strides_of(large)
    return all(strides[i] == strides[i + 1] * large.shape[i + 1] for i in range(len(strides) - 2))


def _stacked(input: Any, other: Any) -> Any:
    vector = len(input.shape) == 1, len(other.shape) == 1
    x = input.unsqueeze(0) if vector[0] else input
    y = other.unsqueeze(1) if vector[1] else other
    lead = registry.find("torch.broadcast_shapes")(x.shape[:-2], y.shape[:-2])
    x = x.expand([*lead, *x.shape[-2:]]).reshape(numel(lead), *x.shape[-2:])
    y = y.expand([*lead, *y.shape[-2:]]).reshape(numel(lead), *y.shape[-2:])
    shape = (*lead, *(() if vector[0] else x.shape[1:2]), *(() if vector[1] else y.shape[2:]))
    product = x.bmm(y)
    product = product.squeeze(1) if vector[0] else product
    return _unsafe_view(product.squeeze(-1) if vector[1] else product, shape)


def _unsafe_view(x: Any, shape: tuple[int, ...]) -> Any:
    node = x.view(list(shape)).node
    if node.call is not None:
        node.call = ("UnsafeViewBackward0", node.call[1])
    return x.__class__(node)
