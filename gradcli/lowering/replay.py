"""Loops that run as straight-line programs: an iteration is recorded, then done again by itself.

Constraints: nobody can tell, except by the clock. What is recorded is a real iteration; the last
two before the loop ends, prints, fails or goes another way are real ones too, so that every name,
place, version and graph is what it would have been, even after half of the last one. Whatever the
record does not explain is interpreted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradcli.execute.elsewhere import elsewhere
from gradcli.execute.program import Unplannable
from gradcli.graph.node import current
from gradcli.graph.recording import Recording
from gradcli.language import ast
from gradcli.lowering.apart import hold
from gradcli.lowering.carried import Plan, Trace
from gradcli.lowering.iteration import can_be_watched, growing, inside, written_first
from gradcli.lowering.lower import lower_block, lower_used
from gradcli.lowering.places import Boxes, Place, holders, load, restore, save, traced
from gradcli.lowering.scope import CONTINUE, Code, Frame, Scope, bound_names
from gradcli.lowering.state import Moved, Reached, State, Unclear
from gradcli.lowering.watch import Watch

ATTEMPTS = 8
"""Iterations that are recorded at most until one can be repeated."""
OTHERS = 4
"""Iterations that go another way, and did not pay, that are recorded at most."""
PAYS = 8
"""Replayed iterations for which it pays to record one."""
MOST = 32
"""Numbers that are followed besides the variables."""
POOR = 3
"""How often a program may stop after fewer than four iterations, more often than after more."""
STRANGE = 2
"""Iterations in a row that a plan may not suit before it is forgotten."""
FOREVER = 1 << 60


class Switch:
    """Whether loops may be replayed, whether one is being recorded, how many iterations were."""

    __slots__ = ("busy", "done", "on")

    def __init__(self) -> None:
        self.on = True
        self.busy = False
        self.done = 0


switch = Switch()


def may_replay() -> bool:
    """Whether loops may be replayed; programs of loops are NumPy's."""
    return switch.on and elsewhere.engine is None


