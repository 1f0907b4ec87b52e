"""array-api-strict as a backend: the stand-in of tests for any library of the standard.

Constraints: no choice of the command line.
"""

from __future__ import annotations

from importlib import import_module

from gradcli.execute.backends.array_api import ArrayAPI


def load(device: str | None) -> ArrayAPI:
    """The backend; it has one device."""
    return ArrayAPI(import_module("array_api_strict"), "cpu")
