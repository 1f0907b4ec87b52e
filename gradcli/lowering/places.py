"""Where the numbers of a loop are: variables, and items of the lists, dicts and tuples in them.

Constraints: a place is a way of keys from the boxes of variables (a frame, the module's) and from
what the run of a loop through `Rows` keeps: the counter and the rows. A tuple is made anew where a
number in it changes; whatever else is on the way stays the same object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradcli.graph.recording import Recording
from gradcli.graph.traced import Traced
from gradcli.lowering.scope import Frame

Boxes = tuple[Frame, dict[str, Any], list[Any]]
Place = tuple[Any, ...]
"""(0 for the frame, 1 for the module or 2 for the run, the variable's key, keys of items ...)."""
COUNTER: Place = (2, 0)
"""Where the counter of a run through `Rows` is."""


def load(boxes: Boxes, place: Place) -> Any:
    """What is at a place; None where there is none."""
    value: Any = boxes
    try:
        for key in place:
            value = value[key]
    except (LookupError, TypeError):
        return None
    return value


def save(boxes: Boxes, place: Place, value: Any) -> None:
    """Puts a value where one is."""
    holders: list[Any] = [boxes]
    for key in place[:-1]:
        holders.append(holders[-1][key])
    for holder, key in zip(reversed(holders), reversed(place), strict=True):
        if holder.__class__ is not tuple:
            holder[key] = value
            return
        value = (*holder[:key], value, *holder[key + 1 :])


def holders(boxes: Boxes, place: Place) -> list[Any]:
    """The containers between the variable and what is at a place, the outermost first."""
    found = [load(boxes, place[:count]) for count in range(2, len(place))]
    return [holder for holder in found if holder is not None]


def traced(boxes: Boxes, places: Iterable[Place], recording: Recording) -> list[Place]:
    """Puts numbers that `recording` follows where numbers are; returns where."""
    found: list[Place] = []
    for place in places:
        value = load(boxes, place)
        if value.__class__ is int or value.__class__ is float:
            save(boxes, place, recording.number(value, ("input", f"c{len(found)}")))
            found.append(place)
    return found


def restore(boxes: Boxes, places: Iterable[Place], filled: list[Any]) -> None:
    """Puts ordinary numbers where followed ones are: in variables, and in `filled` lists."""
    made: Made = {}
    for place in places:
        value = load(boxes, place)
        if holds_traced(value):
            save(boxes, place, plainly(value, made))
    for holder in filled:
        plainly(holder, made)
    filled.clear()


Made = dict[int, tuple[Any, Any]]
"""By their `id`s tuples, and what was made of each: who had one has one."""


def plainly(value: Any, made: Made | None = None) -> Any:
    """A value with ordinary numbers: a list or dict is the same one, with others inside."""
    if isinstance(value, Traced):
        return value.plain
    made = {} if made is None else made
    if value.__class__ is tuple:
        if id(value) not in made:
            parts = [plainly(item, made) for item in value] if _is_traced(value) else value
            made[id(value)] = value, tuple(parts)
        return made[id(value)][1]
    for key, item in _items(value):
        if _is_traced(item):
            value[key] = plainly(item, made)
    return value


def holds_traced(value: Any) -> bool:
    """Whether a value is, or holds, a number that a recording follows."""
    return _is_traced(value) or any([_is_traced(item) for _, item in _items(value)])


def _is_traced(value: Any) -> bool:
    """Whether there is such a number in a value as far as tuples go."""
    return isinstance(value, Traced) or (value.__class__ is tuple and any(map(_is_traced, value)))


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """The keys and items of a list or dict."""
    if value.__class__ is dict:
        return value.items()
    return enumerate(value) if value.__class__ is list else ()
