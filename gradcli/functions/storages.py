"""`storage()` and `untyped_storage()`: the memory of a tensor, asked mostly whether it is the same.

Constraints: writes to them are not counted as versions of the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.shape import sizes_of
from gradcli.functions.strides import as_strided
from gradcli.graph.dtype import C_TYPES
from gradcli.graph.shape import numel
from gradcli.tensor import Tensor, registry
from gradcli.tensor.arguments import type_of
from gradcli.tensor.function import composite
from gradcli.tensor.write import refuse


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


@composite("Tensor.set_")
def set_(
    input: Any, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None
) -> Any:
    """Makes the tensor share the memory of `source`, a tensor or a storage; of None, none."""
    line = source if isinstance(source, Tensor) else _line_of(source, input)
    if line.dtype is not input.dtype:
        given, own = (C_TYPES[x.dtype] for x in (line, input))
        raise GradcliError(
            "G025", f"Could not set tensor of type {given} to a tensor of type {own}"
        )
    refuse(input, input.requires_grad, "set_")
    if size is not None:
        shape = sizes_of([size])
        steps = stride or [numel(shape[i + 1 :]) for i in range(len(shape))]
        line = as_strided(TypedStorage(line)._line, shape, steps, storage_offset)
    input.data = line
    input.version.bump()
    return input


def _line_of(source: Any, like: Any) -> Tensor:
    """The elements of a storage, read as those of a tensor; of None, none."""
    if source is None:
        return registry.find("torch.empty")(0, dtype=like.dtype)  # type: ignore[no-any-return]
    known = source._typed if isinstance(source, UntypedStorage) else source
    if not isinstance(known, TypedStorage):
        sentence = f"set_(): argument 'source' must be Tensor, not {type_of(source)}"
        raise GradcliError("G014", sentence, kind=TypeError)
    return known._line


@composite("Tensor.untyped_storage")
def untyped_storage(input: Any) -> UntypedStorage:
    """The bytes of the tensor's memory, which its views share."""
    return UntypedStorage(input)
