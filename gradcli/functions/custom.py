"""`torch.autograd.Function`: functions whose derivative a script writes itself.

Constraints: one graph op (gradcli/ops/custom.py), whose derivative rule calls the script's
`backward` with tensors; so hooks, double backward and printing are those of any other function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.functions import trees
from gradcli.functions.context import Context
from gradcli.functions.custom_call import Call, tangents_of
from gradcli.functions.vmap import moved
from gradcli.graph.node import current
from gradcli.graph.shape import own_axis
from gradcli.ops.ruled import opaque
from gradcli.tensor import Tensor, levels, registry
from gradcli.tensor.closing import depend
from gradcli.tensor.storage import Stop

if TYPE_CHECKING:
    import inspect

Values = tuple[Any, ...]
NOTES = "For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"


def _refused(sentence: str, kind: type[Exception] = NotImplementedError) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> Any:
        raise GradcliError("G046", sentence, kind=kind)

    return staticmethod(method)


class Function:
    """The base of functions with a derivative of their own.

    A script's class has static `forward(ctx, ...)` and `backward(ctx, *grads)`; or `forward(...)`
    and `setup_context(ctx, inputs, output)` instead of the first.
    """

    forward = _refused("You must implement the forward function for custom autograd.Function.")
    setup_context = _refused("setup_context is not implemented.")
    backward = vjp = _refused(
        "You must implement either the backward or vjp method for your custom autograd.Function to "
        "use it with backward mode AD."
    )
    jvp = _refused(
        "You must implement the jvp function for custom autograd.Function to use it with forward "
        "mode AD."
    )
    vmap = _refused("vmap is not implemented.")
    generate_vmap_rule = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refused with G038: PyTorch's functions have static methods."""
        raise GradcliError(
            "G046",
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)",
            help=f"call {type(self).__name__}.apply(...)",
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The function of `args`; gradients flow through its tensors to those among `args`."""
        split = cls.setup_context is not Function.setup_context
        args = _by_position(cls, split, args, kwargs)
        context = Context._of(cls, args)
        if levels.active:
            _check_transforms(cls, split, args)
        level = _mapping(args) if split and cls.vmap is not Function.vmap else None
        if level is not None and not _varied_within(level, args):
            return _mapped(cls, level, args)  # a derivative is that of what `vmap` does
        call = Call(context, _backward(cls), cls.jvp, args)
        tangents = tangents_of(args) if levels.duals else ()  # before `forward` writes
        with Stop(False):
            if split:
                output = cls.forward(*args) if level is None else _mapped(cls, level, args)
                cls.setup_context(context, args, output)
            else:
                output = cls.forward(context, *args)
        outputs = call.finished(output if isinstance(output, tuple) else (output,))
        call.push_now(tangents)
        return outputs if isinstance(output, tuple) else outputs[0]


def _by_position(cls: type[Function], split: bool, args: Values, kwargs: dict[str, Any]) -> Values:
    if not split and not kwargs:
        return args
    signature = _signature(cls.forward)
    if not split:
        return signature.bind_partial(None, *args, **kwargs).args[1:]
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args


@cache
def _signature(forward: Callable[..., Any]) -> inspect.Signature:
    import inspect

    return inspect.signature(forward)


class VmapInfo(NamedTuple):
    """What a function's own `vmap` is told of the batch."""

    batch_size: int
    randomness: str


def _mapping(args: Values) -> levels.Level | None:
    """The innermost vmap that has to do with the arguments."""
    given = trees.flatten(args)[0]
    lanes = [levels.lanes_of(a.value_node) for a in given if isinstance(a, Tensor)]
    found = (v for v in reversed(levels.vmaps()) if any(not s.isdisjoint(v.lanes) for s in lanes))
    return next(found, None)


def _varied_within(level: levels.Level, args: Values) -> bool:
    """Whether a transform inside of the vmap differentiates by something behind `args`."""
    inner = levels.active[levels.active.index(level) + 1 :]
    owners = {x.autograd for found in inner for x in found.variables}
    return depend([a.node for a in args if isinstance(a, Tensor)], owners)


def _mapped(cls: type[Function], level: levels.Level, args: Values) -> Any:
    """The results of one example, of which the function's own `vmap` computes all."""
    leaves, nesting = trees.flatten(args)
    found = [_whole(level, a) for a in leaves]
    dims = trees.unflatten([dim for dim, _ in found], nesting)
    given = trees.unflatten([a for _, a in found], nesting)
    inner = levels.active[levels.active.index(level) :]
    del levels.active[-len(inner) :]
    try:
        info = VmapInfo(level.size or 0, level.randomness)
        returned = cls.vmap(info, dims, *given)
    finally:
        levels.active.extend(inner)
    output, out_dims = _two(returned)
    flat, structure = trees.flatten(output)
    spread = structure.spread(out_dims)
    if spread is None:
        raise GradcliError(
            "G046",
            "The autograd.Function's vmap staticmethod returned an incompatible (output, out_dims) "
            f"tuple. Expected out_dims={out_dims} to be compatible with the structure of `output`. "
            f"out_dims has structure {trees.flatten(out_dims)[1]} but output has structure "
            f"{structure}. {NOTES}",
        )
    examples = [_example(level, y, dim) for y, dim in zip(flat, spread, strict=True)]
    return trees.unflatten(examples, structure)


