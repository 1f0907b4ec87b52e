"""`torch.utils.checkpoint`: functions that are computed again in the backward pass.

Constraints: as PyTorch's, both variants are written with what scripts have: hooks on saved tensors,
and a custom function. A value that was saved is packed as its place among those of its call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.custom import Function
from gradcli.functions.random import fork_rng, get_rng_state, set_rng_state
from gradcli.functions.saving import saved_tensors_hooks
from gradcli.tensor import Tensor, autograd, registry
from gradcli.tensor.function import composite
from gradcli.tensor.passing import running
from gradcli.tensor.storage import Stop

Run = Callable[..., Any]
Contexts = Callable[[], tuple[Any, Any]]


@composite("utils.checkpoint.checkpoint", method=False)
def checkpoint(
    function: Run,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Contexts | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, computed again when a gradient needs what it saved.

    Args:
        use_reentrant: whether gradients go back through `args` alone, in a pass of its own; so too
            where it is not said.
        context_fn: makes the contexts of the two computations.
        determinism_check, debug: what PyTorch reports where the two differ; here always that.
        early_stop: whether the second computation ends where all was computed that was saved.
        preserve_rng_state: whether it draws the same random numbers.

    Raises:
        GradcliError: G013 for arguments of the other variant.
    """
    if use_reentrant is None or use_reentrant:
        _refuse(kwargs, context_fn is not None or debug)
        return CheckpointFunction.apply(function, preserve_rng_state, *args)
    before, again = context_fn() if context_fn is not None else (nullcontext(), nullcontext())
    state = get_rng_state() if preserve_rng_state else None

    def repeat() -> None:
        with _drawing(state), again:
            function(*args, **kwargs)

    call = _Call(repeat, early_stop)
    with saved_tensors_hooks(call.pack, call.unpack), before:
        return function(*args, **kwargs)


@composite("utils.checkpoint.checkpoint_sequential", method=False)
def checkpoint_sequential(
    functions: Sequence[Run],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
) -> Any:
    """`functions` one after the other; all but the last of so many segments are checkpoints."""
    size = len(functions) // segments
    options: Any = {"use_reentrant": use_reentrant, "preserve_rng_state": preserve_rng_state}
    for start in range(0, size * (segments - 1), size):
        input = checkpoint(_chain(functions[start : start + size]), input, **options)
    return _chain(functions[size * (segments - 1) :])(input)


def _chain(functions: Sequence[Run]) -> Run:
    def run(value: Any) -> Any:
        for function in functions:
            value = function(value)
        return value

    return run


def _refuse(kwargs: dict[str, Any], other: bool) -> None:
    """Raises G013 for `kwargs`, or what the `other` variant alone takes."""
    sentence = "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
    if kwargs:
        sentence = f"Unexpected keyword arguments: {','.join(kwargs)}"
    if kwargs or other:
        raise GradcliError("G013", sentence, kind=ValueError)


@contextmanager
def _drawing(state: Any) -> Iterator[None]:
    """A block that draws the random numbers from `state` on, and leaves those outside alone."""
    with fork_rng(enabled=state is not None):
        if state is not None:
            set_rng_state(state)
        yield


# -- by hooks on saved tensors


class CheckpointError(RuntimeError):
    """The function did something else when it was computed again."""

    __module__ = "torch.utils.checkpoint"


class _Complete(Exception):
    """All was computed again that was saved."""


class _Call:
    """One call of a function, which saved some tensors."""

    def __init__(self, repeat: Callable[[], None], early_stop: bool) -> None:
        self._repeat = repeat
        self._early_stop = early_stop
        self._kinds: list[tuple[Any, Any]] = []
        self._pass: Any = None
        self._again: list[Tensor] = []

    def pack(self, tensor: Tensor) -> int:
        """Keeps the place of a tensor only."""
        self._kinds.append((tuple(tensor.shape), tensor.dtype))
        return len(self._kinds) - 1

    def unpack(self, place: int) -> Tensor:
        """The tensor at this place, computed once in each backward pass."""
        run = running[-1] if running else None
        if run is None or run is not self._pass:
            self._pass, self._again = run, []
            try:
                with saved_tensors_hooks(self._take, _same), Stop(True):
                    self._repeat()
            except _Complete:
                pass
            self._check()
        return self._again[place]

    def _take(self, tensor: Tensor) -> Tensor:
        if len(self._again) == len(self._kinds):
            raise _differs(
                "trying to save more tensors during recomputation than during the original forward "
                "pass."
            )
        again = tensor.detach() if tensor.requires_grad else tensor
        self._again.append(again)
        if self._early_stop and len(self._again) == len(self._kinds):
            raise _Complete
        return again

    def _check(self) -> None:
        counts = len(self._kinds), len(self._again)
        if counts[0] != counts[1]:
            raise _differs(
                "A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {counts[0]}\n"
                f"Number of tensors saved during recomputation: {counts[1]}."
            )
        if [(tuple(x.shape), x.dtype) for x in self._again] != self._kinds:
            raise _differs(
                "Recomputed values for the following tensors have different metadata than during "
                "the forward pass."
            )


def _differs(what: str) -> GradcliError:
    return GradcliError("G048", f"torch.utils.checkpoint: {what}", kind=CheckpointError)


def _same(value: Any) -> Any:
    return value


# -- by a function whose backward runs a pass of its own


class CheckpointFunction(Function):
    """A function of tensors, whose `backward` computes it again with a history."""

    __module__ = "torch.utils.checkpoint"

    @staticmethod
    def forward(ctx: Any, run_function: Run, preserve: bool, *args: Any) -> Any:
        """The result, without history."""
        ctx.run_function = run_function
        ctx.state = get_rng_state() if preserve else None
        ctx.inputs = [None if isinstance(a, Tensor) else a for a in args]
        ctx.save_for_backward(*[a for a in args if isinstance(a, Tensor)])
        with Stop(False):
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """What a backward pass of its own leaves in the arguments."""
        if not running[-1].adds or running[-1].ends[1] is not None:
            raise GradcliError(
                "G046",
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or "
                "passing an `inputs` parameter to .backward(). To resolve this error, you can "
                "either set use_reentrant=False, or call .backward() without passing the `inputs` "
                "argument.",
            )
        saved = iter(ctx.saved_tensors)
        inputs = [_alone(next(saved)) if a is None else a for a in ctx.inputs]
        with _drawing(ctx.state), Stop(True):
            outputs = ctx.run_function(*inputs)
        listed = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = zip(listed, gradients, strict=True)
        wanted = [(y, g) for y, g in pairs if isinstance(y, Tensor) and y.requires_grad]
        if not wanted:
            raise GradcliError(
                "G046",
                "none of output has requires_grad=True, this checkpoint() is not necessary",
            )
        autograd.backward([y for y, _ in wanted], [g for _, g in wanted])
        return (None, None, *(x.grad if isinstance(x, Tensor) else None for x in inputs))


def _alone(tensor: Tensor) -> Tensor:
    copy = tensor.detach()
    copy.requires_grad = tensor.requires_grad
    return copy


registry.register("torch.utils.checkpoint.CheckpointFunction", CheckpointFunction)
registry.register("torch.utils.checkpoint.CheckpointError", CheckpointError)
