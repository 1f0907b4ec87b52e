"""Settings in files: pyproject.toml, the user's file, and what comes before them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "a"\n[tool.gradcli]\ndtype = "float64"\nprecision = 2\n')
    return path


def test_a_project_sets_options_that_flags_and_environment_override(
    gradcli: Run, project: Path
) -> None:
    assert gradcli("eval", "1/x", "x=3", "--no-grad").stdout == "tensor(0.33)\n"
    done = gradcli("eval", "1/x", "x=3", "-f", "json")
    assert json.loads(done.stdout)["dtype"] == "float64"
    done = gradcli("eval", "1/x", "x=3", "--no-grad", "--dtype", "float32", GRADCLI_PRECISION="3")
    assert done.stdout == "tensor(0.333)\n"


def test_the_users_file_comes_last(gradcli: Run, tmp_path: Path, project: Path) -> None:
    config = tmp_path / "config"
    (config / "gradcli").mkdir(parents=True)
    (config / "gradcli" / "config.toml").write_text('dtype = "float16"\nseed = 7\n')
    done = gradcli("eval", "rand(2)", XDG_CONFIG_HOME=str(config))
    again = gradcli("eval", "rand(2)", "--seed", "7")
    assert done.stdout == again.stdout != ""
    done = gradcli("eval", "rand(2)", "-f", "json", XDG_CONFIG_HOME=str(config))
    assert json.loads(done.stdout)["dtype"] == "float64"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.gradcli]\nprecison = 3", "did you mean precision?"),
        ("[tool.gradcli]\nprecision = 'many'", "precision: 'many' is not a valid integer range"),
        ("[tool.gradcli]\nbackend = 'tortch'", "'tortch' is not one of 'numpy', 'jax'"),
        ("[tool.gradcli]\nbackend = 'tortch'", "help: did you mean torch?"),
        ("[tool.gradcli\n", "is no TOML"),
    ],
)
def test_mistakes_name_the_file(gradcli: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    done = gradcli("eval", "1")
    assert done.returncode == 2
    assert "pyproject.toml" in done.stderr
    assert said in done.stderr


def test_mistakes_name_the_variable_of_the_environment(gradcli: Run) -> None:
    done = gradcli("eval", "1", GRADCLI_BACKEND="jaxx")
    assert done.returncode == 2
    assert "error[G070]: invalid value for GRADCLI_BACKEND: 'jaxx' is not one of" in done.stderr
    assert "help: did you mean jax?" in done.stderr
    done = gradcli("eval", "1", "--backend", "jaxx", GRADCLI_BACKEND="numpy")
    assert "invalid value for '--backend': 'jaxx'" in done.stderr
