"""One backward pass: PyTorch's rules and hooks at each function that it goes through.

Constraints: PyTorch's rules about what may be differentiated twice and what may have been
overwritten are kept; its sentences too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import add, attrgetter
from typing import Any

from gradcli.execute import evaluate
from gradcli.execute.elsewhere import elsewhere
from gradcli.execute.evaluate import let_go, settle, silence
from gradcli.graph import backward as engine
from gradcli.graph.call import Part, composition_of, is_seen, results_of
from gradcli.graph.forms import are_small
from gradcli.graph.node import Node, current
from gradcli.graph.op import FULL, LEAF
from gradcli.graph.whole import Given, Parts, Whole, end
from gradcli.tensor import saved
from gradcli.tensor.anomaly import Watch, anomaly
from gradcli.tensor.blocks import apart, is_apart
from gradcli.tensor.closing import goes_on
from gradcli.tensor.fields import keeps
from gradcli.tensor.function_hooks import changed_each, prepared, replaced
from gradcli.tensor.kept import Kept, history, looked_up
from gradcli.tensor.kept_steps import keep_steps
from gradcli.tensor.passes import repeated
from gradcli.tensor.pulls import added, pull
from gradcli.tensor.refusals import used_up
from gradcli.tensor.repeats import is_watched
from gradcli.tensor.second import arguments_of, newest_of, plus, shown, steps
from gradcli.tensor.seeds import seed
from gradcli.tensor.storage import Stop, Version, value_of
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.unwritten import noting

Wanted = Callable[[Node], bool]


class Pass:
    """One backward pass: its options, and what it checks at each node.

    Args:
        forward: whether it is a part of forward mode, which knows neither hooks nor saved values.

    Attributes:
        adds: whether it adds to `.grad`: a pass of `backward`, not of `grad`.
        small: whether it comes to small known values only, so that nothing is ever planned.
        early: cotangents as they were before hooks, of what is not the end of a pass of `grad`:
            PyTorch gives these.
    """

    adds, small = False, False

    def __init__(
        self,
        retain_graph: bool,
        create_graph: bool,
        batched: bool = False,
        named: bool = True,
        forward: bool = False,
    ) -> None:
        self.forward = forward
        self.retain_graph = retain_graph
        self.create_graph = create_graph
        self.batched = batched
        self.shows = create_graph and named and not batched and not forward
        self.used: list[Node] = []
        self.early: dict[Node, Any] = {}
        self.ends: tuple[list[Node], Wanted | None] = [], None
        self.watch = Watch() if anomaly.enabled and anomaly.check_nan else None

    def run(
        self,
        outputs: Sequence[Tensor],
        cotangents: Sequence[Tensor | None],
        targets: Wanted | None,
        arrived: engine.Arrived = engine.ignored,
    ) -> dict[Node, Node]:
        """Runs the engine, then lets go of what the pass has used up."""
        running.append(self)
        try:
            return self._run(outputs, cotangents, targets, arrived)
        finally:
            running.remove(self)

    def _run(
        self,
        outputs: Sequence[Tensor],
        cotangents: Sequence[Tensor | None],
        targets: Wanted | None,
        arrived: engine.Arrived,
    ) -> dict[Node, Node]:
        with silence, Stop(self.create_graph):
            seeds = [
                seed(output, cotangent, number, self.batched)
                for number, (output, cotangent) in enumerate(zip(outputs, cotangents, strict=True))
            ]
            self.ends = [node for node, _ in seeds], targets
            if current.recording is not None:
                current.recording.roots += self.ends[0]
            found = self._gradients(seeds, targets, arrived)
            found.update((node, g) for node, g in self.early.items() if node in found)
        for node in self.used:
            node.released = True
            if node.value is not None:
                let_go(node)
        if elsewhere.engine is not None and not self.create_graph:
            elsewhere.engine.turn(passed=True)
        return found

    def _gradients(
        self, seeds: list[tuple[Node, Node]], targets: Wanted | None, arrived: engine.Arrived
    ) -> dict[Node, Node]:
        if self.forward:
            step = partial(_pulled_apart, targets) if apart.blocks else None
            return engine.backward(seeds, targets, add=add, pull=step)
        plain = not (self.shows or Version.any_unseen or Kept.used or apart.blocks)
        usual = not (self.create_graph or self.batched or is_watched())
        once = usual and plain and self.watch is None
        known = repeated(seeds, targets, _is_sound) if once else None
        if known is None:
            return engine.backward(
                seeds,
                targets,
                before=self.before,
                after=self.after,
                whole=None if plain else self.whole,
                arrived=arrived,
                missed=missed,
                begin=self._begin if usual else None,
                pull=noting(pull if usual else engine.propagate),
                add=added if usual else plus if self.shows else add,
            )
        found, gone_through = known
        self.used += () if self.retain_graph else filter(_is_used, gone_through)
        for node, part in found.items():
            arrived(node, part)
        return found

    def _begin(self, order: Sequence[Node]) -> None:
        self.small = are_small(order, evaluate.SMALL)

    def _through(
        self, whole: Node, cotangent: Node, arguments: Sequence[Node], last: Kept
    ) -> Parts:
        """What a function passes on to its arguments by way of those that PyTorch makes it of.

        `last` is what a script keeps with the last of these, whose result is `whole`.
        """
        ends = {x for x in arguments if x.tracked}

        def inner(node: Node) -> Whole | None:
            if node in ends:
                return end(node)
            return self.function(node, last) if node is whole else self.whole(node)

        return list(engine.backward([(whole, cotangent)], ends.__contains__, whole=inner).items())

    def reached(self) -> set[Any]:
        """The functions that this pass comes to, as `function_of` knows them."""
        outputs, targets = self.ends
        nodes = engine.reached(outputs, targets)
        if targets is None and len(outputs) == 1:
            nodes.discard(outputs[0])  # PyTorch begins at it, and does not come to it
        return set(map(function_of, nodes))

    def before(self, node: Node, cotangent: Any, passed_on: bool) -> Any:
        """Applies hooks; then checks the node, where no hooks of its function come before that."""
        waits = isinstance(cotangent, Node) and cotangent.value is None
        if waits and (self.small or not _is_number(cotangent)):
            settle(cotangent)
        hooks = node.attrs["owner"].hooks if node.op is LEAF else node.hooks
        if hooks and passed_on and not self.adds:
            self.early[node] = cotangent
        if hooks and not (Kept.used and looked_up(node).hooks):
            for hook in tuple(hooks):
                cotangent = hook(cotangent)
        if passed_on and not (Kept.used and looked_up(node).before):
            self.check(node)
        return cotangent

    def check(self, node: Node) -> None:
        """Refuses a function that is used up, or one whose values were overwritten."""
        if is_apart(node):
            return
        if node.released:
            raise used_up(node)
        if _is_used(node):
            stale = saved.stale(node)
            if stale is not None:
                raise saved.changed(node, *stale)
            if not self.retain_graph:
                self.used.append(node)

    def after(self, node: Node, parts: Parts) -> None:
        """Looks at what a node passes on; a function of the script's lets go of what it saved."""
        if self.watch is not None:
            self.watch(node, parts)
        function = node.attrs.get("function")
        if function is not None and not self.retain_graph:
            function.free()

    def whole(self, node: Node) -> Whole | None:
        """The function of `node`, where something asks for all its steps at once."""
        if is_apart(node):
            return end(node)
        kept = looked_up(node)
        hooked = bool(kept.before or kept.after or kept.hooks or (Kept.used and is_seen(node)))
        hidden = bool(kept.packed) or (Version.any_unseen and saved.is_hidden(node))
        if not (self.shows or hooked or hidden) or history(node) is not node:
            return None
        return self.function(node, kept)

    def function(self, node: Node, kept: Kept) -> Whole:
        """The function that made `node`, with what a script keeps with it."""
        outputs = list(results_of(node).values())
        known = steps(node, outputs) or sorted(outputs, key=attrgetter("serial"))
        hidden = bool(looked_up(node).packed) or Version.any_unseen
        seen = saved.stands_in(node, known) if hidden else {}
        arguments = arguments_of(node)

        def hooked(given: Given) -> Given:
            return changed_each(kept.hooks, node, given) if kept.hooks else given

        def before(given: Given) -> Given:
            for hook in tuple(kept.before):
                given = prepared(hook, node, given)
            for y in given if kept.before else ():
                self.check(y)
            return given

        def done(given: Given, parts: Parts) -> Parts:
            asked = self.shows or kept.after or is_seen(node)
            whole = composition_of(node) if parts and asked else None
            if whole is not None:
                return self._through(whole.node, given[node], arguments, kept.passing())
            if self.shows and parts:
                newest = newest_of(given)
                parts = shown(node, given, parts)
                keep_steps(node, parts, newest)
            for hook in tuple(kept.after):
                parts = replaced(hook, node, given, parts)
            return parts

        return Whole(arguments, outputs, known, seen, hooked, before, done, self.adds)


