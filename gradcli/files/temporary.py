"""Files that are there only while this process works on something.

Constraints: whoever makes one removes it; `remove_all` is for a process that ends at once, where
nobody else gets to.
"""

from __future__ import annotations

import os
from contextlib import suppress

_names: set[str] = set()


def made(name: str) -> None:
    """Takes note of a file that is temporary from now on."""
    _names.add(name)


def settled(name: str) -> None:
    """Takes note that a file is gone, or has become a result."""
    _names.discard(name)


def remove(name: str) -> None:
    """Removes a file that was `made`, if it is still there."""
    with suppress(OSError):
        os.unlink(name)
    settled(name)


def remove_all() -> None:
    """Removes all of them."""
    for name in list(_names):
        remove(name)
