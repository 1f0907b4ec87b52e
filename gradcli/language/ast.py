"""The syntax tree of gradcli's language: what the text says, with the span it says it in.

Constraints: data only; knows no graph, prints nothing (print.py does). Operators of one precedence
in a row are one flat `Chain`, so a chain of 100,000 operators is a tree of depth two;
every node counts its depth while it is built (make.py) and is refused beyond `MAX_DEPTH`.
Chosen over dataclasses because 40 of them cost 16 ms at start-up.
"""

from __future__ import annotations

from typing import Any, ClassVar

from gradcli.source import Span

MAX_DEPTH = 500
"""How deep expressions and blocks may nest: what the interpreter can walk on any stack."""


class Node:
    """A piece of syntax: its fields, its `span`, and its `depth` (1 for a leaf)."""

    __slots__ = ("depth", "span")
    fields: ClassVar[tuple[str, ...]] = ()
    span: Span
    depth: int

    def __init_subclass__(cls) -> None:
        cls.fields = tuple(cls.__dict__.get("__slots__", ())) or cls.fields

    def __init__(self, *values: Any, span: Span) -> None:
        for name, value in zip(self.fields, values, strict=True):
            setattr(self, name, value)
        self.span = span
        self.depth = 1

    def __eq__(self, other: object) -> bool:
        """Equal trees say the same; spans do not count. Works without recursion."""
        stack: list[tuple[Any, Any]] = [(self, other)]
        while stack:
            a, b = stack.pop()
            if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
                if len(a) != len(b):
                    return False
                stack += zip(a, b, strict=True)
            elif type(a) is not type(b):
                return False
            elif isinstance(a, Node):
                stack += [(getattr(a, name), getattr(b, name)) for name in a.fields]
            elif repr(a) != repr(b):  # tells 0.0 from -0.0, and takes nan for nan
                return False
        return True

    def __hash__(self) -> int:
        return hash((type(self), self.span))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, f)) for f in self.fields)})"


def children(node: Node) -> list[Node]:
    """The nodes right below `node`, in the order of its fields."""
    found: list[Node] = []
    pending: list[Any] = [getattr(node, name) for name in reversed(node.fields)]
    while pending:
        value = pending.pop()
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            pending += reversed(value)
    return found


class Expression(Node):
    """Something with a value."""

    __slots__ = ()


class Statement(Node):
    """Something that is done."""

    __slots__ = ()


# -- expressions


class Constant(Expression):
    """A number, string (without placeholders), True, False, None or `...`, as the Python value."""

    __slots__ = ("value",)
    value: Any


class FormattedString(Expression):
    """An f-string: `parts` are `str` and `Placeholder`."""

    __slots__ = ("parts",)
    parts: list[str | Placeholder]


class Placeholder(Node):
    """`{value!conversion:spec}` of an f-string; `prefix` is the text up to `=` of a `{value=}`."""

    __slots__ = ("value", "conversion", "spec", "prefix")
    value: Expression
    conversion: str  # "", "r", "s" or "a"
    spec: FormattedString | None
    prefix: str


class Name(Expression):
    """A variable or a built-in."""

    __slots__ = ("id",)
    id: str


class List(Expression):
    """`[a, *b]`."""

    __slots__ = ("items",)
    items: list[Expression]


class Tuple(Expression):
    """`a, b` or `(a, b)`."""

    __slots__ = ("items",)
    items: list[Expression]


class Set(Expression):
    """`{a, b}`."""

    __slots__ = ("items",)
    items: list[Expression]


class Dict(Expression):
    """`{k: v, **m}`: a key of None stands for `**value`."""

    __slots__ = ("items",)
    items: list[tuple[Expression | None, Expression]]


class Starred(Expression):
    """`*value` in a call, a display or an assignment target."""

    __slots__ = ("value",)
    value: Expression


class Unary(Expression):
    """`-x`, `+x`, `~x`, `not x`."""

    __slots__ = ("operator", "operand")
    operator: str
    operand: Expression


class Chain(Expression):
    """Left-associative operators of one precedence: `first op1 x1 ...`, `rest = [(op1, x1), ...]`.

    Operators: `| ^ & << >> + - * / // % @` as Python writes them.
    """

    __slots__ = ("first", "rest")
    first: Expression
    rest: list[tuple[str, Expression]]


class Power(Expression):
    """`base ** exponent`."""

    __slots__ = ("base", "exponent")
    base: Expression
    exponent: Expression


class Compare(Expression):
    """`first op1 x1 op2 x2 ...`; operators `< > == >= <= != in`, `not in`, `is`, `is not`."""

    __slots__ = ("first", "rest")
    first: Expression
    rest: list[tuple[str, Expression]]


class Boolean(Expression):
    """`a and b and c` or `a or b or c`."""

    __slots__ = ("operator", "operands")
    operator: str
    operands: list[Expression]


class Conditional(Expression):
    """`body if test else otherwise`."""

    __slots__ = ("test", "body", "otherwise")
    test: Expression
    body: Expression
    otherwise: Expression


