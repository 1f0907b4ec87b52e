"""Where tensors are: the machine's memory, which PyTorch calls the CPU.

Constraints: `--device` of a command says where an expression is computed; a script does not. What
scripts ask before they choose a device has the answers of PyTorch on a machine without one.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.tensor import registry
from gradcli.tensor.function import composite
from gradcli.tensor.refusals import check_device, check_device_type


class Device:
    """Where a tensor lives: always the machine's memory, until a backend says otherwise."""

    def __init__(self, type: str = "cpu", index: int | None = None) -> None:
        name, _, number = str(type).partition(":")
        check_device_type(name)
        if number and not number.isdigit():
            raise GradcliError("G071", f"Invalid device string: '{type}'")
        if index is not None and index < 0:
            raise GradcliError("G071", "Device index must not be negative")
        self.type = name
        self.index = int(number) if number.isdigit() else index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"


Device.__module__, Device.__name__, Device.__qualname__ = "torch", "device", "device"
CPU = Device()


def set_default_device(device: Any) -> None:
    """Makes new tensors where they are made anyway: in the machine's memory."""
    check_device(device)


def get_default_device() -> Device:
    """Where new tensors are made."""
    return CPU


for _entry in (set_default_device, get_default_device):
    registry.register(f"torch.{_entry.__name__}", _entry)


# -- what scripts ask of accelerators, and there is none


class Cudnn:
    """Settings of a library that runs on one kind of accelerator; they change nothing here."""

    ASSIGNABLE = ("allow_tf32", "benchmark", "deterministic", "enabled")

    def __init__(self) -> None:
        self.benchmark = self.deterministic = False
        self.enabled = self.allow_tf32 = True

    def is_available(self) -> bool:
        """False."""
        return False

    def version(self) -> None:
        """None."""

    def __repr__(self) -> str:
        return "<module 'torch.backends.cudnn'>"


def _elsewhere(device: str) -> None:
    @composite(f"Tensor.{device}")
    def moved(input: Any, *args: Any, **kwargs: Any) -> Any:
        check_device(device)

    moved.doc = "Refused: everything is in the machine's memory here."


for _device in ("cuda", "xpu"):
    _elsewhere(_device)


def _answers(answer: Any, *names: str) -> None:
    """Functions below `torch` that have one answer, whatever they are asked."""
    for name in names:

        def ask(*args: Any, **kwargs: Any) -> Any:
            return answer

        ask.__name__ = ask.__qualname__ = name.rpartition(".")[2]
        registry.register(f"torch.{name}", ask)


_answers(
    False,
    *("cuda.is_available", "cuda.is_initialized", "cuda.is_bf16_supported", "mps.is_available"),
    *("xpu.is_available", "accelerator.is_available", "backends.mps.is_available"),
    *("backends.mps.is_built", "backends.cuda.is_built"),
)
_answers(
    0,
    *("cuda.device_count", "mps.device_count", "xpu.device_count", "accelerator.device_count"),
    *("cuda.memory_allocated", "cuda.max_memory_allocated"),
)
_answers(
    None,
    *("cuda.manual_seed", "cuda.manual_seed_all", "cuda.empty_cache", "mps.manual_seed"),
    "accelerator.current_accelerator",
)
registry.register("torch.backends.cudnn", Cudnn())
