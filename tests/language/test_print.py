"""Trees become text in the style of formulas, and the text becomes the same tree."""

from __future__ import annotations

import pytest

from gradcli.language import ast
from gradcli.language.parser import parse_expression, parse_script
from gradcli.language.print import unparse
from gradcli.source import Source, Span

SPAN = Span(Source("", ""), 0, 0)

STYLE = {
    "mean( 3 * (x+2) ** 2 )": "mean(3*(x + 2)**2)",
    "((a))+((b))": "a + b",
    "(- x)": "-x",
    "X . T @ y": "X.T@y",
    "f( x ,dim = 0,)": "f(x, dim=0)",
    "(a+b)+c": "(a + b) + c",
    "a+(b*c)": "a + b*c",
    "(a*b)**(-c)": "(a*b)**-c",
    "(-a)**2": "(-a)**2",
    "-(a**2)": "-a**2",
    "(2**3)**4": "(2**3)**4",
    "2**(3**4)": "2**3**4",
    "not(a)and(b)": "not a and b",
    "(not a)==b": "(not a) == b",
    "a<(b<c)": "a < (b < c)",
    "(x if a else y)if b else z": "(x if a else y) if b else z",
    "(lambda : 0)( 1 )": "(lambda: 0)(1)",
    "lambda x,*,y = 1:x": "lambda x, *, y=1: x",
    "x[ 1 : , : : 2 , None,... ]": "x[1:, ::2, None, ...]",
    "x[(a,b)]": "x[a, b]",
    "(1,)": "1,",
    "((1,2),3)": "(1, 2), 3",
    "(1).real": "(1).real",
    "1.5.real": "1.5.real",
    "{'a':1,**b}": "{'a': 1, **b}",
    "[i for i in (lambda:x)if(y)]": "[i for i in (lambda: x) if y]",
    "f((i for i in x))": "f(i for i in x)",
    "f((i for i in x),1)": "f((i for i in x), 1)",
    "1_000+0xff+1E3+2J+1e999": "1000 + 255 + 1000.0 + 2j + 1e999",
    "'a' \"b\"": "'ab'",
    "f'{ x !r:>{w}}\"{{' '\\n'": 'f"{x!r:>{w}}\\"{{\\n"',
    "f'{(lambda:0)}{ {1} }'": 'f"{(lambda: 0)}{ {1}}"',
    "f'{x = }'": 'f"{x = }"',
    "f'{x:\\x7b}'": 'f"{x:\\x7b}"',
}


@pytest.mark.parametrize("text", STYLE)
def test_style(text: str) -> None:
    tree = parse_expression(Source("", text))
    assert unparse(tree) == STYLE[text]
    assert parse_expression(Source("", STYLE[text])) == tree


def test_statements() -> None:
    text = """\
import torch as t, math
from torch import nn, Tensor as T
x, *y = z = 1, 2
x[0] **= 3
@t.no_grad()
def f(a, b=1, *c, d, **e):
    if a:
        return
    elif b:
        return a, b
    else:
        assert a, 'no'
    for i, j in a, b:
        continue
    else:
        while a:
            break
    try:
        del a, (b, c)
    except (E, F) as e:
        raise e from None
    finally:
        pass
class G(Function):
    @staticmethod
    def forward(ctx, *, x):
        with t.no_grad(), a as b:
            print(f"{
x=}")"""
    assert unparse(parse_script(Source("", text))) == text


def test_negative_constants_of_other_trees_bind_like_a_sign() -> None:
    minus = ast.Constant(-2, span=SPAN)
    assert unparse(ast.Power(minus, minus, span=SPAN)) == "(-2)**-2"


def test_the_deepest_tree_prints() -> None:
    text = "-" * 499 + "x"
    assert unparse(parse_expression(Source("", text))) == text