class Parameter(Node):
    """A parameter: `kind` is "" (by position or keyword), "*", "**" or "keyword" (keyword-only)."""

    __slots__ = ("name", "default", "kind")
    name: str
    default: Expression | None
    kind: str


class Lambda(Expression):
    """`lambda parameters: body`."""

    __slots__ = ("parameters", "body")
    parameters: list[Parameter]
    body: Expression


class Clause(Node):
    """`for target in iterable if condition ...` of a comprehension."""

    __slots__ = ("target", "iterable", "conditions")
    target: Expression
    iterable: Expression
    conditions: list[Expression]


class Comprehension(Expression):
    """`kind` is "list", "set", "dict" or "generator"; `key` is None except for a dict."""

    __slots__ = ("kind", "key", "element", "clauses")
    kind: str
    key: Expression | None
    element: Expression
    clauses: list[Clause]


class Keyword(Node):
    """`name=value` in a call; a name of None stands for `**value`."""

    __slots__ = ("name", "value")
    name: str | None
    value: Expression


class Call(Expression):
    """`function(arguments, keywords)`; an argument may be `Starred`."""

    __slots__ = ("function", "arguments", "keywords")
    function: Expression
    arguments: list[Expression]
    keywords: list[Keyword]


class Attribute(Expression):
    """`value.name`."""

    __slots__ = ("value", "name")
    value: Expression
    name: str


class Subscript(Expression):
    """`value[index]`; several indices are a `Tuple`."""

    __slots__ = ("value", "index")
    value: Expression
    index: Expression


class Slice(Expression):
    """`lower:upper:step` inside a subscript."""

    __slots__ = ("lower", "upper", "step")
    lower: Expression | None
    upper: Expression | None
    step: Expression | None


# -- statements


class ExpressionStatement(Statement):
    """An expression for its effect."""

    __slots__ = ("value",)
    value: Expression


class Assign(Statement):
    """`a = b = value`: targets left to right."""

    __slots__ = ("targets", "value")
    targets: list[Expression]
    value: Expression


class AugmentedAssign(Statement):
    """`target op= value`; the operator without its `=`."""

    __slots__ = ("target", "operator", "value")
    target: Expression
    operator: str
    value: Expression


class If(Statement):
    """`branches` are (test, body) of `if` and each `elif`; `otherwise` is the body of `else`."""

    __slots__ = ("branches", "otherwise")
    branches: list[tuple[Expression, list[Statement]]]
    otherwise: list[Statement]


class While(Statement):
    """`while test: body else: otherwise`."""

    __slots__ = ("test", "body", "otherwise")
    test: Expression
    body: list[Statement]
    otherwise: list[Statement]


class For(Statement):
    """`for target in iterable: body else: otherwise`."""

    __slots__ = ("target", "iterable", "body", "otherwise")
    target: Expression
    iterable: Expression
    body: list[Statement]
    otherwise: list[Statement]


class Break(Statement):
    """`break`."""

    __slots__ = ()


class Continue(Statement):
    """`continue`."""

    __slots__ = ()


class Pass(Statement):
    """`pass`."""

    __slots__ = ()


class FunctionDef(Statement):
    """`def name(parameters): body`; annotations are read and dropped."""

    __slots__ = ("name", "parameters", "body", "decorators")
    name: str
    parameters: list[Parameter]
    body: list[Statement]
    decorators: list[Expression]


class ClassDef(Statement):
    """`class name(bases): body`; the fence lets only `torch.autograd.Function` through."""

    __slots__ = ("name", "bases", "body")
    name: str
    bases: list[Expression]
    body: list[Statement]


class Return(Statement):
    """`return value`."""

    __slots__ = ("value",)
    value: Expression | None


class Assert(Statement):
    """`assert test, message`."""

    __slots__ = ("test", "message")
    test: Expression
    message: Expression | None


class Delete(Statement):
    """`del targets`."""

    __slots__ = ("targets",)
    targets: list[Expression]


class Handler(Node):
    """`except type as name: body`."""

    __slots__ = ("type", "name", "body")
    type: Expression | None
    name: str | None
    body: list[Statement]


class Try(Statement):
    """`try: body`, its handlers, `else: otherwise`, `finally: final`."""

    __slots__ = ("body", "handlers", "otherwise", "final")
    body: list[Statement]
    handlers: list[Handler]
    otherwise: list[Statement]
    final: list[Statement]


class Raise(Statement):
    """`raise exception from cause`."""

    __slots__ = ("exception", "cause")
    exception: Expression | None
    cause: Expression | None


class With(Statement):
    """`with context as target, ...: body`."""

    __slots__ = ("items", "body")
    items: list[tuple[Expression, Expression | None]]
    body: list[Statement]


class Import(Statement):
    """`import module as name, ...`: (dotted module, name or None)."""

    __slots__ = ("names",)
    names: list[tuple[str, str | None]]


class ImportFrom(Statement):
    """`from module import name as alias, ...`."""

    __slots__ = ("module", "names")
    module: str
    names: list[tuple[str, str | None]]


class Script(Node):
    """A whole script."""

    __slots__ = ("body",)
    body: list[Statement]
