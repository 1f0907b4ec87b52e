"""`gradcli graph`: the computation graph, drawn.

Constraints: parses options, calls the library, hands the drawing to a renderer; of an expression
that fails, what could be computed is drawn, and the error follows.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from gradcli.api import differentiated
from gradcli.cli.inputs import Standard, bind, expression_source, given
from gradcli.cli.options import colour_flag
from gradcli.cli.outputs import chosen_format, write_bytes, write_text
from gradcli.cli.session import prepare
from gradcli.diagram.boxes import Diagram
from gradcli.diagram.build import Options, draw
from gradcli.diagram.partial import draw_partial
from gradcli.errors import GradcliError
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import Interpreter
from gradcli.lowering.unbound import unbound
from gradcli.render.markup import use_colour
from gradcli.source import Source
from gradcli.tensor import Tensor
from gradcli.tensor.symbols import placeholder

SUFFIXES = {
    **{".txt": "text", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"},
    **{".json": "json", ".svg": "svg", ".png": "png", ".html": "html", ".htm": "html"},
}


def run(
    *,
    expression: str,
    bindings: tuple[str, ...],
    level: str,
    show: str,
    values: bool,
    vjp: str | None,
    to: str | None,
    output: str | None,
    **session: Any,
) -> None:
    """The command."""
    prepare(**session, precision=None)
    format = chosen_format(to, output, SUFFIXES)
    standard = Standard()
    source = expression_source(expression, standard)
    tree = parse_expression(source)
    variables = bind(bindings, standard, shapes=True, dtype=session["dtype"])
    for name in unbound(tree, variables):
        variables[name] = placeholder(name, ())
    for name in differentiated(variables, None):
        variables[name].requires_grad = True
    cotangent = None if vjp is None else given("vjp", vjp, variables, standard)
    options = Options(level, show, values=values, cotangent=cotangent)
    failure: GradcliError | None = None
    try:
        shaped, value = _evaluated(tree, variables)
        diagram = _drawn(source, value, shaped, options)
    except GradcliError as error:
        failure, diagram = error, draw_partial(tree, error, variables, options)
    if format in ("json", "html"):
        _add_formulas(diagram)
    _write(diagram, format, output)
    if failure is not None:
        raise failure


def _drawn(source: Source, value: Any, variables: Mapping[str, Any], options: Options) -> Diagram:
    roots = value if isinstance(value, (list, tuple)) else [value]
    tensors = [item for item in roots if isinstance(item, Tensor)]
    if not tensors:
        raise GradcliError(
            "G025",
            f"the result is {type(value).__name__}, only a tensor has a graph",
            help="make it one: tensor(...)",
        )
    return draw(source, tensors, variables, options)


def _evaluated(tree: ast.Expression, variables: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The result and the variables; of one without a gradient, of which nothing else would be
    kept, the variables without their values.
    """
    value = Interpreter(dict(variables)).evaluate(tree)
    if not isinstance(value, Tensor) or value.requires_grad:
        return variables, value
    shaped = {
        name: placeholder(name, tuple(v.shape))
        for name, v in variables.items()
        if isinstance(v, Tensor) and v.requires_grad
    }
    try:
        return {**variables, **shaped}, Interpreter({**variables, **shaped}).evaluate(tree)
    except GradcliError:  # what depends on values has no graph without them
        return variables, value


def _add_formulas(diagram: Diagram) -> None:
    """Adds what each step does to a gradient."""
    from gradcli.calculus.local import local_formulas

    for box in diagram.boxes:
        if box.kind == "function" and box.node is not None:
            found = local_formulas(box.node, box.operands)
            box.formulas = {box.operands[x]: text for x, text in found.items()}


def _write(diagram: Diagram, format: str, output: str | None) -> None:
    """Renders in the format; a renderer is imported when it is used."""
    if format == "text":
        from gradcli.render.graph_tree import tree

        flag = colour_flag(sys.argv[1:])
        colour = output is None and use_colour(sys.stdout, flag, os.environ)
        terminal = output is None and sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else 0
        write_text(tree(diagram, colour=colour, width=width), output)
    elif format == "json":
        from gradcli.files import json_text
        from gradcli.render.graph_text import graph_record

        write_text(json_text(graph_record(diagram)), output)
    elif format in ("dot", "mermaid"):
        from gradcli.render import graph_text

        write_text({"dot": graph_text.dot, "mermaid": graph_text.mermaid}[format](diagram), output)
    elif format == "html":
        from gradcli.render.page import page

        write_text(page(diagram), output)
    else:
        from gradcli.render.svg import svg

        picture = svg(diagram)
        if format == "svg":
            write_text(picture, output)
        else:
            from gradcli.render.png import png

            write_bytes(png(picture), "png", output)
