"""`torch.func`: functions that give whole Jacobians and Hessians of functions.

Constraints: rows or columns are found together, by a vmap over unit vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions import find, trees
from gradcli.functions.func import pulling, pushed
from gradcli.functions.transform import chosen, identity_of, named_after, require_real, zeros_of
from gradcli.functions.vmap import vmap
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite
from gradcli.tensor.levels import Level

Function = Callable[..., Any]


@composite("func.jacrev", method=False)
def jacrev(
    func: Function,
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that gives the Jacobian of `func`, row by row."""
    if chunk_size is not None and chunk_size <= 0:
        raise GradcliError(
            "G013", "jacrev: `chunk_size` should be greater than 0.", kind=ValueError
        )

    def wrapped(*args: Any) -> Any:
        require_real("jacrev", args, "input")
        value, pull, aux = pulling(func, args, argnums, has_aux)
        require_real("jacrev", value, "output")
        outputs, shape = trees.flatten(value)
        blocks = []
        for i, y in enumerate(outputs):

            def row(vector: Any, i: int = i) -> Any:
                zeros = [zeros_of(other) for other in outputs]
                zeros[i] = vector.reshape(*outputs[i].shape)
                return pull(trees.unflatten(zeros, shape))

            rows = _each(row, identity_of(y), chunk_size)
            blocks.append(trees.mapped(_unflattened(y), rows))
        found = trees.unflatten(blocks, shape)
        return (found, aux) if has_aux else found

    return named_after(func, wrapped)


def _each(row: Function, vectors: Tensor, chunk_size: int | None) -> Any:
    """What `row` makes of each of the vectors; by itself, without a vmap, in chunks of one."""
    if chunk_size != 1 or not len(vectors):
        return vmap(row, chunk_size=chunk_size)(vectors)
    made = [trees.flatten(row(vector)) for vector in vectors.unbind()]
    columns = zip(*(leaves for leaves, _ in made), strict=True)
    return trees.unflatten([find("torch.stack")(column) for column in columns], made[0][1])


def _unflattened(like: Tensor) -> Callable[[Tensor], Tensor]:
    """What gives the first axis the shape of `like`."""
    return lambda x: x.reshape(*like.shape, *x.shape[1:])


@composite("func.jacfwd", method=False)
def jacfwd(
    func: Function, argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """The function that gives the Jacobian of `func`, column by column."""
    return by_columns(func, argnums, has_aux, randomness, _last_as)


def by_columns(
    func: Function,
    argnums: Any,
    has_aux: bool,
    randomness: str,
    last: Callable[[Tensor, Tensor], Tensor],
) -> Callable[..., Any]:
    """The same; `last` gives the last axis, of all elements of an input, the input's shape."""

    def wrapped(*args: Any) -> Any:
        require_real("jacfwd", args, "input")
        places = range(len(args)) if argnums is None else chosen(args, argnums)

        def of_chosen(*chosen: Any) -> Any:
            given = dict(zip(places, chosen, strict=True))
            return func(*(given.get(i, a) for i, a in enumerate(args)))

        primals = tuple(args[i] for i in places)
        with Level(0) if randomness == "error" else Level():  # the vmap over the directions
            value, push, aux = pushed(of_chosen, primals, has_aux, False)
        require_real("jacfwd", value, "output")
        inputs, structure = trees.flatten(primals)
        made = [_columns(push, inputs, structure, j, randomness) for j in range(len(inputs))]
        columns = [
            trees.mapped(partial(_placed, last, x), each)
            for each, x in zip(made, inputs, strict=True)
        ]
        outputs, shape = trees.flatten(value)
        blocks = []
        for i in range(len(outputs)):
            block = trees.unflatten([trees.flatten(c)[0][i] for c in columns], structure)
            blocks.append(block[0] if isinstance(argnums, int) else block)
        found = trees.unflatten(blocks, shape)
        return (found, aux) if has_aux else found

    return named_after(func, wrapped)


def _columns(
    push: Callable[..., Any], inputs: list[Any], structure: Any, j: int, randomness: str
) -> Any:
    """The derivatives by every element of one input, along the last axis."""

    def column(vector: Any) -> Any:
        zeros = [zeros_of(x) for x in inputs]
        zeros[j] = vector.reshape(*inputs[j].shape)
        return push(*trees.unflatten(zeros, structure))

    return vmap(column, out_dims=-1, randomness=randomness)(identity_of(inputs[j]))


def _placed(last: Callable[[Tensor, Tensor], Tensor], like: Tensor, x: Tensor) -> Tensor:
    return last(x, like)


def _last_as(x: Tensor, like: Tensor) -> Any:
    """`x` whose last axis has the shape of `like`."""
    return x.reshape(*x.shape[:-1], *like.shape) if like.shape else x.squeeze(-1)


@composite("func.hessian", method=False)
def hessian(func: Function, argnums: Any = 0) -> Callable[..., Any]:
    """The function that gives the second derivatives of `func`."""
    return jacfwd(jacrev(func, argnums), argnums)  # type: ignore[no-any-return]
