"""SVG as PNG, by the extra `png`.

Constraints: refuses where there is no font, since a picture without its words says nothing.
"""

from __future__ import annotations

from gradcli.errors import GradcliError
from gradcli.render.svg import FAMILIES

PROBE = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">{}</svg>'
LARGEST = 16_000
"""Pixels of a side; a larger drawing is scaled down to it."""


def png(svg: str) -> bytes:
    """The picture.

    Raises:
        GradcliError: G071 without the extra, or without a font.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise GradcliError(
            "G071",
            "PNG needs the package resvg-py",
            help=["pip install 'gradcli[png]'", "or write SVG or HTML: -o graph.svg"],
            kind=ImportError,
        ) from None
    words = PROBE.format(f"<text y='15' font-family='{FAMILIES}'>word</text>")
    if bytes(svg_to_bytes(svg_string=words)) == bytes(svg_to_bytes(svg_string=PROBE.format(""))):
        raise GradcliError(
            "G071",
            "PNG needs a monospaced font, and there is none of those it knows here",
            help=["install one, such as DejaVu Sans Mono", "or write SVG: -o graph.svg"],
        )
    return bytes(svg_to_bytes(svg_string=svg, zoom=_zoom(svg)))


def _zoom(svg: str) -> float:
    """Twice the size, so that letters are sharp; less for what is large."""
    longest = max(float(svg.partition(f' {side}="')[2].partition('"')[0]) for side in SIDES)
    return min(2.0, LARGEST / longest) if longest < 4000 else min(1.0, LARGEST / longest)


SIDES = ("width", "height")
