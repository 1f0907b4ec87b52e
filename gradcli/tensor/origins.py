"""What PyTorch's sentences call its functions.

Constraints: by name alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcli.tensor.function import Function


IN_PYTHON = ("nn.functional.", "func.", "autograd.", "vmap")
"""What the names of those begin with that PyTorch has in Python, with few exceptions."""


def called(function: Function) -> str:
    """What PyTorch's sentences call it: `linalg_inv` for `linalg.inv`."""
    if function.qualified.startswith((*IN_PYTHON, "Tensor.")):
        return function.qualified.rpartition(".")[2]
    return function.qualified.replace(".", "_")
