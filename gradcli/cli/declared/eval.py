"""How `gradcli eval` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import (
    CONTEXT,
    bindings,
    common,
    expression,
    form,
    lazily,
    option,
    output,
    rows,
    tracing,
    where,
    wrt,
)

COMMAND = click.Command(
    "eval",
    callback=lazily("gradcli.cli.eval:run"),
    context_settings=CONTEXT,
    short_help="Value, grad_fn and gradients of an expression.",
    help="""Evaluate an expression and differentiate it by its variables.

\b
Examples:
  gradcli eval "mean(3*(x+2)**2)" x='ones(2,2)'
  gradcli eval "sum(x**2)" x=3                    a number, differentiated
  gradcli eval "x @ w" x=@data.npy w=[1,2] --vjp 'ones(5)'
  gradcli eval "mean((X@w-y)**2)" X=@t.csv:a,b y=@t.csv:c w=[0,0] -w w
  gradcli eval "sum(sin(x))" x=- -f json < x.json
  gradcli eval "x**2" x=[1,2] --jacobian
  gradcli eval "x**2 + y" x=2 y='x*3' --steps     a binding may use earlier ones
  gradcli eval "sum(where(x > 0, log(x), 0))" x=[0,1] --trace-nan
  gradcli eval "sum((x-c)**2)" c=[1,2] --each -w x < records.jsonl
  gradcli eval "sum(exp(x))" x=@big.npy --backend jax      or torch, cupy; --device cuda
  gradcli eval "mean(log1p(exp(-y*(X@w))))" X=@'parts/*.npy' y=@y.npy w='zeros(25)' -w w
  gradcli eval "(X - X.mean(0))/X.std(0)" X=@big.npy --no-grad -o scaled.npy
  gradcli eval "mean(exp(X@w))" X=@s3://b/X.npy w='zeros(9)' -w w --backend dask
  gradcli eval -- "-x**2" x=-3                    after -- a leading minus is no option

\b
EXPR is PyTorch's language (mean(x) is torch.mean(x)), '-' for stdin, or @FILE.
A binding is a number, a list, an expression, @FILE (npy, npz:key, csv:col,col,
tsv, json:path, safetensors:key, parquet:col) or '-' for stdin; 'parts/*.npy' are
several files as one. Files larger than memory are read by rows. With --each every line of
stdin is a JSON object of bindings; members that EXPR does not name are ignored. No lines
give no results, and 0.""",
    params=[
        expression(),
        bindings(),
        wrt("Variables to differentiate by, such as x,y (all floating-point ones)."),
        option("--no-grad", is_flag=True, help="Only the value."),
        option(
            "--vjp",
            metavar="V",
            help="Cotangent for a result that is no scalar, as backward(V) takes it.",
        ),
        option(
            "--jvp",
            metavar="X=V",
            multiple=True,
            help="The derivative in the direction V of the variable X (forward mode).",
        ),
        option(
            "--hvp",
            metavar="X=V",
            multiple=True,
            help="The Hessian of a scalar times the vector V, by X.",
        ),
        option("--jacobian", is_flag=True, help="The derivative of every element of the result."),
        option("--hessian", is_flag=True, help="The second derivatives of a scalar."),
        option(
            "--steps", is_flag=True, help="Every subexpression with value, grad_fn and gradient."
        ),
        form(
            *("text", "json", "npz", "npy", "csv"),
            words="How to print the result (text).",
            default=None,
        ),
        output("Write the result to a file; the format follows from its suffix."),
        option(
            "--each",
            is_flag=True,
            help="One JSON object of variables a line on stdin, one JSON result a line on stdout.",
        ),
        option("--fail-fast", is_flag=True, help="With --each: stop at the first bad record."),
        *tracing(),
        *where(),
        *rows(),
        *common(),
    ],
)
