"""Command-line text to expressions and variables: EXPR, `NAME=VALUE`, files and standard input.

Constraints: bindings are read left to right, a later one sees the earlier ones; standard input
serves one reader; text becomes the default dtype, binary files keep theirs.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from gradcli.api import as_leaf
from gradcli.errors import GradcliError
from gradcli.execute.limits import memory
from gradcli.graph.dim import Dims
from gradcli.graph.dtype import default
from gradcli.graph.shape import Shape
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import Interpreter
from gradcli.source import Source, Span
from gradcli.tensor import Tensor
from gradcli.tensor.storage import Stop
from gradcli.tensor.symbols import placeholder

Reader = Callable[..., Any]
KEYWORDS = ("True", "False", "None", "lambda", "if", "else", "for", "in", "is", "not")
_NAME = r"[^\W\d][\w\u0300-\u036f\u20d0-\u20ff]*"
"""A letter, and letters, digits and marks above and below them."""
SIZE = re.compile(rf"{_NAME}|[0-9]{{1,15}}")
BINDING = re.compile(rf"\s*({_NAME})\s*(=|:)(.*)", re.DOTALL)


class Standard:
    """Standard input, which one reader may have."""

    def __init__(self) -> None:
        self.reader: str | None = None

    def take(self, reader: str) -> Any:
        """The binary stream, for `reader`; raises G070 when it is taken, or is a terminal."""
        if self.reader is not None:
            raise GradcliError(
                "G070",
                f"standard input is read by {self.reader}, and cannot be read again for {reader}",
                help="put one of them into a file: @FILE",
            )
        self.reader = reader
        if sys.stdin is None or sys.stdin.isatty():
            raise GradcliError(
                "G070",
                f"{reader} reads standard input, which is a terminal",
                help="pipe something in: cat data.csv | gradcli ..., or name a file: @FILE",
            )
        return sys.stdin.buffer

    def source(self, reader: str) -> Source:
        """All of it as text, for `reader`; raises as `take`, and G050 for what is no text."""
        return Source("<stdin>", _decoded(self.take(reader).read(), "<stdin>"))


def expression_source(text: str, standard: Standard) -> Source:
    """The source that EXPR means: itself, `-` for standard input, `@FILE`."""
    if text == "-":
        return standard.source("the expression")
    if text.startswith("@"):
        return Source(text[1:], read_text(text[1:]))
    return Source("<expr>", text)


def read_text(path: str) -> str:
    """A text file; raises G050 when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return _decoded(file.read(64 << 20), path)
    except OSError as error:
        raise GradcliError(
            "G050", f"{path}: {(error.strerror or str(error)).lower()}", help="check the path"
        ) from None


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GradcliError(
            "G050",
            f"{name} is not text: byte {error.start} is not UTF-8",
            help="if it is Latin-1: iconv -f LATIN1 -t UTF-8 FILE > NEW",
        ) from None


def bind(
    arguments: Sequence[str],
    standard: Standard,
    *,
    shapes: bool = False,
    dtype: str | None = None,
) -> dict[str, Any]:
    """The variables that `NAME=VALUE` arguments give.

    Args:
        standard: what `NAME=-` reads.
        shapes: whether `NAME:DIMS` makes a placeholder; else it is refused.
        dtype: what `--dtype` says, which is the default dtype by now: floating-point variables
            are converted to it.

    Raises:
        GradcliError: G070 for what is no binding, G012 for a name alone, and all that reading
            and evaluating a value raises.
    """
    variables: dict[str, Any] = {}
    dims = Dims()
    reader = _reader(arguments)
    for argument in arguments:
        found = BINDING.fullmatch(argument)
        if found is None:
            raise not_a_binding(argument)
        written, sign, text = found.groups()
        name = unicodedata.normalize("NFKC", written)  # as Python reads names in the expression
        if name in KEYWORDS:
            raise GradcliError("G070", f"{name} cannot be a variable", help="choose another name")
        if sign == "=":
            variables[name] = given(name, text, variables, standard, reader)
        elif shapes:
            variables[name] = placeholder(name, declared_shape(name, text, dims))
        else:
            raise no_value(name)
    return variables if dtype is None else {n: _converted(v) for n, v in variables.items()}


def _converted(value: Any) -> Any:
    """A floating-point tensor in the default dtype; anything else as it is."""
    floating = isinstance(value, Tensor) and value.dtype.is_floating_point
    return value.to(default.dtype) if floating else value


def _reader(arguments: Sequence[str]) -> Reader | None:
    """What reads the files of several bindings; None where there is one at most."""
    found = [m[3][1:] for m in map(BINDING.fullmatch, arguments) if m and m[2] + m[3][:1] == "=@"]
    if len(found) < 2:
        return None
    from gradcli.files.together import Together

    return Together(found).read


