"""Each syntax error says what is wrong in plain words, where, and what to write."""

from __future__ import annotations

import pytest

from gradcli.errors import GradcliError
from gradcli.language.parser import parse_expression, parse_script
from gradcli.source import Source

STATEMENT = "an expression is expected here, and this is a statement of a script"

EXPRESSIONS = [
    # text, what is marked, message, a part of the help
    ("mean(3*(x+2)**2", (15, ""), "expected ')' to close '(' opened at line 1", ""),
    ("mean(3*(x+2]", (11, "]"), "']' does not close '('", "')'"),
    ("x +", (3, ""), "expected an expression after '+'", ""),
    ("f(x, )*", (7, ""), "expected an expression after '*'", ""),
    ("", (0, ""), "expected an expression, and the text is empty", ""),
    ("2x", (0, "2x"), "a product needs '*'", "did you mean 2*x?"),
    ("x y", (2, "y"), "expected an operator between 'x' and 'y'", "x*y"),
    ("f(a b)", (4, "b"), "expected an operator or a comma between 'a' and 'b'", "a*b"),
    ("a && b", (2, "&&"), "'&&' is not an operator", "'a and b'"),
    ("a || b", (2, "||"), "'||' is not an operator", "'a or b'"),
    ("!x", (0, "!"), "'!' is not an operator", "'not x'"),
    ("x++", (1, "++"), "'++' is not an operator", "x += 1"),
    ("a === b", (2, "==="), "'===' is not an operator", "'=='"),
    ("a => b", (2, "=>"), "'=>' is not an operator", "'>='"),
    ("a <> b", (2, "<>"), "'<>' is not an operator", "'!='"),
    ("}", (0, "}"), "'}' closes nothing", "remove it"),
    ("x)", (1, ")"), "')' closes nothing", "remove it"),
    ("x×y", (1, "×"), "the character × (multiplication sign) is not part of", "write *"),
    ("x − y", (2, "−"), "the character − (minus sign) is not part of", "write -"),
    ("x·y", (1, "·"), "the character · (middle dot) is not part of", "write *"),
    ("x²", (1, "²"), "the character ² (superscript two) is not part of", "write **2"),
    ("“a”", (0, "“"), "the character “ (left double quotation mark)", 'write "'),
    ("x\xa0+ 1", (1, "\xa0"), "the character U+00A0 (no-break space)", "a plain space"),
    ("x\x00", (1, "\x00"), "the text holds a NUL character", ""),
    ("x\udc80", (1, "\udc80"), "the text holds a byte that is not UTF-8", ""),
    ("x + \x07", (4, "\x07"), "the character U+0007 is not part of the language", ""),
    ("'abc", (0, "'abc"), "this string is not closed", "end it with '"),
    ("'''abc", (0, "'''abc"), "this triple-quoted string is not closed", "'''"),
    ("f'a{x}", (0, "f'a{x}"), "this string is not closed", "end it with '"),
    ("f'{x'", (4, "'"), "expected '}' to close '{' in this f-string", ""),
    ("f'{}'", (3, "}"), "expected an expression after '{'", ""),
    ("f'{x!z}'", (4, "!z"), "a conversion in an f-string is !r, !s or !a", ""),
    ("f'a}'", (3, "}"), "a single '}' in an f-string", "}}"),
    ("f'{x y}'", (5, "y"), "expected an operator or a comma between", ""),
    (r"'\x1'", (1, r"\x"), r"the escape \x is incomplete", r"\\"),
    (r"'a\N{no such}'", (2, r"\N{no such}"), "there is no character named no such", ""),
    (r"f'a{x}\ud800'", (6, r"\ud800"), r"there is no character \ud800", ""),
    ("0777", (0, "0777"), "an integer does not start with 0", "0o777"),
    ("1__0", (0, "1__0"), "'_' stands between two digits of a number", ""),
    ("x.", (2, ""), "expected a name after '.'", ""),
    ("x.class", (2, "class"), "'class' is a word of the language", "class_"),
    ("x[]", (2, "]"), "expected an expression after '['", ""),
    ("a if b", (6, ""), "expected 'else' after 'b'", ""),
    ("f(x=1, 2)", (7, "2"), "an argument by position comes after one by keyword", ""),
    ("f(a=1, a=2)", (7, "a=2"), "the keyword a is given twice", ""),
    ("f(i for i in x, 2)", (2, "i for i in x"), "a generator beside other arguments", ""),
    ("f(1, (i) for i in x)", (5, "(i) for i in x"), "a generator beside other arguments", ""),
    ("lambda x, x: 1", (10, "x"), "two parameters are called x", ""),
    ("print 'a'", (6, "'a'"), "print is a function", "print('a')"),
    ("x = 3", (2, "="), STATEMENT, "x='3'"),
    ("x += 1", (2, "+="), STATEMENT, "gradcli run"),
    ("import torch", (0, "import"), STATEMENT, "gradcli run"),
    ("def f(x):\n    return x\n", (0, "def"), STATEMENT, "gradcli run"),
    ("x; y", (1, ";"), STATEMENT, "gradcli run"),
    ("x\ny", (2, "y"), STATEMENT, "gradcli run"),
    ("[for i in x]", (1, "for"), "'for' begins a statement", ""),
    ("in x", (0, "in"), "'in' begins no expression", ""),
]
SCRIPTS = [
    ("if x\n    y", (4, ""), "expected ':' after 'x'", ""),
    ("while x pass", (8, "pass"), "expected ':' after 'x'", ""),
    ("x[1 pass]", (4, "pass"), "'pass' does not fit after '1'", ""),
    ("if x:\ny", (6, "y"), "expected an indented block after the ':'", "pass"),
    ("if x = 3:\n    y", (5, "="), "'=' assigns; it does not compare", "'=='"),
    ("  x", (0, "  "), "this line is indented and no block starts here", ""),
    ("if x:\n    y\n  z", (12, "  "), "this indentation fits no block above", ""),
    ("if x:\n\ty\n        z", (9, "        "), "tabs and spaces are mixed", "spaces only"),
    ("else: x", (0, "else"), "'else' begins no statement", "line it up"),
    ("if x: y\nelse if z: w", (8, "else if"), "'else if' is one word", "'elif'"),
    ("for i x: y", (6, "x"), "expected 'in' between 'i' and 'x'", ""),
    ("def f x: pass", (6, "x"), "expected '(' after 'f'", ""),
    ("def f(x=1, y): pass", (11, "y"), "y needs a default", ""),
    ("def f(*): pass", (6, "*"), "a bare '*' needs a parameter", ""),
    ("lambda = 3", (0, "lambda"), "'lambda' is a word of the language", "lambda_"),
    ("x = f(a, b\ny = 3\n", (11, "y"), "expected ')' to close '(' opened at line 1", ""),
    ("x = [1,\n2\n)", (10, ")"), "')' does not close '['", "']'"),
    ("f() = 3", (0, "f()"), "cannot assign to the result of a call", "'=='"),
    ("True = 3", (0, "True"), "cannot assign to a literal", ""),
    ("a + b = 2", (0, "a + b"), "cannot assign to an expression", ""),
    ("(a, b) += 1", (0, "(a, b)"), "cannot assign to a tuple", ""),
    ("*a, *b = c", (4, "*b"), "cannot assign to so many starred targets", ""),
    ("*a = c", (3, "="), "a starred target stands in a tuple", ""),
    ("for f() in x: y", (4, "f()"), "cannot assign to the result of a call", ""),
    ("del f()", (4, "f()"), "cannot delete the result of a call", ""),
    ("try:\n    x\ny", (0, "try"), "expected 'except' or 'finally'", ""),
    ("try: x\nexcept: y\nexcept E: z", (7, "except"), "a bare 'except:' comes last", ""),
    ("return 3", (0, "return 3"), "'return' stands outside a function", "indent it below def"),
    ("if x: break", (6, "break"), "'break' stands outside a loop", "indent it below for"),
    ("for i in x:\n    def f(): continue", (25, "continue"), "outside a loop", ""),
    ("while x: if y: z", (9, "if"), "'if' begins a statement", "line of its own"),
    ("import", (6, ""), "expected a name after 'import'", ""),
    ("@f", (2, ""), "expected '@' or 'class' or 'def'", ""),
    ("x = 1 +\n2", (7, ""), "expected an expression after '+'", ""),
    ("x = 'abc\ny'", (4, "'abc"), "this string is not closed", ""),
    ("print x", (6, "x"), "print is a function", "print(x)"),
]


