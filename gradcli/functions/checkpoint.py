"""`torch.utils.checkpoint`: functions whose inner values are not kept for the backward pass.

Constraints: gradients are the same either way, and the graph keeps what its plan needs, so a call
is the function's own; nothing is computed twice, and a `print` inside prints once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.tensor.function import composite


@composite("utils.checkpoint.checkpoint", method=False)
def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, whose gradient is that of the function.

    Raises:
        GradcliError: G026 for the reentrant form, which runs a backward pass of its own.
    """
    _refuse_reentrant(use_reentrant)
    return function(*args, **kwargs)


@composite("utils.checkpoint.checkpoint_sequential", method=False)
def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
) -> Any:
    """`input`, given through the functions in order; `segments` says what PyTorch would keep."""
    _refuse_reentrant(use_reentrant)
    for function in functions:
        input = function(input)
    return input


def _refuse_reentrant(use_reentrant: bool | None) -> None:
    if use_reentrant is not False:
        raise GradcliError(
            "G026",
            "the reentrant form of torch.utils.checkpoint is not supported",
            help="use_reentrant=False, which PyTorch recommends",
        )
