"""Loops that run as straight-line programs: an iteration is recorded, then done again by itself.

Constraints: nobody can tell, except by the clock. What is recorded is a real iteration; the last
two before the loop ends, prints, fails or goes another way are real ones too, so that every name,
place, version and graph is what it would have been, even after half of the last one. Whatever the
record does not explain is interpreted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gradcli.execute.program import Unplannable
from gradcli.graph.node import current
from gradcli.graph.recording import Recording
from gradcli.lowering.carried import Plan
from gradcli.lowering.places import Boxes, Place, holders, load, restore, save, traced
from gradcli.lowering.repeated import Repeated
from gradcli.lowering.scope import CONTINUE, Frame
from gradcli.lowering.state import Moved, Reached, State, Unclear
from gradcli.lowering.switch import may_replay, switch
from gradcli.lowering.traces import Trace
from gradcli.lowering.watch import now

PAYS = 8
"""Replayed iterations for which it pays to record one."""
POOR = 3
"""How often a program may stop after fewer than four iterations, more often than after more."""
LONG = 150
"""Nodes for which an iteration that goes another way counts as one more."""
STRANGE = 2
"""Iterations in a row that a plan may not suit before it is forgotten."""
FOREVER = 1 << 60


class Replay:
    """One run of a loop.

    Args:
        loop: what is known of it.
        frame: its frame.
    """

    __slots__ = ("_frame", "_leaving", "_loop", "_strange")

    def __init__(self, loop: Repeated, frame: Frame) -> None:
        self._loop, self._frame = loop, frame
        self._leaving = False
        self._strange = 0

    def turn(self, remaining: int = FOREVER, step: int = 0) -> tuple[int, Any, bool | None]:
        """At least one iteration, the last one for real.

        Args:
            remaining: how many there may be.
            step: what the loop's variable grows by.

        Returns:
            How many, the last one's signal, and the answer of the test after it, where it was
            asked.
        """
        loop, done = self._loop, 0
        if switch.busy or not may_replay():
            return 1, loop.body(self._frame), None
        other, self._leaving = self._leaving, False
        if loop.plan is not None and not other and remaining > 2:
            done, other = self._forward(remaining - 2)
        left = remaining - done
        wanted = loop.others > 0 if other else loop.plan is None and loop.attempts
        if left > 3 and wanted and loop.pays(left if remaining < FOREVER else 0):
            return (1, *self._record(step, other))
        before = switch.done
        signal = loop.body(self._frame)
        loop.seen += done + 1
        loop.inner = switch.done - before
        return done + 1, signal, None

    def _forward(self, limit: int) -> tuple[int, bool]:
        """How many iterations the plan did, and whether the next one goes a way of its own."""
        loop = self._loop
        assert loop.plan is not None
        try:
            state = loop.state(self._frame)
            loop.plan = loop.plan.suited(state)
            if loop.is_kept(state, loop.plan):
                return 0, False
            grown = loop.grown(state)
        except (Unclear, Unplannable) as reason:
            if isinstance(reason, Moved) and loop.follow(reason.places):
                return 0, False
            # Something else has changed; as long as that is rare, another record pays.
            self._strange += 1
            if self._strange > STRANGE:
                loop.attempts += loop.plan.done > 50
                loop.plan = None
            return 0, False
        self._strange = 0
        done, self._leaving = loop.plan.forward(state, self._frame, limit, grown)
        switch.done += done
        loop.poor = max(0, loop.poor + (1 if done < min(4, limit) else -1))
        if loop.poor > POOR and limit > 4:
            loop.plan, loop.attempts, loop.others = None, 0, 0
        return done, not done and not self._leaving

    def _record(self, step: int, other: bool) -> tuple[Any, bool | None]:
        """A real iteration, recorded, and the test after it; makes a plan of it if it can.

        Args:
            other: whether it goes another way than the plan knows.
        """
        loop = self._loop
        loop.attempts -= not other
        loop.others -= other
        codes = loop.codes()
        boxes, places = loop.boxes(self._frame), loop.places()
        try:
            before = loop.state(self._frame)
        except Unclear:
            loop.attempts = 0
            return loop.body(self._frame), None
        loop.seen += 1
        recording = Recording()
        now.begin(recording)
        switch.busy = True
        followed = traced(boxes, places, recording)
        kept = _containers(boxes, followed)
        try:
            signal, going, after = self._iteration(codes, recording, step)
            if after is not None and going is not False:
                numbers = [(place, load(boxes, place)) for place in followed]
                _require_same(kept, _containers(boxes, followed))
                self._learn(Trace(before, after, recording, numbers), other)
        except (Unclear, Unplannable) as reason:
            self._reconsider(reason)
        finally:
            switch.busy = False
            loop.others -= len(recording.made) // LONG if other else 0
            restore(boxes, places, now.filled)
            now.begin(None)
        return signal, going

    def _iteration(
        self, codes: Sequence[Any], recording: Recording, step: int
    ) -> tuple[Any, bool | None, State | None]:
        """A real iteration: its signal, the answer of the test after it, and the state then.

        There is no answer where nothing asks, and no state where nothing can be learned.
        """
        loop, boxes, (body, test) = self._loop, self._loop.boxes(self._frame), codes
        tracking, going = current.tracking, None
        with recording:
            counter = None if loop.counter is None else load(boxes, loop.counter)
            signal = body(self._frame)
            if signal is not None and signal is not CONTINUE:
                return signal, None, None
            if test is not None:
                going = bool(test(self._frame))
            if counter is not None:
                save(boxes, loop.counter, counter + step)
            after = self._after()
        return signal, going, after if tracking is current.tracking else None

    def _after(self) -> State | None:
        try:
            return self._loop.state(self._frame)
        except Unclear as reason:
            self._reconsider(reason)
            return None

    def _reconsider(self, reason: Exception) -> None:
        """What is recorded in another way the next time."""
        loop = self._loop
        loop.fails()
        if isinstance(reason, Reached):
            loop.histories = True
        elif isinstance(reason, Moved):
            loop.follow(reason.places)
        elif loop.followed and not loop.rigid:
            loop.followed, loop.rigid = set(), True

    def _learn(self, trace: Trace, other: bool) -> None:
        """Makes a plan that knows a recorded iteration."""
        loop = self._loop
        done = loop.plan.done if loop.plan else 0
        loop.plan = loop.plan.with_trace(trace) if loop.plan else Plan([trace], trace.after)
        loop.others += other and done - loop.paid >= PAYS
        loop.paid = done
        loop.poor -= other


def _containers(boxes: Boxes, places: Iterable[Place]) -> list[Any]:
    """The lists and dicts that numbers are in."""
    found = [holder for place in places for holder in holders(boxes, place)]
    return [holder for holder in found if holder.__class__ is not tuple]


def _require_same(before: list[Any], after: list[Any]) -> None:
    if list(map(id, before)) != list(map(id, after)):
        raise Unclear("a list with a number of the loop is made anew")
