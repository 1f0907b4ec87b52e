"""The grad_fn graphs of values, gradients and second derivatives, under PyTorch and gradcli.

Constraints: whole graphs are compared, down to the leaves, by the names of their functions. Run it
to print where ops of op_db differ:

    python tests/conformance/derivative_graphs.py [OP]...
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from op_db_run import SEED, _our_gradients, function_of, operations, samples, spread
from op_db_values import leaves, requires_grad, to_gradcli

from gradcli.errors import GradcliError
from gradcli.functions import find
from gradcli.tensor import Tensor

LEVELS = ("value", "gradient", "second")
MOST = 2
Graph = tuple[str, tuple[Any, ...]]
"""A function's name, and the graphs that a gradient goes to from it."""
Problems = dict[str, str]
"""By level: the first difference, in words."""


def differentiable() -> dict[str, Any]:
    """The ops of op_db whose float64 gradients PyTorch has, by name with variant."""
    return {
        name: op
        for name, op in operations().items()
        if op.supports_autograd and torch.float64 in op.dtypes
    }


def problems(op: Any) -> Problems:
    """Where the graphs of an op's samples differ from PyTorch's."""
    found: Problems = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in spread(list(samples(op, torch.float64)), MOST):
            for level, problem in _differences(op, sample):
                if problem:
                    found.setdefault(level, problem)
    return found


def _differences(op: Any, sample: Any) -> Iterator[tuple[str, str]]:
    known: dict[int, Tensor] = {}
    given = (sample.input, *sample.args)
    arguments, options = to_gradcli(given, known), to_gradcli(sample.kwargs, known)
    torch.manual_seed(SEED)
    theirs = op.op(*given, **sample.kwargs)
    find("torch.manual_seed")(SEED)
    ours = function_of(op)(*arguments, **options)
    results = requires_grad(theirs, torch.Tensor)
    inputs = requires_grad((given, sample.kwargs), torch.Tensor)
    inputs = [x for x in inputs if not (x.is_leaf and x._is_view())]
    if not results or not inputs:
        return
    cotangents = [torch.ones_like(y, requires_grad=True) for y in results]
    flags = [t.requires_grad for t in leaves(theirs, torch.Tensor)]
    chosen = [y for y, flag in zip(leaves(ours, Tensor), flags, strict=True) if flag]
    wanted = _levels(_their_gradients, torch.ones_like, results, inputs, cotangents)
    made = _levels(
        _our_graph_of_gradients,
        find("torch.ones_like"),
        chosen,
        [known[id(x)] for x in inputs],
        [to_gradcli(v, {}) for v in cotangents],
    )
    for level, expected, seen in zip(LEVELS, wanted, made, strict=False):
        yield level, next(difference(seen, expected), "")


def _their_gradients(outputs: Any, inputs: Any, given: Any) -> Any:
    return torch.autograd.grad(outputs, inputs, given, allow_unused=True, create_graph=True)


def _our_graph_of_gradients(outputs: Any, inputs: Any, given: Any) -> Any:
    return _our_gradients(outputs, inputs, given, again=True)


def _levels(gradients: Any, ones_like: Any, outputs: Any, inputs: Any, given: Any) -> Iterator[Any]:
    """The graphs of values, gradients and second derivatives, or the error in place of one."""
    yield _graphs(outputs)
    try:
        first = gradients(outputs, inputs, given)
        yield _graphs(first)
        sloped = [g for g in first if g is not None and g.requires_grad]
        if sloped:
            second = gradients(sloped, inputs + given, [ones_like(g) for g in sloped])
            yield _graphs(second)
    except Exception as error:
        yield _sentence(error)


def _sentence(error: Exception) -> str:
    kind = error.kind if isinstance(error, GradcliError) else type(error)
    return f"{kind.__name__}: {str(error).splitlines()[0]}"


def _graphs(tensors: Any) -> Graph:
    return "", tuple("None" if y is None else graph_of(y.grad_fn) for y in tensors)


def graph_of(grad_fn: Any) -> Graph:
    """The graph of a grad_fn; of two equal ones, the same object."""
    found: dict[Any, Graph] = {None: _one("-", ())}
    stack = [grad_fn]
    while stack:
        inner = [x for x, _ in stack[-1].next_functions if x not in found] if stack[-1] else []
        stack += inner
        if not inner:
            here = stack.pop()
            if here not in found:
                following = tuple(found[x] for x, _ in here.next_functions)
                found[here] = _one(_name(here), following)
    return found[grad_fn]


def _one(name: str, following: tuple[Graph, ...]) -> Graph:
    return KNOWN.setdefault((name, tuple(map(id, following))), (name, following))


KNOWN: dict[tuple[str, tuple[int, ...]], Graph] = {}


def difference(seen: Any, expected: Any, path: str = "") -> Iterator[str]:
    """The places where two graphs, or what stands for them, differ, in words."""
    if seen is expected or (isinstance(seen, str) and seen == expected):
        return
    known = not isinstance(seen, str) and not isinstance(expected, str)
    if not known or seen[0] != expected[0] or len(seen[1]) != len(expected[1]):
        yield f"{path}: {text(seen)} in place of {text(expected)}"
    else:
        for x, y in zip(seen[1], expected[1], strict=True):
            yield from difference(x, y, f"{path}/{seen[0].replace('Backward', '')}"[-80:])


def text(graph: Any, depth: int = 2) -> str:
    """The beginning of a graph."""
    if isinstance(graph, str):
        return graph
    inner = ", ".join(text(x, depth - 1) for x in graph[1]) if depth else ".."
    return f"{graph[0].replace('Backward', '')}({inner})" if graph[1] else graph[0]


def _name(grad_fn: Any) -> str:
    return "-" if grad_fn is None else str(grad_fn.name()).rpartition(":")[2]


if __name__ == "__main__":
    for title, op in differentiable().items():
        if sys.argv[1:] and title not in sys.argv[1:]:
            continue
        for level, problem in problems(op).items():
            print(f"{title} | {level} | {problem}", flush=True)
