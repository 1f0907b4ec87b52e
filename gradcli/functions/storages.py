"""`storage()` and `untyped_storage()`: the memory of a tensor, asked mostly whether it is the same.

Constraints: writes to them are not counted as versions of the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradcli.functions.strides import as_strided
from gradcli.graph.shape import numel
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite


class TypedStorage:
    """The memory that a tensor and its views share, as a line of elements."""

    __module__ = "torch.storage"

    def __init__(self, tensor: Any) -> None:
        root = tensor.memory.node
        self._line: Tensor = as_strided(tensor.data, (numel(root.shape),), (1,), 0)

    def __len__(self) -> int:
        return int(self._line.numel())

    def __getitem__(self, place: int) -> Any:
        return self._line[place].item()

    def __setitem__(self, place: int | slice, value: float) -> None:
        self._line[place] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def fill_(self, value: float) -> TypedStorage:
        """Writes one number everywhere."""
        self[:] = value
        return self

    def data_ptr(self) -> int:
        """The same number for all tensors of this memory."""
        return int(self._line.data_ptr())

    def size(self) -> int:
        """The number of elements."""
        return len(self)

    def nbytes(self) -> int:
        """The size in bytes."""
        return int(self._line.nbytes)

    def tolist(self) -> list[Any]:
        """The elements, as they lie in memory."""
        return list(self._line.tolist())

    def __repr__(self) -> str:
        elements = "".join(f" {element}\n" for element in self.tolist())
        kind = f"torch.storage.TypedStorage(dtype={self._line.dtype}, device=cpu)"
        return f"{elements}[{kind} of size {len(self)}]"


class UntypedStorage:
    """The memory that a tensor and its views share, as bytes."""

    __module__ = "torch.storage"

    def __init__(self, tensor: Any) -> None:
        self._typed = TypedStorage(tensor)

    def __len__(self) -> int:
        return self._typed.nbytes()

    def data_ptr(self) -> int:
        """The same number for all tensors of this memory."""
        return self._typed.data_ptr()

    def size(self) -> int:
        """The size in bytes."""
        return len(self)

    nbytes = size


@composite("Tensor.storage")
def storage(input: Any) -> TypedStorage:
    """The memory of the tensor, which its views share."""
    return TypedStorage(input)


@composite("Tensor.untyped_storage")
def untyped_storage(input: Any) -> UntypedStorage:
    """The bytes of the tensor's memory, which its views share."""
    return UntypedStorage(input)
