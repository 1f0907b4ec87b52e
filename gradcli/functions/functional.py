"""`torch.autograd.functional`: Jacobians, Hessians and their products with vectors, of a function.

Constraints: results have no history unless `create_graph` asks for it.
"""

from __future__ import annotations

from typing import Any

from gradcli.functions.func_jacobian import by_columns
from gradcli.functions.problem import (
    NOT_STRICT,
    Function,
    Parts,
    Problem,
    constant_gradient,
    linear,
    listed,
    pulled,
    require,
)
from gradcli.functions.transform import identity_of, refuse, zeros_of
from gradcli.graph.backward import tracked
from gradcli.graph.shape import numel
from gradcli.tensor import Tensor, levels, registry
from gradcli.tensor.function import composite
from gradcli.tensor.passing import missed
from gradcli.tensor.refusals import refuse_complex
from gradcli.tensor.storage import Stop


@composite("autograd.functional.vjp", method=False)
def vjp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> Any:
    """The function's outputs, and the product of the vector `v` and its Jacobian."""
    problem = Problem("vjp", func, inputs, create_graph, strict)
    missing = "the user-provided function returns a single Tensor with a single element."
    vectors = problem.vectors(v, problem.outputs, problem.several_outputs, missing)
    parts = problem.pulled(problem.outputs, problem.inputs, vectors)
    found = problem.filled(parts, problem.inputs, "output")
    outputs = problem.result(problem.outputs, problem.several_outputs)
    return outputs, problem.result(found, problem.several_inputs)


TO_A_NUMBER = "the input to the user-provided function is a single Tensor with a single element."


@composite("autograd.functional.jvp", method=False)
def jvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> Any:
    """The function's outputs, and the product of its Jacobian and the vector `v`."""
    problem = Problem("jvp", func, inputs, create_graph, strict)
    vectors = problem.vectors(v, problem.inputs, problem.several_inputs, TO_A_NUMBER)
    with Stop(True):
        dummies = tuple(_variable(y) for y in problem.outputs)
        back = pulled(problem.outputs, problem.inputs, dummies, create_graph=True)
    if strict:
        require(back, constant_gradient)
    parts = problem.pulled(back, dummies, vectors)
    trick = (
        "The gradient with respect to the input is independent of entry {} in the grad_outputs "
        "when using the double backward trick to compute forward mode gradients. "
        f"{NOT_STRICT}."
    )
    found = problem.filled(parts, problem.outputs, "output", trick)
    outputs = problem.result(problem.outputs, problem.several_outputs)
    return outputs, problem.result(found, problem.several_outputs)


@composite("autograd.functional.vhp", method=False)
def vhp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> Any:
    """The function's number, and the product of the vector `v` and its Hessian."""
    problem = Problem("vhp", func, inputs, create_graph, strict)
    vectors = problem.vectors(v, problem.inputs, problem.several_inputs, TO_A_NUMBER)
    parts = problem.pulled(problem.gradients(), problem.inputs, vectors)
    found = problem.filled(parts, problem.inputs, "jacobian")
    return problem.result(problem.outputs, False), problem.result(found, problem.several_inputs)


@composite("autograd.functional.hvp", method=False)
def hvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> Any:
    """The function's number, and the product of its Hessian and the vector `v`."""
    problem = Problem("hvp", func, inputs, create_graph, strict)
    vectors = problem.vectors(v, problem.inputs, problem.several_inputs, TO_A_NUMBER)
    slopes = problem.gradients()
    with Stop(True):
        dummies = tuple(_variable(x) for x in problem.inputs)
        back = pulled(slopes, problem.inputs, dummies, create_graph=True)
    parts = problem.pulled(back, dummies, vectors)
    trick = (
        "The hessian of the user-provided function is independent of entry {} in the "
        f"grad_jacobian. {NOT_STRICT} as it prevents from using the double backward trick to "
        "replace forward mode AD."
    )
    found = problem.filled(parts, problem.inputs, "jacobian", trick)
    return problem.result(problem.outputs, False), problem.result(found, problem.several_inputs)


