"""`gradcli.function` gives what `evaluate` gives, to the bit, whether it has a plan or not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli import planned
from gradcli.execute import evaluate, tiles

NUMBERS = np.random.default_rng(0)
EXPRESSIONS: list[tuple[str, dict[str, tuple[int, ...]], dict[str, Any]]] = [
    ("mean(3*(x+2)**2)", {"x": (2, 2)}, {}),
    ("x", {"x": (3,)}, {"gradients": False}),
    ("x**2 * sin(y)", {"x": (), "y": ()}, {}),
    ("sum(exp(X@w))", {"X": (5, 3), "w": (3,)}, {"hessian": True, "wrt": ["w"]}),
    ("softmax(x, -1) * y", {"x": (3, 4), "y": (4,)}, {"jacobian": True}),
    ("logsumexp(x, 0).sum() + x.max() - x.prod()", {"x": (3, 2)}, {"hessian": True}),
    ("linalg.inv(x @ x.T + eye(3)).trace()", {"x": (3, 3)}, {}),
    ("where(x > 0, x**3, -x).T[0, 1:] @ y", {"x": (4, 2), "y": (3,)}, {}),
    ("(lambda a: a * a + a)(x).sum()", {"x": (4,)}, {"hvp": {"x": np.ones(4)}}),
    ("tanh(x) @ x.T", {"x": (2, 3)}, {"jvp": {"x": np.ones((2, 3))}}),
    ("sum([x * k for k in range(3)]).norm()", {"x": (3,)}, {}),
    ("linalg.eigh(x + x.T)[0].sum()", {"x": (3, 3)}, {}),
    ("x if x > 0 else 2*x", {"x": ()}, {}),
    ("x * x.sum().item()", {"x": (3,)}, {"jacobian": True}),
    ("x.add(1).mul_(2).sum()", {"x": (3,)}, {}),
    ("zeros(3) + x[x > 0].sum()", {"x": (5,)}, {"jacobian": True}),
    ("0*y + 1", {"x": (2,), "y": ()}, {}),
]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if a is None or b is None:
        return a is b
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_same(f: gradcli.Function, text: str, given: dict[str, Any], **options: Any) -> None:
    cotangent = options.pop("cotangent", None)
    found = f(cotangent=cotangent, **given)
    wanted = gradcli.evaluate(text, given, cotangent=cotangent, **options)
    for name in ("value", "grads", "jacobian", "hessian"):
        assert same(getattr(found, name), getattr(wanted, name)), name
    assert found.grad_fn == wanted.grad_fn
    assert repr(found.output) == repr(wanted.output)
    assert same(arrays({"": found.tangent}), arrays({"": wanted.tangent}))
    assert same(arrays(found.products), arrays(wanted.products))


def arrays(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: None if x is None else x.array() for name, x in tensors.items()}


@pytest.mark.parametrize(("text", "shapes", "options"), EXPRESSIONS, ids=lambda v: str(v)[:24])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_function_gives_what_evaluate_gives(
    text: str, shapes: dict[str, tuple[int, ...]], options: dict[str, Any], dtype: Any
) -> None:
    options = {
        key: {n: v.astype(dtype) for n, v in value.items()} if key in ("hvp", "jvp") else value
        for key, value in options.items()
    }
    f = gradcli.function(text, **options)
    for _ in range(3):
        given = {n: np.asarray(NUMBERS.normal(size=s), dtype) for n, s in shapes.items()}
        assert_same(f, text, given, **options)


def test_other_shapes_and_numbers_get_plans_of_their_own() -> None:
    text = "(x * k).sum() if flag else x.mean()"
    f = gradcli.function(text)
    for x in ([1.0, 2.0], [[1.0], [4.0]], 3, [5.0, 6.0], np.arange(3.0)):
        for k in (2, 0.5):
            for flag in (True, False):
                assert_same(f, text, {"x": x, "k": k, "flag": flag})


def test_a_cotangent_belongs_to_the_call() -> None:
    f = gradcli.function("exp(x)")
    for seed in ([1.0, 10.0], [2.0, 0.0], None):
        assert_same(f, "exp(x)", {"x": [0.5, -1.0]}, cotangent=seed)


def test_random_numbers_are_drawn_anew() -> None:
    f = gradcli.function("x + rand(())")
    assert f(x=1.0).value != f(x=1.0).value


def test_results_stay_what_they_were() -> None:
    f = gradcli.function("x * 2")
    first = f(x=[1.0, 2.0])
    second = f(x=[3.0, 4.0])
    third = f(x=[5.0, 6.0])
    assert [r.value.tolist() for r in (first, second, third)] == [[2, 4], [6, 8], [10, 12]]


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("sum((x@V.T - A)**2)", (30, 5)),
        ("sum((x@V.T - A)**2) + (x[:, 0]**4).sum()", (30, 5)),
        ("sum(exp(x))", (100,)),
        ("sum(sin(x.flip(0)).T*x.flip(0).T)", (50, 3)),
        ("sum(exp(x[:3]))", (120,)),
    ],
)
def test_what_is_mostly_zero_is_made_anew(text: str, x: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    fixed = {"V": rng.standard_normal((7, 5)), "A": rng.standard_normal((30, 7))}
    given = {n: v for n, v in fixed.items() if n in text}
    f = gradcli.function(text, wrt=["x"], hessian=True)
    for _ in range(4):
        given["x"] = rng.standard_normal(x)
        found = f(**given).hessian["x"]["x"]
        expected = gradcli.evaluate(text, given, wrt=["x"], hessian=True).hessian["x"]["x"]
        np.testing.assert_array_equal(found, expected)
        assert np.array_equal(np.signbit(found), np.signbit(expected))
        found[...] = 7.0  # its own memory


def test_the_graph_of_a_planned_result_is_used_up() -> None:
    f = gradcli.function("(x**2).sum()")
    for _ in range(2):
        output = f(x=[1.0, 2.0]).output
        with pytest.raises(gradcli.GradcliError, match="backward through the graph a second time"):
            output.backward()


def test_mistakes_are_refused_each_time() -> None:
    f = gradcli.function("x @ w")
    good = {"x": np.ones((2, 3)), "w": np.ones(3)}
    f(**good)
    for _ in range(2):
        with pytest.raises(gradcli.GradcliError, match="size mismatch"):
            f(x=np.ones((2, 3)), w=np.ones(4))
        with pytest.raises(gradcli.GradcliError, match=r"no value|not defined"):
            f(x=np.ones((2, 3)))
    f(**good)


def test_many_threads_may_call_one_function() -> None:
    f = gradcli.function("sum(x**3)")
    f(x=np.zeros(50))

    def cube(k: int) -> float:
        return float(f(x=np.full(50, float(k))).value)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(cube, range(300)))
    assert found == [50.0 * k**3 for k in range(300)]


LARGE = [
    "mean(tanh(x)*exp(-x*x)+log1p(exp(x)))",
    "sum(((x-x.mean(1,keepdim=True))/x.std(1,keepdim=True))**2*x*v)",
    "mean(softplus(x@v)-u*(x@v)) + v.exp().sum()",
    "x.T * 2",
    "(x*2 + v.sum()).relu_().sum(0) @ v",
    "logsumexp(v - 0.5*(((x[:,None,:] - outer(v, v))*exp(-v))**2).sum(-1), 1).mean()",
    "sum(x) if x.mean() > 0 else sum(x**2)",
]


@pytest.mark.parametrize("text", LARGE)
def test_large_values_are_swept_again(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "LARGEST", 1000)
    monkeypatch.setattr(evaluate, "SMALL", 100)
    monkeypatch.setattr(evaluate, "SWEEP", 1000)
    monkeypatch.setattr(tiles, "TILE", 4096)
    f = gradcli.function(text)
    shapes = {"x": (500, 5), "v": (5,), "u": (500,)}
    given = {n: NUMBERS.normal(size=s) for n, s in shapes.items() if n in text}
    results = []
    for _ in range(3):
        given = {n: NUMBERS.normal(size=x.shape) for n, x in given.items()}
        assert_same(f, text, given)
        results.append((f(**given), given))
    for found, values in results:
        assert same(found.grads, gradcli.evaluate(text, values).grads)
        assert not any(np.may_share_memory(found.value, x) for x in values.values())
    if " if " not in text:
        assert type(next(iter(f._plans.values())).program).__name__ == "Swept"


def test_what_is_asked_about_large_values_is_computed_at_the_same_places() -> None:
    f = gradcli.function("sum(quantile(x, 0.3, 1))")
    for _ in range(3):
        x = NUMBERS.normal(size=(10**4, 200))
        np.testing.assert_allclose(f(x=x).value, np.quantile(x, 0.3, axis=1).sum())


def test_positions_are_checked_in_each_call() -> None:
    for text in ("cross_entropy(x, t)", "x[t, t].sum()", "x.gather(1, t[:,None]).exp().sum()"):
        f = gradcli.function(text)
        x = NUMBERS.normal(size=(6, 5))
        for t in ([0, 1, 2, 3, 4, 0], [4, 4, 0, 1, 0, 2], [-1, 0, 1, 2, 3, 4]):
            given = {"x": x, "t": np.array(t)}
            if min(t) < 0 and "[t, t]" not in text:
                with pytest.raises(gradcli.GradcliError, match="out of bounds"):
                    f(**given)
            else:
                assert_same(f, text, given)
        with pytest.raises(gradcli.GradcliError, match="out of bounds"):
            f(x=x, t=np.array([0, 1, 2, 3, 4, 5]))
        assert type(next(iter(f._plans.values())).program).__name__ == "Straight"
    f = gradcli.function("cross_entropy(x, t)")
    for t in ([0, 1, 2, 3, 4, 0], [-100, 1, -100, 3, 4, 0], [1, 1, 1, 1, 1, -100]):
        assert_same(f, "cross_entropy(x, t)", {"x": x, "t": np.array(t)})
