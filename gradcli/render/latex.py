"""Formulas as LaTeX, for `amsmath`.

Constraints: see render/notation.py; names of Greek letters are letters, `W1` is a W with an index.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from gradcli.render.markups import Markup

GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "mu"),
        *("nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "lambda"),
        *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
    )
)
SHORT = {"lam": "lambda", "eps": "epsilon"}
FENCES = {"norm": (r"\|", r"\|"), "bar": ("|", "|"), "floor": (r"\lfloor ", r"\rfloor")}
BESIDE = " "
"""Between two factors: letters need no space, words do."""
WORD = r"\mathrm"
TALL = (r"\frac", r"\begin", r"\left(", r"\left[")
"""What brackets have to grow with."""


class Latex(Markup):
    """LaTeX."""

    signs: ClassVar[Mapping[str, str]] = {
        **{"plus": " + ", "minus": "-", "comma": ", ", "transpose": r"\top", "beside": BESIDE},
        **{"each": r" \odot ", "times_each": r"\odot ", "dot": r" \cdot ", "one": r"\mathbf{1}"},
        **{"ones": r"\mathbf{1}", "le": r" \leq ", "ge": r" \geq ", "lt": " < ", "gt": " > "},
        **{"eq": " = ", "ne": r" \neq ", "and": r" \wedge ", "or": r" \vee ", "not": r"\neg "},
        "mod": r" \operatorname{mod} ",
    }

    def name(self, text: str) -> str:
        """A letter, a Greek one, a word; digits at the end are an index."""
        found = re.fullmatch(r"([A-Za-z]+?)_?(\d+)", text)
        stem, index = (found[1], found[2]) if found else (text, "")
        stem = SHORT.get(stem, stem)
        if stem in GREEK:
            shown = rf"\{stem}"
        else:
            shown = stem if len(stem) == 1 else rf"{WORD}{{{_escaped(stem)}}}"
        return rf"{shown}_{{{index}}}" if index else shown

    def number(self, text: str) -> str:
        """A number; a power of ten written out."""
        mantissa, e, exponent = text.partition("e")
        times = "" if mantissa == "1" else rf"{mantissa} \cdot "
        return rf"{times}10^{{{int(exponent)}}}" if e else text

    def sign(self, name: str) -> str:
        """An operator."""
        return self.signs[name]

    def row(self, *parts: str) -> str:
        """Parts side by side; a word keeps its distance."""
        shown = list(parts)
        for place, part in enumerate(parts[1:-1], 1):
            around = (parts[place - 1].split(" ")[-1], parts[place + 1])
            if part == BESIDE and any(x.startswith(WORD) for x in around):
                shown[place] = r" \, "
        return "".join(shown)

    def fenced(self, inner: str, left: str = "(", right: str = ")") -> str:
        """Something between brackets that grow with it."""
        if left not in FENCES and not any(word in inner for word in TALL):
            return f"{left}{inner}{right}"
        before, after = FENCES.get(left, (left, right))
        return rf"\left{before}{inner}\right{after}"

    def power(self, base: str, exponent: str) -> str:
        """A superscript; a base that has one is grouped."""
        return rf"{_grouped(base, '^')}^{{{exponent}}}"

    def index(self, base: str, place: str) -> str:
        """A subscript; a base that has one is grouped."""
        return rf"{_grouped(base, '_')}_{{{place}}}"

    def fraction(self, above: str, below: str) -> str:
        """A quotient."""
        return rf"\frac{{{above}}}{{{below}}}"

    def root(self, inner: str) -> str:
        """A square root."""
        return rf"\sqrt{{{inner}}}"

    def function(self, name: str, *, known: bool) -> str:
        """The name of a function, upright."""
        return rf"\{name}" if known else rf"\operatorname{{{_escaped(name)}}}"

    def cases(self, rows: list[tuple[str, str]]) -> str:
        """A choice."""
        lines = r" \\ ".join(rf"{value} & {condition}" for value, condition in rows)
        return rf"\begin{{cases}} {lines} \end{{cases}}"

    def matrix(self, rows: list[list[str]]) -> str:
        """Elements in rows and columns."""
        lines = r" \\ ".join(" & ".join(row) for row in rows)
        return rf"\begin{{pmatrix}} {lines} \end{{pmatrix}}"

    def text(self, words: str) -> str:
        """Plain words."""
        return rf"\text{{{_escaped(words)}}}"

    def lines(self, formulas: Mapping[str, str], named: Mapping[str, str]) -> str:
        """A formula a line; several are partial derivatives of f."""
        shown = []
        for variable, formula in formulas.items():
            first, _, second = variable.partition(",")
            by = rf"\partial {self.name(first)}"
            if second:
                left = rf"\frac{{\partial^{{2}} f}}{{{by} \, \partial {self.name(second)}}}"
            else:
                left = rf"\frac{{\partial f}}{{{by}}}"
            shown.append(f"{left} = {formula}" if variable else formula)
        shown += [rf"\text{{where }} {self.name(n)} = {t}" for n, t in named.items()]
        return "\n".join(shown)


def _escaped(text: str) -> str:
    return re.sub(r"([_&%#${}])", r"\\\1", text)


def _grouped(base: str, mark: str) -> str:
    """A base, in braces where it ends with a script of the same kind already."""
    rest = base
    while rest.endswith("}"):
        depth, place = 0, len(rest)
        while place and (depth or place == len(rest)):
            place -= 1
            depth += {"}": 1, "{": -1}.get(rest[place], 0)
        script = rest[place - 1 : place]
        if script == mark:
            return f"{{{base}}}"
        if script not in ("^", "_"):
            break
        rest = rest[: place - 1]
    return base
