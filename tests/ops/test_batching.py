"""Every op of the table on a batch gives what it gives example by example."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from op_samples import ONLY_COMPLEX, SAMPLES, Case, calls
from test_op_derivatives import _constant, _numbers, _values

from gradcli.execute.evaluate import array
from gradcli.graph.node import Node
from gradcli.graph.op import OPS, Op
from gradcli.ops.batching import Batching, lane

PLACES = calls(((3,),), ((2, 3),), axis=-1)
WITHOUT_DERIVATIVE = {
    **dict.fromkeys(("argmax", "argmin"), calls(((2, 3),), axis=-2, keepdims=False)),
    **dict.fromkeys(("any", "all"), calls(((2, 3),), axis=(-1,), keepdims=True)),
    **dict.fromkeys(("argsort", "mode_place"), PLACES),
    "running_place": calls(((3,),), ((2, 3),), axis=-1, largest=True),
    "median_place": calls(((3,),), ((2, 3),), axis=-1, skip=False),
    **dict.fromkeys(("eq", "lt", "logical_and"), calls(((2, 1), (3,)), ((), (2,)))),
    "window_argmax": calls(((4, 5),), ranges=(((0, 2, 1), (2, 4, 1)), ((0, 5, 1),))),
    "detach": calls(((2,),)),
    "overwrite": calls(((2,), (2,))),
}
CASES = [
    pytest.param(name, case, id=f"{name}-{number}")
    for name, cases in [*SAMPLES.items(), *WITHOUT_DERIVATIVE.items()]
    for number, case in enumerate(cases)
]


def _draws(name: str, case: Case) -> list[list[Any]]:
    """Three examples; given positions are turned, so that each example has its own."""
    numbers = _numbers(f"batch {name}")
    kind = "complex" if name in ONLY_COMPLEX else "real"
    return [
        [np.roll(x, turn) if x.dtype.kind in "bi" else x for x in _values(case, kind, numbers)]
        for turn in range(3)
    ]


def _all(op: Op, case: Case, inputs: list[Node]) -> tuple[Node, ...]:
    return op.many(*inputs, **case.attrs) if op.multiple else (op(*inputs, **case.attrs),)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_batch_equals_a_loop(name: str, case: Case) -> None:
    op, draws = OPS[name], _draws(name, case)
    count = len(draws[0])
    for flags in product((False, True), repeat=count):
        if not any(flags):
            continue
        given: list[Node] = []
        lanes: dict[Node, Node] = {}
        for place, flag in enumerate(flags):
            if flag:
                batch = _constant(np.stack([draw[place] for draw in draws]))
                given.append(lane(batch))
                lanes[given[-1]] = batch
            else:
                given.append(_constant(draws[0][place]))
        found = Batching(lanes, 3).of(_all(op, case, given))
        for example, draw in enumerate(draws):
            inputs = [
                _constant(draw[place] if flag else draws[0][place])
                for place, flag in enumerate(flags)
            ]
            for batch, alone in zip(found, _all(op, case, inputs), strict=True):
                assert batch is not None
                assert batch.shape == (3, *alone.shape)
                got, want = array(batch)[example], array(alone)
                np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
