"""`gradcli bench`: this expression, this data, on what is installed here.

Constraints: parses options, calls the library, hands the timings to a renderer.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from gradcli.api import differentiated
from gradcli.benching.peers import Problem, installed
from gradcli.benching.timing import compare
from gradcli.cli.inputs import Standard, bind, expression_source, listed
from gradcli.cli.outputs import REPORTS, chosen_format, note, write_text
from gradcli.cli.progress import Meter
from gradcli.cli.session import prepare
from gradcli.execute.whole import fits
from gradcli.files.stored import Stored
from gradcli.graph.shape import numel
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import evaluate
from gradcli.render.benching import as_json, table
from gradcli.tensor import Tensor


def run(
    *,
    expression: str,
    bindings: tuple[str, ...],
    wrt: str | None,
    no_grad: bool,
    seconds: float,
    format: str | None,
    output: str | None,
    dtype: str | None,
    backend: str | None,
    device: str | None,
    **limits: Any,
) -> None:
    """The command."""
    peers = installed(backend, device)
    prepare(seed=None, dtype=dtype, precision=None, **limits)
    standard = Standard()
    source = expression_source(expression, standard)
    tree = parse_expression(source)
    variables = bind(bindings, standard)
    names = listed(wrt)
    chosen = [] if no_grad else differentiated(variables, names)
    value = evaluate(tree, dict(variables))
    if chosen and not (isinstance(value, Tensor) and numel(value.shape) == 1):
        note("the result is no scalar: the value alone is timed", ["reduce it: .sum()"])
        chosen = []
    chosen = _fitting(chosen, variables)
    values = {n: v.array() if _is_held(v) else v for n, v in variables.items()}
    with closing(Meter("timing", 1.0)) as meter:
        timings = compare(Problem(tree, values, chosen), peers, seconds, meter.at)
    if chosen_format(format, output, REPORTS) == "json":
        write_text(as_json(source.text.strip(), chosen, timings), output)
    else:
        write_text(table(timings), output)


def _is_held(value: Any) -> bool:
    """Whether a variable is a tensor in memory, not one of which rows are read from a file."""
    return isinstance(value, Tensor) and not isinstance(value.value_node.value, Stored)


def _fitting(names: list[str], variables: dict[str, Any]) -> list[str]:
    """The variables by which a gradient fits into memory."""
    found = [name for name in names if fits(variables[name].value_node)]
    left = ", ".join(name for name in names if name not in found)
    if left:
        note(f"timed without the gradient by {left}, which is larger than memory")
    return found
