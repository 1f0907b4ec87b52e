"""What a script sees of a value: its attributes and methods, and what calling a class does.

Constraints: an allow list. A class that is not in the table (members.py), and is none of gradcli's
own, has no attributes; a name with a leading underscore is never looked up (but for `__name__`,
`_version` and saved tensors), so no value leads to a frame, a module, a code object or a file.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from types import FunctionType
from typing import Any

from gradcli.errors import GradcliError, did_you_mean
from gradcli.graph.node import current
from gradcli.lowering.members import CLASS_METHODS, MEMBERS, NUMPY, Members
from gradcli.lowering.outside import reason, search
from gradcli.tensor import Tensor, registry

OPEN: Members = {}
"""Stands for everything without a leading underscore; told apart by identity."""
OWN: Members = {}
"""Stands for what a `Holder` finds."""


class Holder:
    """What looks up its members itself: a module."""

    __slots__ = ()

    def member(self, name: str) -> Any:
        """What `self.name` is; raises as `get_attribute` does."""
        raise NotImplementedError

    def assign(self, name: str, new: Any) -> None:
        """`self.name = new`."""
        raise NotImplementedError


CONSTRUCTORS: dict[type, Callable[..., Any]] = {}
"""What calls of Python's own classes do; builtins.py fills it."""

_OPEN_MODULES = ("gradcli.tensor", "gradcli.functions", "gradcli.graph.dtype", "torch")
"""By the names that scripts see: tensors and sizes say that they are of `torch`."""
_SHOWN = ("_version", "_base", "_is_view", "_sequence_nr", "_input_metadata", "__name__")
_INTERNAL = frozenset(
    [
        *("adopt", "alias", "array", "autograd", "held", "is_invalid", "memory", "node"),
        *("value_node", "version", "view_path"),
    ]
)
"""What tensors have for gradcli's own use."""
_SAVED = ("_saved_", "_raw_saved_")
_ASSIGNABLE = ("data", "grad", "imag", "real", "requires_grad")


def get_attribute(value: Any, name: str) -> Any:
    """`value.name`; G011 (kind `AttributeError`) for what is not there or not shown."""
    members = _members_of(value.__class__)
    if members is OPEN:
        shown = name[0] != "_" or name in _SHOWN or name.startswith(_SAVED)
        if shown and not (name in _INTERNAL and isinstance(value, Tensor)):
            try:
                return getattr(value, name)
            except AttributeError as error:
                if error.obj is not value or error.name != name:
                    raise
    elif members is OWN:
        return value.member(name)
    elif name in members:
        guard = members[name]
        return getattr(value, name) if guard is None else _bind(guard, value)
    elif isinstance(value, type):
        return _class_attribute(value, name)
    elif name == "__name__" and callable(value):
        return getattr(value, name)
    elif is_own(value) and name in vars(value):
        return vars(value)[name]
    raise no_attribute(value, name)


def is_own(value: Any) -> bool:
    """Whether a script defined the function `value`, which takes attributes of any name then."""
    return isinstance(value, FunctionType) and value.__module__ == "__main__"


def has_attribute(value: Any, name: str, /) -> bool:
    """Whether a script sees `value.name`; G002 for names that it may not ask for."""
    if not isinstance(name, str):
        sentence = f"attribute name must be string, not '{type(name).__name__}'"
        raise GradcliError("G014", sentence, kind=TypeError)
    if name.startswith("__"):
        sentence = "names with two underscores around them are outside the language"
        raise GradcliError("G002", sentence)
    try:
        get_attribute(value, name)
    except (GradcliError, AttributeError) as error:
        if getattr(error, "kind", AttributeError) is not AttributeError:
            raise
        return False
    return True


def set_attribute(value: Any, name: str, new: Any) -> None:
    """`value.name = new`: on modules, tensors, and own objects that list it in `ASSIGNABLE`."""
    if isinstance(value, Holder):
        value.assign(name, new)
        return
    if not _is_assignable(value, name):
        raise not_writable(value, name)
    if is_own(value) and current.recording is not None:
        current.recording.fail("an attribute of a function was set")
    known = registry.METHODS.get(name) if isinstance(value, Tensor) else None
    if isinstance(known, property):
        known.__set__(value, new)
    else:
        setattr(value, name, new)


