"""Data files and pipes, in and out: what bindings name, what results are saved as.

Constraints: knows arrays and files, nothing of the language or the graph. Every name is imported
when it is first used, a format's reader when such a file is read: most runs need one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcli.files.reading import read as read
    from gradcli.files.reading import read_stream as read_stream
    from gradcli.files.result_json import array_text as array_text
    from gradcli.files.result_json import json_text as json_text
    from gradcli.files.writing import write as write
    from gradcli.files.writing import write_file as write_file
    from gradcli.files.writing import write_stream as write_stream

_HOMES = {
    "array_text": "result_json",
    "json_text": "result_json",
    "read": "reading",
    "read_stream": "reading",
    "write": "writing",
    "write_file": "writing",
    "write_stream": "writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
