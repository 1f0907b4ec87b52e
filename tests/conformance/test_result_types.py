"""Every function on every dtype gives PyTorch's dtype, values (overflow too), or refusal."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from op_db_errors import difference, refused  # noqa: E402
from op_db_values import Comparison  # noqa: E402

from gradcli.functions import find, names  # noqa: E402
from gradcli.graph.dtype import DTYPES  # noqa: E402
from gradcli.tensor import Tensor  # noqa: E402
from gradcli.tensor.function import Function  # noqa: E402

# Of bfloat16 and complex32 NumPy has no arrays (tests/lowering/test_halves.py); the wide unsigned
# ones are only stored (test_promotion.py).
OURS = [d for d in DTYPES if d not in ("bfloat16", "complex32", "uint16", "uint32", "uint64")]
PLAIN = {"bool": [True, False, True], "i": [1, 2, 3], "f": [-1.5, 0.25, 2.0]}
EDGES = {
    "bool": [True, True, False],
    "f": [float("nan"), float("inf"), -0.0],
    **{"uint8": [0, 3, 255], "int8": [-128, 0, 5], "int16": [-(2**15), 3, 0]},
    **{"int32": [-(2**31), 7, 0], "int64": [-(2**63), 2, 0]},
}
# Random numbers; memory that nobody wrote; shapes that PyTorch takes apart before it looks at them.
OUTSIDE = (
    *("_lowrank", "tensorinv", "histc", "bernoulli", "dropout", "multinomial", "rand", "empty"),
    *("fractional", "init.uniform", "init.normal", "init.trunc_normal", "poisson"),
)
OTHER_VALUES = (
    # PyTorch's expansions for larger numbers have six or seven digits; SciPy's have fifteen.
    *("special.airy_ai", "special.bessel_j0", "special.bessel_j1"),
    # PyTorch chooses among NaN and numbers that occur once by how its sort leaves them.
    "mode",
    # PyTorch's kernel for vectors makes NaN of infinity, the one for single numbers does not.
    "nn.functional.gelu",
)


def elements(dtype: str, which: dict[str, Any]) -> Any:
    """Three elements of a dtype; complex ones are plain: products with infinity differ."""
    if "complex" in dtype:
        return np.array([-1.5 + 2j, 0.25 - 1j, 2.0]).astype(dtype)
    kind = "f" if "float" in dtype else "i"
    return np.array(which.get(dtype, which.get(kind))).astype(dtype)


def answer(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result, or the class of the refusal in an exception."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return refused(error)


def wrong(ours: Any, theirs: Any, comparison: Comparison) -> str:
    """Why ours is not theirs, in words; sentences of refusals are not compared here."""
    mine, other = (
        r if isinstance(r, tuple) and r and type(r[0]) is str else None for r in (ours, theirs)
    )
    if mine is None and other is None:
        return comparison.difference(ours, theirs)
    problem = difference(mine, other)
    return "" if problem.startswith("text: ") else problem


def functions() -> Iterator[tuple[str, Function, Any]]:
    """(name, gradcli's, PyTorch's) of every function, each once."""
    seen = set()
    for qualified in names():
        entry, theirs = find(qualified), torch
        for part in qualified.split(".")[1:]:
            theirs = getattr(theirs, part, None)
        known = isinstance(entry, Function) and theirs is not None and entry.body not in seen
        if known and not any(word in qualified for word in OUTSIDE):
            seen.add(entry.body)
            yield qualified.removeprefix("torch."), entry, theirs


def of_one_tensor(entry: Function) -> bool:
    """Whether it may be called with one tensor alone."""
    first = entry.parameters.positional[:1]
    return entry.parameters.required == 1 and bool(first[0].kinds) and first[0].word == "Tensor"


UNARY = {name: pair for name, *pair in functions() if of_one_tensor(pair[0])}
ALONG = {
    name: pair
    for name, *pair in functions()
    if len(pair[0].parameters.positional) > 1
    and pair[0].parameters.positional[1].name == "dim"
    and pair[0].parameters.required < 3
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def both(array: Any) -> tuple[Tensor, Any]:
    """The array as a tensor on both sides."""
    return find("torch.tensor")(array), torch.tensor(array)


@pytest.mark.parametrize("name", UNARY)
def test_of_one_tensor(name: str) -> None:
    mine, theirs = UNARY[name]
    compare, problems = Comparison(), []
    for dtype in OURS:
        for which in (PLAIN, EDGES) if name not in OTHER_VALUES else (PLAIN,):
            array = elements(dtype, which)
            # Transforms of two dims, and of none, are refused for these or for their dtype.
            shaped = [array] if name.startswith("fft.") else [array, np.array(array[0])]
            for given in shaped * (not name.startswith("fft.") or name[-1] not in "2"):
                x, y = both(given)
                problem = wrong(answer(mine, x), answer(theirs, y), compare)
                if problem:
                    problems.append(f"{given.tolist()} {dtype}: {problem}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", ALONG)
def test_along_a_dim(name: str) -> None:
    mine, theirs = ALONG[name]
    compare, problems = Comparison(), []
    for dtype in OURS:
        x, y = both(np.stack([elements(dtype, PLAIN)] * 2))
        found = [(dim, {}) for dim in (0, 1)]
        if "dtype" in mine.parameters.by_name:
            found += [(0, {"dtype": kind}) for kind in OURS]
        for dim, options in found:
            ours = answer(mine, x, dim, **{k: DTYPES[v] for k, v in options.items()})
            other = answer(theirs, y, dim, **{k: getattr(torch, v) for k, v in options.items()})
            if problem := wrong(ours, other, compare):
                problems.append(f"{dtype} {dim} {options}: {problem}")
    assert not problems, "\n".join(problems)


OPERATORS = {
    sign: getattr(operator, name)
    for sign, name in {
        **{"+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod"},
        **{"**": "pow", "&": "and_", "|": "or_", "^": "xor", "<<": "lshift", ">>": "rshift"},
        **{"<": "lt", "==": "eq"},
    }.items()
}
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")


@pytest.mark.parametrize("sign", OPERATORS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_wrap_around(sign: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    values = [limits.min, limits.max, 7, 3, 1, limits.max - 1]
    if sign != "**":
        values += [v for v in (-1, -2, 8, 31, 63, 64) if limits.min <= v <= limits.max]
    if sign in ("//", "%"):
        values = [v for v in values if v != -1]  # the smallest number by -1 overflows: undefined
    left, right = (
        np.array(v, dtype) for v in zip(*((a, b) for a in values for b in values), strict=True)
    )
    (a, b), (c, d) = both(left), both(right)
    operate = OPERATORS[sign]
    assert wrong(answer(operate, a, c), answer(operate, b, d), Comparison()) == ""


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "div(floor)", "div(trunc)"])
def test_division_of_integers_by_zero(name: str) -> None:
    plain, _, mode = name.partition("(")
    options = {"rounding_mode": mode[:-1]} if mode else {}
    for dtype in INTEGERS:
        (a, b), (c, d) = both(np.array([1, 2], dtype)), both(np.array([1, 0], dtype))
        ours = answer(find(f"torch.{plain}"), a, c, **options)
        theirs = answer(getattr(torch, plain), b, d, **options)
        assert ours == theirs == ("RuntimeError", "ZeroDivisionError")


@pytest.mark.parametrize("source", OURS)
def test_conversions(source: str) -> None:
    values = elements(source, PLAIN).tolist() + elements(source, EDGES).tolist()[1:]
    numbers = [v for v in values if v == v and abs(v) != float("inf") and v != 0]
    if source.startswith("float"):
        numbers += [v for v in (2.9, -2.9, 100.5) if v]
    x, y = both(np.array(numbers).astype(source))
    for target in OURS:
        ours, theirs = x.to(DTYPES[target]), y.to(getattr(torch, target))
        negative = source.startswith("float") and target == "uint8"
        if not negative:  # a negative fraction as an unsigned integer is undefined in C++
            assert Comparison().difference(ours, theirs) == "", target


@pytest.mark.parametrize("sign", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "ipow", "iand"])
def test_results_that_a_tensor_cannot_hold(sign: str) -> None:
    operate, problems = getattr(operator, sign), []
    for left in OURS:
        for right in OURS:
            if "float16" in (left, right) and "complex" in left + right:
                continue  # PyTorch has a complex dtype of two halves
            (a, b), (c, d) = both(elements(left, PLAIN)), both(elements(right, PLAIN))
            if problem := wrong(answer(operate, a, c), answer(operate, b, d), Comparison()):
                problems.append(f"{left} {right}: {problem}")
    assert not problems, "\n".join(problems)


def test_questions_about_dtypes() -> None:
    for a in OURS:
        for b in OURS:
            mine, theirs = (DTYPES[a], DTYPES[b]), (getattr(torch, a), getattr(torch, b))
            assert find("torch.can_cast")(*mine) == torch.can_cast(*theirs), (a, b)
            if not ("float16" in (a, b) and "complex" in a + b):
                promoted = find("torch.promote_types")(*mine)
                assert repr(promoted) == repr(torch.promote_types(*theirs)), (a, b)
        if DTYPES[a].differentiable:
            assert repr(find("torch.finfo")(DTYPES[a])) == repr(torch.finfo(getattr(torch, a)))
        elif a != "bool":
            assert repr(find("torch.iinfo")(DTYPES[a])) == repr(torch.iinfo(getattr(torch, a)))
