"""Runs PyTorch's op_db samples under gradcli and scores forward values and gradients, op by op.

Constraints: the oracle is PyTorch on the same arguments at the same moment; random ops start from
the same seed on both sides; cotangents are the same random numbers.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from op_db_lists import NOT_COUNTED, ORDER, RENAMED, UNINITIALISED, WITHOUT_GRADIENT
from op_db_values import Outside, array_of, difference, leaves, requires_grad, to_gradcli
from torch.testing._internal.common_methods_invocations import op_db

from gradcli.functions import find
from gradcli.tensor import Tensor
from gradcli.tensor.registry import method

SEED = 42
"""The seed that op_db's own wrappers of random functions set."""


class Score:
    """What an op's samples came to in one dtype.

    Attributes:
        name: op_db's name, the variant behind a dot.
        forward, gradient: (passed, total).
        failures: sentence -> how often, forward and gradient together.
        outside: reason -> how many samples were skipped for it.
        seconds: how long they took, PyTorch's share included.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.forward = [0, 0]
        self.gradient = [0, 0]
        self.failures: Counter[str] = Counter()
        self.outside: Counter[str] = Counter()
        self.seconds = 0.0

    def count(self, which: str, problem: str) -> None:
        """Counts one comparison; `problem` is empty when it passed."""
        tally: list[int] = getattr(self, which)
        tally[0] += not problem
        tally[1] += 1
        if problem:
            self.failures[f"{which}: {problem}"] += 1

    @property
    def passed(self) -> bool:
        """Whether everything that was compared agreed, and something was compared."""
        return not self.failures and (self.forward[1] > 0 or not self.outside)


def operations() -> dict[str, Any]:
    """op_db's ops that are compared, by name with variant."""
    return {full_name(op): op for op in op_db if not op.name.startswith(NOT_COUNTED)}


def full_name(op: Any) -> str:
    """`max.binary`: the name and the variant of an OpInfo."""
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name


def function_of(op: Any) -> Any:
    """gradcli's function of an OpInfo's name: of torch, else a tensor's method; else None."""
    found = find(f"torch.{op.name}")
    if not callable(found) and "." not in op.name:
        found = method(RENAMED.get(op.name, op.name))
    if isinstance(found, property):
        found = found.fget
    arrange = ORDER.get(op.name)
    return arrange(found) if arrange and found is not None else found


def samples(op: Any, dtype: torch.dtype) -> Iterator[Any]:
    """The op's samples; their tensors require gradients where the op has one."""
    torch.manual_seed(0)
    yield from op.sample_inputs("cpu", dtype, requires_grad=op.supports_autograd)


def run(op: Any, dtype: torch.dtype) -> Score:
    """Scores every sample of `op` in `dtype`."""
    score = Score(full_name(op))
    function = function_of(op)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in samples(op, dtype):
            try:
                _compare(op, function, sample, score)
            except Outside as reason:
                score.outside[str(reason)] += 1
    return score


def _compare(op: Any, function: Any, sample: Any, score: Score) -> None:
    arguments = (sample.input, *sample.args)
    known: dict[int, Tensor] = {}
    ours_arguments = to_gradcli(arguments, known)
    ours_options = to_gradcli(sample.kwargs, known)
    theirs = _theirs(op, sample)
    expects_gradient = bool(requires_grad(theirs, torch.Tensor)) and op.name not in WITHOUT_GRADIENT
    try:
        if function is None:
            raise LookupError("no such function")
        find("torch.manual_seed")(SEED)
        ours = function(*ours_arguments, **ours_options)
        problem = difference(ours, theirs, values=op.name not in UNINITIALISED)
    except Exception as error:
        ours, problem = None, _sentence(error)
    score.count("forward", problem)
    if expects_gradient:
        inputs = requires_grad((arguments, sample.kwargs), torch.Tensor)
        score.count("gradient", problem or _gradient(ours, theirs, inputs, known))


def _theirs(op: Any, sample: Any) -> Any:
    torch.manual_seed(SEED)
    try:
        theirs = op.op(sample.input, *sample.args, **sample.kwargs)
    except Exception as error:
        raise Outside(f"PyTorch refuses the sample: {type(error).__name__}") from None
    for tensor in leaves(theirs, torch.Tensor):
        array_of(tensor)
    return theirs


def _gradient(ours: Any, theirs: Any, inputs: list[torch.Tensor], known: dict[int, Tensor]) -> str:
    outputs = requires_grad(theirs, torch.Tensor)
    cotangents = [_cotangent(x) for x in outputs]
    try:
        expected = torch.autograd.grad(
            outputs, inputs, [torch.from_numpy(v) for v in cotangents], allow_unused=True
        )
    except (NotImplementedError, RuntimeError) as error:
        raise Outside(f"PyTorch has no gradient: {type(error).__name__}") from None
    flat = list(leaves(theirs, torch.Tensor))
    chosen = [o for o, t in zip(leaves(ours, Tensor), flat, strict=False) if t.requires_grad]
    if len(chosen) != len(outputs) or not all(x.requires_grad for x in chosen):
        return "no gradient is recorded"
    try:
        found = find("torch.autograd.grad")(
            chosen,
            [known[id(x)] for x in inputs],
            [find("torch.tensor")(v) for v in cotangents],
            allow_unused=True,
        )
        pairs = zip(found, expected, inputs, strict=True)
        return next((d for pair in pairs if (d := _gradient_difference(*pair))), "")
    except Exception as error:
        return _sentence(error)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _gradient_difference(ours: Any, theirs: Any, x: torch.Tensor) -> str:
    """Unlike a value, a gradient that is absent on one side equals zeros on the other."""
    if ours is None:
        ours = find("torch.zeros")(*x.shape, dtype=to_gradcli(x.dtype, {}))
    return difference(ours, torch.zeros_like(x) if theirs is None else theirs)


def _cotangent(output: torch.Tensor) -> Any:
    dtype = array_of(output).dtype
    numbers = np.random.default_rng(7)
    values = numbers.standard_normal(tuple(output.shape))
    if dtype.kind == "c":
        values = values + 1j * numbers.standard_normal(tuple(output.shape))
    return np.asarray(values).astype(dtype)
