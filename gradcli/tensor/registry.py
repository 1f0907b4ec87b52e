"""The function table: what users call, found by PyTorch's qualified name.

Constraints: a family of functions (a module of gradcli/functions) is imported when a name of it is
first looked up, and registers itself then. Which family that is, its source text says: a list of
names beside it would be a second entry for each function.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

FAMILIES = (
    *("math", "elementwise", "reduce", "shape", "index", "create", "constants", "join"),
    *("linalg", "inplace", "convert", "gather", "split", "random", "random_writes"),
    *("grad_mode", "complex", "nn", "linear", "activation", "loss", "loss_classes"),
    *("loss_margins", "autograd", "einsum", "systems", "matrices", "decompositions", "lu"),
    *("fft", "frequencies", "spectrogram", "special", "scatter", "scatter_slices"),
    *("strides", "order", "counting", "histogram", "numeric", "distances", "geometry"),
    *("types", "data", "pad", "norm", "embedding", "conv", "pool", "pool_mean"),
    *("pool_places", "patches", "resize", "image", "grid", "ctc", "attention", "multihead"),
    *("dropout", "signal", "initial", "masked", "memory", "custom", "gradcheck", "vmap"),
    *("func", "functional", "anomaly", "forward_ad", "saving", "devices", "recurrent"),
    *("runtime", "parameter", "clipping", "testing", "storages", "checkpoint", "counts"),
    *("constructors",),
)
"""The modules of gradcli/functions, the most used first."""

ENTRIES: dict[str, Any] = {}
"""Everything that has a name: qualified name (`torch.nn.functional.relu`) -> what it means."""
METHODS: dict[str, Any] = {}
"""Methods of tensors: name -> function with the tensor as first argument."""
_waiting = list(FAMILIES)


def find(qualified: str) -> Any:
    """What a qualified name of PyTorch's API means here; None when there is no such name."""
    return _look(ENTRIES, qualified)


def method(name: str) -> Any:
    """The function behind a tensor's method; None when there is no such method."""
    return METHODS.get(name) or _look(METHODS, name)


def names() -> list[str]:
    """Every qualified name; imports every family."""
    _look(ENTRIES, "")
    return list(ENTRIES)


def method_names() -> Iterator[str]:
    """Every method's name; imports every family."""
    _look(ENTRIES, "")
    return iter(METHODS)


def mentioned(name: str) -> bool:
    """Whether a function may have this name; imports nothing."""
    if any(key.rpartition(".")[2] == name for key in ENTRIES):
        return True
    stems = {name, name.removesuffix("_")} - {""}
    return any(_names(family, stem) for family in _waiting for stem in stems)


def register(qualified: str, value: Any) -> None:
    """Adds an entry.

    Raises:
        ValueError: when the name is taken: one function is one entry.
    """
    if qualified in ENTRIES:
        raise ValueError(f"function table: {qualified} stands there twice; keep one entry")
    ENTRIES[qualified] = value


def register_method(name: str, value: Any) -> None:
    """Adds a method of tensors; raises as `register` does."""
    if METHODS.get(name, value) is not value:
        raise ValueError(f"function table: the method {name} stands there twice; keep one entry")
    METHODS[name] = value


def _look(table: dict[str, Any], name: str) -> Any:
    while name not in table and _waiting:
        family = _likely(name)
        _waiting.remove(family)
        importlib.import_module(f"gradcli.functions.{family}")
    return table.get(name)


def _likely(name: str) -> str:
    """The waiting family whose text names `name`; the first one where none does."""
    short = name.rpartition(".")[2]
    if not short or _waiting[0] == FAMILIES[0]:
        return _waiting[0]
    # The family of `add` has `add_`.
    stems = (short, short.removesuffix("_"))
    found = (family for stem in stems for family in _waiting if _names(family, stem))
    return next(found, _waiting[0])


def _names(family: str, short: str) -> bool:
    """Whether the text of a family names a function so."""
    text = _texts.get(family)
    if text is None:
        text = _texts[family] = _source(family)
    if f"def {short}(" in text or f'.{short}"' in text:
        return True
    word = f'"{short}"'
    return word in text and text.count(word) > sum(text.count(f) for f in _plain_text(word))


def _plain_text(word: str) -> tuple[str, ...]:
    """What a string is that names no function: `"x".join(...)`, `options["a"]`, `input="x"`."""
    return f"{word}.", f"[{word}]", f"with({word})", f"={word}"


def _source(family: str) -> str:
    path = os.path.join(os.path.dirname(__file__), os.pardir, "functions", f"{family}.py")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


_texts: dict[str, str] = {}
