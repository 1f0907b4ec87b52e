"""Python's `math` module as a table, with a ceiling on the integers that it may build.

Constraints: every public name of the running Python's module, the same answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradcli.lowering.builtins import fed
from gradcli.lowering.limits import require_bits


def _factorial(n: Any, /) -> int:
    if isinstance(n, int) and n > 1:
        require_bits(n * math.log2(n) if n < 1 << 60 else math.inf)
    return math.factorial(n)


def _falling(function: Callable[..., int]) -> Callable[..., int]:
    def count(n: Any, *k: Any) -> int:
        if isinstance(n, int) and n > 1 and all(isinstance(item, int) for item in k):
            chosen = min(k[0], n - k[0]) if k and function is math.comb else k[0] if k else n
            require_bits(min(chosen, n) * n.bit_length())
        return function(n, *k)

    return count


MATH: dict[str, Any] = {
    **{name: value for name, value in vars(math).items() if name[0] != "_"},
    "comb": _falling(math.comb),
    "factorial": _factorial,
    "fsum": fed(math.fsum),
    "perm": _falling(math.perm),
    "prod": fed(math.prod),
}
"""What `math.NAME` is."""
