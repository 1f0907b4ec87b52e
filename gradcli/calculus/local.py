"""What one step of the chain rule does, as formulas: the gradient that each operand gets.

Constraints: `g` is the gradient of the step's result, `out` the result; a formula that does not
evaluate to what the rules of the op table give, at random values, is not returned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from gradcli.calculus.trace import in_float64
from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.functions.create import from_array
from gradcli.graph.backward import propagate
from gradcli.graph.cotangents import Cotangents
from gradcli.graph.dtype import BOOL, FLOATING, INTEGER
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, LEAF, SYMBOL
from gradcli.graph.walk import ancestors
from gradcli.language.parser import parse_expression
from gradcli.language.print import unparse
from gradcli.lowering.interpret import Interpreter
from gradcli.render.formula import Writer
from gradcli.render.rules import symbol
from gradcli.rewrite import rules as rules
from gradcli.rewrite.translate import Rewriter
from gradcli.source import Source
from gradcli.tensor import Tensor
from gradcli.tensor.storage import Stop

LARGEST = 4_000_000
"""Elements of the largest operand with which a formula is tried."""
FEW = 16
"""Positions that are written out."""
ATOM = re.compile(r"[\w.]+(\[[^]]*\]|\([^()]*\))?")


def operand_texts(node: Node, variables: Mapping[str, Any]) -> dict[Node, str]:
    """What the arguments of a grad_fn node are called: variables by their names, others by their
    source.
    """
    tensors = {name: v for name, v in variables.items() if isinstance(v, Tensor)}
    names: dict[Any, str] = {v.autograd: name for name, v in tensors.items()}
    names |= {v.value_node: name for name, v in tensors.items()}
    found = {}
    for x in node.inputs if node.call is None else node.call[1]:
        name = names.get(x.attrs["owner"] if x.op is LEAF else x)
        if name is None and x.op is FULL:
            continue
        found[x] = name or (x.op.name if x.span is None else x.span.whole)
    return found


def local_formulas(node: Node, operands: Mapping[Node, str]) -> dict[Node, str]:
    """For each tracked operand the gradient it gets, in `g`, `out` and the operands' texts.

    Operands whose gradient has no short formula are missing.
    """
    found: dict[Node, str] = {}
    texts = dict(operands)
    with in_float64():
        parts = _cotangents(node, list(operands))
        for part in parts.values():
            texts |= _constants(part, node, texts)
        names = {x: f"x{place}" for place, x in enumerate(texts)} | {node: "out"}
        words = {names[x]: _bracketed(text) for x, text in texts.items()}
        for x, part in parts.items():
            with suppress(GradcliError, OverflowError):  # there is no formula, or no exact number
                text = _formula(part, names)
                if holds(text, part, names):
                    found[x] = re.sub(r"\bx\d+\b", lambda m: words[m[0]], text)
    return found


def _constants(part: Node, node: Node, known: Mapping[Node, str]) -> dict[Node, str]:
    """Values in a cotangent that stand in the source, such as a condition, or that are numbers,
    and their texts."""
    leaves = ancestors([part], lambda x: x is not node and x not in known)
    given = [x for x in leaves if not x.inputs and x.op not in (FULL, SYMBOL)]
    found = {x: x.span.whole for x in given if x.span is not None and x.span != node.span}
    numbers = [x for x in given if x not in found and not x.shape and x.dtype.category == FLOATING]
    return found | {x: f"{array(x).item():.7g}" for x in numbers}


def _cotangents(node: Node, operands: Sequence[Node]) -> dict[Node, Node]:
    """The cotangent that each tracked operand gets; what is behind operands does not count."""
    wanted = {x for x in operands if x.tracked and x is not node}
    if node.op is LEAF or node.op.multiple or not wanted:
        return {}
    inner = ancestors([node], lambda x: x.tracked and x not in wanted and x.op is not LEAF)
    reached = {*inner, *wanted}
    cotangents = Cotangents([(node, symbol("g", node.shape))])
    with Stop(True):
        for x in reversed(inner):
            cotangent = cotangents.take(x)
            if cotangent is not None:
                for y, part in propagate(x, cotangent, reached):
                    cotangents.add(y, part, x)
        found = {x: cotangents.take(x) for x in operands if x in wanted}
    return {x: part for x, part in found.items() if isinstance(part, Node)}


def _formula(part: Node, names: Mapping[Node, str]) -> str:
    """The text of a cotangent; raises G038 where there is none."""
    rewrite = Rewriter()
    for x, name in names.items():
        rewrite.name(x, symbol(name, x.shape))
    for known in ancestors([part], lambda x: x not in names):
        if known.op.name == "iota":
            rewrite.name(known, Node(known.op, (), known.attrs, known.shape, known.dtype))
        elif not known.inputs and known.op not in (FULL, SYMBOL) and not _is_short(known):
            raise GradcliError("G038", "a value inside has no name")
    shapes = {name: x.shape for x, name in names.items() if x.tracked}
    return unparse(Writer(variables=shapes)(rewrite(part)).tree)


def _is_short(x: Node) -> bool:
    """Whether a value is a few positions or truth values, which stand in a formula as they are."""
    return x.dtype.category < FLOATING and x.size <= FEW


def holds(text: str, part: Node, names: Mapping[Node, str]) -> bool:
    """Whether the formula gives what the rules give, at random values of everything in it."""
    random = np.random.default_rng(0)
    leaves = dict(names)
    leaves |= {x: "g" for x in ancestors([part], lambda x: x not in names) if x.op is SYMBOL}
    if max(x.size for x in (part, *leaves)) > LARGEST:
        return False
    values = {x: from_array(_drawn(x, random)) for x in leaves}
    stands: dict[Node, Node] = {x: value.node for x, value in values.items()}
    for x in ancestors([part], lambda x: x not in stands):
        inputs = tuple(stands.get(y, y) for y in x.inputs)
        known = None if inputs else x.value  # of other inputs it is another one
        stands[x] = Node(x.op, inputs, x.attrs, x.shape, x.dtype, False, known)
    variables = {leaves[x]: value for x, value in values.items()}
    with Stop(False), np.errstate(all="ignore"):
        found = Interpreter(variables).evaluate(parse_expression(Source("<formula>", text)))
        right = array(stands[part])
        given = np.asarray(found.array() if hasattr(found, "array") else found)
    if np.broadcast_shapes(given.shape, right.shape) != right.shape:
        return False
    return bool(np.allclose(given, right, rtol=1e-4, atol=1e-6, equal_nan=True))


def _drawn(node: Node, random: np.random.Generator) -> Any:
    """Random numbers in the shape of a node; truth values for a condition, the same positions."""
    if node.dtype.category == INTEGER and node.value is not None:
        return node.value
    numbers = random.uniform(0.2, 0.9, tuple(map(int, node.shape)))
    return numbers > 0.55 if node.dtype.category == BOOL else numbers


def _bracketed(text: str) -> str:
    """The text as an operand: in brackets, unless it is a name, a number or a call."""
    return text if ATOM.fullmatch(text) else f"({text})"
