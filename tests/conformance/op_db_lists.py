"""Data for the op_db runner: which ops must pass, what lies outside, whose arguments are reordered.

Constraints: data only; imports neither torch nor gradcli.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MUST_PASS: dict[str, tuple[str, ...]] = {
    "creation": (
        *("arange", "empty", "empty_like", "eye", "full", "full_like", "linspace", "logspace"),
        *("ones", "ones_like", "rand_like", "randint", "randint_like", "randn", "randn_like"),
        *("zeros", "zeros_like"),
    ),
    "arithmetic and powers": (
        *("__radd__", "__rdiv__", "__rmatmul__", "__rmod__", "__rmul__", "__rpow__", "__rsub__"),
        *("abs", "add", "addcdiv", "addcmul", "div", "float_power", "floor_divide", "fmod", "mul"),
        *("neg", "positive", "pow", "reciprocal", "remainder", "rsqrt", "rsub", "sqrt", "square"),
        *("sub", "true_divide"),
    ),
    "exponentials and logarithms": (
        *("exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2"),
        "xlogy",
    ),
    "trigonometric and hyperbolic": (
        *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "deg2rad"),
        *("hypot", "rad2deg", "sin", "sinc", "sinh", "tan", "tanh"),
    ),
    "rounding and sign": (
        *("ceil", "copysign", "floor", "frac", "round", "sgn", "sign", "signbit", "trunc"),
    ),
    "choices": (
        *("clamp", "clamp_max", "clamp_min", "fmax", "fmin", "maximum", "minimum", "where"),
    ),
    "comparison and logic": (
        *("allclose", "eq", "equal", "ge", "gt", "isclose", "isfinite", "isinf", "isnan"),
        *("isneginf", "isposinf", "le", "logical_and", "logical_not", "logical_or"),
        *("logical_xor", "lt", "ne"),
    ),
    "reductions": (
        *("all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "cumprod", "cumsum"),
        *("linalg.norm", "linalg.vector_norm", "logsumexp", "max", "mean", "min", "norm", "prod"),
        *("std", "std_mean", "sum", "var", "var_mean"),
    ),
    "shapes": (
        *("H", "T", "broadcast_to", "cat", "chunk", "diag", "expand", "expand_as", "flatten"),
        *("flip", "mH", "mT", "movedim", "permute", "ravel", "repeat", "repeat_interleave"),
        *("reshape", "reshape_as", "roll", "split", "split_with_sizes", "squeeze", "stack", "t"),
        *("tile", "transpose", "tril", "triu", "unflatten", "unsqueeze", "view", "view_as"),
    ),
    "indexing": (
        *("__getitem__", "gather", "index_select", "masked_select", "take"),
        *("as_strided", "diagonal_scatter", "index_add", "index_copy", "index_fill"),
        *("index_reduce", "masked_fill", "masked_scatter", "put", "scatter", "scatter_add"),
        *("scatter_reduce", "select_scatter", "slice_scatter", "unfold"),
    ),
    "products": (
        *("addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "dot", "einsum", "inner"),
        *("matmul", "mm", "mv", "outer", "trace", "vdot"),
    ),
    "activations": (
        *("log_softmax", "nn.functional.celu", "nn.functional.elu", "nn.functional.gelu"),
        *("nn.functional.hardsigmoid", "nn.functional.hardswish", "nn.functional.hardtanh"),
        *("nn.functional.leaky_relu", "nn.functional.logsigmoid", "nn.functional.mish"),
        *("nn.functional.prelu", "nn.functional.relu", "nn.functional.relu6"),
        *("nn.functional.selu", "nn.functional.silu", "nn.functional.softmin"),
        *("nn.functional.softplus", "nn.functional.softsign", "nn.functional.threshold"),
        *("sigmoid", "softmax"),
    ),
    "order": (
        *("aminmax", "argsort", "cummax", "cummin", "kthvalue", "median", "mode", "msort"),
        *("nanmean", "nanmedian", "nanquantile", "quantile", "sort", "topk"),
    ),
    "numerical analysis": (
        *("block_diag", "cartesian_prod", "cdist", "combinations", "corrcoef", "cov", "cross"),
        *("cumulative_trapezoid", "diff", "dist", "gradient", "linalg.cross"),
        *("nn.functional.pdist", "renorm", "rot90", "trapezoid", "trapz", "tril_indices"),
        "triu_indices",
    ),
    "counting": (
        *("bincount", "bucketize", "histc", "histogram", "histogramdd", "isin", "searchsorted"),
        *("unique", "unique_consecutive"),
    ),
    "complex numbers": (
        *("angle", "complex", "conj", "conj_physical", "imag", "isreal", "polar", "real"),
        *("view_as_complex", "view_as_real"),
    ),
    "special functions": (
        *("frexp", "gcd", "i0", "igamma", "igammac", "lcm", "ldexp", "mvlgamma", "polygamma"),
        *(f"special.{name}" for name in ("airy_ai", "entr", "erfcx", "i0e", "i1", "i1e", "ndtr")),
        *(f"special.{name}" for name in ("ndtri", "log_ndtr", "polygamma", "xlog1py", "zeta")),
        *(f"special.bessel_{name}" for name in ("j0", "j1", "y0", "y1")),
        *(f"special.modified_bessel_{name}" for name in ("i0", "i1", "k0", "k1")),
        *(f"special.scaled_modified_bessel_{name}" for name in ("k0", "k1")),
        *(f"special.chebyshev_polynomial_{kind}" for kind in "tuvw"),
        *(f"special.shifted_chebyshev_polynomial_{kind}" for kind in "tuvw"),
        *("special.hermite_polynomial_h", "special.hermite_polynomial_he"),
        *("special.laguerre_polynomial_l", "special.legendre_polynomial_p"),
        "special.spherical_bessel_j0",
    ),
    "losses and layers": (
        *("nn.functional.binary_cross_entropy", "nn.functional.binary_cross_entropy_with_logits"),
        *("nn.functional.cross_entropy", "nn.functional.huber_loss", "nn.functional.kl_div"),
        *("nn.functional.l1_loss", "nn.functional.linear", "nn.functional.mse_loss"),
        *("nn.functional.nll_loss", "nn.functional.normalize", "nn.functional.smooth_l1_loss"),
    ),
    "windows and images": tuple(
        f"nn.functional.{name}"
        for name in (
            *(
                f"{kind}{count}d"
                for kind in (
                    *("conv", "conv_transpose", "max_pool", "avg_pool", "adaptive_avg_pool"),
                    *("adaptive_max_pool", "max_unpool"),
                )
                for count in (1, 2, 3)
            ),
            *("fractional_max_pool2d", "fractional_max_pool3d", "unfold", "pad", "interpolate"),
            *("upsample_nearest", "upsample_bilinear", "pixel_shuffle", "pixel_unshuffle"),
            *("channel_shuffle", "grid_sample"),
        )
    ),
    "normalisation and embeddings": (
        *("nn.functional.batch_norm", "nn.functional.instance_norm", "nn.functional.group_norm"),
        *("nn.functional.layer_norm", "nn.functional.rms_norm", "nn.functional.embedding"),
        *("nn.functional.local_response_norm", "nn.functional.embedding_bag"),
        *("nn.functional.ctc_loss", "nn.functional.scaled_dot_product_attention"),
        "nn.functional.multi_head_attention_forward",
    ),
    "linear algebra": (
        *(f"linalg.{name}" for name in ("cholesky", "cholesky_ex", "cond", "det", "diagonal")),
        *(f"linalg.{name}" for name in ("eig", "eigh", "eigvals", "eigvalsh", "inv", "inv_ex")),
        *(f"linalg.{name}" for name in ("householder_product", "ldl_factor", "ldl_factor_ex")),
        *(f"linalg.{name}" for name in ("ldl_solve", "lstsq", "lu", "lu_factor", "lu_factor_ex")),
        *(f"linalg.{name}" for name in ("lu_solve", "matrix_norm", "matrix_power", "matrix_rank")),
        *(f"linalg.{name}" for name in ("multi_dot", "pinv", "qr", "slogdet", "solve", "solve_ex")),
        *(f"linalg.{name}" for name in ("solve_triangular", "svd", "svdvals", "tensorinv")),
        *(f"linalg.{name}" for name in ("tensorsolve", "vander", "vecdot")),
        *("cholesky", "cholesky_inverse", "cholesky_solve", "geqrf", "logdet", "lu", "lu_solve"),
        *("lu_unpack", "matrix_exp", "ormqr", "pca_lowrank", "pinverse", "qr", "svd"),
        *("svd_lowrank", "triangular_solve"),
    ),
    "Fourier transforms": (
        *(f"fft.{name}{n}" for name in ("fft", "rfft", "hfft") for n in ("", "2", "n")),
        *(f"fft.i{name}{n}" for name in ("fft", "rfft", "hfft") for n in ("", "2", "n")),
        *("fft.fftshift", "fft.ifftshift", "stft", "istft"),
    ),
}
"""Point 5 of the issue "The main job, end to end", under the names op_db uses, by family."""

UNINITIALISED = frozenset(
    {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"}
)
"""Ops whose elements nobody promised: only shape and dtype are compared."""

NOT_COUNTED = ("jiterator", "_refs.", "torch.ops.", "torch._", "to_sparse", "sparse.") + (
    # Its samples read memory outside the tensor that they are given.
    "as_strided.partial_views",
    # PyTorch's gradient is wrong: it flows to the overwritten elements, not to the others.
    "as_strided_scatter",
)
"""Beginnings of op_db names that are no part of PyTorch's public, dense, portable API."""

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

RENAMED = {"__rdiv__": "__rtruediv__", "rand_like": "randn_like"}
"""op_db's names whose samples call another function: an older name of Python's, and a slip."""

LOOSER = {
    # PyTorch's gradient is 1/6 rounded to float32, for float64 inputs too.
    "nn.functional.hardsigmoid": {"float64": 1e-7},
    # Both sides add up logarithms around 1000, so that float32 leaves three digits.
    "logcumsumexp": {"float32": 5e-3},
    # PyTorch's expansions for larger numbers have six or seven digits; SciPy's have fifteen.
    **{f"special.bessel_{name}": {"float64": 2e-6} for name in ("j0", "j1", "y0", "y1")},
    "special.airy_ai": {"float64": 1e-7},
}
"""Relative errors that PyTorch's own rounding asks for."""


def must_pass() -> list[str]:
    """Every name of MUST_PASS, once, in order."""
    return [name for names in MUST_PASS.values() for name in names]
