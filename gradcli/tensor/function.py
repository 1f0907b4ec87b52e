"""Entries of the function table: a Python function over nodes or tensors becomes what users call.

Constraints: a body's signature is PyTorch's (names, order, defaults). `@function` bodies take and
return nodes and are one grad_fn; `@composite` bodies take and return tensors and show the grad_fns
of what they call; `@internal` ones are functions of nodes that only other functions call.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from gradcli.execute.evaluate import settle
from gradcli.graph.call import Arguments, Part, give
from gradcli.graph.dtype import INTEGER, bool_
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, NOTHING, Op, Refusals
from gradcli.tensor import registry, saved
from gradcli.tensor.arguments import MISFITS, misfit, taken
from gradcli.tensor.composed import compose, opened
from gradcli.tensor.gradfn import WITH_NUMBERS
from gradcli.tensor.halves import in_wider
from gradcli.tensor.inference import inference
from gradcli.tensor.kept import backward_name, called
from gradcli.tensor.kernels import unless_refused
from gradcli.tensor.kinds import AnyTensor, Parameters, takes_list
from gradcli.tensor.operands import (
    as_floating,
    as_numeric,
    common_dtype,
    not_a_tensor,
    number_node,
    promoted,
    tensor_operand,
)
from gradcli.tensor.out import into
from gradcli.tensor.storage import view_steps
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.wrapping import in_columns, laid_out, viewed

Body = Callable[..., Any]
Overload = Callable[..., int] | int
Columns = Callable[..., tuple[int, ...]] | tuple[int, ...]


class Function:
    """A function of the table.

    Args:
        name: PyTorch's name, qualified below `torch` (`sum`, `nn.functional.relu`).
        body: what it does.
        on_nodes: whether the body takes nodes (one grad_fn) or tensors (composite).
        shown: the name in grad_fn where it is not the function's.
        overload: which of PyTorch's overloads the arguments choose, for the digit in grad_fn.
        view: the result shares the first argument's memory where PyTorch's does.
        edges: parameters with an entry in `next_functions`, given or not; else each given tensor.
        composed: the same of other functions, where PyTorch composes it: what its history shows.
        layout: whether a result lies in memory like an argument of its shape; None: as its op says.
        columns: the numbers of the results whose matrices lie in memory column by column, as LAPACK
            writes them; or a function of the arguments that says so.
        exact: whether its body is given numbers of half the width as they are (see halves.py).
        refuses: dtypes of the first tensor for which PyTorch has no kernel, and its sentence.

    Attributes:
        known: the classes of arguments that it has taken.
        lenient: whether it takes numbers for tensors, as functions without a prefix do.
        listed: whether sizes or dims come as one list; methods do not ask for that.
    """

    __slots__ = (
        *("__name__", "body", "columns", "composed", "doc", "edges", "exact", "known", "layout"),
        *("lenient", "listed", "on_nodes", "overload", "qualified", "shown", "view", "_grad_fn"),
        *("_numbers", "_parameters", "refuses"),
    )

    def __init__(
        self,
        name: str,
        body: Body,
        *,
        on_nodes: bool,
        shown: str = "",
        overload: Overload = 0,
        view: bool = False,
        layout: bool | None = None,
        columns: Columns = (),
        edges: tuple[str, ...] = (),
        composed: Body | None = None,
        exact: bool = False,
        refuses: Refusals = NOTHING,
    ) -> None:
        self.qualified = name
        self.__name__ = name.rpartition(".")[2]
        self.known: set[tuple[Any, ...]] = set()
        self.lenient = self.listed = False
        self.doc = body.__doc__ or ""
        self.body = body
        self.on_nodes = on_nodes
        self.shown = shown or self.__name__
        self.overload = overload
        self.view = view
        self.layout = layout
        self.columns = columns
        self.edges = edges
        self.composed = composed
        self.exact = exact or view
        self.refuses = refuses
        self._grad_fn = backward_name(self.shown, overload) if isinstance(overload, int) else ""
        self._numbers = self.shown in WITH_NUMBERS
        self._parameters: Parameters | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result; wrong arguments raise G013 or G014."""
        seen = (*map(type, args), *kwargs, *map(type, kwargs.values()))
        if seen not in self.known:
            if kwargs.get("out") is not None:
                return into(self, args, kwargs)
            args, kwargs = taken(self, args, kwargs, seen)
        try:
            run = self._apply if self.on_nodes else self.body
            if self.refuses:
                return unless_refused(self.refuses, run, args, kwargs)
            return run(*args, **kwargs)
        except MISFITS as error:
            raise misfit(self, args, kwargs, error) from error

    @property
    def parameters(self) -> Parameters:
        """What its body takes."""
        if self._parameters is None:
            self._parameters = Parameters(self.body, self.listed)
        return self._parameters

    def variant(self, *, lenient: bool = False, listed: bool = False) -> Function:
        """The same function, which takes its arguments in another way."""
        made = copy(self)
        made.known, made._parameters, made.lenient, made.listed = set(), None, lenient, listed
        return made

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        tensors: list[Tensor] = []
        nodes: list[Node] = []
        given = [opened(a, tensors, nodes) for a in args]
        named = {k: opened(v, tensors, nodes) for k, v in kwargs.items()} if kwargs else kwargs
        if self.exact or not any([x.dtype.rare for x in nodes]):
            result = self.body(*given, **named)
        else:
            result = in_wider(self.body, nodes, given, named)
        ends = self._ends(given, named) if self.edges else nodes
        if isinstance(result, Node):
            if result.tracked and result not in nodes:
                result.call = (self._name(args, kwargs), self._arguments(result, ends))
                if self.composed is not None:
                    result.call = compose(result.call, self.composed, tensors, given, named)
            elif result.dtype is bool_ and result not in nodes:
                result.released = True  # a condition of the script's own, not of a function
            made = self._wrap(result, tensors, nodes)
        elif isinstance(result, tuple):
            made = self._wrap_all(result, tensors, nodes, self._name(args, kwargs), ends)
        else:
            return result
        if inference.blocks or saved.watchers:
            saved.keep(made, tensors, nodes)
        if not (columns := self.columns):
            return made
        return in_columns(made, columns(*args, **kwargs) if callable(columns) else columns)

    def _ends(self, args: list[Any], kwargs: dict[str, Any]) -> list[Node]:
        """What `edges` names; a constant stands for what is not given."""
        names = (parameter.name for parameter in self.parameters.positional)
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        found = (given.get(name) for name in self.edges)
        return [number_node(0.0) if value is None else value for value in found]

    def _name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The name in grad_fn."""
        if self._grad_fn:
            return self._grad_fn
        assert callable(self.overload)
        return backward_name(self.shown, self.overload(*args, **kwargs))

    def _arguments(self, result: Node, nodes: list[Node]) -> tuple[Node, ...]:
        """The nodes of the arguments that PyTorch looks for a gradient in."""
        if self._numbers:
            if len(nodes) < len(result.inputs):
                nodes = [*nodes, *(x for x in result.inputs if x.op is FULL)]
            return Arguments(nodes[1:], nodes) if self.shown == "where" else tuple(nodes)
        shown = tuple([x for x in nodes if x.dtype.category > INTEGER])
        return shown if len(shown) == len(nodes) else Arguments(shown, nodes)

    def _wrap(
        self, node: Node, tensors: list[Tensor], nodes: list[Node], caution: str = ""
    ) -> Tensor:
        """The tensor of a result: an argument itself, a view of the first one, or a new one."""
        if node in nodes:
            return tensors[nodes.index(node)]
        if self.view and nodes:
            steps = view_steps(node, nodes[0])
            if steps is not None:
                return viewed(tensors[0], node, steps, caution)
        settle(node)
        for tensor in tensors:
            if tensor._storage is not None:
                return laid_out(node, tensors, self.layout)
        return Tensor(node)

    def _wrap_all(
        self,
        results: tuple[Any, ...],
        tensors: list[Tensor],
        nodes: list[Node],
        name: str,
        ends: list[Node],
    ) -> Any:
        wrapped: list[Any] = []
        shared = Arguments([x for x in ends if x.dtype.category > INTEGER], ends)
        for output, node in enumerate(results):
            if isinstance(node, Node):
                if node not in nodes:
                    give(node, Part(name, shared, output))
                node = self._wrap(node, tensors, nodes, "multiple")
            wrapped.append(node)
        return tuple(wrapped) if type(results) is tuple else type(results)(*wrapped)

    def __repr__(self) -> str:
        return f"<built-in function {self.__name__}>"


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
            short = name.rpartition(".")[2]
            if short[0] == "_" and not short.startswith("__"):
                continue
            if not name.startswith("Tensor."):
                one = takes_list(body)
                registry.register(f"torch.{name}", made.variant(listed=True) if one else made)
            if method and ("." not in name or name.startswith("Tensor.")):
                registry.register_method(short, made)
        return made

    return decorate


def internal(shown: str, **options: Any) -> Callable[[Body], Function]:
    """An entry without a name for users, of which composed functions are made; see `function`."""
    return lambda body: Function(shown, body, on_nodes=True, **options)


def from_op(
    op: Op, *names: str, takes: tuple[str, ...] = (), method: bool = True, **options: Any
) -> Function:
    """The entry of an elementwise op: PyTorch's promotion, then the op.

    `takes` are the annotations of its parameters where they are not tensors alone (kinds.py).
    """
    to = op.promotes
    count = len(op.derivatives)

    def unary(input: AnyTensor) -> Node:
        return op(as_floating(input)) if to == "float" else op(tensor_operand(input))

    def binary(input: AnyTensor, other: AnyTensor) -> Node:
        return op(*promoted(input, other, floating=to == "float"))

    body = unary if count == 1 else binary
    body.__doc__ = f"`{op.name}` of each {'element' if count == 1 else 'pair of elements'}."
    body.__name__ = op.name
    body.__annotations__.update(zip(body.__annotations__, takes, strict=False))
    return function(*(names or (op.name,)), method=method, shown=op.torch, **options)(body)


__all__ = ["Function", "as_floating", "as_numeric", "called", "common_dtype", "composite"]
__all__ += ["from_op", "function", "internal", "laid_out", "not_a_tensor", "number_node"]
__all__ += ["promoted", "tensor_operand", "viewed"]
"""What families import, the operands' functions among it."""
