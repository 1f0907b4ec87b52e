"""What functions of the language are called elsewhere: NumPy, PyTorch, JAX, plain Python.

Constraints: tables; a row is a name, or a function of the call's arguments that makes the tree.
Stable forms stay stable: a softmax is never written as exp over a sum of exp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gradcli.language import ast
from gradcli.render import array_code, tree
from gradcli.render.tree import Tree

Row = str | Callable[["Target", ast.Call], Tree]


class Target(NamedTuple):
    """A language: what it imports, what functions are called, what has to be defined first.

    Attributes:
        name: as `--to` says it.
        imports: module alias -> the line that imports it, where the alias is used.
        rows: function of the language -> its name here, or how its call is written.
        methods: likewise for methods; the first argument is the tensor.
        helpers: name -> the lines that define it, where it is used.
        like: a variable to take the dtype of, where new tensors need one.
    """

    name: str
    imports: dict[str, str]
    rows: dict[str, Row]
    methods: dict[str, Row]
    helpers: dict[str, str]
    like: str = ""


SAME = (
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "expm1", "log", "log2", "log10"),
    *("log1p", "sqrt", "abs", "floor", "ceil", "trunc", "square", "where", "maximum", "minimum"),
    *("sum", "prod", "mean", "cumsum", "cumprod", "outer", "einsum", "ones_like", "zeros_like"),
    *("tril", "triu", "logaddexp", "isnan", "isfinite", "logical_and", "logical_or", "logical_not"),
    *("exp2", "hypot", "sign", "argmax", "argmin", "trace", "diag", "fmod", "sinc", "heaviside"),
    *("copysign", "logical_xor", "remainder", "fmax", "fmin", "stack"),
)
"""Functions that NumPy and PyTorch call the same."""
ARC = {name: f"arc{name[1:]}" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")}


def _keyword(call: ast.Call, name: str) -> Any:
    return next((k.value for k in call.keywords if k.name == name), None)


def _renamed(name: str, **keywords: str) -> Row:
    """The same call under another name, keywords renamed."""

    def row(target: Target, call: ast.Call) -> Tree:
        named = {keywords.get(k.name or "", k.name or ""): k.value for k in call.keywords}
        return tree.call(name, *call.arguments, **named)

    return row


def _array(prefix: str, name: str) -> Row:
    """`zeros(m, n)` as `np.zeros((m, n))`."""
    return lambda target, call: tree.call(f"{prefix}.{name}", tuple(call.arguments))


def _relu(prefix: str) -> Row:
    return lambda target, call: tree.call(f"{prefix}.maximum", call.arguments[0], 0)


def _padded(target: Target, call: ast.Call) -> Tree:
    """PyTorch counts pairs from the last dim, the helper from the first of those."""
    x, amounts = call.arguments
    assert isinstance(amounts, ast.Tuple)
    pairs = [tuple(amounts.items[i : i + 2]) for i in range(0, len(amounts.items), 2)]
    return tree.call("padded", x, *pairs[::-1])


def _windowed(name: str, count: int, part: int | None = None) -> Row:
    """A function of windows over `count` axes; `part` of its result unless places are asked for."""

    def row(target: Target, call: ast.Call) -> Tree:
        x, sizes, *more = call.arguments
        each = sizes if isinstance(sizes, ast.Tuple) else (sizes,) * count
        named = {k.name or "": k.value for k in call.keywords if k.name != "return_indices"}
        made = tree.call(name, x, each, *more, **named)
        return made if part is None or _keyword(call, "return_indices") else tree.item(made, part)

    return row


WINDOWS: dict[str, Row] = {
    **{
        f"F.{name}{n}d": there
        for name, there in (("conv", "convolve"), ("conv_transpose", "convolve_transposed"))
        for n in (1, 2, 3)
    },
    **{f"F.avg_pool{n}d": _windowed("avg_pool", n) for n in (1, 2, 3)},
    **{
        f"F.{name}{n}d": _windowed(name, n, 0)
        for name in ("max_pool", "adaptive_max_pool")
        for n in (1, 2, 3)
    },
}
"""Functions of windows, which are helpers in NumPy and JAX."""


def _scattered(target: Target, call: ast.Call) -> Tree:
    zeros, places, values = call.arguments
    return tree.call("added_at", zeros, places, values)


def _sorted(prefix: str) -> Row:
    """Equal elements keep their order; from the largest on, their negatives are sorted."""

    def row(target: Target, call: ast.Call) -> Tree:
        x, *axis = call.arguments
        down = getattr(_keyword(call, "descending"), "value", False)
        axis += [k.value for k in call.keywords if k.name == "dim"]
        return tree.call(f"{prefix}.argsort", tree.negative(x) if down else x, *axis, stable=True)

    return row


def _numpy_like(prefix: str) -> dict[str, Row]:
    rows: dict[str, Row] = {name: f"{prefix}.{name}" for name in SAME}
    rows.update({name: f"{prefix}.{there}" for name, there in ARC.items()})
    rows.update(
        {
            **{"sgn": f"{prefix}.sign", "atan2": f"{prefix}.arctan2", "amax": f"{prefix}.max"},
            **{"amin": f"{prefix}.min", "clamp_min": f"{prefix}.maximum"},
            **{"clamp_max": f"{prefix}.minimum", "cat": f"{prefix}.concatenate"},
            **{"inv": f"{prefix}.linalg.inv", "det": f"{prefix}.linalg.det"},
            **{"slogdet": f"{prefix}.linalg.slogdet", "pinv": f"{prefix}.linalg.pinv"},
            **{
                f"linalg.{name}": f"{prefix}.linalg.{name}"
                for name in ("eigh", "cholesky", "qr", "svd")
            },
            "roll": f"{prefix}.roll",
            "std": lambda target, call: tree.call(f"{prefix}.std", *call.arguments, ddof=1),
            "norm": _renamed(f"{prefix}.linalg.norm", dim="axis"),
            "flip": _renamed(f"{prefix}.flip", dims="axis"),
            "argsort": _sorted(prefix),
            **{n: _renamed(f"{prefix}.{n}", diagonal="k") for n in ("tril", "triu")},
            **{name: _array(prefix, name) for name in ("zeros", "ones")},
            **{"eye": f"{prefix}.eye", "numel": f"{prefix}.size", "relu": _relu(prefix)},
            **{
                "tensor": f"{prefix}.array",
                "full": f"{prefix}.full",
                "pad": _padded,
                "index_put": _scattered,
            },
            **{f"math.{name}": f"{prefix}.{name}" for name in ("sqrt", "log", "exp")},
            **WINDOWS,
        }
    )
    return rows


def _numpy_methods(prefix: str) -> dict[str, Row]:
    def broadcast(target: Target, call: ast.Call) -> Tree:
        return tree.call(f"{prefix}.broadcast_to", call.arguments[0], tuple(call.arguments[1:]))

    def broadcast_as(target: Target, call: ast.Call) -> Tree:
        shape = tree.attribute(call.arguments[1], "shape")
        return tree.call(f"{prefix}.broadcast_to", call.arguments[0], shape)

    def reshaped_as(target: Target, call: ast.Call) -> Tree:
        shape = tree.attribute(call.arguments[1], "shape")
        return tree.call(f"{prefix}.reshape", call.arguments[0], shape)

    def reshaped(target: Target, call: ast.Call) -> Tree:
        return tree.call(f"{prefix}.reshape", call.arguments[0], tuple(call.arguments[1:]))

    def permuted(target: Target, call: ast.Call) -> Tree:
        return tree.call(f"{prefix}.transpose", call.arguments[0], tuple(call.arguments[1:]))

    return {
        **{"expand": broadcast, "expand_as": broadcast_as, "reshape_as": reshaped_as},
        **{"reshape": reshaped, "flatten": "flattened", "permute": permuted},
        **{"unfold": "unfold", "scatter_add": "scatter_add"},
        **{"transpose": f"{prefix}.swapaxes", "repeat_interleave": f"{prefix}.repeat"},
    }


SPECIAL = {
    **{
        "logit": "logit",
        "erf": "erf",
        "erfc": "erfc",
        "erfinv": "erfinv",
        "lgamma": "gammaln",
        "digamma": "digamma",
    },
    **{"polygamma": "polygamma", "i0": "i0", "i1": "i1", "i0e": "i0e", "i1e": "i1e"},
    **{"xlogy": "xlogy", "erfcx": "erfcx", "entr": "entr"},
}
NUMPY = Target(
    "numpy",
    {
        "np": "import numpy as np",
        "math": "import math",
        "scipy.special": "import scipy.special",
        "scipy.linalg": "import scipy.linalg",
    },
    {
        **_numpy_like("np"),
        **{name: f"scipy.special.{there}" for name, there in SPECIAL.items()},
        **{"sigmoid": "sigmoid", "softmax": "softmax", "log_softmax": "log_softmax"},
        **{"logsumexp": "logsumexp", "matrix_exp": "scipy.linalg.expm"},
        "softplus": lambda target, call: tree.call("np.logaddexp", 0, call.arguments[0]),
    },
    _numpy_methods("np"),
    {
        **array_code.helpers("np"),
        "sigmoid": "def sigmoid(x):\n    return (1 + np.tanh(x/2))/2",
        "logsumexp": (
            "def logsumexp(x, axis):\n"
            "    top = np.max(x, axis, keepdims=True)\n"
            "    sums = np.sum(np.exp(x - top), axis, keepdims=True)\n"
            "    return np.squeeze(top + np.log(sums), axis)"
        ),
        "softmax": (
            "def softmax(x, axis):\n"
            "    e = np.exp(x - np.max(x, axis, keepdims=True))\n"
            "    return e/np.sum(e, axis, keepdims=True)"
        ),
        "log_softmax": (
            "def log_softmax(x, axis):\n"
            "    x = x - np.max(x, axis, keepdims=True)\n"
            "    return x - np.log(np.sum(np.exp(x), axis, keepdims=True))"
        ),
        "added_at": (
            "def added_at(zeros, places, values):\n"
            "    out = zeros.copy()\n"
            "    np.add.at(out, places, values)\n"
            "    return out"
        ),
    },
)
JAX = Target(
    "jax",
    {
        **{"jnp": "import jax.numpy as jnp", "jax.nn": "import jax", "jax.scipy": "import jax"},
        **{"np": "import numpy as np", "math": "import math"},
    },
    {
        **_numpy_like("jnp"),
        **{
            name: f"jax.scipy.special.{there}"
            for name, there in SPECIAL.items()
            if name not in ("erfcx",)
        },
        **{name: f"jax.nn.{name}" for name in ("sigmoid", "softmax", "log_softmax", "softplus")},
        **{"relu": "jax.nn.relu", "logsumexp": "jax.scipy.special.logsumexp"},
        "matrix_exp": "jax.scipy.linalg.expm",
    },
    _numpy_methods("jnp"),
    {
        **array_code.helpers("jnp"),
        "added_at": (
            "def added_at(zeros, places, values):\n    return zeros.at[places].add(values)"
        ),
    },
)


def _typed(name: str) -> Row:
    """A new tensor in the dtype of a variable."""

    def row(target: Target, call: ast.Call) -> Tree:
        dtype = {"dtype": tree.name(f"{target.like}.dtype")} if target.like else {}
        return tree.call(f"torch.{name}", *call.arguments, **dtype)

    return row


def _chosen(target: Target, call: ast.Call) -> Tree:
    """A choice between two numbers has no dtype of its own."""
    made = tree.call("torch.where", *call.arguments)
    if target.like and all(isinstance(x, ast.Constant) for x in call.arguments[1:]):
        return tree.method(made, "to", tree.name(f"{target.like}.dtype"))
    return made


def _method(name: str) -> Row:
    return lambda target, call: tree.method(call.arguments[0], name, *call.arguments[1:])


TORCH = Target(
    "torch",
    {"torch": "import torch", "math": "import math"},
    {
        **{name: f"torch.{name}" for name in (*SAME, *ARC, "sgn", "atan2", "amax", "amin", "cat")},
        **{name: f"torch.{name}" for name in ("clamp_min", "clamp_max", "flip", "numel", "relu")},
        **{name: f"torch.{name}" for name in ("sigmoid", "logit", "softmax", "log_softmax")},
        **{"logsumexp": "torch.logsumexp"},
        **{name: f"torch.special.{name}" for name in ("i0e", "i1", "i1e", "erfcx", "entr")},
        **{name: f"torch.{name}" for name in ("erf", "erfc", "erfinv", "lgamma", "digamma", "i0")},
        **{name: f"torch.{name}" for name in ("polygamma", "xlogy", "index_put", "logcumsumexp")},
        **{name: f"torch.linalg.{name}" for name in ("inv", "det", "slogdet", "pinv")},
        **{f"linalg.{name}": f"torch.linalg.{name}" for name in ("cholesky", "eigh", "qr", "svd")},
        **{name: f"torch.{name}" for name in ("roll", "std", "median", "nanmedian", "argsort")},
        **{name: _typed(name) for name in ("zeros", "ones", "eye", "tensor", "full")},
        **{"norm": _renamed("torch.linalg.vector_norm"), "where": _chosen},
        **{
            f"F.{name}{n}d": f"torch.nn.functional.{name}{n}d"
            for name in ("conv", "conv_transpose", "avg_pool", "max_pool", "adaptive_max_pool")
            for n in (1, 2, 3)
        },
        **{"pad": "torch.nn.functional.pad", "softplus": "torch.nn.functional.softplus"},
        **{"matrix_exp": "torch.linalg.matrix_exp"},
        **{"slice_scatter": "torch.slice_scatter", "floor_divide": "torch.floor_divide"},
        **{f"math.{name}": f"math.{name}" for name in ("sqrt", "log", "exp")},
    },
    {
        name: _method(name)
        for name in (
            *("expand", "expand_as", "reshape", "reshape_as", "flatten", "permute", "transpose"),
            *("unfold", "repeat_interleave", "scatter_add"),
        )
    },
    {},
)


def _python_where(target: Target, call: ast.Call) -> Tree:
    from gradcli.language.make import make

    condition, x, y = call.arguments
    return make(ast.Conditional, tree.NOWHERE, condition, x, y)


def _one(target: Target, call: ast.Call) -> Tree:
    return tree.number(1)


def _python_sign(target: Target, call: ast.Call) -> Tree:
    (x,) = call.arguments
    positive = tree.compare(x, ">", tree.number(0))
    return tree.chain(positive, [("-", tree.compare(x, "<", tree.number(0)))])


PYTHON = Target(
    "python",
    {"math": "import math"},
    {
        **{
            name: f"math.{name}"
            for name in (
                *("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "expm1", "log", "log2"),
                *("log10", "log1p", "sqrt", "floor", "ceil", "trunc", "asin", "acos", "atan"),
                *("asinh", "acosh", "atanh", "atan2", "erf", "erfc", "lgamma", "hypot"),
                *("copysign", "fmod", "exp2"),
            )
        },
        **{"abs": "abs", "maximum": "max", "minimum": "min", "clamp_min": "max"},
        **{"clamp_max": "min", "where": _python_where, "sgn": _python_sign, "sign": _python_sign},
        **{name: name for name in ("sigmoid", "logit", "softplus")},
        **{"numel": _one, "ones_like": _one},
        "relu": lambda target, call: tree.call("max", call.arguments[0], 0),
        "sum": lambda target, call: call.arguments[0],
        "mean": lambda target, call: call.arguments[0],
        "norm": lambda target, call: tree.call("abs", call.arguments[0]),
        "zeros_like": lambda target, call: tree.number(0),
        **{f"math.{name}": f"math.{name}" for name in ("sqrt", "log", "exp")},
    },
    {},
    {
        "logit": "def logit(x):\n    return math.log(x/(1 - x))",
        "sigmoid": "def sigmoid(x):\n    return (1 + math.tanh(x/2))/2",
        "softplus": ("def softplus(x):\n    return max(x, 0) + math.log1p(math.exp(-abs(x)))"),
    },
)
TARGETS = {target.name: target for target in (PYTHON, NUMPY, TORCH, JAX)}
