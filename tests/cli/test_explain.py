"""`gradcli explain`: every grad_fn name has a meaning, and an example that makes it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from gradcli.calculus.examples import EXAMPLES, example
from gradcli.cli.explain import SPECIAL, explained, makers

PINNED = Path(__file__).parent.parent / "conformance" / "grad_fn_names.json"
NAMES = sorted({name for name in json.loads(PINNED.read_text()).values() if "Backward" in name})


def test_every_name_of_pytorch_has_an_example_that_makes_it():
    for name in NAMES:
        found = example(name, makers(name)[0])
        assert found is not None, name
        assert found.output.grad_fn.name() == name


POSITIONS = [
    *("GatherBackward0", "IndexBackward0", "IndexSelectBackward0", "MaskedSelectBackward0"),
    *("MaxBackward0", "MinBackward0", "NllLossBackward0", "TakeBackward0"),
]
"""Steps whose gradients depend on positions."""


@pytest.mark.parametrize("name", sorted({*NAMES[::16], *POSITIONS}))
def test_every_name_is_explained(name):
    text = explained(name)
    assert text.startswith(f"{name}: the backward step of ")
    assert "\n  gradient by " in text
    assert f"grad_fn=<{name}" in text


def test_every_example_of_the_table_makes_its_name():
    for short, expression in EXAMPLES.items():
        name, digit = re.fullmatch(r"(\w+?)(\d(?:_copy)?)", short).groups()
        found = example(f"{name}Backward{digit}", {})
        assert found is not None, short
        assert found.expression == expression


@pytest.mark.parametrize("name", ["MmBackward0", "MaxBackward1", "IndexBackward0"])
def test_the_example_runs_as_it_stands(gradcli, name):
    text = gradcli("explain", name).stdout
    command, _, output = text.partition("example: ")[2].partition("\n")
    done = gradcli(*shlex.split(command)[1:])
    assert done.returncode == 0
    assert done.stdout.startswith(output.partition("\n\nThe")[0].strip())


def test_the_derivative_of_every_argument(gradcli):
    text = gradcli("explain", "MmBackward0").stdout
    assert "gradient by X: g@Y.T" in text
    assert "gradient by Y: X.T@g" in text


@pytest.mark.parametrize("name", SPECIAL)
def test_names_that_no_function_makes(gradcli, name):
    text = gradcli("explain", name).stdout
    script = shlex.split(text.partition("example: ")[2])[1].replace("\\n", "\n")
    done = gradcli("run", "-", stdin=script)
    assert done.stdout.strip() in (name, f"torch::autograd::{name}")


def test_steps_of_gradients(gradcli):
    text = gradcli("explain", "TanhBackwardBackward0").stdout
    assert "the backward step of TanhBackward0 itself" in text
    done = gradcli("explain", "SinBackwardBackward0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is neither an error code nor a grad_fn name" in done.stderr


def test_an_unknown_name_is_one_error(gradcli):
    done = gradcli("explain", "MulBackwrd0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean MulBackward0?" in done.stderr
