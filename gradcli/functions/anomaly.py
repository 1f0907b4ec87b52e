"""Anomaly mode by PyTorch's names: a block, or from now on.

Constraints: the work is in gradcli/tensor/anomaly.py.
"""

from __future__ import annotations

from gradcli.tensor import registry
from gradcli.tensor.anomaly import anomaly


class AnomalyMode:
    """A block in which backward passes stop at the first NaN.

    Args:
        mode: whether they do.
        check_nan: whether they look for NaN.
        at_once: whether it begins already here, outside of any block.
    """

    def __init__(self, mode: bool, check_nan: bool, *, at_once: bool) -> None:
        self._before = anomaly.enabled, anomaly.check_nan
        self._mode = mode, check_nan
        if at_once:
            anomaly.enabled, anomaly.check_nan = self._mode

    def __enter__(self) -> None:
        anomaly.enabled, anomaly.check_nan = self._mode

    def __exit__(self, *exception: object) -> None:
        anomaly.enabled, anomaly.check_nan = self._before


def detect_anomaly(check_nan: bool = True) -> AnomalyMode:
    """A block in which backward passes stop at the first NaN and say which function made it."""
    return AnomalyMode(True, bool(check_nan), at_once=False)


def set_detect_anomaly(mode: bool, check_nan: bool = True) -> AnomalyMode:
    """Switches anomaly mode on or off, from now on, or for a `with` block."""
    return AnomalyMode(bool(mode), bool(check_nan), at_once=True)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return anomaly.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode looks for NaN."""
    return anomaly.check_nan


for _entry in (detect_anomaly, set_detect_anomaly):
    registry.register(f"torch.autograd.{_entry.__name__}", _entry)
    registry.register(f"torch.autograd.anomaly_mode.{_entry.__name__}", _entry)
for _query in (is_anomaly_enabled, is_anomaly_check_nan_enabled):
    registry.register(f"torch.{_query.__name__}", _query)
