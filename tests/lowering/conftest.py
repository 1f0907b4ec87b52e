"""Runs a program under gradcli and under CPython."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable

import pytest

from gradcli.errors import GradcliError
from gradcli.language.parser import parse_script
from gradcli.lowering.interpret import Interpreter
from gradcli.source import Source

Interpreter({})  # raises Python's recursion limit, which hypothesis must not see change

Run = Callable[[str], str]


def _under_gradcli(text: str) -> str:
    out = io.StringIO()
    try:
        Interpreter({}, out).run(parse_script(Source("t.py", text)))
    except GradcliError as error:
        name = error.kind.__name__
        message = (
            str(error).removeprefix(name).removeprefix(": ").removeprefix("assertion failed: ")
        )
        out.write(f"\n{name}: {message}".rstrip(": "))
    return out.getvalue()


def _under_python(text: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(text, "t.py", "exec"), {"__name__": "__main__"})
        except Exception as error:
            out.write(f"\n{type(error).__name__}: {error}".rstrip(": "))
    return out.getvalue()


@pytest.fixture(scope="session")
def gradcli_output() -> Run:
    """What a program prints under gradcli, and the error it ends with."""
    return _under_gradcli


@pytest.fixture(scope="session")
def python_output() -> Run:
    """What a program prints under CPython, and the error it ends with."""
    return _under_python


@pytest.fixture(scope="session")
def failure_of() -> Callable[[str], GradcliError]:
    """The error a program ends with under gradcli."""

    def run(text: str) -> GradcliError:
        with pytest.raises(GradcliError) as caught:
            Interpreter({}, io.StringIO()).run(parse_script(Source("t.py", text)))
        return caught.value

    return run
