"""What a function keeps of its call for its gradient: PyTorch's saved tensors, and hooks on them.

Constraints: which tensors these are says gradcli/tensor/fields.py. A gradient is computed from what
PyTorch would compute it from: what the memory of a kept tensor holds now, what a script's hook
unpacks; whatever lies between is computed again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph.call import composition_of, tensors_of
from gradcli.graph.dtype import complex128, float64, of_number
from gradcli.graph.node import SHARED, Node, constant
from gradcli.graph.op import LEAF
from gradcli.graph.walk import ancestors
from gradcli.tensor import refusals, registry
from gradcli.tensor.fields import by_place, fields, kept_by, kept_nodes
from gradcli.tensor.inference import refuse_saved
from gradcli.tensor.kept import Packed, kept_of, looked_up, name_of
from gradcli.tensor.saved_numbers import known_node, number
from gradcli.tensor.storage import Stop, Version, overwritten, present, saved_version, value_of

Pack = Callable[[Any], Any]


WIDE = {float: float64, complex: complex128}
"""The dtypes of numbers that wait for what they meet."""


class Watchers(list[tuple[Pack, Pack] | None]):
    """The pairs of hooks, (pack, unpack), of the blocks that run now, the innermost last.

    Attributes:
        refusal: why no block of hooks may be entered, where one says so.
    """

    refusal: str | None = None


watchers = Watchers()


def stale(node: Node) -> tuple[Node, Version, int] | None:
    """A kept value that was overwritten since, with its version's number then; None for none."""
    packed = looked_up(node).packed
    known = [x for key, _, x in by_place(node) if key not in packed] if packed else kept_nodes(node)
    for x in known:
        stamp = _stamp(x)
        if stamp is not None and stamp[0].number != stamp[1]:
            if stamp[0].detached and x is node:  # a result is kept apart from its tensor
                continue
            whole = composition_of(node)
            return (x, *stamp[:2]) if whole is None else _stale_within(whole.node, node)
    return None


def changed(node: Node, x: Node, version: Version, expected: int) -> GradcliError:
    """PyTorch's error for a value `x`, kept by the function of `node`, that is `stale`."""
    if not version.detached:
        return refusals.overwritten(node, x, version, expected)
    sentence = (
        "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_().This "
        "is not supported, please use out-of-place `.detach()` instead"
    )
    return GradcliError("G032", sentence, node.span, help="z = y.detach()")


def _stamp(x: Node) -> Any:
    """The version of the memory behind a kept node, its number then, and more; None for none."""
    return x.stale or (saved_version(x) if x.op.view or x.op is LEAF else None)


def _stale_within(whole: Node, node: Node) -> tuple[Node, Version, int] | None:
    """The same of the functions that PyTorch composes `whole` of, which stands for `node`."""
    arguments = tensors_of(node.call) if node.call is not None else ()
    for step in ancestors([whole], lambda x: x.tracked and x not in arguments):
        for _, x in kept_by(step) if step not in arguments else ():
            seen = x
            while x not in arguments and x.op.view and x.inputs:
                (x,) = x.inputs
            stamp = saved_version(x) if x in arguments else None
            if stamp is not None and stamp[0].number != stamp[1]:
                return seen, stamp[0], stamp[1]
    return None


# -- hooks


class Saved:
    """PyTorch's SavedTensor: a kept tensor, packed by a hook or not.

    Args:
        packed: what is packed so far of what is kept with it.
        key: its own place among these.
        tensor: what is kept.
    """

    def __init__(self, packed: Packed, key: Any, tensor: Any) -> None:
        self._packed = packed
        self._key = key
        self._tensor = tensor

    def register_hooks(self, pack_hook: Pack, unpack_hook: Pack) -> None:
        """Packs the tensor now; `unpack_hook` gets it back whenever it is needed.

        Raises:
            GradcliError: G048 for a second pair of hooks, one that writes to the tensor, or where
                nothing was kept.
        """
        if self._tensor is None:
            raise GradcliError(
                "G048",
                "Calling register_hooks on a saved tensor with value None is forbidden",
            )
        if self._key in self._packed:
            raise GradcliError(
                "G048",
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: "
                "only one pair of hooks is allowed at a time.",
            )
        self._packed[self._key] = (packed_by(pack_hook, self._tensor), unpack_hook)

    def __repr__(self) -> str:
        return f"<torch._C._autograd.SavedTensor object at {hex(id(self._tensor))}>"


def packed_by(pack: Pack, tensor: Any) -> Any:
    """What a script's hook makes of a tensor; it may not write to it."""
    before = tensor._version
    with Stop(False):
        found = pack(tensor)
    if tensor._version != before:
        raise GradcliError(
            "G048",
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input "
            "to pack hook cannot be modified by in-place operations as this can lead to unexpected "
            "side-effects. Please open an issue if you need to perform in-place operations on the "
            "input to a pack hook.",
        )
    return found


def unpacked(pair: tuple[Any, Pack]) -> Any:
    """The tensor that a script's hook makes of what was packed."""
    value, unpack = pair
    with Stop(False):
        found = unpack(value)
    if not isinstance(found, registry.find("torch.Tensor")):
        raise GradcliError(
            "G048",
            "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
            f"{type(found).__name__}",
            kind=TypeError,
        )
    return found


