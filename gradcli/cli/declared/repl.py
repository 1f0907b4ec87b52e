"""How `gradcli repl` is called."""

from __future__ import annotations

import click

from gradcli.cli.options import CONTEXT, bindings, common, lazily

COMMAND = click.Command(
    "repl",
    callback=lazily("gradcli.cli.repl:run"),
    context_settings=CONTEXT,
    short_help="Interactive.",
    help="""Type expressions and statements; each answers at once.

\b
Examples:
  gradcli repl
  gradcli repl X=@data.npy 'w=zeros(3)'        with variables
  gradcli repl --seed 0 < session.txt          without a prompt

\b
  >>> x = tensor(3., requires_grad=True)
  >>> y = x**2
  >>> y.backward(); x.grad
  tensor(6.)

`_` is the last value. Tab completes names, an empty line ends a block, Ctrl-C drops the line,
Ctrl-D leaves.""",
    params=[bindings(), *common()],
)
