"""Named sizes: what arithmetic keeps, what Python loses and is found again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcli.graph.dim import Dim, Dims, bases, recovered, sized
from gradcli.graph.shape import broadcast, numel

SIZES = {"m": 3, "n": 5, "k": 7}


def dims() -> tuple[Dim, Dim, Dim]:
    known = Dims()
    return known["m"], known["n"], known["k"]


def test_a_size_is_an_int_with_a_name() -> None:
    m, n, _ = dims()
    assert m == int(m)
    assert {int(m): 1}[m] == 1
    assert [str(x) for x in (m, m * n, n - 1, 1 / (m * n), 2 * (m + n), (m + n) // 2)] == [
        *("m", "m*n", "n - 1", "1/(m*n)", "2*(m + n)", "(m + n)//2")
    ]
    assert f"{m}x{n}" == "mxn"
    assert m * 1 is m
    assert m + 0 is m
    assert m * 0 == 0
    assert type(m * 0) is int


def test_shapes_keep_names() -> None:
    m, n, _ = dims()
    assert str(numel((m, n, 2))) == "m*n*2"
    assert broadcast((m, 1), (n,)) == (m, n)
    assert str(sum([m, n, 1])) == "m + n + 1"


@given(st.data())
def test_forms_are_computed_again_at_other_sizes(data: st.DataObject) -> None:
    names = dict(zip("mnk", dims(), strict=True))
    text = data.draw(st.sampled_from(["m*n", "m+n-1", "1/(m*k)", "(m*n)/k", "m-k+2", "(n+1)//2"]))
    named = eval(text, dict(names))
    assert sized(named, SIZES) == pytest.approx(eval(text, dict(SIZES)))
    assert set(bases(named)) == {c for c in text if c.isalpha()}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (lambda m, n, k: int(m), "m"),
        (lambda m, n, k: int(m) * int(n), "m*n"),
        (lambda m, n, k: 2 * int(m), "2*m"),
        (lambda m, n, k: int(n) - 1, "n - 1"),
        (lambda m, n, k: int(k) + 2, "k + 2"),
        (lambda m, n, k: 1 / int(k), "k**-1.0"),
        (lambda m, n, k: math.sqrt(int(k)), "k**0.5"),
        (lambda m, n, k: 1 / math.sqrt(int(k)), "k**-0.5"),
        (lambda m, n, k: 4, "4"),
        (lambda m, n, k: 0.25, "0.25"),
        (lambda m, n, k: -1.5, "-1.5"),
    ],
)
def test_names_that_python_lost_are_found(value, name) -> None:  # type: ignore[no-untyped-def]
    m, n, k = dims()
    assert str(recovered(value(m, n, k), [m, n, k])) == name
