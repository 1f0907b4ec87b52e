"""What a backend is: kernels by op, arrays in and arrays out.

Constraints: imports no array library; a backend's module is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any, Protocol

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node


class Backend(Protocol):
    """Executes ops on one array library."""

    name: str

    def run(self, node: Node, values: list[Any]) -> Any:
        """The value of `node`, given the values of its inputs."""

    def from_numpy(self, array: Any) -> Any:
        """The library's array of a NumPy array."""

    def to_numpy(self, array: Any) -> Any:
        """The NumPy array of the library's array."""

    def dtype(self, dtype: DType) -> Any:
        """The library's name for a dtype."""
