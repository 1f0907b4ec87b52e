"""What PyTorch's sentences call its functions.

Constraints: by name alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcli.tensor.function import Function


def called(function: Function) -> str:
    """What PyTorch's sentences call it: `linalg_inv` for `linalg.inv`."""
    name = function.qualified.removeprefix("nn.functional.").removeprefix("Tensor.")
    return name.replace(".", "_")
