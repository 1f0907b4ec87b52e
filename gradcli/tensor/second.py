"""What PyTorch shows as the grad_fn of a gradient that can itself be differentiated.

Constraints: a gradient shows the last op of its rule, as any node does; a row here says so where
PyTorch computes it by other functions. Values never depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradcli.graph.backward import Given, Parts
from gradcli.graph.call import tensors_of
from gradcli.graph.node import Node, constant
from gradcli.graph.op import DETACH, LEAF, REPLACE
from gradcli.graph.walk import ancestors
from gradcli.ops.reduction import total

Formula = tuple[Any, ...]
"""(name, arguments): an argument is "g" (the cotangent), "out" (the result), "x", "y", "z" (the
function's arguments), "" (no tensor that can be differentiated by), or a formula."""
ARGUMENTS = {"x": 0, "y": 1, "z": 2}
SIGMOID = ("SigmoidBackward0", "x")


def _fused(*names: str, of: tuple[str, ...]) -> dict[str, tuple[Formula, ...]]:
    """Rows of functions whose gradient is one function of `of`: its name says so twice."""
    return {f"{name}Backward0": ((f"{name}BackwardBackward0", *of),) for name in names}


def _alike(*names: str) -> dict[str, tuple[Formula, ...]]:
    """Rows of functions whose gradient is the same function of the cotangent alone."""
    return {name: ((name, "g"),) for name in names}


SHOWN: Mapping[str, tuple[Formula, ...]] = {
    **_fused("Tanh", "Sigmoid", of=("g", "out")),
    **_fused("LeakyRelu", "Elu", "Gelu", "Softplus", "Hardtanh", "LogSigmoid", of=("g", "x")),
    **_fused("MseLoss", of=("g", "x", "y")),
    **_fused("Select", "Slice", of=("g",)),
    **_alike("PermuteBackward0", "TBackward0", "TransposeBackward0", "RollBackward0"),
    "ReluBackward0": (("ThresholdBackwardBackward0", "g", "out"),),
    "ThresholdBackward0": (("ThresholdBackwardBackward0", "g", "x"),),
    "SiluBackward0": (
        (
            "MulBackward0",
            ("MulBackward0", "g", SIGMOID),
            ("AddBackward1", ("MulBackward0", "x", ("RsubBackward1", SIGMOID))),
        ),
    ),
    "SoftmaxBackward0": (("SoftmaxBackwardDataBackward0", "g", "out"),),
    "LogSoftmaxBackward0": (("LogSoftmaxBackwardDataBackward0", "g", "out"),),
    "PowBackward0": (("MulBackward0", "g", ("MulBackward1", ("PowBackward0", "x"))),),
    "PowBackward2": (("MulBackward0", "g", ("MulBackward1", "out")),),
    "SqrtBackward0": (("DivBackward0", "g", ("MulBackward1", "out")),),
    "RsqrtBackward0": (("MulBackward0", ("MulBackward1", "g"), ("PowBackward0", "out")),),
    "Log1PBackward0": (("DivBackward0", "g", ("AddBackward1", "x")),),
    "Expm1Backward0": (("MulBackward0", "g", ("AddBackward1", "out")),),
    "TanBackward0": (("MulBackward0", "g", ("AddBackward1", ("PowBackward0", "out"))),),
    "AtanBackward0": (("DivBackward0", "g", ("AddBackward1", ("MulBackward0", "x", "x"))),),
    "LinalgVectorNormBackward0": (
        ("MulBackward0", "g", ("MaskedFillBackward0", ("DivBackward0", "x", "out"))),
    ),
    "MeanBackward0": (("DivBackward1", ("ExpandBackward0", "g")),),
    "MeanBackward1": (("DivBackward1", ("ExpandBackward0", "g")),),
    "SumBackward0": (("ExpandBackward0", "g"),),
    "DotBackward0": (("MulBackward0", "g", "y"), ("MulBackward0", "g", "x")),
    "MvBackward0": (("MulBackward0", "g", "y"), ("MvBackward0", ("TBackward0", "x"), "g")),
    "MmBackward0": (
        ("MmBackward0", "g", ("TBackward0", "y")),
        ("MmBackward0", ("TBackward0", "x"), "g"),
    ),
    "BmmBackward0": (
        ("BmmBackward0", "g", ("TransposeBackward0", "y")),
        ("BmmBackward0", ("TransposeBackward0", "x"), "g"),
    ),
    "ViewBackward0": (("ViewBackward0", "g"),),
    "UnsqueezeBackward0": (("SqueezeBackward1", "g"),),
    "SqueezeBackward0": (("UnsqueezeBackward0", "g"),),
    "SqueezeBackward1": (("UnsqueezeBackward0", "g"),),
    "IndexBackward0": (("IndexPutImplBackward0", "", "g"),),
    "GatherBackward0": (("ScatterAddBackward0", "", "g"),),
    "NllLossBackward0": (("NllLossBackwardBackward0", "g"),),
}
"""By the grad_fn name of a function: what its gradients show, by argument, or one for all."""


def steps(node: Node, outputs: Sequence[Node]) -> Sequence[Node]:
    """The steps, in order, from the arguments of a function to the `outputs`, `node` among them.

    None where something that is no argument leads there.
    """
    call = node.call
    if call is None:
        return ()
    arguments = {*call[1], *tensors_of(call)}

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
    cotangent = next(iter(given.values()))
    if len(given) > 1 or not isinstance(cotangent, Node):
        return parts
    name, arguments = node.call or ("", node.inputs)
    rows = SHOWN.get(name, ())
    named = []
    for x, part in parts:
        if part.serial > cotangent.serial:
            if rows and x in arguments:
                row = rows[0] if len(rows) == 1 else rows[arguments.index(x)]
                part = _named(part, row, {"g": cotangent, "out": node}, arguments)
            elif node.op.broadcasts and part.op is total and part.tracked:
                part.call = _summed(part, cotangent)
        named.append((x, part))
    return named


def _summed(part: Node, cotangent: Node) -> tuple[str, tuple[Node, ...]]:
    """How PyTorch sums over the axes along which an argument was repeated to give `part`."""
    source = part.inputs[0]
    if source.op is total and source.serial > cotangent.serial:
        source = source.inputs[0]
    if part.ndim == 0:
        return "SumBackward0", (source,)
    if part.ndim == source.ndim:
        return "SumBackward1", (source,)
    return "ViewBackward0", (_showing("SumBackward1", source),)


def _named(
    part: Node, row: Formula, known: Mapping[str, Node], arguments: tuple[Node, ...]
) -> Node:
    name, *operands = row
    used = tuple(_operand(operand, known, arguments) for operand in operands)
    if not part.tracked:
        connected = next((x for x in used if x.tracked), None)
        if connected is None:
            return part
        part = REPLACE(connected, part)
    part.call = (name, used)
    return part


def _operand(
    operand: Formula | str, known: Mapping[str, Node], arguments: tuple[Node, ...]
) -> Node:
    """The node that an argument of a formula speaks of; one that only shows a name, for a call."""
    if isinstance(operand, str):
        if operand in known:
            return known[operand]
        place = ARGUMENTS.get(operand, len(arguments))
        return arguments[place] if place < len(arguments) else constant(0, known["g"].dtype)
    name, *operands = operand
    return _showing(name, *(_operand(x, known, arguments) for x in operands))


def _showing(name: str, *arguments: Node) -> Node:
    """A node that stands in a call for a step PyTorch takes; nothing is computed from it."""
    node = DETACH(arguments[0])
    node.tracked = any(x.tracked for x in arguments)
    node.call = (name, arguments)
    return node
