"""The table of gradients' grad_fns, second.txt: the calls that PyTorch computes a gradient by.

A row is `Name0 = formula ; formula`: for each argument of the function the call that PyTorch makes,
where a name without its `Backward` stands for that of the grad_fn (`Mul0`: `MulBackward0`). In it
`g` is the cotangent, `out` the result, `x`, `y`, `z` are the arguments, `-` is nothing that can be
differentiated by, and `all` are the cotangents of all results, `g0`, `g1`, `g2` those of single
ones: what speaks of one that is not there is left out of `sum(...)`, and `first(...)` is the first
that does not. Some calls depend on the function: `each(...)` has the dims again that it reduced,
`some(...)` unless it reduced all of them, `view(...)` by one view; `mean(x)` is over its dims;
`matmul(x, y)` is of matrices or batches, `outer(x, y)` of vectors; `times(...)` is by its factor,
if that is not 1; `column(...)` is a column where its last argument is a vector, `vector(...)` that.

A row `Name0 [words] = ...` is for calls that `words` hold of; the first row that fits is taken.
`key=value` and `key` speak of what the function was called with, `!word` says the opposite; a word
of `CONDITIONS` (tensor/words.py) of its arguments. What a row says twice is computed once.

`/` comes before the call for an argument that is a transposed matrix. Behind the formulas, `*` says
that the one is that of every argument, `&` that each argument gets one of its results. `!name` is a
function that PyTorch does not differentiate. In brackets stand functions whose own rules show this
already: their rows say what a gradient goes through that another formula was shown for.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any, NamedTuple

Formula = tuple[str, tuple[Any, ...]]
"""A name, and the formulas that it is called with."""


class Row(NamedTuple):
    """What the table says of a function.

    Attributes:
        formulas: for each argument the usual one and, if it differs, that for a transposed matrix.
        behind: what stands behind them, `*`, `&` or nothing.
        inner: whether the function's own rule shows the same.
        words: what must hold of a call.
    """

    formulas: tuple[tuple[Formula, ...], ...]
    behind: str
    inner: bool
    words: tuple[str, ...] = ()

    def of(self, position: int) -> tuple[Formula, ...]:
        """The formulas for an argument; none where the row says nothing of it."""
        if self.behind:
            position = 0
        return self.formulas[position] if position < len(self.formulas) else ()

    def is_zero(self, position: int) -> bool:
        """Whether an argument gets zeros, whatever the cotangent is."""
        return self.of(position) == (("-", ()),)


@cache
def _lines() -> dict[str, list[str]]:
    path = os.path.join(os.path.dirname(__file__), "second.txt")
    found: dict[str, list[str]] = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            found.setdefault(full(line.split(" ", 1)[0].strip("()")), []).append(line)
    return found


def full(name: str) -> str:
    """`Mul0` -> `MulBackward0`; a word of the formulas as it is."""
    derived = name[0].isupper() and name[-1].isdigit()
    return f"{name[:-1]}Backward{name[-1]}" if derived else name


@cache
def rows(name: str) -> tuple[Row, ...]:
    """The rows of a function, by its grad_fn's name."""
    return tuple(map(_row, _lines().get(name, ())))


def _row(line: str) -> Row:
    head, _, text = line.partition(" = ")
    text = text.strip()
    behind = text[-1] if text[-1] in "*&" else ""
    listed = text.removesuffix(behind).split(";")
    formulas = tuple(tuple(_parsed(t) for t in part.split("/") if t.strip()) for part in listed)
    words = tuple(head.partition("[")[2].rstrip("]").split())
    return Row(formulas, behind, line.startswith("("), words)


def _parsed(text: str) -> Formula:
    return _call(re.findall(r"!?[\w:-]+|[(),]", text))


def _call(tokens: list[str]) -> Formula:
    name, operands = tokens.pop(0), list[Formula]()
    if tokens and tokens[0] == "(":
        while tokens.pop(0) != ")":
            operands.append(_call(tokens))
    return full(name), tuple(operands)


@cache
def refusal(name: str) -> tuple[str, type[Exception]] | None:
    """What PyTorch says when a function of a formula shall be differentiated, if it refuses."""
    known = rows(name)
    listed = known[0].of(0) if known else ()
    name = listed[0][0] if listed else name
    if name[0] != "!":
        return None
    if "::" in name:
        return f"derivative for {name[1:]} is not implemented", RuntimeError
    return f"the derivative for '{name[1:]}' is not implemented.", NotImplementedError
