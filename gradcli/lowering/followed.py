"""Places and members that the numbers of a loop say, so that a recording knows them.

Constraints: see gradcli/lowering/watch.py.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Protocol

from gradcli.functions import find
from gradcli.graph.node import current
from gradcli.graph.recording import Recording
from gradcli.graph.traced import Traced, moves, plain
from gradcli.lowering.expressions import item
from gradcli.lowering.iteration import asks_members
from gradcli.lowering.limits import COMPARE
from gradcli.lowering.lower import lower
from gradcli.lowering.places import holds_traced, plainly
from gradcli.lowering.rows import are_constant
from gradcli.lowering.scope import Code, Frame, Scope
from gradcli.tensor import Tensor


class Follower(Protocol):
    """What looks at the numbers of a loop."""

    @property
    def recording(self) -> Recording | None:
        """What they belong to at the moment."""

    def fail(self) -> None:
        """Notes that a number went where it cannot be followed."""


def read(watch: Follower, value: Any, key: Any) -> Any:
    """`value[key]` at places that move with the numbers of the loop: of tensors, and of numbers."""
    if isinstance(value, Tensor):
        return item(value, _of_tensor(watch, key))
    if not moves(key):
        return item(value, still(key))
    found = item(value, still(key))
    if isinstance(key, Traced) and watch.recording is not None and _is_known(value):
        return watch.recording.number(found, (operator.getitem, _copy(value), key))
    watch.fail()
    return found


def _is_known(items: Any) -> bool:
    """Whether there is nothing but numbers and texts in something."""
    if items.__class__ is dict:
        return are_constant(list(items)) and are_constant(list(items.values()))
    return are_constant(items)


def _copy(items: Any) -> Any:
    """What is in something now, in whatever can be asked for it."""
    if items.__class__ is range or items.__class__ is str:
        return items
    return dict(items) if items.__class__ is dict else list(items)


def write(watch: Follower, container: Any, key: Any, value: Any) -> None:
    """`container[key] = value` at places that move with the numbers of the loop."""
    if isinstance(container, Tensor):
        key = _of_tensor(watch, key)
    else:
        if moves(key):
            watch.fail()
        key = still(key)
    operator.setitem(container, key, value)


def _of_tensor(watch: Follower, key: Any) -> Any:
    """An index of a tensor, whose numbers are followed alone and as bounds, not in lists."""
    items = key if key.__class__ is tuple else (key,)
    if any(holds_traced(part) and not isinstance(part, Traced) for part in items):
        watch.fail()
        return plainly(key)
    return key


def still(key: Any) -> Any:
    """An index of ordinary numbers."""
    if isinstance(key, slice):
        return slice(plain(key.start), plain(key.stop), plain(key.step))
    return tuple(map(still, key)) if key.__class__ is tuple else plain(key)


def are_elements(values: Sequence[Any]) -> bool:
    """Whether there are several tensors of one element and one dtype, without a gradient."""
    return (
        len(values) > 2
        and all([value.__class__ is Tensor and not value.shape for value in values])
        and len({value.dtype for value in values}) == 1
        and not any([value.requires_grad for value in values])
    )


def chosen(name: str, values: Sequence[Any]) -> Any:
    """The value of Python's `min` or `max` of such tensors, without a look at them."""
    result, where = values[0], find("torch.where")
    for other in values[1:]:
        result = where(other < result if name == "min" else other > result, other, result)
    return result


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
        if moves(value) and recording is not None:
            if _is_known(items):
                recording.checks.append(((sign, value, _copy(items)), answer))
            else:
                watch.fail()
        return answer

    return run
