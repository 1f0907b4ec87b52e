"""How `gradcli check` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import (
    CONTEXT,
    Number,
    bindings,
    everywhere,
    expression,
    form,
    lazily,
    limits,
    option,
    order,
    output,
    where,
    wrt,
)

COMMAND = click.Command(
    "check",
    callback=lazily("gradcli.cli.check:run"),
    context_settings=CONTEXT,
    short_help="Is the gradient right? Autodiff, differences, a formula.",
    help="""Check derivatives: autodiff against differences, and against a formula by hand.

\b
Examples:
  gradcli check "sum((X@w - y)**2)" X:m,n w:n y:m --expect w="2*X.T@(X@w - y)"
  gradcli check "mean(3*(x+2)**2)" x='ones(2,2)' --expect "6*(x+2)/4"
  gradcli check "x**2*sin(x)" --expect @derivative.txt
  gradcli check "x**3" x: --order 2 --expect "6*x"
  gradcli check "sum(x**2*y)" x:n y:n --order 2 --expect x,y="2*diag(x)"
  gradcli check checks.toml --format github        a file of checks, in CI

\b
A shape x:m,n gets random values, each name a prime size; x: is a scalar; a
variable without shape gets one. Everything is computed in float64. The verdict
says who is wrong, and names the usual slips or the wrong place in the formula.
Exit status 1 where a check fails.

\b
A file of checks is TOML:
  [[check]]
  name = "least squares"
  expression = "sum((X@w - y)**2)"
  shapes = { X = "m,n", w = "n", y = "m" }     or values = { x = "ones(2,2)" }
  expect = { w = "2*X.T@(X@w - y)" }
and may say wrt, order, samples, seed and tolerance.""",
    params=[
        expression("EXPR|FILE.toml"),
        bindings("[NAME=VALUE|NAME:DIMS]..."),
        option(
            "-e",
            "--expect",
            metavar="[X=]FORMULA",
            multiple=True,
            help="The derivative by hand, or @FILE with it; with X= where there are several.",
        ),
        wrt("Variables to check, such as x,y (all)."),
        order("2 checks second derivatives, by each pair of variables."),
        option(
            "--samples",
            type=click.IntRange(1, 1000),
            default=3,
            help="How many random points (3).",
        ),
        option("--seed", type=click.IntRange(min=0), default=0, help="Of the random points (0)."),
        option(
            "--tolerance",
            type=Number(),
            default=1e-6,
            help="Relative error that is still right (1e-6).",
        ),
        form(
            *("text", "json", "github", "junit", "sarif"),
            words="How to report (text); github adds annotations and the step's summary.",
            default="text",
        ),
        output(),
        *where(),
        *limits(),
        *everywhere(),
    ],
)
