"""Texts become the trees that Python makes of them, with exact spans, at any size."""

from __future__ import annotations

import pytest
from python_oracle import python_tree

from gradcli.errors import GradcliError
from gradcli.language import ast
from gradcli.language.parser import parse_expression, parse_script
from gradcli.source import Source

EXPRESSIONS = r"""
mean(3*(x+2)**2)
-x**-2
--x
2**3**-1
a + b - c*d/e//f%g@h
(a + b) + c
a + (b + c)
a << 1 >> 2 & b ^ c | ~d
not a and b or not c
(a and b) and c
a < b <= c != d == e > f >= g
(a < b) < c
a in b
a not in b is not c is d
x if a else y if b else z
(x if a else y) if b else z
lambda: 0
lambda x, y=1, *a, k, j=2, **z: x if y else k
lambda *, k: k
lambda x,: x
f()
f(x,)
f(x, *y, k=1, *z, **w)
f(i for i in x)
f((i for i in x), 2)
f((i) for i in x)
x.T.mT@y
x[0]
x[0, 1:, None, ..., ::2, a:b:c, mask]
x[:]
x[1,]
x[()]
x[(1, 2)]
x[*a]
x[-1](y)[z].w
()
(a,)
a, b
a, *b,
(a, b), c
[]
[a, *b,]
{a}
{*a, b}
{}
{1: 2, **m, 'k': v,}
[i*j for i in a if i if j for j, *k in b]
{i for i in x}
{k: v for k, v in x if k}
(i for i in x)
[x for x in a if b or c]
[lambda: x for x in a]
1_000 + 0x_ff + 0b11 + 0o17 + 0XfF
1. + .5 + 1e-3 + 1E5 + 1_0.2_5e1_0
2j + 1.5J + 1e3j
00 + 0_0 + 0.5 + 00.5
'a' "b" '''c
d''' r'\d' u'e'
'\n\t\\\'\"\a\b\f\v\0\101\x41\u00e9\U0001F600\N{BULLET}\d'
'a\
b'
"" + ''
f''
f'{x}'
f'a{x}b{{c}}d' 'e'
f'{x!r}{y!s:>10}{z:.{n}f}{w:{a}{b}}'
f'{x + 1:{"a"}}' f"{d['k']}"
f'{ {1: 2} }{(lambda: 0)}{a, b}{a != b}{a == b}'
f'''{
x}'''
rf'\d{x}' fr'\{x}' f'\x41{x}\n'
f'{x:%H\x41}'
True, False, None, ...
θ + λ_1
a if b else lambda: c
print(*x, sep='')
x.if_
(
  a +
  b  # comment
)
a + \
b
""".strip("\n")

SCRIPT = r'''
#!/usr/bin/env gradcli
import torch, math as m
import torch.nn.functional as F
from torch.autograd import (grad, Function as Base,)
from torch import nn
x = y = 1; z = 2;
a, (b, *c) = [d, e] = f
x[0], y.grad = 1, 2
x: int = 3
x: int
x += 1; x -= 1; x *= 1; x /= 1; x //= 1; x %= 1; x @= 1; x **= 1; x &= 1; x |= 1; x ^= 1
x <<= 1, 2
x >>= 1
*a, = b
if a: b
elif c:
	d
	e
elif f: pass
else:
        g
if a:
    if b:
        c
    else:
        if d: e
else:
    if f: g

# a comment

    # another
while a < b:
    break
else: pass
for i, *j in a, b:
    continue
else:
    c
for x in y: z; w
@torch.no_grad()
@no_grad
def f(a: int, b=1, *args: int, c, d: int = 2, **kw) -> None:
    """doc"""
    def g(*, x): return
    return a, *b
def h(): return lambda: 0
try:
    a
except: b
try:
    a
except E: b
except (A, B) as e:
    raise
else: c
finally:
    d
try: a
finally: b
raise E
raise E(a) from b
assert a
assert a, f"{b}"
del a
del a, b[0], (c, d.e)
del (a).x, (b)
del a,
del (a, b)
with a: b
with torch.no_grad(), b as c, d as (e, f): pass
class Square(torch.autograd.Function):
    """doc"""
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g): return g
print(
  1,

    2)
if (a and
    b): c \
  + d
'''


def expression(text: str) -> ast.Expression:
    return parse_expression(Source("<expr>", text))


def script(text: str) -> ast.Script:
    return parse_script(Source("<script>", text))


def split_expressions() -> list[str]:
    """One expression a line; a line goes on while Python cannot read what there is so far."""
    found, text = [], ""
    for line in EXPRESSIONS.split("\n"):
        text = f"{text}\n{line}" if text else line
        try:
            python_tree(f"({text}\n)")
        except SyntaxError:
            continue
        found.append(text)
        text = ""
    assert not text
    return found


@pytest.mark.parametrize("text", split_expressions())
def test_expressions_are_read_as_python_reads_them(text: str) -> None:
    wrapped = f"({text}\n)"
    assert expression(text) == python_tree(wrapped, "eval")
    assert script(wrapped) == python_tree(wrapped)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_script_is_read_as_python_reads_it(line_end: str) -> None:
    text = SCRIPT.replace("\n", line_end)
    assert script(text) == python_tree(SCRIPT)


