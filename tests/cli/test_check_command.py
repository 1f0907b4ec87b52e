"""`gradcli check` as a user calls it: formats, files of checks, exit codes, CI."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from gradcli.checks.file import records
from gradcli.errors import GradcliError
from gradcli.source import Source

ROOT = Path(__file__).parent.parent.parent
WRONG = ["check", "mean(x**2)", "x:n", "--expect", "2*x"]
FILE = """
[[check]]
name = "right"
expression = "sum(x**2)"
shapes = { x = "n" }
expect = "2*x"

[[check]]
name = "wrong, by: 1/n | %"
expression = "mean(x**2)"
shapes = { x = "n" }
expect = { x = "2*x" }

[[check]]
name = "broken"
expression = "sum(x@w)"
shapes = { x = "m,n", w = ["m"] }
"""


def test_a_right_and_a_wrong_derivative(gradcli):
    done = gradcli("check", "mean(3*(x+2)**2)", "x=ones(2,2)", "--expect", "6*(x+2)/4")
    assert (done.returncode, done.stderr) == (0, "")
    assert "autodiff, differences and the hand-written derivative agree" in done.stdout
    done = gradcli(*WRONG)
    assert done.returncode == 1
    assert "the hand-written derivative is wrong" in done.stdout
    assert "slip: the factor 1/numel(x) is missing" in done.stdout


def test_json_is_the_contract_s_list(gradcli):
    (record,) = json.loads(gradcli(*WRONG, "-f", "json").stdout)
    assert set(record) >= {"name", "variable", "ok", "verdict", "max_error", "worst", "slip"}
    assert (record["name"], record["variable"], record["ok"]) == ("mean(x**2)", "x", False)
    assert record["max_error"] == pytest.approx(4 / 5)
    for worst, size in zip(record["worst"], [3, 3, 3, 5, 5], strict=True):
        assert worst["expected"] == pytest.approx(size * worst["autodiff"])


def test_several_variables_and_a_formula_from_a_file(gradcli, tmp_path: Path):
    (tmp_path / "w.txt").write_text("2*X.T@(X@w - y)\n")
    done = gradcli(
        *["check", "sum((X@w - y)**2)", "X:m,n", "w:n", "y:m"],
        *["--expect", "w=@w.txt", "-e", "y=-2*(X@w - y)"],
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("hand-written derivative agree") == 2
    assert done.stdout.count("autodiff and differences agree") == 1


def test_a_variable_without_shape_gets_one(gradcli):
    done = gradcli("check", "x**2*sin(x)", "--expect", "2*x*sin(x) + x**2*cos(x)")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "help"),
    [
        (["x*y", "x=1", "y=2", "-e", "y"], "G070", "--expect x=FORMULA"),
        (["x", "x=1", "-e", "z=3"], "G012", "there are x"),
        (["3"], "G012", "x=3"),
        (["x > 1", "x=2"], "G025", ".float()"),
        (["x", "x=tensor([1])"], "G012", "x=3"),
        (["X@w", "X:m,n", "w:m"], "G021", "X.T @ w"),
        (["x**2", "x=2", "-e", "2*("], "G001", ""),
        (["x**2", "x=2", "-e", "@missing"], "G050", ""),
        (["nofile.toml"], "G050", ""),
        (["x", "x=1", "--samples", "0"], "G070", ""),
        (["abs(x)", "x=[1+1j,2]"], "G025", "torch.complex(a, b)"),
    ],
)
def test_wrong_input_is_one_block(gradcli, arguments, code, help):
    done = gradcli("check", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error[{code}]")
    assert help in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("a = 1", "a is no check"),
        ("", "there is no check"),
        ("[[check", "expected ']]'"),
        ("[[check]]\nnam = 'x'", "a check has no key nam"),
        ("[[check]]\nexpression = 3", "expression must be a text"),
        ("[[check]]\nexpression = 'x'\norder = 3", "order must be 1 or 2"),
        ("[[check]]\nexpression = 'x'\nsamples = true", "samples must be a number"),
        ("[[check]]\nexpression = 'x'\nexpect = [1]", "expect"),
        ("[[check]]\nexpression = 'x'\nwrt = 3", "wrt must be"),
        ("[[check]]\nexpression = 'x'\nwrt = [3]", "wrt must be names"),
        ("[[check]]\nexpression = 'x'\nseed = 99999999999999999999", "seed must be from 0"),
        ("[[check]]\nexpression = 'x'\nsamples = 100000000", "samples must be from 1 to 1000"),
        ("[[check]]\nexpression = 'x'\ntolerance = nan", "tolerance must be a positive number"),
        ("[[check]]\nname='a'\nexpression='x'\n[[check]]\nname='a'\nexpression='x'", "two checks"),
    ],
)
def test_a_malformed_file_is_one_error_with_its_line(text, fact):
    with pytest.raises(GradcliError) as caught:
        records(Source("checks.toml", text))
    shown = caught.value.diagnostic
    assert shown.code == "G051"
    assert shown.message.startswith(fact)
    assert shown.labels[0].span.source.name == "checks.toml"


def test_a_malformed_file_ends_the_command(gradcli, tmp_path: Path):
    (tmp_path / "checks.toml").write_text("\n[[check]]\nnam = 'x'")
    done = gradcli("check", "checks.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "checks.toml:2:1" in done.stderr
    assert "did you mean name?" in done.stderr


def test_one_broken_check_does_not_stop_the_others(gradcli, tmp_path: Path):
    (tmp_path / "checks.toml").write_text(FILE)
    done = gradcli("check", "checks.toml")
    assert (done.returncode, done.stderr) == (2, "")
    assert [line[:4] for line in done.stdout.splitlines() if line[:4] in ("ok  ", "FAIL")] == [
        "ok  ",
        "FAIL",
        "FAIL",
    ]
    assert "error[G021]" in done.stdout
    assert "3 derivatives checked, 2 failed" in done.stdout


def test_github_annotations_and_summary(gradcli, tmp_path: Path):
    (tmp_path / "checks.toml").write_text(FILE)
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    done = gradcli("check", "checks.toml", "-f", "github", GITHUB_STEP_SUMMARY=str(summary))
    lines = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert lines[0].startswith(
        "::error file=checks.toml,line=8,col=1,title=G080 wrong%2C by%3A 1/n | %25 (x),"
    )
    assert lines[1].startswith("::error file=checks.toml,line=16,col=19,")
    assert "slip: the factor 1/numel(x) is missing" in done.stdout  # the plain report, too
    written = summary.read_text()
    assert written.startswith("before\n### gradcli check: 1 of 3")
    assert "wrong, by: 1/n \\| %" in written


def test_junit_and_sarif_are_well_formed(gradcli, tmp_path: Path):
    (tmp_path / "checks.toml").write_text(FILE)
    tree = ET.fromstring(gradcli("check", "checks.toml", "-f", "junit").stdout)
    cases = tree.findall(".//testcase")
    assert [(c.get("classname"), c.get("name"), len(c)) for c in cases] == [
        ("right", "x", 0),
        ("wrong, by: 1/n | %", "x", 1),
        ("broken", "expression", 1),
    ]
    for element in (tree, *tree.findall("testsuite")):
        assert [element.get(k) for k in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert [(c.get("file"), c.get("line")) for c in cases] == [
        ("checks.toml", line) for line in ("2", "8", "16")
    ]
    assert all(float(c.get("time", "")) >= 0 for c in cases)
    done = gradcli("check", "checks.toml", "-f", "sarif", "-o", "r.sarif")
    assert (done.stdout, done.returncode) == ("", 2)
    log = json.loads((tmp_path / "r.sarif").read_text())
    assert_sarif(log)
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "checks.toml"
    assert place["region"]["startLine"] == 8


def assert_sarif(log: dict[str, Any]) -> None:
    """What the schema of SARIF 2.1.0 asks of the parts that are written."""
    assert set(log) <= {"$schema", "version", "runs", "inlineExternalProperties", "properties"}
    assert log["version"] == "2.1.0"
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        assert isinstance(driver["name"], str)
        rules = [rule["id"] for rule in driver["rules"]]
        assert len(set(rules)) == len(rules)
        assert all(isinstance(rule["shortDescription"]["text"], str) for rule in driver["rules"])
        assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        for result in run["results"]:
            assert result["ruleId"] in rules
            assert result["level"] in ("none", "note", "warning", "error")
            assert isinstance(result["message"]["text"], str)
            for place in result["locations"]:
                assert set(place) <= {"logicalLocations", "physicalLocation"}
                assert place["logicalLocations"][0]["fullyQualifiedName"]
                if "physicalLocation" in place:
                    uri = place["physicalLocation"]["artifactLocation"]["uri"]
                    assert re.fullmatch(r"[\w.~!$&'()*+,;=:@/%-]+", uri, re.ASCII)
                    region = place["physicalLocation"]["region"]
                    assert region["startLine"] >= 1
                    assert 1 <= region["startColumn"] <= region["endColumn"]


def test_names_and_paths_cannot_break_a_report(gradcli, tmp_path: Path):
    """Line ends would be commands to GitHub, bars and stars Markdown, blanks no URI."""
    (tmp_path / "my checks é.toml").write_text(
        '[[check]]\nname = "a\\n::error::b | *c* <img> `d`"\nexpression = "x**2"\nexpect = "x"\n'
    )
    summary = tmp_path / "summary.md"
    done = gradcli("check", "my checks é.toml", "-f", "github", GITHUB_STEP_SUMMARY=str(summary))
    commands = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert len(commands) == 1
    assert "title=G080 a%0A%3A%3Aerror%3A%3Ab | *c* <img>" in commands[0]
    row = summary.read_text().splitlines()[-1]
    assert r"a ::error::b \| \*c\* \<img\> \`d\`" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    done = gradcli("check", "my checks é.toml", "-f", "sarif")
    assert_sarif(json.loads(done.stdout))
    assert '"my%20checks%20%C3%A9.toml"' in done.stdout
    done = gradcli("check", "x**2", "-e", "x", "-f", "sarif")
    assert_sarif(json.loads(done.stdout))


def blocks(path: str) -> list[str]:
    """The `run: |` blocks of a YAML file."""
    text = (ROOT / path).read_text()
    found = re.findall(r"^( +)run: \|\n((?:\1  .*\n|\n)+)", text, re.MULTILINE)
    return [
        "\n".join(line[len(indent) + 2 :] for line in body.split("\n")) for indent, body in found
    ]


def test_the_sample_repository_passes_with_the_action_s_own_step(tmp_path: Path):
    """The step of action.yml, run by bash as GitHub runs it, in the sample repository."""
    tool = tmp_path / "gradcli" / "bin" / "gradcli"
    tool.parent.mkdir(parents=True)
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m gradcli "$@"\n')
    tool.chmod(0o755)
    summary = tmp_path / "summary.md"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", blocks("action.yml")[-1]],
        capture_output=True,
        text=True,
        cwd=ROOT / "samples" / "ci",
        env={
            **os.environ,
            "RUNNER_TEMP": str(tmp_path),
            "GRADCLI_CHECKS": "checks.toml",
            "GITHUB_STEP_SUMMARY": str(summary),
            "PYTHONPATH": str(ROOT),
        },
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout
    assert summary.read_text().count(":white_check_mark:") >= 5


def test_the_hook_runs_the_command_that_there_is(gradcli):
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text()
    entry = re.search(r"entry: gradcli (.*)", hook)
    files = re.search(r"files: (.*)", hook)
    assert entry
    assert files
    assert re.search(files[1], "some/checks.toml")
    done = gradcli(*entry[1].split(), str(ROOT / "samples/ci/checks.toml"))
    assert done.returncode == 0


def test_declared_sizes_are_known_to_expressions_and_formulas(gradcli):
    arguments = ("sum((X@w - y)**2)/m + sum(layer_norm(w, (n,)))*0", "X:m,n", "w:n", "y:m")
    done = gradcli("check", *arguments, "-w", "w", "-e", "w=2*X.T@(X@w - y)/m")
    assert done.returncode == 0, done.stdout
    done = gradcli("check", *arguments, "-w", "w", "-e", "w=2*X.T@(X@w - y)/n")
    assert done.returncode == 1
    assert "it has 1/numel(w) where 1/numel(y) belongs" in done.stdout


def test_a_mistake_inside_a_file_has_its_place_in_the_file(gradcli, tmp_path: Path):
    file = tmp_path / "checks.toml"
    file.write_text(
        '[[check]]\nname = "a"\nexpression = """\n  sum(x**2 +\n      x***2)"""\nexpect = "2*x"\n\n'
        '[[check]]\nname = "b"\nexpression = "sum(x**2)"\nshapes = {x = "n"}\n'
        'expect = {x = "2*x + yy"}\n'
    )
    done = gradcli("check", str(file), "--format", "github")
    assert f"file={file},line=5,col=10," in done.stdout
    assert f"file={file},line=12,col=22," in done.stdout
    assert f"--> {file}:5:10" in done.stdout
