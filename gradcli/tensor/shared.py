"""NumPy arrays that share the memory of a tensor, as `tensor.numpy()` gives them.

Constraints: a tensor has no memory of its own here, so each side copies what it writes to the
other; autograd does not see what the array writes, as with `tensor.data`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.graph.node import data
from gradcli.tensor.write import ARRAYS, write

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor


class SharedArray(np.ndarray[Any, Any]):
    """The elements of a tensor, or a part of them.

    Attributes:
        whole: the array that `of` made, which this one may be a view of.
        tensor: what the whole array shows.
    """

    whole: SharedArray | None = None
    tensor: Tensor

    @classmethod
    def of(cls, tensor: Tensor) -> SharedArray:
        """The elements of `tensor` as an array that sees writes to it, and the other way round."""
        made = np.array(tensor.array()).view(cls)
        made.whole, made.tensor = made, tensor.data
        known = [r for r in ARRAYS.get(tensor.memory, ()) if r() is not None]
        ARRAYS[tensor.memory] = [*known, weakref.ref(made)]
        return made

    def __array_finalize__(self, source: Any) -> None:
        self.whole = getattr(source, "whole", None)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self._tell()

    def __repr__(self) -> str:
        return repr(np.asarray(self))

    def look(self) -> None:
        """Takes what the tensor holds now."""
        np.copyto(np.asarray(self), self.tensor.array())

    def _tell(self) -> None:
        """Writes what the array holds now to the tensor, if it is a part of its memory."""
        whole = self.whole
        if whole is not None and np.may_share_memory(self, whole):
            tensor = whole.tensor
            write(tensor, data(np.array(whole), tensor._node.shape, tensor.dtype))


def standing_for(array: np.ndarray[Any, Any]) -> Tensor | None:
    """A tensor in the memory that an array shows; None where the array has memory of its own."""
    whole = array.whole if isinstance(array, SharedArray) else None
    if whole is None or not np.may_share_memory(array, whole):
        return None
    shown: Tensor = whole.tensor.data
    if (array.shape, array.strides) == (whole.shape, whole.strides):
        return shown
    steps = [step // array.itemsize for step in array.strides]
    if min(steps, default=0) < 0 or not (shown.is_contiguous() and whole.flags.c_contiguous):
        return None
    first = (array.ctypes.data - whole.ctypes.data) // array.itemsize
    part: Tensor = shown.as_strided(array.shape, steps, shown.storage_offset() + first)
    return part


def _telling(name: str) -> Callable[[SharedArray, Any], Any]:
    operate = getattr(np.ndarray, name)

    def in_place(self: SharedArray, other: Any) -> Any:
        result = operate(self, other)
        self._tell()
        return result

    return in_place


for _name in (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
    *("and", "or", "xor", "lshift", "rshift"),
):
    setattr(SharedArray, f"__i{_name}__", _telling(f"__i{_name}__"))
SharedArray.__module__ = "numpy"  # what `print(type(x.numpy()))` shows
SharedArray.__name__ = SharedArray.__qualname__ = "ndarray"
