"""Convolutions and products of batches go batch by batch, and give what they give in one piece."""

from __future__ import annotations

import numpy as np
import pytest

import gradcli
from gradcli.execute import evaluate, outputs, plan, schedule, threads, tiles

SHAPES = {
    "conv1d(x, w, stride=2, padding=1)": ((9, 4, 12), (6, 4, 3)),
    "conv2d(x, w, padding=1, groups=2)": ((9, 4, 6, 5), (6, 2, 3, 3)),
    "conv2d(x, w, dilation=2)": ((11, 4, 9, 7), (6, 4, 3, 2)),
    "conv3d(x, w)": ((9, 3, 5, 4, 6), (4, 3, 2, 2, 2)),
    "conv_transpose1d(x, w, stride=2, output_padding=1)": ((9, 4, 7), (4, 3, 3)),
    "conv_transpose2d(x, w, padding=1, dilation=2)": ((9, 4, 6, 5), (4, 3, 3, 2)),
    "conv_transpose2d(x, w, stride=2, groups=2)": ((10, 4, 6, 5), (4, 3, 3, 3)),
    "conv_transpose3d(x, w)": ((9, 3, 4, 3, 5), (3, 4, 2, 3, 2)),
    "conv2d(avg_pool2d(x, 2), w)": ((9, 4, 12, 10), (6, 4, 3, 3)),
    "einsum('bij,jk->bik', x, w)": ((9, 8, 20), (20, 6)),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "SMALL", 0)
    monkeypatch.setattr(tiles, "TILE", 512)
    monkeypatch.setattr(tiles, "CALL", 0)
    monkeypatch.setattr(outputs, "LEAST", 64)
    for name, limit in (("THICK", 4), ("LIGHT", 0), ("THIN", 1)):
        monkeypatch.setattr(plan, name, limit)


@pytest.mark.parametrize("expression", SHAPES)
def test_batches_are_rows(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    bindings = {
        name: rng.standard_normal(shape)
        for name, shape in zip("xw", SHAPES[expression], strict=True)
    }
    sweeps = []
    arrange = schedule.Plan._arrange
    monkeypatch.setattr(
        schedule.Plan, "_arrange", lambda self, *a: sweeps.append(a[1]) or arrange(self, *a)
    )
    found = []
    for sweep, count in ((0, 1), (0, 3), (1 << 60, 1)):
        monkeypatch.setattr(evaluate, "SWEEP", sweep)
        monkeypatch.setattr(threads, "THREADS", [count])
        result = gradcli.evaluate(f"sum(sin({expression}))", bindings)
        found.append([result.value, *result.grads.values()])
    assert {rows.extent for rows in sweeps} == {len(bindings["x"])}
    assert all(plan.WHOLE not in rows.kind.values() for rows in sweeps)
    for one, three, plain in zip(*found, strict=True):
        assert one.tobytes() == three.tobytes()
        np.testing.assert_allclose(one, plain, rtol=1e-9, atol=1e-11)
