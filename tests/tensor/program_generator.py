"""Random programs over tensors: views, writes, grad modes, backward passes, in the language.

A program is Python text that runs under gradcli and under PyTorch. Every statement that may be
refused is guarded and prints what refused it, so that a program goes on after an error. Shapes are
tracked while the text is written, so that most statements are valid.
"""

from __future__ import annotations

import io
import random
import re
from contextlib import redirect_stdout
from math import prod

Shape = tuple[int, ...]

HEAD = """\
import torch

def show(name, t):
    strides = [s for s, n in zip(t.stride(), t.shape) if n != 1]
    print(name, t, t.shape, t.requires_grad, t.is_leaf, t._version, strides)
    if not t.is_leaf:
        print(name, t.grad_fn.name(), [f and f.name() for f, i in t.grad_fn.next_functions])
"""

GUARD = """\
except (RuntimeError, IndexError, ValueError, TypeError, AttributeError) as error:
    print("refused:", str(error).split("\\n")[0])
"""


class Programs:
    """Writes one program; `text()` is its source."""

    def __init__(self, seed: int, statements: int = 12) -> None:
        self.choose = random.Random(seed)
        self.lines = [HEAD]
        self.shapes: dict[str, Shape] = {}
        self.leaves: list[str] = []
        if self.choose.random() < 0.3:
            self.lines.append("torch.set_default_dtype(torch.float64)")
        for _ in range(self.choose.choice([2, 2, 3])):
            self.leaf()
        for _ in range(statements):
            self.statement()
        self.ending()

    def text(self) -> str:
        """The source."""
        return "\n".join(self.lines) + "\n"

    # -- names and numbers

    def leaf(self) -> None:
        """A tensor that the program starts from."""
        shape = self.choose.choice([(), (3,), (2, 3), (3, 2), (2, 2), (2, 3, 2), (4,), (1, 3)])
        numbers = [self.choose.randint(-8, 8) / 4 for _ in range(prod(shape))]
        name = f"x{len(self.leaves)}"
        wanted = self.choose.random() < 0.75
        self.lines.append(
            f"{name} = torch.tensor({numbers}).reshape({list(shape)}).clone()"
            + (".requires_grad_()" if wanted else "")
        )
        self.shapes[name] = shape
        self.leaves.append(name)

    def any(self) -> str:
        """A variable, a recent one rather than an old one."""
        names = list(self.shapes)
        return self.choose.choice(names[-4:] if self.choose.random() < 0.6 else names)

    def like(self, shape: Shape) -> str:
        """An operand that broadcasts to `shape`: a variable, or a number."""
        fitting = [n for n, s in self.shapes.items() if _broadcasts(s, shape)]
        if fitting and self.choose.random() < 0.7:
            return self.choose.choice(fitting)
        return self.choose.choice(["2", "0.5", "-1", "3.0", "True"])

    def guarded(
        self, statement: str, *, name: str = "", shape: Shape = (), otherwise: str = ""
    ) -> None:
        """A statement that may be refused; `name` is the variable it makes."""
        body = statement.replace("\n", "\n    ")
        after = "".join(f"\n    {line}" for line in otherwise.split("\n") if line)
        self.lines.append(f"try:\n    {body}\n{GUARD.rstrip()}{after}")
        if name:
            self.shapes[name] = shape

    def new(self, expression: str, shape: Shape) -> None:
        """A new variable; the old meaning of its name stays when the expression is refused."""
        name = f"v{len(self.shapes)}"
        self.lines.append(f"{name} = x0")
        self.guarded(f"{name} = {expression}", name=name, shape=shape)

    # -- statements

    def statement(self) -> None:
        """One statement of some kind."""
        kinds = {
            self.elementwise: 5,
            self.view: 6,
            self.copy: 3,
            self.write: 6,
            self.write_part: 4,
            self.block: 2,
            self.backward: 3,
            self.gradient: 2,
            self.flags: 2,
            self.look: 3,
        }
        self.choose.choices(list(kinds), list(kinds.values()))[0]()

    def elementwise(self) -> None:
        """A new tensor by arithmetic."""
        a = self.any()
        b = self.like(self.shapes[a])
        formulas = (
            *("-{a}", "{a} + {b}", "{a} * {b}", "{a} - {b}", "{b} * {a} + 1", "1 - {a}", "2 / {a}"),
            *("{a} / 2", "{a} ** 2", "{a}.exp()", "{a}.sin()", "{a}.tanh()", "{a}.abs()"),
            *("{a}.relu()", "{a}.sigmoid()", "{a}.clamp(-1, 1)", "torch.where({a} > 0, {a}, 0.)"),
            *("({a} * {a} + 1).sqrt()", "{a}.square()", "{a} * {a}", "{a}.sign()"),
        )
        self.new(self.choose.choice(formulas).format(a=a, b=b), self.shapes[a])

    def view(self) -> None:
        """A new name for memory that has one."""
        a = self.any()
        self.new(*self.viewed(a))

    def viewed(self, a: str) -> tuple[str, Shape]:
        """An expression that shares memory with `a`, and its shape."""
        shape = self.shapes[a]
        options: list[tuple[str, Shape]] = [
            (f"{a}[None]", (1, *shape)),
            (f"{a}[...]", shape),
            (f"{a}.unsqueeze(-1)", (*shape, 1)),
            (f"{a}.squeeze()", tuple(n for n in shape if n != 1)),
            (f"{a}.detach()", shape),
            (f"{a}.reshape(-1)", (prod(shape),)),
            (f"{a}.flatten()", (prod(shape),)),
            (f"{a}.view(-1)", (prod(shape),)),
            (f"{a}.view({list(shape)})", shape),
            (f"{a}.expand({[2, *shape]})", (2, *shape)),
            (f"{a}.data", shape),
            (f"{a}.contiguous()", shape),
        ]
        if shape and shape[0]:
            i = self.choose.randrange(shape[0])
            options += [
                (f"{a}[{i}]", shape[1:]),
                (f"{a}[{i - shape[0]}]", shape[1:]),
                (f"{a}[{i}:]", (shape[0] - i, *shape[1:])),
                (f"{a}[:{i + 1}]", (i + 1, *shape[1:])),
                (f"{a}[::2]", (-(-shape[0] // 2), *shape[1:])),
                (f"{a}.narrow(0, {i}, 1)", (1, *shape[1:])),
                (f"{a}.select(0, {i})", shape[1:]),
                (f"{a}.unbind()[{i}]", shape[1:]),
                (f"{a}.split(1)[{i}]", (1, *shape[1:])),
                (f"{a}.chunk({shape[0]})[0]", (1, *shape[1:])),
                (f"{a}[..., 0]", shape[:-1]),
            ]
        if len(shape) >= 2 and prod(shape):
            turned = (*shape[:-2], shape[-1], shape[-2])
            j, joined = self.choose.randrange(shape[1]), shape[0] * shape[1]
            options += [
                (f"{a}.mT", turned),
                (f"{a}.transpose(-1, -2)", turned),
                (f"{a}[:, {j}]", (shape[0], *shape[2:])),
                (f"{a}[:, {j}:]", (shape[0], shape[1] - j, *shape[2:])),
                (f"{a}[0, {j}]", shape[2:]),
                (f"{a}.permute({[*range(1, len(shape)), 0]})", (*shape[1:], shape[0])),
                (f"{a}.diagonal()", (*shape[2:], min(shape[:2]))),
                (f"{a}.view({[joined, *shape[2:]]})", (joined, *shape[2:])),
            ]
        if len(shape) == 2:
            options += [(f"{a}.t()", shape[::-1]), (f"{a}.T", shape[::-1])]
        return self.choose.choice(options)

    def copy(self) -> None:
        """A new tensor with the elements of others."""
        a = self.any()
        shape = self.shapes[a]
        options: list[tuple[str, Shape]] = [
            (f"{a}.clone()", shape),
            (f"torch.stack([{a}, {a}])", (2, *shape)),
            (f"{a}.sum()", ()),
            (f"{a}.mean()", ()),
            (f"torch.zeros_like({a})", shape),
            (f"{a}.detach().clone().requires_grad_()", shape),
        ]
        if shape and prod(shape):
            i = self.choose.randrange(shape[0])
            options += [
                (f"torch.cat([{a}, {a}])", (2 * shape[0], *shape[1:])),
                (f"{a}.flip(0)", shape),
                (f"{a}.roll(1, 0)", shape),
                (f"{a}[[0, {i}]]", (2, *shape[1:])),
                (f"{a}[torch.tensor([{i}])]", (1, *shape[1:])),
                (f"{a}.index_select(0, torch.tensor([{i}, 0]))", (2, *shape[1:])),
                (f"{a}.sum(0)", shape[1:]),
                (f"{a}.mean(-1, keepdim=True)", (*shape[:-1], 1)),
                (f"{a}.cumsum(0)", shape),
                (f"{a}.masked_fill({a} > 0, 1.)", shape),
                (f"{a}.amax(0)", shape[1:]),
                (f"{a}.softmax(-1)", shape),
                (f"{a}.repeat({[2] * len(shape)})", tuple(2 * n for n in shape)),
            ]
        if len(shape) == 2 and prod(shape):
            options.append((f"{a} @ {a}.T", (shape[0], shape[0])))
        self.new(*self.choose.choice(options))

    def write(self) -> None:
        """A write to a whole tensor."""
        a = self.any()
        b = self.like(self.shapes[a])
        formulas = (
            *("{a}.add_({b})", "{a}.mul_({b})", "{a} += {b}", "{a} *= {b}", "{a} -= {b}"),
            *("{a}.zero_()", "{a}.fill_(2)", "{a}.exp_()", "{a}.sin_()", "{a}.relu_()"),
            *("{a}.clamp_(-1, 1)", "{a}.neg_()", "{a}.pow_(2)", "{a} /= 2", "{a}.sigmoid_()"),
            *("{a}.sub_(1).mul_(2)", "{a}.square_()", "{a}.copy_({c})"),
            "{a}.masked_fill_({a} > 0, 3)",
        )
        tensors = [n for n, s in self.shapes.items() if _broadcasts(s, self.shapes[a])]
        c = self.choose.choice(tensors)
        self.guarded(self.choose.choice(formulas).format(a=a, b=b, c=c))

    def write_part(self) -> None:
        """A write to a part of a tensor."""
        a = self.any()
        shape = self.shapes[a]
        b = self.like(shape[1:])
        if not shape or not prod(shape):
            self.guarded(f"{a}[...] = {self.like(shape)}")
            return
        i = self.choose.randrange(shape[0])
        formulas = (
            *(f"{a}[{i}] = {b}", f"{a}[{i}] += {b}", f"{a}[{i}].mul_({b})", f"{a}[:{i + 1}] = {b}"),
            *(f"{a}[{a} > 0] = 0.5", f"{a}[[0, {i}]] = {b}", f"{a}[..., 0] = 2", f"{a}[{i}:] *= 2"),
            *(f"{a}[{a} < 0] *= -1", f"{a}[torch.tensor([{i}])] += 1", f"{a}[None, {i}] = {b}"),
            *(f"{a}[{i}].zero_()", f"{a}[::2].add_(1)", f"{a}[{i}].copy_(torch.ones(()))"),
        )
        self.guarded(self.choose.choice(formulas))

    def block(self) -> None:
        """Statements in which gradients are not recorded, or are again."""
        start = len(self.lines)
        known = set(self.shapes)
        for _ in range(self.choose.choice([1, 2])):
            self.choose.choice([self.write, self.write_part, self.elementwise, self.view])()
        inner = "\n".join(self.lines[start:])
        del self.lines[start:]
        mode = self.choose.choice(["no_grad()", "no_grad()", "no_grad()", "enable_grad()"])
        body = "\n".join(f"    {line}" for line in inner.split("\n"))
        self.lines.append(f"with torch.{mode}:\n{body}")
        assert known <= set(self.shapes)

    def backward(self) -> None:
        """A backward pass."""
        a = self.any()
        options = self.choose.choice(["", "", "retain_graph=True", "create_graph=True"])
        formulas = [f"{a}.sum().backward({options})", f"{a}.mean().backward({options})"]
        formulas += [f"({a} * {a}).sum().backward({options})"]
        if not self.shapes[a]:
            formulas += [f"{a}.backward({options})"] * 3
        formulas.append(f"{a}.backward(torch.ones({list(self.shapes[a])}))")
        self.passing(self.choose.choice(formulas))

    def gradient(self) -> None:
        """Gradients without `.grad`, perhaps twice."""
        a, x = self.any(), self.choose.choice([*self.leaves, self.any()])
        twice = self.choose.random() < 0.4
        options = "create_graph=True" if twice else self.choose.choice(["", "allow_unused=True"])
        lines = [f"g = torch.autograd.grad(({a} * {a} + {a}).sum(), {x}, {options})"]
        lines += ["print(g[0] if g[0] is None else g[0].detach())"]
        if twice:
            lines += [f"print(torch.autograd.grad(g[0].sum(), {x}, allow_unused=True))"]
        self.guarded("\n".join(lines))

    def flags(self) -> None:
        """Changes of what autograd does with a tensor."""
        a = self.any()
        formulas = (
            *("{a}.requires_grad_()", "{a}.requires_grad = False", "{a}.retain_grad()"),
            *("{a}.grad = None", "{a}.grad.zero_()", "{x}.data = {x}.data * 2"),
            *("{a}.register_hook(lambda g: print('hook', g))", "{a}.data.mul_(2)"),
            *("{a} = {a}.detach().requires_grad_()", "{a}.grad = torch.ones_like({a})"),
        )
        formula = self.choose.choice(formulas).format(a=a, x=self.choose.choice(self.leaves))
        if formula.startswith(f"{a}.grad.zero_"):
            formula = f"print({a}.grad is None or {a}.grad.zero_())"
        self.guarded(formula)

    def look(self) -> None:
        """A look at a tensor."""
        a = self.any()
        self.guarded(f"show('{a}', {a})")

    def passing(self, statement: str) -> None:
        """A backward pass and its gradients.

        PyTorch has added up some gradients when it refuses in the middle of a pass, gradcli none.
        """
        looks = "".join(f"\nprint('{n}.grad', {n}.grad)" for n in self.leaves)
        resets = "\n".join(f"{n}.grad = None" for n in self.leaves)
        self.guarded(statement + looks, otherwise=resets)

    def ending(self) -> None:
        """Everything once more, and a pass through all of it."""
        for name in self.shapes:
            self.guarded(f"show('{name}', {name})")
        total = " + ".join(f"{name}.sum()" for name in self.shapes)
        self.passing(f"({total}).backward()")


def _broadcasts(shape: Shape, target: Shape) -> bool:
    extra = len(target) - len(shape)
    return extra >= 0 and all(n in (1, m) for n, m in zip(shape, target[extra:], strict=True))


def program(seed: int, statements: int = 12) -> str:
    """The program of a seed."""
    return Programs(seed, statements).text()


def run_gradcli(source: str) -> str:
    """What a program prints under gradcli."""
    from gradcli import api
    from gradcli.errors import GradcliError

    _reset_gradcli()
    printed = io.StringIO()
    try:
        api.run(source, stdout=printed)
    except GradcliError as error:
        printed.write(f"stopped by {error.kind.__name__}: {error}\n")
    finally:
        _reset_gradcli()
    return masked(printed.getvalue())


def _reset_gradcli() -> None:
    from gradcli.graph.dtype import default, float32
    from gradcli.graph.node import current

    default.dtype, current.tracking = float32, True


def run_pytorch(source: str) -> str:
    """What a program prints under PyTorch."""
    import warnings

    import torch

    printed = io.StringIO()
    with redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(source, "<program>", "exec"), {})
        except Exception as error:
            printed.write(f"stopped by {type(error).__name__}: {error}\n")
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
    return masked(printed.getvalue())


def masked(text: str) -> str:
    """Without what may differ: addresses, and which of two reasons to refuse a pass comes first."""
    text = re.sub(r"0x[0-9a-f]+", "0x...", text)
    reasons = "one of the variables needed for|Trying to backward through the graph a second"
    return re.sub(f"refused: ({reasons}).*", "refused: the pass", text)
