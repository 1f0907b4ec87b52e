"""How ops that are neither sums nor products are written: a table.

Constraints: one row in `CALLS` for an op that is not written as `name(inputs, attributes)`; the
attributes' names are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape, broadcast
from gradcli.render import tree
from gradcli.render.pieces import Written
from gradcli.render.positions import (
    at_row,
    embed_row,
    index_row,
    iota,
    no_words,
    roll_row,
    selected_row,
    slice_row,
)
from gradcli.render.windows import WINDOWS

if TYPE_CHECKING:
    from gradcli.render.formula import Writer

Row = Callable[["Writer", Node], Written]
NAMES = {"absolute": "abs", "linalg_det": "det", "linalg_matrix_exp": "matrix_exp", "cat": "cat"}
"""Ops under the names that users write."""
PLAIN = frozenset(
    (
        *("softmax", "log_softmax", "logsumexp", "cumsum", "cumprod", "amax", "amin", "prod"),
        *("argmax", "argmin", "argsort", "all", "any", "linalg_det", "linalg_matrix_exp"),
        *("tril", "triu", "polygamma", "logcumsumexp", "flip"),
    )
)
"""Ops with attributes that a function of the same name takes."""


WITHOUT_DIM = frozenset(("prod", "amax", "amin", "argmax", "argmin", "argsort", "all", "any"))
"""Functions that take everything, or the last dim, where no dim is given."""


def function_call(writer: Writer, node: Node) -> Written:
    """An op as a call of the function of its name."""
    op = node.op
    if op.text and len(node.inputs) == 2:
        return _binary(writer, node)
    if op.elementwise and (op.promotes or op.kernel.startswith("special_") or not node.attrs):
        written = [writer(x) for x in node.inputs]
        shape: Shape = broadcast(*(w.shape for w in written))
        return Written(tree.call(_name(op), *(w.tree for w in written)), shape)
    if op.name in PLAIN:
        inputs = [writer.whole(x) for x in node.inputs]
        return Written(tree.call(_name(op), *inputs, **_options(node)), node.shape)
    raise no_words(node)


def _name(op: Op) -> str:
    return NAMES.get(op.name, op.name)


def _binary(writer: Writer, node: Node) -> Written:
    sign = node.op.text[3:-3].strip()
    left, right = (writer(x) for x in node.inputs)
    shape = broadcast(left.shape, right.shape)
    if node.op.precedence == 5:
        return Written(tree.compare(left.tree, sign, right.tree), shape)
    if sign == "**":
        return Written(tree.power(left.tree, right.tree), shape)
    return Written(tree.chain(left.tree, [(sign, right.tree)]), shape)


def _options(node: Node) -> dict[str, Any]:
    """Attributes as keywords, dims counted from the left."""
    options: dict[str, Any] = {}
    rank = node.inputs[0].ndim
    for key, value in node.attrs.items():
        if key == "ties":  # which of equal ones comes first, a formula does not say
            continue
        if key == "axis":
            axes = (value,) if isinstance(value, int) else value
            dims = tuple(a + rank if rank < 3 else a for a in axes)
            if len(axes) == rank and node.op.name in WITHOUT_DIM:
                continue
            options["dims" if node.op.name == "flip" else "dim"] = (
                dims[0] if len(dims) == 1 and node.op.name != "flip" else dims
            )
        elif key == "ties":
            continue  # how equal elements are ordered, which a formula leaves open
        elif value is not False and not (key == "diagonal" and value == 0):
            options[{"keepdims": "keepdim"}.get(key, key)] = value
    return options


def _dimmed(writer: Writer, node: Node) -> Written:
    """`softmax(x, 0)`: the dim by position."""
    options = _options(node)
    inputs = [writer.whole(x) for x in node.inputs]
    dims = [options.pop("dim")] if "dim" in options else []
    return Written(tree.call(_name(node.op), *inputs, *dims, **options), node.shape)


def _median(writer: Writer, node: Node) -> Written:
    """The median of everything; none of the rows, whose ties go to one place."""
    (x,) = node.inputs
    if len(node.attrs["axis"]) != x.ndim:
        raise no_words(node)
    name = "nanmedian" if node.attrs["skip"] else "median"
    return Written(tree.call(name, writer.whole(x)), node.shape)


def _median_place(writer: Writer, node: Node) -> Written:
    """Where a median is: `median(X, 1)[1]`."""
    (x,) = node.inputs
    name = "nanmedian" if node.attrs["skip"] else "median"
    axis = node.attrs["axis"] + x.ndim
    kept = {} if node.ndim < x.ndim else {"keepdim": True}
    return Written(tree.item(tree.call(name, writer.whole(x), axis, **kept), 1), node.shape)


def _pseudoinverse(writer: Writer, node: Node) -> Written:
    """`pinv(X)`; the inputs behind say which singular values count."""
    return Written(tree.call("pinv", writer.whole(node.inputs[0])), node.shape)


def _indicator(writer: Writer, node: Node) -> Written:
    condition = writer(node.inputs[0])
    made = tree.call("where", condition.tree, tree.real(1.0), tree.real(0.0))
    return Written(made, condition.shape)


def _inverse(writer: Writer, node: Node) -> Written:
    return Written(tree.call("inv", writer.whole(node.inputs[0])), node.shape)


def _polygamma(writer: Writer, node: Node) -> Written:
    inner = writer(node.inputs[0])
    return Written(tree.call("polygamma", node.attrs["n"], inner.tree), inner.shape)


def _reshape(writer: Writer, node: Node) -> Written:
    (x,) = node.inputs
    inner = writer.whole(x)
    if node.ndim == 1:
        return Written(tree.method(inner, "flatten"), node.shape)
    for name, shape in writer.variables.items():
        if shape == node.shape:
            return Written(tree.method(inner, "reshape_as", tree.name(name)), node.shape)
    return Written(tree.method(inner, "reshape", *writer.sizes(node.shape)), node.shape)


def _cat(writer: Writer, node: Node) -> Written:
    inputs = [writer.whole(x) for x in node.inputs]
    axis = node.attrs["axis"] + node.ndim
    return Written(tree.call("cat", inputs, *([axis] if axis else [])), node.shape)


def _sizes_call(writer: Writer, node: Node) -> Written:
    """`n//2` of sizes."""
    left, right = (writer(x).tree for x in node.inputs)
    return Written(tree.chain(left, [(node.attrs["name"], right)]), ())


def _data(writer: Writer, node: Node) -> Written:
    if node.value is None:
        raise no_words(node)
    from numpy import array_equal, asarray

    for known, name in writer.names.items():
        if known.shape == node.shape and array_equal(known.value, node.value):
            return Written(tree.name(name), node.shape)
    if node.size > 16:
        raise no_words(node)
    return Written(tree.call("tensor", _listed(asarray(node.value).tolist())), node.shape)


def _listed(value: Any) -> Any:
    return tree.constant([_listed(v) for v in value]) if isinstance(value, list) else value


def _endless(writer: Writer, node: Node) -> Written:
    """What is not finite."""
    value = float(node.attrs["value"])
    made = tree.name("math.nan" if value != value else "math.inf")
    return Written(tree.negative(made) if value < 0 else made, ())


def _where(writer: Writer, node: Node) -> Written:
    written = [writer(x) for x in node.inputs]
    shape = broadcast(*(w.shape for w in written))
    return Written(tree.call("where", *(w.tree for w in written)), shape)


def _both(writer: Writer, node: Node) -> Written:
    """`(x > 0) & (x < 1)`."""
    written = [writer(x) for x in node.inputs]
    sign = "&" if node.op.name == "logical_and" else "|"
    shape = broadcast(*(w.shape for w in written))
    first, *rest = (w.tree for w in written)
    return Written(tree.chain(first, [(sign, x) for x in rest]), shape)


def _item(writer: Writer, node: Node) -> Written:
    """A result of a function with several: `slogdet(X)[1]`."""
    (bundle,) = node.inputs
    index = node.attrs["index"]
    name = BUNDLES.get(bundle.op.name)
    if name is None:
        raise no_words(node)
    options = {"full_matrices": False} if bundle.attrs.get("full") is False else {}
    made = tree.call(name, *(writer.whole(x) for x in bundle.inputs), **options)
    return Written(made if name in SINGLE else tree.item(made, index), node.shape)


BUNDLES = {
    **{"linalg_slogdet": "slogdet", "linalg_eigh": "linalg.eigh", "linalg_qr": "linalg.qr"},
    **{"linalg_cholesky_ex": "linalg.cholesky", "linalg_inv_ex": "inv", "linalg_svd": "linalg.svd"},
}
SINGLE = ("linalg.cholesky", "inv")

CALLS: dict[str, Row] = {
    **dict.fromkeys(("softmax", "log_softmax", "logsumexp", "cumsum", "cumprod"), _dimmed),
    **dict.fromkeys(("amax", "amin", "prod", "logcumsumexp"), _dimmed),
    **dict.fromkeys(("argmax", "argmin", "argsort"), _dimmed),
    **{"median": _median, "median_place": _median_place, "linalg_pinv": _pseudoinverse},
    **dict.fromkeys(("logical_and", "logical_or"), _both),
    **{"at": at_row, "selected": selected_row, "roll": roll_row},
    **{"indicator": _indicator, "inverse": _inverse, "polygamma": _polygamma, "slice": slice_row},
    **{"embed": embed_row, "reshape": _reshape, "cat": _cat, "index": index_row},
    **{
        "data": _data,
        "full": _endless,
        "iota": iota,
        "call": _sizes_call,
        "where": _where,
        "item": _item,
    },
    **WINDOWS,
}
"""Op name -> how it is written."""
