"""The stream that random functions draw from, inside transforms and outside.

Constraints: inside vmap, what is drawn is the same for all examples or each has its own.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.evaluate import array
from gradcli.functions.create import from_array
from gradcli.graph.dtype import DType, bfloat16
from gradcli.graph.node import Node, current
from gradcli.graph.shape import broadcast, numel
from gradcli.ops.batching import repeated
from gradcli.ops.elementwise import cast, where
from gradcli.ops.movement import expand
from gradcli.tensor import Tensor, layout, levels, random_checks
from gradcli.tensor.function import called, number_node
from gradcli.tensor.generator import default_generator
from gradcli.tensor.result_layout import of_result


def stream(generator: Any = None) -> Any:
    """The stream to draw from: the given one, else the one that `manual_seed` starts."""
    return default_generator if generator is None else generator


def drawing(generator: Any = None) -> Any:
    """The stream to draw from."""
    if levels.vmaps():
        return OfEachExample(stream(generator))
    return stream(generator) if current.recording is None else Followed(stream(generator))


def in_memory_order(
    like: Tensor, draw: str, generator: Any, kind: Any, *, fresh: bool = False, **given: Any
) -> Any:
    """Numbers for the elements of `like`, drawn in the order in which these lie in memory.

    Those of a `fresh` tensor like it: row by row, unless that one lies in another order too.
    """
    shape = tuple(like.shape)
    in_rows = fresh and of_result(like.node, [like], True) is None
    order = tuple(range(len(shape))) if in_rows else layout.memory_order(like)
    if draw == "normal" and not (in_rows or layout.is_contiguous(like)):
        given["serial"] = True
    sizes = tuple(shape[i] for i in order)
    array = getattr(drawing(generator), draw)(shape=sizes, dtype=kind, **given)
    lead = array.ndim - len(order)
    return np.transpose(array, (*range(lead), *(lead + np.argsort(order))))


def parameters(*tensors: Tensor) -> list[Any]:
    """The elements of the tensors to draw with; in vmap those of all examples that have their own.

    Raises:
        GradcliError: G026 where examples would share what is drawn with elements that differ.
    """
    nodes = [x.value_node for x in tensors]
    if levels.active:
        shape = broadcast(*(x.shape for x in nodes))
        nodes = [_of_all_apart(expand(x, shape=shape)) for x in nodes]
    return [array(x) for x in nodes]


def refuse_shared(input: Tensor) -> None:
    """Raises G026 where examples share what is drawn, but not the tensor it is drawn for."""
    if levels.active:
        _of_all_apart(input.value_node)


def refuse_unbatched(target: Tensor) -> None:
    """Raises G026 for a write of what is drawn for each example to a tensor that all share."""
    if not levels.active:
        return
    own, is_fresh = levels.lanes_of(target.value_node), False
    for level in reversed(levels.vmaps()):
        _refuse_random(level)
        shared = own.isdisjoint(level.lanes)
        is_fresh |= level.randomness == "same" and not shared  # PyTorch copies from a new tensor
        if level.randomness == "same" or not (shared or is_fresh):
            continue
        raise GradcliError(
            "G026",
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will "
            "appear like same randomness. If this is necessary for your usage, please file an "
            "issue with functorch.",
            help="draw a new tensor: torch.rand(n), or make one of an example: empty_like(x)",
        )


def _of_all_apart(node: Node) -> Node:
    for level in reversed(levels.vmaps()):
        (batch,) = level.batches([node])
        if batch is not None and level.randomness == "same":
            raise GradcliError(
                "G026",
                "Vmap does not currently support same randomness with a batched tensor input. "
                "Please file an issue with functorch",
                help='say randomness="different"',
            )
        if level.randomness == "different":
            node = repeated(node, level.size or 0) if batch is None else batch
    return node


class Followed:
    """A stream whose draws are on record, so that they can be made again."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        draw, recording = getattr(self._stream, name), current.recording

        def drawn(*args: Any, **kwargs: Any) -> Any:
            current.recording = None
            try:
                array = draw(*args, **kwargs)
            finally:
                current.recording = recording
            if recording is not None:
                given = tuple(map(recording.seen, reversed(args)))[::-1]
                plain = all(isinstance(a, _PLAIN) for a in (*given, *kwargs.values()))
                recording.drew(array, (self._stream, partial(draw, **kwargs), given), plain)
            return array

        return drawn


_PLAIN = (int, float, str, tuple, type, np.dtype, type(None), Node)
"""What a draw may be made again with: what it was given does not change."""


class OfEachExample:
    """A stream inside vmap: what it draws is the same for all examples, or each has its own.

    Raises:
        GradcliError: G026 where a vmap was not told which of these it should be.
    """

    def __init__(self, stream: Any) -> None:
        for level in levels.vmaps():
            _refuse_random(level)
        self._stream = stream
        self._sizes = tuple(level.size or 0 for level in _apart())

    def __getattr__(self, name: str) -> Any:
        draw = getattr(self._stream, name)

        def drawn(*args: Any, **kwargs: Any) -> Any:
            if "shape" in kwargs:
                return draw(*args, **{**kwargs, "shape": self._sizes + kwargs["shape"]})
            if any(isinstance(a, tuple) for a in args):
                wider = (self._sizes + a if isinstance(a, tuple) else a for a in args)
                return draw(*wider, **kwargs)
            if any(isinstance(a, np.ndarray) for a in args):
                return draw(*args, **kwargs)  # they have the axes of all examples in front
            found = [draw(*args, **kwargs) for _ in range(numel(self._sizes))]
            in_turn = np.reshape(found, self._sizes[::-1] + found[0].shape)  # the innermost last
            count, rank = len(self._sizes), in_turn.ndim
            return np.transpose(in_turn, (*reversed(range(count)), *range(count, rank)))

        return drawn


def _refuse_random(level: levels.Level) -> None:
    if level.randomness == "error":
        raise GradcliError(
            "G026",
            "vmap: called random operation while in randomness error mode. Please either use "
            "the 'same' or 'different' randomness flags on vmap or perform the randomness "
            "operation out of vmap",
        )


def _apart() -> list[levels.Level]:
    """The running vmaps in which each example has random numbers of its own."""
    return [level for level in levels.vmaps() if level.randomness == "different"]


def drawn_as(dtype: DType) -> np.dtype[Any]:
    """NumPy's dtype in which the stream draws elements of `dtype`."""
    return random_checks.BFLOAT16 if dtype is bfloat16 else NUMPY_DTYPES[dtype]


def drawn_tensor(array: Any, dtype: DType | None = None, **options: Any) -> Any:
    """The tensor of what was drawn; inside vmap one example's, where each has its own."""
    made = from_array(array, dtype, **options)
    if current.recording is not None:
        current.recording.drawn(array, made.node)
    for level in _apart():
        made = Tensor(level.example(made.node))
    return made


def drawn_from(value: Tensor, name: str, overload: int, *parameters: Tensor) -> Tensor:
    """`value` as node `name` of the tensors that it was drawn with; their gradient is 0."""
    nodes = [x.node for x in parameters]
    tracked = [node for node in nodes if node.tracked]
    if not tracked:
        return value
    result = value.node
    for node in tracked:
        result = where(number_node(False), cast(node, result.dtype), result)
    return Tensor(called(result, name, *nodes, overload=overload))
