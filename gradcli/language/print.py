"""Syntax trees to text: `parse(unparse(tree)) == tree`, with as few parentheses as can be.

Constraints: precedence comes from the grammar's ladder; every kind of node has one row in
`EXPRESSIONS` or `STATEMENTS`; walks without recursion, from the leaves up.
"""

from __future__ import annotations

from gradcli.language import ast
from gradcli.language.print_expressions import EXPRESSIONS, KEPT_LINE_END, Printer
from gradcli.language.print_statements import STATEMENTS


def unparse(node: ast.Node) -> str:
    """The text of an expression or a script (without a final line end)."""
    order = [node]
    for each in order:
        order += ast.children(each)
    printer = Printer({**EXPRESSIONS, **STATEMENTS})
    for each in reversed(order):
        printer.add(each)
    return printer.show(node).replace(KEPT_LINE_END, "\n")
