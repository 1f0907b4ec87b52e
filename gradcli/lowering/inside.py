"""Functions of the script inside a recorded iteration: their bodies, lowered under a watch.

Constraints: numbers go in and come out followed where the call is one of the watched text; whoever
else calls a function gets ordinary numbers, and the recording is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from gradcli.language import ast
from gradcli.lowering.iteration import can_be_watched, growing, inside
from gradcli.lowering.places import holds_traced, plainly
from gradcli.lowering.scope import FIRST, PARENT, Code, Environment, Frame
from gradcli.lowering.watch import Watch, now


def watched(
    nodes: Sequence[ast.Node],
    environment: Environment,
    body: Code,
    again: Callable[[], Code] | None,
) -> Code:
    """A function's body, for recordings.

    Args:
        nodes: what stands in it.
        body: as it is lowered already.
        again: lowers it once more; None where it was lowered under a watch.
    """
    code, follows = body, again is None or _can_follow(nodes)
    if again is not None and follows:
        before, environment.watch = environment.watch, Watch(growing(nodes), is_function=True)
        try:
            code = again()
        finally:
            environment.watch = before

    read = [] if follows else [n.id for n in inside(nodes) if isinstance(n, ast.Name)]

    def run(frame: Frame) -> Any:
        direct, now.direct = now.direct, False
        if not follows and any(map(holds_traced, _read(read, environment, frame))):
            _fail()
        if not (direct and follows):
            frame[FIRST:] = [_ordinary(value) for value in frame[FIRST:]]
        result = code(frame)
        return result if direct else _ordinary(result)

    return run


def _read(names: Iterable[str], environment: Environment, frame: Frame) -> Iterator[Any]:
    """The values of the module's variables `names`, and all in the frames around one."""
    yield from map(environment.variables.get, names)
    outer = frame[PARENT]
    while outer is not None:
        yield from outer[FIRST:]
        outer = outer[PARENT]


def _can_follow(nodes: Sequence[ast.Node]) -> bool:
    """Whether a body makes no functions, which might keep numbers, and fails nowhere on purpose."""
    made = any(isinstance(node, ast.Lambda) for node in inside(nodes))
    return not made and can_be_watched(nodes)


def _ordinary(value: Any) -> Any:
    if not holds_traced(value):
        return value
    _fail()
    return plainly(value)


def _fail() -> None:
    if now.recording is not None:
        now.recording.fail("a number of the loop goes through a function that is not followed")
