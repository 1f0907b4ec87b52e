"""gradcli: derivatives of tensor expressions, as a command and as a library.

Constraints: importing this imports nothing heavy; each name below is loaded when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
"""True to type checkers; the one in typing would cost more than all the rest of this import."""

if TYPE_CHECKING:
    from typing import Any

    from gradcli.api import evaluate as evaluate
    from gradcli.api import run as run
    from gradcli.calculus import differentiate as differentiate
    from gradcli.errors import GradcliError as GradcliError
    from gradcli.planned import Function as Function
    from gradcli.planned import function as function
    from gradcli.result import Result as Result
    from gradcli.tensor import Tensor as Tensor

__version__ = "0.1.0"

_HOMES = {
    **{"Function": "gradcli.planned", "function": "gradcli.planned"},
    **{"evaluate": "gradcli.api", "run": "gradcli.api"},
    **{"Result": "gradcli.result", "differentiate": "gradcli.calculus"},
    **{"GradcliError": "gradcli.errors", "Tensor": "gradcli.tensor"},
}

__all__ = [
    "Function",
    "GradcliError",
    "Result",
    "Tensor",
    "differentiate",
    "evaluate",
    "function",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gradcli' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
