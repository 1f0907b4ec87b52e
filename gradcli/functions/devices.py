"""Where tensors are: the machine's memory, which PyTorch calls the CPU.

Constraints: `--device` of a command says where an expression is computed; a script does not.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.tensor import registry


class Device:
    """Where a tensor lives: always the machine's memory, until a backend says otherwise."""

    def __init__(self, type: str = "cpu", index: int | None = None) -> None:
        name, _, number = str(type).partition(":")
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


CPU = Device()


def set_default_device(device: Any) -> None:
    """Makes new tensors where they are made anyway: in the machine's memory."""
    wanted = Device("cpu" if device is None else str(device))
    if wanted.type != "cpu":
        raise GradcliError(
            "G025",
            f"tensors are made on the CPU, not on {wanted}",
            help="gradcli eval --device runs an expression on another device",
        )


def get_default_device() -> Device:
    """Where new tensors are made."""
    return CPU


for _entry in (set_default_device, get_default_device):
    registry.register(f"torch.{_entry.__name__}", _entry)
