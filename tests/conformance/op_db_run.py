"""Runs PyTorch's op_db samples under gradcli and scores forward values and gradients, op by op.

Constraints: the oracle is PyTorch on the same arguments at the same moment; random ops start from
the same seed on both sides; cotangents are the same random numbers.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from op_db_lists import LOOSER, ORDER, RENAMED, UNINITIALISED, UP_TO_SIGN, reason_outside
from op_db_values import Comparison, Outside, array_of, leaves, requires_grad, to_gradcli
from torch.testing._internal.common_methods_invocations import op_db

from gradcli.functions import find
from gradcli.tensor import Tensor
from gradcli.tensor.registry import method

SEED = 42
"""The seed that op_db's own wrappers of random functions set."""
SAMPLE_SEED = 1234
"""The seed that op_db sets before each sample."""


class Score:
    """What an op's samples came to in one dtype.

    Attributes:
        title: op_db's name, the variant behind a dot.
        plain: the name without the variant.
        differentiable: whether PyTorch has its gradient.
        forward, gradient, second: (passed, total) of values, first and second derivatives.
        failures: sentence -> how often, all together.
        outside: reason -> how many samples were skipped for it.
        seconds: how long they took, PyTorch's share included.
    """

    COMPARED = ("forward", "gradient", "second")

    def __init__(self, op: Any) -> None:
        self.title = full_name(op)
        self.plain: str = op.name
        self.differentiable: bool = op.supports_autograd
        self.forward = [0, 0]
        self.gradient = [0, 0]
        self.second = [0, 0]
        self.failures: Counter[str] = Counter()
        self.outside: Counter[str] = Counter()
        self.seconds = 0.0

    def count(self, which: str, problem: str) -> None:
        """Counts one comparison; `problem` is empty when it passed."""
        tally: list[int] = getattr(self, which)
        tally[0] += not problem
        tally[1] += 1
        if problem:
            self.failures[f"{which}: {problem}"] += 1

    @property
    def passed(self) -> bool:
        """Whether everything that was compared agreed, and something was compared."""
        return not self.failures and (self.forward[1] > 0 or not self.outside)


def operations() -> dict[str, Any]:
    """op_db's ops that are compared, by name with variant."""
    return {full_name(op): op for op in op_db if not reason_outside(full_name(op))}


def full_name(op: Any) -> str:
    """`max.binary`: the name and the variant of an OpInfo."""
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name


def called_name(op: Any) -> str:
    """The name below `torch`, or of a method, that the op's samples call."""
    return RENAMED.get(full_name(op)) or RENAMED.get(op.name, op.name)


def function_of(op: Any) -> Any:
    """gradcli's function of an OpInfo's name: of torch, else a tensor's method; else None."""
    name = called_name(op)
    found = find(f"torch.{name}")
    if not callable(found) and "." not in name:
        found = method(name) or getattr(Tensor, name, None)
    if isinstance(found, property):
        found = found.fget
    arrange = arrangement(op)
    return arrange(found) if arrange and found is not None else found


def arrangement(op: Any) -> Any:
    """How a function is called with the arguments of the op's samples, if not as they are."""
    return ORDER.get(full_name(op)) or ORDER.get(op.name)


def samples(op: Any, dtype: torch.dtype) -> Iterator[Any]:
    """The op's samples; their tensors require gradients where the op has one.

    The numbers are those of `op.sample_inputs`, which walks the stack and seeds every device's
    generator for each sample: most of the time that a sample takes.
    """
    made = op.sample_inputs_func(op, "cpu", dtype, op.supports_autograd and _sloped(dtype))
    iterator, end = iter(made), object()
    while True:
        for start in (random.seed, np.random.seed, torch.default_generator.manual_seed):
            start(SAMPLE_SEED)
        sample = next(iterator, end)
        if sample is end:
            return
        yield sample


