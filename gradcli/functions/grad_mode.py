"""Grad modes: blocks and decorated functions in which gradients are recorded or not.

Constraints: the mode is one global, `current.tracking` of the graph; in forward mode, which no
such block stops, there are blocks apart (gradcli/tensor/blocks.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.graph.node import current
from gradcli.tensor import levels, registry
from gradcli.tensor.blocks import inference


class GradMode:
    """A block, or a decorated function, in which gradients are recorded or not.

    Args:
        mode: whether they are recorded.
        at_once: whether it begins already here, outside of any block (`set_grad_enabled(False)`).
    """

    def __init__(self, mode: bool, *, at_once: bool = False) -> None:
        self._mode = mode
        self._before = levels.recording()
        if at_once:
            levels.record(mode)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self._mode})"

    def __enter__(self) -> None:
        levels.record(self._mode)

    def __exit__(self, *exception: object) -> None:
        levels.record(self._before)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, guarded by this mode."""
        levels.record(self._before)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self._mode):
                return function(*args, **kwargs)

        guarded.__name__ = guarded.__qualname__ = getattr(function, "__name__", "guarded")
        return guarded


class _Reentrant(GradMode):
    """A mode whose object may be entered again and again."""

    def __enter__(self) -> None:
        self._before = levels.recording()
        levels.record(self._mode)


def _mode(name: str, mode: bool, words: str) -> None:
    def make(orig_func: Any = None) -> Any:
        return _Reentrant(mode) if orig_func is None else _Reentrant(mode)(orig_func)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = words
    registry.register(f"torch.{name}", make)
    registry.register(f"torch.autograd.{name}", make)


_mode("no_grad", False, "A block (or decorated function) in which no gradient is recorded.")
_mode("enable_grad", True, "A block (or decorated function) in which gradients are recorded.")


class _Inference(_Reentrant):
    """A mode without gradients, or (`mode` False) one with them, inside of such a one."""

    def __init__(self, mode: bool) -> None:
        super().__init__(not mode)
        self._inference = mode
        self._outer = False

    def __enter__(self) -> None:
        super().__enter__()
        self._outer = inference.enabled
        inference.switch(self._inference)
        inference.asked = current.tracking = self._mode  # forward mode, too, stops here

    def __exit__(self, *exception: object) -> None:
        inference.switch(self._outer)
        super().__exit__()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, guarded by this mode."""
        inference = self._inference

        def guarded(*args: Any, **kwargs: Any) -> Any:
            with _Inference(inference):
                return function(*args, **kwargs)

        guarded.__name__ = guarded.__qualname__ = getattr(function, "__name__", "guarded")
        return guarded


def inference_mode(mode: Any = True) -> Any:
    """A block in which no gradient is recorded."""
    return _Inference(True)(mode) if callable(mode) else _Inference(bool(mode))


def is_inference_mode_enabled() -> bool:
    """Whether a block of `inference_mode` runs now."""
    return inference.enabled


def set_grad_enabled(mode: bool) -> GradMode:
    """Records gradients or not, from now on, or in a `with` block."""
    return GradMode(bool(mode), at_once=True)


class set_multithreading_enabled:  # noqa: N801
    """A block that changes nothing: functions of the backward graph run one after another here."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass


def is_grad_enabled() -> bool:
    """Whether gradients are recorded now."""
    return levels.recording()


for _entry in (inference_mode, set_grad_enabled):
    for _prefix in ("torch", "torch.autograd"):
        registry.register(f"{_prefix}.{_entry.__name__}", _entry)
registry.register("torch.autograd.set_multithreading_enabled", set_multithreading_enabled)
for _query in (is_grad_enabled, is_inference_mode_enabled):
    registry.register(f"torch.{_query.__name__}", _query)