def unpacked_as(pair: tuple[Any, Pack], saved: Node) -> Any:
    """What a script's hook makes of what was packed, with the history of what was saved."""
    found = unpacked(pair)
    value = value_of(found.value_node)
    return registry.find("torch.Tensor")(overwritten(saved, value) if saved.tracked else value)


def tensor_of(node: Node) -> Any:
    """The tensor of a node: the variable itself, of a leaf."""
    known = node.attrs["owner"].tensor() if node.op is LEAF else None
    if node.stale is SHARED:  # a number, which PyTorch keeps as it was given
        value = node.attrs["value"]
        node = constant(value, WIDE.get(value.__class__) or of_number(value))
    settle(node)
    return registry.find("torch.Tensor")(node) if known is None else known


def pack_all(packed: Packed, tensors: Iterable[tuple[Any, Any]]) -> None:
    """Lets the hooks of the innermost block pack tensors, each under its key."""
    hooks = watchers[-1] if watchers else None
    if hooks is None:
        return
    watchers.append(None)  # what hooks compute is not packed
    try:
        for key, tensor in tensors:
            packed[key] = (packed_by(hooks[0], tensor), hooks[1])
    finally:
        watchers.pop()


def keep(made: Any, tensors: Sequence[Any], nodes: Sequence[Node]) -> None:
    """Lets hooks pack what the function of `tensors` keeps that `made` a tensor or several.

    Raises:
        GradcliError: G033 for an inference tensor.
    """
    results = [y for y in (made if isinstance(made, tuple) else (made,)) if hasattr(y, "_node")]
    varied = [y._node for y in results if y._node.tracked and y._node not in nodes]
    if not varied:
        return
    refuse_saved([x for _, x in kept_by(varied[0])], tensors, nodes)
    if watchers and watchers[-1] is not None:
        known = {y._node: y for y in results} | dict(zip(nodes, tensors, strict=True))
        found = [(key, known[x]) for key, _, x in by_place(varied[0]) if x in known]
        pack_all(kept_of(varied[0]).packed, found)


# -- what a gradient is computed from


def is_hidden(node: Node) -> bool:
    """Whether something that a function keeps was overwritten behind its version's back."""
    return any(present(x) is not x for _, x in kept_by(node))


def stands_in(node: Node, steps: Sequence[Node]) -> Mapping[Any, Node]:
    """What rules see instead of arguments of the function that made `node`, and of its steps.

    By node; that of one of several equal inputs of `node` by (`node`, its number).
    """
    packed, found = looked_up(node).packed, dict[Any, Node]()
    for key, field, x in by_place(node):
        if key in packed:
            value = unpacked(packed[key])
            if value.node is not x:
                several = field.result < 0 and _is_repeated(x, node)
                place = (node, field.tensors.start) if several else x
                found[place] = overwritten(x, value.value_node)
        elif Version.any_unseen and (now := present(x)) is not x:
            found[x] = now
    if node.call is None or not found:
        return found
    same = _kept_results(node)
    for result, branch in same.items():
        if result in found and branch not in found:
            found[branch] = found[result]
    known = {*same.values(), *same}
    for step in steps:
        if step not in known and any(x in found for x in step.inputs):
            inputs = tuple(found.get(x, x) for x in step.inputs)
            tracked = any(x.tracked for x in inputs)
            found[step] = Node(step.op, inputs, step.attrs, step.shape, step.dtype, tracked)
    return found


def _is_repeated(x: Node, node: Node) -> bool:
    """Whether `x` is several of the inputs of `node`, which are the arguments of its function."""
    inputs = node.inputs
    if sum([y is x for y in inputs]) < 2 or node.call is None:
        return False
    arguments = tensors_of(node.call)
    return len(arguments) == len(inputs) and all(map(operator.is_, arguments, inputs))


def _kept_results(node: Node) -> dict[Node, Node]:
    """The results that a function keeps, and what they are but for numbers in some places."""
    found = {x: x for field, x in kept_by(node) if field.result >= 0}
    for x in found:
        branches = [y for y in x.inputs if y.tracked] if x.op.name == "where" else []
        found[x] = branches[0] if len(branches) == 1 else x
    return found


# -- as a script sees it


def saved_attribute(node: Node, name: str) -> Any:
    """`grad_fn._saved_NAME` and `grad_fn._raw_saved_NAME`; raises AttributeError for others."""
    raw = name.startswith("_raw_saved_")
    short = name.removeprefix("_raw_saved_" if raw else "_saved_")
    known = [field for field in fields(name_of(node)) if field.name == short]
    if not known:
        return number(node, name, short)
    if node.released:
        raise refusals.used_up(node)
    packed = kept_of(node).packed if raw else looked_up(node).packed
    found = [(key, known_node(x, name)) for key, _, x in by_place(node) if key[0] == short]
    if raw:
        given: list[Any] = [Saved(packed, key, tensor_of(x)) for key, x in found]
    else:
        given = []
        for key, x in found:
            stamp = None if key in packed else _stamp(x)
            if stamp is not None and stamp[0].number != stamp[1]:
                raise changed(node, x, *stamp[:2])
            given.append(unpacked_as(packed[key], x) if key in packed else tensor_of(x))
    if known[0].listed:
        return tuple(given)
    return given[0] if given else None
