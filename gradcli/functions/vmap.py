"""`vmap`: a function of one example, of a whole batch at once.

Constraints: the function is traced once on lanes (gradcli/ops/batching.py), which have no values;
what looks at a value is refused, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.functions import trees
from gradcli.graph.node import Node
from gradcli.graph.shape import axis_from_right
from gradcli.ops.batching import repeated
from gradcli.ops.movement import permute
from gradcli.tensor import Tensor, layout, registry
from gradcli.tensor.function import composite
from gradcli.tensor.levels import Level
from gradcli.tensor.storage import Storage
from gradcli.tensor.write import write

Values = tuple[Any, ...]


@composite("vmap", "func.vmap", method=False)
def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func` of each example: of each slice of the arguments along `in_dims`."""
    if randomness not in ("error", "different", "same"):
        _refuse(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}",
            RuntimeError,
        )
    if chunk_size is not None and chunk_size <= 0:
        _refuse(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        call = Mapped(func, in_dims, out_dims, randomness, args)
        return call.run(kwargs) if chunk_size is None else call.in_chunks(kwargs, chunk_size)

    wrapped.__name__ = wrapped.__qualname__ = name_of(func)
    return wrapped


class Mapped:
    """One call of a function that `vmap` has made.

    Raises:
        GradcliError: G013 in PyTorch's words, for arguments that do not fit.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        in_dims: Any,
        out_dims: Any,
        randomness: str,
        args: Values,
    ) -> None:
        self.function = function
        self.out_dims = out_dims
        self.randomness = randomness
        self.name = name_of(function)
        self.leaves, self.structure = trees.flatten(args)
        self.dims = self._in_dims(in_dims, args)
        sizes = [
            x.shape[dim] for x, dim in zip(self.leaves, self.dims, strict=True) if dim is not None
        ]
        if not sizes:
            _refuse("vmap: Expected at least one Tensor to vmap over")
        if any(size != sizes[0] for size in sizes):
            _refuse(
                "vmap: Expected all tensors to have the same size in the mapped dimension, got "
                f"sizes {sizes} for the mapped dimension"
            )
        self.size = sizes[0]

    def run(self, kwargs: dict[str, Any]) -> Any:
        """The results for all examples."""
        with Level(self.size, self.randomness) as level:
            given = [
                self._lane(x, dim, level) for x, dim in zip(self.leaves, self.dims, strict=True)
            ]
            before = [x.value_node if isinstance(x, Tensor) else None for x in given]
            output = self.function(*trees.unflatten(given, self.structure), **kwargs)
            flat, structure = trees.flatten(output)
            dims = self._out_dims(output, structure)
            for y, dim in zip(flat, dims, strict=True):
                self._check_output(y, dim)
            nodes = [y.node if isinstance(y, Tensor) else None for y in flat]
            batches = iter(level.batches(node for node in nodes if node is not None))
            found = [
                y if node is None else self._result(y, node, next(batches), dim)
                for y, node, dim in zip(flat, nodes, dims, strict=True)
            ]
            self._write_back(level, given, before)
        return trees.unflatten(found, structure)

    def in_chunks(self, kwargs: dict[str, Any], size: int) -> Any:
        """The results for all examples, at most `size` of them at once."""
        if not self.size:
            _refuse("arg_spec must not be None", AssertionError)
        narrow, cat = registry.method("narrow"), registry.find("torch.cat")
        state = registry.find("torch.get_rng_state")() if self.randomness == "same" else None
        whole, count, chunks, structure = self.leaves, self.size, [], trees.LEAF
        dims: list[Any] = []
        for start in range(0, count, size):
            if state is not None:
                registry.find("torch.set_rng_state")(state)
            self.size = min(size, count - start)
            self.leaves = [
                x if dim is None else narrow(x, dim, start, self.size)
                for x, dim in zip(whole, self.dims, strict=True)
            ]
            output = self.run(kwargs)
            flat, structure = trees.flatten(output)
            dims = self._out_dims(output, structure)
            chunks.append(flat)
        joined = [
            cat(parts, dim=dim) for parts, dim in zip(zip(*chunks, strict=True), dims, strict=True)
        ]
        return trees.unflatten(joined, structure)

    # -- arguments

    def _in_dims(self, in_dims: Any, args: Values) -> list[Any]:
        start = f"vmap({self.name}, in_dims={in_dims}, ...)(<inputs>): "
        if not isinstance(in_dims, (int, tuple)):
            _refuse(
                f"{start}expected `in_dims` to be int or a (potentially nested) tuple matching the "
                f"structure of inputs, got: {type(in_dims)}."
            )
        if not args:
            _refuse(
                f"vmap({self.name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or "
                "you are trying to vmap over a function with no inputs. The latter is unsupported."
            )
        dims = self.structure.spread(in_dims)
        if dims is None:
            _refuse(
                f"{start}in_dims is not compatible with the structure of `inputs`. in_dims has "
                f"structure {trees.flatten(in_dims)[1]} but inputs has structure {self.structure}."
            )
        return [self._in_dim(start, x, dim) for x, dim in zip(self.leaves, dims, strict=True)]

    def _in_dim(self, start: str, x: Any, dim: Any) -> int | None:
        if dim is None:
            return None
        if not isinstance(dim, int):
            _refuse(
                f"{start}Got in_dim={dim} for an input but in_dim must be either an integer "
                "dimension or None."
            )
        if not isinstance(x, Tensor):
            _refuse(
                f"{start}Got in_dim={dim} for an input but the input is of type {type(x)}. We "
                "cannot vmap over non-Tensor arguments, please use None as the respective in_dim"
            )
        rank = x.ndim
        if not -rank <= dim < rank:
            _refuse(
                f"{start}Got in_dim={dim} for some input, but that input is a Tensor of "
                f"dimensionality {rank} so expected in_dim to satisfy -{rank} <= in_dim < {rank}."
            )
        return dim % rank

    def _lane(self, x: Any, dim: int | None, level: Level) -> Any:
        if dim is None:
            return x
        example = level.example(moved(x.node, dim, 0))
        level.dims[example] = (dim, x.node)
        strides, sizes = ((*v[:dim], *v[dim + 1 :]) for v in (layout.strides_of(x), x.shape))
        if layout.are_natural(strides, sizes):
            return Tensor(example)
        level.scattered.add(example)
        return Tensor(example, Storage(example, strides))

    def _write_back(self, level: Level, given: list[Any], before: list[Node | None]) -> None:
        """What the function wrote to its examples is written to the arguments."""
        for x, example, node, dim in zip(self.leaves, given, before, self.dims, strict=True):
            if dim is not None and example.value_node is not node:
                (batch,) = level.batches([example.node])
                if batch is not None:
                    write(registry.method("movedim")(x, dim, 0) if dim else x, batch)

    # -- results

    def _out_dims(self, output: Any, structure: trees.Structure) -> list[Any]:
        dims = self.out_dims
        if isinstance(output, Tensor) and isinstance(dims, tuple) and len(dims) == 1:
            dims = dims[0]
        for dim in trees.flatten(dims)[0]:
            if dim is not None and not isinstance(dim, int):
                _refuse(
                    f"vmap({self.name}, ..., out_dims={self.out_dims}): `out_dims` must be an int, "
                    "None or a python collection of ints representing where in the outputs the "
                    "vmapped dimension should appear."
                )
        found = structure.spread(dims)
        if found is None:
            _refuse(
                f"vmap({self.name}, ..., out_dims={self.out_dims})(<inputs>): out_dims is not "
                "compatible with the structure of `outputs`. out_dims has structure "
                f"{trees.flatten(self.out_dims)[1]} but outputs has structure {structure}."
            )
        return found

    def _check_output(self, y: Any, dim: int | None) -> None:
        if dim is not None and not isinstance(y, Tensor):
            _refuse(
                f"vmap({self.name}, ...): `{self.name}` must only return Tensors, got type "
                f"{type(y)}. Did you mean to set out_dims= to None for output?"
            )

    def _result(self, y: Tensor, node: Node, batch: Node | None, dim: int | None) -> Tensor:
        if dim is None:
            if batch is not None:
                _refuse(
                    f"vmap({self.name}, ...): `{self.name}` can not return a BatchedTensor when "
                    "out_dim is None"
                )
            return y
        placed = moved(repeated(node, self.size) if batch is None else batch, 0, dim)
        settle(placed)
        return Tensor(placed)


def moved(x: Node, source: int, target: int) -> Node:
    """One axis moved, all others in their order."""
    rank = x.ndim
    place = rank + axis_from_right(target, rank)
    rest = [a for a in range(rank) if a != source]
    rest.insert(place, source)
    if rest == list(range(rank)):
        return x
    made = permute(x, axes=tuple(a - rank for a in rest))
    if x.tracked:
        made.call = ("PermuteBackward0", (x,))
    return made


def name_of(function: Any) -> str:
    """A function's name in PyTorch's sentences."""
    return str(getattr(function, "__name__", function))


def _refuse(sentence: str, kind: type[Exception] = ValueError) -> NoReturn:
    raise GradcliError("G013", sentence, kind=kind)
