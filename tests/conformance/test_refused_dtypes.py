"""Every dtype that op_db says PyTorch has no kernel for is refused; every other one works.

Constraints: the oracle is PyTorch on the same arguments at the same moment; the arguments are the
samples of a dtype that the op takes, cast to the other one. What differs is listed by name.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from op_db_errors import difference, refusal  # noqa: E402
from op_db_run import function_of, operations, samples, spread  # noqa: E402
from op_db_values import Outside, to_gradcli  # noqa: E402

DTYPES = (
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.complex64, torch.complex128),
)
TRIED = 3
"""At most so many samples of an op in a dtype."""

WORDS = "refused by another of the kernels that it is made of, or in other words"
CLASSES = "refused at another step of the way, with another class"
ACCEPTED = "taken, where PyTorch lacks one of the kernels that it is made of"
OTHERWISE: dict[str, tuple[str, ...]] = {
    WORDS: (
        *("addbmm", "baddbmm", "bitwise_left_shift", "bitwise_not", "bitwise_right_shift", "i0"),
        *("bitwise_and", "bitwise_or", "bitwise_xor", "__rand__", "__ror__", "__rxor__"),
        *("bmm", "cumulative_trapezoid", "grid_sampler_3d", "histc", "index_reduce", "inner"),
        *("lerp", "linalg.lstsq", "linalg.lu_solve", "linalg.matrix_rank", "logit", "lu_solve"),
        *("median", "mvlgamma", "nanmedian", "polygamma", "special.polygamma", "round", "stft"),
        *("trapezoid", "trapz", "unique", "unique_consecutive", "scatter_reduce", "tensordot"),
        *(
            f"nn.functional.{name}"
            for name in (
                *("adaptive_max_pool3d", "conv1d", "conv3d", "cosine_embedding_loss"),
                *("cosine_similarity", "embedding_bag", "feature_alpha_dropout"),
                *("gaussian_nll_loss", "grid_sample", "hinge_embedding_loss"),
                *("linear_cross_entropy", "margin_ranking_loss", "max_pool1d", "max_pool2d"),
                *("max_unpool2d", "nll_loss", "prelu", "rrelu", "soft_margin_loss"),
            )
        ),
        *("masked.log_softmax", "masked.logaddexp", "masked.softmax"),
    ),
    CLASSES: (
        *("addmm", "dist", "pca_lowrank", "svd_lowrank", "linalg.pinv", "linalg.matrix_rank"),
        "scatter_reduce",
        *("masked.amax", "masked.amin", "masked.argmax", "masked.argmin", "masked.log_softmax"),
        *("masked.norm", "masked.softmax", "masked.softmin"),
    ),
    ACCEPTED: (
        *("masked.amax", "masked.amin", "masked.logaddexp", "masked.logsumexp", "masked.norm"),
        *("nn.functional.rrelu", "normal", "scatter_reduce"),
    ),
}
"""In which way -> the ops whose refusals are not PyTorch's."""
NOT_TAKEN = {
    "nn.functional.unfold": torch.bool,
    **dict.fromkeys(("nn.functional.interpolate", "nn.functional.upsample_bilinear"), torch.uint8),
}
"""What PyTorch takes and gradcli refuses."""

OPERATIONS = {
    name: op
    for name, op in operations().items()
    if op.supported_dtypes("cpu") and function_of(op) is not None
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def cast(value: Any, source: torch.dtype, target: torch.dtype) -> Any:
    """An argument with its tensors of the dtype `source` as tensors of `target`."""
    if isinstance(value, torch.Tensor):
        return value.detach().to(target) if value.dtype == source else value.detach()
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(cast(v, source, target) for v in value)
    if isinstance(value, dict):
        return {k: cast(v, source, target) for k, v in value.items()}
    return value


def kind_of(problem: str) -> str:
    """Which of the ways of `OTHERWISE` a difference is."""
    if problem.startswith("text: "):
        return WORDS
    return ACCEPTED if problem.startswith("accepted") else CLASSES


@pytest.mark.parametrize("name", OPERATIONS)
def test_dtypes_without_a_kernel_are_refused(name: str) -> None:
    op = OPERATIONS[name]
    taken = op.supported_dtypes("cpu")
    source = torch.float32 if torch.float32 in taken else min(taken, key=str)
    problems = []
    for sample in spread(list(samples(op, source)), TRIED):
        for dtype in (d for d in DTYPES if d not in taken):
            given = cast((sample.input, *sample.args), source, dtype)
            options = cast(sample.kwargs, source, dtype)
            theirs = refusal(op.op, given, options)
            try:
                known: dict[int, Any] = {}
                ours = to_gradcli(given, known), to_gradcli(options, known)
            except Outside:
                continue
            if theirs is not None:
                problem = difference(refusal(function_of(op), *ours), theirs)
                if problem and op.name not in OTHERWISE[kind_of(problem)]:
                    problems.append(f"{dtype}: {problem}")
    assert not problems, "\n".join(dict.fromkeys(problems))


@pytest.mark.parametrize("name", OPERATIONS)
def test_dtypes_with_a_kernel_are_taken(name: str) -> None:
    op = OPERATIONS[name]
    problems = []
    taken = op.supported_dtypes("cpu") - {NOT_TAKEN.get(op.name)}
    for dtype in (d for d in DTYPES if d in taken):
        for sample in spread(list(samples(op, dtype)), 1):
            given = (sample.input, *sample.args)
            if refusal(op.op, given, sample.kwargs) is not None:
                continue
            try:
                known: dict[int, Any] = {}
                ours = to_gradcli(given, known), to_gradcli(sample.kwargs, known)
            except Outside:
                continue
            found = refusal(function_of(op), *ours)
            if found is not None:
                problems.append(f"{dtype}: {': '.join(found)}")
    assert not problems, "\n".join(problems)
