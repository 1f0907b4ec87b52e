"""The whole op table on a backend, beside NumPy: values and derivatives of every op.

Constraints: run in a process of its own, for one backend at a time; inputs are those of
tests/ops/op_samples.py, and of MORE for ops without derivatives.
"""

from __future__ import annotations

import inspect
import sys
import types
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "ops"))
from op_samples import ANY, COMPLEX, ONLY_COMPLEX, SAMPLES, Case, binary, calls, reductions, unary

import gradcli
from gradcli.execute.backends import choice
from gradcli.execute.backends.choice import using
from gradcli.execute.backends.numpy import dtype_of, stored
from gradcli.execute.evaluate import array, evaluate
from gradcli.graph.backward import backward
from gradcli.graph.dtype import bfloat16, complex128, int64, uint8
from gradcli.graph.node import Node, data
from gradcli.graph.op import OPS, UNKNOWN, Op
from gradcli.tensor.registry import names

names()
WHOLE = np.array([[3, -2, 7], [0, 5, -4]])
OTHER = np.array([[2, 3, -2], [1, -5, 4]])
LEAST = np.array([-(2**63), 5, -(2**63) + 1])
MASK = np.array([[True, False, True], [False, True, True]])
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 2.5, -1.5])
TIES = np.array([[2.0, 1.0, 2.0, np.nan], [3.0, 3.0, 0.0, 1.0]])


def _through(g: Node, out: Node, *sources: Node) -> Node:
    return g


SPD = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]])

MORE: dict[str, list[Case]] = {
    **{n: binary() + calls((ODD, ODD[::-1].copy()), (WHOLE, OTHER)) for n in ("eq", "ne", "lt")},
    **{n: binary() + calls((ODD, ODD[::-1].copy()), (WHOLE, OTHER)) for n in ("le", "gt", "ge")},
    **{n: calls((MASK, MASK[::-1].copy())) for n in ("logical_and", "logical_or", "logical_xor")},
    "logical_not": calls((MASK,)),
    **{n: calls((ODD,)) for n in ("isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit")},
    **{
        n: calls((WHOLE, OTHER), (MASK, MASK)) for n in ("bitwise_and", "bitwise_or", "bitwise_xor")
    },
    **{n: calls((WHOLE, np.abs(OTHER))) for n in ("bitwise_left_shift", "bitwise_right_shift")},
    "bitwise_not": calls((WHOLE,), (MASK,)),
    **{
        n: reductions(empty=False) + calls((MASK,), axis=(-1,), keepdims=False)
        for n in ("any", "all")
    },
    **{
        n: calls((TIES,), ((3, 4),), axis=-1, keepdims=False)
        + calls((TIES,), axis=-2, keepdims=True)
        for n in ("argmax", "argmin")
    },
    "argsort": calls((TIES,), ((3, 4),), axis=-1)
    + calls((TIES,), axis=-1, descending=True)
    + calls((TIES,), axis=-2),
    "iota": calls((), shape=(1, 4), axis=-1),
    "floor_divide": binary(x=(2.2, 2.8), y=(1.0, 1.05)) + calls((ODD, ODD[::-1].copy())),
    **{n: calls((WHOLE, OTHER)) for n in ("gcd", "lcm")},
    "frexp_exponent": calls((np.array([0.1, -3.0, 0.0, 8.0]),)),
    **{
        n: calls((np.array([[1.0, 3.0, 2.0, 3.0]]),), axis=-1, largest=True)
        + calls((TIES,), axis=-1, largest=False)
        for n in ("running_place",)
    },
    "median_place": calls((TIES,), ((5,),), axis=-1, skip=False)
    + calls((TIES,), axis=-1, skip=True),
    "mode_place": calls((np.array([[1.0, 3.0, 3.0, 1.0], [2.0, 5.0, 5.0, 5.0]]),), axis=-1),
    "window_argmax": calls((TIES,), ranges=(((0, 2, 1), (1, 3, 1), (2, 4, 1)),))
    + calls(((5, 6),), ranges=(((0, 2, 1), (2, 5, 1)), ((0, 6, 2), (1, 4, 1)))),
    **{n: [Case(((3,), (3,)), ((0.5, 3.0),) * 2, {})] for n in ("igamma", "igammac")},
    "zeta": [Case(((3,), (3,)), ((1.5, 3.0),) * 2, {})],
    "linalg_cholesky_ex": calls((SPD,), (np.stack([SPD, SPD * 2]),), (-SPD,), upper=False)
    + calls((SPD,), upper=True),
    "linalg_eigh": calls((SPD,), uplo="L") + calls((SPD,), uplo="U"),
    "cholesky_inverse": calls((np.tril(SPD),), upper=False),
    "cholesky_solve": calls(((3, 2), np.tril(SPD)), upper=False),
    "linalg_ldl_factor_ex": calls((SPD,), hermitian=False),
    "linalg_ldl_solve": calls((SPD, np.array([1, 2, 3], np.int32), (3, 2)), hermitian=False),
    "geqrf": calls(((3, 3),), ((3, 2),)),
    "lu_permutation": calls((np.array([2, 3, 3], np.int32),), size=3, dtype=dtype_of(SPD)),
    "require": calls(((3,), np.array(True)), sentence="never"),
    "to_bfloat16": calls((np.linspace(-3, 3, 97, dtype=np.float32),), (ODD.astype(np.float32),)),
    "to_complex32": calls((np.linspace(-3, 3, 97).astype(np.complex64) * (1 + 0.3j),)),
    "overwrite": calls(((2, 3), (2, 3))),
    **dict.fromkeys(("ruled", "ruled_whole"), calls(((2, 3), (2, 3)), rules=(_through,))),
    **{
        f"{kind}_polynomial_{k}": [Case(((4,), np.array(3.0)), ((-1.5, 1.5), ANY), {})]
        for kind, letters in (
            ("chebyshev", "tuvw"),
            ("shifted_chebyshev", "tuvw"),
            ("laguerre", "l"),
            ("legendre", "p"),
        )
        for k in letters
    },
    **{
        f"hermite_polynomial_{k}": [Case(((4,), np.array(3.0)), (ANY, ANY), {})]
        for k in ("h", "he")
    },
    **{n: unary(0.3, 3.0) for n in ("airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1")},
    **{f"modified_bessel_{k}": unary(0.3, 3.0) for k in ("i0", "i1", "k0", "k1")},
    **{f"scaled_modified_bessel_{k}": unary(0.3, 3.0) for k in ("k0", "k1")},
    "spherical_bessel_j0": unary(0.3, 3.0) + calls((ODD,)),
    **{n: calls((ODD,), (WHOLE,)) for n in ("sign", "abs")},
    **{n: calls((ODD,)) for n in ("floor", "ceil", "trunc", "round", "relu", "sgn", "exp", "log")},
    **{n: calls((ODD, ODD[::-1].copy())) for n in ("maximum", "minimum", "fmax", "fmin")},
    **{n: calls((WHOLE, OTHER)) for n in ("add", "mul", "div_floor")},
    **{n: calls((WHOLE, OTHER), (LEAST, OTHER[:1])) for n in ("fmod", "div_trunc", "remainder")},
    "pow": calls((WHOLE, np.abs(OTHER)), (WHOLE, OTHER)),
    "reinterpret": calls((WHOLE,), source=int64, dtype=uint8)
    + calls((WHOLE[:, :2],), source=int64, dtype=complex128)
    + calls((WHOLE,), source=int64, dtype=bfloat16),
}
APART = frozenset(
    {"item", "full", "data", "symbol", "lane", "leaf", "detach", "custom", "pulled", "replace"}
    | {"widen", "slice_at"}
)
"""Bookkeeping; `replace` and `leaf` are the identity, the half types have `HALVES`, and loops have
slices whose place changes (`backend_samples.py`)."""
HALVES = "{x}.exp()*1.7 + ({x} + 0.3).sum()"
FREE = {"linalg_svd": (1,), "linalg_eigh": (0,), "linalg_eig": (), "linalg_lstsq": (0, 1, 2)}
"""Ops with results that are determined up to a phase: which of them are not."""


