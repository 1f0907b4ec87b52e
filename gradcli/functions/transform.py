"""What the transforms of `torch.func` share: the variables of a level, and the way out of it.

Constraints: a level has variables of its own around its arguments; what leaves it no longer knows
them, so that outer levels differentiate through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.functions import trees
from gradcli.graph.node import Node, constant, current
from gradcli.graph.shape import numel
from gradcli.ops.movement import diagonal_embed, reshape
from gradcli.tensor import Tensor, autograd
from gradcli.tensor.closing import closed, others
from gradcli.tensor.refusals import check_requires
from gradcli.tensor.storage import value_of

Values = tuple[Any, ...]
EVERY = object()
"""In place of the numbers of arguments: that of each."""


class Scope:
    """The variables of one level, and the way out of it.

    Args:
        forward: whether derivatives are those in a direction.
    """

    def __init__(self, forward: bool = False) -> None:
        self.variables: list[Tensor] = []
        self.forward = forward
        self.tracking = current.tracking

    def variable(self, x: Any) -> Any:
        """A variable of this level around a tensor; raises G013 for anything else."""
        if not isinstance(x, Tensor):
            refuse(f"Thing passed to transform API must be Tensor, got {type(x)}", ValueError)
        if not x.dtype.differentiable:
            if self.forward:
                expected = "Expected primal to be floating point or complex"
                refuse(f"{expected}, but got: {x.dtype!r}", ValueError)
            check_requires(x, True)
        made = Tensor(x.node)
        made.requires_grad = True
        made._requires = True
        made.memory.serial = made.node.serial  # a write to it is one to what the level made
        self.variables.append(made)
        return made

    def gradients(
        self,
        outputs: Sequence[Tensor],
        cotangents: Sequence[Tensor | None],
        inputs: Sequence[Any],
        *,
        forward: bool = False,
    ) -> list[Any]:
        """The gradients of `outputs` by `inputs`, zeros where they do not depend on one."""
        pairs = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.node.tracked]
        found: Sequence[Tensor | None] = [None] * len(inputs)
        if pairs:
            found = autograd.grad(
                [y for y, _ in pairs],
                inputs,
                [g for _, g in pairs],
                retain_graph=True,
                create_graph=self._goes_on(outputs, cotangents),
                allow_unused=True,
                forward=forward,
            )
        return [zeros_of(x) if g is None else g for g, x in zip(found, inputs, strict=True)]

    def outside(self, tree: Any) -> Any:
        """A value as it is outside of this level."""
        leaves, structure = trees.flatten(tree)
        tensors = [x for x in leaves if isinstance(x, Tensor)]
        nodes = iter(closed([x.node for x in tensors], self._owners()))
        return trees.unflatten(
            [self._tensor(x, next(nodes)) if isinstance(x, Tensor) else x for x in leaves],
            structure,
        )

    def _tensor(self, x: Tensor, node: Node) -> Tensor:
        if node is x.node and self.tracking:
            return x
        node = node if self.tracking else value_of(node)
        settle(node)
        return Tensor(node)

    def _goes_on(self, outputs: Sequence[Tensor], cotangents: Sequence[Tensor | None]) -> bool:
        """Whether somebody outside may differentiate the gradients."""
        known = [*outputs, *(g for g in cotangents if g is not None)]
        return self.tracking and others([x.node for x in known], self._owners())

    def _owners(self) -> set[Any]:
        return {x.autograd for x in self.variables}


def named_after(function: Any, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """`wrapped`, which stands for `function`, under its name."""
    name = str(getattr(function, "__name__", function))
    wrapped.__name__ = wrapped.__qualname__ = name
    return wrapped


def standing(tensor: Any) -> Any:
    """A tensor of the same value and history, to which writes go without the other."""
    return Tensor(tensor.node) if isinstance(tensor, Tensor) else tensor


def shown_as(name: str, tensor: Any) -> Any:
    """A tensor, with a history under the name of what PyTorch takes it out of a level by."""
    if not (isinstance(tensor, Tensor) and tensor.requires_grad):
        return tensor
    node = tensor.node
    made = reshape(node, axes=node.ndim, shape=node.shape)
    made.call = (name, (node,))
    settle(made)
    return Tensor(made)


def zeros_of(like: Tensor) -> Tensor:
    """Zeros of the shape and dtype of a tensor."""
    return filled_like(like, 0)


def filled_like(like: Tensor, number: int) -> Tensor:
    """One number everywhere, in the shape and dtype of a tensor."""
    node = constant(number, like.dtype, tuple(like.shape))
    settle(node)
    return Tensor(node)


def chosen(args: Values, argnums: Any) -> list[int]:
    """The positions of the arguments to differentiate by.

    Raises:
        GradcliError: G013 in PyTorch's words.
    """
    if not isinstance(argnums, (int, tuple)):
        refuse(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    listed = argnums if isinstance(argnums, tuple) else (argnums,)
    found = []
    for number in listed:
        if not isinstance(number, int):
            refuse(f"argnum must be int, got: {type(number)}")
        if not -len(args) <= number < len(args):
            refuse(f"Got argnum={number}, but only {len(args)} positional inputs")
        found.append(number % len(args))
    if not found:
        refuse("argnums must be non-empty")
    if len(set(found)) < len(found):
        refuse(f"argnums elements must be unique, got {tuple(found)}")
    return found


def varied(args: Values, argnums: Any, scope: Scope) -> tuple[Values, Any]:
    """The arguments with variables in the chosen ones (EVERY: in all), and these alone."""
    places = range(len(args)) if argnums is EVERY else chosen(args, argnums)
    made = {i: trees.mapped(scope.variable, args[i]) for i in places}
    given = tuple(made.get(i, a) for i, a in enumerate(args))
    return given, made[places[0]] if isinstance(argnums, int) else tuple(made[i] for i in places)


def parted(output: Any, has_aux: bool, api: str) -> tuple[Any, Any]:
    """What a function returned, and what it returned beside that."""
    if not has_aux:
        return output, None
    if not (isinstance(output, tuple) and len(output) == 2):
        refuse(f"{api}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return output


def require_tensors(aux: Any) -> None:
    """Raises G013 where what a function returned beside its result is not all tensors."""
    for x in trees.flatten(aux)[0]:
        if not isinstance(x, Tensor):
            refuse(f"Expected tensors, got unsupported type {type(x)}")


def identity_of(like: Tensor) -> Tensor:
    """A unit matrix with a row for each element."""
    size = numel(like.shape)
    ones = constant(1, like.dtype, (size,))
    node = diagonal_embed(ones, offset=0, shape=(size, size))
    settle(node)
    return Tensor(node)


def refuse(sentence: str, kind: type[Exception] = RuntimeError) -> NoReturn:
    """Raises G013 as an exception of `kind`."""
    raise GradcliError("G013", sentence, kind=kind)


def require_real(api: str, tree: Any, what: str) -> None:
    """Raises G013 where a Jacobian would be that of complex numbers.

    PyTorch's sentence says "input idx" of outputs, too.
    """
    for place, x in enumerate(trees.flatten(tree)[0]):
        if isinstance(x, Tensor) and x.dtype.is_complex:
            refuse(
                f"{api}: Expected all {what}s to be real but received complex tensor at flattened "
                f"input idx: {place}"
            )
