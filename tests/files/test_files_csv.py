"""CSV, TSV and tables with other delimiters: what they give, and where their carets stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from files_helpers import error, place, table
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError
from gradcli.files import read
from gradcli.files.together import Together

NAN = float("nan")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1,2\n3,4", [[1, 2], [3, 4]]),
        ("a,b\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("\ufeffa,b\n1,2\n", [[1, 2]]),
        ("a,b\r\n1,2\r\n3,4\r\n", [[1, 2], [3, 4]]),
        ("1,2\r3,4\r", [[1, 2], [3, 4]]),
        ("1\n2\n3\n", [1, 2, 3]),
        ("x\n1\n2\n", [1, 2]),
        ("my column\n1\n2\n", [1, 2]),
        ("5\n", [5]),
        ("1,2,3\n", [[1, 2, 3]]),
        ('"a","b"\n"1","2"\n', [[1, 2]]),
        ('"x, y",b\n1,2\n', [[1, 2]]),
        ("# note\n\n1,2\n# more\n3,4\n\n\n", [[1, 2], [3, 4]]),
        ("a,b\n# note\n1,2\n", [[1, 2]]),
        ("1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("a,b,\n1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("a,b\n1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("nan,inf\n-inf,NaN\n", [[NAN, np.inf], [-np.inf, NAN]]),
        ("1e-3, -2.5\n+3 ,4.\n", [[1e-3, -2.5], [3, 4]]),
        ("1,5;2,5\n3;4\n", [[1.5, 2.5], [3, 4]]),
        ("a;b\n1,5;2\n", [[1.5, 2]]),
        ("a;b\n1.5;2\n2.5;3\n", [[1.5, 2], [2.5, 3]]),
        ("1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ("1.0e+00 2.0e+00\n3.0e+00   4.0e+00\n", [[1, 2], [3, 4]]),
        ("name (a;b),x\n1,2\n", [[1, 2]]),
        ("1,2\n3,4\n" * 20000, [[1, 2], [3, 4]] * 20000),
        ('1,2\n"3",4\n' * 20000, [[1, 2], [3, 4]] * 20000),
    ],
)
def test_csv_values(tmp_path: Path, content: str, expected: list[object]) -> None:
    array = table(tmp_path, content)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, np.array(expected, float))
    assert array.shape == np.array(expected).shape


TEXTS = 'city,a,"b c",a2\n"Berlin, ""B""",1,2,3\n"New\nYork",4,5,6\n'


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        (TEXTS, "a", [1, 4]),
        (TEXTS, "b c", [2, 5]),
        (TEXTS, "a2,a", [[3, 1], [6, 4]]),
        ('"x,y",z\n1,2\n', "x,y", [1]),
        ('"x, y",z,"a""b"\n1,2,3\n', 'z,"x, y", "a""b"', [[2, 1, 3]]),
        ("1,2,3\n4,5,6\n", "2,0", [[3, 1], [6, 4]]),
        ("id,x\nu,1\nv,2\n" * 1, "x", [1, 2]),
        ("id;x\nu,v;1,5\nv;2\n", "x", [1.5, 2]),
        ("a b\n1 x\n2 y\n", "a", [1, 2]),
    ],
)
def test_csv_columns(tmp_path: Path, content: str, key: str, expected: list[object]) -> None:
    array = table(tmp_path, content, key)
    np.testing.assert_array_equal(array, np.array(expected, float))


def test_tsv(tmp_path: Path) -> None:
    assert table(tmp_path, "a, b\tc\n1\t2\n", suffix="tsv").tolist() == [[1, 2]]
    assert table(tmp_path, "a, b\tc\n1\t2\n", "a, b", "tsv").tolist() == [1]


