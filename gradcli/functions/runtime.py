"""Settings of PyTorch's runtime that change no number here: threads, determinism, precision.

Constraints: what a script sets, it can ask for; nothing else happens.
"""

from __future__ import annotations

import os
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.types import not_a_default, set_default_dtype
from gradcli.graph.dtype import SCALAR_TYPES, of_tensor_type
from gradcli.tensor import Tensor, registry

SETTINGS: dict[str, tuple[str, Any]] = {
    "set_num_threads": ("get_num_threads", os.cpu_count() or 1),
    "set_num_interop_threads": ("get_num_interop_threads", os.cpu_count() or 1),
    "set_float32_matmul_precision": ("get_float32_matmul_precision", "highest"),
    "use_deterministic_algorithms": ("are_deterministic_algorithms_enabled", False),
    "set_warn_always": ("is_warn_always_enabled", False),
}
"""What sets -> what says, and what it says at first."""


def _setting(setter: str, getter: str, value: Any) -> None:
    held = [value]

    def set_(value: Any, *, warn_only: bool = False) -> None:
        held[0] = value

    registry.register(f"torch.{setter}", set_)
    registry.register(f"torch.{getter}", lambda: held[0])


for _setter, (_getter, _value) in SETTINGS.items():
    _setting(_setter, _getter, _value)


def set_flush_denormal(mode: bool) -> bool:
    """False: small numbers are never flushed to zero here."""
    return False


def set_default_tensor_type(t: Any) -> None:
    """The default dtype, by the name of its tensors: `torch.DoubleTensor`."""
    dtype = of_tensor_type(t)
    if dtype is None and not isinstance(t, str):
        raise not_a_default("type")
    if dtype is None:
        raise GradcliError("G025", f"invalid type object {t!r}", kind=TypeError)
    set_default_dtype(dtype)


def typename(obj: Any) -> str:
    """The name of a tensor's type, or of any other value's."""
    if isinstance(obj, Tensor):
        return f"torch.{SCALAR_TYPES[obj.dtype]}Tensor"
    kind = obj if isinstance(obj, type) else type(obj)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"


registry.register("torch.__version__", "2.13.0")  # the PyTorch whose language and numbers these are
for _entry in (set_flush_denormal, set_default_tensor_type, typename):
    registry.register(f"torch.{_entry.__name__}", _entry)
