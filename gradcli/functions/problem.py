"""A function at its inputs, as `torch.autograd.functional` looks at it.

Constraints: the function gets new tensors in the place of its inputs; what is refused is refused in
PyTorch's words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.transform import refuse, zeros_of
from gradcli.graph.node import current
from gradcli.graph.shape import numel
from gradcli.tensor import Tensor, autograd, levels, registry
from gradcli.tensor.refusals import check_requires
from gradcli.tensor.storage import Stop

Function = Callable[..., Any]
Tensors = tuple[Tensor, ...]
Parts = Sequence[Tensor | None]

NOT_STRICT = "This is not allowed in strict mode"


class Problem:
    """A function at its inputs, and what one of the functions below was asked for.

    Args:
        name: of that function.
        function, inputs, create_graph, strict: its arguments.
        inner: whether another one of them looks at the function by this one.
    """

    def __init__(
        self,
        name: str,
        function: Function,
        inputs: Any,
        create_graph: bool,
        strict: bool,
        inner: bool = False,
    ) -> None:
        self.name = name
        self.create_graph = create_graph
        self.strict = strict
        self.several_inputs, given = listed(name, inputs, "inputs")
        if not inner:
            levels.refuse_requiring_inside()
        with Stop(True):
            self.inputs = tuple(self._prepared(x, True) for x in given)
            output = function(*self.inputs)
        what = "outputs of the user-provided function"
        self.several_outputs, self.outputs = listed(name, output, what)
        if strict:
            require(self.outputs, not_differentiable)

    def vectors(self, v: Any, like: Tensors, several: bool, missing: str) -> Parts:
        """The given vectors; they may be left out where there is one number, else `missing`."""
        if v is None:
            if len(like) != 1 or numel(like[0].shape) != 1:
                refuse(f"The vector v can only be None if {missing}")
            return [None]
        _, given = listed(self.name, v, "v")
        if len(given) != len(like):
            refuse(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(given)}."
                if several
                else "The given v should contain a single Tensor."
            )
        for i, (x, y) in enumerate(zip(given, like, strict=True)):
            if x.shape != y.shape:
                start = f"Entry {i} in v" if several else "v"
                refuse(f"{start} has invalid size: should be {y.shape} but got {x.shape}.")
        with Stop(True):
            return [self._prepared(x, False) for x in given]

    def scalar(self) -> Tensor:
        """The one number that the function returns."""
        if self.several_outputs:
            refuse(f"The function given to {self.name} should return a single Tensor")
        if numel(self.outputs[0].shape) != 1:
            refuse(
                f"The Tensor returned by the function given to {self.name} should contain a single "
                "element"
            )
        return self.outputs[0]

    def gradients(self) -> Parts:
        """The gradient of the one number, to be differentiated."""
        with Stop(True):
            found = pulled([self.scalar()], self.inputs, [None], create_graph=True)
        if self.strict:
            require(found, linear)
        return found

    def pulled(self, outputs: Parts, inputs: Tensors, vectors: Parts) -> Parts:
        """The gradients that are asked for."""
        with Stop(self.create_graph or current.tracking):
            return pulled(outputs, inputs, vectors, create_graph=self.create_graph)

    def filled(self, parts: Parts, like: Tensors, what: str, trick: str = "") -> Tensors:
        """The parts, with zeros for those that are missing; refused in strict mode."""
        found = []
        for i, (part, x) in enumerate(zip(parts, like, strict=True)):
            if self.strict and part is None:
                refuse(
                    trick.format(i)
                    or f"The {what} of the user-provided function is "
                    f"independent of input {i}. {NOT_STRICT}."
                )
            if self.strict and self.create_graph and part is not None and not part.requires_grad:
                order = "hessian" if "jacobian" in what or "hessian" in trick else "jacobian"
                refuse(
                    f"The {order} of the user-provided function is independent of input {i}. "
                    f"{NOT_STRICT} when create_graph=True."
                )
            found.append(zeros_of(x) if part is None else part)
        return tuple(found)

    def result(self, values: Sequence[Tensor], several: bool) -> Any:
        """What the user gets: one tensor, or a tuple of them, without history unless wanted."""
        found = tuple(x if self.create_graph else x.detach() for x in values)
        return found if several else found[0]

    def _prepared(self, x: Tensor, varies: bool) -> Tensor:
        if self.create_graph and x.requires_grad:
            return registry.method("view_as")(x, x)  # type: ignore[no-any-return]
        made = x.detach()
        check_requires(made, varies)
        made.requires_grad = varies
        return made


def listed(name: str, value: Any, what: str) -> tuple[bool, Tensors]:
    """Whether what function `name` was given is a tuple, and the tuple.

    Raises:
        GradcliError: G014 for anything but tensors.
    """
    several = isinstance(value, tuple)
    for i, x in enumerate(value if several else (value,)):
        if not isinstance(x, Tensor):
            where = f"the value at index {i} has" if several else f"the given {what} has"
            raise GradcliError(
                "G014",
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but "
                f"{where} type {type(x)}.",
                kind=TypeError,
            )
    return several, value if several else (value,)


def pulled(
    outputs: Parts, inputs: Tensors, vectors: Parts, *, create_graph: bool, batched: bool = False
) -> Parts:
    """The gradients of those outputs that have any; None where there is none."""
    pairs = [
        (y, v) for y, v in zip(outputs, vectors, strict=True) if y is not None and y.requires_grad
    ]
    if not pairs:
        return [None] * len(inputs)
    return autograd.grad(
        [y for y, _ in pairs],
        inputs,
        [v for _, v in pairs],
        create_graph=create_graph,
        retain_graph=True,
        allow_unused=True,
        batched=batched,
    )


# -- strict mode


def require(values: Parts, sentence: Callable[[int], str]) -> None:
    """Refuses, in strict mode, what is missing and what has no history."""
    for i, x in enumerate(values):
        if x is None:
            refuse(
                "The output of the user-provided function is independent of input "
                f"{i}. {NOT_STRICT}."
            )
        if not x.requires_grad:
            refuse(sentence(i))


def not_differentiable(i: int) -> str:
    """An output without history."""
    return (
        f"Output {i} of the user-provided function does not require gradients. The outputs must be "
        "computed in a differentiable manner from the input when running in strict mode."
    )


def constant_gradient(i: int) -> str:
    """A gradient that does not depend on its input."""
    return (
        f"The gradient with respect to input {i} is independent of the inputs of the user-provided "
        f"function. {NOT_STRICT}."
    )


def linear(i: int) -> str:
    """A Jacobian that does not depend on its input."""
    return (
        "While computing the hessian, found that the jacobian of the user-provided function with "
        f"respect to input {i} is independent of the input. {NOT_STRICT}. You should ensure that "
        "your function is twice differentiable and that the jacobian depends on the inputs (this "
        "would be violated by a linear function for example)."
    )
