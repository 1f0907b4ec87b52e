"""Errors point at the innermost expression: line and column apart from the wording."""

from __future__ import annotations

import pytest

from gradcli.errors import ExitStatus

PLACES = {
    # program: (code, kind, line, column, text under the carets)
    "x = 1\ny = x + 'a'": ("G014", TypeError, 2, 5, "x + 'a'"),
    "y = 1 + 2 + 'a' + 3": ("G014", TypeError, 1, 5, "1 + 2 + 'a'"),
    "a = [1, 2]\nprint(1, a[5])": ("G040", IndexError, 2, 10, "a[5]"),
    "d = {}\nprint(d['k'])": ("G040", KeyError, 2, 7, "d['k']"),
    "if True:\n    1 / 0": ("G040", ZeroDivisionError, 2, 5, "1 / 0"),
    "print(1 if 2 else 3, -'a')": ("G014", TypeError, 1, 22, "-'a'"),
    "x = 2\nx.foo": ("G011", AttributeError, 2, 1, "x.foo"),
    "def f(a): pass\n\nf()": ("G013", TypeError, 3, 1, "f()"),
    "a, b = [1]": ("G040", ValueError, 1, 8, "[1]"),
    "x = 3\nfor i in x:\n    pass": ("G040", TypeError, 2, 10, "x"),
    "x = [0]\nx[3] = 1": ("G040", IndexError, 2, 1, "x[3]"),
    "x = [0]\nx[3] += 1": ("G040", IndexError, 2, 1, "x[3]"),
    "x = [0]\ndel x[3]": ("G040", IndexError, 2, 5, "x[3]"),
    "x = 1\nx += 'a'": ("G014", TypeError, 2, 1, "x += 'a'"),
    "print(f'{1:d} {2.5:d}')": ("G040", ValueError, 1, 16, "2.5"),
    "y = [v for v in (1, 0) if 1 / v]": ("G040", ZeroDivisionError, 1, 27, "1 / v"),
    "g = (1 / v for v in (1, 0))\nprint(1)\nlist(g)": ("G040", ZeroDivisionError, 1, 6, "1 / v"),
    "list(map(int, ['1', 'b']))": ("G040", ValueError, 1, 1, "list(map(int, ['1', 'b']))"),
    "x = (lambda v: v)(1) < 'a'": ("G014", TypeError, 1, 5, "(lambda v: v)(1) < 'a'"),
    "try:\n    1 / 0\nfinally:\n    x = 1 + 1": ("G040", ZeroDivisionError, 2, 5, "1 / 0"),
    "try:\n    1 / 0\nexcept ValueError:\n    pass": ("G040", ZeroDivisionError, 2, 5, "1 / 0"),
    "raise ValueError('no')": ("G042", ValueError, 1, 1, "raise ValueError('no')"),
    "try:\n    raise KeyError(1)\nexcept KeyError as e:\n    x = 1\n    raise e": (
        "G042",
        KeyError,
        2,
        5,
        "raise KeyError(1)",
    ),
    "try:\n    [][1]\nexcept IndexError as e:\n    raise": ("G040", IndexError, 2, 5, "[][1]"),
    "x = 5\nassert x + 1 == 7, 'no'": ("G041", AssertionError, 2, 8, "x + 1 == 7"),
    "sorted([3, 'a'])": ("G014", TypeError, 1, 1, "sorted([3, 'a'])"),
    "import math\nmath.sqrt(-1)": ("G040", ValueError, 2, 1, "math.sqrt(-1)"),
    "with 5:\n    pass": ("G040", TypeError, 1, 6, "5"),
    "x = [1]\nprint(x.apend)": ("G011", AttributeError, 2, 7, "x.apend"),
    "print((1 +\n  'a'))": ("G014", TypeError, 1, 8, "1 +\n  'a'"),
}


@pytest.mark.parametrize("program", PLACES)
def test_place(program, failure_of):
    code, kind, line, column, text = PLACES[program]
    error = failure_of(program)
    span = error.diagnostic.labels[0].span
    assert span.source.position(span.start) == (line, column)
    assert span.text == text
    assert (error.diagnostic.code, error.kind) == (code, kind)


def test_unknown_name_is_placed_and_the_nearest_offered(failure_of):
    error = failure_of("velocity = 1\nprint(velocty)")
    assert error.diagnostic.code == "G010"
    assert error.diagnostic.labels[0].span.text == "velocty"
    assert error.diagnostic.help == ["did you mean velocity?"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("snn", "sin"), ("meen", "mean"), ("sofmax", "softmax"), ("tanhh", "tanh"), ("x1", "x")],
)
def test_the_name_that_is_offered_is_the_likeliest(failure_of, name, meant):
    assert failure_of(f"x = 1\n{name}").diagnostic.help == [f"did you mean {meant}?"]


SHAPES = {
    "x[5]": "x is (2,)",
    "x[z > 0]": "x is (2,), z > 0 is (2, 3)",
    "x.sum(dim=3)": "x is (2,)",
    "x.view(3)": "x is (2,)",
    "z @ z": "z is (2, 3)",
    "z[0] @ x": "z[0] is (3,), x is (2,)",
    "torch.nn.functional.linear(z, weight=x)": "z is (2, 3), x is (2,)",
    "torch.nn.functional.layer_norm(x, [4])": "x is (2,)",
    "torch.nn.functional.cosine_similarity(z, z.T)": "z is (2, 3), z.T is (3, 2)",
    "torch.cat([x, z])": "(2,) and (2, 3)",
    "torch.linalg.solve(z[:, :2], torch.ones(3))": "z[:, :2] is (2, 2), torch.ones(3) is (3,)",
}


@pytest.mark.parametrize("call", SHAPES)
def test_beside_the_carets_are_the_shapes_of_what_stands_there(failure_of, call):
    error = failure_of(f"x = torch.ones(2)\nz = torch.ones(2, 3)\n{call}")
    label = error.diagnostic.labels[0]
    assert (label.span.text, label.text) == (call, SHAPES[call])


def test_error_in_a_function_also_shows_the_call(failure_of):
    error = failure_of("def f(a):\n    return g(a) + 1\ndef g(a):\n    return 1 / a\n\nprint(f(0))")
    places = [label.span.text for label in error.diagnostic.labels]
    assert places == ["1 / a", "f(0)"]
    assert error.diagnostic.labels[1].text == "called here"


def test_failed_assertion_shows_both_values_and_exits_with_one(failure_of):
    error = failure_of("a = [1, 2]\nassert sum(a) == 4")
    assert error.exit_status == ExitStatus.FAILED
    assert error.diagnostic.labels[0].text == "left is 3, right is 4"
    assert failure_of("assert []").diagnostic.labels[0].text == "this is []"


def test_uncaught_exception_of_the_script(failure_of):
    error = failure_of("raise ValueError('text')")
    assert str(error) == "ValueError: text"
    assert error.exit_status == ExitStatus.USAGE
    assert str(failure_of("raise RuntimeError")) == "RuntimeError"


def test_attribute_is_placed_and_the_nearest_offered(failure_of):
    assert failure_of("'a'.uper()").diagnostic.help == ["did you mean upper?"]


def test_endless_recursion_is_placed(failure_of):
    error = failure_of("def f(n):\n    return f(n + 1)\nf(0)")
    assert (error.diagnostic.code, error.kind) == ("G003", RecursionError)
    assert error.diagnostic.labels[0].span.text == "f(n + 1)"
