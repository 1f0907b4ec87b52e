"""Random numbers of events: how many come at a rate, how many trials succeed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.drawing import drawing, drawn_from, drawn_tensor, parameters, stream
from gradcli.graph.dtype import HALVES, SCALAR_TYPES
from gradcli.ops.rows import lacks
from gradcli.ops.ruled import opaque
from gradcli.tensor import Tensor
from gradcli.tensor.binomial import binomial as draw_binomial
from gradcli.tensor.function import called, composite
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.poisson import poisson as draw_poisson


@composite("poisson", method=False, out=None)
def poisson(input: Any, generator: Any = None) -> Any:
    """Numbers of events at the rates that `input` says."""
    value = _drawn(draw_poisson, generator, input)
    return drawn_from(value, "poisson", 0, input)


@composite("binomial", method=False, refuses=lacks("binomial_cpu", *HALVES))
def binomial(count: AnyTensor, prob: AnyTensor, generator: Any = None) -> Any:
    """How many of `count` trials succeed, each with the chance `prob`."""
    if not count.dtype.is_floating_point:
        raise GradcliError(
            "G025",
            "binomial only supports floating-point dtypes for count, got: "
            f"{SCALAR_TYPES[count.dtype]}",
            kind=ValueError,
        )
    if prob.dtype is not count.dtype:
        found, wanted = SCALAR_TYPES[prob.dtype], SCALAR_TYPES[count.dtype]
        raise GradcliError("G025", f"Found dtype {found} but expected {wanted}")
    value = _drawn(draw_binomial, generator, count, prob)
    sentence = "derivative for aten::binomial is not implemented"
    nodes = (count.node, prob.node)
    if not any(x.tracked for x in nodes):
        return value
    made = opaque(value.node, *nodes, sentence=sentence, kind=RuntimeError)
    return Tensor(called(made, "NotImplemented", *nodes))


def _drawn(draw: Callable[..., Any], generator: Any, *given: Tensor) -> Any:
    drawing(generator)  # which refuses where a vmap was not told whether examples share numbers
    return drawn_tensor(draw(stream(generator), *parameters(*given)), given[0].dtype)
