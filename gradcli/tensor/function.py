"""Entries of the function table: a Python function over nodes or tensors becomes what users call.

Constraints: a body's signature is PyTorch's (names, order, defaults). `@function` bodies take and return nodes
and are one grad_fn; `@composite` bodies take and return tensors and show the grad_fns of what they call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcli.errors import GradcliError, did_you_mean
from gradcli.execute.evaluate import settle
from gradcli.graph.dtype import BOOL, FLOATING, DType, default, int64, result_type
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import OPS, Op
from gradcli.ops.elementwise import cast
from gradcli.tensor import registry
from gradcli.tensor.gradfn import backward_name
from gradcli.tensor.storage import view_steps
from gradcli.tensor.tensor import Tensor

Body = Callable[..., Any]
RENAMED = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}
"""NumPy's names of parameters, which PyTorch also takes."""
IDLE = frozenset({"device", "layout", "memory_format", "non_blocking", "out", "pin_memory"})
"""Parameters of PyTorch that say nothing here, where all tensors lie in the machine's memory."""


class Function:
    """A function of the table.

    Args:
        name: PyTorch's name, qualified below `torch` (`sum`, `nn.functional.relu`).
        body: what it does.
        on_nodes: whether the body takes nodes (one grad_fn) or tensors (composite).
        shown: the name in grad_fn where it is not the function's.
        overload: which of PyTorch's overloads the arguments choose, for the digit in grad_fn.
        view: the result shares the first argument's memory where PyTorch's does.
        scalars: the numbers among the arguments are tensors to PyTorch too, and count in next_functions.
    """

    __slots__ = ("__name__", "body", "doc", "on_nodes", "overload", "qualified", "shown", "view")

    def __init__(
        self,
        name: str,
        body: Body,
        *,
        on_nodes: bool,
        shown: str = "",
        overload: Callable[..., int] | int = 0,
        view: bool = False,
    ) -> None:
        self.qualified = name
        self.__name__ = name.rpartition(".")[2]
        self.doc = body.__doc__ or ""
        self.body = body
        self.on_nodes = on_nodes
        self.shown = shown or self.__name__
        self.overload = overload
        self.view = view

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if not self.on_nodes:
                return self.body(*args, **kwargs)
            return self._apply(args, kwargs)
        except TypeError as error:
            args, kwargs = self._checked(args, kwargs, error)
        return self(*args, **kwargs)

    def _apply(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found: list[Node] = []
        nodes = [_to_node(a, found) for a in args]
        named = {k: _to_node(v, found) for k, v in kwargs.items()} if kwargs else kwargs
        result = self.body(*nodes, **named)
        if isinstance(result, Node):
            return self._wrap(result, args, kwargs, found)
        if isinstance(result, tuple):
            wrapped = [self._wrap(r, args, kwargs, found) for r in result]
            return _rebuilt(result, wrapped)
        return result

    def _wrap(
        self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], found: list[Node]
    ) -> Any:
        if not isinstance(node, Node):
            return node
        if node in found:
            return _same_tensor(node, args)
        if node.tracked:
            choose = self.overload
            index = choose if isinstance(choose, int) else choose(*args, **kwargs)
            node.call = (backward_name(self.shown, index), tuple(found))
        if self.view:
            source = args[0] if args else kwargs["input"]
            steps = view_steps(node, found[0])
            if steps is not None and isinstance(source, Tensor):
                settle(node)
                return _view(node, source, steps)
        settle(node)
        return Tensor(node)

    def _checked(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], error: TypeError
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """After a TypeError: the arguments as the body takes them, or the error in a user's words."""
        import inspect

        signature = inspect.signature(self.body)
        try:
            signature.bind(*args, **kwargs)
        except TypeError as misfit:
            fitted = _fitted(signature, args, kwargs)
            if fitted is not None:
                return fitted
            unknown = [k for k in kwargs if k not in signature.parameters]
            raise GradcliError(
                "G013",
                f"{self.__name__}() {misfit}",
                help=[
                    *(line for k in unknown for line in did_you_mean(k, signature.parameters)),
                    f"its arguments are {self.__name__}{signature_text(self)}",
                ],
                kind=TypeError,
            ) from None
        if isinstance(error, TypeError) and error.__traceback__ is not None:
            raise GradcliError(
                "G014",
                f"{self.__name__}(): {error}",
                help=f"its arguments are {self.__name__}{signature_text(self)}",
                kind=TypeError,
            ) from error
        raise error

    def __repr__(self) -> str:
        return f"<built-in function {self.__name__}>"


