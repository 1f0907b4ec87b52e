"""Formulas as MathML (Presentation), which browsers show.

Constraints: see render/notation.py; one `<math>` element for each formula.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import ClassVar

from gradcli.render.latex import GREEK, SHORT
from gradcli.render.markups import Markup

SMALL = dict(
    zip(
        (
            *(
                "alpha",
                "beta",
                "gamma",
                "delta",
                "epsilon",
                "zeta",
                "eta",
                "theta",
                "iota",
                "kappa",
            ),
            *(
                "lambda",
                "mu",
                "nu",
                "xi",
                "pi",
                "rho",
                "sigma",
                "tau",
                "phi",
                "chi",
                "psi",
                "omega",
            ),
        ),
        "αβγδεζηθικλμνξπρστφχψω",
        strict=True,
    )
)
LETTERS = SMALL | {name.capitalize(): letter.upper() for name, letter in SMALL.items()}
THIN = '<mspace width="0.17em"/>'
WORD = re.compile(r"(<[a-z]+>)*<mi>\w\w")
"""How a part begins that is more than a letter."""
FENCES = {"norm": ("‖", "‖"), "bar": ("|", "|"), "floor": ("⌊", "⌋")}


class MathML(Markup):
    """MathML."""

    signs: ClassVar[Mapping[str, str]] = {
        **{"plus": "+", "minus": "−", "comma": ",", "transpose": "⊤", "beside": "\u2062"},
        **{"each": "⊙", "times_each": "⊙", "dot": "⋅", "le": "≤", "ge": "≥", "lt": "<"},
        **{"gt": ">", "eq": "=", "ne": "≠", "and": "∧", "or": "∨", "not": "¬"},
        "mod": "mod",
    }

    def name(self, text: str) -> str:
        """A variable; digits at the end are an index."""
        stem = text.rstrip("0123456789")
        index = text[len(stem) :]
        if not stem:
            return self.number(text)
        stem = SHORT.get(stem, stem)
        shown = f"<mi>{escape(LETTERS.get(stem, stem) if stem in GREEK else stem)}</mi>"
        return f"<msub>{shown}<mn>{index}</mn></msub>" if index else shown

    def number(self, text: str) -> str:
        """A number."""
        return f"<mn>{escape(text)}</mn>"

    def sign(self, name: str) -> str:
        """An operator."""
        if name in ("one", "ones"):
            return "<mn>𝟏</mn>"
        return f"<mo>{escape(self.signs[name])}</mo>"

    def row(self, *parts: str) -> str:
        """Parts side by side; a word keeps its distance."""
        if len(parts) == 1:
            return parts[0]
        times = self.sign("beside")
        pairs = zip(parts, (*parts[1:], ""), strict=True)
        shown = (x + THIN if x == times and WORD.match(after) else x for x, after in pairs)
        return f"<mrow>{''.join(shown)}</mrow>"

    def fenced(self, inner: str, left: str = "(", right: str = ")") -> str:
        """Something between brackets."""
        before, after = FENCES.get(left, (left, right))
        return f"<mrow><mo>{before}</mo>{inner}<mo>{after}</mo></mrow>"

    def power(self, base: str, exponent: str) -> str:
        """A superscript."""
        return f"<msup><mrow>{base}</mrow><mrow>{exponent}</mrow></msup>"

    def index(self, base: str, place: str) -> str:
        """A subscript."""
        return f"<msub><mrow>{base}</mrow><mrow>{place}</mrow></msub>"

    def fraction(self, above: str, below: str) -> str:
        """A quotient."""
        return f"<mfrac><mrow>{above}</mrow><mrow>{below}</mrow></mfrac>"

    def root(self, inner: str) -> str:
        """A square root."""
        return f"<msqrt>{inner}</msqrt>"

    def function(self, name: str, *, known: bool) -> str:
        """The name of a function."""
        return f"<mi>{escape(name)}</mi><mo>\u2061</mo>"

    def cases(self, rows: list[tuple[str, str]]) -> str:
        """A choice."""
        left = '<mtd style="text-align: left">'
        lines = "".join(
            f"<mtr>{left}{value}</mtd>{left}{condition}</mtd></mtr>" for value, condition in rows
        )
        return f"<mrow><mo>{{</mo><mtable>{lines}</mtable></mrow>"

    def matrix(self, rows: list[list[str]]) -> str:
        """Elements in rows and columns."""
        lines = ("".join(f"<mtd>{x}</mtd>" for x in row) for row in rows)
        table = "".join(f"<mtr>{line}</mtr>" for line in lines)
        return f"<mrow><mo>(</mo><mtable>{table}</mtable><mo>)</mo></mrow>"

    def text(self, words: str) -> str:
        """Plain words."""
        return f"<mtext>{escape(words)}</mtext>"

    def lines(self, formulas: Mapping[str, str], named: Mapping[str, str]) -> str:
        """A `math` element a line."""
        shown = [
            self.row(self._derivative(variable), self.sign("eq"), formula) if variable else formula
            for variable, formula in formulas.items()
        ]
        where = self.text("where\u00a0")
        shown += [self.row(where, self.name(n), self.sign("eq"), t) for n, t in named.items()]
        return "\n".join(
            f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{line}</math>'
            for line in shown
        )

    def _derivative(self, variable: str) -> str:
        """A partial derivative of f by a variable, or by two."""
        by, f = variable.split(","), "<mi>f</mi>"
        above = "<mo>∂</mo>" if len(by) == 1 else self.power("<mo>∂</mo>", self.number("2"))
        return self.fraction(above + f, "".join(f"<mo>∂</mo>{self.name(x)}" for x in by))