def _whole(level: levels.Level, value: Any) -> tuple[int | None, Any]:
    """Where the examples of an argument of a vmap's function lie, and it with all of them."""
    if not isinstance(value, Tensor):
        return None, value
    dim, node = level.dims.get(value.node, (0, None))
    if node is None:
        (node,) = level.batches([value.node])
    return (None, value) if node is None else (dim, Tensor(node))


def _two(returned: Any) -> Values:
    """What a function's own `vmap` returned: the output and where examples lie in it."""
    if not isinstance(returned, tuple) or len(returned) != 2:
        got = f"{len(returned)} returns" if isinstance(returned, tuple) else f"a {type(returned)}"
        raise GradcliError(
            "G046",
            "Expected the vmap staticmethod to have two returns, an output and out_dims with "
            f"pytree structure compatible with the output. Got {got} instead",
        )
    return returned


def _example(level: levels.Level, batch: Any, dim: Any) -> Any:
    """One example of a result of a function's own `vmap`."""
    if dim is None or not isinstance(batch, Tensor):
        return batch
    if not isinstance(dim, int):
        sentence = f"'<' not supported between instances of '{type(dim).__name__}' and 'int'"
        raise GradcliError("G046", sentence, help="out_dims are integers or None", kind=TypeError)
    rank = batch.ndim
    node = moved(batch.node, own_axis(dim, rank) + rank, 0)
    if node.shape[0] != level.size:
        raise GradcliError(
            "G046",
            f"the vmap staticmethod returned {node.shape[0]} examples along dim {dim}, of "
            f"{level.size}",
            help="out_dims says which axis of each result goes through the examples",
        )
    return Tensor(level.example(node))


def _backward(cls: type[Function]) -> Callable[..., Any]:
    if cls.vjp is Function.vjp:
        return cls.backward
    if cls.backward is Function.backward:
        return cls.vjp
    return _refused(
        "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should "
        "only implement one of them.",
        RuntimeError,
    )


def _check_transforms(cls: type[Function], split: bool, args: Values) -> None:
    """Raises G038 for a function that is not written for the transforms around this call."""
    if not split and any(level.is_transform for level in levels.active):
        raise GradcliError(
            "G046",
            "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, "
            f"jacrev, ...), it must override the setup_context staticmethod. {NOTES}",
        )
    tensors = [a for a in args if isinstance(a, Tensor)]
    owners = {x.autograd for level in levels.active if level.forward for x in level.variables}
    if cls.jvp is Function.jvp and depend([x.node for x in tensors], owners):
        cls.jvp()
    if cls.generate_vmap_rule or cls.vmap is not Function.vmap:
        return
    if levels.vmaps():  # also around what is the same for all examples
        raise GradcliError(
            "G046",
            f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please "
            f"override and implement the vmap staticmethod or set generate_vmap_rule=True. {NOTES}",
        )


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A `backward` whose result cannot be differentiated again: asking for it is an error."""

    def once(ctx: Any, *args: Any) -> Any:
        with Stop(False):
            outputs = fn(ctx, *args)
        wanted = any(isinstance(a, Tensor) and a.requires_grad for a in args)
        if not (current.tracking and wanted):
            return outputs
        listed = outputs if isinstance(outputs, tuple) else (outputs,)
        barred = tuple(map(_barred, listed))
        return barred if isinstance(outputs, tuple) else barred[0]

    once.__name__ = once.__qualname__ = getattr(fn, "__name__", "once")
    return once


def _barred(value: Any) -> Any:
    """`value` with a history, up to a variable of its own, that no gradient passes."""
    if not isinstance(value, Tensor):
        return value
    variable = value.detach()
    variable.requires_grad = True
    sentence = "trying to differentiate twice a function that was marked with @once_differentiable"
    node = opaque(value.value_node, variable.node, sentence=sentence, kind=RuntimeError)
    if node.tracked:
        node.call = ("Error", (variable.node,))
    settle(node)
    return Tensor(node)


registry.register("torch.autograd.Function", Function)
registry.register("torch.autograd.function.Function", Function)
registry.register("torch.autograd.function.once_differentiable", once_differentiable)