def _fitted(
    signature: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The arguments with PyTorch's other ways to give them undone; None where there are none."""
    fitted: dict[str, Any] = {}
    for name, value in kwargs.items():
        parameter = signature.parameters.get(name)
        if parameter is not None and parameter.kind is parameter.VAR_POSITIONAL:
            args = (*args, value)
        elif parameter is None and name in IDLE:
            _refuse_elsewhere(name, value)
        elif parameter is None and name in RENAMED:
            fitted[RENAMED[name]] = value
        else:
            fitted[name] = value
    return (args, fitted) if fitted.keys() != kwargs.keys() else None


def _refuse_elsewhere(name: str, value: Any) -> None:
    if name == "out" and value is not None:
        raise GradcliError(
            "G013", "out= is not supported", help="assign the result: y = ...", kind=TypeError
        )
    if name == "device" and str(value).partition(":")[0] not in ("None", "cpu"):
        raise GradcliError("G071", f"there is no device {value} here", help="device='cpu'")


def signature_text(function: Function) -> str:
    """A function's parameters as a user writes them: `(input, dim=None, keepdim=False)`."""
    import inspect

    signature = inspect.signature(function.body)
    empty = inspect.Parameter.empty
    bare = [p.replace(annotation=empty) for p in signature.parameters.values() if p.name != "self"]
    return str(signature.replace(parameters=bare, return_annotation=empty))


class Hidden(tuple[Any, ...]):
    """Arguments on their way through a function call that are no operands: they stay tensors."""

    __slots__ = ()


def _to_node(value: Any, found: list[Node]) -> Any:
    if isinstance(value, Tensor):
        node = value.node
        found.append(node)
        return node
    if not isinstance(value, (list, tuple)) or isinstance(value, Hidden):
        return value
    if any(isinstance(v, (Tensor, list, tuple)) for v in value):
        return [_to_node(v, found) for v in value]
    return value


def _same_tensor(node: Node, args: Sequence[Any]) -> Any:
    for value in args:
        if isinstance(value, Tensor) and value.node is node:
            return value
    return Tensor(node)


def _view(node: Node, source: Tensor, steps: tuple[Any, ...]) -> Tensor:
    base = source if source._base is None else source._base
    base = None if source._detached else base
    return Tensor(
        node,
        storage=source._storage,
        base=base,
        steps=source._steps + steps,
        detached=source._detached,
        silent=source._silent,
    )


def _rebuilt(result: Any, wrapped: list[Any]) -> Any:
    make = type(result)
    return tuple(wrapped) if make is tuple else make(*wrapped)


# -- making entries


def function(*names: str, method: bool = True, **options: Any) -> Callable[[Body], Function]:
    """An entry whose body takes nodes: `@function()` above `def softmax(input, dim)`.

    Args:
        names: qualified names below `torch`; the function's own name by default.
        method: whether tensors have it as a method of that name.
        options: of `Function`.
    """
    return _entry(names, method, {"on_nodes": True, **options})


def composite(*names: str, method: bool = True, **options: Any) -> Callable[[Body], Function]:
    """An entry whose body takes tensors and calls other entries; see `function`."""
    return _entry(names, method, {"on_nodes": False, **options})


def _entry(
    names: tuple[str, ...], method: bool, options: dict[str, Any]
) -> Callable[[Body], Function]:
    def decorate(body: Body) -> Function:
        qualified = names or (body.__name__.rstrip("_"),)
        made = Function(qualified[0], body, **options)
        for name in qualified:
            if not name.startswith("Tensor."):
                registry.register(f"torch.{name}", made)
            short = name.rpartition(".")[2]
            if method and ("." not in name or name.startswith("Tensor.")):
                registry.METHODS[short] = made
        return made

    return decorate


def from_op(op: Op, *names: str, method: bool = True, **options: Any) -> Function:
    """The entry of an elementwise op: PyTorch's promotion, then the op."""
    to = op.promotes
    count = len(op.derivatives)

    def unary(input: Node) -> Node:
        return op(as_floating(input)) if to == "float" else op(tensor_operand(input))

    def binary(input: Any, other: Any) -> Node:
        return op(*promoted(input, other, floating=to == "float"))

    body = unary if count == 1 else binary
    body.__doc__ = ""
    body.__name__ = op.name
    return function(*(names or (op.name,)), method=method, shown=op.torch, **options)(body)


# -- operands


def tensor_operand(value: Any) -> Node:
    """A tensor argument: its node; a Python number becomes a 0-dim tensor.

    Raises:
        GradcliError: G014 for anything else.
    """
    if isinstance(value, Node):
        return value
    if isinstance(value, (bool, int, float, complex)):
        return number_node(value)
    raise not_a_tensor(value)


def not_a_tensor(value: Any) -> GradcliError:
    """G014 for an argument that must be a tensor."""
    return GradcliError(
        "G014",
        f"argument 'input' must be Tensor, not {type_name(value)}",
        help="make it one: tensor(...)",
        kind=TypeError,
    )


def type_name(value: Any) -> str:
    """The name of a value's type as a user knows it."""
    return "Tensor" if isinstance(value, Node) else type(value).__name__


def number_node(value: complex, dtype: DType | None = None) -> Node:
    """A 0-dim tensor of a Python number."""
    from gradcli.graph.dtype import of_number

    return constant(value, dtype or of_number(value))


def as_floating(value: Any) -> Node:
    """An operand of a function of real numbers: integers become the default dtype."""
    x = tensor_operand(value)
    return x if x.dtype.category >= FLOATING else cast(x, default.dtype)


def as_numeric(value: Any) -> Node:
    """An operand of a sum or product: integers and bools become int64."""
    x = tensor_operand(value)
    return x if x.dtype.category >= FLOATING else cast(x, int64)


def common_dtype(values: Sequence[Any], floating: bool = False) -> DType:
    """The dtype that PyTorch computes an operation on `values` (nodes and numbers) in."""
    tensors, numbers = [], []
    for value in values:
        if isinstance(value, Node):
            tensors.append((value.dtype, value.shape))
        elif isinstance(value, (bool, int, float, complex)):
            numbers.append(value)
        else:
            raise unsupported(values)
    dtype = result_type(tensors, numbers)
    return default.dtype if floating and dtype.category < FLOATING else dtype


def unsupported(values: Sequence[Any]) -> GradcliError:
    """G014 for operands that no operation takes."""
    return GradcliError(
        "G014",
        f"unsupported operand type(s): {' and '.join(type_name(v) for v in values)}",
        kind=TypeError,
    )


def promoted(*values: Any, floating: bool = False) -> list[Node]:
    """`values` (nodes and numbers) as nodes of their common dtype."""
    if len(values) == 2:
        x, y = values
        if isinstance(x, Node) and isinstance(y, Node) and x.dtype is y.dtype:
            if not floating or x.dtype.category >= FLOATING:
                return [x, y]
    dtype = common_dtype(values, floating)
    return [cast(v, dtype) if isinstance(v, Node) else _number(v, dtype) for v in values]


def _number(value: complex, dtype: DType) -> Node:
    if dtype.category == BOOL:
        value = bool(value)
    elif dtype.category == 1:
        value = int(value.real)
        bits = dtype.itemsize * 8
        low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if dtype.signed else (0, 1 << bits)
        if not low - (0 if dtype.signed else (1 << bits)) <= value < high:
            raise GradcliError(
                "G026",
                f"value cannot be converted to type {_C_NAMES[dtype.name]} without overflow",
            )
        if value < low:
            value += 1 << bits
    elif dtype.category == FLOATING and isinstance(value, complex):
        raise GradcliError("G014", "value cannot be converted to a real number without overflow")
    return constant(value, dtype)


_C_NAMES = {
    **{"uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int"},
    **{"int64": "int64_t"},
}

__all__ = [
    *(
        "Hidden",
        "OPS",
        "Function",
        "as_floating",
        "as_numeric",
        "common_dtype",
        "composite",
        "current",
    ),
    *("from_op", "function", "not_a_tensor", "promoted", "signature_text", "tensor_operand"),
    *("unsupported",),
]
