"""What can stand left of `=`, after `for`, `as` and `del`.

Constraints: checks nodes that were built as expressions (G001); without recursion.
"""

from __future__ import annotations

from gradcli.language import ast
from gradcli.language.unreadable import error

PLACES = (ast.Name, ast.Attribute, ast.Subscript)
WORDS: dict[type[ast.Node], str] = {
    ast.Call: "the result of a call",
    ast.Constant: "a literal",
    ast.FormattedString: "a literal",
    ast.Compare: "a comparison",
    ast.Conditional: "a conditional expression",
    ast.Lambda: "a lambda",
    ast.Comprehension: "a comprehension",
    ast.Dict: "a dict",
    ast.Set: "a set",
    ast.Tuple: "a tuple",
    ast.List: "a list",
}


def check_target(target: ast.Expression, verb: str = "assign to") -> None:
    """Raises unless `target` is a place, or places in tuples, lists and one star each."""
    if isinstance(target, ast.Starred):
        raise error(target.span, "a starred target stands in a list or tuple", "write *name, = ...")
    pending = [target]
    while pending:
        each = pending.pop()
        if isinstance(each, (ast.Tuple, ast.List)):
            stars = [item for item in each.items if isinstance(item, ast.Starred)]
            if len(stars) > (verb == "assign to"):
                raise error(stars[-1].span, f"cannot {verb} so many starred targets")
            pending += [i.value if isinstance(i, ast.Starred) else i for i in each.items]
        else:
            check_place(each, verb)


def check_place(target: ast.Expression, verb: str = "assign to") -> None:
    """Raises unless `target` is a name, an attribute or a subscript."""
    if not isinstance(target, PLACES):
        what = WORDS.get(type(target), "an expression")
        raise error(target.span, f"cannot {verb} {what}", "to compare, write '=='")
