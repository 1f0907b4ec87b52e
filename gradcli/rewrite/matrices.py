"""Linear algebra as terms: inverses, determinants, solutions.

Constraints: see translate.py.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.rewrite.places import AT, at, unit_vector
from gradcli.rewrite.products import SINGLES, STEPS, Work, product
from gradcli.rewrite.terms import (
    INDICATOR,
    INVERSE,
    PRODUCT,
    SYMMETRIC,
    TOTAL,
    Factor,
    Terms,
    factors_of,
)
from gradcli.rewrite.translate import Rewriter, row


@row("item")
def _item(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (bundle,) = inputs
    name, index = bundle.op.name, node.attrs["index"]
    if name == "linalg_inv_ex" and index == 0:
        return inverse(r, bundle.inputs[0])
    if name == "linalg_solve_ex" and index == 0:
        return _solution(r, node, *bundle.inputs)
    return None


ORDERED = {"linalg_svd": (1, -1), "linalg_eigh": (0, 1)}
"""Decompositions -> which result holds numbers in order, and whether they ascend."""


def _ascends(x: Node) -> int:
    """1 or -1 for a vector of ascending or descending numbers, else 0."""
    if x.op.name != "item" or x.ndim != 1:
        return 0
    index, sign = ORDERED.get(x.inputs[0].op.name, (None, 0))
    return sign if x.attrs["index"] == index else 0


@row("amax", "amin")
def _extreme(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """The largest singular value is the first, the largest eigenvalue the last."""
    (x,) = inputs
    sign = _ascends(x) * (1 if node.op.name == "amax" else -1)
    if not sign:
        return None
    found = at(r.terms, x, (x.shape[0] - 1 if sign > 0 else 0,))
    return r.spread(found, node.shape)


def _only_one(terms: Terms, f: Factor) -> list[Factor] | None:
    """Numbers in order are as large as one of them at its place."""
    if f.node.op is not INDICATOR or f.node.inputs[0].op.name != "eq":
        return None
    condition = f.node.inputs[0]
    for x, y in (condition.inputs, condition.inputs[::-1]):
        while y.op is PRODUCT and len(y.inputs) == 1:
            (y,) = y.inputs
        if _ascends(x) and y.op is AT and y.inputs[0] is x:
            (place,) = y.attrs["places"]
            return [Factor(unit_vector(terms, x.shape[0], place), f.labels, Fraction(1))]
    return None


SINGLES.append(_only_one)


def inverse(r: Rewriter, x: Node) -> Node:
    """The inverse of a matrix: of an inverse the matrix, of a product with inverses the product of
    what they are of, the other way round.
    """
    if x.op is INVERSE:
        return x.inputs[0]
    scale, bare = r.terms.scaled(x)
    if scale not in (0, 1):
        return r.terms.times(Fraction(1) / scale, inverse(r, bare))
    made = _inverse_of_product(r, x)
    if made is not None:
        return made
    return r.terms.node(INVERSE, (x,), x.shape)


def _inverse_of_product(r: Rewriter, x: Node) -> Node | None:
    """`inv(inv(A)@B)` is `inv(B)@A`; None where that has no fewer inverses."""
    if x.op is not PRODUCT or x.ndim != 2:
        return None
    factors, result = factors_of(x, r.terms)
    inverses = sum(f.node.op is INVERSE for f in factors)
    square = all(
        f.power == 1 and len(set(f.labels)) == 2 and f.node.shape == x.shape for f in factors
    )
    labels = [a for f in factors for a in f.labels]
    chained = all(labels.count(a) == 2 - (a in result) for a in labels)
    if not square or not chained or len(set(result)) < 2 or len(factors) > 2 * inverses:
        return None
    made = [Factor(inverse(r, f.node), f.labels[::-1], Fraction(1)) for f in factors]
    return product(r.terms, made, result[::-1], x.shape, 1 / x.attrs["scale"])


def transposed(terms: Terms, x: Node) -> Node:
    """The last two axes exchanged."""
    labels = terms.labels(x.ndim)
    turned = (*labels[:-2], labels[-1], labels[-2])
    factor = Factor(x, labels, Fraction(1))
    return product(terms, [factor], turned, (*x.shape[:-2], x.shape[-1], x.shape[-2]))


def symmetric_inverse(terms: Terms, node: Node) -> bool | None:
    """The inverse of a symmetric matrix is symmetric: `inv(X.T@X).T` is `inv(X.T@X)`."""
    if node.op is not INVERSE or node.ndim != 2:
        return None
    (x,) = node.inputs
    if x.op is not TOTAL:
        return transposed(terms, x) is x or None
    parts = set(zip(x.attrs["scales"], x.inputs, strict=True))
    return parts == {(scale, transposed(terms, part)) for scale, part in parts} or None


SYMMETRIC.append(symmetric_inverse)


@row("linalg_solve_triangular")
def _triangular(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """The inverse of the triangle that counts; of a Cholesky factor there is no other."""
    x, y = inputs
    if node.attrs["unit"]:
        return None
    turned = _untransposed(r, x)
    if not _is_factor(x if turned is None else turned):
        name = "triu" if node.attrs["upper"] else "tril"
        x = r.terms.node(OPS[name], (x,), x.shape, x.dtype, diagonal=0)
    return _solution(r, node, x, y)


def _is_factor(x: Node) -> bool:
    return x.op.name == "item" and x.inputs[0].op.name == "linalg_cholesky_ex"


def _solution(r: Rewriter, node: Node, x: Node, y: Node) -> Node:
    """`inv(X)@Y`, or `Y@inv(X)` where the unknown stands before."""
    i, j, k = r.terms.labels(3)
    lead = r.terms.labels(node.ndim - 2)
    own = lead[len(lead) - (x.ndim - 2) :]
    other = lead[len(lead) - (y.ndim - 2) :]
    left = (node.inputs[0] if node.op.name == "item" else node).attrs["left"]
    turned = _untransposed(r, x)
    back = inverse(r, x if turned is None else turned)
    axes = (k, i) if turned is not None else (i, k)
    if left:
        factors = [Factor(back, (*own, *axes), Fraction(1)), Factor(y, (*other, k, j), Fraction(1))]
    else:
        axes = (j, k) if turned is not None else (k, j)
        factors = [Factor(y, (*other, i, k), Fraction(1)), Factor(back, (*own, *axes), Fraction(1))]
    factors = [r.unit(f) for f in factors]
    return product(r.terms, factors, (*lead, i, j), node.shape)


def _untransposed(r: Rewriter, x: Node) -> Node | None:
    """What `x` is the transpose of, where it is one."""
    turned = transposed(r.terms, x)
    return turned if x.op.name == "product" and turned.op.name != "product" else None


@row("cofactors")
def _cofactors(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """The determinant times the inverse transposed."""
    (x,) = inputs
    value = r.terms.node(OPS["linalg_det"], (x,), x.shape[:-2])
    i, j = r.terms.labels(2)
    lead = r.terms.labels(x.ndim - 2)
    factors = [Factor(value, lead, Fraction(1)), Factor(inverse(r, x), (*lead, j, i), Fraction(1))]
    return product(r.terms, factors, (*lead, i, j), node.shape)


def _inverse_chain(work: Work) -> bool:
    """A matrix next to its inverse: both go, and the axes at their ends are the same."""
    for a in work.factors:
        if a.node.op is not INVERSE or a.power != 1 or len(a.labels) != 2:
            continue
        for b in work.factors:
            if b.node is not a.node.inputs[0] or b.power != 1:
                continue
            for inner, outer in ((1, 0), (0, 1)):
                # inv(X)[i, j] X[j, k], or X[i, j] inv(X)[j, k].
                met, left, right = a.labels[inner], a.labels[outer], b.labels[inner]
                if b.labels[outer] != met or met in work.result:
                    continue
                if sum(met in f.labels for f in work.factors) == 2 and met not in (left, right):
                    work.replace([a, b], [])
                    work.summed.discard(met)
                    return _same(work, left, right)
    return False


def _same(work: Work, left: int, right: int) -> bool:
    """Two axes that are equal now."""
    if left != right:
        keep, gone = (left, right) if left in work.result else (right, left)
        work.rename(gone, keep)
    return True


STEPS.append(_inverse_chain)
