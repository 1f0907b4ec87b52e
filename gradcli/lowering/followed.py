"""Places and members that the numbers of a loop say, lowered so that a recording knows them.

Constraints: see gradcli/lowering/watch.py.
"""

from __future__ import annotations

from typing import Any, Protocol

from gradcli.functions.index import is_view
from gradcli.graph.node import current
from gradcli.graph.recording import Recording, Traced, plain
from gradcli.lowering.expressions import item
from gradcli.lowering.iteration import asks_members
from gradcli.lowering.limits import COMPARE
from gradcli.lowering.lower import lower
from gradcli.lowering.scope import Code, Frame, Scope
from gradcli.tensor import Tensor


class Follower(Protocol):
    """What looks at the numbers of a loop.

    Attributes:
        recording: what they belong to at the moment.
    """

    recording: Recording | None

    def fail(self) -> None:
        """Notes that a number went where it cannot be followed."""


def subscript(watch: Follower, node: Any, scope: Scope) -> Code:
    """`value[index]` at places that move with the numbers of the loop."""
    owner, index, span = lower(node.value, scope), lower(node.index, scope), node.span

    def run(frame: Frame) -> Any:
        value, key = owner(frame), index(frame)
        current.span = span
        still, moves = _still(key)
        result = item(value, still)
        if moves and watch.recording is not None:
            known = isinstance(value, Tensor) and not value.node.tracked
            if known and is_view(still) and not _steps(key):
                watch.recording.windows[result.node] = value.node, key
            else:
                watch.fail()
        return result

    return run


def _still(key: Any) -> tuple[Any, bool]:
    """An index of ordinary numbers, and whether it is another one in each run."""
    if isinstance(key, Traced):
        return key.plain, not key.is_constant
    if isinstance(key, slice):
        parts = [_still(part) for part in (key.start, key.stop, key.step)]
        return slice(*[part for part, _ in parts]), any(moves for _, moves in parts)
    if key.__class__ is tuple:
        items = [_still(part) for part in key]
        return tuple([part for part, _ in items]), any(moves for _, moves in items)
    return key, False


def _steps(key: Any) -> bool:
    """Whether the step of a slice is a number of the loop, which might become negative."""
    items = key if isinstance(key, tuple) else (key,)
    return any(isinstance(i, slice) and isinstance(i.step, Traced) for i in items)


def membership(watch: Follower, node: Any, scope: Scope) -> Code | None:
    """`number in numbers`: the answer is on record."""
    if len(node.rest) != 1 or not asks_members(node):
        return None
    ((sign, operand),) = node.rest
    first, container, place = lower(node.first, scope), lower(operand, scope), node.span
    operate = COMPARE[sign]

    def run(frame: Frame) -> Any:
        value, items = first(frame), container(frame)
        current.span = place
        answer = operate(plain(value), items)
        recording = watch.recording
        if isinstance(value, Traced) and not value.is_constant and recording is not None:
            if items.__class__ in (tuple, list) and all(i.__class__ in (int, float) for i in items):
                recording.checks.append(((sign, value, list(items)), answer))
            elif items.__class__ is range:
                recording.checks.append(((sign, value, items), answer))
            else:
                watch.fail()
        return answer

    return run
