"""Bindings on the command line: declared shapes."""

from __future__ import annotations

import pytest

from gradcli.cli.inputs import Standard, bind
from gradcli.errors import GradcliError
from gradcli.tensor.symbols import declared_sizes, is_placeholder, sized_shape


def shapes(*arguments: str) -> dict[str, str]:
    variables = bind(arguments, Standard(), shapes=True)
    return {name: str(tuple(value.shape)) for name, value in variables.items()}


def test_declared_shapes() -> None:
    assert shapes("X:m,n", "w:n", "b:", "Z:3,n", "q:m, n,", "s:2") == {
        **{"X": "(m, n)", "w": "(n,)", "b": "()", "Z": "(3, n)", "q": "(m, n)", "s": "(2,)"}
    }


def test_names_are_shared_and_values_may_stand_beside() -> None:
    variables = bind(["X:m,n", "w:n", "y=3"], Standard(), shapes=True)
    assert variables["X"].shape[1] == variables["w"].shape[0]
    assert [is_placeholder(v) for v in variables.values()] == [True, True, False]
    sizes = declared_sizes(v.shape for v in variables.values())
    assert list(sizes) == ["m", "n"]
    assert sized_shape(variables["X"].shape, {"m": 2, "n": 5}) == (2, 5)


@pytest.mark.parametrize(
    ("argument", "start"), [("x:m+1", 0), ("x:m,,n", 2), ("x:,", 0), ("x:m,n-1", 2), ("x:-3", 0)]
)
def test_what_is_no_size_is_shown(argument: str, start: int) -> None:
    with pytest.raises(GradcliError) as caught:
        bind([argument], Standard(), shapes=True)
    assert caught.value.diagnostic.code == "G070"
    assert caught.value.diagnostic.labels[0].span.start == start


def test_a_shape_is_no_value_where_values_are_needed() -> None:
    with pytest.raises(GradcliError) as caught:
        bind(["x:3"], Standard())
    assert caught.value.diagnostic.code == "G012"
