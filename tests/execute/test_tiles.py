"""Sweeps over tiles give what node-by-node evaluation gives: any expression, any shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.execute import evaluate, lines, narrow, schedule, threads, tiles


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "SMALL", 0)
    monkeypatch.setattr(tiles, "TILE", 512)
    monkeypatch.setattr(tiles, "CALL", 0)
    monkeypatch.setattr(schedule, "SMALL", 0)
    monkeypatch.setattr(schedule, "BRANCH", 1)
    monkeypatch.setattr(narrow, "LEAST", 30)
    monkeypatch.setattr(lines, "LINE", 16)
    monkeypatch.setattr(lines, "STEPS", (4, 2))


def both(
    expression: str, bindings: dict[str, np.ndarray], *, ones: bool = False
) -> list[dict[str, np.ndarray | None]]:
    found = []
    cotangent = np.ones(300, np.float32) if ones else None
    before = evaluate.SWEEP
    for sweep in (0, 1 << 60):
        evaluate.SWEEP = sweep
        try:
            result = gradcli.evaluate(expression, bindings, cotangent=cotangent)
            found.append({"value": result.value, **result.grads})
        finally:
            evaluate.SWEEP = before
    return found


def same(expression: str, bindings: dict[str, np.ndarray]) -> None:
    swept, plain = both(expression, bindings)
    assert swept.keys() == plain.keys()
    for name, expected in plain.items():
        if expected is None:
            assert swept[name] is None
            continue
        assert swept[name].shape == expected.shape, name
        assert swept[name].dtype == expected.dtype, name
        np.testing.assert_allclose(swept[name], expected, rtol=1e-9, atol=1e-11, err_msg=name)


EXPRESSIONS = [
    "mean(3*(x+2)**2)",
    "mean(tanh(x)*exp(-x*x)+log1p(exp(x)))",
    "sum(where(x>0,x,0.1*x)*x)",
    "sum(where(x>0,-x,3*x))",
    "sum(clamp(x,-1,1)*x)",
    "sum(where(x>0,0,where(v>0,0,x*v)))",
    "sum(where(x>0,where(v>0,x*v,0),0))",
    "sum(where(x>0,where(v>0,0,x*v),0)) + sum(where(v>1,0,where(x>0.5,3*x*v,0)))",
    "sum(where(x*v>=1,0*x,where(x*v<=0,0.5-x*v,0.5*(1-x*v)**2)))",
    "sum(where(x>v,0.9*(x-v),0.1*(v-x)))",
    "sum(relu(1-x*v)**2)",
    "sum(x**5 + v**-3)",
    "sum(x*v)",
    "sum(x*u[:,None])",
    "sum(softmax(x,1)*x)",
    "sum(log_softmax(x,0)*x)",
    "sum(((x-x.mean(1,keepdim=True))/x.std(1,keepdim=True))**2*x)",
    "sum(((x-x.mean(0))/(x.std(0)+1))**2*x)",
    "sum(x.T*exp(x.T))",
    "x.std() + x.var() + x.norm()",
    "mean((x@v-u)**2)",
    "mean(softplus(x@v)-u*(x@v))",
    "sum((x.T@x)**2)",
    "sum((x@x.T)*2)",
    "sum(x[1:]*x[:-1])",
    "sum(x[:,1:]*v[1:])",
    "sum(where(x>0,x,x*x))",
    "x.amax() + x.amin(0).sum() + x.amax(1).sum()",
    "sum(x.reshape(-1)*2)",
    "sum(cat([x, x*2]) ** 2)",
    "sum(cumsum(x, 1) * x)",
    "sum(x.sum(1).exp() * u)",
    "sum(exp(x[:,:,None]*v).sum(2, True).sum((0, 2))*v) + exp(x).sum(1, True).sum(1).sum()**2",
    "x.sum(0).sum() * x.sum(1).sum() + x.sum(1).exp().sum()",
    "mean(sigmoid(x) * relu(x))",
    "((x - x.mean())**2).mean() * x.sum()",
    "sum(x * 0 + x.expand(3, *x.shape))",
    "logsumexp(x, 1).sum() + logsumexp(x, (0, 1))",
    "mean(log1p(x*x) - 2*x/(1+x*x)/3 + (3*x + 3*x*v)*0.5)",
    "cross_entropy(x, (u.abs()*100).long() % 5)",
    "cross_entropy(x.T, (v.abs()*100).long() % u.shape[0])",
    "nll_loss(-x*x, (u.abs()*100).long() % 5, weight=v.detach().abs())",
    "sum(softmax(x, 1) - one_hot((u.detach().abs()*100).long() % 5, 5))",
    "cross_entropy(x*x, (u.abs()*100).long() % 5, weight=v.detach(), ignore_index=2)",
    "(log_softmax(3*x, 1) * 2).gather(1, (u.abs()*100).long()[:,None] % 5).sum() * x.sum()",
    "sum(gather(x, 1, (x.abs()*100).long() % 5) * x)",
    "sum(gather(x, 0, (x.abs()*100).long() % u.shape[0]) * x)",
    "sum(layer_norm(x, [5], v, v) * x)",
    "sum(erf(x) + special.ndtr(x*2) + special.i0(x))",
    "sum((x[:,None,:] - x[:4])**2, -1).amin(1).sum()",
    "((x[:,None,:] - outer(v, v))**2).sum(-1).amin(1).mean()",
    "logsumexp(v - 0.5*(((x[:,None,:] - outer(v, v))*exp(-v))**2).sum(-1), 1).mean()",
    "sum(tanh(x[:,:,None]*v).amax(1, True) * v * u[:,None,None])",
    "softmax(x[:,:,None] * v, 1).sum((0, 2), True).exp().sum()",
    "sum(exp(x[:,:,None]*v)@outer(v, v))",
    "sum(x**3) + sum(x**-1) + sum(abs(x)**0.5) + sum(x**2 * x**2)",
    "sum(softplus(x)) + sum(logaddexp(x, v))",
    "-(-x - x).sum() + sum(2*x - 3*x) + sum(-x + -v)",
    "sum(x/v/v - 1/x) + (x/3).mean()",
    "sum(x.abs().long() ** 2) + sum(x)",
    "sum(cos(x.flip(1)) * x.permute(1, 0).T)",
    "mean(cosine_similarity(x, x*x + v))",
    "sum(((x - x.mean(0))/sqrt(x.var(0, correction=0) + 1e-5)*v + v) * x)",
    "huber_loss(x, v + 0*x) + relu(1 - u[:,None] + v).mean() - (-x*x).sum()",
    "sum(exp(-0.5*((x[:,None,:] - x)**2).sum(-1)))",
    "sum(where(x>0, where(x>0, x*x, v)*2, x*where(x>0, x, 3.0)*v))",
    "smooth_l1_loss(x, v + 0*x, beta=0.3) + elu(x).sum() + leaky_relu(x, 0.1).sum()",
    "sum(where(x>v, 0, tanh(x)) + where(x>v, x.sign(), 0)) + hardtanh(x*v).sum()",
    "sum(where(abs(x) < 0.7, 0.5*x*x, 0.7*(abs(x) - 0.35))*1) + huber_loss(x, 0*x, delta=0.4)",
    "sum(where(0.7 <= abs(x - v), 2*abs(x - v) - 0.7, (x - v)**2/0.7)) + sum(where(x>v, 3, 0))",
    "x.sum() * where(x>v, 0*v.sum(), 2.0).sum() + relu(x - u[:,None]).sum(0).exp().sum()",
    "sum(where(abs(x) >= 1, sign(x), x)*v) + sum(where(abs(x) >= 1, 2*sign(x), x)*v)",
    "((x[1:] - x[:-1])**2).sum() + smooth_l1_loss(x[:,1:], x[:,:-1]) + tanh(x[2:]*x[:-2]).sum()",
    "sum(tanh(x)*v) + sum(exp(-u*u)*u) + sum(exp(v) * v)",
    "mean((1 - sigmoid(x*(2*v - 1)))**2*softplus(-x*(2*v - 1)))",
    "sum(expm1(x) + atan(2*x) + tan(x/9) + sinh(x) + cosh(x))",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("rows", [1, 2, 37, 64, 65, 300])
def test_expressions(expression: str, rows: int) -> None:
    if rows == 1 and "std(0)" in expression:
        pytest.skip("the deviation of one row is NaN")
    rng = np.random.default_rng(rows)
    x, v, u = rng.standard_normal((rows, 5)), rng.standard_normal(5), rng.standard_normal(rows)
    bindings = {"x": x, "v": v, "u": u}
    same(expression, {k: b for k, b in bindings.items() if k in expression})


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_views_nan_and_inf(expression: str) -> None:
    rng = np.random.default_rng(0)
    x = np.asfortranarray(rng.standard_normal((90, 5)))
    x[3, 2], x[50, 0], x[60, 1] = np.nan, np.inf, -np.inf
    wide = rng.standard_normal((180, 2))
    bindings = {"x": x, "v": wide[:5, 0], "u": wide[::2, 1]}
    same(expression, {k: b for k, b in bindings.items() if k in expression})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1])
def test_finite_numbers_have_no_share_beside_an_infinite_one(dtype: type, axis: int) -> None:
    x = np.random.default_rng(0).standard_normal((90, 90)).astype(dtype)
    x[3, :5] = np.inf, 800, np.finfo(dtype).max, -np.inf, 3
    x[:5, 7] = 800, np.inf, -1, np.finfo(dtype).max, 90
    x[50] = -np.inf
    for expression in (f"sum(logsumexp(x, {axis}))", f"sum(exp(x - logsumexp(x, {axis}, True)))"):
        swept, plain = both(expression, {"x": x})
        for name, expected in plain.items():
            np.testing.assert_allclose(swept[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("expression", EXPRESSIONS[:4] + EXPRESSIONS[10:14])
def test_the_bits_do_not_depend_on_the_number_of_threads(
    expression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    bindings = {
        "x": rng.standard_normal((1000, 5)).astype(np.float32),
        "v": rng.standard_normal(5).astype(np.float32),
        "u": rng.standard_normal(1000).astype(np.float32),
    }
    bindings = {k: b for k, b in bindings.items() if k in expression}
    found = []
    for count in (1, 2, 3, 8):
        monkeypatch.setattr(threads, "THREADS", [count])
        monkeypatch.setattr(evaluate, "SWEEP", 0)
        result = gradcli.evaluate(expression, bindings)
        found.append(
            (result.value.tobytes(), [g is None or g.tobytes() for g in result.grads.values()])
        )
    assert all(f == found[0] for f in found)


def test_products_of_matrices_do_not_depend_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((900, 333)).astype(np.float32)
    w = rng.standard_normal((333, 210)).astype(np.float32)
    found = []
    for count in (1, 2, 5):
        monkeypatch.setattr(threads, "THREADS", [count])
        result = gradcli.evaluate("mean(tanh(x@w)**2)", {"x": x, "w": w})
        found.append([result.value.tobytes(), *(g.tobytes() for g in result.grads.values())])
    assert all(f == found[0] for f in found)
    monkeypatch.setattr(evaluate, "SMALL", 1 << 60)
    exact = x.astype(float) @ w.astype(float)
    found = gradcli.evaluate("x@w", {"x": x, "w": w}, gradients=False).value
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-4)


LEAVES = st.sampled_from(["x", "v", "u[:,None]", "1.5", "x.mean()", "x.sum(0)", "x.sum(1,True)"])
FORMS = st.sampled_from(
    [
        *("({0}+{1})", "({0}*{1})", "({0}-{1})", "maximum({0},{1})", "where({0}>{1},{0},{1})"),
        *("tanh({0})", "exp(-{0}*{0})", "({0})**2", "softmax({0}*x,1)", "sigmoid({0})"),
        *("-{0}", "2*{0}", "{0}/3", "({0}+{1})+{1}", "({0}*{1})/x", "x*({0})*v", "({0})**3"),
        *(
            "log1p(exp({0}))",
            "softplus({0})",
            "log_softmax({0}*x,0)",
            "sum(x*0+{0})*{1}",
            "relu({0})",
        ),
        *("({0}*x).cumsum(1)", "({0}*x).flip(1)", "({0}-({0}*x).mean(1,True))"),
    ]
)
EXPRESSION = st.recursive(
    LEAVES,
    lambda inner: st.builds(lambda f, a, b: f.format(a, b), FORMS, inner, inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(EXPRESSION, st.integers(1, 200), st.integers(1, 4), st.integers(0, 99))
def test_random_expressions(expression: str, rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    same(
        f"sum(x * 0 + {expression})",
        {
            "x": rng.standard_normal((rows, columns)),
            "v": rng.standard_normal(columns),
            "u": rng.standard_normal(rows),
        },
    )


def test_softplus_of_float32_needs_no_choice_far_from_zero() -> None:
    x = np.concatenate([np.linspace(-30, 130, 2000), [np.nan, np.inf, -np.inf]]).astype(np.float32)
    swept, plain = both("sum(softplus(x)*x)", {"x": x[:-3]})
    for name, expected in plain.items():
        np.testing.assert_allclose(swept[name], expected, rtol=3e-7, err_msg=name)
    swept, plain = both("softplus(x)", {"x": x[-300:]}, ones=True)
    for name, expected in plain.items():
        np.testing.assert_allclose(swept[name], expected, rtol=3e-7, err_msg=name)


def random_product(rng: np.random.Generator) -> str:
    """An expression in which each variable stands once, so that no gradient cancels."""
    parts = ["x", "y", "z", *rng.choice(["3", "1e-7", "0.25", "1e20", "-2"], 3)]
    rng.shuffle(parts)
    while len(parts) > 1:
        form = rng.choice(["({}*{})", "({}/{})", "({}*{})", "({}/{})", "({}+{})", "(-{}*{}**2)"])
        place = rng.integers(len(parts) - 1)
        parts[place : place + 2] = [str(form).format(*parts[place : place + 2])]
    return parts[0]


@pytest.mark.parametrize("seed", range(120))
def test_nothing_overflows_or_vanishes_that_does_not_as_written(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = (10.0 ** rng.uniform(-37, 37, (3, 300))).astype(np.float32)
    bindings = dict(zip("xyz", wide, strict=True))
    swept, plain = both(random_product(rng), bindings, ones=True)
    for name, expected in plain.items():
        np.testing.assert_allclose(swept[name], expected, rtol=1e-5, atol=1e-37, err_msg=name)


@pytest.mark.parametrize("sums", ["sum()", "sum(0)", "sum(1)", "T.sum(1)"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_hundred_million_numbers_add_up_as_well_as_in_pytorch(
    seed: int, sums: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(evaluate, "SMALL", 32768)
    monkeypatch.setattr(tiles, "TILE", 3 << 19)
    rng = np.random.default_rng(seed)
    row = (10.0 ** rng.uniform(-seed, seed, 10**4) + rng.normal(size=10**4) / 9).astype(np.float32)
    expression = f"x.expand(10**4, 10**4).{sums}"
    found = gradcli.evaluate(expression, {"x": row}, gradients=False).value
    peer = eval(expression, {"x": torch.from_numpy(row)}).numpy()
    wide = row.astype(np.float64)
    wanted = wide * 1e4 if sums == "sum(0)" else wide.sum() * (1e4 if sums == "sum()" else 1)
    wanted = wide * 1e4 if sums == "T.sum(1)" else wanted
    errors = [np.abs(each / wanted - 1).max() for each in (found, peer)]
    assert errors[0] <= max(errors[1], 3e-7)


def test_what_goes_by_other_rows_has_a_plan_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    plain = schedule.Branch.__init__
    monkeypatch.setattr(
        schedule.Branch, "__init__", lambda self, *a: made.append(self) or plain(self, *a)
    )
    monkeypatch.setattr(evaluate, "SWEEP", 0)
    function = gradcli.function("sum(tanh(x[1:]*x[:-1])) + mean((x[:,1:] - x[:,:-1])**2)")
    rng = np.random.default_rng(5)
    for _ in range(3):
        x = rng.standard_normal((300, 5))
        y = np.pad(x, ((1, 1), (0, 0)))
        slope = 1 - np.tanh(y[1:] * y[:-1]) ** 2
        expected = slope[:-1] * y[:-2] + slope[1:] * y[2:]
        step = 2 * np.diff(x, axis=1, prepend=x[:, :1], append=x[:, -1:]) / 1200
        found = function(x=x)
        np.testing.assert_allclose(found.grads["x"], expected + step[:, :-1] - step[:, 1:])
        total = np.tanh(x[1:] * x[:-1]).sum() + (np.diff(x, axis=1) ** 2).mean()
        np.testing.assert_allclose(found.value, total)
    assert any(branch.plan.pays for branch in made)


def test_rows_that_are_repeated_along_lines_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    along = lines.along
    monkeypatch.setattr(lines, "along", lambda *a: made.append(a) or along(*a))
    monkeypatch.setattr(tiles, "TILE", 1 << 15)
    monkeypatch.setattr(lines, "LINE", 100)
    rng = np.random.default_rng(4)
    x, v, u = rng.standard_normal((301, 30)), rng.standard_normal(30), rng.standard_normal(301)
    bindings = {"x": x, "v": v, "u": u}
    same("sum(where(x*v > v, x, x*v)*x*u[:,None])", bindings)
    assert len(made) >= 3
    same("sum(where(x > 0, v, full((30,), 2., dtype=float64))*u[:,None])", bindings)
    same("sum(where(x > v, full((30,), 3., dtype=float64), v)*u[:,None]*ones(301, 30))", bindings)
    made.clear()
    same("sum(x*v[None]*u[:,None])", {"x": np.asfortranarray(x), "v": v, "u": u})
    assert made


@pytest.mark.parametrize("rows", [49, 98, 107])
def test_nothing_is_left_of_equal_whole_numbers_less_their_mean(rows: int) -> None:
    x = np.random.default_rng(0).standard_normal((rows, 5)).astype(np.float32)
    x[:] = (1, 3, 7, 0.5, 11)
    x[:, 1] += np.arange(rows) % 2
    expression = "((x - x.mean(0))/(x.std(0) + 1e-8)).abs().amax(0)@(v - 1)"
    mask = np.array([2, 1, 2, 2, 2], np.float32)
    for found in both(expression, {"x": x, "v": mask}):
        assert found["value"] == 0


def test_quotients_by_numbers_are_rounded_once() -> None:
    x = np.arange(30_000, dtype=np.float32) % 1000
    for number in (3, 41, 47, 55, 61):
        for found in both(f"sum(abs(floor(x/{number}) - y))", {"x": x * number, "y": x}):
            assert found["value"] == 0
