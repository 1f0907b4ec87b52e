"""The function table: PyTorch's functions, one entry each, in families imported when used."""

from gradcli.tensor.registry import find, names

__all__ = ["find", "names"]
