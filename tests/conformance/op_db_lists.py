"""Data for the op_db runner: what lies outside and why, whose arguments are reordered.

Constraints: data only; imports neither torch nor gradcli.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OUTSIDE: dict[str, tuple[str, ...]] = {
    "compiles CUDA source that the caller writes": ("jiterator_",),
    "is a copy of an op for PyTorch's compiler": ("_refs.", "torch.ops.", "torch._"),
    "begins with an underscore: PyTorch promises nothing about it": (
        *("_batch_norm_with_update", "_chunk_cat", "_native_batch_norm_legit", "_segment_reduce"),
        *(
            "_softmax_backward_data",
            "_unsafe_masked_index",
            "_unsafe_masked_index_put_accumulate",
            "_upsample_bilinear2d_aa",
        ),
    ),
    "is the half of a layer that PyTorch dispatches to, under no documented name": (
        *("max_pool2d_with_indices_backward", "native_batch_norm", "native_dropout_backward"),
        *("native_group_norm", "native_layer_norm", "slice"),
    ),
    "is a view's copying twin for PyTorch's compiler": tuple(
        f"{name}_copy"
        for name in (
            *("alias", "as_strided", "diagonal", "expand", "narrow", "permute", "squeeze", "t"),
            *("split_with_sizes", "transpose", "unbind", "unfold", "unsqueeze", "view"),
        )
    ),
    "sparse tensors are no part of the language": ("to_sparse", "sparse."),
    "takes an options object of torch.nn, whose classes are no part of the language": (
        *("nn.functional.linear_cross_entropy.chunked",),
        "nn.functional.linear_cross_entropy.chunked_none",
    ),
    "gives a hash of PyTorch's bytes": ("hash_tensor",),
    "its samples read memory outside the tensor that they are given": ("as_strided.partial_views",),
    "PyTorch's gradient is wrong: it flows to the overwritten elements, not to the others": (
        "as_strided_scatter",
    ),
}
"""Reason -> the names of op_db left out for it; one that ends in a dot or `_` is a beginning."""


def reason_outside(title: str) -> str:
    """Why the op (name, or name and variant) is not compared; empty when it is."""
    for reason, names in OUTSIDE.items():
        for name in names:
            begins = name.endswith((".", "_")) and title.startswith(name)
            if begins or title == name or title.startswith(f"{name}."):
                return reason
    return ""


ROUGH: dict[str, tuple[str, ...]] = {
    "equal numbers come in the order of PyTorch's unstable sort": ("argsort", "msort", "sort"),
    "PyTorch rounds to bfloat16 inside of its kernel": (
        *("div.trunc_rounding", "erfinv", "grid_sampler_2d", "histc", "logcumsumexp", "matrix_exp"),
        *("nn.functional.grid_sample", "nn.functional.scaled_dot_product_attention"),
    ),
}
"""Reason -> the names of op_db that are not compared in bfloat16."""

UNINITIALISED = frozenset(
    {
        *("empty", "empty_like", "empty_permuted", "empty_strided", "new_empty"),
        *("new_empty_strided", "resize_", "resize_as_"),
    }
)
"""Ops whose elements nobody promised: only shape and dtype are compared."""

Call = Callable[..., Any]

ORDER: dict[str, Callable[[Call], Call]] = {
    "polygamma": lambda f: lambda x, n, **options: f(n, x, **options),
    "special.polygamma": lambda f: lambda x, n, **options: f(n, x, **options),
    "einsum": lambda f: lambda tensors, equation: f(equation, tensors),
    "zero_": lambda f: lambda x: f(x.clone()),
    "normal.in_place": lambda f: lambda x, *rest: x.normal_(*rest),
    **{
        f"nn.functional.{name}": lambda f: lambda weight, x, **options: f(x, weight, **options)
        for name in ("embedding", "embedding_bag")
    },
    "where": lambda f: lambda x, condition, other: f(condition, x, other),
    "normal.number_mean": lambda f: (
        lambda std, mean, *sizes, **options: f(mean, std, *sizes, **options)
    ),
    "linalg.lstsq.grad_oriented": lambda f: lambda a, b, driver: f(a, b, driver=driver)[:2],
    "linalg.pinv.singular": lambda f: lambda a, b: f(a @ b.mT),
    "svd_lowrank": lambda f: lambda a, b, **options: f(a @ b.mT, **options),
    "pca_lowrank": lambda f: lambda a, b, **options: f(a @ b.mT, **options),
}
"""Ops (or variants) whose samples call the function in another way than by their arguments."""

UP_TO_SIGN = frozenset(
    {"linalg.eig", "linalg.eigh", "linalg.svd", "svd", "svd_lowrank", "pca_lowrank"}
)
"""Ops whose factors are unique up to a sign or a phase: PyTorch's sample says what to compare."""

RENAMED = {
    **{"__rdiv__": "__rtruediv__", "rand_like": "randn_like", "normal.in_place": "normal_"},
    **{name: f"{name}_" for name in ("cauchy", "exponential", "geometric", "log_normal")},
    "uniform": "uniform_",
}
"""op_db's names whose samples call another function: a form that writes, older names, a slip."""

LOOSER = {
    # PyTorch's gradient is 1/6 rounded to float32, for float64 inputs too.
    "nn.functional.hardsigmoid": {"float64": 1e-7},
    # Both sides add up logarithms around 1000, so that float32 leaves three digits.
    "logcumsumexp": {"float32": 5e-3},
    # PyTorch's expansions for larger numbers have six or seven digits; SciPy's have fifteen.
    **{f"special.bessel_{name}": {"float64": 2e-6} for name in ("j0", "j1", "y0", "y1")},
    # PyTorch's trigamma has ten digits.
    "mvlgamma": {"float64": 1e-9},
    "special.airy_ai": {"float64": 1e-7},
}
"""Relative errors that PyTorch's own rounding asks for."""
