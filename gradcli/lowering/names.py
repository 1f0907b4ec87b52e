"""What a name means that no variable has: one lookup order, and the modules a script may import.

Constraints: variables come first and are the interpreter's business; then Python's built-ins,
exceptions, PyTorch's functions without their prefix, and modules. Without its prefix, a function
takes numbers where it takes tensors: `sqrt(2)` is `torch.sqrt(torch.tensor(2))`. Nothing is
imported before a name asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gradcli import functions
from gradcli.errors import GradcliError, did_you_mean
from gradcli.language.fence import ALLOWED_DUNDERS, MODULES
from gradcli.lowering.builtins import EXCEPTIONS, FUNCTOOLS, PYTHON, TYPING
from gradcli.lowering.outside import reason, search
from gradcli.lowering.values import Holder
from gradcli.source import Span
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import Function

PREFIXES = (
    "torch",
    "torch.nn.functional",
    "torch.autograd",
    "torch.linalg",
    "torch.special",
    "torch.fft",
    "torch.autograd.functional",
    "torch.func",
)
"""Where a bare name is looked for, in this order."""

BARE_MODULES = {
    "F": "torch.nn.functional",
    "autograd": "torch.autograd",
    "fft": "torch.fft",
    "linalg": "torch.linalg",
    "math": "math",
    "nn": "torch.nn",
    "special": "torch.special",
    "torch": "torch",
}
"""Modules that need no import."""

PYTHON_MODULES = {"functools": FUNCTOOLS, "typing": TYPING}
"""Modules of Python of which a part is there."""

OTHERWISE = {
    "functorch": "torch.func",
    "torch.autograd.grad_mode": "torch",
    "torch.functional": "torch",
    "torch.torch": "torch",
}
"""Modules of PyTorch whose functions stand under other names in the function table."""

HELD = frozenset(["torch.backends.cudnn"])
"""Modules that scripts set something in: objects of the function table."""

ON_TENSORS = ("abs", "all", "any", "max", "min", "pow", "round", "sum")
"""Python's names that mean PyTorch's function when the first argument is a tensor."""


_members_met: dict[str, dict[str, Any]] = {}
"""By module, what its members that were asked for are."""
_UNMET = object()
"""Stands for a member that was not asked for yet."""
_assigned: list[tuple[dict[str, Any], str, Any]] = []
"""What scripts set in modules: the members, the name, and what it was before."""


class Module(Holder):
    """A module of the language, such as `torch.nn.functional`: a prefix of qualified names."""

    __slots__ = ("_known", "qualified")

    def __init__(self, qualified: str) -> None:
        self.qualified = qualified
        self._known = _members_met.setdefault(qualified, {})

    def member(self, name: str) -> Any:
        """What `module.name` is; G011 (kind `AttributeError`) where there is no such thing."""
        found = self._known.get(name, _UNMET)
        if found is not _UNMET:
            return found
        qualified = f"{self.qualified}.{name}"
        is_module = qualified in MODULES and qualified not in HELD
        found = Module(qualified) if is_module else _find(qualified)
        if found is None and qualified not in registry.ENTRIES:  # `torch.newaxis` is None
            raise GradcliError(
                "G011",
                f"module '{self.qualified}' has no attribute '{name}'",
                help=reason(qualified.partition(".")[2])
                or did_you_mean(name, _members(self.qualified))
                or search(name),
                kind=AttributeError,
            )
        self._known[name] = found
        return found

    def assign(self, name: str, new: Any) -> None:
        """`module.name = new`, until `forget_assigned`."""
        _assigned.append((self._known, name, self._known.get(name, _UNMET)))
        self._known[name] = new

    def __repr__(self) -> str:
        return f"<module '{self.qualified}'>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Module) and other.qualified == self.qualified

    def __hash__(self) -> int:
        return hash(self.qualified)


def lookup(name: str) -> Any:
    """What the bare `name` means when no variable has it; None when it means nothing."""
    found = _known.get(name)
    if found is None:
        found = _resolve(name)
        if found is not None:
            _known[name] = found
    return found


def forget_assigned() -> None:
    """Modules are as they were before a script set something in them."""
    while _assigned:
        members, name, before = _assigned.pop()
        if before is _UNMET:
            members.pop(name, None)
        else:
            members[name] = before


def may_mean(name: str) -> bool:
    """Whether `lookup` may find something; imports nothing."""
    known = (_known, PYTHON, EXCEPTIONS, BARE_MODULES)
    return any(name in table for table in known) or registry.mentioned(name)


def unknown(name: str, span: Span, variables: Iterable[str]) -> GradcliError:
    """The error for a name that means nothing, with the nearest one that does."""
    values = [known for known in known_names() if known not in BARE_MODULES]
    help = (
        did_you_mean(name, [*variables, *values])
        or did_you_mean(name, BARE_MODULES)
        or f"assign it before, or bind it behind the script or expression: {name}=3"
    )
    message = f"name '{name}' is not defined"
    return GradcliError("G010", message, span, help=help, kind=NameError)


def module(qualified: str) -> Any:
    """The module that `import qualified` names; G002 (kind `ModuleNotFoundError`) for any other."""
    if qualified not in MODULES:
        raise GradcliError(
            "G002",
            f"No module named '{qualified}'",
            help="torch, math, parts of functools and typing are built in; nothing else",
            kind=ModuleNotFoundError,
        )
    return _find(qualified) if qualified in HELD else Module(qualified)


_known: dict[str, Any] = {}


def _resolve(name: str) -> Any:
    if name in ON_TENSORS:
        return _on_tensors(name, PYTHON[name])
    for table in (PYTHON, EXCEPTIONS):
        if name in table:
            return table[name]
    if name[0] == "_":
        return None
    if name in BARE_MODULES:
        return Module(BARE_MODULES[name])
    found = (_find(f"{prefix}.{name}") for prefix in PREFIXES)
    value = next((value for value in found if value is not None), None)
    return value.variant(lenient=True) if isinstance(value, Function) else value


def _find(qualified: str) -> Any:
    prefix, _, name = qualified.rpartition(".")
    if prefix == "math":
        from gradcli.lowering.mathematics import MATH

        return MATH.get(name)
    if prefix in PYTHON_MODULES:
        return PYTHON_MODULES[prefix].get(name)
    hidden = name[:1] == "_" and name not in ALLOWED_DUNDERS
    return None if hidden else functions.find(f"{OTHERWISE.get(prefix, prefix)}.{name}")


def _on_tensors(name: str, python: Callable[..., Any]) -> Callable[..., Any]:
    """`name` of PyTorch when the first argument is a tensor, else Python's."""

    def call(*args: Any, **named: Any) -> Any:
        # A sum of rows from a start on, the least of many: PyTorch's functions take no such thing.
        place = {"sum": 1, "max": 2, "min": 2}.get(name, len(args))
        rows = len(args) > place and isinstance(args[place], Tensor)
        if not rows and (isinstance(args[0], Tensor) if args else "input" in named):
            return functions.find(f"torch.{name}")(*args, **named)
        return python(*args, **named)

    call.__name__ = call.__qualname__ = name
    return call


def _members(qualified: str) -> list[str]:
    if qualified == "math":
        from gradcli.lowering.mathematics import MATH

        return list(MATH)
    if qualified in PYTHON_MODULES:
        return list(PYTHON_MODULES[qualified])
    prefix = f"{OTHERWISE.get(qualified, qualified)}."
    return [name[len(prefix) :] for name in functions.names() if name.startswith(prefix)]


def known_names() -> list[str]:
    """Every bare name that means something without a variable."""
    bare = [name.rpartition(".")[2] for name in functions.names()]
    return [*PYTHON, "print", *EXCEPTIONS, *BARE_MODULES, *bare]