def spread(items: list[Any], most: int) -> list[Any]:
    """At most `most` of the items (0: all of them), evenly spread from the first on."""
    count = len(items)
    if not most or count <= most:
        return items
    return [items[i * count // most] for i in range(most)]


def run(
    op: Any, dtype: torch.dtype, function: Any = None, most: int = 0, twice: bool = False
) -> Score:
    """Scores the samples of `op` in `dtype`.

    Args:
        op: an OpInfo.
        dtype: of the samples.
        function: what is called under gradcli; the function of the op's name by default.
        most: how many samples, evenly spread; 0 for all of them.
        twice: whether second derivatives are compared too, where PyTorch has them.
    """
    trial = Trial(op, function_of(op) if function is None else function, twice)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in spread(list(samples(op, dtype)), most):
            try:
                trial.compare(sample)
            except Outside as reason:
                trial.score.outside[str(reason)] += 1
    return trial.score


class Trial:
    """An op on both sides: the samples are compared one by one and counted in `score`.

    `cotangent` makes that of each of PyTorch's results.
    """

    def __init__(
        self,
        op: Any,
        function: Any,
        twice: bool = False,
        cotangent: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self.cotangent = _cotangent if cotangent is None else cotangent
        self.op = op
        self.function = function
        self.twice = twice and op.supports_gradgrad
        self.score = Score(op)
        looser = LOOSER.get(op.name)
        self.results = Comparison(values=op.name not in UNINITIALISED, looser=looser)
        self.slopes = Comparison(looser=looser, second=True)

    def compare(self, sample: Any) -> None:
        """Compares value and gradient of one sample; raises Outside when it cannot be compared."""
        known: dict[int, Tensor] = {}
        given = (sample.input, *sample.args)
        arguments, options = to_gradcli(given, known), to_gradcli(sample.kwargs, known)
        theirs = self._theirs(sample)
        try:
            ours = self._ours(arguments, options)
            if self.op.name in UP_TO_SIGN:
                ours, theirs = map(sample.output_process_fn_grad, (ours, theirs))
            problem = self.results.difference(ours, theirs)
        except Exception as error:
            ours, problem = None, _sentence(error)
        self.score.count("forward", problem)
        if requires_grad(theirs, torch.Tensor):
            inputs = requires_grad((given, sample.kwargs), torch.Tensor)
            # PyTorch finds no way back to a view that was made where no gradient is recorded.
            inputs = [x for x in inputs if not (x.is_leaf and x._is_view())]
            self.score.count("gradient", problem or self._gradient(ours, theirs, inputs, known))

    def _ours(self, arguments: Any, options: Any) -> Any:
        if self.function is None:
            raise LookupError("no such function")
        find("torch.manual_seed")(SEED)
        return self.function(*arguments, **options)

    def _theirs(self, sample: Any) -> Any:
        torch.default_generator.manual_seed(SEED)
        try:
            theirs = self.op.op(sample.input, *sample.args, **sample.kwargs)
        except Exception as error:
            raise Outside(f"PyTorch refuses the sample: {type(error).__name__}") from None
        for tensor in leaves(theirs, torch.Tensor):
            array_of(tensor)
        return theirs

    def _gradient(
        self, ours: Any, theirs: Any, inputs: list[torch.Tensor], known: dict[int, Tensor]
    ) -> str:
        """Compares first derivatives, then second ones; why the first ones differ."""
        outputs = requires_grad(theirs, torch.Tensor)
        given = [self.cotangent(x).requires_grad_(self.twice) for x in outputs]
        expected = _their_gradients(outputs, inputs, given, again=self.twice)
        flags = [t.requires_grad for t in leaves(theirs, torch.Tensor)]
        chosen = [o for o, flag in zip(leaves(ours, Tensor), flags, strict=False) if flag]
        if len(chosen) != len(outputs) or not all(x.requires_grad for x in chosen):
            return "no gradient is recorded"
        leading = [to_gradcli(v, {}) for v in given]
        wanted = [known[id(x)] for x in inputs]
        try:
            found = _our_gradients(chosen, wanted, leading, again=self.twice)
        except Exception as error:
            return _sentence(error)
        problem = _difference(self.results, found, expected, inputs)
        if self.twice and not problem:
            self._second((found, wanted + leading), (expected, inputs + given))
        return problem

    def _second(self, ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
        """Compares the derivatives of first derivatives; each side is (these, what by)."""
        (first, wanted), (expected, inputs) = ours, theirs
        kept = [x for x in expected if x is not None and x.requires_grad]
        if not kept:
            return
        cotangents = [None if x is None else _cotangent(x.detach()) for x in expected]
        sloped = [
            (x, to_gradcli(v, {}))
            for x, v in zip(first, cotangents, strict=True)
            if x is not None and x.requires_grad and v is not None
        ]
        given = [_cotangent(x.detach()) for x in kept]
        try:
            second = _their_gradients(kept, inputs, given)
        except Outside:
            return
        try:
            found = [None] * len(wanted)
            if sloped:
                found = _our_gradients([x for x, _ in sloped], wanted, [v for _, v in sloped])
            problem = _difference(self.slopes, found, second, inputs)
        except Exception as error:
            problem = _sentence(error)
        self.score.count("second", problem)


def _difference(how: Comparison, found: Any, expected: Any, inputs: Any) -> str:
    pairs = zip(map(_or_zeros, found, inputs), map(_filled, expected, inputs), strict=True)
    return next((d for pair in pairs if (d := how.difference(*pair))), "")


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _their_gradients(
    outputs: list[torch.Tensor], inputs: list[torch.Tensor], given: list[Any], again: bool = False
) -> list[Any]:
    try:
        found = torch.autograd.grad(outputs, inputs, given, allow_unused=True, create_graph=again)
    except (NotImplementedError, RuntimeError) as error:
        raise Outside(f"PyTorch has no gradient: {type(error).__name__}") from None
    return list(found)


def _our_gradients(outputs: Any, inputs: Any, given: Any, again: bool = False) -> Any:
    gradient = find("torch.autograd.grad")
    return gradient(outputs, inputs, given, allow_unused=True, create_graph=again)


def _filled(gradient: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x) if gradient is None else gradient


def _or_zeros(gradient: Any, x: torch.Tensor) -> Any:
    """A gradient that is absent on one side equals zeros on the other."""
    if gradient is not None:
        return gradient
    return find("torch.zeros")(tuple(x.shape), dtype=to_gradcli(x.dtype, {}))


def _cotangent(output: torch.Tensor) -> torch.Tensor:
    numbers = np.random.default_rng(7)
    values = numbers.standard_normal(tuple(output.shape))
    if output.dtype.is_complex:
        values = values + 1j * numbers.standard_normal(tuple(output.shape))
    array_of(output)
    return torch.from_numpy(np.asarray(values)).to(output.dtype)


def _sloped(dtype: torch.dtype) -> bool:
    return dtype.is_floating_point or dtype.is_complex
