"""An expression over placeholders becomes a graph; undeclared variables get a shape that fits all.

Constraints: an undeclared variable stands for a tensor of any shape, the same for all of them; it
has two axes here, and no op may tell them apart. Where that fails it is a scalar, and where that
fails too, the error says which declaration is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dim import Dim, bases
from gradcli.graph.dtype import default, float64
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, LEAF, SYMBOL
from gradcli.graph.shape import Shape
from gradcli.graph.walk import ancestors
from gradcli.language import ast
from gradcli.lowering.interpret import Interpreter
from gradcli.lowering.unbound import unbound
from gradcli.source import Span
from gradcli.tensor import Tensor
from gradcli.tensor.symbols import declared_sizes, is_placeholder, placeholder

ANY = ("\0rows", "\0columns")
"""The names of the sizes of a tensor of any shape."""


@contextmanager
def in_float64() -> Iterator[None]:
    """A block in which numbers have double precision."""
    before = default.dtype
    default.dtype = float64
    try:
        yield
    finally:
        default.dtype = before


class Traced:
    """An expression as a graph.

    Attributes:
        expression: its syntax tree.
        variables: name -> placeholder, or the value of what is not differentiated.
        values: name -> the value of a variable that has one.
        shapes: the shape of each placeholder.
        free: the undeclared variables that stand for any shape.
        scalars: the undeclared variables that were taken for scalars.
        output: the result.
        dims: the declared sizes, by name.
        spoken: the sizes whose names the expression uses itself.
    """

    def __init__(self, expression: ast.Expression, given: Mapping[str, Any]) -> None:
        self.expression = expression
        self.given = dict(given)
        self.values = {n: v for n, v in given.items() if not is_placeholder(v) and _floating(v)}
        self.variables: dict[str, Any] = {}
        self.shapes: dict[str, Shape] = {}
        self.free: list[str] = []
        self.scalars: list[str] = []
        shapes = [tuple(v.shape) for v in given.values() if isinstance(v, Tensor)]
        self.dims = declared_sizes(shapes)
        names = unbound(expression, given)
        self.spoken = [n for n in names if n in self.dims]
        self.missing = {n: node for n, node in names.items() if n not in self.dims}
        self.output: Any = None

    @property
    def grad_fn(self) -> str | None:
        """The name of what made the result, as PyTorch has it."""
        made = self.output.grad_fn
        return None if made is None else made.name()

    @property
    def shape(self) -> list[Any] | None:
        """The result's shape, in names and numbers; None for any shape."""
        shape = self.output.node.shape
        return None if _of_any(shape) else described(shape)

    @property
    def dtype(self) -> str:
        """The result's dtype, where variables have the default one."""
        return default.dtype.name

    def trace(self) -> None:
        """Evaluates the expression; raises G015 where an undeclared shape stands in the way."""
        try:
            self._attempt(any_shape=True)
        except GradcliError as error:
            if not self.missing:
                raise
            if len(self.missing) == len(self.shapes):
                raise self._needs_shape(error) from None
            try:
                self._attempt(any_shape=False)
            except GradcliError:
                raise self._needs_shape(error) from None

    def _attempt(self, *, any_shape: bool) -> None:
        shape: Shape = tuple(Dim(p, n) for p, n in zip(_PRIMES, ANY, strict=True))
        self.free = list(self.missing) if any_shape else []
        self.scalars = [] if any_shape else list(self.missing)
        with in_float64():
            self._bind(shape if any_shape else ())
            self.output = Interpreter(dict(self.variables)).evaluate(self.expression)
        if self.free:
            self._check_any()

    def _bind(self, shape: Shape) -> None:
        placed = {n: v for n, v in self.given.items() if is_placeholder(v) or n in self.values}
        self.shapes = {n: tuple(v.shape) for n, v in placed.items()}
        self.shapes |= dict.fromkeys(self.missing, shape)
        self.variables = {n: v for n, v in self.given.items() if n not in placed}
        self.variables |= {n: self.dims[n] for n in self.spoken}
        for name in in_order(self.expression, self.shapes):
            made = placeholder(name, self.shapes[name])
            made.requires_grad = True
            self.variables[name] = made

    # -- tensors of any shape

    def _check_any(self) -> None:
        """Refuses ops that would have to know the axes of a tensor of any shape."""
        if not isinstance(self.output, Tensor):
            return
        for node in ancestors([self.output.node], lambda node: True):
            if any(_of_any(x.shape) for x in node.inputs) and not _allowed(node):
                raise GradcliError("G015", "the shape matters here", node.span)
            if node.op is FULL and _lone(node.attrs["value"]):
                raise GradcliError("G015", "the shape matters here", node.span)
        shape = self.output.node.shape
        if _of_any(shape) and not all(_is_any(n) for n in shape):
            raise GradcliError("G015", "the shape matters here", self.expression.span)
        if _of_any(shape) and any(s and not _of_any(s) for s in self.shapes.values()):
            raise GradcliError("G015", "the shape matters here", self.expression.span)

    def _needs_shape(self, error: GradcliError) -> GradcliError:
        """G015 with the variables that stand at the place of `error`."""
        diagnostic = error.diagnostic
        if diagnostic.code not in SHAPE_CODES:
            return error
        span = diagnostic.labels[0].span if diagnostic.labels else self.expression.span
        here = [n for n, node in unbound_in(self.expression, span).items() if n in self.missing]
        names = here or list(self.missing)
        said = ", ".join(names)
        plural = len(names) > 1
        return GradcliError(
            "G015",
            f"the shape{'s' if plural else ''} of {said} {'are' if plural else 'is'} not declared, "
            f"and {_operation(span, self.expression)} needs {'them' if plural else 'it'}",
            span,
            help=[
                f"declare {n}: {n}:n for a vector, {n}:m,n for a matrix, {n}: for a scalar"
                for n in names[:2]
            ],
            kind=NameError,
        )


