"""Text of a function `run` as that function, with what its names mean.

Constraints: the text comes from this package alone, never from a user, and sees no builtins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from textwrap import indent
from typing import Any


def compiled(text: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """`run`, whose text hardly comes again."""
    scope: dict[str, Any] = {"__builtins__": {}, **names}
    exec(compile(text, "<gradcli>", "exec"), scope)
    # Taken out, it leaves no cycle that would keep what the names mean.
    return scope.pop("run")  # type: ignore[no-any-return]  # a fresh namespace holds anything


def like_others(text: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    """`run`, whose text is that of many functions, with other meanings of its names."""
    return _maker(text, tuple(names))(*names.values())  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def _maker(text: str, names: tuple[str, ...]) -> Callable[..., Any]:
    body = indent(text, "    ")
    return compiled(f"def run({', '.join(names)}):\n{body}\n    return run\n", {})
