"""A batch through a graph that was made for one example: each op once, with one axis more in front.

Constraints: graph to graph. A function is traced on lanes (`LANE` nodes: one example, without a
value), then `Batching` makes the nodes for all examples. How an op takes the axis stands in
`RULES`; an op without a rule, or a case that its rule does not know, is done example by example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from string import ascii_letters
from typing import Any

from gradcli.graph import node as nodes
from gradcli.graph.call import give, swapped
from gradcli.graph.dtype import int64
from gradcli.graph.node import Node, constant
from gradcli.graph.op import ITEM, LANE, results
from gradcli.graph.walk import ancestors
from gradcli.ops.linalg import parts
from gradcli.ops.movement import concat, expand, permute, reshape, slice_
from gradcli.ops.reduction import cumsum

Optionals = Sequence[Node | None]
Rule = Callable[["Batching", Node, list[Node], list[bool]], Node | None]
"""`(batching, node, inputs, which of them are batches) -> node of all examples`, or None."""


def lane(batch: Node) -> Node:
    """One example of `batch`, whose first axis counts the examples."""
    return Node(LANE, (), {"batch": batch}, batch.shape[1:], batch.dtype, batch.tracked)


def lanes_in(outputs: Iterable[Node]) -> set[Node]:
    """The lanes that `outputs` depend on, and those that the batches of these depend on."""
    found = {x for x in ancestors(outputs, _is_unknown) if x.op is LANE}
    batches = [x.attrs["batch"] for x in found if x.attrs["batch"].value is None]
    return found | lanes_in(batches) if batches else found


def repeated(x: Node, size: int) -> Node:
    """A batch of `size` times the same."""
    return expand(reshape(x, axes=x.ndim, shape=(1, *x.shape)), shape=(size, *x.shape))


def stacked(examples: Sequence[Node], like: Node) -> Node:
    """A batch of these examples, which have the shape and dtype of `like`."""
    if not examples:
        return constant(0, like.dtype, (0, *like.shape))
    rows = [reshape(x, axes=x.ndim, shape=(1, *x.shape)) for x in examples]
    return concat(*rows, axis=-rows[0].ndim)


def _is_unknown(node: Node) -> bool:
    return node.value is None


class Batching:
    """Graphs of one example made into graphs of all.

    Args:
        lanes: each lane that goes, and the batch that comes in its place.
        size: how many examples there are.
    """

    def __init__(self, lanes: Mapping[Node, Node], size: int) -> None:
        self.lanes = lanes
        self.size = size

    def of(self, outputs: Sequence[Node]) -> list[Node | None]:
        """For each output the node of all examples; None for one that none of the lanes reach."""
        found: dict[Node, Any] = dict(self.lanes)
        calls: dict[int, tuple[Node, ...]] = {}
        before, place = nodes.current.tracking, nodes.current.span
        try:
            for node in ancestors(outputs, _is_unknown):
                if node not in found and any(x in found for x in node.inputs):
                    nodes.current.tracking, nodes.current.span = node.tracked, node.span
                    found[node] = made = self._made(node, found)
                    if node.call is not None and made.tracked and made.call is None:
                        give(made, swapped(node.call, lambda x: found.get(x, x), calls))
        finally:
            nodes.current.tracking, nodes.current.span = before, place
        return [found.get(y) for y in outputs]

    def whole(self, x: Node, is_batch: bool) -> Node:
        """`x` as a batch."""
        return x if is_batch else repeated(x, self.size)

    def _made(self, node: Node, found: dict[Node, Any]) -> Any:
        inputs, flags = [found.get(x, x) for x in node.inputs], [x in found for x in node.inputs]
        if node.op is ITEM:
            return self._item(node, inputs[0])
        rule = RULES.get(node.op.name, _elementwise if node.op.elementwise else None)
        made = None if rule is None else rule(self, node, inputs, flags)
        if made is None or not (node.op.multiple or made.shape == (self.size, *node.shape)):
            return self._one_by_one(node, inputs, flags)
        return made

    def _item(self, node: Node, bundle: Node | _Bundles) -> Node:
        index: int = node.attrs["index"]
        if isinstance(bundle, _Bundles):
            return stacked([results(each)[index] for each in bundle.nodes], node)
        return results(bundle)[index]

    def _one_by_one(self, node: Node, inputs: list[Node], flags: list[bool]) -> Any:
        pairs, n = list(zip(inputs, flags, strict=True)), self.size
        made = [_called(node, [example_of(x, i) if b else x for x, b in pairs]) for i in range(n)]
        return _Bundles(made) if node.op.multiple else stacked(made, node)


def over_examples(
    function: Callable[[Optionals], Optionals],
    values: Optionals,
    lanes: Mapping[Node, Node],
    size: int,
) -> Optionals:
    """`function` of each example along the first axis of `values`, and of `lanes`."""
    examples = [None if x is None else lane(x) for x in values]
    pairs = zip(examples, values, strict=True)
    new = {x: batch for x, batch in pairs if x is not None and batch is not None}
    found = function(examples)
    batches = iter(Batching({**lanes, **new}, size).of([y for y in found if y is not None]))
    return [None if y is None else next(batches) or repeated(y, size) for y in found]


class _Bundles:
    """The nodes of an op with several results that was done example by example."""

    tracked = False

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes


def _called(node: Node, inputs: list[Node], **attrs: Any) -> Node:
    """The op of `node` on other inputs."""
    attrs = {**node.attrs, **attrs}
    if node.op.multiple:
        return node.op.many(*inputs, **attrs)[0].inputs[0]
    return node.op(*inputs, **attrs)


def example_of(batch: Node, index: int) -> Node:
    """One example of a batch."""
    slices = ((index, 1, 1), *((0, n, 1) for n in batch.shape[1:]))
    return reshape(slice_(batch, slices=slices), axes=batch.ndim, shape=batch.shape[1:])


def _padded(x: Node, is_batch: bool, rank: int, core: int | None = None) -> Node:
    """A batch whose examples have `rank` axes: axes of length 1 come in front of an example's.

    Where an example has `core` axes that belong together, they come in front of these.
    """
    own = x.ndim - 1 if core is None else core
    missing = rank - (x.ndim - 1)
    if not is_batch or missing <= 0:
        return x
    split = x.ndim - own
    lead = x.shape[1:split]
    return reshape(x, axes=x.ndim, shape=(x.shape[0], *(1,) * missing, *lead, *x.shape[split:]))


# -- rules


def _elementwise(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node:
    pairs = zip(inputs, flags, strict=True)
    return _called(node, [_padded(x, flag, node.ndim) for x, flag in pairs])


def _in_front(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node | None:
    """Ops that speak of an example's last axes only, where their first input is the one batch."""
    axis = node.attrs.get("axis", ())
    furthest = max((-a for a in (axis if isinstance(axis, tuple) else (axis,))), default=0)
    if flags[0] and not any(flags[1:]) and furthest < inputs[0].ndim:
        return _called(node, inputs)
    return None