def delete_attribute(value: Any, name: str) -> None:
    """`del value.name`, where it can be set; a tensor's gradient is None then."""
    if not _is_assignable(value, name):
        raise not_writable(value, name)
    if isinstance(value, Tensor) and name == "grad":
        value.grad = None
    else:
        delattr(value, name)


def no_attribute(value: Any, name: str) -> GradcliError:
    """The error for an attribute that does not exist or is not shown."""
    is_class = isinstance(value, type)
    cls = value if is_class else value.__class__
    what = f"type object '{cls.__name__}'" if is_class else f"'{cls.__name__}' object"
    message = f"{what} has no attribute '{name}'"
    help: str | list[str] = did_you_mean(name, _known(cls))
    if cls is Tensor:
        help = reason(name) or help or search(name)
    elif cls.__name__ == "function":
        help = help or "the functions that a script defines have attributes: f.calls = 0"
    return GradcliError("G011", message, help=help, kind=AttributeError)


def not_writable(value: Any, name: str) -> GradcliError:
    """The error for an attribute that can be read at most."""
    get_attribute(value, name)
    cls = "torch._C.TensorBase" if isinstance(value, Tensor) else type(value).__name__
    message = f"attribute '{name}' of '{cls}' objects is not writable"
    return GradcliError("G011", message, kind=AttributeError)


def callback(function: Any) -> Any:
    """`function` as something a consumer may call: a class by its guarded constructor."""
    return constructor(function) if isinstance(function, type) else function


def constructor(cls: type) -> Callable[..., Any]:
    """What calling the class `cls` does; G002 for the classes that a script may only look at."""
    found = CONSTRUCTORS.get(cls)
    if found is not None:
        return found
    if is_open(cls) or issubclass(cls, Exception):
        return cls
    raise GradcliError("G002", f"cannot create '{cls.__name__}' instances", kind=TypeError)


def is_open(cls: type) -> bool:
    """Whether a class shows all but underscored names: gradcli's tensors and their company."""
    return any(base.__module__.startswith(_OPEN_MODULES) for base in cls.__mro__)


_learned: dict[type, Members] = dict(MEMBERS)


def _members_of(cls: type) -> Members:
    members = _learned.get(cls)
    if members is None:
        members = _learned[cls] = _learn(cls)
    return members


def _learn(cls: type) -> Members:
    if is_open(cls):
        return OPEN
    if issubclass(cls, Holder):
        return OWN
    if issubclass(cls, BaseException):
        return {"args": None, "value": None} if issubclass(cls, StopIteration) else {"args": None}
    if cls.__module__ == "numpy":
        return NUMPY
    return {}


def _class_attribute(cls: type, name: str) -> Any:
    """`cls.name`: a method to be called with its object, such as `str.upper`, or a static one."""
    if name == "__name__":
        return cls.__name__
    members = _members_of(cls)
    if (cls, name) in CLASS_METHODS:
        return CLASS_METHODS[cls, name]
    if members is OPEN and name[0] != "_" and name != "mro" and hasattr(cls, name):
        return getattr(cls, name)
    if cls is Tensor and name[0] != "_":
        method = registry.method(name)
        if method is not None:
            return method
    if name in members and issubclass(cls, BaseException) is False:
        return members[name] or getattr(cls, name)
    raise no_attribute(cls, name)


def _known(cls: type) -> Iterable[str]:
    members = _members_of(cls)
    if members is not OPEN:
        return members
    hidden = _INTERNAL if issubclass(cls, Tensor) else ()
    return [name for name in dir(cls) if name[0] != "_" and name not in hidden]


def _is_assignable(value: Any, name: str) -> bool:
    cls = value.__class__
    if is_own(value):
        return not name.startswith("__")
    names: Container[str] = getattr(cls, "ASSIGNABLE", _ASSIGNABLE) if is_open(cls) else ()
    return name in names


def _bind(guard: Callable[..., Any], value: Any) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> Any:
        return guard(value, *args, **kwargs)

    return method