SHAPE_CODES = frozenset(
    ("G015", "G020", "G021", "G022", "G023", "G024", "G025", "G026", "G014", "G013", "G036")
)
_PRIMES = (103001, 104003)


def _operation(span: Span, expression: ast.Expression) -> str:
    return f"`{span.text}`" if len(span.text) <= 40 else "this"


def unbound_in(expression: ast.Expression, span: Span) -> dict[str, ast.Name]:
    """The unbound names inside a span."""
    return {
        name: node
        for name, node in _names(expression)
        if span.start <= node.span.start and node.span.end <= span.end
    }


def _names(root: ast.Node) -> list[tuple[str, ast.Name]]:
    found: list[tuple[str, ast.Name]] = []
    stack: list[ast.Node] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            found.append((node.id, node))
        stack += ast.children(node)[::-1]
    return found


def in_order(expression: ast.Expression, known: Collection[str]) -> list[str]:
    """The names, each behind those that the text multiplies it by, else by the alphabet."""
    before: dict[str, set[str]] = {name: set() for name in known}
    stack: list[ast.Node] = [expression]
    while stack:
        node = stack.pop()
        stack += ast.children(node)[::-1]
        if isinstance(node, ast.Chain) and node.rest[0][0] in "*/@":
            first = node.first.operand if isinstance(node.first, ast.Unary) else node.first
            factors = (first, *(x for _, x in node.rest))
            named = [x.id for x in factors if isinstance(x, ast.Name) and x.id in before]
            for left, right in pairwise(named):
                if right not in {left} | _ahead(before, left):
                    before[right].add(left)
    ordered: list[str] = []
    while rest := sorted(set(known) - {*ordered}):
        ordered.append(next(name for name in rest if before[name] <= {*ordered}))
    return ordered


def _ahead(before: Mapping[str, set[str]], name: str) -> set[str]:
    """All names that stand before one."""
    found: set[str] = set()
    stack = [name]
    while stack:
        new = before[stack.pop()] - found
        found |= new
        stack += new
    return found


def _floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype.is_floating_point


def _is_any(size: Any) -> bool:
    return any(name in ANY for name in bases(size))


def _of_any(shape: Shape) -> bool:
    return any(_is_any(n) for n in shape)


def _lone(value: Any) -> bool:
    """Whether a number was computed from one of the sizes of a tensor of any shape."""
    named = set(bases(value)) & set(ANY)
    return len(named) == 1


def _allowed(node: Node) -> bool:
    """Whether an op does the same to a tensor of any shape."""
    if node.op.elementwise or node.op in (LEAF, SYMBOL):
        wide = [x.shape for x in node.inputs if x.shape]
        return all(shape == wide[0] for shape in wide)
    x = node.inputs[0]
    axes = node.attrs.get("axis")
    if node.op.name in ("sum", "amax", "amin", "any", "all", "logsumexp"):
        return axes is not None and len(axes) == x.ndim and not node.attrs["keepdims"]
    if node.op.name == "expand":
        return not x.shape or x.shape == node.shape
    return False


def described(shape: Shape) -> list[Any]:
    """A shape for people and for JSON: names and numbers."""
    return [str(n) if isinstance(n, Dim) else int(n) for n in shape]