SECOND_ONLY = frozenset({"igamma", "igammac", "zeta"})
"""Ops without a derivative by their first input."""


def table() -> dict[str, Op]:
    return {n: op for n, op in OPS.items() if n not in APART and op not in UNKNOWN}


def cases(few: bool = False) -> Iterator[tuple[str, Case, str]]:
    """Ops with their cases and dtypes; `few` of them where each costs the time of a compiler."""
    for name in table():
        every = [*SAMPLES.get(name, ()), *MORE.get(name, ())]
        for number, case in enumerate(every[2::3] if few and len(every) > 3 else every):
            whole = any(isinstance(v, np.ndarray) and v.dtype.kind in "iub" for v in case.inputs)
            if name not in ONLY_COMPLEX:
                yield name, case, "float64"
                if not (whole and name in MORE) and not (few and number):
                    yield name, case, "float32"
            given = any(isinstance(v, np.ndarray) for v in case.inputs)
            if name in COMPLEX and not given and not (few and number):
                yield name, case, "complex128"


def inputs(name: str, case: Case, kind: str) -> list[Any]:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    found = []
    for given, (low, high) in zip(case.inputs, case.domains, strict=True):
        value = given if isinstance(given, np.ndarray) else rng.uniform(low, high, given)
        value = np.asarray(value)
        if kind == "complex128" and value.dtype.kind == "f":
            value = value + 1j * rng.uniform(-0.5, 0.5, value.shape)
        if kind == "float32" and value.dtype.kind == "f":
            value = value.astype(np.float32)
        found.append(np.asarray(value))
    return found


