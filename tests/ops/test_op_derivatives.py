"""Every derivative rule of the op table against numeric differences, first and second order.

Constraints: generated from the table; float64 or complex128 along random directions. The gradient g
of L = Re(sum(conj(c)*out)) satisfies dL = Re(sum(conj(g)*dx)), for real and complex numbers alike.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from op_samples import COMPLEX, NO_FORMULA, ONLY_COMPLEX, SAMPLES, Case

from gradcli.execute.backends.numpy import dtype_of
from gradcli.execute.evaluate import array
from gradcli.graph.backward import backward
from gradcli.graph.node import Node, data
from gradcli.graph.op import DETACH, OPS, Op
from gradcli.ops.elementwise import cos, sin
from gradcli.tensor.registry import names

names()  # imports every family, and with it the rows that only it needs
STEP = 1e-5
TOLERANCE = 2e-6

TABLE = {name: op for name, op in OPS.items() if not op.cuts and name not in NO_FORMULA}


def _cases() -> Iterator[Any]:
    for name in TABLE:
        for kind in ("real", "complex"):
            if name not in COMPLEX if kind == "complex" else name in ONLY_COMPLEX:
                continue
            for number, case in enumerate(SAMPLES.get(name, ())):
                yield pytest.param(name, case, kind, id=f"{name}-{number}-{kind}")


CASES = list(_cases())


@pytest.mark.parametrize("name", TABLE)
def test_every_differentiable_op_has_samples(name: str) -> None:
    assert SAMPLES.get(name), (
        f"op {name} has no samples: add a line to SAMPLES in tests/ops/op_samples.py, so that its "
        "derivative is checked"
    )


def test_samples_speak_of_ops_that_exist() -> None:
    assert (set(SAMPLES) | COMPLEX | set(NO_FORMULA)) - set(OPS) == set()


@pytest.mark.parametrize(("name", "case", "kind"), CASES)
def test_first_and_second_derivative(name: str, case: Case, kind: str) -> None:
    check(OPS[name], case, kind)


@pytest.mark.parametrize(("name", "case", "kind"), CASES)
def test_a_batch_of_cotangents_equals_a_loop(name: str, case: Case, kind: str) -> None:
    numbers = _numbers(name)
    inputs = [_variable(v) for v in _values(case, kind, numbers)]
    outs = _results(OPS[name], case, inputs)
    batches = [np.stack([_like(out, numbers) for _ in range(3)]) for out in outs]
    together = _gradients(outs, map(_constant, batches), inputs)
    for row in range(3):
        alone = _gradients(outs, (_constant(batch[row]) for batch in batches), inputs)
        for x, both, one in zip(inputs, together, alone, strict=True):
            if one is not None:
                assert both is not None
                assert array(both).shape == (3, *x.shape)
                np.testing.assert_allclose(array(both)[row], array(one), rtol=1e-11, atol=1e-12)


def test_a_wrong_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sin, "derivatives", (lambda g, out, x: g * cos(x) * 1.001,))
    with pytest.raises(AssertionError, match="first"):
        check(sin, SAMPLES["sin"][2], "real")


def test_a_rule_that_is_wrong_in_second_order_only_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sin, "derivatives", (lambda g, out, x: g * DETACH(cos(x)),))
    with pytest.raises(AssertionError, match="second"):
        check(sin, SAMPLES["sin"][2], "real")


def check(op: Op, case: Case, kind: str) -> None:
    """Asserts that first and second derivatives of one call are those of numeric differences."""
    numbers = _numbers(op.name)
    values = _values(case, kind, numbers)
    inputs = [_variable(v) for v in values]
    outs = _results(op, case, inputs)
    cotangents = [_like(out, numbers) for out in outs]

    def loss(arrays: list[Any]) -> float:
        found = _results(op, case, [_constant(v) for v in arrays])
        return sum(_inner(c, array(out)) for c, out in zip(cotangents, found, strict=True))

    first = _gradients(outs, map(_constant, cotangents), inputs)
    for place in (i for i, v in enumerate(values) if v.dtype.kind in "fc"):
        found = first[place]
        assert found is None or found.shape == values[place].shape, "first: another shape"
        step = _steps(values, [place], numbers)
        _agree(f"first, input {place}", loss, values, step, [found])
    _check_second(op, case, values, cotangents, numbers)


def _check_second(
    op: Op, case: Case, values: list[Any], cotangents: list[Any], numbers: np.random.Generator
) -> None:
    """The gradient of a random mixture of the first gradients, by the inputs and the cotangents."""
    weights: dict[int, Any] = {}
    everything = [*values, *cotangents]

    def slopes(nodes: list[Node]) -> list[Node | None]:
        inputs = nodes[: len(values)]
        return _gradients(_results(op, case, inputs), nodes[len(values) :], inputs)

    def loss(arrays: list[Any]) -> float:
        parts = enumerate(slopes([_variable(v) for v in arrays]))
        return sum(_inner(weights[i], array(g)) for i, g in parts if g is not None)

    nodes = [_variable(v) for v in everything]
    parts = [(i, g) for i, g in enumerate(slopes(nodes)) if g is not None]
    weights.update({i: _like(g, numbers) for i, g in parts})
    seeds = [(g, _constant(weights[i])) for i, g in parts if g.tracked]
    second = backward(seeds, set(nodes).__contains__)
    places = [i for i, v in enumerate(everything) if v.dtype.kind in "fc"]
    step = _steps(everything, places, numbers)
    _agree("second", loss, everything, step, [second.get(nodes[i]) for i in places])


def _agree(
    what: str,
    loss: Callable[[list[Any]], float],
    values: list[Any],
    step: dict[int, Any],
    gradients: list[Node | None],
) -> None:
    """Compares the slope of `loss` along `step` with what the gradients say."""
    ahead, behind = (
        loss([v + sign * STEP * step[i] if i in step else v for i, v in enumerate(values)])
        for sign in (1, -1)
    )
    numeric = (ahead - behind) / (2 * STEP)
    found = sum(
        _inner(array(g), v) for g, v in zip(gradients, step.values(), strict=True) if g is not None
    )
    assert abs(found - numeric) <= TOLERANCE * max(1.0, abs(numeric)), (
        f"{what}: the rule says {found}, differences say {numeric}"
    )


def _results(op: Op, case: Case, inputs: list[Node]) -> list[Node]:
    """The results of an op that have a derivative."""
    outs = op.many(*inputs, **case.attrs) if op.multiple else (op(*inputs, **case.attrs),)
    return [out for out in outs if out.dtype.differentiable]


def _gradients(
    outs: list[Node], cotangents: Iterable[Node], inputs: list[Node]
) -> list[Node | None]:
    found = backward(zip(outs, cotangents, strict=True), set(inputs).__contains__)
    return [found.get(x) for x in inputs]


def _inner(a: Any, b: Any) -> float:
    return float(np.sum(np.conj(a) * b).real)


def _numbers(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _values(case: Case, kind: str, numbers: np.random.Generator) -> list[Any]:
    values = []
    for given, (low, high) in zip(case.inputs, case.domains, strict=True):
        value = given if isinstance(given, np.ndarray) else numbers.uniform(low, high, given)
        value = np.asarray(value)
        if kind == "complex" and value.dtype.kind == "f":
            value = value + 1j * numbers.uniform(-0.5, 0.5, value.shape)
        values.append(np.asarray(value))
    return values


def _like(node: Node, numbers: np.random.Generator) -> Any:
    value = numbers.standard_normal(node.shape)
    return value + 1j * numbers.standard_normal(node.shape) if node.dtype.is_complex else value


def _steps(values: list[Any], places: list[int], numbers: np.random.Generator) -> dict[int, Any]:
    return {i: _like(_constant(values[i]), numbers) for i in places}


def _constant(value: Any) -> Node:
    value = np.asarray(value)
    return data(value, value.shape, dtype_of(value))


def _variable(value: Any) -> Node:
    node = _constant(value)
    node.tracked = node.dtype.differentiable
    return node
