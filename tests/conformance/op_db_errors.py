"""Runs the wrong inputs of PyTorch's op_db under gradcli: each must be refused as PyTorch does.

Constraints: the oracle is PyTorch on the same arguments at the same moment; a refusal is its
exception class and the first line of its sentence.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from op_db_run import function_of
from op_db_values import Outside, leaves, to_gradcli

from gradcli.errors import GradcliError
from gradcli.tensor import Tensor


def wrong_inputs(op: Any) -> Iterator[Any]:
    """The op's wrong inputs, in the order of op_db."""
    torch.manual_seed(0)
    np.random.seed(0)
    for error in op.error_inputs("cpu"):
        yield error.sample_input


def refusal(function: Any, args: Any, kwargs: Any) -> tuple[str, str] | None:
    """The class and the first line of what a call is refused with; None when it is not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(*args, **kwargs)
            for tensor in leaves(result, Tensor):
                tensor.array()
        except Exception as error:
            return refused(error)
    return None


def refused(error: Exception) -> tuple[str, str]:
    """The class and the first line of an exception."""
    kind = error.kind if isinstance(error, GradcliError) else type(error)
    return kind.__name__, str(error).partition("\n")[0]


def compare(op: Any, sample: Any) -> str:
    """Why a wrong input is not refused as by PyTorch, in words; empty when it is.

    Raises:
        Outside: PyTorch accepts it, or it uses what gradcli leaves out.
    """
    if "out" in sample.kwargs:
        raise Outside("out= shares memory with another argument, and a copy does not")
    given = (sample.input, *sample.args)
    known: dict[int, Tensor] = {}
    arguments, options = to_gradcli(given, known), to_gradcli(sample.kwargs, known)
    theirs = refusal(op.op, given, sample.kwargs)
    if theirs is None:
        raise Outside("PyTorch takes it")
    ours = refusal(function_of(op), arguments, options)
    return difference(ours, theirs)


def difference(ours: tuple[str, str] | None, theirs: tuple[str, str] | None) -> str:
    """What is different between two refusals, in words; empty when they are the same."""
    if ours == theirs:
        return ""
    if ours is None:
        return f"accepted in place of {': '.join(theirs)}"
    if theirs is None:
        return f"{': '.join(ours)} in place of a result"
    if ours[0] != theirs[0]:
        return f"{': '.join(ours)}\n   in place of {': '.join(theirs)}"
    return f"text: {ours[1]}\n   in place of {theirs[1]}"
