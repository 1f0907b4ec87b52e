"""What PyTorch shows as the grad_fn of a gradient that can itself be differentiated.

Constraints: a gradient shows the last op of its rule, as any node does; a row of second.txt says so
where PyTorch computes it by other functions. Values never depend on it; what PyTorch refuses to
differentiate does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradcli.graph.call import Arguments, Part, give, receivers_of, results_of, tensors_of
from gradcli.graph.node import Node, constant
from gradcli.graph.op import DETACH, FULL, LEAF, REPLACE
from gradcli.graph.walk import ancestors
from gradcli.graph.whole import Given, Parts
from gradcli.ops.elementwise import clone
from gradcli.ops.reduction import total
from gradcli.ops.ruled import opaque, ruled_whole
from gradcli.tensor import sketch
from gradcli.tensor.fields import turns
from gradcli.tensor.kept import backward_name, name_of
from gradcli.tensor.kept_steps import computed_with, name_steps
from gradcli.tensor.rules import contribution, pulled, row_of
from gradcli.tensor.seen import Seen
from gradcli.tensor.sketch import added_up, is_sketch, leaves

SILENT = frozenset(
    (
        *("ConvolutionBackwardBackward0", "GridSampler2DBackwardBackward0"),
        *("GridSampler3DBackwardBackward0", "NativeBatchNormBackwardBackward0"),
        "NativeLayerNormBackwardBackward0",
    )
)
"""Functions of gradients that pass None, no zeros, to arguments which do not count."""
ADDED_UP = ("SumBackward1", "ViewBackward0")
"""Functions by which PyTorch adds up what goes to a repeated argument."""
PRODUCTS = ("MmBackward0", "BmmBackward0", "MvBackward0")
"""Functions that multiply by what may be transposed."""


def arguments_of(node: Node) -> Sequence[Node]:
    """What gradients go to from the function that made `node`."""
    arguments = receivers_of(node)
    return leaves(arguments) if any(map(is_sketch, arguments)) else arguments


def steps(node: Node, outputs: Sequence[Node]) -> Sequence[Node]:
    """The steps, in order, from the arguments of a function to the `outputs`, `node` among them.

    None where something that is no argument leads there.
    """
    call = node.call
    if call is None:
        return ()
    arguments = {*call[1], *arguments_of(node), *tensors_of(call)}

    def inner(x: Node) -> bool:
        if x in outputs:
            return True
        connected = x.tracked or bool(x.inputs)  # a condition on what is tracked
        return connected and x not in arguments and x.call is None and x.op is not LEAF

    found = ancestors([y for y in outputs if y.tracked], inner)
    known = arguments.union(found)
    closed = all(x in known or not x.tracked for step in found for x in step.inputs)
    return found if closed else ()


def shown(node: Node, given: Given, parts: Parts) -> Parts:
    """`parts`, what the function that made `node` passes on, under the names PyTorch shows."""
    if not all(isinstance(g, Node) for g in given.values()):
        return parts
    name, arguments = name_of(node), receivers_of(node)
    seen = Seen(_in_order(node, given), next(iter(given)), arguments)
    newest = newest_of(given)
    if any(map(is_sketch, arguments)):
        passed = pulled(seen, name)
        zeros = [x for x, found in passed.items() if found is not None and not found.tracked]
        named_parts = [(x, _named(part, passed.get(x), seen)) for x, part in parts]
        return [*named_parts, *_none(zeros, parts)]
    shared = _shared([part for _, part in parts if part.serial > newest], newest)
    known = row_of(name, seen)
    if known is not None and known.inner and _is_step(node, arguments):
        known = None
    named, used = [], set[int]()
    for x, part in sorted(parts, key=lambda pair: pair[1] not in seen.cotangents):
        places = [i for i, y in enumerate(arguments) if y is x and i not in used]
        position = places[0] if places else -1
        used.add(position)
        at = places if sum(y is x for y, _ in parts) == 1 else places[:1]
        here = seen._replace(part=part)
        found = sketch.added([contribution(known, i, here) for i in at]) if at else None
        if part in seen.cotangents and found is not None and is_sketch(found):
            part = clone(part)  # what PyTorch makes of it is equal here
        if part.serial > newest:
            if found is None and node.op.broadcasts and _is_repeated(part, x, seen):
                found = _summed(part, seen.first)
            if found is not None and part in shared:
                part = clone(part)  # the others pass it by, and do not show its name
            part = _named(part, found, seen)
        named.append((position, x, part))
    _in_turn(named, turns(name, len(arguments)), newest)
    named.sort(key=lambda entry: entry[0])
    if known is not None and known.behind == "&":
        _join([(i, part) for i, _, part in named if part.call is not None])
    zeros = [x for i, x in enumerate(arguments) if known is not None and known.is_zero(i)]
    return [*((x, part) for _, x, part in named), *_none(zeros, parts)]


def newest_of(given: Given) -> int:
    """The serial number of the newest of some cotangents, some of them of several results."""
    each = [(g,) if isinstance(g, Node) else g for g in given.values()]
    return max([part.serial for several in each for part in several if part is not None])


def _in_turn(named: Sequence[tuple[int, Node, Node]], order: Sequence[int], newest: int) -> None:
    """Lets parts, with the steps to them, count as made in `order`."""
    if len(named) < 2:
        return
    done = set[Node]()
    for place in order:
        for position, _, part in named:
            if position == place:
                for step in ancestors([part], lambda x: x.serial > newest and x not in done):
                    done.add(step)
                    step.renew()


def _none(zeros: Iterable[Node], parts: Parts) -> Parts:
    """Zeros for those to which PyTorch passes these, and that are not among `parts`."""
    met = {x for x, _ in parts}
    missing = [x for x in zeros if x.tracked and x not in met and not is_sketch(x)]
    return [(x, constant(0, x.dtype, x.shape)) for x in missing]


def _is_step(node: Node, arguments: Sequence[Node]) -> bool:
    """Whether a function is one op of its arguments, whose rule shows what PyTorch does."""
    one = name_of(node) == backward_name(node.op.torch)
    return one and all([x in arguments or not x.tracked for x in node.inputs])


def plus(x: Node, y: Node) -> Node:
    """The sum of two gradients that came to one node, shown as PyTorch adds them up."""
    total, (first, *rest) = x + y, sketch.summands(y)
    if rest and total.tracked and x.tracked:
        call, y.call = y.call, None
        total.call = ("AddBackward0", (x, first))
        for part in rest:
            before = sketch.sketch("AddBackward0", *total.call[1])
            total.call = ("AddBackward0", sketch.Apart((before, part)))
        if not steps(total, [total]):
            total.call, y.call = None, call
    return total


def _shared(parts: Sequence[Node], newest: int) -> set[Node]:
    """Those of `parts`, newer than the cotangents, that others are computed from."""
    steps = ancestors(parts, lambda x: x.tracked and x.serial > newest) if len(parts) > 1 else ()
    return {x for step in steps for x in step.inputs}.intersection(parts)


def _is_repeated(part: Node, x: Node, seen: Seen) -> bool:
    return part.op is total and part.tracked and x.shape != seen.out.shape


def _summed(part: Node, cotangent: Node) -> Node:
    """How PyTorch sums over the axes along which an argument was repeated to give `part`."""
    source = part.inputs[0]
    if source.op is total and source.serial > cotangent.serial:
        source = source.inputs[0]
    return added_up(source, part.shape)


def _join(parts: Sequence[tuple[int, Node]]) -> None:
    """Lets the parts, each with its number, be the results of one function."""
    shared: Arguments | None = None
    for number, part in parts:
        part = _unsummed(part)
        name, arguments = part.call or ("", ())
        shared = Arguments(arguments, arguments) if shared is None else shared
        give(part, Part(name, shared, number))


def _unsummed(part: Node) -> Node:
    """What is added up to `part`, as it is shown; `part` itself where it is no such sum."""
    while part.call is not None and part.call[0] in ADDED_UP and is_sketch(part.call[1][0]):
        part = part.call[1][0]
    return part


def _in_order(node: Node, given: Given) -> list[Node | None]:
    if not isinstance(node.call, Part):
        return list(given.values())
    results = results_of(node)
    varied = getattr(node.call[1], "varied", None) or sorted(results)
    return [given.get(results[i]) if i in results else None for i in varied]


def _named(part: Node, found: Node | None, seen: Seen) -> Node:
    """`part`, which shows what was `found` to be passed on; itself where that is not known."""
    if found is None:
        return part
    if not found.tracked:
        alone = found.op is FULL or "BackwardBackward" in name_of(seen.out)
        return DETACH(part) if alone and part.tracked else part  # PyTorch computes no x - x
    if found in seen.cotangents or not is_sketch(found) or found.call is None:
        return found if found.shape == part.shape and _is_copy(part, found) else part
    if part.op is FULL and part.attrs["value"] == 0:
        return part
    name, used = found.call
    sources = [x for x in leaves(used) if x.tracked]
    refused = next(filter(None, (x.attrs["refused"] for x in sketch.behind([found]))), None)
    if refused is not None:
        part = opaque(part, *sources, sentence=refused[0], kind=refused[1])
    elif name_steps(found, part):
        return part
    else:
        others = _unconnected(part, sources)
        if name in SILENT:
            rules = (_passed, *(_nothing for _ in others))
            part = ruled_whole(part, part, *others, rules=rules) if others else part
        else:
            for x in others:
                part = REPLACE(x, part)
    part.call = (name, computed_with(used) if name in PRODUCTS else used)
    return part


def _passed(g: Node, *given: Node, **attrs: object) -> Node:
    return g


def _nothing(g: Node, *given: Node, **attrs: object) -> None:
    return None


def _unconnected(part: Node, sources: Sequence[Node]) -> list[Node]:
    """The `sources` that `part` is not computed from."""
    known = {*sources}
    found = ancestors([part], lambda x: x.tracked and (x is part or x.op is not LEAF))
    reached = {x for step in found for x in step.inputs if x in known}
    return [x for x in sources if x not in reached]


def _is_copy(part: Node, source: Node) -> bool:
    """Whether `part` is `source` itself, copied or viewed at most."""
    while part is not source and part.op.name in ("clone", "reshape", "embed") and part.inputs:
        (part,) = part.inputs
    return part is source
