"""The builders: one for each rule of the grammar, called while the text is parsed.

Constraints: expressions.py and statements.py hold them; a rule without one fails in tests/language.
"""

from __future__ import annotations

from gradcli.language.expressions import EXPRESSIONS
from gradcli.language.make import Builder
from gradcli.language.statements import STATEMENTS

BUILDERS: dict[str, Builder] = {**EXPRESSIONS, **STATEMENTS}
"""The builder of each rule, or alias of a rule, in grammar/gradcli.lark."""