class Repeated:
    """What is known of a loop before it runs.

    Args:
        node: the loop.
        scope: where it stands.
        body: an iteration, interpreted.

    Attributes:
        plan: what can be done instead of iterations, if that is known.
        attempts: how many iterations may still be recorded.
        others: how many of those that go another way.
        poor: how often the plan stopped early.
        paid: how many iterations had been replayed when the last one was recorded.
        histories: whether iterations go through the history of what earlier ones computed.
        followed: where there are numbers, besides its variables, that are followed.
        rigid: whether that did not help.
    """

    __slots__ = (
        *("_codes", "_node", "_scope", "attempts", "body", "counter", "names", "others", "plan"),
        *("_grown", "followed", "histories", "named", "paid", "poor", "possible", "rigid"),
        "skipped",
    )

    def __init__(self, node: ast.While | ast.For, scope: Scope, body: Code) -> None:
        self._node, self._scope, self.body = node, scope, body
        self.plan: Plan | None = None
        self.poor, self.others, self.histories = 0, OTHERS, False
        self.paid = 0
        self.followed: set[Place] = set()
        self.rigid = False
        self._grown: list[Place] = []
        self._codes: tuple[Watch, Code, Code | None] | None = None
        self.possible = can_be_watched(node.body)
        self.attempts = ATTEMPTS if self.possible else 0
        self.names: list[str] = []
        self.skipped: frozenset[str] = frozenset()
        self.named: frozenset[str] = frozenset()
        self.counter: Any = None

    def __call__(self, frame: Frame) -> Replay:
        """A run of the loop."""
        return Replay(self, frame)

    def codes(self) -> tuple[Watch, Code, Code | None]:
        """The watch, and the body and the test as it looks at them."""
        if self._codes is None:
            node, environment = self._node, self._scope.environment
            used = {n.id for n in inside(self._tested()) if isinstance(n, ast.Name)}
            if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                used.add(node.target.id)
                self.counter = self._place(node.target.id)
            self.names = sorted({*bound_names(node.body), *used} & self._bindable())
            lists = growing(node.body)
            grown = {owner.id for owner in lists} - set(bound_names(node.body))
            ignored = written_first(node.body) | grown
            self.skipped = frozenset(ignored - environment.shared - used)
            self._grown = [self._place(name) for name in grown & self.skipped]
            names = {n.id for n in inside([node]) if isinstance(n, ast.Name)}
            self.named = frozenset(names | environment.shared)
            watch = environment.watch = Watch(lists)
            try:
                tests = [lower_used(test, self._scope) for test in self._tested()]
                body = lower_block(node.body, self._scope)
                self._codes = watch, body, tests[0] if tests else None
            finally:
                environment.watch = None
        return self._codes

    def _tested(self) -> list[ast.Expression]:
        return [self._node.test] if isinstance(self._node, ast.While) else []

    def _bindable(self) -> set[str]:
        """The names that are variables of the loop's own scope."""
        names = {*bound_names(self._node.body), *bound_names([self._node])}
        return names if self._scope.is_module else names & set(self._scope.slots)

    def boxes(self, frame: Frame) -> Boxes:
        """Where variables are."""
        return frame, self._scope.environment.variables

    def places(self) -> list[Place]:
        """Where the numbers may be that are followed: in the variables that the body binds, and
        wherever else some changed."""
        own = [self._place(name) for name in self.names]
        return [*own, *sorted(self.followed.difference(own), key=str)]

    def follow(self, places: set[Place]) -> bool:
        """Whether numbers at other places than so far are followed from now on."""
        if self.rigid or not places or len(places | self.followed) > MOST:
            return False
        self.followed |= places
        self.plan = None
        self.attempts = max(self.attempts, 1)
        return True

    def _place(self, name: str) -> Place:
        return (1, name) if self._scope.is_module else (0, self._scope.slots[name])

    def key(self, name: str) -> Any:
        """The key of a variable."""
        return self._place(name)[1]

    def is_kept(self, state: State, plan: Plan) -> bool:
        """Whether a list that grows holds what each iteration of the plan makes anew."""
        return bool(self._grown) and hold(
            [load(state.boxes, place) for place in self._grown], plan.fresh(state)
        )

    def state(self, frame: Frame) -> State:
        """What the next iteration starts from; raises `Unclear`."""
        skipped = frozenset(self.key(name) for name in self.skipped)
        scope = self._scope
        own = self.named if scope.is_module else self.named & set(scope.slots)
        named = frozenset(map(self.key, own))
        variables = scope.environment.variables
        return State(variables, frame, skipped, named, scope.is_module, self.histories)


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
        if remaining - done > 3 and (loop.others if other else loop.plan is None and loop.attempts):
            return (1, *self._record(step, other))
        return done + 1, loop.body(self._frame), None

    def _forward(self, limit: int) -> tuple[int, bool]:
        """How many iterations the plan did, and whether the next one goes a way of its own."""
        loop = self._loop
        assert loop.plan is not None
        try:
            state = loop.state(self._frame)
            loop.plan = loop.plan.suited(state)
            if loop.is_kept(state, loop.plan):
                return 0, False
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
        done, self._leaving = loop.plan.forward(state, self._frame, limit)
        switch.done += done
        loop.poor = max(0, loop.poor + (1 if done < 4 else -1))
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
        watch, body, test = loop.codes()
        boxes = loop.boxes(self._frame)
        try:
            before = loop.state(self._frame)
        except Unclear:
            loop.attempts = 0
            return loop.body(self._frame), None
        watch.recording = recording = Recording()
        switch.busy, tracking, going = True, current.tracking, None
        followed = traced(boxes, loop.places(), recording)
        kept = _containers(boxes, followed)
        try:
            with recording:
                counter = None if loop.counter is None else load(boxes, loop.counter)
                signal = body(self._frame)
                if signal is not None and signal is not CONTINUE:
                    return signal, None
                if test is not None:
                    going = bool(test(self._frame))
                if counter is not None:
                    save(boxes, loop.counter, counter + step)
                after = loop.state(self._frame)
            if tracking is current.tracking and going is not False:
                numbers = [(place, load(boxes, place)) for place in followed]
                _require_same(kept, _containers(boxes, followed))
                self._learn(Trace(before, after, recording, numbers), other)
        except (Unclear, Unplannable) as reason:
            self._reconsider(reason)
        finally:
            switch.busy = False
            restore(boxes, loop.places(), watch.filled)
        return signal, going

    def _reconsider(self, reason: Exception) -> None:
        """What is recorded in another way the next time."""
        loop = self._loop
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
