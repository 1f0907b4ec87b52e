"""Functions that scripts use most, called in wrong ways: refused as PyTorch refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from op_db_errors import difference, refusal  # noqa: E402
from op_db_values import Outside, to_gradcli  # noqa: E402

from gradcli.functions import find  # noqa: E402


def _counted(*shape: int) -> Any:
    return torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)


X, M, V, INDEX = _counted(2, 3), _counted(3, 3) + torch.eye(3), _counted(3), torch.tensor([0, 1])
MASK, PLACES = torch.tensor([[True, False, True]] * 2), torch.zeros(2, 1, dtype=torch.long)
P, S = torch.sigmoid(X), torch.eye(3)


def _each(names: str, *args: Any) -> dict[str, tuple[Any, ...]]:
    return dict.fromkeys(names.split(), args)


CALLS: dict[str, tuple[Any, ...]] = {
    **_each("sin cos tan exp log sqrt abs neg tanh sigmoid relu square rsqrt reciprocal floor", X),
    **_each("ceil round sign trunc frac log2 log1p expm1 erf asin atan sinh isnan isinf numel", X),
    **_each(
        "add sub mul div pow maximum minimum fmod remainder atan2 floor_divide eq lt", X, X + 1
    ),
    **_each(
        "logical_and true_divide logaddexp hypot copysign allclose isclose equal kron", X, X + 1
    ),
    **_each("sum mean std var amax amin argmax argmin any all cumsum cumprod logsumexp", X, 0),
    **_each("softmax log_softmax unsqueeze squeeze sort argsort count_nonzero unbind nansum", X, 0),
    **_each("cummax std_mean logcumsumexp", X, 0),
    **_each("transpose flatten select", X, 0, 1),
    **{"clamp": (X, 0.0, 2.0), "where": (MASK, X, X), "lerp": (X, X, 0.5), "addcmul": (X, X, X)},
    **{"matmul": (X, M), "mm": (X, M), "mv": (M, V), "dot": (V, V), "outer": (V, V)},
    **{"addmm": (X, X, M), "trace": (M,), "det": (M,), "inverse": (M,), "linalg.solve": (M, M)},
    **{"linalg.norm": (X,), "linalg.inv": (M,), "linalg.eigvalsh": (M,), "linalg.qr": (M,)},
    **{"linalg.svd": (M,), "linalg.cholesky": (S,), "linalg.matrix_power": (M, 2)},
    **{"cat": ([X, X], 0), "stack": ([X, X], 0), "hstack": ([X, X],), "vstack": ([X, X],)},
    **{"reshape": (X, (3, 2)), "permute": (X, (1, 0)), "flip": (X, (0,)), "t": (X,)},
    **{"broadcast_to": (V, (2, 3)), "roll": (X, 1, 0), "narrow": (X, 0, 0, 1), "chunk": (X, 2, 0)},
    **{"split": (X, 1, 0), "tril": (X, 0), "triu": (X, 0), "diag": (V, 0), "diagonal": (M, 0)},
    **{"gather": (X, 1, PLACES), "index_select": (X, 0, INDEX), "masked_select": (X, MASK)},
    **{"masked_fill": (X, MASK, 0.0), "take": (X, INDEX), "scatter": (X, 1, PLACES, X)},
    **{"topk": (X, 2, 1), "kthvalue": (X, 1, 1), "unique": (X,), "bincount": (INDEX,)},
    **{"zeros_like": (X,), "ones_like": (X,), "full_like": (X, 1.0), "full": ((2,), 1.0)},
    **{"eye": (3,), "zeros": (2, 3), "cdist": (X, X), "nonzero": (X,), "histc": (X, 3)},
    **{f"nn.functional.{name}": (X,) for name in ("relu", "gelu", "softplus", "silu", "normalize")},
    **{f"nn.functional.{name}": (X, 1) for name in ("softmax", "log_softmax")},
    **{f"nn.functional.{name}": (X, X) for name in ("mse_loss", "l1_loss", "cosine_similarity")},
    **{f"nn.functional.{name}": (X, INDEX) for name in ("cross_entropy", "nll_loss")},
    **{
        "nn.functional.binary_cross_entropy_with_logits": (X, P),
        "nn.functional.one_hot": (INDEX, 3),
    },
    **{"nn.functional.linear": (X, M, V), "nn.functional.leaky_relu": (X, 0.1)},
    **{"nn.functional.conv1d": (_counted(1, 2, 5), _counted(3, 2, 2)), "nn.functional.elu": (X,)},
    **{"nn.functional.embedding": (INDEX, X), "nn.functional.dropout": (X, 0.5)},
}
"""A call that works of each function."""
VALUES: tuple[Any, ...] = (
    *("a", None, [], [1], (0,), {}, 2, -1, 9, 2.5, True, 1j, [0.5], ["a"], (0, 0), torch.float64),
    *(torch.tensor(1), INDEX, torch.tensor([0.0, 1.0]), torch.ones(2, 3, dtype=torch.bool)),
    *(torch.ones(2, 3, dtype=torch.complex64), torch.ones(4, 5), torch.ones(0)),
    *(torch.ones(2, 3, dtype=torch.int64), [X, "a"]),
)
"""What is put in the place of each argument."""
OPTIONS: tuple[dict[str, Any], ...] = (
    *({"dimm": 0}, {"dim": 0}, {"dim": "a"}, {"dim": 9}, {"keepdim": "x"}, {"dtype": "float32"}),
    *({"dtype": torch.float64}, {"dtype": torch.int64}, {"input": X}, {"axis": 0}, {"alpha": "a"}),
    *({"reduction": "foo"}, {"inplace": True}),
)
"""Named arguments that are added."""

OTHERWISE = {
    "logsumexp": "an empty list of dims reduces nothing, where PyTorch stumbles",
    "scatter": "an empty index of another dtype, and ranks that do not fit, are refused in turn",
    "unique": "its flags are truth values of anything",
    "zeros": "PyTorch takes a truth value for a size after the first one",
    "nn.functional.binary_cross_entropy_with_logits": "complex targets have no meaning",
    "nn.functional.cross_entropy": "the dtype is looked at before the dim",
    "nn.functional.leaky_relu": "a complex slope is a wrong type",
    "nn.functional.conv1d": "dtypes that differ are named before one that has no kernel",
    "nn.functional.dropout": "a tensor as probability is a wrong type",
}
"""Functions that refuse some of these calls otherwise, and why."""


def wrong_calls(args: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The call with too few and too many arguments, further names, and each argument replaced."""
    for count in range(len(args)):
        yield args[:count], {}
    yield (*args, 1), {}
    yield (*args, 1, 2, 3, 4, 5, 6), {}
    for options in OPTIONS:
        yield args, options
    for place in range(len(args)):
        for value in VALUES:
            yield (*args[:place], value, *args[place + 1 :]), {}


def compare(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What differs between the refusals, in words; sentences are not compared here."""
    function = torch
    for part in name.split("."):
        function = getattr(function, part)
    theirs = refusal(function, args, kwargs)
    try:
        ours = refusal(find(f"torch.{name}"), to_gradcli(args, {}), to_gradcli(kwargs, {}))
    except Outside:
        return ""
    said = ours[0] if ours is not None else ""
    if theirs is not None and theirs[0] == "AttributeError" != said:
        # Python code of PyTorch that stumbles over something that is no tensor.
        theirs = ("TypeError", theirs[1])
    problem = difference(ours, theirs)
    if not problem or problem.startswith("text: "):
        return ""
    call = ", ".join([*map(_short, args), *(f"{k}={_short(v)}" for k, v in kwargs.items())])
    return f"({call}): {problem}"


def _short(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{value.dtype}{tuple(value.shape)}"
    return f"[{', '.join(map(_short, value))}]" if isinstance(value, list) else repr(value)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in OTHERWISE])
def test_wrong_calls(name: str) -> None:
    problems = [compare(name, *call) for call in wrong_calls(CALLS[name])]
    problems = [problem for problem in problems if problem]
    assert not problems, f"{len(problems)}\n" + "\n".join(problems)
