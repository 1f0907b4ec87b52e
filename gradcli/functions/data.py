"""`load` and `save`: the language's only way to files, and only below the working directory.

Constraints: the path is checked after links are followed; text files get the default dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.limits import memory
from gradcli.execute.whole import LARGE, STAYS, stays
from gradcli.files.stored import Stored
from gradcli.files.views import Cast
from gradcli.functions.create import from_array
from gradcli.graph.dtype import default
from gradcli.graph.node import current
from gradcli.tensor import Tensor
from gradcli.tensor.ends import to_write
from gradcli.tensor.function import composite

BINARY = (".npy", ".npz", ".safetensors", ".parquet", ".arrow", ".feather")
"""Files that say their dtype themselves."""


@composite("load", method=False)
def load(file: str) -> Any:
    """The data of a file below the working directory: `load("d.csv")`, `load("d.npz:key")`."""
    if current.recording is not None:
        current.recording.fail("a file was read")
    return from_file(_text(file), root=Path.cwd())


def from_file(reference: str, reader: Callable[..., Any] | None = None, **options: Any) -> Tensor:
    """A tensor of a file's data, which stays in the file where it is large.

    Args:
        reader: reads it, with the options of `files.read`, which does so by default.
    """
    from gradcli.files import read

    found = (reader or read)(reference, limit=memory.limit, keep=stays(), **options)
    small = isinstance(found, Stored) and found.size < LARGE
    small = small and found.nbytes < memory.limit // STAYS
    return from_data(np.asarray(found) if small else found, reference)


def from_data(array: Any, reference: str, *, binary: bool | None = None) -> Tensor:
    """A tensor of a file's data; text gets the default dtype, a binary file says its own."""
    if binary is None:
        binary = any(suffix in reference.lower() for suffix in BINARY)
    wanted = NUMPY_DTYPES[default.dtype]
    if array.dtype.kind == "f" and not binary and array.dtype != wanted:
        array = Cast(array, wanted) if isinstance(array, Stored) else array.astype(wanted)
    return from_array(array)


@composite("save", method=False)
def save(file: Any, *values: Any, **named: Any) -> None:
    """Writes tensors below the working directory: `save("g.npy", g)`, `save("r.npz", w=w)`."""
    from gradcli.files import write

    if isinstance(file, Tensor) and values and isinstance(values[0], str):
        file, values = values[0], (file, *values[1:])
    if current.recording is not None:
        current.recording.fail("a file was written")
    path = Path.cwd() / _text(file)
    if not path.resolve().is_relative_to(Path.cwd().resolve()):
        raise GradcliError("G053", f"{file} is outside the working directory", kind=PermissionError)
    arrays = {f"arr_{i}" if i or len(values) > 1 else "value": v for i, v in enumerate(values)}
    arrays.update(named)
    for name, value in arrays.items():
        if not isinstance(value, Tensor):
            raise GradcliError(
                "G014", f"save(): {name} is {type(value).__name__}, not a Tensor", kind=TypeError
            )
    format = path.suffix.lstrip(".") or "npy"
    write(path, to_write(arrays), format)


def _text(file: Any) -> str:
    if not isinstance(file, str):
        raise GradcliError(
            "G013", f"a file name must be str, not {type(file).__name__}", kind=TypeError
        )
    return file
