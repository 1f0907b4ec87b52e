"""Convolutions, found again in the contractions with windows that they are made of.

Constraints: see translate.py; reads the graph as it was traced. The derivatives of a convolution
are convolutions: by the input a transposed one, by the weight one of the input with the cotangent,
in which batch and channels, stride and dilation are exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcli.graph.dim import Dim
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape, fitting, numel
from gradcli.ops.linalg import parts
from gradcli.rewrite import axes as axes
from gradcli.rewrite import selections as selections
from gradcli.rewrite.products import product
from gradcli.rewrite.sizes import remainder
from gradcli.rewrite.terms import (
    PRODUCT,
    UNIT,
    WRITTEN,
    Factor,
    Labels,
    factors_of,
    number_of,
    unshaped,
)
from gradcli.rewrite.translate import ROWS, Rewriter, row

Numbers = tuple[int, ...]
CONVOLUTION = Op("convolution", unshaped, WRITTEN)
"""Of an input and a weight: attrs `stride`, `padding`, `dilation`, `groups`."""
TRANSPOSED = Op("conv_transpose", unshaped, WRITTEN)
"""Likewise; attr `output_padding`: the places behind that no window covers."""


class _Windows(NamedTuple):
    """Windows of `x`: how they slide, and the letters of batch and channels, insides, places."""

    x: Node
    attrs: Mapping[str, Any]
    lead: str
    inside: str
    places: str

    @property
    def group(self) -> str:
        """The letter of the groups of channels, where there are several."""
        return self.lead[1:-1]


_CONTRACT = ROWS["contract"]


@row("contract")
def _contract(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """A contraction of windows with a weight, or with a cotangent."""
    left, right, result = parts(node.attrs["spec"])
    for one, other, own, rest in ((0, 1, left, right), (1, 0, right, left)):
        taken = node.inputs[one]
        if taken.op.name != "windows" or not taken.inputs or node.ndim != len(result):
            continue
        core = len(taken.attrs["kernel"])
        lead, inside, places = own[: -2 * core], own[-2 * core : -core], own[-core:]
        w = _Windows(r(taken.inputs[0]), taken.attrs, lead, inside, places)
        if len(own) != taken.ndim or len(lead) not in (2, 3) or number_of(w.x) is not None:
            continue
        made = None
        if {*places} <= {*result} and not {*inside, lead[-1]} & {*result}:
            made = _forward(r, node, w, inputs[other], rest)
        elif {*inside} <= {*result} and not {*places} & {*result}:
            made = _by_weight(r, node, w, inputs[other], rest)
        if made is not None:
            return made
    return _CONTRACT(r, node, inputs)


def _forward(r: Rewriter, node: Node, w: _Windows, weight: Node, letters: str) -> Node | None:
    """`conv1d(x, weight)`."""
    batch, group, channel = w.lead[0], w.group, w.lead[-1]
    out = _other(letters, group + channel + w.inside)
    if out is None:
        return None
    scale, numbers, x = r.bare(_joined(r, w.x, 1, group))
    x, around = unpadded(x, len(w.inside))
    weight = _turned(r, weight, letters, group + out + channel + w.inside)
    slides = {**w.attrs, "padding": around}
    made = convolution(r, x, _joined(r, weight, 0, group), slides, _groups(w))
    made = r.times(made.shape, (made, 1), *numbers, scale=scale)
    return _apart(r, node, made, batch + group + out + w.places)


def _by_weight(r: Rewriter, node: Node, w: _Windows, g: Node, letters: str) -> Node | None:
    """`conv1d(x.transpose(0, 1), g.transpose(0, 1)).transpose(0, 1)`."""
    batch, group, channel = w.lead[0], w.group, w.lead[-1]
    out = _other(letters, batch + group + w.places)
    if out is None or number_of(g) is not None:
        return None
    scale, numbers, x = r.bare(_joined(r, w.x, 1, group))
    x, around = unpadded(x, len(w.inside))
    sizes = (*w.x.shape[: len(w.lead)], *x.shape[2:])
    x = _turned(r, _split(r, x, sizes), w.lead + w.places, channel + group + batch + w.places)
    g = _turned(r, g, letters, group + out + batch + w.places)
    steps, gaps, kernel = (w.attrs[n] for n in ("stride", "dilation", "kernel"))
    turned = {"stride": gaps, "dilation": steps, "padding": around}
    x, g = _joined(r, x, 1, group), _joined(r, g, 0, group)
    # Where a stride may leave a rest, a kernel fits in more often, for some sizes of `x`.
    each = zip(steps, gaps, x.shape[2:], strict=True)
    open_ended = [step > gap and isinstance(n, Dim) for step, gap, n in each]
    longer = tuple(k + 1 for k in kernel) if any(open_ended) else None
    made = convolution(r, x, g, turned, _groups(w), longer)
    made = r.times(made.shape, (made, 1), *numbers, scale=scale)
    if made.shape[2:] != kernel:
        slices = tuple((0, k, 1) for k in kernel)
        made = r.again("slice", made, (*made.shape[:2], *kernel), slices=slices)
    return _apart(r, node, made, channel + group + out + w.inside)


def convolution(
    r: Rewriter,
    x: Node,
    weight: Node,
    slides: Mapping[str, Any],
    groups: int,
    counts: Shape | None = None,
) -> Node:
    """The convolution of (batch, channels, ...) with (out, channels/groups, ...)."""
    attrs = {name: slides[name] for name in ("stride", "padding", "dilation")}
    if counts is None:
        sizes = (n + 2 * p for n, p in zip(x.shape[2:], attrs["padding"], strict=True))
        each = zip(sizes, weight.shape[2:], attrs["stride"], attrs["dilation"], strict=True)
        counts = tuple(fitting(*one) for one in each)
    shape = (x.shape[0], weight.shape[0], *counts)
    return _bilinear(r, CONVOLUTION, x, weight, shape, attrs | {"groups": groups})


@row("overlap_add")
def _overlap_add(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Windows of a cotangent times a weight, added up: `conv_transpose1d(g, weight)`."""
    scale, numbers, x = r.bare(inputs[0])
    if x.op is not PRODUCT:
        return None
    core = len(node.attrs["shape"])
    factors, result = factors_of(x, r.terms)
    sizes = dict(zip(result, x.shape, strict=True))
    sizes |= {a: n for f in factors for a, n in zip(f.labels, f.node.shape, strict=True)}
    lead, inside, places = result[: -2 * core], result[-2 * core : -core], result[-core:]
    by_place = [f for f in factors if {*f.labels} & {*places}]
    rest = [f for f in factors if f not in by_place]
    given, weighed = ({a for f in part for a in f.labels} - {UNIT} for part in (by_place, rest))
    wide = {a for a in (*lead, *inside) if sizes[a] != 1}
    groups, outs = given & weighed & {*lead}, given & weighed - {*lead}
    batches, channels = wide - {*inside} - weighed, {*lead} & weighed - groups
    kinds = (batches, outs, channels)
    fits = wide & {*inside} <= weighed - given and len(groups) < 2
    if not fits or any(len(kind) > 1 for kind in kinds):
        return None
    batch, out, channel = (next(iter(kind), *r.terms.labels(1)) for kind in kinds)
    group = tuple(groups)

    def side(part: list[Factor], labels: Labels) -> Node:
        return product(r.terms, part, labels, tuple(sizes.get(a, 1) for a in labels))

    g = _joined(r, side(by_place, (batch, *group, out, *places)), 1, group)
    weight = _joined(r, side(rest, (*group, out, channel, *inside)), 0, group)
    made = transposed(r, g, weight, node.attrs, int(sizes[group[0]]) if group else 1)
    labels = (batch, *group, channel, *places)
    sizes |= dict(zip(places, node.attrs["shape"], strict=True))
    made = _split(r, made, tuple(sizes.get(a, 1) for a in labels))
    made = r.relabelled(made, labels, (*lead, *places), node.shape)
    return r.times(node.shape, (made, 1), *numbers, scale=scale)


