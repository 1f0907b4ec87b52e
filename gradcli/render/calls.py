"""How ops that are neither sums nor products are written: a table.

Constraints: one row in `CALLS` for an op that is not written as `name(inputs, attributes)`; the
attributes' names are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape, broadcast
from gradcli.render import tree
from gradcli.render.layout import EXTENT, Written
from gradcli.render.positions import iota, position
from gradcli.render.tree import Tree

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


WITHOUT_DIM = frozenset(("prod", "amax", "amin", "argmax", "argmin", "all", "any"))
"""Functions that take everything where no dim is given."""


def no_words(node: Node) -> GradcliError:
    """G038: an op that has no form in a formula."""
    return GradcliError(
        "G038",
        f"{node.op.torch} has no closed form that can be written here",
        node.span,
        help=[
            "gradcli eval gives the derivative at values: NAME=VALUE",
            "gradcli check compares it with a formula of yours: --expect FORMULA",
        ],
    )


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
        if key == "axis":
            axes = (value,) if isinstance(value, int) else value
            dims = tuple(a + rank if rank < 3 else a for a in axes)
            if len(axes) == rank and node.op.name in WITHOUT_DIM:
                continue
            options["dims" if node.op.name == "flip" else "dim"] = (
                dims[0] if len(dims) == 1 and node.op.name != "flip" else dims
            )
        elif value is not False and not (key == "diagonal" and value == 0):
            options[{"keepdims": "keepdim"}.get(key, key)] = value
    return options


def _dimmed(writer: Writer, node: Node) -> Written:
    """`softmax(x, 0)`: the dim by position."""
    options = _options(node)
    inputs = [writer.whole(x) for x in node.inputs]
    dims = [options.pop("dim")] if "dim" in options else []
    return Written(tree.call(_name(node.op), *inputs, *dims, **options), node.shape)


def _indicator(writer: Writer, node: Node) -> Written:
    condition = writer(node.inputs[0])
    made = tree.call("where", condition.tree, tree.real(1.0), tree.real(0.0))
    return Written(made, condition.shape)


def _inverse(writer: Writer, node: Node) -> Written:
    return Written(tree.call("inv", writer.whole(node.inputs[0])), node.shape)


def _polygamma(writer: Writer, node: Node) -> Written:
    inner = writer(node.inputs[0])
    return Written(tree.call("polygamma", node.attrs["n"], inner.tree), inner.shape)


def _slice(writer: Writer, node: Node) -> Written:
    (x,) = node.inputs
    parts: list[Any] = []
    for (start, length, step), size in zip(
        node.attrs["slices"], x.shape[x.ndim - len(node.attrs["slices"]) :], strict=True
    ):
        parts.append(_range(writer, start, length, step, size))
    while len(parts) > 1 and parts[-1] == EXTENT:
        parts.pop()
    lead = [EXTENT] * (x.ndim - len(node.attrs["slices"]))
    return Written(tree.item(writer.whole(x), *lead, *parts), node.shape)


def _range(writer: Writer, start: int, length: int, step: int, size: int) -> slice:
    end = start + (length - 1) * step + 1
    first: Any = writer.whole_number(start, size) if start else None
    stop: Any = None
    reaches = end + step - 1 >= int(size)
    if not reaches or (step > 1 and str(length) != str((size - start + (step - 1)) // step)):
        stop = writer.whole_number(end, size)
    return slice(first, stop, None if step == 1 else step)


def _embed(writer: Writer, node: Node) -> Written:
    """Zeros around: `pad(x, (before, after))`."""
    (x,) = node.inputs
    slices, shape = node.attrs["slices"], node.attrs["shape"]
    amounts: list[Any] = []
    for (start, length, step), size in zip(slices, shape, strict=True):
        if step != 1:
            return _scattered(writer, node)
        amounts.append((start, size - start - length))
    pairs: list[Any] = []
    for before, after in reversed(amounts):
        pairs += [writer.whole_number(before, 0), writer.whole_number(after, 0)]
    while len(pairs) > 2 and pairs[-2:] == [0, 0]:
        pairs = pairs[:-2]
    return Written(tree.call("pad", writer.whole(x), tuple(pairs)), node.shape)


def _scattered(writer: Writer, node: Node) -> Written:
    (x,) = node.inputs
    slices, shape = node.attrs["slices"], node.attrs["shape"]
    stepped = [i for i, (_, _, step) in enumerate(slices) if step != 1]
    plain = all(
        s == (0, n, 1)
        for i, (s, n) in enumerate(zip(slices, shape, strict=True))
        if i not in stepped
    )
    if len(stepped) != 1 or not plain:
        raise no_words(node)
    (axis,) = stepped
    start, length, step = slices[axis]
    where = _range(writer, start, length, step, shape[axis])
    zeros = tree.call("zeros", *writer.sizes(shape))
    ends = [where.start or 0, where.stop, step]
    made = tree.call("slice_scatter", zeros, writer.whole(x), axis, *ends)
    return Written(made, node.shape)


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


def _index(writer: Writer, node: Node) -> Written:
    x, *indices = node.inputs
    if node.attrs["axes"] != x.ndim:
        raise no_words(node)
    places = [position(writer, i) for i in indices]
    return Written(tree.item(writer.whole(x), *places), node.shape)


def _index_add(writer: Writer, node: Node) -> Written:
    x, *indices = node.inputs
    shape = node.attrs["shape"]
    if node.shape != shape:
        raise no_words(node)
    zeros = tree.call("zeros", *writer.sizes(shape))
    places = make_tuple([position(writer, i) for i in indices])
    made = tree.call("index_put", zeros, places, writer.whole(x), accumulate=True)
    return Written(made, node.shape)


def _sizes_call(writer: Writer, node: Node) -> Written:
    """`n//2` of sizes."""
    left, right = (writer(x).tree for x in node.inputs)
    return Written(tree.chain(left, [(node.attrs["name"], right)]), ())


def make_tuple(items: list[Tree]) -> Tree:
    """A tuple of trees."""
    return tree.constant(tuple(items))


def _data(writer: Writer, node: Node) -> Written:
    if node.value is None or node.size > 16:
        raise no_words(node)
    from numpy import asarray

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


def _item(writer: Writer, node: Node) -> Written:
    """A result of a function with several: `slogdet(X)[1]`."""
    (bundle,) = node.inputs
    index = node.attrs["index"]
    name = BUNDLES.get(bundle.op.name)
    if name is None:
        raise no_words(node)
    made = tree.call(name, *(writer.whole(x) for x in bundle.inputs))
    return Written(made if name in SINGLE else tree.item(made, index), node.shape)


BUNDLES = {
    **{"linalg_slogdet": "slogdet", "linalg_eigh": "linalg.eigh", "linalg_qr": "linalg.qr"},
    **{"linalg_cholesky_ex": "cholesky", "linalg_inv_ex": "inv"},
}
SINGLE = ("cholesky", "inv")

CALLS: dict[str, Row] = {
    **dict.fromkeys(("softmax", "log_softmax", "logsumexp", "cumsum", "cumprod"), _dimmed),
    **dict.fromkeys(("amax", "amin", "prod", "logcumsumexp", "argmax", "argmin"), _dimmed),
    **{"indicator": _indicator, "inverse": _inverse, "polygamma": _polygamma, "slice": _slice},
    **{"embed": _embed, "reshape": _reshape, "cat": _cat, "index": _index},
    **{
        "index_add": _index_add,
        "data": _data,
        "full": _endless,
        "iota": iota,
        "call": _sizes_call,
        "where": _where,
        "item": _item,
    },
}
"""Op name -> how it is written."""
