"""Random expressions that fit together: every function of the table that takes a tensor or two, on
operands whose shapes are declared.

Constraints: `choose` picks one of a sequence; what a function gives is found by calling it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from gradcli import api
from gradcli.cli.ops import table
from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import Interpreter
from gradcli.source import Source
from gradcli.tensor import Tensor

Choose = Callable[[Sequence[Any]], Any]
SHAPES: dict[str, tuple[str, ...]] = {
    **{"a": (), "b": (), "x": ("n",), "y": ("n",), "v": ("m",)},
    **{"A": ("n", "n"), "B": ("n", "n"), "X": ("m", "n"), "Y": ("m", "n")},
}
"""The variables of expressions and their shapes."""
KINDS = ("s", "n", "m", "nn", "mn")
LEAVES: dict[str, list[str]] = {
    **{"s": ["a", "b", "2", "0.5"], "n": ["x", "y"], "m": ["v"], "nn": ["A", "B"]},
    "mn": ["X", "Y"],
}
SPECIAL: dict[str, list[tuple[str, ...]]] = {
    "s": [
        *(("sum({0})", k) for k in ("n", "m", "mn", "nn")),
        *(("mean({0})", "mn"), ("({0})@({1})", "n", "n"), ("({0})@({1})", "m", "m")),
        *(("({0})@({1})@({2})", "n", "nn", "n"), ("({0})@({1})@({2})", "m", "mn", "n")),
        *(("({0})[0]", "n"), ("({0})[-1]", "m"), ("({0})[0, 1]", "mn"), ("({0})[1, 1]", "nn")),
        *(("trace({0})", "nn"), ("logdet(({0})@({0}).T + eye(len(A)))", "nn"), ("det({0})", "nn")),
        *(("logsumexp({0}, 0)", "n"), ("norm({0})", "n"), ("norm({0})", "mn"), ("max({0})", "n")),
        *(("cross_entropy({0}, softmax({1}, 1))", "mn", "mn"), ("mse_loss({0}, {1})", "n", "n")),
        *(("cosine_similarity({0}, {1}, 0)", "n", "n"), ("einsum('i,ij,j->', {0}, {1}, {2})", "m")),
    ],
    "n": [
        *(("({0})@({1})", "nn", "n"), ("({0}).T@({1})", "mn", "m"), ("sum({0}, 0)", "mn")),
        *(("mean({0}, 0)", "mn"), ("diag({0})", "nn"), ("({0})[0]", "mn"), ("({0})[:, 0]", "nn")),
        *(("softmax({0}, 0)", "n"), ("cumsum({0}, 0)", "n"), ("amax({0}, 0)", "mn")),
        *(
            ("cat([({0})[1:], ({1})[:1]])", "n", "n"),
            ("roll({0}, 1)", "n"),
            ("flip({0}, (0,))", "n"),
        ),
        *(("sort({0})[0]", "n"), ("inv(({0})@({0}).T + eye(len(A)))@({1})", "nn", "n")),
        *(
            ("solve(({0})@({0}).T + eye(len(A)), {1})", "nn", "n"),
            ("layer_norm({0}, ({0}).shape[-1:])", "n"),
        ),
        *(("normalize({0}, dim=0)", "n"), ("einsum('ij,i->j', {0}, {1})", "mn", "m")),
        *(("stack([{0}, {1}])[0]", "n", "n"), ("logsumexp({0}, 0)", "mn"), ("var({0}, 0)", "mn")),
    ],
    "m": [
        *(("({0})@({1})", "mn", "n"), ("sum({0}, 1)", "mn"), ("({0})[:, 0]", "mn")),
        *(("norm({0}, dim=1)", "mn"), ("max({0}, 1)[0]", "mn"), ("logsumexp({0}, 1)", "mn")),
    ],
    "nn": [
        *(("({0})@({1})", "nn", "nn"), ("({0}).T", "nn"), ("outer({0}, {1})", "n", "n")),
        *(("({0}).T@({1})", "mn", "mn"), ("diag({0})", "n"), ("tril({0})", "nn")),
        *(("inv(({0})@({0}).T + eye(len(A)))", "nn"), ("({0})[:, None] - ({1})", "n", "n")),
        *(("softmax({0}, 1)", "nn"), ("({0}) + ({1})", "nn", "n")),
    ],
    "mn": [
        *(("({0})@({1})", "mn", "nn"), ("outer({0}, {1})", "m", "n"), ("({0}) + ({1})", "mn", "n")),
        *(("softmax({0}, 1)", "mn"), ("({0})[:, None]*({1})", "m", "mn"), ("normalize({0})", "mn")),
        *(
            ("layer_norm({0}, ({0}).shape[-1:])", "mn"),
            ("log_softmax({0}, 0)", "mn"),
            ("cumsum({0}, 1)", "mn"),
        ),
    ],
}
"""Kind -> forms that give it, with the kinds of their operands."""
SPECIAL["s"][-1] = (*SPECIAL["s"][-1], "mn", "n")
FORMS = (
    *("({0} + {1})", "({0} - {1})", "({0})*({1})", "({2})*({0})", "({0})/({1})", "({0})**2"),
    *("({0})**3", "({0})/({2})", "where({0} > {1}, {0}, {1})", "where({0} > 0, {1}, 2*{0})"),
    *("clamp({0}, -1, 1)", "sqrt(1 + ({0})**2)", "log(1 + exp({0}))", "abs({0})**({2})"),
    *("exp(-({0})**2/2)", "1/(1 + exp(-({0})))", "({0})*sigmoid({0})", "log(({0})**2 + 1)"),
)
"""Forms whose result has the shape of the operands; the third is a number."""


@cache
def calls() -> tuple[str, ...]:
    """Calls of the table's functions that keep the shape: of one tensor, or of two."""
    found = []
    for name in table():
        if name.count(".") > 2 or name.startswith(("Tensor.", "torch.nn.init", "nn.init")):
            continue
        for text in (f"{name}({{0}})", f"{name}({{0}}, {{1}})"):
            if _keeps_shape(text):
                found.append(text)
    return tuple(found)


def _keeps_shape(form: str) -> bool:
    numbers = np.linspace(0.2, 0.8, 6).reshape(2, 3)
    results = []
    for _ in range(2):
        known = {name: from_array(numbers) for name in ("p", "q")}
        for value in known.values():
            value.requires_grad = True
        try:
            tree = parse_expression(Source("", form.format("p", "q")))
            found = Interpreter(known).evaluate(tree)
        except (GradcliError, RecursionError):
            return False
        if not isinstance(found, Tensor) or not found.dtype.is_floating_point:
            return False
        results.append(api.as_leaf("r", found).array())
    return results[0].shape == numbers.shape and np.array_equal(*results, equal_nan=True)


def text(choose: Choose, kind: str, depth: int) -> str:
    """An expression of a kind: a scalar s, vectors n and m, matrices nn and mn."""
    if depth <= 0:
        return str(choose(LEAVES[kind]))

    def inner(other: str) -> str:
        return text(choose, other, depth - 1)

    choice = choose(("form", "form", "special", "special", "special", "call"))
    if choice == "special":
        form, *kinds = choose(SPECIAL[kind])
        return str(form).format(*(inner(k) for k in kinds))
    form = choose(FORMS if choice == "form" else calls())
    return str(form).format(inner(kind), inner(kind), inner("s"))