def transposed(r: Rewriter, g: Node, weight: Node, slides: Mapping[str, Any], groups: int) -> Node:
    """The transposed convolution of (batch, in, ...) with (in, out/groups, ...)."""
    shape, steps, gaps = (slides[name] for name in ("shape", "stride", "dilation"))
    each = zip(shape, weight.shape[2:], steps, gaps, strict=True)
    extra = tuple(remainder(r.terms, n - gap * (k - 1) - 1, step) for n, k, step, gap in each)
    attrs = {"stride": steps, "dilation": gaps, "groups": groups, "output_padding": extra}
    whole = (g.shape[0], weight.shape[1] * groups, *shape)
    return _bilinear(r, TRANSPOSED, g, weight, whole, attrs | {"padding": (0,) * len(shape)})


_SLICE = ROWS["slice"]


@row("slice")
def _slice(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """A transposed convolution without as much at each end is one with padding."""
    scale, numbers, x = r.bare(inputs[0])
    attrs, slices = x.attrs, node.attrs["slices"]
    if x.op is not TRANSPOSED or any(attrs["padding"]) or len(slices) != len(attrs["padding"]):
        return _SLICE(r, node, inputs)
    around = _symmetric(slices, x.shape)
    if around is None:
        return _SLICE(r, node, inputs)
    made = r.terms.node(x.op, x.inputs, node.shape, x.dtype, **{**attrs, "padding": around})
    return r.times(node.shape, (made, 1), *numbers, scale=scale)


def unpadded(x: Node, core: int) -> tuple[Node, Numbers]:
    """What has as many zeros at each end of its last `core` axes, without them."""
    if x.op.name == "embed" and len(x.attrs["slices"]) == core:
        around = _symmetric(x.attrs["slices"], x.shape)
        if around is not None:
            return x.inputs[0], around
    return x, (0,) * core


def _symmetric(slices: Any, shape: Shape) -> Numbers | None:
    """How much lies at each end of slices, where it is as much at both."""
    ends = zip(slices, shape[-len(slices) :], strict=True)
    if all(step == 1 and start == size - start - length for (start, length, step), size in ends):
        return tuple(start for start, _, _ in slices)
    return None


# -- letters and groups


def _bilinear(
    r: Rewriter, op: Op, x: Node, weight: Node, shape: Shape, attrs: dict[str, Any]
) -> Node:
    """The node of `op`; its numbers come out, and a batch of one that nobody gave goes."""
    (s, ns, x), (t, nt, weight) = r.bare(x), r.bare(weight)
    alone = x.op is PRODUCT and str(x.shape[0]) == "1" and number_of(x) is None
    if alone:
        labels = r.terms.labels(x.ndim)
        x = r.relabelled(x, labels, labels[1:], x.shape[1:])
    made = r.terms.node(op, (x, weight), shape[alone:], **attrs)
    return r.times(shape, (made, 1), *ns, *nt, scale=s * t)


def _other(letters: str, known: str) -> str | None:
    """The only letter that is not known, where there is one."""
    rest = [c for c in letters if c not in known]
    return rest[0] if len(rest) == 1 else None


def _groups(w: _Windows) -> int:
    return w.x.shape[1] if w.group else 1


def _turned(r: Rewriter, x: Node, letters: str, order: str) -> Node:
    """The axes in another order."""
    labels = dict(zip(letters, r.terms.labels(x.ndim), strict=True))
    shape = dict(zip(letters, x.shape, strict=True))
    order_labels = tuple(labels[c] for c in order)
    return r.relabelled(x, tuple(labels.values()), order_labels, tuple(shape[c] for c in order))


def _joined(r: Rewriter, x: Node, axis: int, group: Sequence[Any]) -> Node:
    """The groups and what is in each as one axis, where there are groups."""
    if not group:
        return x
    shape = (*x.shape[:axis], numel(x.shape[axis : axis + 2]), *x.shape[axis + 2 :])
    return r.again("reshape", x, shape, axes=x.ndim, shape=shape)


def _apart(r: Rewriter, node: Node, x: Node, letters: str) -> Node:
    """The groups of the second axis as an axis again, and all in the order of `node`."""
    result = parts(node.attrs["spec"])[2]
    sizes = dict(zip(result, node.shape, strict=True))
    return _turned(r, _split(r, x, tuple(sizes[c] for c in letters)), letters, result)


def _split(r: Rewriter, x: Node, shape: Shape) -> Node:
    """The groups as an axis of their own, where `shape` has one more."""
    if len(shape) == x.ndim:
        return x
    return r.again("reshape", x, shape, axes=x.ndim, shape=shape)