def declared_shape(name: str, text: str, dims: Dims) -> Shape:
    """The shape that `m,n`, `3,n` or nothing (a scalar) declares; raises G070 for other text."""
    if not text.strip():
        return ()
    shape = []
    start = 0
    parts = text.split(",")
    for place, part in enumerate(parts):
        size = part.strip()
        if SIZE.fullmatch(size) and size not in KEYWORDS:
            shape.append(int(size) if size.isdigit() else dims[size])
        elif size or place < len(parts) - 1 or not shape:
            span = Span(Source(f"<{name}:>", text), start, start + max(len(part), 1))
            raise GradcliError(
                "G070",
                f"{size!r} is no size of {name}",
                span,
                help=f"sizes are names or numbers: {name}:n, {name}:m,n, {name}:3,n; "
                f"{name}: is a scalar",
            )
        start += len(part) + 1
    return tuple(shape)


def not_a_binding(argument: str) -> GradcliError:
    """G070 for an argument that is no `NAME=VALUE`."""
    help = ["a binding is NAME=VALUE, such as x=3, x='ones(2,2)' or x=@data.npy"]
    if any(c in argument for c in "+*/()") or " " in argument:
        help.append("quote an expression that contains spaces or parentheses")
    return GradcliError("G070", f"{argument!r} is no binding", help=help)


def no_value(name: str, span: Span | None = None) -> GradcliError:
    """G012: a variable without a value, and the ways to give it one."""
    return GradcliError(
        "G012",
        f"{name} has no value",
        span,
        help=[
            f"give it one: {name}=3, {name}='randn(2,3)', {name}=@data.npy, {name}=@t.csv:column, "
            f"or {name}=- for standard input"
        ],
        kind=NameError,
    )


def given(
    name: str,
    text: str,
    variables: dict[str, Any],
    standard: Standard,
    reader: Reader | None = None,
) -> Any:
    """What a value's text gives, as a leaf: `@FILE`, `-`, or an expression of `variables`.

    Raises:
        GradcliError: with a place in the text, or in the file.
    """
    try:
        if text.startswith("@"):
            from gradcli.functions.data import from_file

            return from_file(text[1:], reader)
        if text == "-":
            from gradcli.files import read_stream
            from gradcli.functions.data import from_data

            stream = standard.take(name)
            binary = stream.peek(4)[:4] in (b"\x93NUM", b"PK\x03\x04")
            return from_data(read_stream(stream, limit=memory.limit), "<stdin>", binary=binary)
    except GradcliError as error:
        place = Source(f"<{name}>", text)
        raise error.at(Span(place, 0, len(text))) from None
    return _evaluated(name, text, variables)


def _evaluated(name: str, text: str, variables: dict[str, Any]) -> Any:
    source = Source(f"<{name}>", text)
    tree = parse_expression(source)
    with Stop(False):
        value = Interpreter(dict(variables)).evaluate(tree)
        try:
            return as_leaf(name, value)
        except GradcliError as error:
            raise error.at(Span(source, 0, len(text))) from None


def vectors(
    option: str, texts: Sequence[str], variables: dict[str, Any], standard: Standard
) -> dict[str, Any] | None:
    """The vectors that `X=V` options give, by variable; None when there are none."""
    found: dict[str, Any] = {}
    for text in texts:
        match = BINDING.fullmatch(text)
        if match is None or match[2] != "=":
            raise GradcliError(
                "G070", f"{option} {text!r} names no variable", help=f"write it as {option} x=V"
            )
        found[match[1]] = given(match[1], match[3], variables, standard)
    return found or None


def symbolic_vectors(
    vjp: str | None, jvp: Sequence[str], variables: dict[str, Any], standard: Standard
) -> dict[str, Any]:
    """What `--vjp V`, `--jvp V` and `--jvp X=V` give where formulas are asked for.

    A name or an expression stays text; what a file holds is a value.
    """

    def known(text: str) -> Any:
        text = text.strip()
        read = text.startswith("@") or text == "-"
        return given("vector", text, variables, standard) if read else text

    cotangent = None if vjp is None else known(vjp)
    pairs = [BINDING.fullmatch(text) for text in jvp]
    if len(jvp) == 1 and pairs[0] is None:
        return {"vjp": cotangent, "jvp": known(jvp[0])}
    named = {p[1]: known(p[3]) for p in pairs if p is not None and p[2] == "="}
    if len(named) < len(jvp):
        raise GradcliError(
            "G070", "several directions need a variable each", help="--jvp x=V --jvp y=W"
        )
    return {"vjp": cotangent, "jvp": named or None}


def listed(names: str | None) -> list[str] | None:
    """The names in `x,y`; None where none were given, G070 where the text has none."""
    if names is None:
        return None
    found = [unicodedata.normalize("NFKC", w.strip()) for w in names.split(",") if w.strip()]
    if not found:
        raise GradcliError("G070", f"--wrt {names!r} names no variable", help="--wrt x,y")
    return found
