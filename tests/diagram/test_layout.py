"""Layouts of any graph: no two boxes overlap, arrows join their boxes, all is on the page."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.diagram.layout import layout

sizes = st.tuples(st.floats(10, 250), st.floats(10, 100))


@st.composite
def graphs(draw):
    boxes = draw(st.lists(sizes, min_size=1, max_size=40))
    count = len(boxes)
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    arrows = draw(st.lists(pairs, max_size=2 * count))
    return boxes, [(min(a, b), max(a, b)) for a, b in arrows if a != b]


def check(boxes, arrows):
    made = layout(boxes, arrows)
    rectangles = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(made.places, boxes, strict=True)]
    for a, b in combinations(rectangles, 2):
        assert (
            a[2] <= b[0] + 1e-6 or b[2] <= a[0] + 1e-6 or a[3] <= b[1] + 1e-6 or b[3] <= a[1] + 1e-6
        )
    for x0, y0, x1, y1 in rectangles:
        assert x0 >= -1e-6
        assert y0 >= -1e-6
        assert x1 <= made.width + 1e-6
        assert y1 <= made.height + 1e-6
    for (a, b), route in zip(arrows, made.routes, strict=True):
        assert on_edge(route[0], rectangles[a])
        assert on_edge(route[-1], rectangles[b])
        for x, y in route:
            assert -1e-6 <= x <= made.width + 1e-6
            assert -1e-6 <= y <= made.height + 1e-6
    return made


def on_edge(point, rectangle):
    x, y = point
    x0, y0, x1, y1 = rectangle
    inside = x0 - 1e-6 <= x <= x1 + 1e-6 and y0 - 1e-6 <= y <= y1 + 1e-6
    return inside and min(abs(x - x0), abs(x - x1), abs(y - y0), abs(y - y1)) < 1e-6


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_any_graph(graph):
    check(*graph)


def test_a_long_chain_is_wrapped_into_columns():
    count = 500
    made = check([(120.0, 60.0)] * count, [(i, i + 1) for i in range(count - 1)])
    assert 0.5 < made.width / made.height < 3


def test_many_small_parts_make_a_page():
    boxes = [(100.0, 40.0)] * 300
    made = check(boxes, [(3 * i + j, 3 * i + 2) for i in range(100) for j in range(2)])
    assert 0.5 < made.width / made.height < 3


def test_long_arrows_beside_a_chain():
    count = 60
    chain = [(i, i + 1) for i in range(count - 1)]
    check([(90.0, 50.0)] * count, [*chain, (0, count - 1), (5, 50), (10, 30)])
