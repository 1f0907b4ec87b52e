"""One call of a script's `torch.autograd.Function`: its history forward, its derivative backward.

Constraints: what it raises are PyTorch's sentences about results and gradients that do not fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.functions.context import Context, refusal_of_write
from gradcli.functions.custom_lifted import Lifted, Pushing
from gradcli.functions.custom_tangents import fitted
from gradcli.graph.backward import unbroadcast
from gradcli.graph.call import Arguments, Part, give
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import results
from gradcli.graph.shape import broadcast
from gradcli.ops.batching import Batching, over_examples
from gradcli.ops.custom import Cotangents, custom, pulled
from gradcli.ops.elementwise import cast
from gradcli.tensor import Tensor, levels
from gradcli.tensor.storage import detached, value_of
from gradcli.tensor.wrapping import viewed
from gradcli.tensor.write import write

Values = tuple[Any, ...]


class Call:
    """A call.

    Args:
        context: what the script sees of it.
        backward: the script's derivative.
        jvp: the script's derivative in forward mode.
        arguments: of the script's `forward`.
    """

    def __init__(
        self,
        context: Context,
        backward: Callable[..., Any],
        jvp: Callable[..., Any],
        arguments: Values,
    ) -> None:
        self.context = context
        context._backward = backward
        self.backward = backward
        self.jvp = jvp
        self.arguments = arguments
        self.is_tensor = [isinstance(a, Tensor) for a in arguments]
        self.sources = [a.node for a in arguments if isinstance(a, Tensor)]
        self.pushed: Cotangents | None = None
        self.outputs: list[Node | None] = []
        self.places: list[int] = []
        self.written: dict[int, int] = {}  # the numbers of results that are tensors written to
        self.views: list[int] = []

    # -- forward

    def finished(self, outputs: Values) -> Values:
        """What the script gets for the results of its `forward`."""
        context = self.context
        tracked = current.tracking and any([node.tracked for node in self.sources])
        for changed in context._dirty:
            self._changed(changed, outputs, tracked)
        if not all([_is_among(changed, outputs) for changed in context._dirty]):
            raise GradcliError(
                "G046",
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function.",
            )
        given = tuple([self._given(y, tracked) for y in outputs])
        self._note(outputs, given)
        self.arguments = ()
        self.outputs = [value_of(y.value_node) if isinstance(y, Tensor) else None for y in given]
        self.places = [i for i, y in enumerate(given) if _varies(y, outputs[i], context._fixed)]
        if tracked and self.places:
            self._record([given[i] for i in self.places])
            context._seal()
        elif not tracked:
            context._saved = ()
        for y in given:
            if isinstance(y, Tensor) and not _is_among(y, context._dirty):
                self._guard(y)
        return given

    def _note(self, outputs: Values, given: Values) -> None:
        """Notes which results are arguments that were written to, and which are views."""
        tensors = [a for a in self.arguments if isinstance(a, Tensor)]
        for i, (output, y) in enumerate(zip(outputs, given, strict=True)):
            if any(output is x for x in self.context._dirty):
                self.written.update((i, k) for k, x in enumerate(tensors) if x is output)
            elif isinstance(y, Tensor) and y._view is not None and y._view.base is not None:
                self.views.append(i)

    def _changed(self, changed: Any, outputs: Values, tracked: bool) -> None:
        if not isinstance(changed, Tensor):
            raise GradcliError(
                "G046",
                f"mark_dirty can only accept variables, but got {type(changed).__name__}",
                kind=TypeError,
            )
        view = changed._view
        refusal = refusal_of_write(changed, len(outputs)) if tracked else None
        if refusal or not tracked or view is None or view.base is None:
            changed.memory.touch(changed.version)  # else it is written to its base, and counted
        if refusal:
            raise refusal

    def _given(self, output: Any, tracked: bool) -> Any:
        """An argument that comes back unchanged is a view of itself, without history if need be."""
        known = isinstance(output, Tensor) and not _is_among(output, self.context._dirty)
        if not (known and _is_among(output, self.arguments)):
            return output
        alone = not tracked and output.requires_grad
        return output.detach() if alone else viewed(output, detached(output.value_node), ())

    def _guard(self, output: Tensor) -> None:
        """Forbids writes to a view: they would go past the script's own derivative."""
        view = output._view
        if view is not None and view.base is not None:
            view.caution = "custom" if len(self.places) <= 1 else "multiple"
            view.number = output.version.number

    def _record(self, tensors: list[Tensor]) -> None:
        values = [x for i in self.places if (x := self.outputs[i]) is not None]
        kinds = [(x.shape, x.dtype) for x in values]
        attrs = {"function": self, "count": len(values)}
        bundle = Node(custom, (*values, *self.sources), attrs, (), kinds[0][1], True)
        context, name = self.context, type(self.context).__name__
        shared = Arguments(self.sources, self.sources)
        made = zip(tensors, values, results(bundle, kinds), self.places, strict=True)
        for tensor, value, item, place in made:
            give(item, Part(name, shared, place, self.context))
            item.value = value.value
            settle(item)
            view = tensor._view
            if view is not None and view.base is not None and _is_among(tensor, context._dirty):
                write(tensor, item)
            elif tensor._storage is None and tensor._autograd is None:
                tensor._node = item  # nobody else has seen it
            else:
                tensor.adopt(item)
            context._node = context._node or item
        shared.varied = list(range(len(self.outputs)))

    # -- forward mode

    def _linear(self, g: Cotangents) -> Cotangents:
        """The cotangents of the sources, as nodes that are differentiated and not computed."""
        kinds = [(x.shape, x.dtype) for x in self.sources]
        given = [x for x in g if x is not None]
        function = Pushing(self, [x is not None for x in g])
        attrs = {"function": function, "kinds": kinds, "count": len(given)}
        bundle = Node(pulled, (*given, *self.sources), attrs, (), kinds[0][1], True)
        return results(bundle, kinds)

    def push_now(self, tangents: Cotangents) -> None:
        """Calls the script's `jvp`, once, where the arguments have tangents: dual tensors are."""
        if any(x is not None for x in tangents):
            self.pushed = self.push(tangents)

    def push(self, t: Cotangents) -> Cotangents:
        """The tangents of the results, from the script's `jvp`, for those of the sources."""
        if self.pushed is not None:
            return self.pushed
        given = iter(t)
        sources = iter(self.sources)
        tangents = []
        for is_tensor in self.is_tensor:
            part, source = (next(given), next(sources)) if is_tensor else (None, None)
            if part is None and source is not None and self.context.materialize_grads:
                part = constant(0, source.dtype, source.shape)
            tangents.append(None if part is None else Tensor(part))
        of_tensors = [x for x, known in zip(tangents, self.is_tensor, strict=True) if known]
        seen = [(x, 0 if x is None else x.version.number) for x in of_tensors]
        with self.context._forward():
            found = self.jvp(self.context, *tangents)
        written = {i: seen[k] for i, k in self.written.items()}
        return fitted(found, self.outputs, self.places, written, self.views)

    # -- backward

    def free(self) -> None:
        """A backward pass has used up what was saved."""
        self.context._free()

    def pull(self, g: Cotangents) -> Cotangents:
        """The cotangents of the arguments that are tensors, for those of the results."""
        size = self.examples(g)
        if size is not None:
            return over_examples(self.pull, g, {}, size)
        if current.forward:
            return self._linear(g)
        found = self.backward(self.context, *self._cotangents(g))
        parts = self._fitted(found if isinstance(found, tuple) else (found,))
        return [
            None if part is None else self._part(part, source, place)
            for place, (part, source) in enumerate(zip(parts, self.sources, strict=True))
        ]

    def examples(self, g: Cotangents) -> int | None:
        """The length of the axis that cotangents have in front of a result's; None without one."""
        for place, part in zip(self.places, g, strict=True):
            output = self.outputs[place]
            if part is not None and output is not None and part.ndim > output.ndim:
                return part.shape[0]
        return None

    def lifted(self, batching: Batching) -> Lifted:
        """The call for all examples of a batch."""
        return Lifted(self, batching)

    def _cotangents(self, g: Cotangents) -> list[Tensor | None]:
        given = dict(zip(self.places, g, strict=True))
        found: list[Tensor | None] = []
        for place, output in enumerate(self.outputs):
            node = given.get(place)
            if node is None and output is not None and self.context.materialize_grads:
                node = constant(0, output.dtype, output.shape)
            if node is not None:
                settle(node)
            found.append(None if node is None else Tensor(node))
        return found

    def _fitted(self, parts: Values) -> list[Tensor | None]:
        """One for each tensor, of what `backward` returned for each argument."""
        count, name = len(self.is_tensor), type(self.context).__name__
        if len(parts) > count and all(part is None for part in parts[count:]):
            parts = parts[:count]
        if len(parts) != count:
            raise GradcliError(
                "G046",
                f"function {name} returned an incorrect number of gradients (expected {count}, got "
                f"{len(parts)})",
                help="backward returns a gradient, or None, for each argument of forward",
            )
        for position, (part, is_tensor) in enumerate(zip(parts, self.is_tensor, strict=True), 1):
            if part is not None and not is_tensor:
                raise GradcliError(
                    "G046",
                    f"function {name} returned a gradient different than None at position "
                    f"{position}, but the corresponding forward input was not a Variable",
                )
            if part is not None and not isinstance(part, Tensor):
                raise GradcliError("G046", f"expected Variable or None (got {type(part).__name__})")
        return [part for part, is_tensor in zip(parts, self.is_tensor, strict=True) if is_tensor]

    def _part(self, part: Tensor, source: Node, place: int) -> Node:
        node = part.node if current.tracking else value_of(part.value_node)
        if node.shape != source.shape:
            try:
                fits = broadcast(source.shape, node.shape) == node.shape
            except GradcliError:
                fits = False
            if not fits:
                raise GradcliError(
                    "G046",
                    f"Function {type(self.context).__name__} returned an invalid gradient at index "
                    f"{place} - got {list(node.shape)} but expected shape compatible with "
                    f"{list(source.shape)}",
                )
            node = unbroadcast(node, (), source.shape)
        return cast(node, source.dtype)


def tangents_of(arguments: Values) -> Cotangents:
    """The tangents of those arguments that are tensors; None for one that has none."""
    given = [levels.tangents(x) for x in arguments if isinstance(x, Tensor)]
    return [found[0].node if found else None for found in given]


def _is_among(value: Any, values: Values) -> bool:
    """Whether it is one of them itself, not only equal."""
    return any([other is value for other in values])


def _varies(value: Any, original: Any, fixed: Values) -> bool:
    """Whether a result of `forward` has a derivative."""
    return (
        isinstance(value, Tensor) and value.dtype.differentiable and not _is_among(original, fixed)
    )
