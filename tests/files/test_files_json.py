"""JSON and JSON lines: what they give, by which path, and how everything else is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from files_helpers import error, place, table
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError
from gradcli.files import read

NAN = float("nan")


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        ("[1, 2.5, -3e2]", "", [1, 2.5, -300]),
        ("[[1,2],[3,4]]", "", [[1, 2], [3, 4]]),
        ("7", "", 7),
        ("\ufeff[1]", "", [1]),
        ("[]", "", []),
        ("[[],[]]", "", [[], []]),
        ("[true, false]", "", [True, False]),
        ('["NaN", 1, "Infinity", "-Infinity"]', "", [NAN, 1, np.inf, -np.inf]),
        ('["NaN"]', "", [NAN]),
        ("[123456789012345678901234567890]", "", [123456789012345678901234567890.0]),
        ('{"a": [1, 2], "b": 3}', "a", [1, 2]),
        ('{"a": {"b.c": [{"d": 5}, {"d": 6}]}}', "a.b.c", [5, 6]),
        ('{"a": {"b": [{"d": 5}, {"d": 6}]}}', "a.b.1.d", 6),
        ('{"a": {"b": [{"d": 5}, {"d": 6}]}}', "a.b[-1].d", 6),
        ('{"a": {"b": [{"d": 5}, {"d": 6}]}}', "a.b.d", [5, 6]),
        ("[[1,2],[3,4]]", "1", [3, 4]),
        ("[[1,2],[3,4]]", "[1][0]", 3),
        ('[{"x": 1, "y": 2}, {"y": 4, "x": 3}]', "", [[1, 2], [3, 4]]),
        ('[{"x": 1, "y": 2}, {"x": 3, "y": 4}]', "y,x", [[2, 1], [4, 3]]),
        ('[{"x": [1, 5], "y": 2}]', "x", [[1, 5]]),
        ('{"a": 1, "a": 2}', "a", 2),
        ('{"gradcli": 1, "grads": {"x": [[4.5]]}}', "grads.x", [[4.5]]),
    ],
)
def test_json_values(tmp_path: Path, content: str, key: str, expected: object) -> None:
    array = table(tmp_path, content, key, "json")
    wanted = np.array(expected)
    assert array.dtype == (np.bool_ if wanted.dtype == np.bool_ else np.float64)
    np.testing.assert_array_equal(array, wanted.astype(array.dtype), strict=True)


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        ("[1,2]\n[3,4]\n", "", [[1, 2], [3, 4]]),
        ('{"x": 1, "y": 2}\n\n{"x": 3, "y": 4}', "", [[1, 2], [3, 4]]),
        ('{"x": 1, "y": 2}\r\n{"x": 3, "y": 4}\r\n', "x", [1, 3]),
        ("1\n2\n", "", [1, 2]),
    ],
)
def test_json_lines(tmp_path: Path, content: str, key: str, expected: object) -> None:
    np.testing.assert_array_equal(table(tmp_path, content, key, "jsonl"), expected)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[[1,2],[3]]", "[0] has 2 items, [1] has 1"),
        ("[[[1],[2]],[[3],[4,5]]]", "[0][0] has 1 items, [1][1] has 2"),
        ("[[1,2],3]", "[1] is a number, where a list is"),
        ("[1,[2]]", "[1] is a list, where numbers are"),
        ("[[1],[null]]", "[1][0] is null"),
        ('[1, "2"]', '[1] is "2", where numbers'),
        ('["x"]', '[0] is "x"'),
        ("[1, true]", "[1] is true or false"),
        ("[true, 1]", "[1] is a number, where true or false"),
        ("[1, {}]", "[1] is an object"),
        ("[1, 1e309]", "[1] is too large"),
        ('["NaN", -1e309]', "[1] is too large"),
        ("[1" + "0" * 5000 + "]", "[0] is too large"),
        ("null", "it is null"),
        ("{}", "empty object"),
        ("[" * 100 + "]" * 100, "deeper than 64"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('[{"x": 1}, {"y": 2}]', "[1] has no key 'x'"),
        ('[{"x": 1}, 2]', "[1] has no key 'x'"),
        ('[{"x": 1, "y": [2]}]', "different shapes"),
        ('[{"x": 1}, {"x": null}]', "[1].x is null"),
        ("[1]".encode("utf-16"), "UTF-16"),
        (b"[1, \xff]", "byte 0xff in line 1"),
    ],
)
def test_json_that_is_no_array(tmp_path: Path, content: str | bytes, words: str) -> None:
    problem = error(tmp_path, content, suffix="json")
    assert problem.diagnostic.code == "G051"
    assert words in str(problem)


@pytest.mark.parametrize(
    ("content", "where", "words"),
    [
        ("[1,\n NaN]", (2, 2, "NaN"), "NaN is not JSON"),
        ('["NaN", -Infinity]', (1, 9, "-Infinity"), "-Infinity is not JSON"),
        ("[1,\n2,]", (2, 3, "]"), "not valid JSON: "),
        ("[1 2]", (1, 4, "2"), "not valid JSON: expecting ',' delimiter (line 1, column 4)"),
        ("[1] 2", (1, 5, "2"), "extra data"),
        ("['a']", (1, 2, "'"), "not valid JSON"),
        ("[1, 2", (1, 6, ""), "not valid JSON"),
        ("", None, "is empty"),
        ("  \n", None, "is empty"),
        ("[" + "1, " * 100 + "NaN]", (1, 302, "NaN"), "NaN is not JSON (line 1, column 302)"),
    ],
)
def test_json_syntax_errors(
    tmp_path: Path, content: str, where: tuple[int, int, str] | None, words: str
) -> None:
    problem = error(tmp_path, content, suffix="json")
    assert words in str(problem)
    if where is None:
        assert not problem.diagnostic.labels
    else:
        assert place(problem) == where


def test_json_help(tmp_path: Path) -> None:
    problem = error(tmp_path, "[NaN]", suffix="json")
    assert problem.diagnostic.help == ['write it as a string: "NaN"']
    assert "comma" in error(tmp_path, "[1,]", suffix="json").diagnostic.help[0]
    assert "json.dumps" in error(tmp_path, "[None]", suffix="json").diagnostic.help[0]


def test_json_lines_error_names_the_line(tmp_path: Path) -> None:
    problem = error(tmp_path, "[1]\n\n[NaN]\n", suffix="jsonl")
    assert place(problem) == (3, 2, "NaN")


def test_json_missing_key(tmp_path: Path) -> None:
    problem = error(tmp_path, '{"loss": [1], "b": {"c": 1}}', "los", "json")
    assert problem.diagnostic.code == "G052"
    assert problem.diagnostic.help[0] == "did you mean loss?"
    assert error(tmp_path, '{"loss": [1]}', "loss.3", "json").diagnostic.code == "G052"
    assert error(tmp_path, '{"loss": [1]}', "loss.x", "json").diagnostic.code == "G052"
    assert error(tmp_path, '[{"x": 1}]', "y", "json").diagnostic.code == "G052"
    problem = error(tmp_path, '{"loss": [1], "b": 2}', "", "json")
    assert problem.diagnostic.code == "G052"
    assert "loss, b" in str(problem)


def test_json_memory_is_estimated_before_parsing(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[" + "[]," * 50_000 + "[]]")
    with pytest.raises(GradcliError, match="limit") as caught:
        read(f"{tmp_path}/x.json", limit=1 << 20)
    assert caught.value.diagnostic.code == "G050"


nested = st.recursive(
    st.floats() | st.booleans() | st.none() | st.text(max_size=3) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=nested, key=st.sampled_from(["", "0", "a", "0.a", "[1]", "a,b"]))
def test_any_json_reads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, value: object, key: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    code, array = "", np.zeros(0)
    try:
        array = table(folder, json.dumps(value), key, "json")
    except GradcliError as problem:
        code = problem.diagnostic.code
    assert code in ("", "G051", "G052")
    assert array.dtype in (np.float64, np.bool_)
