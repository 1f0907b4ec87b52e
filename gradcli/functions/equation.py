"""The equation of an Einstein sum: labels of operands and result, from text or lists of numbers.

Constraints: sizes are not looked at; what is no equation is refused in PyTorch's words.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.shape import whole


def lettered(arguments: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """The equation and the operands of tensors that alternate with lists of numbers."""
    words = [_word(labels) for labels in arguments[1::2]]
    equation = ",".join(words)
    if len(arguments) % 2:
        equation += "->" + _word(arguments[-1])
    return equation, list(arguments[0 : 2 * len(words) : 2])


def _word(labels: Any) -> str:
    """A list of numbers and `...` as letters."""
    if not isinstance(labels, (list, tuple)):
        raise GradcliError(
            "G014",
            f"einsum(): a list of subscripts is expected after each operand, not "
            f"{type(labels).__name__}",
            help='einsum("ij,jk->ik", x, y), or einsum(x, [0, 1], y, [1, 2], [0, 2])',
        )
    for label in labels:
        if label is not ... and not 0 <= whole(label) < len(_LETTERS):
            raise GradcliError(
                "G026",
                "einsum(): subscript in subscript list is not within the valid range [0, 52)",
                kind=ValueError,
            )
    return "".join("..." if label is ... else _LETTERS[label] for label in labels)


_LETTERS = ascii_uppercase + ascii_lowercase


def read(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """Labels of operands and result, `...` spelled out in unused letters."""
    text = equation.replace(" ", "")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    _check_characters(equation)
    if len(inputs) != len(ranks):
        few = "fewer" if len(inputs) > len(ranks) else "more"
        raise GradcliError(
            "G013", f"einsum(): {few} operands were provided than specified in the equation"
        )
    _check_output(output.replace("...", ""), left)
    width = 0
    for number, (labels, rank) in enumerate(zip(inputs, ranks, strict=True)):
        named = len(labels.replace("...", ""))
        width = max(width, rank - named)
        if named > rank if "..." in labels else named != rank:
            sentence = (
                f"einsum(): the number of subscripts in the equation ({named}) {{}} the number of "
                f"dimensions ({rank}) for operand {number}"
            )
            if "..." in labels:
                raise GradcliError("G013", sentence.format("is more than"))
            raise GradcliError(
                "G013", sentence.format("does not match") + " and no ellipsis was given"
            )
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in text]
    dots = "".join(spare[:width])
    expanded = [
        labels.replace("...", dots[width - (rank - len(labels) + 3) :] if "..." in labels else "")
        for labels, rank in zip(inputs, ranks, strict=True)
    ]
    if not arrow:
        joined = "".join(expanded)
        single = sorted(c for c in set(joined) if joined.count(c) == 1 and c not in dots)
        return expanded, dots + "".join(single)
    return expanded, output.replace("...", dots)


def _check_characters(equation: str) -> None:
    """Raises G013 for what is neither a label, nor an ellipsis, the only one of its operand."""
    operand, result, dots, place = 0, False, False, 0
    while place < len(equation):
        c, start = equation[place], place
        place += 1
        where = "output" if result else f"operand {operand}"
        if c == "." and dots:
            seen = "but an ellipsis (...) was" if result else "for which an ellipsis was"
            raise GradcliError("G013", f"einsum(): found '.' for {where} {seen} already found")
        if c == ".":
            if not equation.startswith("...", start):
                more = " (...)" if result else ""
                sentence = f"einsum(): found '.' for {where} that is not part of any ellipsis{more}"
                raise GradcliError("G013", sentence)
            dots, place = True, start + 3
        elif c == "," and not result:
            operand, dots = operand + 1, False
        elif equation.startswith("->", start) and not result:
            result, dots, place = True, False, start + 2
        elif c != " " and not (c.isascii() and c.isalpha()):
            raise GradcliError(
                "G013",
                f"einsum(): invalid subscript given at index {start} in the equation string, "
                "subscripts must be in [a-zA-Z]",
            )


def _check_output(output: str, inputs: str) -> None:
    for label in output:
        fault = "does not appear in the equation for any input operand"
        if label in inputs:
            fault = "appears more than once in the output"
            if output.count(label) == 1:
                continue
        raise GradcliError("G013", f"einsum(): output subscript {label} {fault}")
