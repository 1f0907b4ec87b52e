"""Values that nobody reads once some work is done: a library may write results over them.

Constraints: who holds a node is counted, not guessed. What the work itself does not account for is
somebody who may ask; a function that a backward pass has used up asks for nothing any more.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from gradcli.execute.evaluate import kept_inputs
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF

LEAST = 1 << 23
"""Bytes from which fresh memory costs more than work that is compiled once more."""


def spent(order: Sequence[Node], targets: Collection[Node]) -> list[list[Node]]:
    """The values that the nodes of `order` read, and nothing after them: the nodes that have each.

    Args:
        order: nodes without values, inputs first.
        targets: those of them that get values; they are held by others.
    """
    if not any(_is_large(x) for node in order for x in node.inputs):
        return []
    uses = _uses(order)
    needed = _needed(order, targets, uses)
    made = set(map(id, order))
    inputs = list({id(x): x for node in order for x in node.inputs if id(x) not in made}.values())
    held = [_references(inputs, i) - ALONE for i in range(len(inputs))]
    found = []
    for x, references in zip(inputs, held, strict=True):
        if _is_large(x) and id(x) not in needed and references == uses[id(x)]:
            sharing = _sharing(x, uses)
            if sharing and _references([x.value], 0) - ALONE == len(sharing):
                found.append(sharing)
    return found


def _is_large(x: Node) -> bool:
    return getattr(x.value, "nbytes", 0) >= LEAST


def _sharing(x: Node, uses: Counter[int]) -> list[Node]:
    """`x`, and the nodes around whose value it stands; none where others hold one of them."""
    nodes = [x]
    while len(nodes[-1].inputs) == 1 and nodes[-1].inputs[0].value is x.value:
        inner = list(nodes[-1].inputs)
        if _references(inner, 0) - ALONE != uses[id(inner[0])] + 1:
            return []
        nodes += inner
    return nodes


def _uses(order: Sequence[Node]) -> Counter[int]:
    """How often the nodes of `order` refer to each node, in tuples that nobody else holds."""
    calls = [node.call for node in order if node.call is not None]
    held = [node.inputs for node in order] + [call[1] for call in _only_here(calls)]
    return Counter(id(x) for nodes in _only_here(held) for x in nodes)


def _only_here(held: list[Any]) -> list[Any]:
    """The objects of a list, each once, that are held as often as they are in it."""
    slots = Counter(map(id, held))
    once = list({id(x): x for x in held}.values())
    held.clear()
    return [once[i] for i in range(len(once)) if _references(once, i) - ALONE == slots[id(once[i])]]


def _needed(order: Sequence[Node], targets: Collection[Node], uses: Counter[int]) -> set[int]:
    """What is read after the work, by a value that is still to be computed or by a derivative."""
    ends = set(map(id, targets))
    held = [_references(order, i) - ALONE > uses[id(order[i])] for i in range(len(order))]
    passed = _passed(order, held)
    needed: set[int] = set()
    alive: set[int] = set()
    for node, outside in zip(reversed(order), reversed(held), strict=True):
        lives = outside or id(node) in alive
        kept = kept_inputs(node) if id(node) in ends else node.inputs
        reads = lives and id(node) in passed
        if id(node) not in ends:
            reads = reads or outside or id(node) in needed
        elif not node.tracked:
            reads = True  # a condition, which is asked again
        if lives:
            alive.update(map(id, kept))
        if reads:
            needed.update(map(id, kept))
    return needed


def _passed(order: Sequence[Node], held: Sequence[bool]) -> set[int]:
    """The nodes through which a derivative may still go, to something that somebody holds.

    One that comes to a function that was used up is refused before it reads anything.
    """
    found: set[int] = set()
    stopped: set[int] = set()
    for node, outside in zip(order, held, strict=True):
        if not node.tracked:
            continue
        if not node.released and any(x.tracked and id(x) not in stopped for x in node.inputs):
            found.add(id(node))
        elif not outside and node.op is not LEAF:
            stopped.add(id(node))
    return found


def _references(objects: Sequence[Any], place: int) -> int:
    return sys.getrefcount(objects[place])


ALONE = _references([Node.__new__(Node)], 0)
"""What `_references` counts for an object that only the list holds."""
