"""The steps of a gradient that can itself be differentiated, as calls that keep what PyTorch's do.

Constraints: a step is named like the call that a row of second.txt tells of where it computes the
same from the same; a gradient whose row tells of other steps keeps its sketches.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from gradcli.graph.call import Arguments, Call, give, receivers_of
from gradcli.graph.node import SHARED, Node
from gradcli.graph.op import LEAF
from gradcli.graph.walk import ancestors
from gradcli.graph.whole import Parts
from gradcli.tensor.fields import by_place, fields, turns
from gradcli.tensor.kept import backward_name, history, kept_of, name_of
from gradcli.tensor.saved import pack_all, tensor_of, watchers
from gradcli.tensor.sketch import Told, is_sketch, is_unknown

Calls = dict[Node, Call]
OTHERS = {
    "MaskedFillBackward0": ("where",),
    **dict.fromkeys(("UnsqueezeBackward0", "SqueezeBackward1", "ViewBackward0"), ("reshape",)),
}
"""Functions that are computed by ops of other names."""
TRANSPOSED = ("TBackward0", "TransposeBackward0")


def name_steps(found: Node, part: Node) -> bool:
    """Whether the steps to `part` are those that the sketch `found` shows; names them then."""
    calls: Calls = {}
    if not _alike(found, part, calls):
        return False
    for node, call in calls.items():
        give(node, call)
    return True


def _alike(shown: Node, node: Node, calls: Calls) -> bool:
    """Whether `node` was computed by the call that a sketch shows, or is what it shows itself."""
    if not is_sketch(shown) or shown.call is None:
        return shown is history(node)
    name, arguments = shown.call
    same = node.op.name in OTHERS.get(name, ()) or name[:-1] == backward_name(node.op.torch)[:-1]
    if not same or node.call is not None or node.op.multiple or node.shape != shown.shape:
        return False
    wanted = [x for x in arguments if x.tracked]
    given = [x for x in node.inputs if x.tracked]
    if len(wanted) != len(given) or len(arguments) > len(node.inputs):
        return False
    for order in permutations(given) if node.op.name in ("add", "mul") else (given,):
        inner: Calls = {}
        if all(_alike(x, y, inner) for x, y in zip(wanted, order, strict=True)):
            calls.update(inner)
            mask = node.inputs[:1] if name == "MaskedFillBackward0" else ()
            places = _in_places(arguments, order, node.inputs) + mask
            if isinstance(arguments, Told):
                places = Told(places, arguments.facts)
            calls[node] = name, places
            return True
    return False


def _in_places(
    arguments: Sequence[Node], tracked: Sequence[Node], inputs: Sequence[Node]
) -> tuple[Node, ...]:
    """The inputs of a step, in the order of the arguments of its call."""
    varied, fixed = iter(tracked), iter([x for x in inputs if not x.tracked])
    return tuple([next(varied if x.tracked else fixed, x) for x in arguments])


def computed_with(arguments: Sequence[Node]) -> Arguments:
    """The arguments of a call that is shown: what is transposed for it is kept as it was."""

    def source(x: Node) -> Node:
        while is_sketch(x) and x.call is not None and x.call[0] in TRANSPOSED:
            (x,) = x.call[1]
        return x

    return Arguments(arguments, map(source, arguments))


def keep_steps(node: Node, parts: Parts, newest: int) -> None:
    """Lets the steps to `parts`, newer than `newest`, keep what PyTorch's functions keep.

    Hooks of the innermost block pack it. The parts are what the function that made `node` passes
    on; PyTorch computes them in the order of its arguments' names.
    """

    def is_new(x: Node) -> bool:
        return x.tracked and x.serial > newest and x not in done

    done = set[Node]()
    hooked = bool(watchers) and watchers[-1] is not None
    receivers = receivers_of(node)
    order = turns(name_of(node), len(receivers))
    places = {receivers[place]: i for i, place in enumerate(order)}
    for _, part in sorted(parts, key=lambda pair: places.get(pair[0], 0)):
        several = ancestors([part], is_new)
        done.update(several)
        for step in [part] if _is_whole(part) else several:
            if history(step) is not step:
                continue
            if step.call is None and step.op is not LEAF and not step.op.multiple:
                name = name_of(step)
                step.call = (name, step.inputs) if fields(name) else None
            if hooked and step in done and step.call is not None:
                known = [(k, x) for k, _, x in by_place(step) if not _is_hidden(x)]
                pack_all(kept_of(step).packed, [(k, tensor_of(x)) for k, x in known])


def _is_hidden(node: Node) -> bool:
    """Whether hooks do not see a value: that of a number, or one that is not known here."""
    return node.stale is SHARED or is_unknown(node)


def _is_whole(node: Node) -> bool:
    """Whether a node shows one function for all its steps."""
    return node.call is not None and any(x not in node.inputs for x in node.call[1])
