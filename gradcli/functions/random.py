"""Random tensors: the same seed gives PyTorch's numbers.

Constraints: the streams are in gradcli/tensor/random.py; these are their names.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.limits import memory
from gradcli.functions.constants import empty_like, like_what
from gradcli.functions.create import dtype_or_default, number_of, shape_of
from gradcli.functions.drawing import (
    drawing,
    drawn_as,
    drawn_from,
    drawn_tensor,
    in_memory_order,
    parameters,
    refuse_shared,
    stream,
)
from gradcli.functions.shape import in_rows, whole
from gradcli.graph.dtype import SCALAR_TYPES, DType, as_dtype, int64
from gradcli.graph.shape import broadcast
from gradcli.tensor import Tensor, layout, registry
from gradcli.tensor.function import composite, laid_out
from gradcli.tensor.generator import HeldGenerator, default_generator
from gradcli.tensor.storing import Out

registry.register("torch.Generator", lambda device="cpu": HeldGenerator())
registry.register("torch.default_generator", default_generator)


@composite("manual_seed", "random.manual_seed", method=False)
def manual_seed(seed: Any) -> Any:
    """Starts the random streams anew; the same seed gives PyTorch's numbers."""
    return stream().manual_seed(int(seed))


class _Fork:
    """A block after which the random streams go on as if it had drawn nothing."""

    def __enter__(self) -> None:
        self._state = stream().get_state()

    def __exit__(self, *exception: object) -> None:
        stream().set_state(self._state)


@composite("random.fork_rng", method=False)
def fork_rng(devices: Any = None, enabled: bool = True) -> Any:
    """A block whose draws do not move the random streams outside of it."""
    from contextlib import nullcontext

    return _Fork() if enabled else nullcontext()


@composite("seed", "random.seed", method=False)
def seed() -> int:
    """Starts the random streams at a number that nobody chose; returns it."""
    return stream().seed()  # type: ignore[no-any-return]


@composite("initial_seed", "random.initial_seed", method=False)
def initial_seed() -> int:
    """The number that the random streams started at."""
    return stream().initial_seed()  # type: ignore[no-any-return]


@composite("get_rng_state", "random.get_rng_state", method=False)
def get_rng_state() -> Any:
    """The state of the random streams."""
    return stream().get_state()


@composite("set_rng_state", "random.set_rng_state", method=False)
def set_rng_state(new_state: Any) -> None:
    """Puts the random streams back to a state."""
    stream().set_state(new_state)


def _drawn(name: str, draw: str, words: str) -> None:
    def refuse_whole_numbers(kind: DType) -> None:
        if kind.category < 2:
            word = {"rand": "check_uniform_bounds", "randn": "normal_kernel_cpu"}[name]
            raise GradcliError(
                "G025",
                f"\"{word}\" not implemented for '{SCALAR_TYPES[kind]}'",
                kind=NotImplementedError,
            )

    @composite(name, method=False)
    def fresh(
        *size: Any, dtype: Any = None, requires_grad: bool = False, generator: Any = None
    ) -> Any:
        kind = dtype_or_default(dtype)
        refuse_whole_numbers(kind)
        array = getattr(drawing(generator), draw)(shape_of(size, kind, name), drawn_as(kind))
        return drawn_tensor(array, kind, requires_grad=requires_grad)

    @composite(f"{name}_like", method=False, out=None)
    def like(
        input: Any,
        *,
        dtype: Any = None,
        requires_grad: bool = False,
        generator: Any = None,
        memory_format: Any = None,
    ) -> Any:
        kind, _ = like_what(f"{name}_like", input, dtype)
        refuse_whole_numbers(kind)
        input = empty_like(input, memory_format=memory_format) if in_rows(memory_format) else input
        array = in_memory_order(input, draw, generator, drawn_as(kind), fresh=True)
        made = laid_out(drawn_tensor(array, kind).node, [input], True)
        made.requires_grad = requires_grad
        return made

    fresh.doc = f"Random numbers {words}: `{name}(2, 3)`."
    like.doc = f"Random numbers {words}, of the shape and dtype of `input`."


_drawn("rand", "uniform", "from 0 up to 1")
_drawn("randn", "normal", "from the standard normal distribution")


