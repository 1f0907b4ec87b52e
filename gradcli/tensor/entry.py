"""A function of the table: what calling it does, from its arguments to the tensors of its results.

Constraints: what a body is given and gives says function.py, which makes the entries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from gradcli.errors import ExampleUnknown, GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph.call import Arguments, Part, give
from gradcli.graph.dtype import INTEGER, bool_
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.tensor import saved
from gradcli.tensor.arguments import MISFITS, misfit, taken
from gradcli.tensor.beside import with_operands
from gradcli.tensor.blocks import inference
from gradcli.tensor.composed import compose, opened
from gradcli.tensor.gradfn import WITH_NUMBERS
from gradcli.tensor.halves import in_wider
from gradcli.tensor.kept import backward_name, described
from gradcli.tensor.kernels import unless_refused
from gradcli.tensor.kinds import Parameters
from gradcli.tensor.operands import number_node
from gradcli.tensor.options import Body, Options
from gradcli.tensor.out import into
from gradcli.tensor.repeats import Repeats
from gradcli.tensor.storage import Steps, view_steps
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.wrapping import any_placed, in_columns, laid_out, viewed

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


class Function(Options):
    """A function of the table; its arguments are what is said of it (options.py).

    Attributes:
        known: the classes of arguments that it has taken.
        lenient: whether it takes numbers for tensors, as functions without a prefix do.
        listed: whether sizes or dims come as one list; methods do not ask for that.
        bound: whether it is a method.
    """

    def __init__(self, name: str, body: Body, **said: Any) -> None:
        super().__init__(name, body, **said)
        self.known: set[tuple[Any, ...]] = set()
        self.bound = self.lenient = self.listed = False
        fixed = self.overload if isinstance(self.overload, int) else None
        self._grad_fn = "" if fixed is None else backward_name(self.shown, fixed)
        self._numbers = self.shown in WITH_NUMBERS and fixed != 1  # that takes a plain number
        self._parameters: Parameters | None = None
        self._repeats = Repeats(self)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """The function's result; wrong arguments raise G013 or G014."""
        if not kwargs:
            if len(args) == 2 and self.on_nodes and args[0].__class__ is Tensor:
                return self._repeats.pair(*args)
        elif kwargs.get("out") is not None:
            return into(self, args, kwargs)
        return self._repeats.call(args, kwargs) if self.on_nodes else self.called(args, kwargs)

    @property
    def of_two(self) -> Callable[[Tensor, Any], Any]:
        """The function of two operands, the first of them a tensor."""
        return self._repeats.pair if self.on_nodes else self._compose_two

    def _compose_two(self, x: Tensor, y: Any) -> Any:
        if (x.__class__, y.__class__) not in self.known:
            return self(x, y)
        try:
            if self.refuses:
                return unless_refused(self.refuses, self.body, (x, y), {})
            return self.body(x, y)
        except GradcliError as error:
            raise with_operands(error, (x, y), {}) from None
        except MISFITS as error:
            raise misfit(self, (x, y), {}, error) from error

    def called(self, args: Args, kwargs: Kwargs) -> Any:
        """The result, whatever earlier calls were like."""
        return self.performed(*self.fitted(args, kwargs))

    def fitted(self, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """The arguments as the body takes them; raises G013 or G014 for those it does not take."""
        seen = (*map(type, args), *kwargs, *map(type, kwargs.values()))
        return (args, kwargs) if seen in self.known else taken(self, args, kwargs, seen)

    def performed(self, args: Args, kwargs: Kwargs) -> Any:
        """The result for arguments that fit."""
        try:
            run = self._apply if self.on_nodes else self.body
            if self.refuses:
                return unless_refused(self.refuses, run, args, kwargs)
            return run(*args, **kwargs)
        except ExampleUnknown as unknown:
            from gradcli.tensor.one_by_one import one_by_one

            return one_by_one(self, args, kwargs, unknown)
        except GradcliError as error:
            raise with_operands(error, args, kwargs) from None
        except MISFITS as error:
            raise misfit(self, args, kwargs, error) from error

    @property
    def parameters(self) -> Parameters:
        """What its body takes."""
        if self._parameters is None:
            self._parameters = Parameters(self.body, self.listed, self.arguments)
        return self._parameters

    def variant(self, **said: Any) -> Function:
        """The same function, of which something else is said."""
        made = copy(self)
        for name, value in said.items():
            setattr(made, name, value)
        made.known, made._parameters = set(), None
        made._repeats = Repeats(made)
        return made

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        tensors: list[Tensor] = []
        nodes: list[Node] = []
        given = [opened(a, tensors, nodes) for a in args]
        named = {k: opened(v, tensors, nodes) for k, v in kwargs.items()} if kwargs else kwargs
        result = self.node_of(given, named, nodes, args, kwargs)
        if isinstance(result, Node):
            if result in nodes:
                made = tensors[nodes.index(result)]
            else:
                if result.tracked and self.composed is not None:
                    self._compose(result, tensors, given, named)
                made = self.tensor_of(result, self._steps(result, nodes), tensors)
        elif isinstance(result, tuple):
            ends = self._ends(given, named) if self.edges else nodes
            steps = [self._steps(x, nodes) for x in result]
            made = self.wrapped_all(result, steps, (tensors, nodes), args, kwargs, ends)
        else:
            return result
        if inference.blocks or saved.watchers:
            saved.keep(made, tensors, nodes)
        if not self.columns:
            return made
        columns = self.columns
        return in_columns(made, columns(*args, **kwargs) if callable(columns) else columns)

    def node_of(
        self, given: Sequence[Any], named: Kwargs, nodes: list[Node], args: Args, kwargs: Kwargs
    ) -> Any:
        """What the body makes of nodes, shown as this function's result where it is one node.

        Args:
            given, named: the arguments `args` and `kwargs`, tensors as their nodes.
            nodes: these nodes.
        """
        if self.exact or not any([x.dtype.rare for x in nodes]):
            result = self.body(*given, **named)
        else:
            result = in_wider(self.body, nodes, given, named)
        if isinstance(result, Node) and result not in nodes and not self.names:
            if result.tracked:
                ends = self._ends(given, named) if self.edges else nodes
                result.call = (self._name(args, kwargs), self._arguments(result, ends))
            elif result.dtype is bool_:
                result.released = True  # a condition of the script's own, not of a function
        return result

    def _compose(
        self, result: Node, tensors: list[Tensor], given: list[Any], named: Kwargs
    ) -> None:
        assert result.call is not None
        assert self.composed is not None
        result.call = compose(result.call, self.composed, tensors, given, named)

    def _ends(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Node]:
        """What `edges` names; a constant stands for what is not given."""
        names = (parameter.name for parameter in self.parameters.positional)
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        found = (given.get(name) for name in self.edges)
        return [number_node(0.0) if value is None else value for value in found]

    def _name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The name in grad_fn."""
        number: Any = self.overload
        return self._grad_fn or backward_name(self.shown, number(*args, **kwargs))

    def _arguments(self, result: Node, nodes: list[Node]) -> tuple[Node, ...]:
        """The nodes of the arguments that PyTorch looks for a gradient in."""
        if self._numbers:
            if len(nodes) < len(result.inputs):
                numbers = [x for x in result.inputs if x not in nodes and _is_number(x)]
                nodes = [*nodes, *numbers]
            return Arguments(nodes[1:], nodes) if self.shown == "where" else tuple(nodes)
        shown = [x for x in nodes if x.dtype.category > INTEGER]
        return tuple(nodes) if len(shown) == len(nodes) else Arguments(shown, nodes)

    def _steps(self, node: Any, nodes: list[Node]) -> Steps | None:
        """How a result sees the first argument's memory; None for memory of its own."""
        sees = self.view and nodes and isinstance(node, Node) and node not in nodes
        return view_steps(node, nodes[0]) if sees else None

    def tensor_of(
        self, node: Node, steps: Steps | None, tensors: list[Tensor], caution: str = ""
    ) -> Tensor:
        """The tensor of a new result; `steps` say how it sees the first argument's memory."""
        if steps is not None:
            return viewed(tensors[0], node, steps, caution)
        settle(node)
        return laid_out(node, tensors, self.layout) if any_placed(tensors) else Tensor(node)

    def wrapped(
        self, node: Node, steps: Steps | None, tensors: list[Tensor], args: Args, kwargs: Kwargs
    ) -> Tensor:
        """The tensor of a result that was computed as for earlier calls."""
        if self.composed is not None and node.tracked:
            given = [opened(a, [], []) for a in args]
            self._compose(node, tensors, given, {k: opened(v, [], []) for k, v in kwargs.items()})
        return self.tensor_of(node, steps, tensors)

    def wrapped_all(
        self,
        results: tuple[Any, ...],
        steps: Sequence[Steps | None],
        found: tuple[list[Tensor], list[Node]],
        args: Args,
        kwargs: Kwargs,
        ends: list[Node],
    ) -> Any:
        """The tensors of several results, of the tensors and nodes that were `found`."""
        tensors, nodes = found
        shared = Arguments([x for x in ends if x.dtype.category > INTEGER], ends)
        name, wrapped = self._name(args, kwargs), list[Any]()
        for output, (node, seen) in enumerate(zip(results, steps, strict=True)):
            if node in nodes:
                node = tensors[nodes.index(node)]
            elif isinstance(node, Node):
                give(node, Part(name, shared, output))
                node = self.tensor_of(node, seen, tensors, "multiple")
            wrapped.append(node)
        return tuple(wrapped) if type(results) is tuple else type(results)(*wrapped)

    def __repr__(self) -> str:
        return described(self.qualified, id(self))


def _is_number(x: Node) -> bool:
    """Whether a node stands for a number, or one times a factor."""
    return x.op is FULL or (bool(x.inputs) and all([y.op is FULL for y in x.inputs]))
