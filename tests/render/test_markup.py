"""Styles, and who gets them."""

from __future__ import annotations

import io

import pytest

from gradcli.render.markup import STYLES, painter, use_colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


TERMINAL, PIPE = Terminal(), io.StringIO()


@pytest.mark.parametrize(
    ("stream", "flag", "environ", "expected"),
    [
        (TERMINAL, None, {}, True),
        (PIPE, None, {}, False),
        (TERMINAL, "auto", {}, True),
        (PIPE, "auto", {}, False),
        (TERMINAL, None, {"NO_COLOR": "1"}, False),
        (TERMINAL, None, {"NO_COLOR": ""}, True),
        (PIPE, None, {"FORCE_COLOR": "1"}, True),
        (PIPE, None, {"FORCE_COLOR": ""}, False),
        (PIPE, None, {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        (PIPE, None, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (TERMINAL, None, {"TERM": "dumb"}, False),
        (TERMINAL, None, {"TERM": ""}, True),
        (TERMINAL, "always", {"NO_COLOR": "1", "TERM": "dumb"}, True),
        (PIPE, "always", {}, True),
        (TERMINAL, "never", {"FORCE_COLOR": "1"}, False),
        (None, None, {}, False),
    ],
)
def test_precedence(stream, flag, environ, expected) -> None:
    assert use_colour(stream, flag, environ) is expected


def test_closed_stream_has_no_colour() -> None:
    stream = io.StringIO()
    stream.close()
    assert use_colour(stream, None, {}) is False


def test_paint() -> None:
    assert painter(True)("x", "error") == "\x1b[1;31mx\x1b[0m"
    assert painter(True)("", "error") == ""
    assert all(painter(False)("x", style) == "x" for style in STYLES)
