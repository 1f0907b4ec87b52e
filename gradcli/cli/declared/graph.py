"""How `gradcli graph` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import CONTEXT, bindings, common, expression, lazily, option, output

COMMAND = click.Command(
    "graph",
    callback=lazily("gradcli.cli.graph:run"),
    context_settings=CONTEXT,
    short_help="The computation graph: tree, SVG, HTML, DOT, Mermaid.",
    help="""Draw the computation graph of an expression.

\b
Examples:
  gradcli graph "mean(3*(x+2)**2)" x='ones(2,2)' --values
  gradcli graph "sum((X@w - y)**2)" X:m,n w:n y:m -o graph.svg
  gradcli graph "x*sin(x)" x=2 --values -o graph.html    click on the boxes
  gradcli graph "x*sin(x)" x=2 --level op --show both -o graph.png
  gradcli graph "x*sin(x)" x=2 --to mermaid              for Markdown
  gradcli graph "x*sin(x)" x=2 --to dot | dot -Tpdf > graph.pdf

\b
Boxes are grad_fn nodes as PyTorch names them, or with --level op the primitives
they are made of, where --show backward and both draw the derivative as well. A
shape x:m,n needs no values; --values computes them, and the gradients of a
scalar result (of another one with --vjp). Of an expression that fails, what was
computed before is drawn.""",
    params=[
        expression(),
        bindings("[NAME=VALUE|NAME:DIMS]..."),
        option(
            "--level",
            type=click.Choice(["grad_fn", "op"]),
            default="grad_fn",
            help="What a box is (grad_fn).",
        ),
        option(
            "--show",
            type=click.Choice(["forward", "backward", "both"]),
            default="forward",
            help="Where values come from, where gradients go, or both (forward).",
        ),
        option("--values", is_flag=True, help="Values and gradients, too."),
        option("--vjp", metavar="V", help="Cotangent for a result that is no scalar."),
        option(
            "-f",
            "--to",
            type=click.Choice(["text", "dot", "mermaid", "json", "svg", "png", "html"]),
            help="How to draw (text, or what the suffix of --output says).",
        ),
        output("Write to a file, such as graph.svg."),
        *[parameter for parameter in common() if parameter.name != "precision"],
    ],
)
