"""How `gradcli diff` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import (
    CONTEXT,
    bindings,
    everywhere,
    expression,
    form,
    lazily,
    limits,
    option,
    order,
    output,
    wrt,
)

COMMAND = click.Command(
    "diff",
    callback=lazily("gradcli.cli.diff:run"),
    context_settings=CONTEXT,
    short_help="The derivative as a formula.",
    help="""Differentiate an expression and print the derivative as a formula.

\b
Examples:
  gradcli diff "x**2*sin(x)"
  gradcli diff "sum((X@w - y)**2)" -w w X:m,n w:n y:m
  gradcli diff "trace(X.T@A@X)" X:n,k A:n,n        by every variable
  gradcli diff "sum(softplus(X@w))" -w w X:m,n w:n --order 2
  gradcli diff "softmax(z, 0)" z:n                 a Jacobian
  gradcli diff "A@x" -w x A:m,n x:n --vjp v        v times the Jacobian
  gradcli diff "log(det(X))" X:n,n --to latex
  gradcli diff "mean(log(1 + exp(-y*(X@w))))" -w w X:m,n w:n y:m --to torch

\b
A shape x:m,n is names and numbers, x: is a scalar, and a variable without shape
stands for a tensor of any shape. A gradient has the shape of its variable; a
Jacobian has the result's dimensions first, then the variable's: rows are
outputs. The formula is in gradcli's language and was checked against the
gradient at random points before it is printed.""",
    params=[
        expression(),
        bindings("[NAME=VALUE|NAME:DIMS]..."),
        wrt("Variables, such as x,y (all)."),
        order("2 for the Hessian, by each pair of variables."),
        option("--vjp", metavar="V", help="The product of a cotangent called V and the Jacobian."),
        option(
            "--jvp",
            metavar="[X=]V",
            multiple=True,
            help="The derivative in a direction called V, of X where there are several variables.",
        ),
        option(
            "--to",
            type=click.Choice(["text", "latex", "mathml", "python", "numpy", "torch", "jax"]),
            default="text",
            help="How the formula is written; code is a complete function (text).",
        ),
        option("--cse/--no-cse", default=True, help="Name what repeats: where s = ... (yes)."),
        form("text", "json", default=None),
        output(),
        *limits(),
        *everywhere(),
    ],
)
