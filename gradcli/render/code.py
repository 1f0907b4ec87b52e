"""Formulas as functions of other languages, complete with imports and helpers.

Constraints: the tables are render/targets.py; what a language has no word for is G038.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.language import ast
from gradcli.language.make import make
from gradcli.language.print import unparse
from gradcli.render import tree
from gradcli.render.array_code import used_by
from gradcli.render.targets import TARGETS, Target
from gradcli.render.tree import NOWHERE, Tree


def function_text(
    target: str,
    name: str,
    parameters: Sequence[str],
    formulas: Mapping[str, Tree],
    meanings: Mapping[str, Tree],
    doc: str,
    like: str = "",
) -> str:
    """A function that computes formulas: one value, or a dict by variable.

    Args:
        target: "numpy", "torch", "jax" or "python".
        name: of the function.
        parameters: its parameters, in order.
        formulas: variable -> formula.
        meanings: what the names in them mean, in order.
        doc: its docstring.
        like: a parameter to take the dtype of new tensors from.
    """
    language = TARGETS[target]._replace(like=like)
    writer = _Code(language)
    lines = [f"    {n} = {unparse(writer.tree(t))}" for n, t in meanings.items()]
    texts = {n: unparse(writer.tree(t)) for n, t in formulas.items()}
    if len(texts) == 1:
        (value,) = texts.values()
        lines.append(f"    return {value}")
    else:
        lines += ["    return {", *(f'        "{n}": {t},' for n, t in texts.items()), "    }"]
    quoted = doc.replace("\\", "\\\\").replace('"""', "'''")
    head = [f"def {name}({', '.join(parameters)}):", f'    """{quoted}"""']
    helpers = [language.helpers[n] for n in used_by("\n".join(lines), language.helpers)]
    body = "\n\n\n".join([*helpers, "\n".join([*head, *lines])])
    imports = _imports(language, body)
    return f"{imports}\n\n\n{body}" if imports else body


def _imports(language: Target, body: str) -> str:
    lines = [
        line
        for alias, line in language.imports.items()
        if re.search(rf"(?<![\w.]){re.escape(alias)}\.", body)
    ]
    return "\n".join(dict.fromkeys(sorted(lines)))


class _Code:
    """Translates trees."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def tree(self, node: Any) -> Any:
        """The same formula in the language."""
        if isinstance(node, list):
            return [self.tree(x) for x in node]
        if isinstance(node, tuple):
            return tuple(self.tree(x) for x in node)
        if not isinstance(node, ast.Node):
            return node
        if isinstance(node, ast.Attribute) and unparse(node) == "math.pi":
            prefix = {"numpy": "np", "jax": "jnp"}.get(self.target.name, "math")
            return tree.name(f"{prefix}.pi")
        fields = [self.tree(getattr(node, f)) for f in node.fields]
        made = make(type(node), NOWHERE, *fields)
        return self._call(made) if isinstance(made, ast.Call) else made

    def _call(self, call: ast.Call) -> Tree:
        function = call.function
        if isinstance(function, ast.Attribute):
            text = unparse(function)
            if text not in self.target.rows:
                return self._method(function, call)
        else:
            text = unparse(function)
        return self._written(self.target.rows.get(text), call, text)

    def _method(self, function: ast.Attribute, call: ast.Call) -> Tree:
        row = self.target.methods.get(function.name)
        opened = make(ast.Call, NOWHERE, function, [function.value, *call.arguments], call.keywords)
        return self._written(row, opened, function.name)

    def _written(self, row: Any, call: ast.Call, name: str) -> Tree:
        if row is None:
            raise GradcliError(
                "G038",
                f"the formula has {name}, which --to {self.target.name} has no word for",
                help="--to text prints it in gradcli's language, --to torch knows most functions",
            )
        made: Tree = (
            make(ast.Call, NOWHERE, tree.name(row), call.arguments, call.keywords)
            if isinstance(row, str)
            else row(self.target, call)
        )
        return made
