"""Random programs over tensors: views, writes, grad modes, control flow, backward passes.

A program is Python text that runs under gradcli and under PyTorch. Every statement that may be
refused is guarded and prints what refused it, so that a program goes on after an error. Shapes are
tracked while the text is written, so that most statements are valid.

Constraints: all choices come from one source of random numbers, which hypothesis may be, so that it
can shrink a program that fails.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import program_further as more
import program_graphs as graphs
import program_language as language
import program_layers as layers
import program_loops as loops
import program_memory as memory
import program_numbers as numbers
from program_parts import ELEMENTWISE, WRITES, Shape, copies, partial_writes, views

HEAD = """\
import torch
import torch.nn.functional as F
import torch.autograd.forward_ad as fwAD

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 3

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 3 * x * x * g

class Both(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y, x + y

    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return g * y + h, g * x + h

class Written(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, g):
        return 2 * g

def names(f, depth=3):
    if f is None or not depth:
        return "."
    return [f.name(), *[names(g, depth - 1) for g, i in f.next_functions]]

def twice(t):
    return t + t

def scaled(n):
    def by(t):
        return t * n
    return by

def no(e):
    print("refused:", type(e).__name__, str(e).split("\\n")[0])

def show(name, t):
    try:
        print(name, t, t.shape, t.requires_grad, t.is_leaf, t._version)
        print(t.stride(), t.storage_offset(), t.is_contiguous())
        if not t.is_leaf:
            print(t.grad_fn, [f and f.name() for f, i in t.grad_fn.next_functions])
    except Exception as e:
        no(e)
"""

SHAPES: Sequence[Shape] = ((3,), (2, 3), (3, 2), (2, 2), (), (4,), (1, 3), (2, 3, 2), (0,), (2, 1))
HEADS = "\n".join([HEAD, more.HEAD, graphs.HEAD, loops.HEAD, memory.HEAD])
FAMILIES: dict[str, Callable[..., list[str]]] = {
    **{f.__name__: f for f in (more.several, more.complex_numbers, more.dtypes, more.indexed)},
    **{f.__name__: f for f in (more.chained, more.passes, more.transforms, loops.loops)},
    **{f.__name__: f for f in (numbers.special, numbers.integers, numbers.drawn, numbers.shown)},
    **{f.__name__: f for f in (layers.convolutions, layers.pools, layers.norms, layers.losses)},
    **{f.__name__: f for f in (language.refused, language.spoken, language.large)},
    **{f.__name__: f for f in (memory.laid, memory.written_out, memory.duals, memory.nested)},
    **{f.__name__: f for f in (language.matrices, graphs.nodes, graphs.functions)},
}
"""Rarer statements, by what they are about."""


class Programs:
    """Writes one program; `text()` is its source.

    Args:
        choose: a seed, or what to take random numbers from.
        statements: how many there are between the first tensors and the last look at them.
        families: which of `FAMILIES` it draws from as well.
    """

    def __init__(
        self, choose: int | random.Random, statements: int = 6, families: Sequence[str] = ()
    ) -> None:
        self.choose = random.Random(choose) if isinstance(choose, int) else choose
        self.families = families
        self.lines = [""]
        self.shapes: dict[str, Shape] = {}
        self.leaves: list[str] = []
        if self.one_in(4):
            self.lines.append("torch.set_default_dtype(torch.float64)")
        for _ in range(2):
            self.leaf()
        for _ in range(statements):
            self.statement()
        self.ending()
        self.lines[0] = _head("\n".join(self.lines))

    def text(self) -> str:
        """The source."""
        return "\n".join(self.lines) + "\n"

    def pick(self, options: Any) -> Any:
        """One of them."""
        return options[self.choose.randrange(len(options))]

    def one_in(self, n: int) -> bool:
        """True once in `n` times."""
        return self.choose.randrange(n) == n - 1

    # -- names and numbers

    def leaf(self) -> None:
        """A tensor that the program starts from."""
        shape = self.pick(SHAPES)
        numbers = [self.pick(range(-8, 9)) / 4 for _ in range(prod(shape))]
        name = f"x{len(self.leaves)}"
        dtype = self.pick(["", "", "", "", ", dtype=torch.float64"])
        self.lines.append(
            f"{name} = torch.tensor({numbers}{dtype}).reshape({list(shape)}).clone()"
            + ("" if self.one_in(5) else ".requires_grad_()")
        )
        self.shapes[name] = shape
        self.leaves.append(name)

    def any(self) -> str:
        """A variable, a recent one rather than an old one."""
        names = list(self.shapes)
        return str(self.pick(names if self.one_in(3) else names[-3:]))

    def like(self, shape: Shape) -> str:
        """An operand that broadcasts to `shape`: a variable, or a number."""
        fitting = [n for n, s in self.shapes.items() if _broadcasts(s, shape)]
        if fitting and not self.one_in(3):
            return str(self.pick(fitting))
        return str(self.pick(["2", "0.5", "-1", "3.0", "True"]))

    def filled(self, formulas: Sequence[str]) -> tuple[str, Shape]:
        """One of the formulas with operands in it, and the shape of the first."""
        a = self.any()
        shape = self.shapes[a]
        tensors = [n for n, s in self.shapes.items() if _broadcasts(s, shape)]
        formula = self.pick(formulas)
        return formula.format(a=a, b=self.like(shape), c=self.pick(tensors)), shape

    def guarded(
        self, statement: str, *, name: str = "", shape: Shape = (), otherwise: str = ""
    ) -> None:
        """A statement that may be refused; `name` is the variable it makes."""
        body = statement.replace("\n", "\n    ")
        after = f"\n    {otherwise}" if otherwise else ""
        self.lines.append(f"try:\n    {body}\nexcept Exception as e:\n    no(e){after}")
        if name:
            self.shapes[name] = shape

    def new(self, expression: str, shape: Shape) -> None:
        """A new variable; another one under its name when the expression is refused."""
        name = f"v{len(self.shapes)}"
        self.guarded(f"{name} = {expression}", name=name, shape=shape, otherwise=f"{name} = x0")

    # -- statements

    def statement(self) -> None:
        """One statement of some kind."""
        kinds = {
            self.elementwise: 5,
            self.view: 6,
            self.copy: 5,
            self.write: 6,
            self.write_part: 4,
            self.block: 2,
            self.branch: 1,
            self.loop: 1,
            self.call: 1,
            self.backward: 3,
            self.gradient: 2,
            self.flags: 2,
            self.look: 2,
            self.whole_numbers: 1,
            self.double: 2,
            self.custom: 1,
            self.hooks: 2,
            self.transform: 1,
            self.saving: 1,
        }
        if self.families:
            kinds |= {self.layer: 6, self.apart: 30}
        self.pick([kind for kind, weight in kinds.items() for _ in range(weight)])()

    def elementwise(self) -> None:
        """A new tensor by arithmetic."""
        self.new(*self.filled(ELEMENTWISE))

    def view(self) -> None:
        """A new name for memory that has one."""
        a = self.any()
        self.new(*self.pick(views(a, self.shapes[a], self.pick)))

    def copy(self) -> None:
        """A new tensor with the elements of others, or numbers made of several."""
        a = self.any()
        self.new(*self.pick(copies(a, self.shapes[a], self.pick)))

    def layer(self) -> None:
        """A new tensor by a function of layers, or a rarer one."""
        a = self.any()
        self.new(*self.pick(more.layers(a, self.shapes[a], self.pick)))

    def apart(self) -> None:
        """Statements with names of their own, and the gradients that they leave."""
        a, family = self.any(), self.pick(self.families)
        shape = self.shapes[a]
        operands = [a]
        if family == "passes":
            operands.append(self.pick(self.leaves))
        if family == "transforms":
            operands.append(self.pick([n for n, s in self.shapes.items() if s == shape]))
        self.passing(self.pick(FAMILIES[family](*operands, shape, self.pick)))

    def write(self) -> None:
        """A write to a whole tensor."""
        self.guarded(self.filled(WRITES)[0])

    def write_part(self) -> None:
        """A write to a part of a tensor."""
        a = self.any()
        shape = self.shapes[a]
        if not shape or not prod(shape):
            self.guarded(f"{a}[...] = {self.like(shape)}")
            return
        self.guarded(self.pick(partial_writes(a, shape, self.like(shape[1:]), self.pick)))

    def inner(self, head: str, count: int) -> None:
        """Statements below a head."""
        start = len(self.lines)
        for _ in range(count):
            self.pick([self.write, self.write_part, self.elementwise, self.view])()
        body = "\n".join(self.lines[start:]).replace("\n", "\n    ")
        self.lines[start:] = [f"{head}\n    {body}"]

    def block(self) -> None:
        """Statements in which gradients are not recorded, or are again."""
        modes = ["no_grad()", "no_grad()", "enable_grad()", "set_grad_enabled(False)"]
        self.inner(f"with torch.{self.pick(modes)}:", self.pick([1, 2]))

    def branch(self) -> None:
        """A condition on numbers; what is not done leaves names as they were."""
        a = self.any()
        known = len(self.shapes)
        tests = (f"{a}.sum() > 0", f"({a} > 0).any()", f"{a}.requires_grad", f"{a}.dim() == 2")
        start = len(self.lines)
        self.inner(f"if {self.pick(tests)}:", 1)
        self.lines[start:start] = [f"{name} = x0" for name in list(self.shapes)[known:]]

    def loop(self) -> None:
        """Writes to one tensor, or new tensors from old ones, several times."""
        a, shape = self.any(), self.shapes
        step, _ = self.filled(ELEMENTWISE)
        bodies = (
            f"for i in range(3):\n    {a} = {a} * 0.5 + i",
            f"for t in {a}.reshape(-1):\n    print(t.item(), t.grad_fn)",
            f"n = 0\nwhile n < 3 and {a}.abs().sum() < 20:\n    n += 1\n    {a} = {a} * 2",
            f"s = torch.zeros(())\nfor t in {a}:\n    s = s + (t * t).sum()\nprint(s, s.grad_fn)",
            f"l = [{step}, {a}]\nprint(l[0].grad_fn, len(l))",
            f"d = {{'a': {a}, 'b': {step}}}\nfor k, t in d.items():\n    print(k, t.shape)",
        )
        self.guarded(self.pick(bodies))
        assert shape is self.shapes

    def call(self) -> None:
        """A function of the program's own."""
        expression, shape = self.filled(ELEMENTWISE)
        name = f"f{len(self.lines)}"
        self.lines.append(f"def {name}():\n    t = {expression}\n    return t * t")
        self.new(f"{name}()", shape)

    def passing(self, statement: str) -> None:
        """A backward pass and its gradients.

        PyTorch has added up some gradients when it refuses in the middle of a pass, gradcli none.
        """
        looks = "".join(f"\nprint('{n}.grad', {n}.grad)" for n in self.leaves)
        resets = " = ".join(f"{n}.grad" for n in self.leaves) + " = None"
        self.guarded(statement + looks, otherwise=resets)

    def backward(self) -> None:
        """A backward pass."""
        a = self.any()
        options = self.pick(["", "", "retain_graph=True", "create_graph=True"])
        formulas = [f"{a}.sum().backward({options})", f"({a} * {a}).sum().backward({options})"]
        if not self.shapes[a]:
            formulas += [f"{a}.backward({options})"] * 2
        formulas += [f"{a}.backward(torch.ones({list(self.shapes[a])}))", f"{a}.mean().backward()"]
        self.passing(self.pick(formulas))

    def gradient(self) -> None:
        """Gradients without `.grad`, perhaps twice, or a penalty on them."""
        a, x = self.any(), self.pick([*self.leaves, self.any()])
        kind = self.pick(["", "allow_unused=True", "create_graph=True", "retain_graph=True"])
        first = f"g = torch.autograd.grad(({a} * {a} + {a}).sum(), {x}, {kind})"
        lines = [first, "print(g[0] if g[0] is None else g[0].detach())"]
        if kind == "create_graph=True":
            second = f"print(torch.autograd.grad(g[0].sum(), {x}, allow_unused=True))"
            lines += [self.pick([second, "(g[0] * g[0]).sum().backward()"])]
        self.guarded("\n".join(lines))

    def flags(self) -> None:
        """Changes of what autograd does with a tensor."""
        a, x = self.any(), self.pick(self.leaves)
        self.guarded(
            self.pick(
                (
                    *(f"{a}.requires_grad_()", f"{a}.requires_grad = False", f"{a}.retain_grad()"),
                    *(f"{a}.grad = None", f"print({a}.grad)", f"{x}.data = {x}.data * 2"),
                    f"{a}.register_hook(lambda g: print('hook', g))",
                    f"h = {a}.register_hook(lambda g: g * 2)",
                    f"h = {a}.register_hook(lambda g: g * 0)\nh.remove()",
                    f"{a} = {a}.detach().requires_grad_()",
                    f"{a}.grad = torch.ones_like({a})",
                    f"print({a}.grad is None or {a}.grad.zero_())",
                )
            )
        )

    def look(self) -> None:
        """A look at a tensor, as text of several kinds."""
        a = self.any()
        looks = (
            f"show('{a}', {a})",
            f"print(f'{{{a}.detach().sum().item():.3f}} {{{a}.grad_fn}} {{{a}.shape}}')",
            f"print({a}.tolist(), {a}.dtype, {a}.numel(), {a}.size(), {a}.type())",
            f"print([{a}, {a}.detach()], ({a},), {{'a': {a}}})",
            f"print({a}.detach().numpy())",
            f"print({a}.max(), {a}.argmax(), {a}.min(), ({a} > 0).sum(), {a}.isnan().any())",
            f"print({a}.requires_grad, {a}.is_contiguous(), {a}.storage_offset(), {a}._version)",
        )
        self.guarded(self.pick(looks))

    def double(self) -> None:
        """Gradients that are differentiated again, and what they show."""
        a, x = self.any(), self.pick(self.leaves)
        step, _ = self.filled(ELEMENTWISE)
        power = self.pick([f"({step}).sum()", f"({a} * {a}).sum()", f"({a}.exp() * {a}).mean()"])
        lines = [
            f"g, = torch.autograd.grad({power}, {x}, create_graph=True)",
            "print(g, names(g.grad_fn))",
            self.pick([f"print(torch.autograd.grad((g * g).sum(), {x}))", "g.sum().backward()"]),
        ]
        self.passing("\n".join(lines))

    def custom(self) -> None:
        """Functions with a derivative of their own."""
        a = self.any()
        shape = self.shapes[a]
        same = self.pick([n for n, s in self.shapes.items() if s == shape])
        options = [f"Cube.apply({a})", f"Both.apply({a}, {same})[{self.pick(range(2))}]"]
        options += [f"sum(Both.apply({a}, {same}))", f"Written.apply({a})"]
        options += [f"Written.apply({a} * 1)", f"Cube.apply({a}) * {same}"]
        self.new(self.pick(options), shape)

    def hooks(self) -> None:
        """Functions that see gradients on their way."""
        a, x = self.any(), self.pick(self.leaves)
        seen = "lambda *t: print('seen', t)"
        self.guarded(
            self.pick(
                (
                    f"h = {a}.grad_fn.register_hook({seen})",
                    f"h = {a}.grad_fn.register_prehook({seen})",
                    f"h = {a}.grad_fn.next_functions[0][0].register_hook({seen})",
                    f"h = {x}.register_post_accumulate_grad_hook({seen})",
                    f"h = torch.autograd.graph.register_multi_grad_hook(({a}, {x}), {seen})",
                    f"{a}.retain_grad()\n{a}.register_hook(lambda g: g + 1)",
                    f"h = {a}.grad_fn.register_hook(lambda i, o: [t and t * 2 for t in i])",
                    f"print(names({a}.grad_fn), {a}.output_nr)",
                )
            )
        )

    def transform(self) -> None:
        """Functions of functions, at a tensor without history."""
        a = self.any()
        step = self.pick([e for e in ELEMENTWISE if "{b}" not in e and "{c}" not in e])
        function = f"lambda t: {step.format(a='t')}"
        total = f"lambda t: ({step.format(a='t')}).sum()"
        x = f"{a}.detach()"
        options = (
            f"print(torch.func.grad({total})({x}))",
            f"print(torch.func.jacrev({function})({x}))",
            f"print(torch.func.jacfwd({function})({x}))",
            f"print(torch.func.hessian({total})({x}))",
            f"print(torch.func.vjp({function}, {x})[1](torch.ones_like({x})))",
            f"print(torch.func.jvp({function}, ({x},), (torch.ones_like({x}),)))",
            f"print(torch.vmap({function})({x}))",
            f"print(torch.vmap(torch.func.grad({total}))({x}))",
            f"print(torch.autograd.functional.jacobian({function}, {x}))",
            f"print(torch.autograd.functional.hvp({total}, {x}, torch.ones_like({x})))",
            f"with fwAD.dual_level():\n    d = fwAD.make_dual({x}, torch.ones_like({x}))\n"
            f"    d = ({function})(d)\n    print(d, fwAD.unpack_dual(d).tangent)",
        )
        self.guarded(self.pick(options))

    def saving(self) -> None:
        """What is saved for gradients, packed or looked at, or written to."""
        a, (step, shape) = self.any(), self.filled(ELEMENTWISE)
        name = f"v{len(self.shapes)}"
        block = "with torch.autograd.graph.saved_tensors_hooks"
        options = (
            f"{block}(lambda t: t * 2, lambda t: t / 2):\n    {name} = {step}",
            f"{block}(lambda t: (print('pack', t), t)[1], lambda t: t):\n    {name} = {step}",
            f"with torch.autograd.graph.save_on_cpu():\n    {name} = {step}",
            f"{name} = {step}\n{a}.data.mul_(2)",
            f"{name} = {step}\n{name}.data.mul_(2)",
            f"{name} = {step}\nprint({name}.grad_fn._saved_self)",
            f"{name} = {step}\nprint({name}.grad_fn._saved_result)",
        )
        self.guarded(self.pick(options), name=name, shape=shape, otherwise=f"{name} = x0")

    def whole_numbers(self) -> None:
        """Integers and truth values."""
        a = self.any()
        looks = (
            f"n = ({a} * 2).long()\nn += 1\nprint(n, n // 2, n % 3, n / 2, -n, n.sum(), n.float())",
            f"m = {a} > 0\nprint(m, ~m, m.sum(), m & True, {a}[m], m.any(), m.all(), m.int())",
            f"n = ({a} > 0).int()\nn[...] = n + 2\nprint(n ** 2, n.dtype, n.prod(), n.bool())",
            f"print({a}.nonzero(), {a}.argmin(), torch.where({a} > 0)[0])",
            f"print({a}.long() * {a}, {a}.bool() * {a}, {a}.int() + True, {a}.long() - 0.5)",
            f"n = {a}.detach().int()\nn.add_(0.5)",
        )
        self.guarded(self.pick(looks))

    def ending(self) -> None:
        """Everything once more, and a pass through all of it."""
        self.lines += [f"show('{name}', {name})" for name in self.shapes]
        self.passing(f"({' + '.join(f'{name}.sum()' for name in self.shapes)}).backward()")


def _head(text: str) -> str:
    """The imports, and of the classes and functions those that are named."""
    imports, *parts = re.split(r"\n\n+(?=class |def )", HEADS)
    names = [re.findall(r"(?:class|def) (\w+)", part)[0] for part in parts]
    used = [p for p, n in zip(parts, names, strict=True) if re.search(rf"\b{n}\b", f"{text} no")]
    return "\n\n".join([imports, *used, ""])


def _broadcasts(shape: Shape, target: Shape) -> bool:
    extra = len(target) - len(shape)
    return extra >= 0 and all(n in (1, m) for n, m in zip(shape, target[extra:], strict=True))


def program(seed: int, statements: int = 6, families: Sequence[str] = ()) -> str:
    """The program of a seed."""
    return Programs(seed, statements, families).text()
