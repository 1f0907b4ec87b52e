"""Text from values, as `format`, `str.format` and `%` make it, but bounded and harmless.

Constraints: Python's own formatting does the work once the template is known to be harmless; a
template that looks into its arguments (`{0.shape}`, `{0[1]}`) goes by the language's own attribute
rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gradcli.lowering.limits import require_text, too_large

MAX_PADDING = 10_000_000
"""All widths and precisions of one template together."""

_NUMBER = re.compile(r"\d+")
_CONVERSION = re.compile(r"%(?:\([^)]*\))?[#0\- +]*((?:\d+|\*)?(?:\.(?:\d+|\*))?)")


def format_value(value: Any, spec: Any = "") -> str:
    """What `format(value, spec)` and `{value:spec}` give."""
    if spec.__class__ is str and spec:
        check_padding(spec)
    return format(value, spec)


def format_text(template: str, *args: Any, **kwargs: Any) -> str:
    """`template.format(*args, **kwargs)`."""
    if _is_plain(template):
        return template.format(*args, **kwargs)
    return _look_into(template, args, kwargs)


def format_mapping(template: str, mapping: Mapping[str, Any]) -> str:
    """`template.format_map(mapping)`."""
    if _is_plain(template):
        return template.format_map(mapping)
    return _look_into(template, (), mapping)


def percent(template: str, values: Any) -> str:
    """`template % values`."""
    widths = "".join(_CONVERSION.findall(template))
    if widths:
        check_padding(" ".join(_CONVERSION.findall(template)))
    if "*" in widths:
        items = values if isinstance(values, tuple) else (values,)
        _check_widths([abs(item) for item in items if isinstance(item, int)])
    text: str = template % values
    return text


def check_padding(*specs: str) -> None:
    """Refuses specifications whose widths and precisions exceed `MAX_PADDING` together."""
    _check_widths([int(digits[:20]) for spec in specs for digits in _NUMBER.findall(spec)])


def _check_widths(widths: list[int]) -> None:
    if sum(widths) > MAX_PADDING:
        raise too_large("the text")


def _is_plain(template: str) -> bool:
    import string

    fields = [field for field in string.Formatter().parse(template) if field[1] is not None]
    check_padding(*(spec or "" for _, _, spec, _ in fields))
    return not any(
        "." in (name or "") or "[" in (name or "") or "{" in (spec or "")
        for _, name, spec, _ in fields
    )


def _look_into(template: str, args: tuple[Any, ...], names: Mapping[str, Any]) -> str:
    import string

    from gradcli.lowering.values import get_attribute

    class Formatter(string.Formatter):
        """Python's formatter, with the language's rule for attributes."""

        def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
            first, *rest = _PATH.findall(field_name) or [""]
            value = self.get_value(int(first) if first.isdigit() else first, args, kwargs)
            for step in rest:
                if step[0] == ".":
                    value = get_attribute(value, step[1:])
                else:
                    value = value[int(step[1:-1]) if step[1:-1].isdigit() else step[1:-1]]
            return value, first

        def format_field(self, value: Any, format_spec: str) -> str:
            return format_value(value, format_spec)

    text = str(Formatter().vformat(template, args, names))
    require_text(len(text))
    return text


_PATH = re.compile(r"^[^.\[]*|\.[^.\[]*|\[[^\]]*\]")
