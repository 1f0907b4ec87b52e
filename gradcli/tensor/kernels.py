"""The refusal of a dtype that PyTorch has no kernel for, as an entry of the function table says it.

Constraints: a kernel is the last thing that a call of PyTorch's comes to, so what else is wrong
with the arguments is said first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.graph.op import Refusals, lacking
from gradcli.tensor.arguments import MISFITS
from gradcli.tensor.tensor import Tensor


def unless_refused(
    refuses: Refusals, run: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """What `run` makes of the arguments; G025 for a first tensor whose dtype `refuses` names."""
    given = (a[:1] if isinstance(a, list) else (a,) for a in (*args, *kwargs.values()))
    first = next((x for (x,) in filter(None, given) if isinstance(x, (Tensor, Node))), None)
    refusal = None if first is None else lacking(refuses, first.dtype)
    if refusal is None:
        return run(*args, **kwargs)
    try:
        run(*args, **kwargs)
    except (GradcliError, *MISFITS) as error:
        if isinstance(error, GradcliError) and error.diagnostic.code != "G025":
            raise
    raise refusal
