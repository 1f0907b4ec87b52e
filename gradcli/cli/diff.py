"""`gradcli diff`: the derivative of an expression as a formula.

Constraints: parses options, calls the library, hands the result to a renderer.
"""

from __future__ import annotations

from typing import Any

from gradcli.calculus import Derivatives, differentiate
from gradcli.cli.inputs import Standard, bind, expression_source, listed, symbolic_vectors
from gradcli.cli.outputs import note, write_text
from gradcli.cli.session import prepare
from gradcli.render.derivatives import derivatives_json, derivatives_text


def run(
    *,
    expression: str,
    bindings: tuple[str, ...],
    wrt: str | None,
    order: int,
    vjp: str | None,
    jvp: tuple[str, ...],
    cse: bool,
    to: str,
    format: str | None,
    output: str | None,
    **limits: Any,
) -> None:
    """The command."""
    prepare(seed=None, dtype=None, precision=None, **limits)
    standard = Standard()
    source = expression_source(expression, standard)
    values = bind(bindings, standard, shapes=True)
    given = symbolic_vectors(vjp, jvp, values, standard)
    found = differentiate(source, wrt=listed(wrt), values=values, order=order, cse=cse, **given)
    if format == "json" or (format is None and output is not None and output.endswith(".json")):
        write_text(derivatives_json(source.text.strip(), found), output)
    else:
        write_text(derivatives_text(found, to), output)
    remark(found)


def remark(found: Derivatives) -> None:
    """Says what was assumed, and which variables play no part."""
    for name, derivative in found.items():
        if not derivative.depends:
            if found.kind == "hessian":
                note(f"the second derivative by {name} is zero everywhere")
                continue
            note(f"the result does not depend on {name}: its derivative is zero everywhere")
        for said in derivative.notes:
            note(said)
    traced = found.traced
    for name in traced.scalars:
        note(f"{name} has no declared shape and is taken for a scalar", [f"declare it: {name}:n"])
    if len(traced.free) > 1 and found.kind == "gradient":
        note(
            f"{', '.join(traced.free)} are taken for tensors of one shape",
            [f"declare what has another one: {traced.free[0]}: for a scalar"],
        )
