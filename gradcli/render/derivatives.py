"""Derivatives as text and as JSON: what `diff` prints.

Constraints: one formula stands alone; several have their variable's name before them; what they
share follows, one name a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.language.print import unparse


def derivatives_text(derivatives: Any) -> str:
    """The formulas, then `where` lines."""
    return lines(
        {name: d.formula for name, d in derivatives.items()},
        {name: unparse(t) for name, t in derivatives.meanings.items()},
    )


def lines(formulas: Mapping[str, str], where: Mapping[str, str]) -> str:
    """Formulas by name, and the names that they share."""
    if len(formulas) == 1:
        shown = list(formulas.values())
    else:
        shown = [f"{name}: {text}" for name, text in formulas.items()]
    return "\n".join([*shown, *(f"where {name} = {text}" for name, text in where.items())])


def derivatives_json(expression: str, derivatives: Any) -> str:
    """The contract's object."""
    from gradcli.files import json_text

    return json_text({"gradcli": 1, "expression": expression, "derivatives": records(derivatives)})


def records(derivatives: Any) -> dict[str, Any]:
    """Each derivative as JSON knows it; blocks of a Hessian by both of their variables."""
    found: dict[str, Any] = {}
    for name, d in derivatives.items():
        record = {"formula": d.formula, "where": d.where, "shape": d.shape}
        first, _, second = name.partition(",")
        if second:
            found.setdefault(first, {})[second] = record
        else:
            found[name] = record
    return found


KINDS = {"jacobian": "jacobian"}
"""What a derivative is called in `eval`, where it is no gradient."""


def symbolic_text(derivatives: Any) -> str:
    """What `eval` prints of an expression over variables without values."""
    traced = derivatives.traced
    made = traced.grad_fn
    shown = [unparse(traced.expression) + (f"  grad_fn=<{made}>" if made else "")]
    for name, d in derivatives.items():
        shown.append(f"{name}.{KINDS.get(derivatives.kind, 'grad')}:\n{_or_none(d)}")
    shown += [f"where {name} = {unparse(t)}" for name, t in derivatives.meanings.items()]
    return "\n".join(shown)


def _or_none(derivative: Any) -> str:
    return str(derivative.formula) if derivative.depends else "None"


def symbolic_json(derivatives: Any) -> str:
    """The contract's object for `eval`: no values, and the derivatives as of `diff`."""
    from gradcli.files import json_text

    traced = derivatives.traced
    return json_text(
        {
            "gradcli": 1,
            "expression": traced.expression.span.source.text.strip(),
            "value": None,
            "shape": traced.shape,
            "dtype": traced.dtype,
            "grad_fn": traced.grad_fn,
            "grads": dict.fromkeys(derivatives),
            "backend": "numpy",
            "derivatives": records(derivatives),
        }
    )