@pytest.mark.parametrize(
    ("content", "line", "column", "text", "words"),
    [
        ("1,2\n3\n", 2, 2, "", "line 2 has 1 cell, the first row has 2"),
        ("a,b\n1,2\n3,4,5\n", 3, 5, "5", "line 3 has 3 cells, the header has 2"),
        ("1,2\n\n# c\n3,4,5,6\n", 4, 5, "5,6", "line 4 has 4 cells, the first row has 2"),
        ("a,b\n1,\n", 2, 3, "", "line 2, column 2 (b) is empty"),
        ("a,b\n,1\n", 2, 1, ",", "line 2, column 1 (a) is empty"),
        ("a,b\n1,x\n", 2, 3, "x", "line 2, column 2 (b): 'x' is not a number"),
        ("1,2\n3,1_000\n", 2, 3, "1_000", "line 2, column 2: '1_000' is not a number"),
        ("1,2\n3,١\n", 2, 3, "١", "is not a number"),
        ("1,2\n3,0x10\n", 2, 3, "0x10", "is not a number"),
        ("1,2\n3,1e309\n", 2, 3, "1e309", "column 2: 1e309 is too large"),
        ("1e309,1\n", 1, 1, "1e309", "too large"),
        ('1,2\n"3",NA\n', 2, 5, "NA", "'NA' is not a number"),
        ("1,5;2\n3.5;4\n", 2, 1, "3.5", "'3.5' is not a number"),
        ("1;2\n1.234,5;4\n", 2, 1, "1.234,5", "'1.234,5' is not a number"),
        ("1\t2\n1,5\t4\n", 2, 1, "1,5", "'1,5' is not a number"),
        ("1 2\n3  x\n", 2, 4, "x", "'x' is not a number"),
        ("1,2\n" * 40000 + "3,x\n", 40001, 3, "x", "line 40001, column 2: 'x'"),
        ("1,2\n" * 40000 + "3\n", 40001, 2, "", "line 40001 has 1 cell"),
    ],
)
def test_csv_errors_point_at_the_cell(
    tmp_path: Path, content: str, line: int, column: int, text: str, words: str
) -> None:
    problem = error(tmp_path, content)
    assert problem.diagnostic.code == "G051"
    assert words in str(problem)
    found = place(problem)
    assert found[:2] == (line, column)
    assert found[2].strip() == text.strip()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\ufeff", "is empty"),
        (" \n\n", "is empty"),
        ("# only\n", "is empty"),
        ("a,b\n", "has a header but no rows"),
        ("a,b\n\n# x\n", "has a header but no rows"),
        ("1,2\n3,4\n".encode("utf-16"), "UTF-16"),
        ("1,2\n3,4\n".encode("utf-16-le"), "UTF-16"),
        ("größe\n1\n".encode("latin-1"), "not UTF-8 text: byte 0xf6"),
        (b"1,2\n\0,4\n", "binary"),
        ('1,"2\n3,4\n', "line 1 does not close its quote"),
        ('1,2\n3,"' + "4" * 200_000, "field larger"),
        ("1,2\n" + "3," * 400 + "4\n", "line 2 has 401 cells"),
    ],
)
def test_csv_that_is_no_table(tmp_path: Path, content: str | bytes, words: str) -> None:
    problem = error(tmp_path, content)
    assert problem.diagnostic.code == "G051"
    assert words in str(problem)


def test_csv_help(tmp_path: Path) -> None:
    assert "nan" in error(tmp_path, "a,b\n1,\n").diagnostic.help[0]
    assert "iconv" in error(tmp_path, "1,2\n".encode("utf-16")).diagnostic.help[0]
    assert "semicolons" in error(tmp_path, "a,b\n1,5,2,5\n").diagnostic.help[0]
    assert "one decimal sign" in error(tmp_path, "1,5;2\n3.5;4\n").diagnostic.help[0]


