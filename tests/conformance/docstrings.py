"""The examples in PyTorch's own docstrings, read from the installed package, as scripts.

Constraints: no text of PyTorch is kept here; a script is what somebody types at Python's prompt,
so that a bare expression shows its value.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import math
import random
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

SPACES: dict[str, Any] = {
    "torch": torch,
    "torch.Tensor": torch.Tensor,
    **{
        f"torch.{name}": __import__(f"torch.{name}", fromlist=["*"])
        for name in (
            *("nn.functional", "linalg", "fft", "special", "signal.windows", "func", "autograd"),
            *("autograd.functional", "autograd.forward_ad", "autograd.graph", "nn.init"),
            *("nn.utils", "nn", "utils.checkpoint", "random", "distributions", "optim"),
        )
    },
    "torch.autograd.Function": torch.autograd.Function,
}
"""Where documented names are looked for."""
PREAMBLE = """\
import math
import torch
import torch.autograd.forward_ad as fwAD
import torch.nn.functional as F
from torch import autograd, linalg, nn, tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
torch.manual_seed(0)
"""
CAUGHT = "try:\n{}\nexcept Exception as error:\n    print(type(error).__name__)"
SHOWN = "shown = {}\nif shown is not None:\n    print(repr(shown))"


@dataclass
class Example:
    """The statements of one docstring that PyTorch runs, and what they print."""

    name: str
    statements: list[str] = field(default_factory=list)
    printed: str = ""

    @property
    def preamble(self) -> str:
        """What the page takes for granted: the usual imports, and the name that it is about."""
        space, _, name = self.name.rpartition(".")
        about = f"from {space} import {name}\n" if inspect.ismodule(SPACES[space]) else ""
        return PREAMBLE + about

    @property
    def script(self) -> str:
        return self.preamble + "".join(f"{statement}\n" for statement in self.statements)


def documented() -> dict[str, str]:
    """The name of each documented object that has an example -> its docstring, each once."""
    found: dict[str, str] = {}
    for space, holder in SPACES.items():
        for name in sorted(n for n in dir(holder) if not n.startswith("_")):
            value = getattr(holder, name)
            text = getattr(value, "__doc__", None)
            if not (getattr(value, "__module__", None) or "torch").startswith("torch"):
                continue
            if inspect.ismodule(value) or not isinstance(text, str) or ">>>" not in text:
                continue
            if text not in found:
                found[text] = f"{space}.{name}"
    return {name: text for text, name in found.items()}


def statements(text: str) -> list[str]:
    """What is typed at the prompt in a docstring, statement by statement."""
    typed: list[str] = []
    for line in text.splitlines():
        match = re.match(r"\s*(>>>|\.\.\.) ?(.*)", line)
        if match is None:
            if typed and _unclosed(typed[-1]):
                typed[-1] += "\n" + line.strip()
        elif typed and (match[1] == "..." or _continues(match[2], typed[-1])):
            typed[-1] += "\n" + match[2]
        elif match[2].strip():
            typed.append(match[2])
    return typed


def _continues(line: str, typed: str) -> bool:
    """Whether a line with a prompt of its own still belongs to the statement before it."""
    return line[:1] in (" ", "#") or _unclosed(typed)


def _unclosed(typed: str) -> bool:
    """Whether a bracket or a decorator waits for the next line."""
    try:
        ast.parse(typed)
    except SyntaxError as error:
        return "never closed" in error.msg or typed.startswith("@")
    return False


def at_the_prompt(typed: str) -> list[str]:
    """The statement, or statements, in such a form that a bare expression shows its value."""
    try:
        tree = ast.parse(typed)
    except SyntaxError:
        return [typed]
    parts = [ast.get_source_segment(typed, part) or "" for part in tree.body]
    return [
        SHOWN.format(f"({source})") if isinstance(part, ast.Expr) else source
        for part, source in zip(tree.body, parts, strict=True)
    ]


def run_pytorch(name: str, text: str) -> Example:
    example, variables = Example(name), {}
    printed = io.StringIO()
    with as_new(), contextlib.redirect_stdout(printed):
        exec(example.preamble, variables)
        for typed in statements(text):
            for statement in at_the_prompt(typed):
                _type(statement, example, variables)
    example.printed = masked(printed.getvalue())
    return example


def _type(statement: str, example: Example, variables: dict[str, Any]) -> None:
    """Runs a statement; one that needs what is not there is left out of the example.

    Not there are other libraries, accelerators, and what a page only speaks of.
    """
    if re.match(r"(import|from) (?!torch|math|functools|typing)", statement):
        return
    try:
        exec(compile(statement, f"<{example.name}>", "exec"), variables)
    except (NameError, SyntaxError, ImportError):
        return
    except Exception as error:
        if "cuda" not in str(error).lower():
            print(type(error).__name__)
            example.statements.append(CAUGHT.format(textwrap.indent(statement, "    ")))
    else:
        example.statements.append(statement)


def run_gradcli(script: str) -> str:
    """What the script prints under gradcli."""
    from gradcli import api
    from gradcli.errors import GradcliError
    from gradcli.graph.dtype import default, float32
    from gradcli.graph.node import current

    printed = io.StringIO()
    try:
        api.run(script, stdout=printed)
    except GradcliError as error:
        printed.write(f"stopped by {error.kind.__name__}: {error}\n")
    finally:
        default.dtype, current.tracking = float32, True
    return masked(printed.getvalue())


def near(found: str, wanted: str) -> bool:
    """Whether two outputs are the same but for rounding, in numbers and in what compares them."""
    number = re.compile(r"(?:(?<![\w.])|[+-])\d+\.?\d*(?:e[+-]\d+)?")
    rest = [re.sub(r"\s+|True|False", "", number.sub("#", text)) for text in (found, wanted)]
    pairs = [[float(n) for n in number.findall(text)] for text in (found, wanted)]
    return rest[0] == rest[1] and all(
        math.isclose(a, b, rel_tol=2e-3, abs_tol=1e-4) for a, b in zip(*pairs, strict=True)
    )


@contextlib.contextmanager
def as_new() -> Iterator[None]:
    """PyTorch's settings are those of a new process, before and after."""
    state = random.getstate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(state)
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
            torch.set_printoptions(profile="default", sci_mode=None)
            torch.set_default_device(None)
            torch.use_deterministic_algorithms(False)


def masked(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x...", text)