@composite("autograd.functional.jacobian", method=False)
def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of a function: for each output and each input one tensor."""
    _check_strategy(strategy, create_graph, strict, vectorize)
    if strategy == "forward-mode":
        return _forward(func, inputs)
    problem = Problem("jacobian", func, inputs, create_graph, strict)
    if not vectorize and any(0 in y.shape for y in problem.outputs):
        refuse("stack expects a non-empty TensorList")
    if not vectorize:
        for y in problem.outputs:
            refuse_complex(y.dtype)
    each = range(len(problem.outputs))
    rows = _together(problem) if vectorize else [_row(problem, i) for i in each]
    blocks = tuple(problem.result(row, problem.several_inputs) for row in rows)
    return blocks if problem.several_outputs else blocks[0]


def _forward(func: Function, inputs: Any) -> Any:
    several = isinstance(inputs, tuple)
    given = inputs if several else (inputs,)
    found = by_columns(func, tuple(range(len(given))), False, "same", _transposed_as)(*given)
    if isinstance(found[0], tuple):
        return [list(row) for row in found] if several else tuple(row[0] for row in found)
    return list(found) if several else found[0]


def _transposed_as(x: Tensor, like: Tensor) -> Any:
    """`x` whose last axis, in memory the first, has the shape of `like`."""
    first = registry.method("permute")(x, -1, *range(x.ndim - 1)).contiguous()
    last = registry.method("permute")(first, *range(1, x.ndim), 0)
    return registry.method("reshape")(last, *x.shape[:-1], *like.shape)


def _check_strategy(strategy: str, create_graph: bool, strict: bool, vectorize: bool) -> None:
    name = "torch.autograd.functional.jacobian: "
    if strategy not in ("forward-mode", "reverse-mode"):
        refuse(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".',
            AssertionError,
        )
    if strategy == "forward-mode":
        for asked, option, kind in (
            (create_graph, "create_graph", NotImplementedError),
            (strict, "strict", RuntimeError),
        ):
            if asked:
                refuse(
                    f'{name}`{option}=True` and `strategy="forward-mode"` are not supported '
                    f"together (yet). Please either set `{option}=False` or "
                    '`strategy="reverse-mode"`.',
                    kind,
                )
        if not vectorize:
            refuse(
                "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly "
                "implemented for `vectorize=True`.",
                NotImplementedError,
            )
    elif strict and vectorize:
        refuse(
            f"{name}`strict=True` and `vectorized=True` are not supported together. Please either "
            "set `strict=False` or `vectorize=False`."
        )


def _row(problem: Problem, i: int) -> list[Tensor]:
    """The derivative of every element of output number `i` by each input."""
    output = problem.outputs[i]
    count = numel(output.shape)
    with Stop(True):
        basis = registry.method("view")(identity_of(output), count, *output.shape)
        parts = _pulled_rows(problem, output, basis)
        found = []
        for j, (part, x) in enumerate(zip(parts, problem.inputs, strict=True)):
            if problem.strict and part is None:
                refuse(
                    f"Output {i} of the user-provided function is independent of input {j}. "
                    f"{NOT_STRICT}."
                )
            constant = part is not None and not part.requires_grad
            if constant and problem.strict and problem.create_graph:
                refuse(
                    "The jacobian of the user-provided function is independent of input "
                    f"{i}. {NOT_STRICT} when create_graph=True."
                )
            rows = zeros_of(x).expand(count, *x.shape).clone() if part is None else part
            found.append(registry.method("view")(rows, *output.shape, *x.shape))
    return found


def _pulled_rows(problem: Problem, output: Tensor, basis: Tensor) -> Parts:
    """The gradients for each vector of `basis`: at once, where no function of the script looks."""

    def gradients(vectors: Tensor, batched: bool) -> Parts:
        graph = problem.create_graph
        return pulled([output], problem.inputs, [vectors], create_graph=graph, batched=batched)

    if not len(basis) or not any(map(missed, tracked([output.node]))):
        return gradients(basis, True)
    each = zip(*(gradients(vector, False) for vector in basis.unbind()), strict=True)
    stack = registry.find("torch.stack")
    return [None if column[0] is None else stack(column) for column in each]


def _together(problem: Problem) -> list[list[Tensor]]:
    """The same for all outputs, in one pass: each row adds the zeros that the others pass on."""
    counts = [numel(y.shape) for y in problem.outputs]
    view, zeros = registry.method("view"), registry.method("new_zeros")
    found: list[list[Tensor]] = [[] for _ in counts]
    with Stop(True):
        bases = []
        for i, y in enumerate(problem.outputs):
            above, below = (zeros(y, (sum(n), counts[i])) for n in (counts[:i], counts[i + 1 :]))
            own = view(identity_of(y), counts[i], counts[i])
            bases.append(
                view(registry.find("torch.cat")([above, own, below]), sum(counts), *y.shape)
            )
        parts = pulled(
            problem.outputs,
            problem.inputs,
            bases,
            create_graph=problem.create_graph,
            batched=True,
        )
        for part, x in zip(parts, problem.inputs, strict=True):
            all_rows = zeros_of(x).expand(sum(counts), *x.shape) if part is None else part
            pieces = registry.method("split")(all_rows, counts)
            for rows, y, piece in zip(found, problem.outputs, pieces, strict=True):
                rows.append(registry.method("reshape")(piece, *y.shape, *x.shape))
    return found


@composite("autograd.functional.hessian", method=False)
def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function that returns one number, for each pair of inputs."""
    several, given = listed("hessian", inputs, "inputs")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        refuse('Expected strategy to be either "forward-mode" or "reverse-mode".', AssertionError)
    levels.refuse_requiring_inside()

    def slopes(*given: Tensor) -> Any:
        for x in given:
            x.requires_grad = True
        problem = Problem("hessian", func, given, True, strict, inner=True)
        problem.outputs = (registry.method("squeeze")(problem.scalar()),)
        problem.strict = False
        found = tuple(_row(problem, 0))
        if strict:
            require(found, linear)
        return found

    found = jacobian(
        slopes,
        given,
        create_graph,
        strict,
        vectorize,
        outer_jacobian_strategy,
    )
    return found if several else found[0][0]


def _variable(like: Tensor) -> Tensor:
    made = zeros_of(like)
    made.requires_grad = True
    return made
