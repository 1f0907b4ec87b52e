"""How an expression is run by each library that is installed: a call without arguments.

Constraints: a library is imported when its runner is made, and only if it is installed. An
expression that a peer is given has passed gradcli's own parser; of the peer it sees the functions
that gradcli has under the same names and attributes that tensors have, and nothing that leads on.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradcli.execute.backends.choice import CHOICES, CLUSTER, chosen
from gradcli.execute.backends.choice import installed as there
from gradcli.language import ast
from gradcli.language.print import unparse
from gradcli.lowering.names import BARE_MODULES, lookup
from gradcli.planned import Function
from gradcli.tensor import Tensor, registry

Call = Callable[[], list[Any]]
"""Computes everything anew; gives the value and the gradients as what `numpy.asarray` takes."""


class Problem:
    """What is to be timed.

    Args:
        tree: the expression.
        values: its variables: arrays, Python values, and tensors that lie in files.
        wrt: the variables to differentiate by; none for the value alone.
    """

    __slots__ = ("tree", "values", "wrt")

    def __init__(self, tree: ast.Expression, values: Mapping[str, Any], wrt: Sequence[str]) -> None:
        self.tree = tree
        self.values = dict(values)
        self.wrt = list(wrt)

    def arrays(self) -> dict[str, Any]:
        """The variables for a library that has them in memory.

        Raises:
            MemoryError: where one lies in a file.
        """
        for name, value in self.values.items():
            if isinstance(value, Tensor):
                raise MemoryError(f"{name} is larger than memory")
        return self.values

    def function(self, modules: Sequence[str]) -> Callable[..., Any]:
        """The expression as a Python function of its variables, with the functions of `modules`.

        Raises:
            ValueError: for an attribute that is none of a tensor's.
        """
        text = f"lambda {', '.join(self.values)}: {unparse(self.tree)}"
        return eval(text, self._namespace(modules))  # type: ignore[no-any-return]

    def _namespace(self, modules: Sequence[str]) -> dict[str, Any]:
        """What the expression's names mean to a peer: nothing beyond what gradcli has under them.

        A peer evaluates branches that gradcli did not take, and its modules lead anywhere.
        """
        namespace: dict[str, Any] = {"__builtins__": {}}
        namespace |= {"range": range, "len": len, "list": list, "float": float, "int": int}
        for path in _free_names(self.tree, self.values):
            *parents, name = path.split(".")
            if not _is_harmless(path):
                continue
            owners = (import_module(m) for m in (["math"] if parents == ["math"] else modules))
            found = next((getattr(m, name) for m in owners if hasattr(m, name)), None)
            inside = namespace
            for parent in parents:
                inside = vars(inside.setdefault(parent, SimpleNamespace()))
            if found is not None:
                inside[name] = found
        return namespace


def _free_names(tree: ast.Expression, variables: Container[str]) -> Iterator[str]:
    """The names that are no variables, and the paths through modules: `torch.linalg.norm`.

    Raises:
        ValueError: as `Problem.function`.
    """
    stack: list[ast.Node] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and node.id not in variables:
            yield node.id
        elif isinstance(node, ast.Attribute):
            path = _path(node)
            if path and path.partition(".")[0] not in variables:
                yield path
                continue
            if registry.method(node.name) is None and not hasattr(Tensor, node.name):
                raise ValueError(f"'{node.name}' is no attribute of a tensor")
        stack += ast.children(node)


def _path(node: ast.Expression) -> str:
    """`a.b.c` as text, where it starts at a module; else nothing."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.name)
        node = node.value
    if not (isinstance(node, ast.Name) and node.id in BARE_MODULES):
        return ""
    return ".".join([node.id, *reversed(names)])


def _is_harmless(path: str) -> bool:
    """Whether the language has this name, and not for a file."""
    root, _, rest = path.partition(".")
    name = path.rpartition(".")[2]
    if root == "math":
        return name[0] != "_"
    meant = registry.find(f"{BARE_MODULES[root]}.{rest}") if rest else lookup(root)
    return meant is not None and name not in ("load", "save")


class Peer:
    """A library.

    Args:
        name: what the table calls it.
        package: what must be installed, and whose version is told.
        prepare: makes the call that is timed.
    """

    __slots__ = ("name", "package", "prepare")

    def __init__(self, name: str, package: str, prepare: Callable[[Problem], Call]) -> None:
        self.name = name
        self.package = package
        self.prepare = prepare

    @property
    def version(self) -> str:
        """The installed version."""
        return metadata.version(self.package)


def _gradcli(backend: str, device: str | None = None) -> Callable[[Problem], Call]:
    def prepare(problem: Problem) -> Call:
        wrt = problem.wrt
        text = problem.tree.span.source.text
        f = Function(text, wrt=wrt, gradients=bool(wrt), backend=backend, device=device)

        def call() -> list[Any]:
            result = f(**problem.values)
            grads = result.grads
            return [result.value, *(grads[name] for name in wrt)]

        return call

    return prepare


def _torch(problem: Problem) -> Call:
    torch = import_module("torch")
    modules = ("torch", "torch.nn.functional", "torch.linalg", "torch.special", "torch.nn")
    function = problem.function([*modules, "torch.fft", "torch.autograd"])
    given = {
        name: torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value
        for name, value in problem.arrays().items()
    }
    for name in problem.wrt:
        given[name].requires_grad_()
    leaves = [given[name] for name in problem.wrt]

    def call() -> list[Any]:
        value = function(**given)
        if not leaves:
            return [value]
        return [value.detach(), *torch.autograd.grad(value, leaves, allow_unused=True)]

    return call


def _jax(problem: Problem) -> Call:
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    modules = ("jax.numpy", "jax.nn", "jax.scipy.special", "jax.numpy.linalg")
    function = problem.function([*modules, "jax.numpy.fft", "jax"])
    names = list(problem.values)
    places = tuple(names.index(name) for name in problem.wrt)
    values = problem.arrays().values()
    fixed = tuple(i for i, v in enumerate(values) if not isinstance(v, np.ndarray))
    both = jax.value_and_grad(function, argnums=places) if places else function
    compiled = jax.jit(both, static_argnums=fixed)
    given = [jax.numpy.asarray(v) if isinstance(v, np.ndarray) else v for v in values]

    def call() -> list[Any]:
        found = jax.block_until_ready(compiled(*given))
        return [found[0], *found[1]] if places else [found]

    return call


PEERS = (
    Peer("PyTorch", "torch", _torch),
    Peer("JAX jit", "jax", _jax),
)
"""Other libraries, running the expression as a program of their own."""


def own(backend: str, device: str | None = None) -> Peer:
    """gradcli on one of its backends; raises G071 where that cannot run here."""
    chosen(backend, device)
    return Peer(f"gradcli {backend}", CHOICES[backend].package, _gradcli(backend, device))


def installed(backend: str | None = None, device: str | None = None) -> list[Peer]:
    """What is here, gradcli on NumPy first: all of its backends, or `backend` on `device`."""
    here = [
        name
        for name, c in CHOICES.items()
        if there(name) and "cpu" in c.devices and name != CLUSTER
    ]
    wanted = here if backend is None else dict.fromkeys(["numpy", backend])
    mine = [own(name, device if name == backend else None) for name in wanted]
    return mine + [peer for peer in PEERS if find_spec(peer.package) is not None]
