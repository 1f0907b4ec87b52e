"""Whether loops are replayed.

Constraints: small, so that whoever only asks need not load what replays them.
"""

from __future__ import annotations

from gradcli.execute.elsewhere import elsewhere


class Switch:
    """Whether loops may be replayed, whether one is being recorded, how many iterations were."""

    __slots__ = ("busy", "done", "on")

    def __init__(self) -> None:
        self.on = True
        self.busy = False
        self.done = 0


switch = Switch()


def may_replay() -> bool:
    """Whether loops may be replayed; programs of loops are NumPy's."""
    return switch.on and elsewhere.engine is None