def _broadcast(core: Callable[[Node], Sequence[int]]) -> Rule:
    """Ops of an example's last axes, `core(node)` of each input, whose other axes broadcast."""

    def rule(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node:
        own = core(node)
        lead = max(x.ndim - n for x, n in zip(node.inputs, own, strict=True))
        triples = zip(inputs, flags, own, strict=True)
        return _called(node, [_padded(x, flag, lead + n, n) for x, flag, n in triples])

    return rule


def _expand(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node:
    rank = max(node.inputs[0].ndim, len(node.attrs["shape"]))
    return _called(node, [_padded(inputs[0], True, rank)])


def _whole(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node:
    pairs = zip(inputs, flags, strict=True)
    return _called(node, [at.whole(x, flag) for x, flag in pairs])


def _first_whole(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node:
    return _called(node, [at.whole(inputs[0], flags[0]), *inputs[1:]])


def _custom(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node:
    pairs = zip(inputs, flags, strict=True)
    function = node.attrs["function"].lifted(at)
    return _called(node, [at.whole(x, flag) for x, flag in pairs], function=function)


def _slice_put(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node:
    x, y = at.whole(inputs[0], flags[0]), _padded(inputs[1], flags[1], node.ndim)
    return _called(node, [x, y])


def _indexed(values: int) -> Rule:
    """Ops of positions, behind `values` inputs that are no positions."""

    def rule(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node | None:
        positions, moving = inputs[values:], flags[values:]
        rank = max(x.ndim for x in node.inputs[values:])
        shape, axes = node.attrs.get("shape", ()), node.attrs.get("axes")
        picked = rank + (len(shape) if axes is None else axes) - len(positions)
        core = picked if axes is None else axes
        lead = node.inputs[0].ndim - core
        given = [at.whole(inputs[0], flags[0])]
        if values == 2:
            given.append(_padded(inputs[1], flags[1], lead + picked))
        if not any(moving):
            return _called(node, [*given, *positions])
        if values == 2 and not flags[1]:
            given[1] = at.whole(inputs[1], False)
            given[1] = _padded(given[1], True, lead + picked)
        behind = [_moved(x, lead) for x in given]
        counted = reshape(numbers(at.size), axes=1, shape=(at.size, *(1,) * rank))
        at_each = [_padded(x, flag, rank) for x, flag in zip(positions, moving, strict=True)]
        wider = {"shape": (at.size, *shape)} if axes is None else {"axes": axes + 1}
        return _moved_back(_called(node, [*behind, counted, *at_each], **wider), lead)

    return rule


def numbers(size: int) -> Node:
    """0, 1, ... size - 1."""
    return cumsum(constant(1, int64, (size,)), axis=-1) - 1


def _moved(x: Node, lead: int) -> Node:
    """The first axis behind the next `lead`."""
    order = (*range(1, lead + 1), 0, *range(lead + 1, x.ndim))
    return permute(x, axes=tuple(a - x.ndim for a in order)) if lead else x


def _moved_back(x: Node, lead: int) -> Node:
    order = (lead, *range(lead), *range(lead + 1, x.ndim))
    return permute(x, axes=tuple(a - x.ndim for a in order)) if lead else x


def _contract(at: Batching, node: Node, inputs: list[Node], flags: list[bool]) -> Node | None:
    """With a label for the examples where one operand is the batch: one product for all examples,
    not one for each, and the numbers of the same product without `vmap`."""
    left, right, result = parts(node.attrs["spec"])
    ranks = (len(left), len(right))
    if all(flags) or tuple(x.ndim for x in node.inputs) != ranks:
        return _broadcast(lambda node: ranks)(at, node, inputs, flags)
    label = next(c for c in ascii_letters if c not in left + right)
    operands = [label + left, right] if flags[0] else [left, label + right]
    return _called(node, inputs, spec=f"{','.join(operands)}->{label}{result}")


MATRICES = ("linalg_solve_ex", "linalg_solve_triangular", "cholesky_solve")
IN_FRONT = (
    *("reshape", "permute", "slice", "embed", "flip", "tril", "triu", "diagonal"),
    *("diagonal_embed", "sum", "prod", "amax", "amin", "any", "all", "argmax", "argmin", "argsort"),
    *("cumsum", "cumprod", "logcumsumexp", "softmax", "log_softmax", "logsumexp", "conj"),
    *("view_as_real", "view_as_complex", "linalg_inv_ex", "linalg_pinv", "cholesky_inverse"),
    *("linalg_cholesky_ex", "linalg_qr", "linalg_lu_factor_ex", "lu_permutation", "geqrf"),
    *("linalg_ldl_factor_ex", "linalg_eig", "linalg_eigh", "linalg_svd", "linalg_det"),
    *("cofactors", "linalg_slogdet", "linalg_matrix_exp", "fft_c2c", "fft_r2c", "fft_c2r"),
    *("windows", "overlap_add", "window_sum", "window_argmax", "as_strided", "strided_add"),
    *("reinterpret", "running_place", "median_place", "mode_place"),
)
RULES: dict[str, Rule] = {
    "leaf": lambda at, node, inputs, flags: inputs[0],
    "expand": _expand,
    "slice_put": _slice_put,
    **dict.fromkeys(("custom", "pulled"), _custom),
    "contract": _contract,
    **dict.fromkeys(MATRICES, _broadcast(lambda node: (2, 2))),
    **dict.fromkeys(IN_FRONT, _in_front),
    **dict.fromkeys(("cat", "overwrite"), _whole),
    **dict.fromkeys(("require", "ruled_whole"), _first_whole),
    **dict.fromkeys(("index", "index_add"), _indexed(1)),
    **dict.fromkeys(("index_put", "scatter_reduce"), _indexed(2)),
}
"""Op name -> how it takes a batch; elementwise ops have one rule without an entry."""