def test_every_kind_of_node_is_built() -> None:
    built, pending = set(), [script(SCRIPT), *map(expression, split_expressions())]
    while pending:
        node = pending.pop()
        built.add(type(node))
        pending += ast.children(node)
    concrete = {c for c in vars(ast).values() if isinstance(c, type) and c.__subclasses__() == []}
    assert built == {c for c in concrete if issubclass(c, ast.Node)}


def test_self_documenting_fields_keep_their_text() -> None:
    (part,) = expression("f'{x + 1 = }'").parts
    assert (part.prefix, part.conversion, part.spec) == ("x + 1 = ", "r", None)
    (part,) = expression("f'{x=:.2f}'").parts
    assert (part.prefix, part.conversion, part.spec.parts) == ("x=", "", [".2f"])


def test_fields_may_hold_the_quote_of_their_string() -> None:
    (part,) = expression("""f'{d['k']}'""").parts
    assert part.value == expression("d['k']")


def texts(node: ast.Node) -> list[str]:
    return [child.span.text for child in ast.children(node)]


def test_spans_are_exact() -> None:
    source = "  mean( (a + b) *c , dim = 1)  "
    call = expression(source)
    assert call.span.text == source.strip()
    function, product, keyword = ast.children(call)
    assert function.span.text == "mean"
    assert product.span.text == "(a + b) *c"
    assert product.first.span.text == "a + b"
    assert keyword.span.text == "dim = 1"
    assert expression(" (a, b) ").span.text == "(a, b)"
    assert texts(expression("x[1:, -y]").index) == ["1:", "-y"]


def test_spans_inside_f_strings_point_into_the_text() -> None:
    node = expression("'a' f'b{ x + y!r:>{w}}'")
    (placeholder,) = ast.children(node)
    assert placeholder.span.text == "{ x + y!r:>{w}}"
    assert placeholder.value.span.text == "x + y"
    assert placeholder.spec.parts[1].value.span.text == "w"


def test_statements_end_with_their_last_word() -> None:
    body = script("if a:\n    b  # comment\n\n\nx = 1 ; y\n").body
    assert [s.span.text for s in body] == ["if a:\n    b", "x = 1", "y"]


def test_depth_counts_nodes_not_parentheses() -> None:
    assert expression("((((x))))").depth == 1
    assert expression("a + b + c*d").depth == 3


FLAT = {
    "parentheses": "(" * 10_000 + "x" + ")" * 10_000,
    "chain": "+".join(["x"] * 100_000),
    "mixed": " + ".join(["x*2@y"] * 20_000),
    "comparison": "<".join(["x"] * 20_000),
    "boolean": " and ".join(["x"] * 20_000),
    "strings": "'a' " * 20_000,
    "fields": "f'" + "{x}" * 20_000 + "'",
    "list": "[" + "1," * 20_000 + "]",
}
DEEP = {
    "lists": "[" * 1000 + "]" * 1000,
    "minus": "-" * 100_000 + "x",
    "powers": "**".join(["2"] * 20_000),
    "lambdas": "lambda: " * 20_000 + "x",
    "calls": "f(" * 20_000 + "x" + ")" * 20_000,
    "conditionals": "a if b else " * 20_000 + "x",
    "attributes": "x" + ".a" * 20_000,
    "nots": "not " * 20_000 + "x",
    "fields": "f'{" * 3000 + "x" + "}'" * 3000,
    "specs": "f'" + "{x:" * 3000 + "}" * 3000 + "'",
}


@pytest.mark.parametrize("name", FLAT)
def test_flat_texts_of_any_length_parse(name: str) -> None:
    assert expression(FLAT[name]).depth <= 4


@pytest.mark.parametrize("name", DEEP)
def test_deep_texts_are_refused_with_a_place(name: str) -> None:
    with pytest.raises(GradcliError) as caught:
        expression(DEEP[name])
    assert caught.value.diagnostic.code == "G003"
    place = caught.value.diagnostic.labels[0].span
    assert 0 <= place.start < place.end <= len(DEEP[name])


def test_the_deepest_text_that_fits_parses() -> None:
    deepest = "[" * ast.MAX_DEPTH + "]" * ast.MAX_DEPTH
    assert expression(deepest).depth == ast.MAX_DEPTH
    blocks = "".join(" " * i + "if x:\n" for i in range(3000)) + " " * 3000 + "pass"
    with pytest.raises(GradcliError, match="nested"):
        script(blocks)


def test_a_byte_order_mark_and_blank_texts() -> None:
    assert script("\ufeffx = 1") == script("x = 1")
    assert script("").body == script("\n# only a comment\n\n").body == []
    assert expression("\n\n  x +\n 1\n\n") == expression("x + 1")


def test_names_are_normalized_as_in_python() -> None:
    assert expression("ﬁt").id == "fit"
    assert expression("𝐱").id == "x"
    assert expression("e\u0301").id == "\u00e9"
    assert expression("x\u0302_1").id == "x\u0302_1"
