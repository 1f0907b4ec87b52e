"""Derivatives as text and as JSON: what `diff` prints.

Constraints: one formula stands alone; several have their variable's name before them; what they
share follows, one name a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.errors import GradcliError
from gradcli.language.print import unparse
from gradcli.render import tree


def derivatives_text(derivatives: Any, to: str = "text") -> str:
    """The formulas, then `where` lines; or a function in another language."""
    if to in ("latex", "mathml"):
        return _notation(derivatives, to)
    if to != "text":
        return _code(derivatives, to)
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


def _notation(derivatives: Any, to: str) -> str:
    from gradcli.render.latex import Latex
    from gradcli.render.mathml import MathML
    from gradcli.render.notation import Notation

    traced = derivatives.traced
    shapes = {**traced.shapes, **derivatives.vectors}
    declared = {n: s for n, s in shapes.items() if n not in traced.free}
    notation = Notation(
        Latex() if to == "latex" else MathML(),
        {n: len(s) for n, s in declared.items()},
        {n: [str(size) for size in s] for n, s in declared.items()},
    )
    named = {n: notation.define(n, t) for n, t in derivatives.meanings.items()}
    formulas = {n: notation(d.tree) for n, d in derivatives.items()}
    several = len(formulas) > 1
    return notation.m.lines(formulas if several else {"": next(iter(formulas.values()))}, named)


def _code(derivatives: Any, to: str) -> str:
    from gradcli.render.code import function_text

    traced, kind = derivatives.traced, derivatives.kind.removesuffix("2")
    if to == "python":
        _refuse_tensors(derivatives)
    name = "derivative" if kind == "elementwise" else kind
    names = derivatives.directions if kind == "jvp" else derivatives
    by = ", ".join(dict.fromkeys(part for name in names for part in name.split(",")))
    said = {"hessian": "Hessian", "jacobian": "Jacobian", "vjp": "VJP", "jvp": "JVP"}
    doc = f"The {said.get(name, name)} of {unparse(traced.expression)} by {by}."
    known = (*traced.shapes, *traced.spoken)
    others = [n for n in traced.variables if n not in known]
    sizes = {n: _read_off(n, traced.shapes) for n in traced.spoken}
    parameters = [*traced.shapes, *others, *derivatives.vectors]
    like = next(iter(traced.shapes), "")
    trees = {n: d.tree for n, d in derivatives.items()}
    return function_text(to, name, parameters, trees, {**sizes, **derivatives.meanings}, doc, like)


def _read_off(size: str, shapes: Mapping[str, Any]) -> Any:
    """A declared size as `X.shape[0]`."""
    for name, shape in shapes.items():
        for axis, n in enumerate(shape):
            if str(n) == size:
                return tree.item(tree.name(f"{name}.shape"), axis)
    raise AssertionError(f"no variable has the size {size}")


def _refuse_tensors(derivatives: Any) -> None:
    traced = derivatives.traced
    tensors = [n for n, s in traced.shapes.items() if s and n not in traced.free]
    if tensors:
        raise GradcliError(
            "G070",
            f"--to python writes functions of numbers, {tensors[0]} is a tensor",
            help="--to numpy, --to torch or --to jax",
        )


def derivatives_json(expression: str, derivatives: Any) -> str:
    """The contract's object."""
    from gradcli.files import json_text

    return json_text({"gradcli": 1, "expression": expression, "derivatives": records(derivatives)})


def records(derivatives: Any) -> dict[str, Any]:
    """Each derivative as JSON knows it; blocks of a Hessian by both of their variables."""
    found: dict[str, Any] = {}
    for name, d in derivatives.items():
        record = {"formula": d.formula, "where": d.where, "shape": d.shape}
        if d.notes:
            record["notes"] = d.notes
        first, _, second = name.partition(",")
        if second:
            found.setdefault(first, {})[second] = record
        else:
            found[name] = record
    return found


KINDS = {"jacobian": "jacobian", "hessian": "hessian"}
"""What a derivative is called in `eval`, where it is no gradient."""


def symbolic_text(derivatives: Any) -> str:
    """What `eval` prints of an expression over variables without values."""
    traced = derivatives.traced
    made = traced.grad_fn
    shown = [unparse(traced.expression) + (f"  grad_fn=<{made}>" if made else "")]
    for name, d in derivatives.items():
        called = (
            "jvp"
            if name == "jvp"
            else f"{name.replace(',', '.')}.{KINDS.get(derivatives.kind, 'grad')}"
        )
        shown.append(f"{called}:\n{_or_none(d)}")
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
