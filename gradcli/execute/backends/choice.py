"""Which backends there are, what they need, and how one is chosen.

Constraints: imports no array library; the chosen backend's module is imported when it is chosen.
A new backend is a line here and a file beside this one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from gradcli.errors import GradcliError, did_you_mean


class Choice(NamedTuple):
    """A backend that can be chosen.

    Attributes:
        package: what must be installed, and whose version is told.
        extra: of gradcli, that installs it; empty where nothing is needed.
        devices: the kinds of devices that it may run on.
    """

    package: str
    extra: str
    devices: tuple[str, ...]


CHOICES = {
    "numpy": Choice("numpy", "", ("cpu",)),
    "jax": Choice("jax", "jax", ("cpu", "cuda")),
    "torch": Choice("torch", "torch", ("cpu", "cuda", "mps")),
    "cupy": Choice("cupy", "cupy", ("cuda",)),
    "dask": Choice("distributed", "dask", ("cpu",)),
}
"""What `--backend` takes."""
CLUSTER = "dask"
"""The backend whose processes compute with NumPy."""
KINDS = ("cpu", "cuda", "mps")
"""Kinds of devices."""
STRICT = "array-api-strict"
"""The stand-in of tests for any array library; no choice of the command line."""


def using(name: str = "numpy", device: str | None = None) -> AbstractContextManager[Any]:
    """The block in which a backend computes.

    Raises:
        GradcliError: G071 for a backend or a device that is not there, with a way out.
    """
    library = chosen(name, device)
    if name == CLUSTER:
        return import_module("gradcli.execute.cluster").spread()  # type: ignore[no-any-return]
    if library is None or import_module("gradcli.execute.elsewhere").elsewhere.watched:
        return nullcontext()
    return import_module("gradcli.execute.delayed").Delayed(library)  # type: ignore[no-any-return]


def chosen(name: str, device: str | None = None) -> Any:
    """The backend's library; None where NumPy computes, which does so without being asked.

    Raises:
        GradcliError: as `using` does.
    """
    if name == STRICT:
        return _loaded(name, device)
    if name not in CHOICES:
        raise GradcliError(
            "G071",
            f"there is no backend {name!r}",
            help=did_you_mean(name, CHOICES) or f"choose one of {', '.join(CHOICES)}",
        )
    choice = CHOICES[name]
    if device is not None:
        _refuse_device(name, choice, device)
    if choice.extra and not installed(name):
        raise GradcliError(
            "G071",
            f"the {name} backend needs {choice.package}, which is not installed",
            help=install(name),
        )
    return None if name in ("numpy", CLUSTER) else _loaded(name, device)


def _loaded(name: str, device: str | None) -> Any:
    key = (name, device)
    if key not in loaded:
        module = import_module(f"gradcli.execute.backends.{name.replace('-', '_')}")
        loaded[key] = module.load(device)
    return loaded[key]


loaded: dict[tuple[str, str | None], Any] = {}
"""The libraries in use, so that each says what it lacks once."""


def _refuse_device(name: str, choice: Choice, device: str) -> None:
    kind, separator, number = device.partition(":")
    if kind not in KINDS or (separator and not (kind == "cuda" and number.isdecimal())):
        raise GradcliError(
            "G071", f"{device!r} is no device", help="choose one of cpu, cuda, cuda:N, mps"
        )
    if kind not in choice.devices:
        others = [other for other, c in CHOICES.items() if kind in c.devices]
        raise GradcliError(
            "G071",
            f"the {name} backend does not run on {device}, but on {' and '.join(choice.devices)}",
            help=f"choose one that does: --backend {others[0]} --device {device}",
        )


def found_device(name: str, device: str, known: list[str]) -> str:
    """The device of `known` that is meant; raises G071 for one that this machine lacks."""
    wanted = "cuda:0" if device == "cuda" else device
    if wanted in known:
        return wanted
    raise GradcliError(
        "G071",
        f"{name} finds no device {device} on this machine",
        help=f"it finds {', '.join(known)}" if known else "use another backend",
    )


def installed(name: str) -> bool:
    """Whether what a backend needs is here; nothing is imported."""
    return find_spec(CHOICES[name].package) is not None


def devices(name: str) -> list[str]:
    """The devices that an installed backend finds; imports its library."""
    if name in ("numpy", CLUSTER):
        return ["cpu"]
    found: list[str] = import_module(f"gradcli.execute.backends.{name}").devices()
    return found


def install(name: str) -> str:
    """The command that installs what a backend needs."""
    return f"pip install 'gradcli[{CHOICES[name].extra}]'"
