"""Programs with tensors print what they print under Python with PyTorch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = Path(__file__).with_name("tensor_programs.txt").read_text(encoding="utf-8")
PARTS = re.split(r"^=== (.*)$", TEXT, flags=re.MULTILINE)
PROGRAMS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_prints_what_it_prints_with_pytorch(name, gradcli_output, python_output):
    pytest.importorskip("torch")
    program = PROGRAMS[name]
    assert gradcli_output(program) == python_output(program)


def test_bare_names_mean_pytorchs_functions_on_tensors_and_pythons_elsewhere(gradcli_output):
    program = "x = ones(2, 2)\nprint(sum(x), max(x), mean(x), sum([1, 2]), max(1, 2), abs(-3))"
    assert gradcli_output(program) == "tensor(4.) tensor(1.) tensor(1.) 3 2 3\n"
    assert gradcli_output("mean = 3\nprint(mean)") == "3\n"


def test_graph_nodes_know_the_text_they_come_from():
    from gradcli.language.parser import parse_expression
    from gradcli.lowering.interpret import evaluate
    from gradcli.source import Source
    from gradcli.tensor import Tensor

    value = evaluate(parse_expression(Source("<expr>", "1 + ones(3).sum()")), {})
    assert isinstance(value, Tensor)
    variables = {"x": evaluate(parse_expression(Source("<x>", "ones(3)")), {})}
    variables["x"].requires_grad = True
    y = evaluate(parse_expression(Source("<expr>", "1 + exp(x)*2")), variables)
    assert y.node.span.text == "1 + exp(x)*2"
    assert y.node.inputs[0].span.text == "exp(x)*2"