def _pulled_apart(targets: Any, node: Node, cotangent: Any, needed: Any) -> Parts:
    """What a node passes on in forward mode, whose tangents have no history in blocks apart."""
    if not is_apart(node) or node.op.multiple or goes_on(node, targets.owners):
        return engine.propagate(node, cotangent, needed)
    forward = tuple(map(value_of, (node, *node.inputs)))
    return engine.propagate(node, cotangent, needed, forward)


def function_of(node: Node) -> Any:
    """What stands for the function that made `node`: of a leaf, what its gradients add up in."""
    if node.op is LEAF:
        return node.attrs["owner"]
    return id(node.call[1]) if isinstance(node.call, Part) else node


def missed(node: Node) -> bool:
    """Whether a script is told that nothing came to a node, by a hook or its own function."""
    if node.op is LEAF:
        owner = node.attrs["owner"]
        return bool(owner.hooks or owner.adding or owner.after or owner.added)
    if node.hooks or "function" in node.attrs:
        return True
    kept = looked_up(node)
    return bool(kept.before or kept.after or kept.hooks)


def _is_number(cotangent: Node) -> bool:
    """Whether a cotangent without value follows from numbers alone: plans see these uncomputed.

    The cotangents of several results are none.
    """
    return cotangent.shape == () and all(
        [x.op is FULL or (x.value is None and x.shape == ()) for x in cotangent.inputs]
    )


def _is_sound(node: Node) -> bool:
    """Whether `Pass.check` lets a pass go through a node."""
    return not node.released and not (_is_used(node) and saved.stale(node) is not None)


def _is_used(node: Node) -> bool:
    """Whether a pass uses up something that a function kept."""
    return keeps(node) and history(node) is node


running: list[Pass] = []
"""The backward passes that run now: a hook may begin another one."""
