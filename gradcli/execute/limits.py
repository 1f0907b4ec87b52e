"""The memory limit: results that would not fit are refused before they are allocated.

Constraints: bytes; the default is 80 % of what the machine has available when it is first asked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.graph.shape import text


class MemoryLimit:
    """How many bytes results may take."""

    def __init__(self) -> None:
        self._limit: int | None = None

    @property
    def limit(self) -> int:
        """The limit in bytes."""
        if self._limit is None:
            self._limit = int(0.8 * available())
        return self._limit

    def set(self, limit: int) -> None:
        """Sets the limit, in bytes."""
        self._limit = limit

    def refuse_node(self, node: Node) -> None:
        """Refuses a result that does not fit; raises G060 with the place."""
        if _bytes(node) > self.limit and node.op.name not in VIRTUAL:
            raise self.error([node])

    def refuse_together(self, nodes: Sequence[Node]) -> None:
        """Refuses results that do not fit when all are needed at a time.

        Raises:
            GradcliError: G060 at the place of the largest.
        """
        need = sum(map(_bytes, nodes))
        if need <= self.limit:
            return
        node = max(nodes, key=_bytes)
        if _bytes(node) > self.limit:
            raise self.error([node])
        raise GradcliError(
            "G060",
            f"{len(nodes)} results are needed at a time, of which the largest has the shape "
            f"{text(node.shape)}: {human(need)}, the limit is {human(self.limit)}",
            node.span,
            help="raise it with --max-memory, or work on smaller pieces",
        )

    def refuse(self, count: int, itemsize: int) -> None:
        """Refuses an array of `count` elements that does not fit.

        Raises:
            GradcliError: G060 with both numbers.
        """
        if count * itemsize > self.limit:
            raise GradcliError(
                "G060",
                f"an array of {count} elements needs {human(count * itemsize)}, "
                f"the limit is {human(self.limit)}",
                help="raise it with --max-memory",
            )

    def error(self, nodes: Sequence[Node]) -> GradcliError:
        """G060 for a node that does not fit."""
        node = nodes[0]
        need = _bytes(node)
        return GradcliError(
            "G060",
            f"a result of shape {text(node.shape)} needs {human(need)}, "
            f"the limit is {human(self.limit)}",
            node.span,
            help="raise it with --max-memory, or work on smaller pieces",
        )


def _bytes(node: Node) -> int:
    return node.size * node.dtype.itemsize


VIRTUAL = frozenset({"full", "expand"})
"""Ops whose result repeats its input without storing it again."""

GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", ("memory.stat", "inactive_file")),
    (
        *("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
        ("memory.stat", "total_inactive_file"),
    ),
)
"""Where Linux says of a container its limit, what it uses, and what of that it can give back."""

memory = MemoryLimit()


def available() -> int:
    """Bytes of memory that this process may take now: what is free, within its own limits.

    These are the address space (ulimit -v) and a container's memory.
    """
    return max(1, min([_free(), *_own()]))


def _free() -> int:
    """Bytes that are free on the machine; the whole memory where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 8 << 30


def _own() -> list[int]:
    """What each limit of this process leaves; nothing where the system knows none."""
    left = []
    try:
        import resource

        space, _ = resource.getrlimit(resource.RLIMIT_AS)
        if space != resource.RLIM_INFINITY:
            with open("/proc/self/statm", encoding="ascii") as file:
                left.append(space - int(file.read().split()[0]) * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        pass
    for folder, limit, used, cached in GROUPS:
        try:
            sizes = [_number(folder, limit), -_number(folder, used), _number(folder, *cached)]
            left.append(sum(sizes))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return left


def _number(folder: str, name: str, key: str = "") -> int:
    """The number in a file, or behind `key` in a line of it."""
    with open(f"{folder}/{name}", encoding="ascii") as file:
        words = file.read().split()
    return int(words[words.index(key) + 1 if key else 0])


def human(count: float) -> str:
    """A number of bytes for people: `1.5 GB`."""
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.3g} EB"
