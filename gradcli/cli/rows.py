"""What `--rows` and `--verbose` ask for, once the bindings are known.

Constraints: imports nothing of sweeps; the bar is made when the first pass over a file begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.errors import GradcliError, did_you_mean
from gradcli.execute.whole import chunks
from gradcli.graph.shape import text
from gradcli.tensor import Tensor


def follow(variables: dict[str, Any], verbose: bool) -> dict[str, Any]:
    """Checks the variables that `--rows` names; has passes over files watched. Gives `variables`.

    Raises:
        GradcliError: G070 for a variable that is none, has no rows, or another number of them.
    """

    def watch() -> Any:
        from gradcli.cli.progress import Passes

        return Passes(variables, verbose)

    chunks.watch = watch
    chunks.along = [_checked(name, variables) for name in chunks.named]
    return variables


def _checked(name: str, variables: Mapping[str, Any]) -> Any:
    """The value of a variable that `--rows` names."""
    value = variables.get(name)
    if name not in variables:
        help = did_you_mean(name, variables) or f"there are {', '.join(variables)}"
        raise GradcliError("G070", f"--rows: there is no variable {name}", help=help)
    if not isinstance(value, Tensor) or not value.shape:
        raise GradcliError("G070", f"--rows: {name} has no rows", help="name tensors with an axis")
    first = chunks.named[0]
    if value.shape[0] != variables[first].shape[0]:
        raise GradcliError(
            "G070",
            f"--rows: {name} is {text(tuple(value.shape))}, {first} is "
            f"{text(tuple(variables[first].shape))}: not as many rows",
            help="name only variables whose first axis is the same",
        )
    return value.value_node.value
