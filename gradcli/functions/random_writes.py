"""Random numbers written to tensors: `normal_`, `uniform_`, `bernoulli_`.

Constraints: what the streams are like says tensor/random.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.functions.drawing import (
    drawing,
    drawn_as,
    drawn_tensor,
    in_memory_order,
    parameters,
    refuse_unbatched,
)
from gradcli.tensor import Tensor, layout
from gradcli.tensor.function import composite
from gradcli.tensor.named import Named
from gradcli.tensor.write import filled, refuse, refuse_overlap, write


def allowed(input: Tensor, name: str) -> None:
    """Refuses what must not be written to, by `name`, before the stream moves."""
    refuse(input, False, name)
    refuse_unbatched(input)
    refuse_overlap(input, [])


def _written(input: Any, name: str, generator: Any, overload: int = 0, **parameters: Any) -> Any:
    """Writes random numbers to `input`, drawn as the function `name_` draws them."""
    allowed(input, f"{name}_")
    array = in_memory_order(input, name, generator, drawn_as(input.dtype), **parameters)
    return write(input, filled(input, drawn_tensor(array, input.dtype).node, name, overload))


@composite(Named("Tensor.uniform_", **{"from": "low", "to": "high"}))
def uniform_(input: Any, low: float = 0.0, high: float = 1.0, *, generator: Any = None) -> Any:
    """Writes random numbers between two bounds, all alike likely."""
    return _written(input, "uniform", generator, low=low, high=high)


@composite("Tensor.normal_")
def normal_(input: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Writes random numbers of the normal distribution."""
    return _written(input, "normal", generator, mean=mean, std=std)


@composite("Tensor.exponential_")
def exponential_(input: Any, lambd: float = 1.0, *, generator: Any = None) -> Any:
    """Writes random numbers of the exponential distribution of rate `lambd`."""
    return _written(input, "exponential", generator, lambd=lambd)


@composite("Tensor.cauchy_")
def cauchy_(input: Any, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Any:
    """Writes random numbers of the Cauchy distribution."""
    return _written(input, "cauchy", generator, median=median, sigma=sigma)


@composite("Tensor.log_normal_")
def log_normal_(input: Any, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Any:
    """Writes exponentials of random numbers of the normal distribution."""
    return _written(input, "log_normal", generator, mean=mean, std=std)


@composite("Tensor.geometric_")
def geometric_(input: Any, p: float, *, generator: Any = None) -> Any:
    """Writes how many draws it takes to the first success of probability `p`."""
    return _written(input, "geometric", generator, p=p)


@composite("Tensor.bernoulli_")
def bernoulli_(input: Any, p: Any = 0.5, *, generator: Any = None) -> Any:
    """Writes 0 or 1, 1 with probability `p`."""
    allowed(input, "bernoulli_.Tensor" if isinstance(p, Tensor) else "bernoulli_.float")
    if isinstance(p, Tensor):
        array = _drawn_with(p, input, drawing(generator).bernoulli)
    else:
        array = in_memory_order(input, "bernoulli", generator, drawn_as(input.dtype), p=p)
    overload = 1 if isinstance(p, Tensor) else 2
    return write(input, filled(input, drawn_tensor(array, input.dtype).node, "bernoulli", overload))


def _drawn_with(p: Any, input: Any, draw: Any) -> Any:
    """What `draw` makes of the elements of `p`, in the order of those of `input` in memory."""
    (chance,), shape, kind = parameters(p), tuple(input.shape), drawn_as(input.dtype)
    order = layout.memory_order(input)
    if chance.ndim > len(shape) or order == tuple(range(len(shape))):
        return draw(chance, shape, kind)
    sizes = tuple(shape[i] for i in order)
    drawn = draw(np.broadcast_to(chance, shape).transpose(order), sizes, kind)
    return drawn.transpose(np.argsort(order))


@composite(Named("Tensor.random_", **{"from": "low", "to": "to"}))
def random_(input: Any, low: Any = None, to: Any = ..., *, generator: Any = None) -> Any:
    """Writes random whole numbers: from `low` up to and without `to`, or all that fit.

    One number alone is `to`; None is the end of what fits.
    """
    allowed(input, "random_")
    kind = drawn_as(input.dtype)
    if low is None and to is ...:
        array, overload = in_memory_order(input, "random_", generator, kind), 2
    else:
        ends = {"low": 0, "high": low} if to is ... else {"low": low or 0, "high": to}
        array = in_memory_order(input, "integers", generator, kind, **ends)
        overload = int(low is None or to is ...)
    return write(input, filled(input, drawn_tensor(array, input.dtype).node, "random", overload))