def graph(name: str, case: Case, kind: str) -> list[Node]:
    """The results of an op, and the gradients of what is determined, of the first order."""
    op = OPS[name]
    nodes = []
    for value in inputs(name, case, kind):
        node = data(value, value.shape, dtype_of(value))
        node.tracked = node.dtype.differentiable and not (not nodes and name in SECOND_ONLY)
        nodes.append(node)
    attrs = dict(case.attrs)
    if name == "cast" and kind == "float32":
        attrs = {"dtype": attrs["dtype"]}
    outs = list(op.many(*nodes, **attrs)) if op.multiple else [op(*nodes, **attrs)]
    if name in FREE:
        outs = [outs[i] for i in FREE[name]]
    if op.cuts or name in ("floor_divide", "nextafter"):
        return outs
    seeds = [
        (out, data(seed, out.shape, out.dtype))
        for number, out in enumerate(outs)
        if out.tracked and (seed := cotangent(out, number)) is not None
    ]
    if not seeds or name in ("geqrf", "linalg_ldl_factor_ex", "linalg_ldl_solve"):
        return outs
    found = backward(seeds, set(nodes).__contains__)
    return outs + [found[x] for x in nodes if x in found]


def cotangent(out: Node, number: int) -> Any:
    rng = np.random.default_rng(number)
    value = rng.standard_normal(out.shape)
    if out.dtype.is_complex:
        value = value + 1j * rng.standard_normal(out.shape)
    return stored(value, out.dtype)


def compare(backend: str) -> None:
    """Fails with a list of the ops whose numbers differ, or that have no case."""
    without = table().keys() - {name for name, _, _ in cases()}
    assert not without, f"no case for {without}"
    everything = list(cases(few=backend == "jax"))
    expected = []
    for name, case, kind in everything:
        nodes = graph(name, case, kind)
        with np.errstate(all="ignore"):
            evaluate(nodes)
        expected.append([array(node) for node in nodes])
    wrong = []
    for name, case, kind, wanted in grouped(everything, expected, backend):
        wrong += [f"{name} {kind} {case}: {text}" for text in wanted]
    for half in ("bfloat16", "half") if backend in ("torch", "jax") else ():
        text, given = HALVES.format(x=f"x.{half}()"), {"x": np.linspace(-1, 1, 9)}
        one, other = (
            gradcli.evaluate(text, given, gradients=False, backend=b).value
            for b in ("numpy", backend)
        )
        wrong += [f"{half}: {text}" for text in differences([other], [one])]
    assert not wrong, "\n".join(wrong)


def grouped(everything: Any, expected: Any, backend: str) -> Iterator[Any]:
    """What differs in each case; many cases are one piece of work."""
    size = 64
    for start in range(0, len(everything), size):
        part = everything[start : start + size]
        with using(backend):
            made = [graph(*one) for one in part]
            evaluate([node for nodes in made for node in nodes])
            found = [[np.array(array(node)) for node in nodes] for nodes in made]
        for one, values, wanted in zip(part, found, expected[start : start + size], strict=True):
            yield (*one, differences(values, wanted))


def differences(found: list[Any], wanted: list[Any]) -> list[str]:
    said = []
    for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
        if a.dtype != b.dtype or a.shape != b.shape:
            said.append(f"{number}: {a.dtype}{a.shape} instead of {b.dtype}{b.shape}")
            continue
        close = 1e-5 if b.dtype in (np.float32, np.complex64) else 1e-12
        scale = float(np.max(np.abs(b[np.isfinite(b)]), initial=0.0)) if b.dtype.kind in "fc" else 0
        if not np.allclose(a, b, rtol=close, atol=close * scale, equal_nan=True):
            said.append(f"{number}: {a.tolist()} instead of {b.tolist()}")
    return said


class Mirror:
    """NumPy or SciPy as far as CuPy goes: its names alone, called as its signatures allow."""

    def __init__(self, numpy: Any, cupy: Any) -> None:
        self._numpy, self._cupy = numpy, cupy

    def __getattr__(self, name: str) -> Any:
        like, function = getattr(self._cupy, name), getattr(self._numpy, name)
        if isinstance(like, types.ModuleType):
            return Mirror(function, like)
        if not callable(like) or isinstance(like, type):
            return function

        def call(*args: Any, **named: Any) -> Any:
            if hasattr(like, "nin"):  # a ufunc has no signature
                assert len(args) == like.nin, f"cupy.{name} takes {like.nin}"
                assert named.keys() <= {"out", "dtype"}, f"cupy.{name} takes no {list(named)}"
            else:
                inspect.signature(like).bind(*args, **named)
            return function(*args, **named)

        return call


def stand_in() -> None:
    """Puts NumPy and SciPy where CuPy would be: its table of names, without its device.

    Where CuPy is installed, nothing is there that it has not.
    """
    import scipy.special

    from gradcli.execute.backends.cupy import CuPy

    given: list[Any] = [np, scipy.special, np.add.at]
    if find_spec("cupy"):
        import cupy
        import cupyx
        import cupyx.scipy.special

        inspect.signature(cupyx.scatter_add).bind(np.ones(3), [0, 0], 1)
        given[:2] = Mirror(np, cupy), Mirror(scipy.special, cupyx.scipy.special)
    choice.CHOICES["cupy"] = choice.Choice("numpy", "cupy", ("cuda",))
    choice.loaded["cupy", None] = CuPy(*given, "cuda:0")


if __name__ == "__main__":
    if sys.argv[1] == "cupy":
        stand_in()
    compare(sys.argv[1])
