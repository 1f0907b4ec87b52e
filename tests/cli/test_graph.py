"""`gradcli graph` as a user calls it: what is drawn, in every format, of right and wrong input."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import ROOT, clean_environment

TUTORIAL = ["graph", "mean(3*(x+2)**2)", "x=ones(2,2)", "--values"]
TREE = """\
MeanBackward0  mean(3*(x+2)**2)  scalar float32  = 27  grad 1
└── MulBackward0  3*(x+2)**2  (2, 2) float32  = [27, 27, 27, 27]  grad [0.25, 0.25, 0.25, 0.25]
    └── PowBackward0  (x+2)**2  (2, 2) float32  = [9, 9, 9, 9]  grad [0.75, 0.75, 0.75, 0.75]
        └── AddBackward0  x+2  (2, 2) float32  = [3, 3, 3, 3]  grad [4.5, 4.5, 4.5, 4.5]
            └── x  (2, 2) float32  = [1, 1, 1, 1]  grad [4.5, 4.5, 4.5, 4.5]
"""


def record(gradcli, *arguments: str):
    done = gradcli("graph", *arguments, "--to", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def evaluated(gradcli, *arguments: str):
    return json.loads(gradcli("eval", *arguments, "-f", "json").stdout)


def test_the_tree(gradcli):
    done = gradcli(*TUTORIAL)
    assert (done.stdout, done.stderr, done.returncode) == (TREE, "", 0)
    coloured = gradcli(*TUTORIAL, "--color", "always").stdout
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == TREE
    assert coloured != TREE


def test_json_has_everything_a_box_has(gradcli):
    found = record(gradcli, "x*sin(x)", "x=2", "--values")
    boxes = {box["name"]: box for box in found["nodes"]}
    assert set(boxes) == {"x", "SinBackward0", "MulBackward0"}
    product = boxes["MulBackward0"]
    assert product["source"] == "x*sin(x)"
    assert product["span"] == [0, 8]
    assert product["derivative"] == {"x": "g*sin(x)", "sin(x)": "g*x"}
    assert product["grad"] == 1.0
    # 2 * cos(2) + sin(2) in float32, bit for bit what `eval` computes.
    assert boxes["x"]["grad"] == evaluated(gradcli, "x*sin(x)", "x=2")["grads"]["x"]
    assert boxes["x"]["grad"] == pytest.approx(0.0770038, rel=1e-5)
    ends = {(e["from"], e["to"]) for e in found["edges"]}
    assert ends == {(0, 1), (1, 2), (0, 2)}


def test_the_grad_fn_graph_is_pytorch_s(gradcli):
    torch = pytest.importorskip("torch")
    a, w, y = (torch.ones(s, requires_grad=True) for s in ((3, 2), (2,), (3,)))
    pending, names, edges = [((a @ w - y).relu() ** 2).sum().grad_fn], [], 0
    while pending:
        function = pending.pop()
        names.append(function.name())
        edges += len(function.next_functions)
        pending += [f for f, _ in function.next_functions if f and "Accumulate" not in f.name()]
    found = record(gradcli, "((X@w - y).relu()**2).sum()", "X:3,2", "w:2", "y:3")
    drawn = [box["name"] for box in found["nodes"] if box["kind"] == "function"]
    assert sorted(drawn) == sorted(names)
    assert len(found["edges"]) == edges


def test_declared_shapes_need_no_values(gradcli):
    found = record(gradcli, "sum((X@w - y)**2)", "X:m,n", "w:n", "y:m", "--values")
    boxes = {box["name"]: box for box in found["nodes"]}
    assert boxes["X"]["shape"] == ["m", "n"]
    assert boxes["SubBackward0"]["shape"] == ["m"]
    assert not any("value" in box for box in found["nodes"])


def test_gradients_of_ops_lead_to_the_gradient(gradcli):
    found = record(gradcli, "x*sin(x)", "x=2", "--level", "op", "--show", "both", "--values")
    (end,) = [box for box in found["nodes"] if box["name"] == "x.grad"]
    assert end["value"] == evaluated(gradcli, "x*sin(x)", "x=2")["grads"]["x"]
    assert {box["name"] for box in found["nodes"]} >= {"sin", "cos", "mul", "add"}
    alone = record(gradcli, "x*sin(x)", "x=2", "--level", "op", "--show", "backward")
    assert not any(edge["kind"] == "value" for edge in alone["edges"])


def test_directions_of_grad_fn_nodes(gradcli):
    both = record(gradcli, "exp(x)", "x=1", "--show", "both")["edges"]
    assert [(e["from"], e["to"], e["kind"]) for e in both] == [
        (0, 1, "value"),
        (1, 0, "gradient"),
    ]
    assert record(gradcli, "exp(x)", "x=1", "--show", "backward")["edges"] == both[1:]


def test_before_backward_there_is_no_gradient(gradcli):
    assert "grad" not in gradcli("graph", "exp(x)", "x=[1,2]", "--values").stdout.lower().replace(
        "expbackward", ""
    )
    done = gradcli("graph", "exp(x)", "x=[0,1]", "y=1", "--values", "--vjp", "[1,10]")
    assert "grad [1, 27.18]" in done.stdout


def test_an_expression_that_fails_is_drawn_up_to_the_error(gradcli, tmp_path: Path):
    done = gradcli("graph", "sin(y) + X@w", "X:m,n", "w:k", "y:m", "-o", "graph.svg")
    assert done.returncode == 2
    assert done.stderr.startswith("error[G021]")
    drawn = (tmp_path / "graph.svg").read_text()
    assert 'class="box error"' in drawn
    assert "SinBackward0" in drawn
    done = gradcli("graph", "sin(y) + X@w", "X=ones(2,3)", "w=ones(5)", "y=ones(2)", "--to", "json")
    found = json.loads(done.stdout)
    assert found["error"]["code"] == "G021"
    (error,) = [box for box in found["nodes"] if box["kind"] == "error"]
    names = {box["id"]: box["name"] for box in found["nodes"]}
    assert [names[e["from"]] for e in found["edges"] if e["to"] == error["id"]] == ["X", "w"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["3", "x=1"], "G025"),
        (["x*", "x=1"], "G001"),
        (["x", "x=1", "-o", "graph.xyz"], "G070"),
        (["x", "x=1", "-o", "missing/graph.svg"], "G053"),
        (["x", "x=1", "--to", "xyz"], "G070"),
        (["nosuch(x)", "x=1"], "G010"),
    ],
)
def test_wrong_input_is_one_block(gradcli, arguments, code, tmp_path: Path):
    done = gradcli("graph", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error[{code}]")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_svg_is_well_formed_whatever_the_text(gradcli):
    done = gradcli("graph", "where(x < 1, x & 1, {'<&\"'  : x}['<&\"'])", "x=tensor([1,2])", "y=1")
    assert "Traceback" not in done.stderr
    done = gradcli("graph", "{'<a&\"b>': x*2}['<a&\"b>'] + y", "x=1", "y=2", "--to", "svg")
    root = ET.fromstring(done.stdout)
    assert root.tag.endswith("svg")


def test_mermaid_and_dot_hold_every_box_and_arrow(gradcli):
    for format, arrow in (("mermaid", "-->"), ("dot", "->")):
        text = gradcli(*TUTORIAL, "--to", format).stdout
        assert text.count(f" {arrow} ") == 4
        assert text.count('["' if format == "mermaid" else "[label=") == 5
    if shutil.which("dot"):
        drawn = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, text=True)
        assert drawn.stdout.count("node ") == 5


FLOWCHART = r"""
start: "flowchart TD" _NL (_INDENT statement _NL)*
statement: NODE "[" LABEL "]" ":::" CLASS       -> box
         | NODE (" --> " | " -.-> ") NODE       -> arrow
         | "classDef " CLASS " " STYLE          -> style