def check(error: GradcliError, text: str, place: tuple[int, str], message: str, help: str) -> None:
    diagnostic = error.diagnostic
    span = diagnostic.labels[0].span
    assert diagnostic.code == "G001"
    assert message in diagnostic.message
    assert help in "\n".join(diagnostic.help)
    assert (span.start, span.text) == place
    assert error.kind is SyntaxError


@pytest.mark.parametrize(("text", "place", "message", "help"), EXPRESSIONS)
def test_expressions(text: str, place: tuple[int, str], message: str, help: str) -> None:
    with pytest.raises(GradcliError) as caught:
        parse_expression(Source("<expr>", text))
    check(caught.value, text, place, message, help)


@pytest.mark.parametrize(("text", "place", "message", "help"), SCRIPTS)
def test_scripts(text: str, place: tuple[int, str], message: str, help: str) -> None:
    with pytest.raises(GradcliError) as caught:
        parse_script(Source("<script>", text))
    check(caught.value, text, place, message, help)


@pytest.mark.parametrize(
    ("text", "opener"),
    [("f(x", 1), ("f(x]", 1), ("f(\n(a\n b = 3", 3), ("[(1, 2)", 0), ("f'{x'", 2), ("[1, 2 +", 0)],
)
def test_the_opening_bracket_is_the_second_place(text: str, opener: int) -> None:
    with pytest.raises(GradcliError) as caught:
        parse_script(Source("<script>", text))
    assert caught.value.diagnostic.labels[1].span.start == opener


@pytest.mark.parametrize("text", ["9" * 5000, "0x" + "f" * 4000, "0x" + "f" * 20_000])
def test_integers_that_python_cannot_print_are_refused(text: str) -> None:
    with pytest.raises(GradcliError) as caught:
        parse_expression(Source("<expr>", text))
    assert caught.value.diagnostic.code == "G062"
