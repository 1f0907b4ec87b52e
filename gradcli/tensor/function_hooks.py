"""What hooks make of the gradients that go through a function: of its results, of its arguments.

Constraints: in PyTorch's order: the hooks of each result, those of the function before it computes,
those after it. Where nothing came to a result they are told so: None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcli.graph.call import Part, receivers_of, results_of
from gradcli.graph.node import Node
from gradcli.graph.whole import Given, Parts
from gradcli.tensor.hooks import replacements

Hooks = Mapping[int, Sequence[Callable[[Any], Any]]]
"""By the number of a result, the hooks of its gradient."""


def changed_each(hooks: Hooks, node: Node, given: Given) -> Given:
    """The cotangents of a function's results, as the hooks of each make them."""
    results, after = results_of(node), dict(given)
    for number, several in hooks.items():
        y = results.get(number)
        cotangent = None if y is None else given.get(y)
        for hook in tuple(several):
            cotangent = hook(cotangent)
        if y is not None:
            after[y] = cotangent
    return after


def prepared(hook: Any, node: Node, given: Given) -> Given:
    """The cotangents of a function's results, as a hook makes them."""
    before = _in_order(node, given)
    after = replacements(hook, before, (before,))
    results = results_of(node)
    by_number = dict(zip(varied(node), after, strict=True))
    return {y: by_number[i] for i, y in results.items() if i in by_number}


def replaced(hook: Any, node: Node, given: Given, parts: Parts) -> Parts:
    """What a function's hook makes of the gradients that the function passes on."""
    arguments = receivers_of(node)
    waiting, before = list(parts), list[Node | None]()
    for x in arguments:
        place = next((i for i, (y, _) in enumerate(waiting) if y is x), None)
        before.append(None if place is None else waiting.pop(place)[1])
    after = replacements(hook, before, (before, _in_order(node, given)))
    return [(x, y) for x, y in zip(arguments, after, strict=True) if y is not None] + waiting


def varied(node: Node) -> Sequence[int]:
    """The numbers of the results that gradients come to, of the function that made `node`."""
    arguments = node.call[1] if node.call is not None else ()
    return getattr(arguments, "varied", None) or (getattr(node.call, "output", 0),)


def _in_order(node: Node, given: Given) -> list[Node | None]:
    """The cotangents of a function's results, in their order."""
    if not isinstance(node.call, Part):
        return [given.get(node)]
    by_number = {i: given.get(y) for i, y in results_of(node).items()}
    return [by_number.get(i) for i in varied(node)]
