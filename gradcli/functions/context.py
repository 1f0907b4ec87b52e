"""`ctx`: what a script's `torch.autograd.Function` keeps between its forward and its backward.

Constraints: it is the `grad_fn` of the function's results, as in PyTorch. A script may set any
attribute on it, so what others need here has a leading underscore, which no script can write.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.call import Part, results_of
from gradcli.tensor import Tensor
from gradcli.tensor.gradfn import GradFn
from gradcli.tensor.kept import Packed
from gradcli.tensor.refusals import overwritten, used_up
from gradcli.tensor.saved import Saved, pack_all, unpacked_as
from gradcli.tensor.storage import Version
from gradcli.tensor.write import refuse

Values = tuple[Any, ...]


class _Names(Container[str]):
    """Every name without a leading underscore."""

    def __contains__(self, name: object) -> bool:
        return str(name)[:1] != "_"


class Context(GradFn):
    """The context of one call, and the grad_fn of its results.

    Attributes:
        needs_input_grad: for each argument whether it is a tensor that requires a gradient.
        materialize_grads: whether `backward` gets zeros for results that nothing came to.
    """

    ASSIGNABLE = _Names()

    def __init__(self, arguments: Values) -> None:
        super().__init__(None)
        self.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in arguments)
        self.materialize_grads = True
        self._saved: Values = ()
        self._for_forward: Values = ()
        self._versions: list[tuple[Version, int] | None] = []
        self._own: dict[int, int] = {}  # what is saved that is a result, by the number of that
        self._packed: Packed = {}
        self._freed = False
        self._dirty: Values = ()
        self._fixed: Values = ()
        self._backward: Callable[..., Any] = _refused

    @staticmethod
    def _of(function: type, arguments: Values) -> Context:
        """A context for a call of a function, which has a class of its own for them."""
        return _class(function)(arguments)

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for `backward`, which finds them in `saved_tensors`."""
        self._saved = _tensors("save_for_backward", tensors)

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for `jvp`, which finds them in `saved_tensors`."""
        self._for_forward = _tensors("save_for_forward", tensors)

    def mark_dirty(self, *args: Tensor) -> None:
        """Says which arguments `forward` has changed in place."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Says which results have no derivative."""
        self._fixed = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros, rather than None, for results that nothing came to."""
        self.materialize_grads = value

    @property
    def to_save(self) -> Values | None:
        """What was given to `save_for_backward`; None before."""
        return self._saved or None

    @property
    def dirty_tensors(self) -> Values | None:
        """What was given to `mark_dirty`; None before."""
        return self._dirty or None

    @property
    def non_differentiable(self) -> Values | None:
        """What was given to `mark_non_differentiable`; None before."""
        return self._fixed or None

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def apply(self, *args: Any) -> Any:
        """What the script's `backward` makes of gradients, called as it is."""
        return self._backward(self, *args)

    def __call__(self, *cotangents: Any, **kwargs: Any) -> Any:
        """Refused with TypeError, as by PyTorch."""
        raise TypeError(f"'{self.name()}' object is not callable")

    @property
    def saved_tensors(self) -> Values:
        """What was saved.

        Raises:
            GradcliError: G031 after a backward pass has freed it; G032 when it was overwritten.
        """
        if self._freed:
            raise used_up(self._node)
        packed = self._packed
        for i, (tensor, version) in enumerate(zip(self._saved, self._versions, strict=False)):
            if i not in packed and version is not None and version[0].number != version[1]:
                own = self._own.get(i)
                if own is None:
                    raise overwritten(self._node, tensor.value_node, *version)
                result = results_of(self._node).get(own, self._node)
                raise overwritten(result, result, *version)
        return tuple(
            unpacked_as(packed[i], tensor.node) if i in packed else tensor
            for i, tensor in enumerate(self._saved)
        )

    @property
    def _raw_saved_tensors(self) -> Values:
        """What was saved, as objects that take hooks."""
        if self._freed:
            raise used_up(self._node)
        return tuple(Saved(self._packed, i, tensor) for i, tensor in enumerate(self._saved))

    def _seal(self) -> None:
        """Notes the versions of what was saved, now that `forward` is through."""
        self._versions = [None if x is None else (x.version, x.version.number) for x in self._saved]
        calls = [None if x is None else x.value_node.call for x in self._saved]
        known = {i: call for i, call in enumerate(calls) if isinstance(call, Part)}
        self._own = {i: call.output for i, call in known.items() if call.grad_fn is self}
        pack_all(self._packed, ((i, x) for i, x in enumerate(self._saved) if x is not None))

    @contextmanager
    def _forward(self) -> Iterator[None]:
        """A block in which `saved_tensors` is what was saved for forward mode."""
        before = self._saved, self._versions
        self._saved, self._versions = self._for_forward, []
        try:
            yield
        finally:
            self._saved, self._versions = before

    def _free(self) -> None:
        """Lets go of what was saved: a backward pass has used it up."""
        self._freed = bool(self._saved)
        self._saved, self._packed = (), {}

    def __repr__(self) -> str:
        return object.__repr__(self)


def _refused(context: Context, *args: Any) -> Any:
    """The derivative of a call that is not through."""
    raise GradcliError("G046", f"{type(context).__name__} has no derivative yet")


def _tensors(method: str, values: Values) -> Values:
    for position, value in enumerate(values):
        if value is not None and not isinstance(value, Tensor):
            raise GradcliError(
                "G046",
                f"{method} can only save variables, but argument {position} is of type "
                f"{type(value).__name__}",
                help="keep other values as attributes: ctx.n = n",
                kind=TypeError,
            )
    return values


@cache
def _class(function: type) -> type[Context]:
    name, module = f"{function.__name__}Backward", "torch.autograd.function"
    return type(name, (Context,), {"__module__": module})


def refusal_of_write(changed: Tensor, count: int) -> GradcliError | None:
    """Why autograd does not let a function with `count` results write to a tensor."""
    view = changed._view
    if (view is None or not view.caution) and changed.is_leaf and changed.requires_grad:
        return GradcliError(
            "G033", "a leaf Variable that requires grad has been used in an in-place operation."
        )
    try:
        refuse(changed, True)
    except GradcliError as error:
        return error
    if count == 1 or view is None or view.base is None:
        return None
    return GradcliError(
        "G033",
        "If your Function modifies inplace an input that is a view of another Tensor, your "
        "Function cannot return more than one Tensor. This is not supported by the current "
        "autograd engine.",
        help="write to a clone of the view, or give back one tensor for each Function",
    )
