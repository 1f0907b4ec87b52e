"""`torch.func`: functions that give gradients of functions, and products with their Jacobians.

Constraints: to be nested at will (gradcli/functions/transform.py); in PyTorch's words.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions import trees
from gradcli.functions.transform import (
    EVERY,
    Scope,
    Values,
    filled_like,
    named_after,
    parted,
    refuse,
    require_tensors,
    shown_as,
    standing,
    varied,
    zeros_of,
)
from gradcli.graph.node import Node
from gradcli.graph.shape import text
from gradcli.ops.elementwise import clone
from gradcli.tensor import Tensor, derivatives, levels, registry
from gradcli.tensor.closing import depend
from gradcli.tensor.function import composite
from gradcli.tensor.levels import Level
from gradcli.tensor.storage import Stop
from gradcli.tensor.write import write

Function = Callable[..., Any]


@composite("func.grad_and_value", method=False)
def grad_and_value(func: Function, argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives the gradient of `func` and its value."""
    api = "grad_and_value(f)(*args)"

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        scope = Scope()
        with Level(variables=scope.variables), Stop(True):
            given, chosen = varied(args, argnums, scope)
            output, aux = parted(func(*given, **kwargs), has_aux, api)
            if not isinstance(output, Tensor):
                refuse(f"{api}: Expected f(*args) to return a Tensor, got {type(output)}")
            if output.ndim:
                refuse(
                    f"{api}: Expected f(*args) to return a scalar Tensor, got tensor with "
                    f"{output.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            if has_aux:
                require_tensors(aux)
            flat, structure = trees.flatten(chosen)
            found = trees.unflatten(scope.gradients([output], [None], flat), structure)
        gradient, value, aux = scope.outside((found, output, aux))
        return (gradient, (value, aux)) if has_aux else (gradient, value)

    return named_after(func, wrapped)


@composite("func.grad", method=False)
def grad(func: Function, argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives the gradient of `func`, which returns a scalar."""
    both = grad_and_value(func, argnums, has_aux)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return named_after(func, wrapped)


# -- products with Jacobians


@composite("func.vjp", method=False)
def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """The value of `func`, and the function that multiplies a cotangent with its Jacobian."""
    value, pull, aux = pulling(func, primals, EVERY, has_aux)
    return (value, pull, aux) if has_aux else (value, pull)


def pulling(
    func: Function, args: Values, argnums: Any, has_aux: bool
) -> tuple[Any, Callable[..., Any], Any]:
    """The value of `func`, the product of a cotangent and its Jacobian, and the rest."""
    api, scope = "vjp(f, *primals)", Scope()
    with Level(variables=scope.variables), Stop(True):
        given, chosen = varied(args, argnums, scope)
        output, aux = parted(func(*given), has_aux, api)
        outputs, shape = trees.flatten(output)
        _require_tensors(outputs, api)
        _require_floating(outputs)
        if has_aux:
            require_tensors(aux)
        inputs, structure = trees.flatten(chosen)

    def pull(cotangents: Any, retain_graph: bool = True, create_graph: Any = None) -> Any:
        vectors, other = trees.flatten(cotangents)
        if other != shape:
            refuse(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {other.brief}, primal output: {shape.brief}"
            )
        for vector in vectors:
            if not (vector is None or isinstance(vector, Tensor)):
                kind = type(vector).__name__
                refuse(f"gradients can be either Tensors or None, but got {kind}", TypeError)
        inner = Scope()
        inner.variables = scope.variables
        with Stop(True):
            found = inner.gradients(outputs, vectors, inputs)
        return inner.outside(trees.unflatten(found, structure))

    return scope.outside(output), pull, scope.outside(aux)


def _require_tensors(outputs: list[Any], api: str) -> None:
    if not outputs or outputs == [None]:
        refuse(
            f"{api}: Expected f to be a function that has non-empty output (got output = {outputs})"
        )
    for y in outputs:
        if not isinstance(y, Tensor):
            refuse(
                f"{api}: expected f(*primals) to return only tensors, got unsupported type "
                f"{type(y)}"
            )


def _require_floating(outputs: list[Tensor]) -> None:
    for y in outputs:
        if not y.dtype.differentiable:
            refuse(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got "
                f"Tensor with dtype {y.dtype}"
            )


@composite("func.jvp", method=False)
def jvp(
    func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """The value of `func`, and its derivative in the direction `tangents`."""
    _check_primals(primals, tangents)
    directions = tuple(trees.mapped(standing, t) for t in tangents)  # before `func` writes to them
    value, push, aux = pushed(func, primals, has_aux, strict)
    slope = push(*directions)
    value = trees.mapped(partial(shown_as, "AliasBackward0"), value)
    return (value, slope, aux) if has_aux else (value, slope)


@composite("func.linearize", method=False)
def linearize(func: Function, *primals: Any) -> Any:
    """The value of `func`, and the function that gives its derivative in a direction."""
    value, push, _ = pushed(func, primals, False, False, only_tensors=False)
    return value, push


def pushed(
    func: Function, primals: Values, has_aux: bool, strict: bool, *, only_tensors: bool = True
) -> tuple[Any, Callable[..., Any], Any]:
    """The value, the derivative in a direction (that of what is pulled back), and the rest."""
    api, scope = "jvp(f, primals, tangents)", Scope(forward=True)
    with Level(variables=scope.variables, forward=True), Stop(True):
        given = tuple(trees.mapped(scope.variable, x) for x in primals)
        levels.duals.update(x.autograd for x in scope.variables)
        seen = trees.mapped(standing, given)
        output, aux = parted(func(*seen), has_aux, api)
        outputs, shape = trees.flatten(output)
        inputs = trees.flatten(given)[0]
        if only_tensors:
            _require_tensors(outputs, api)
        if has_aux:
            require_tensors(aux)
    _write_back(scope, primals, given, seen)
    varying = [x for x in inputs if isinstance(x, Tensor) and x.dtype.differentiable]

    def push(*tangents: Any) -> Any:
        inner = Scope()
        inner.variables = list(scope.variables)
        directions = [
            t
            for t, x in zip(trees.flatten(tangents)[0], inputs, strict=True)
            if isinstance(x, Tensor) and x.dtype.differentiable
        ]
        with Stop(True):
            slopes = [
                _slope(inner, y, varying, directions, strict) if isinstance(y, Tensor) else y
                for y in outputs
            ]
        return inner.outside(trees.unflatten(slopes, shape))

    return scope.outside(output), push, scope.outside(aux)


def _write_back(scope: Scope, primals: Values, given: Values, seen: Values) -> None:
    """What a function wrote to its arguments, as it `seen` them, is written to `primals`."""
    flat = [trees.flatten(x)[0] for x in (primals, given, seen)]
    for x, variable, argument in zip(*flat, strict=True):
        if isinstance(x, Tensor) and not _is_same(argument.value_node, variable.node):
            write(x, scope.outside(argument))


def _is_same(node: Node, given: Node) -> bool:  # a view may have needed a copy of it
    return node is given or (node.op is clone and node.inputs == (given,))


def _slope(
    scope: Scope, output: Tensor, inputs: list[Tensor], tangents: list[Tensor], strict: bool
) -> Tensor:
    if not depend([output.node], {x.autograd for x in scope.variables}):
        if strict:
            refuse(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the "
                "inputs. This is not allowed with strict=True."
            )
        return zeros_of(output)
    return slope_of(scope, output, inputs, tangents)


def slope_of(scope: Scope, output: Tensor, inputs: list[Tensor], tangents: list[Tensor]) -> Tensor:
    """The derivative of `output` in a direction: that of what is pulled back, by its cotangent."""
    dummy = scope.variable(filled_like(output, 1))
    pulled = derivatives.pulled_back(output, inputs, dummy)
    pairs = [(g, t) for g, t in zip(pulled, tangents, strict=True) if g is not None]
    pulls, directions = [g for g, _ in pairs], [t for _, t in pairs]
    (slope,) = scope.gradients(pulls, directions, [dummy], forward=True)
    assert isinstance(slope, Tensor)
    return slope


def check_tangent(tensor: Tensor, tangent: Tensor) -> None:
    """Raises G025 or G036 for a tensor and a tangent that do not make a dual tensor."""
    for name, x in (("primal", tensor), ("tangent", tangent)):
        if not x.dtype.differentiable:
            sentence = f"Expected {name} to be floating point or complex, but got: {x.dtype!r}"
            raise GradcliError("G025", sentence, help="x.float() converts it", kind=ValueError)
    if tensor.shape != tangent.shape:
        raise GradcliError(
            "G036",
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} while the "
            f"given forward gradient is of size {list(tangent.shape)}.",
            label=f"the tangent is {text(tuple(tangent.shape))}",
        )


def _check_primals(primals: Any, tangents: Any) -> None:
    api = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        refuse(
            f"{api}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    flat, shape = trees.flatten(primals)
    vectors, other = trees.flatten(tangents)
    if shape != other:
        refuse(
            f"{api}: Expected primals and tangents to have the same python structure. For example, "
            "if primals is a tuple of 3 tensors, tangents also must be. Got primals with structure "
            f"{shape} and tangents with structure {other}"
        )
    for values, name in ((flat, "primals"), (vectors, "tangents")):
        if not values:
            refuse(f"{api}: Expected {name} to contain at least one Tensor.")
        for x in values:
            if not isinstance(x, Tensor):
                refuse(f"{api}: Expected {name} to only contain Tensors, got {type(x)}")
    for x, t in zip(flat, vectors, strict=True):
        check_tangent(x, t)


@composite("func.functionalize", method=False)
def functionalize(func: Function, *, remove: str = "mutations") -> Function:
    """`func` itself: writes to tensors are functional here anyway."""
    return func


def _of_modules(name: str) -> None:
    def refused(*args: Any, **kwargs: Any) -> Any:
        raise GradcliError(
            "G002",
            f"{name}() takes a torch.nn.Module, and classes are outside the language",
            help="call a function of the parameters instead: f(params, x)",
            kind=TypeError,
        )

    refused.__name__ = refused.__qualname__ = name
    registry.register(f"torch.func.{name}", refused)


for _name in ("functional_call", "stack_module_state"):  # scripts import them without calling them
    _of_modules(_name)
