"""The derivative of a traced expression by each variable, as a term.

Constraints: gradients, Jacobians, Hessians and products with vectors are all read off one thing,
the cotangent of a variable: a Jacobian is what stands beside a symbolic cotangent in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any

from gradcli.calculus.trace import in_float64
from gradcli.errors import GradcliError
from gradcli.graph import backward as engine
from gradcli.graph.dtype import float64
from gradcli.graph.node import Node, constant
from gradcli.graph.op import NONE, SYMBOL
from gradcli.graph.shape import Shape
from gradcli.graph.walk import ancestors
from gradcli.rewrite import rules as rules
from gradcli.rewrite.linear import LINEAR, LINEAR_SECOND
from gradcli.rewrite.places import part_of
from gradcli.rewrite.products import product
from gradcli.rewrite.terms import PRODUCT, TOTAL, UNIT, Factor, Terms, factors_of
from gradcli.rewrite.translate import Rewriter
from gradcli.tensor.storage import Stop
from gradcli.tensor.tensor import Tensor

COTANGENT = "\0v"
"""The name of the cotangent that a Jacobian is read off."""


class NotLinear(Exception):
    """A cotangent stands inside an op that has no closed form."""


def symbol(name: str, shape: Shape) -> Node:
    """A variable without a value, that nothing is differentiated by."""
    return Node(SYMBOL, (), {"name": name}, shape, float64)


def gradients(output: Node, seed: Node, leaves: Mapping[str, Node]) -> dict[str, Node | None]:
    """The cotangent of each leaf; None where the output does not depend on it."""
    wanted = set(leaves.values())
    _refuse_unknown(output, wanted)
    if not output.tracked:
        return dict.fromkeys(leaves)
    with in_float64(), Stop(True):
        found = engine.backward([(output, seed)], lambda node: node in wanted)
    return {name: found.get(leaf) for name, leaf in leaves.items()}


def _refuse_unknown(output: Node, leaves: Collection[Node]) -> None:
    """Refuses a function whose derivative PyTorch lacks where it depends on a leaf: taken for a
    constant it would give a wrong formula.

    Raises:
        GradcliError: G038 at the function.
    """
    for node in ancestors([output], lambda node: True):
        rules = [node.op.derivative(i) for i in range(len(node.inputs))] if node.op.cuts else []
        if NONE in rules and any(x in leaves for x in ancestors(node.inputs, lambda node: True)):
            raise GradcliError(
                "G038",
                f"{node.op.name} has a derivative, but PyTorch defines none",
                node.span,
                help="gradcli check shows differences; an argument with a value is a constant",
            )


def ones(output: Node) -> Node:
    """The cotangent of a scalar, and of each element where elements do not mix."""
    return constant(1, output.dtype, output.shape)


def directional(
    output: Node, leaves: Mapping[str, Node], directions: Mapping[str, Node]
) -> Node | None:
    """The derivative of `output` in the given directions (forward mode), by transposing twice."""
    dummy = Tensor(symbol("\0u", output.shape))
    dummy.requires_grad = True
    pulled = gradients(output, dummy.node, leaves)
    seeds = [
        (part, directions[name])
        for name, part in pulled.items()
        if part is not None and part.tracked and name in directions
    ]
    if not seeds:
        return None
    with Stop(True):
        found = engine.backward(seeds, lambda node: node is dummy.node)
    return found.get(dummy.node)


def jacobian(rewrite: Rewriter, cotangent: Node, output: Shape) -> Node:
    """What stands beside the symbolic cotangent in `cotangent`: shape `output + variable`.

    Raises:
        NotLinear: where the cotangent is inside another op.
    """
    term = rewrite(cotangent)
    return _read(rewrite.terms, term, output, (*output, *term.shape))


def _read(terms: Terms, term: Node, output: Shape, shape: Shape) -> Node:
    pairs = [(Fraction(1), term)]
    if term.op is TOTAL:
        pairs = list(zip(term.attrs["scales"], term.inputs, strict=True))
    parts = []
    for scale, part in pairs:
        parts.append((scale, _without(terms, part, output, shape)))
    return terms.total(parts, shape)


def _without(terms: Terms, part: Node, output: Shape, shape: Shape) -> Node:
    if part.op is PRODUCT and part.attrs["scale"] == 0:
        return terms.number(0, shape)
    factors, result = factors_of(part, terms)
    scale = part.attrs["scale"] if part.op is PRODUCT else Fraction(1)
    own = [f for f in factors if f.node.op is SYMBOL and f.node.attrs["name"] == COTANGENT]
    rest = [f for f in factors if f not in own]
    opened = _opened(terms, part)
    if opened is not part:
        return _read(terms, opened, output, shape)
    if len(own) != 1 or own[0].power != 1 or any(_mentions(f.node) for f in rest):
        raise NotLinear
    labels = tuple(terms.labels(1)[0] if x == UNIT else x for x in own[0].labels)
    return product(terms, rest, (*labels, *result), shape, scale)


def _opened(terms: Terms, part: Node) -> Node:
    """A product with a sum or a linear op that has the cotangent in it, as a sum of products."""
    factors, result = factors_of(part, terms)
    for f in factors:
        made = _multiplied(terms, f.node) if f.power == 1 and _mentions(f.node) else None
        if made is not None:
            rest = [Factor(made, f.labels, f.power)]
            rest += [g for g in factors if g is not f]
            scale = part.attrs["scale"] if part.op is PRODUCT else Fraction(1)
            return product(terms, rest, result, part.shape, scale)
        if f.node.op is TOTAL and f.power == 1 and _mentions(f.node):
            rest = [g for g in factors if g is not f]
            scale = part.attrs["scale"] if part.op is PRODUCT else Fraction(1)
            pairs = [
                (
                    scale * own,
                    product(terms, [*rest, Factor(x, f.labels, Fraction(1))], result, part.shape),
                )
                for own, x in zip(f.node.attrs["scales"], f.node.inputs, strict=True)
            ]
            kept = [terms.times(s, x) for s, x in pairs]
            return terms.node(TOTAL, kept, part.shape, scales=(Fraction(1),) * len(kept))
    return part


def _multiplied(terms: Terms, node: Node) -> Node | None:
    """An op that is linear in the input that has the cotangent, as a product."""
    name = node.op.name
    if name == "slice" and (inner := _multiplied(terms, node.inputs[0])) is not None:
        slices = node.attrs["slices"]
        whole = tuple((0, n, 1) for n in node.shape[: node.ndim - len(slices)])
        return part_of(terms, inner, (*whole, *slices))
    table = LINEAR_SECOND if name in LINEAR_SECOND and _mentions(node.inputs[1]) else LINEAR
    return table[name](terms, node) if name in table else None


def _mentions(node: Node) -> bool:
    seen: set[Node] = set()
    stack = [node]
    while stack:
        x = stack.pop()
        if x.op is SYMBOL and x.attrs["name"] == COTANGENT:
            return True
        if x not in seen:
            seen.add(x)
            stack += x.inputs
    return False


def is_elementwise(rewrite: Rewriter, cotangent: Node) -> bool:
    """Whether the symbolic cotangent only ever multiplies element by element."""
    stack = [rewrite(cotangent)]
    while stack:
        part = _opened(rewrite.terms, stack.pop())
        if part.op is TOTAL:
            stack += part.inputs
            continue
        factors, result = factors_of(part, rewrite.terms)
        own = [f for f in factors if _mentions(f.node)]
        if part.op is PRODUCT and part.attrs["scale"] == 0:
            continue
        if len(own) != 1 or own[0].labels != result or own[0].node.op is not SYMBOL:
            return False
    return True


def no_form(kind: str, name: str, span: Any) -> GradcliError:
    """G038 for a Jacobian or Hessian that no formula says; `eval` gives its numbers."""
    return GradcliError(
        "G038",
        f"the {kind.title()} by {name} has no closed form here",
        span,
        help=[
            "--vjp v gives its product with a cotangent, --jvp v with a direction",
            f"gradcli eval --{kind} gives it at values",
        ],
    )
