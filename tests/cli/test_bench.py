"""`gradcli bench`: what it prints, and that peers are compared and not trusted. No times."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from gradcli.benching.peers import PEERS, Peer, Problem, own
from gradcli.benching.timing import compare
from gradcli.errors import GradcliError
from gradcli.language.parser import parse_expression
from gradcli.render.benching import as_json, duration, table
from gradcli.source import Source
from tests.cli.conftest import in_its_own_process


def problem(text: str, wrt: tuple[str, ...] = (), **values: Any) -> Problem:
    return Problem(parse_expression(Source("<expr>", text)), values, wrt)


def peer(name: str, call: Callable[[], list[Any]]) -> Peer:
    return Peer(name, "numpy", lambda problem: call)


def quiet(part: float) -> None:
    assert part > 0


def test_the_command_prints_json(gradcli: Any) -> None:
    arguments = ("bench", "sum(x**2)", "x=[1,2]", "-f", "json", "--seconds", "0.05")
    done = gradcli(*arguments)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["expression"] == "sum(x**2)"
    assert found["wrt"] == ["x"]
    first = found["timings"][0]
    assert first["name"] == "gradcli numpy"
    assert first["ratio"] == 1
    assert all(t["agrees"] for t in found["timings"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sum(x", "x=1"), "G001"),
        (("sum(x @ y)", "x=[1,2]", "y=[1,2,3]"), "G02"),
        (("x + z", "x=1"), "G01"),
        (("x", "x:n"), "G012"),
        (("x", "x=1", "-w", "y"), "G012"),
    ],
)
def test_mistakes_are_refused(gradcli: Any, arguments: tuple[str, ...], message: str) -> None:
    done = gradcli("bench", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr


def test_a_peer_that_fails_or_differs_is_said_to() -> None:
    def fails() -> list[Any]:
        raise NameError("softsign")

    wrong, right = [np.float32(5.0)], [np.float32(4.0)]
    peers = [own("numpy"), peer("a", fails), peer("b", lambda: wrong), peer("c", lambda: right)]
    timings = compare(problem("x * 2", x=np.float32(2)), peers, 0.01, quiet)
    assert [t.agrees for t in timings] == [True, None, False, True]
    text = table(timings)
    assert "a cannot run it: NameError: softsign" in text
    assert "b gives other numbers" in text
    assert "c gives" not in text
    records = json.loads(as_json("x * 2", [], timings))["timings"]
    assert [("error" in r) for r in records] == [False, True, False, False]


def test_gradcli_s_own_errors_end_it() -> None:
    with pytest.raises(GradcliError):
        compare(problem("x @ x", x=np.ones((2, 3))), [own("numpy")], 0.01, quiet)


@pytest.mark.parametrize("number", [0, 1])
def test_peers_compute_the_same(number: int) -> None:
    if find_spec(PEERS[number].package) is None:
        pytest.skip(f"{PEERS[number].package} is not installed")
    in_its_own_process(f"import test_bench; test_bench.compare_peer({number})")


def compare_peer(number: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 3)), rng.standard_normal(3)
    text = "mean(tanh(x @ w)**2) + sum(softmax(w, 0) * k)"
    given = problem(text, ("w",), x=x, w=w, k=2.0)
    peers = [own("numpy"), own(PEERS[number].package), PEERS[number]]
    timings = compare(given, peers, 0.01, quiet)
    assert [t.error for t in timings] == ["", "", ""]
    assert [t.agrees for t in timings] == [True, True, True]


def test_names_and_paths_of_the_language_reach_peers() -> None:
    given = problem("torch.nn.functional.relu(x).sum() * math.sqrt(4) + exp(x.mean())", x=1.0)
    f = given.function(["numpy"])
    with pytest.raises(AttributeError):  # NumPy has no relu: absent, not found elsewhere
        f(x=np.ones(2))
    assert problem("math.sqrt(x) + torch.exp(x)", x=1.0).function(["numpy"])(x=4.0) > 56


@pytest.mark.parametrize(
    "text",
    [
        "x if 1 else os.system",
        "x if 1 else torch.os",
        "x if 1 else torch.load('a.pt')",
        "x if 1 else load('a.pt')",
        "x if 1 else torch.nn.functional.os",
        "x if 1 else F.torch.os",
    ],
)
def test_branches_not_taken_lead_peers_nowhere(text: str) -> None:
    otherwise = problem(text.replace("if 1", "if 0"), x=1.0)
    modules = ["os", "numpy", "torch"] if find_spec("torch") else ["os", "numpy"]
    with pytest.raises((NameError, AttributeError, ValueError)):
        otherwise.function(modules)(x=1.0)


@pytest.mark.parametrize("text", ["x.sum().foo", "x.tofile('a')", "(lambda y: y.dump)(x)"])
def test_peers_see_attributes_of_tensors_only(text: str) -> None:
    with pytest.raises(ValueError, match="no attribute of a tensor"):
        problem(text, x=1.0).function(["numpy"])


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.0, "2 s"), (0.0123, "12.3 ms"), (1.5e-6, "1.5 us"), (5e-10, "0.5 ns")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
