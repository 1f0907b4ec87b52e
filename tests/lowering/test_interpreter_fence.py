"""No program leaves the language, and none builds more than the limits allow."""

from __future__ import annotations

import pytest

from gradcli.lowering.interpret import Interpreter
from gradcli.lowering.lower import LOWERINGS

BOMBS = [
    "10**10**10",
    "2**2**40",
    "(-3)**10**9",
    "True*7**10**9",
    "1<<10**12",
    "x = 9\nfor i in range(99):\n    x = x*x",
    "x = 9\nfor i in range(99):\n    x *= x",
    "x = 9\nfor i in range(99):\n    x = x**99",
    "x = 9\nfor i in range(99):\n    x = x + 1\n    y = 'a'*(x*10**10)",
    "x = 9\nx **= 10**9",
    "x = 9\nx <<= 10**10",
    "pow(10, 10**10)",
    "'a'*10**12",
    "10**12*'a'",
    "x = 'a'\nx *= 10**12",
    "[0]*10**12",
    "(0, 1)*10**12",
    "x = 'a'\nfor i in range(99):\n    x = x + x",
    "x = 'a'\nfor i in range(99):\n    x += x",
    "x = 'a'\nfor i in range(99):\n    x = f'{x}{x}'",
    "x = [0]*10**6\nfor i in range(99):\n    x += x",
    "list(range(10**12))",
    "tuple(range(10**12))",
    "set(range(10**12))",
    "sorted(range(10**12))",
    "dict.fromkeys(range(10**12))",
    "[*range(10**12)]",
    "print(*range(10**12))",
    "a, *b = range(10**12)",
    "x = []\nx.extend(range(10**12))",
    "x = []\nx += range(10**12)",
    "{1}.union(range(10**12))",
    "','.join(['a'*10**6]*10**6)",
    "list(map(list, [range(10**12)]))",
    "list(range(10**30))",
    "[0 for i in range(10**12)]",
    "[i for j in range(3) if j for i in range(10**12)]",
    "{i for i in range(10**12)}",
    "{i: 0 for i in range(10**12)}",
    "'a'.ljust(10**12)",
    "'a'.rjust(10**12)",
    "'a'.center(10**12)",
    "'a'.zfill(10**12)",
    "'\\t'.expandtabs(10**12)",
    "('a'*10**5).replace('a', 'b'*10**5)",
    "'{:1000000000000}'.format(1)",
    "'{:{}}'.format(1, 10**12)",
    "str.format('{:1000000000000}', 1)",
    "'{x:1000000000000}'.format_map({'x': 1})",
    "f'{1:1000000000000}'",
    "f'{1:{10**12}}'",
    "f'{1.5:.1000000000f}'",
    "format(1, '1000000000000')",
    "'%1000000000000d' % 1",
    "'%.1000000000000f' % 1",
    "'%*d' % (10**12, 1)",
    "x = '%1000000000000d'\nx %= 1",
    "int('9'*10**7)",
    "import math\nmath.factorial(10**9)",
    "import math\nmath.comb(10**9, 10**8)",
    "import math\nmath.perm(10**9, 10**8)",
    "import math\nmath.perm(10**9)",
]


@pytest.mark.parametrize("program", BOMBS)
def test_bomb_is_refused(program, failure_of):
    error = failure_of(program)
    assert error.diagnostic.code == "G062"
    assert error.diagnostic.labels, "no place"


REFUSED = [
    "'{0.__class__}'.format(1)",
    "'{0.__class__.__mro__}'.format([])",
    "'{x.__init__}'.format(x=1)",
    "str.format('{0.__class__}', 1)",
    "'{x.__class__}'.format_map({'x': 1})",
    "'{0.gi_frame}'.format(i for i in [])",
    "'{:{0.__class__}}'.format(1)",
    "(i for i in []).gi_frame",
    "(lambda: 1).func_globals",
    "(1).to_bytes(10**12, 'big')",
    "'a'.encode",
    "type('X', (), {})",
    "type(lambda: 1)(1, 2)",
    "list[int]",
    "type[int]",
    "type.mro(int)",
    "int.mro()",
    "list(map(type, ['X'], [()], [{}]))",
    "type((i for i in []))()",
    "print('a', file=1)",
    "iter(lambda: 1, 2)",
    "__builtins__",
    "x = 5\nx.grad = 3",
    "[].append.self",
    "ValueError('a').with_traceback",
    "ValueError.mro()",
    "print.x",
    "import math\nmath.x",
    "import math\nmath.sin.x",
    "str(b'a', 'utf8')" if False else "str('a', 'utf8')",
]


@pytest.mark.parametrize("program", REFUSED)
def test_nothing_leads_out_of_the_language(program, failure_of):
    error = failure_of(program)
    assert error.diagnostic.code in {"G002", "G010", "G011", "G013", "G040"}


def test_attributes_of_templates_follow_the_languages_rule(gradcli_output):
    assert gradcli_output(
        "print('{0.real} {0.imag} {1[2].start}'.format(1, [0, 1, range(5)]))"
    ) == ("1 0 0\n")


def test_nested_lazy_iterators_do_not_overflow_the_stack(failure_of):
    for step in ("map(abs, g)", "(x for x in g)", "zip(g)", "filter(None, g)"):
        error = failure_of(f"g = iter([1])\nfor i in range(100000):\n    g = {step}\nlist(g)")
        assert error.kind is RecursionError


def test_deep_values_do_not_overflow_the_stack(failure_of):
    build = "x, y = [], []\nfor i in range(100000):\n    x, y = [x], [y]\n"
    for use in ("repr(x)", "x == y", "print(x)", "f'{x}'"):
        assert failure_of(build + use).kind is RecursionError


def test_recursion_through_callbacks_is_bounded(failure_of):
    program = "def f(n):\n    return sorted([n], key=lambda v: f(n + 1))\nf(0)"
    assert failure_of(program).kind is RecursionError


def test_interrupt_passes_through():
    def interrupt():
        raise KeyboardInterrupt

    from gradcli.language.parser import parse_script
    from gradcli.source import Source

    script = parse_script(Source("t.py", "try:\n    stop()\nexcept Exception:\n    pass\n"))
    with pytest.raises(KeyboardInterrupt):
        Interpreter({"stop": interrupt}).run(script)


def test_each_syntax_class_has_exactly_one_lowering():
    from gradcli.language import ast

    classes = [
        cls
        for cls in vars(ast).values()
        if isinstance(cls, type)
        and issubclass(cls, (ast.Expression, ast.Statement))
        and cls not in (ast.Expression, ast.Statement)
    ]
    assert set(LOWERINGS) == set(classes)