def test_csv_missing_column(tmp_path: Path) -> None:
    problem = error(tmp_path, "height,width\n1,2\n", "hieght")
    assert problem.diagnostic.code == "G052"
    assert problem.diagnostic.help[0] == "did you mean height?"
    assert error(tmp_path, "1,2\n", "5").diagnostic.code == "G052"
    problem = error(tmp_path, '"a, b",c\n1,2\n', "c,a, b")
    assert problem.diagnostic.help == ['it has "a, b", c']
    problem = error(tmp_path, "a,b,a\n1,2,3\n", "a")
    assert "several columns 'a': 1 and 3" in str(problem)
    assert table(tmp_path, "a,b,a\n1,2,3\n").shape == (1, 3)


@pytest.mark.parametrize("keep", [None, 0])
def test_columns_that_several_take_are_parsed_once(tmp_path: Path, keep: int | None) -> None:
    (tmp_path / "t.csv").write_text('a,"b, c",d,text,"a,d"\n1,2,3,u,9\n4,5,6,v,8\n')
    keys = ["a,d", "d", '"b, c",a', "b, c", "a"]
    references = [f"{tmp_path}/t.csv:{key}" for key in keys]
    together = Together(references)
    found = [together.read(reference, keep=keep) for reference in references]
    alone = [np.asarray(read(reference)) for reference in references]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(np.asarray(one), other, strict=True)
        assert np.asarray(one).flags.c_contiguous
    if keep is None:
        (tmp_path / "t.csv").write_text("other")
        assert together.read(references[1]).tolist() == [3, 6]
    else:
        assert len({id(one.source) for one in found}) == 1
        assert np.array_equal(found[2].read(-1, 1, 2), alone[2][:, 1:])


def test_what_several_cannot_take_together_each_takes_alone(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,u,2\n")
    together = Together([f"{tmp_path}/t.csv:{key}" for key in ("a", "b", "c,x")])
    assert together.read(f"{tmp_path}/t.csv:a").tolist() == [1]
    with pytest.raises(GradcliError, match=r"line 2, column 2 \(b\): 'u' is not a number"):
        together.read(f"{tmp_path}/t.csv:b")
    with pytest.raises(GradcliError, match="no column 'x'"):
        together.read(f"{tmp_path}/t.csv:c,x")


def test_csv_ragged_rows_are_seen_when_columns_are_chosen(tmp_path: Path) -> None:
    assert "line 3 has 3 cells" in str(error(tmp_path, "a,b\n1,2\n3,4,5\n", "a"))


def test_names_from_a_file_cannot_reach_the_terminal_raw(tmp_path: Path) -> None:
    problem = error(tmp_path, "\x1b[31mred,b\n1,2\n", "x")
    assert "\x1b" not in " ".join(problem.diagnostic.help)
    assert "\x1b" not in str(error(tmp_path, "a,b\n1,\x1b[2J\n"))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(st.floats(), min_size=n, max_size=n), min_size=1, max_size=5)
    ),
    delimiter=st.sampled_from([",", ";", "\t"]),
    quote=st.booleans(),
    names=st.booleans(),
)
def test_csv_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[float]],
    delimiter: str,
    quote: bool,
    names: bool,
) -> None:
    def cell(value: object) -> str:
        return f'"{value}"' if quote else str(value)

    lines = [[f"c{i}" for i in range(len(rows[0]))]] * names + rows
    text = "\n".join(delimiter.join(map(cell, line)) for line in lines)
    array = table(tmp_path_factory.mktemp("t"), text)
    expected = np.array(rows)
    np.testing.assert_array_equal(array, expected if len(rows[0]) > 1 else expected[:, 0])


def test_what_is_missing_and_what_is_not_closed_is_said(tmp_path: Path) -> None:
    for word in ("NA", "null", "-"):
        problem = error(tmp_path, f"a,b\n1,2\n{word},3\n")
        assert "write nan for a missing value" in problem.diagnostic.help
    problem = error(tmp_path, 'a,b\n"1\n2",3\n')
    assert "line 2 does not close its quote" in str(problem)
    assert place(problem) == (2, 1, '"')