NODE: /n[0-9]+/
CLASS: /[a-z]+/
STYLE: /fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}/
LABEL: /"([\w .,=+\-\/…]|#[0-9]+;|<br\/>)+"/
_INDENT: "  "
_NL: "\n"
"""
"""The part of Mermaid's grammar that flowcharts are written in; in a label only words, a few
signs and entities, because Mermaid and Markdown read most others. Mermaid 11 itself parsed the
flowcharts of all formulas of the tests in a browser.
"""
HOSTILE = """{'</a>"#;b|]:::x<&"' : x*2, 'end %% -->': x}['</a>"#;b|]:::x<&"'] + y"""


@pytest.mark.parametrize("options", [[], ["--show", "both"], ["--level", "op", "--show", "both"]])
@pytest.mark.parametrize(
    "drawn",
    [
        *(("mean(3*(x+2)**2)", "x=ones(2,2)", "--values"), (HOSTILE, "x:2", "y:2")),
        *(("sum(tanh(W@x + b))", "W:m,n", "x:n", "b:m"), ("mean((X@w - y)**2)", "X:m,n", "w:n")),
        ("X@w", "X:2,3", "w:4"),
    ],
)
def test_mermaid_holds_to_its_grammar(gradcli, drawn, options):
    """Every box has an arrow or stands alone, and a class that is defined."""
    lark = pytest.importorskip("lark")
    text = gradcli("graph", *drawn, *options, "--to", "mermaid").stdout
    found = lark.Lark(FLOWCHART, parser="earley", lexer="dynamic").parse(text)
    boxes = {str(x.children[0]): str(x.children[2]) for x in found.find_data("box")}
    ends = {str(end) for x in found.find_data("arrow") for end in x.children}
    assert ends <= set(boxes)
    assert boxes
    assert {str(x.children[0]) for x in found.find_data("style")} == set(boxes.values())


def test_png_has_the_picture_s_size(gradcli, tmp_path: Path):
    pytest.importorskip("resvg_py")
    done = gradcli(*TUTORIAL, "-o", "graph.png")
    if "needs a monospaced font" in done.stderr:
        pytest.skip("no font here")
    content = (tmp_path / "graph.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(content[i : i + 4], "big") for i in (16, 20))
    svg = ET.fromstring(gradcli(*TUTORIAL, "--to", "svg").stdout)
    assert abs(width - 2 * int(svg.get("width", ""))) <= 2
    assert abs(height - 2 * int(svg.get("height", ""))) <= 2


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 100 + "x" + "*2).sin()" * 100,
        "sum(stack([sin(k*x)*exp(-k*x) for k in range(100)]))",
        " + ".join(["x*x"] * 250),
    ],
    ids=["chain", "wide", "repeated"],
)
def test_large_graphs_make_a_page(gradcli, expression):
    root = ET.fromstring(gradcli("graph", expression, "x=1", "--to", "svg").stdout)
    ratio = int(root.get("width", "")) / int(root.get("height", ""))
    assert 0.4 < ratio < 4


def test_without_the_layout_package_only_pictures_are_refused(gradcli, tmp_path) -> None:
    """The extra `graph`: a tree, DOT, Mermaid and JSON need nothing."""
    (tmp_path / "fast_sugiyama.py").write_text("raise ImportError")
    missing = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    for to in ("text", "dot", "mermaid", "json"):
        assert gradcli("graph", "sum(x**2)", "x=[1,2]", "--to", to, **missing).returncode == 0
    refused = gradcli("graph", "sum(x**2)", "x=[1,2]", "-o", "g.svg", **missing)
    assert refused.returncode == 2
    assert "pip install 'gradcli[graph]'" in refused.stderr
    assert not (tmp_path / "g.svg").exists()


def test_an_array_of_one_integer_has_a_text(gradcli):
    arguments = ("x=[1,1,2,3]", "--level", "op", "--values")
    done = gradcli("graph", "max_pool1d(x.view(1,1,-1),2).sum()", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "index  max_pool1d(x.view(1,1,-1),2)  (1, 2) float32  = [1, 3]" in done.stdout


@pytest.mark.parametrize("width", [80, 20])
def test_values_in_a_terminal_are_cut_to_its_width(gradcli, tmp_path: Path, width: int) -> None:
    arguments = ["graph", "sum(exp(sin(A@x))*cos(A@x)*exp(sin(A@x)))", "A=eye(4)/7", "--values"]
    arguments += ["x=[0.1234,0.2345,0.3456,0.4567]", "--vjp", "1"]
    whole = gradcli(*arguments, COLUMNS=str(width)).stdout.splitlines()  # a pipe: nothing is cut
    assert max(map(len, whole)) > 80
    shown = pexpect.spawn(
        sys.executable,
        ["-m", "gradcli", *arguments],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        | {"COLUMNS": str(width)},
        encoding="utf-8",
        timeout=30,
    )
    shown.expect(pexpect.EOF)
    for line, full in zip(shown.before.splitlines(), whole, strict=True):
        title, _, rest = full.partition("  ")
        assert line.startswith(title)
        assert len(line) <= width or width < 80  # at 20 columns the title and the shape stay
        if len(full) <= width:
            assert line == full
        elif "  (4,) float32" in rest:
            assert "  (4,) float32" in line
            assert len(line) < len(full)
    assert "…" in shown.before


def test_a_result_without_a_gradient_has_a_graph(gradcli):
    done = gradcli("graph", "argmax(x) > 0", "x=[1,2]")
    lines = done.stdout.splitlines()
    assert lines[0] == "gt  argmax(x) > 0  scalar bool"
    assert lines[1].startswith("├── argmax  argmax(x)  scalar int64")
    assert lines[-1] == "└── 0"


def test_a_file_without_a_suffix_holds_the_tree(gradcli, tmp_path: Path):
    assert gradcli("graph", "x*sin(x)", "x=2", "-o", "tree").returncode == 0
    shown = gradcli("graph", "x*sin(x)", "x=2", "-o", "/dev/stdout").stdout
    assert (tmp_path / "tree").read_text() == shown
    assert shown.startswith("MulBackward0  x*sin(x)")
