"""A function of the backward graph, called by a script: `y.grad_fn(g)`.

Constraints: no hooks are called, and nothing that the function keeps is let go of, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import silence
from gradcli.graph import backward as engine
from gradcli.graph.call import receivers_of, results_of
from gradcli.graph.cotangents import Cotangents
from gradcli.graph.node import Node, current
from gradcli.graph.op import LEAF
from gradcli.graph.shape import broadcast
from gradcli.graph.whole import Given
from gradcli.ops.elementwise import cast
from gradcli.ops.movement import expand, reshape
from gradcli.tensor.autograd import accumulate, gradient_of
from gradcli.tensor.function_hooks import varied
from gradcli.tensor.kept import NOTHING, name_of
from gradcli.tensor.passing import Pass
from gradcli.tensor.tensor import Tensor


def applied(node: Node, ends: Sequence[Node], given: Sequence[Any]) -> Any:
    """What the function that made `node` passes on: a tensor or None, or a tuple of such.

    Args:
        node: a result of the function; the leaf of an AccumulateGrad, which adds to its `.grad`.
        ends: the arguments that something is passed to.
        given: the cotangent of each result, a tensor or None.
    """
    cotangents = _checked(given, len(varied(node)))
    if node.op is LEAF:
        accumulate(node.attrs["owner"].tensor(), cotangents[0], current.tracking)
        return ()
    results, by_result = results_of(node), dict[Node, Node]()
    for number, g in zip(varied(node), cotangents, strict=True):
        if g is None:
            continue
        if number not in results:
            raise GradcliError(
                "G037",
                f"result {number} of {name_of(node)} is gone: its derivative is not known any more",
                help="keep all results of the function in variables",
            )
        by_result[results[number]] = _fitted(results[number], g)
    found = _passed(node, ends, by_result) if by_result else [None] * len(ends)
    wrapped = [None if part is None else gradient_of(part, current.tracking) for part in found]
    return wrapped[0] if len(wrapped) == 1 else tuple(wrapped)


def _checked(given: Sequence[Any], count: int) -> list[Node | None]:
    if len(given) != count:
        sentence = f"expected {count} arguments, got {len(given)} instead"
        raise GradcliError("G013", sentence, kind=TypeError)
    for place, g in enumerate(given):
        if not (g is None or isinstance(g, Tensor)):
            sentence = f"argument {place} is not a Variable"
            raise GradcliError("G014", sentence, kind=TypeError)
    return [None if g is None else g.node for g in given]


def _fitted(out: Node, cotangent: Node) -> Node:
    """A cotangent as rules take it: PyTorch looks at its shape only where it computes with it."""
    shape = broadcast(cotangent.shape, out.shape)
    if cotangent.shape == out.shape or (shape != out.shape and out.op.elementwise):
        return cast(cotangent, out.dtype)
    if cotangent.size == out.size:
        return cast(reshape(cotangent, axes=cotangent.ndim, shape=out.shape), out.dtype)
    if shape != out.shape:
        raise GradcliError(
            "G036",
            f"a gradient of shape {list(cotangent.shape)} does not fit a result of shape "
            f"{list(out.shape)}",
        )
    return cast(expand(cotangent, shape=shape), out.dtype)


def _passed(node: Node, ends: Sequence[Node], given: Given) -> list[Node | None]:
    """What is passed to each of `ends`; to an argument that stands there twice, each time apart."""
    run = Pass(True, current.tracking)
    with silence:
        for y in given:
            run.check(y)
        function = run.function(node, NOTHING)
        needed = {*function.steps, *function.arguments}
        parts = function.done(given, engine.through(function, given, needed, None, Cotangents(())))
    arguments = node.inputs if node.call is None else node.call[1]
    pairs, waiting = list(zip(arguments, receivers_of(node), strict=True)), list(parts)
    found = list[Node | None]()
    for x in ends:
        place = next(i for i, (argument, _) in enumerate(pairs) if argument is x)
        receiver = pairs.pop(place)[1]
        place = next((i for i, (y, _) in enumerate(waiting) if y is receiver), -1)
        found.append(None if place < 0 else waiting.pop(place)[1])
    return found
