"""From an evaluated expression to its drawing: at the level of grad_fn nodes or of ops.

Constraints: draws what autograd sees, so every variable that can be differentiated by is tracked
first; reads the graph, and computes values and gradients only where they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gradcli.diagram.boxes import Arrow, Box, Diagram
from gradcli.execute.evaluate import array
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, LEAF, SYMBOL
from gradcli.graph.shape import numel
from gradcli.source import Source
from gradcli.tensor import Tensor, autograd
from gradcli.tensor.kept import name_of


class Options:
    """What to draw.

    Args:
        level: of the boxes, "grad_fn" or "op".
        show: "forward", "backward" or "both".
        values: whether values and gradients are computed.
        cotangent: of a result that is no scalar, in its shape.
    """

    def __init__(
        self,
        level: str = "grad_fn",
        show: str = "forward",
        *,
        values: bool = False,
        cotangent: Tensor | None = None,
    ) -> None:
        self.level = level
        self.show = show
        self.values = values
        self.cotangent = cotangent


def draw(
    source: Source, roots: Iterable[Tensor], variables: Mapping[str, Any], options: Options
) -> Diagram:
    """The drawing of what leads to `roots`; a single one is the result."""
    picture = Picture(source, variables, options)
    outputs = [root.node for root in roots]
    picture.forward(outputs)
    if len(outputs) == 1:
        picture.boxes[outputs[0]].result = True
        picture.gradients(Tensor(outputs[0]))
    return picture.diagram


class Picture:
    """A drawing while it is made."""

    def __init__(self, source: Source, variables: Mapping[str, Any], options: Options) -> None:
        self.diagram = Diagram(source)
        self.options = options
        self.boxes: dict[Node, Box] = {}
        tensors = {n: v for n, v in variables.items() if isinstance(v, Tensor)}
        self.names: dict[Any, str] = {v.autograd: n for n, v in tensors.items()}
        self.names |= {v.value_node: n for n, v in tensors.items()}

    def forward(self, outputs: list[Node]) -> None:
        """Boxes and arrows of what leads to the outputs."""
        order = _ancestors(outputs, self.inputs)
        for node in order:
            self.box(node)
        backward = self.options.show != "forward" and self.options.level == "grad_fn"
        for node in order:
            for x in dict.fromkeys(self.inputs(node)):
                ends = self.boxes[x].number, self.boxes[node].number
                if self.options.show != "backward" or not backward:
                    self.diagram.arrows.append(Arrow(*ends))
                if backward and x.tracked:
                    self.diagram.arrows.append(Arrow(ends[1], ends[0], "gradient"))

    def inputs(self, node: Node) -> list[Node]:
        """What the box of a node gets arrows from."""
        if node.op is LEAF or node in self.names:
            return []
        if self.options.level == "op" or node.call is None:
            return list(node.inputs)
        return [x for x in node.call[1] if x.op is not FULL or x.tracked]

    def box(self, node: Node, kind: str = "function") -> Box:
        """The box of a node, made when it is first asked for."""
        known = self.boxes.get(node)
        if known is not None:
            return known
        name = self.names.get(node.attrs["owner"] if node.op is LEAF else node)
        text = "" if node.span is None else node.span.whole
        if name is not None:
            box = self.diagram.add("variable", name)
        elif not self.inputs(node) and (kind == "function" or node.op is FULL):
            box = self.diagram.add("constant", self._constant(node, text), node.span)
        elif self.options.level == "op" or not node.tracked:
            box = self.diagram.add(kind, node.op.name, node.span, text)
        else:
            box = self.diagram.add(kind, name_of(node), node.span, text)
        box.node, box.shape, box.dtype = node, node.shape, node.dtype.name
        box.operands = {x: self._called(x) for x in self.inputs(node)}
        if self.options.values and not _symbolic(node):
            box.value = array(node)
        self.boxes[node] = box
        return box

    def _called(self, node: Node) -> str:
        """What a formula calls an operand."""
        name = self.names.get(node.attrs["owner"] if node.op is LEAF else node)
        if name is not None:
            return name
        if node.op is FULL or node.span is None:
            return f"{node.attrs.get('value', node.op.name)}"
        return node.span.whole

    def _constant(self, node: Node, text: str) -> str:
        if node.op is FULL:
            value = node.attrs["value"]
            return str(value) if hasattr(value, "form") else f"{value:g}"
        known = node.value
        if known is None or np.size(known) != 1:
            return text or node.op.name
        return f"{np.asarray(known).item():.4g}"

    def gradients(self, output: Tensor) -> None:
        """Adds gradients, and the steps of the derivative where ops are drawn."""
        steps = self.options.level == "op" and self.options.show != "forward"
        wanted = self.options.values or steps
        given = self.options.cotangent
        scalar = numel(tuple(output.shape)) == 1 and not output.dtype.is_complex
        if not wanted or not output.requires_grad or not (scalar or given is not None):
            return
        inner = [n for n in self.boxes if n.tracked and not n.op.multiple]
        parts = autograd.grad(
            [output],
            [Tensor(n) for n in inner],
            [given],
            retain_graph=True,
            create_graph=steps,
            allow_unused=True,
        )
        self.diagram.differentiated = self.options.values
        for node, part in zip(inner, parts, strict=True):
            if part is not None and self.options.values and not _symbolic(part.value_node):
                self.boxes[node].grad = part.array()
        if steps:
            self._derivative(inner, parts)

    def _derivative(self, nodes: list[Node], parts: Any) -> None:
        """The graph of the derivative, which uses values of the graph."""
        forward = set(self.boxes)
        pairs = zip(nodes, parts, strict=True)
        found = {n: p.node for n, p in pairs if p is not None and n.op is LEAF}
        order = _ancestors(found.values(), lambda n: [] if n in forward else list(n.inputs))
        used = {x for n in order if n not in forward for x in n.inputs} | set(found.values())
        if self.options.show == "backward":
            keep = [n for n in self.boxes if n in used or n in found]
            self.diagram.boxes, self.diagram.arrows = [], []
            before, self.boxes = self.boxes, {}
            for node in keep:
                self.boxes[node] = before[node]
                before[node].number = len(self.diagram.boxes)
                self.diagram.boxes.append(before[node])
        for node in order:
            self.box(node, "gradient")
        for node in (n for n in order if n not in forward):
            for x in dict.fromkeys(node.inputs):
                self._arrow(x, node)
        for leaf, node in found.items():
            end = self.diagram.add("gradient", f"{self.boxes[leaf].title}.grad")
            end.shape, end.dtype = leaf.shape, leaf.dtype.name
            end.value = self.boxes[leaf].grad
            self.diagram.arrows.append(Arrow(self.boxes[node].number, end.number, "gradient"))

    def _arrow(self, start: Node, end: Node) -> None:
        ends = self.boxes[start].number, self.boxes[end].number
        self.diagram.arrows.append(Arrow(*ends, "gradient"))


def _ancestors(outputs: Iterable[Node], inputs: Any) -> list[Node]:
    """What the outputs depend on through `inputs`, in the order of computation."""
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(inputs(node))
    return sorted(seen, key=lambda node: node.serial)


def _symbolic(node: Node) -> bool:
    """Whether the value depends on a variable without one."""
    if node.value is not None or node.op.multiple:
        return node.op.multiple
    seen: set[Node] = set()
    stack = [node]
    while stack:
        x = stack.pop()
        if x.op is SYMBOL:
            return True
        if x.value is None and x not in seen:
            seen.add(x)
            stack.extend(x.inputs)
    return False