@composite("randint", method=False)
def randint(
    low: int | None = None,
    high: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Any = None,
) -> Any:
    """Random whole numbers from `low` (0 by default) up to and without `high`."""
    if size is None and isinstance(high, (list, tuple)):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    elif low is None:
        low = 0
    if not isinstance(size, (list, tuple)):
        sentence = f"randint(): argument 'size' must be tuple of ints, not {type(size).__name__}"
        raise GradcliError("G013", sentence, help="randint(low, high, (n,))", kind=TypeError)
    kind = int64 if dtype is None else as_dtype(dtype)
    ends = [whole(number_of(v)) for v in (low, high)]
    if ends[0] >= ends[1]:
        raise GradcliError(
            "G026",
            f"random_ expects 'from' to be less than 'to', but got from={ends[0]} >= to={ends[1]}",
        )
    array = drawing(generator).integers(*ends, shape_of((size,), kind), drawn_as(kind))
    return drawn_tensor(array, kind, requires_grad=requires_grad)


@composite("randint_like", method=False, out=None)
def randint_like(
    input: Any,
    low: int | None = None,
    high: Any = None,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Any = None,
    memory_format: Any = None,
) -> Any:
    """Random whole numbers, of the shape and dtype of `input`."""
    ends = (0, low) if high is None else (low or 0, high)
    kind, _ = like_what("randint_like", input, dtype)
    input = empty_like(input, memory_format=memory_format) if in_rows(memory_format) else input
    low, high = (whole(number_of(v)) for v in ends)
    given = {"low": low, "high": high, "fresh": True}
    array = in_memory_order(input, "integers", generator, drawn_as(kind), **given)
    made = laid_out(drawn_tensor(array, kind).node, [input], True)
    return made.requires_grad_() if requires_grad else made


@composite("randperm", method=False)
def randperm(
    n: int, *, dtype: Any = None, requires_grad: bool = False, generator: Any = None
) -> Any:
    """The numbers from 0 to n - 1 in random order."""
    kind = int64 if dtype is None else as_dtype(dtype)
    if whole(n) < 0:
        raise GradcliError("G024", f"Trying to create tensor with negative dimension {n}: [{n}]")
    memory.refuse(n, kind.itemsize)
    array = drawing(generator).permutation(n, drawn_as(kind))
    return drawn_tensor(array, kind, requires_grad=requires_grad)


@composite("normal", method=False)
def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """Normally distributed numbers; mean and deviation may be tensors."""
    if size is not None:
        kind = dtype_or_default(dtype)
        form = (shape_of((size,), kind), drawn_as(kind))
        array = drawing(generator).normal(*form, number_of(mean), number_of(std))
        return drawn_tensor(array, kind, requires_grad=requires_grad)
    draw = drawing(generator).normal_from
    given = [v for v in (mean, std) if isinstance(v, Tensor)]
    broadcast(*[tuple(v.shape) for v in given])
    found = iter(parameters(*given))
    arrays = [
        next(found).view(drawn_as(v.dtype)) if isinstance(v, Tensor) else v for v in (mean, std)
    ]
    half = next((v.dtype for v in given[:1] if v.dtype.rare), None)
    value = drawn_tensor(draw(*arrays), half)
    overload = 3 if len(given) == 2 else 1 if isinstance(mean, Tensor) else 2
    return drawn_from(value, "normal", overload, *given)


@composite("bernoulli")
def bernoulli(input: Any, p: float | None = None, *, generator: Any = None) -> Any:
    """0 or 1, 1 with the probability that `input` says."""
    draw = drawing(generator).bernoulli
    refuse_shared(input)
    chance = parameters(input)[0] if p is None else p
    array = draw(chance, tuple(input.shape), drawn_as(input.dtype))
    value = drawn_tensor(array, input.dtype)
    return value if p is not None else drawn_from(value, "bernoulli", 0, input)


@composite("multinomial", out=Out("multinomial expects {Wanted} tensor out, got: {Got}"))
def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Any:
    """Positions drawn with the weights in each row of `input`."""
    order = layout.memory_order(input)
    draw = drawing(generator).multinomial
    (weights,) = parameters(input)
    if weights.ndim == input.ndim:
        return drawn_tensor(draw(weights, num_samples, replacement, order))
    rows = weights.reshape(-1, weights.shape[-1])  # of all examples, one after another
    found = draw(rows, num_samples, replacement)
    return drawn_tensor(found.reshape(*weights.shape[:-1], found.shape[-1]))
