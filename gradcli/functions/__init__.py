"""The function table: PyTorch's functions, one entry each, in families that are imported when they are used."""

from gradcli.tensor.registry import find, names

__all__ = ["find", "names"]
