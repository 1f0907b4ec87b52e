"""What is known of a loop from one iteration to the next, and from one run to the next.

Constraints: see gradcli/lowering/replay.py.
"""

from __future__ import annotations

from typing import Any

from gradcli.language import ast
from gradcli.lowering.apart import hold
from gradcli.lowering.carried import Plan
from gradcli.lowering.iteration import can_be_watched, growing, inside, written_first
from gradcli.lowering.lower import lower_block, lower_used
from gradcli.lowering.places import COUNTER, Boxes, Place, load
from gradcli.lowering.rows import taking
from gradcli.lowering.scope import Code, Frame, Scope, bound_names, target_names
from gradcli.lowering.state import State
from gradcli.lowering.watch import Watch

ATTEMPTS = 8
"""Iterations that are recorded at most until one can be repeated."""
PATIENT = 2
"""Records that may come to nothing before the next one has to wait."""
OTHERS = 4
"""Iterations that go another way, and did not pay, that are recorded at most."""
MOST = 32
"""Numbers that are followed besides the variables."""


class Repeated:
    """What is known of a loop before it runs.

    Args:
        node: the loop.
        scope: where it stands.
        body: an iteration, interpreted.
        runs: where it goes through `Rows`, what is kept of each run, the innermost last.

    Attributes:
        plan: what can be done instead of iterations, if that is known.
        attempts: how many iterations may still be recorded.
        failed: how many records came to nothing.
        others: how many of those that go another way.
        poor: how often the plan stopped early.
        paid: how many iterations had been replayed when the last one was recorded.
        histories: whether iterations go through the history of what earlier ones computed.
        followed: where there are numbers, besides its variables, that are followed.
        rigid: whether that did not help.
        seen: how many iterations there were, in all runs.
        inner: how many iterations of other loops were replayed in the last of them; None unless
            that is known.
    """

    __slots__ = (
        *("_codes", "_node", "_scope", "attempts", "body", "counter", "failed", "names", "others"),
        *("_grown", "followed", "histories", "inner", "named", "paid", "plan", "poor", "possible"),
        *("_resting", "_runs", "rigid", "seen", "skipped"),
    )

    def __init__(
        self,
        node: ast.While | ast.For,
        scope: Scope,
        body: Code,
        runs: list[list[Any]] | None = None,
    ) -> None:
        self._node, self._scope, self.body, self._runs = node, scope, body, runs
        self.plan: Plan | None = None
        self.poor, self.others, self.histories = 0, OTHERS, False
        self.failed = self._resting = 0
        self.paid = 0
        self.followed: set[Place] = set()
        self.rigid = False
        self.seen = 0
        loops = any(isinstance(part, (ast.For, ast.While)) for part in inside(node.body))
        self.inner: int | None = None if loops else 0
        self._grown: list[Place] = []
        self._codes: tuple[Code, Code | None] | None = None
        self.possible = can_be_watched(node.body)
        self.attempts = ATTEMPTS if self.possible else 0
        self.names: list[str] = []
        self.skipped: frozenset[str] = frozenset()
        self.named: frozenset[str] = frozenset()
        self.counter: Any = None

    def codes(self) -> tuple[Code, Code | None]:
        """The body and the test as a watch looks at them."""
        if self._codes is None:
            node, environment = self._node, self._scope.environment
            used = {n.id for n in inside(self._tested()) if isinstance(n, ast.Name)}
            taken = set(target_names(node.target)) if isinstance(node, ast.For) else set()
            if self._runs is not None:
                self.counter = COUNTER
            elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                used |= taken
                self.counter = self._place(node.target.id)
            self.names = sorted({*bound_names(node.body), *used, *taken} & self._bindable())
            lists = growing(node.body)
            grown = {owner.id for owner in lists} - set(bound_names(node.body))
            ignored = written_first(node.body) | grown | taken
            self.skipped = frozenset(ignored - environment.shared - used)
            self._grown = [self._place(name) for name in grown & self.skipped]
            names = {n.id for n in inside([node]) if isinstance(n, ast.Name)}
            self.named = frozenset(names | environment.shared)
            environment.watch = Watch(lists)
            try:
                tests = [lower_used(test, self._scope) for test in self._tested()]
                body = lower_block(node.body, self._scope)
                if self._runs is not None and isinstance(node, ast.For):
                    body = taking(node, self._scope, body, self._runs)
                self._codes = body, tests[0] if tests else None
            finally:
                environment.watch = None
        return self._codes

    def _tested(self) -> list[ast.Expression]:
        return [self._node.test] if isinstance(self._node, ast.While) else []

    def _bindable(self) -> set[str]:
        """The names that are variables of the loop's own scope."""
        names = {*bound_names(self._node.body), *bound_names([self._node])}
        return names if self._scope.is_module else names & set(self._scope.slots)

    def pays(self, remaining: int) -> bool:
        """Whether it may pay to record an iteration.

        Where inner loops are replayed an iteration costs little, and its record, which has all that
        they do one by one, is long.
        """
        if self.seen < self._resting:
            return False
        return self.inner is not None and max(remaining, self.seen) > 2 * self.inner

    def fails(self) -> None:
        """Notes that a record came to nothing; the more did, the rarer the next ones are."""
        self.failed += 1
        self._resting = self.seen + (1 << self.failed - PATIENT if self.failed > PATIENT else 0)

    def boxes(self, frame: Frame) -> Boxes:
        """Where variables are."""
        run = self._runs[-1] if self._runs else []
        return frame, self._scope.environment.variables, run

    def places(self) -> list[Place]:
        """Where the numbers may be that are followed: in the variables that the body binds, and
        wherever else some changed."""
        own = [self._place(name) for name in self.names]
        own += [] if self._runs is None else [COUNTER]
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

    def grown(self, state: State) -> list[list[Any]]:
        """The lists that grow."""
        found = [load(state.boxes, place) for place in self._grown]
        return [items for items in found if isinstance(items, list)]

    def is_kept(self, state: State, plan: Plan) -> bool:
        """Whether a list that grows, or the history of a tensor that stays, holds what each
        iteration of the plan makes anew, in a way that the plan does not know of."""
        fresh, grown, past = plan.fresh(state), self.grown(state), plan.past(state)
        return hold(past, fresh) or hold([*grown], fresh, plan.known(state))

    def state(self, frame: Frame) -> State:
        """What the next iteration starts from; raises `Unclear`."""
        skipped = frozenset(self.key(name) for name in self.skipped)
        scope = self._scope
        own = self.named if scope.is_module else self.named & set(scope.slots)
        named = frozenset(map(self.key, own))
        return State(self.boxes(frame), skipped, named, scope.is_module, self.histories)
