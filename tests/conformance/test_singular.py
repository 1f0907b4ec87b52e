"""NaN, infinities and corners: values and gradients of every op of op_db where others leave off.

Constraints: the oracle is PyTorch on the same arguments at the same moment. Elementwise functions
get all pairs of odd numbers, seven at a time: of more, PyTorch's vectorised kernels take other
branches for NaN than those for the rest. Other ops get their own samples with odd numbers in.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from op_db_run import Trial, function_of, operations, samples, spread  # noqa: E402
from op_db_values import Outside  # noqa: E402
from torch.testing._internal.opinfo.core import (  # noqa: E402
    BinaryUfuncInfo,
    SampleInput,
    UnaryUfuncInfo,
)

ODD = (
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 6.0, 2.0),
    *(-20.0, 25.0),
)
AT_ONCE = 7
FILLS: dict[str, Sequence[float]] = {
    "NaN everywhere": (math.nan,),
    "all kinds": (0.7, math.nan, math.inf, -math.inf, 0.0, 1.0, -1.0, -0.0, 3.0, -3.0),
    "zeros": (0.0,),
}
COTANGENTS: dict[str, Sequence[float]] = {"NaN": (1.0, math.nan, 0.5), "inf": (math.inf, 1.0)}
ELEMENTWISE = frozenset(
    f"nn.functional.{name}"
    for name in (
        *("gelu", "hardswish", "mish", "softplus", "silu", "elu", "celu", "selu", "leaky_relu"),
        *("hardtanh", "relu6", "hardsigmoid", "logsigmoid", "softshrink", "hardshrink", "relu"),
        *("threshold", "softsign", "tanhshrink"),
    )
)
OTHERWISE: dict[str, tuple[str, ...]] = {
    "PyTorch's trigamma is as large at its poles as rounding makes it, and has ten digits": (
        *("digamma", "polygamma", "special.polygamma", "mvlgamma"),
    ),
    "PyTorch adds up in another order, so that inf - inf comes up elsewhere": (
        *("stft", "corrcoef", "nn.functional.group_norm", "nn.functional.instance_norm"),
        "nn.functional.batch_norm",
    ),
    "PyTorch multiplies an infinite cotangent by a slope of 0, here nothing is passed on": (
        *("nn.functional.multi_margin_loss", "nn.functional.multilabel_margin_loss"),
        *("nn.functional.grid_sample", "grid_sampler_2d", "grid_sampler_3d"),
        "nn.functional.ctc_loss",
    ),
    "PyTorch's kernel takes -0.0 for 0.0": ("logit",),
    "PyTorch's gradient is a difference that cancels": ("special.log_ndtr",),
}
"""Reason -> the ops that are not compared here."""
LEFT_OUT = frozenset(name for names in OTHERWISE.values() for name in names)
FACTORING = ("linalg.", "svd", "pca", "lu", "cholesky", "ormqr", "geqrf", "qr", "pinverse", "fft.")
"""Beginnings of ops whose library refuses odd numbers, or whose results mix all of them."""

OPERATIONS = {
    name: op
    for name, op in operations().items()
    if op.supports_autograd
    and torch.float64 in op.dtypes
    and function_of(op) is not None
    and not name.startswith(FACTORING)
    and op.name not in LEFT_OUT
}


def odd_samples(op: Any) -> Iterator[Any]:
    """The arguments for an op."""
    known = spread(list(samples(op, torch.float64)), 2)
    if is_unary(op):
        for sample, row in itertools.product(known, rows([(x,) for x in ODD])):
            yield SampleInput(leaf(row, 0), args=sample.args, kwargs=sample.kwargs)
    elif isinstance(op, BinaryUfuncInfo):
        for row in rows(list(itertools.product(ODD, ODD))):
            yield SampleInput(leaf(row, 0), args=(leaf(row, 1),), kwargs=known[0].kwargs)
    else:
        yield from known
        for sample, fill in itertools.product(known, FILLS.values()):
            given = filled((sample.input, sample.args, sample.kwargs), fill)
            yield SampleInput(
                given[0],
                args=given[1],
                kwargs=given[2],
                output_process_fn_grad=sample.output_process_fn_grad,
            )


def is_unary(op: Any) -> bool:
    return isinstance(op, UnaryUfuncInfo) or op.name in ELEMENTWISE


def rows(pairs: list[tuple[float, ...]]) -> list[list[tuple[float, ...]]]:
    return [pairs[i : i + AT_ONCE] for i in range(0, len(pairs), AT_ONCE)]


def leaf(row: list[tuple[float, ...]], place: int) -> torch.Tensor:
    numbers = [pair[place] for pair in row]
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


def filled(value: Any, numbers: Sequence[float]) -> Any:
    """The arguments with `numbers`, over and over, in the tensors that want a gradient."""
    if isinstance(value, torch.Tensor):
        return put(value, numbers).requires_grad_() if value.requires_grad else value
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(filled(v, numbers) for v in value)
    if isinstance(value, dict):
        return {k: filled(v, numbers) for k, v in value.items()}
    return value


def put(like: torch.Tensor, numbers: Sequence[float]) -> torch.Tensor:
    taken = itertools.islice(itertools.cycle(numbers), like.numel())
    return torch.tensor(list(taken), dtype=like.dtype).reshape(like.shape)


SECOND = {
    "the second derivative is a multiple of trigamma": ("lgamma",),
}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, op in OPERATIONS.items()
        if (is_unary(op) or isinstance(op, BinaryUfuncInfo))
        and not any(name in names for names in SECOND.values())
    ],
)
def test_second_derivatives_of_odd_numbers(name: str) -> None:
    op, problems = OPERATIONS[name], []
    for sample in odd_samples(op):
        trial = Trial(op, function_of(op), twice=True)
        trial.slopes.second = False  # where PyTorch has NaN, here is NaN
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial.compare(sample)
        problems += trial.score.failures
    assert not problems, "\n".join(dict.fromkeys(problems))


@pytest.mark.parametrize("name", OPERATIONS)
def test_odd_numbers(name: str) -> None:
    op, problems = OPERATIONS[name], []
    makers = [None, *(lambda y, n=numbers: put(y, n) for numbers in COTANGENTS.values())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in odd_samples(op):
            for kind, maker in zip(("usual", *COTANGENTS), makers, strict=True):
                trial = Trial(op, function_of(op), cotangent=maker)
                try:
                    trial.compare(sample)
                except Outside:
                    continue
                problems += [f"{kind} cotangents: {said}" for said in trial.score.failures]
    assert not problems, "\n".join(dict.fromkeys(problems))
