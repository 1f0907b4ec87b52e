"""What is outside the language is refused before anything runs; what is inside passes."""

from __future__ import annotations

import pytest

from gradcli.errors import GradcliError
from gradcli.language import fence
from gradcli.language.parser import parse_expression, parse_script
from gradcli.source import Source

REFUSED = [
    # text, what is marked, a part of the sentence
    ("async def f(): pass", "async", "asynchronous code"),
    ("x = await y", "await", "asynchronous code"),
    ("def f():\n    yield 1", "yield", "generator functions"),
    ("x = (yield)", "yield", "generator functions"),
    ("global x", "global", "global declarations"),
    ("nonlocal x", "nonlocal", "nonlocal declarations"),
    ("if (n := 3): pass", ":=", "assignment inside an expression"),
    ("f(n := 3)", ":=", "assignment inside an expression"),
    ("x[n:=3]", ":=", "assignment inside an expression"),
    ("{n:=3}", ":=", "assignment inside an expression"),
    ("match x:\n    case 1: pass", "match", "match statements"),
    ("type X = int", "type", "type aliases"),
    ("try: x\nexcept* E: y", "*", "exception groups"),
    ("from . import x", ".", "relative imports"),
    ("from .x import y", ".", "relative imports"),
    ("from torch import *", "from torch import *", "'from ... import *'"),
    ("x = b'abc'", "b'abc'", "byte strings"),
    ("x = 'a' rb'b'", "rb'b'", "byte strings"),
    ("def f(a, /, b): pass", "/", "positional-only"),
    ("import numpy as np", "numpy", "numpy cannot be imported"),
    ("import torch, os.path", "os.path", "os.path cannot be imported"),
    ("from subprocess import run", "subprocess", "subprocess cannot be imported"),
    ("class A: pass", "class A: pass", "classes are outside"),
    ("class A(nn.Module):\n    pass", "class A(nn.Module):", "classes are outside"),
    ("class A(Function, B): pass", "class A(Function, B): pass", "classes are outside"),
    ("class A(Function, metaclass=M): pass", "metaclass=M", "classes are outside"),
    ("class A(Function):\n    x = 1", "x = 1", "holds only methods"),
    ("@f\nclass A(Function): pass", "f", "decorators of classes"),
    ("@jit\ndef f(): pass", "jit", "this decorator"),
    ("@torch.compile()\ndef f(): pass", "torch.compile()", "this decorator"),
    ("with foo(): pass", "foo()", "this context manager"),
    ("with open('f') as f: pass", "open", "scripts do not reach files"),
    ("x.__class__", "__class__", "two underscores"),
    ("__builtins__", "__builtins__", "two underscores"),
    ("__import__('os')", "__import__", "two underscores"),
    ("def __init__(self): pass", "def __init__(self): pass", "two underscores"),
    ("f'{x.__dict__}'", "__dict__", "two underscores"),
    ("x.__ｃlass__", "__ｃlass__", "two underscores"),
    ("[eval for x in y]", "eval", "text is never run as code"),
    ("map(exec, x)", "exec", "text is never run as code"),
    ("getattr(x, 'y')", "getattr", "getattr is outside"),
    ("globals()", "globals", "do not reach the interpreter"),
    ("vars(x)", "vars", "do not reach the interpreter"),
    ("breakpoint()", "breakpoint", "do not reach the interpreter"),
    ("quit(1)", "quit", "ends at its last line"),
    ("id(x)", "id", "do not reach the interpreter"),
    ("dir(x)", "dir", "do not reach the interpreter"),
    ("input('?')", "input", "do not read the terminal"),
    ("super().f()", "super", "super is outside"),
]
ALLOWED = """
import torch
import torch.nn.functional as F, math
import torch.nn as nn
from torch import nn, Tensor
from torch.autograd import Function, Variable, grad
from torch.autograd.functional import jacobian
from torch.func import vmap
from __future__ import annotations
input = torch.randn(3); input.sum()
open = 3; open + 1
def id(x): return x
id(3)
x = lambda compile: compile(3)
for vars in x: vars(1)
match = 3; match(x); match[0]
case = type = 3
print(type(x))
with torch.no_grad(), torch.autograd.detect_anomaly(): pass
with torch.set_grad_enabled(False): pass
ctx = torch.no_grad()
with ctx: pass
@torch.no_grad()
def f(): pass
@torch.set_grad_enabled(False)
def f(): pass
if __name__ == '__main__': f()
class F(Function): pass
class G(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x
    @staticmethod
    @once_differentiable
    def backward(ctx, g): return g
"""


@pytest.mark.parametrize(("text", "marked", "sentence"), REFUSED)
def test_python_outside_the_language_is_refused(text: str, marked: str, sentence: str) -> None:
    with pytest.raises(GradcliError) as caught:
        parse_script(Source("<script>", text))
    diagnostic = caught.value.diagnostic
    assert diagnostic.code == "G002"
    assert sentence in diagnostic.message
    assert diagnostic.labels[0].span.text == marked


def test_the_rest_passes() -> None:
    assert len(parse_script(Source("<script>", ALLOWED)).body) == 30


def test_a_variable_called_input_is_a_variable() -> None:
    parse_expression(Source("<expr>", "sum(input**2)"))


def test_the_first_refusal_of_a_text_is_shown() -> None:
    with pytest.raises(GradcliError) as caught:
        parse_script(Source("<script>", "x = 1\nbreak\nimport os\neval(x)"))
    assert caught.value.diagnostic.labels[0].span.start == 6


def test_sentences_are_sentences() -> None:
    for sentence, way_out in fence.FENCE.values():
        assert sentence[0].islower() or sentence[0] in "'{"
        assert not sentence.endswith(".")
        assert not way_out.endswith(".")
    assert set(fence.FUNCTIONS.values()) | fence.WORDS <= set(fence.FENCE)


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("id(x)", "x is y"),
        ("dir(x)", "hasattr"),
        ("globals()", "a dict"),
        ("x.__class__", "type(x)"),
        ("eval('3')", "in a function"),
        ("getattr(x, 'y')", "x.grad"),
        ("def f():\n    yield 3", "in a list"),
        ("def f():\n    global x", "return it"),
    ],
)
def test_refusals_name_a_way_out(text: str, way: str) -> None:
    with pytest.raises(GradcliError) as caught:
        parse_script(Source("<script>", text))
    assert way in "".join(caught.value.diagnostic.help)
