"""What tests of rows share: a table, and settings that are as before after each test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcli.execute import rows
from gradcli.execute.threads import THREADS
from gradcli.execute.whole import chunks

ROWS, WIDTH = 250_007, 18


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    random = np.random.default_rng(0)
    table = random.standard_normal((ROWS, WIDTH), np.float32)
    y = np.sign(table[:, 0] + random.standard_normal(ROWS)).astype(np.float32)
    return {"X": table, "y": y, "w": random.standard_normal(WIDTH).astype(np.float32) / 10}


@pytest.fixture
def as_before() -> Any:
    yield
    rows.settings.__init__()  # type: ignore[misc]
    chunks.__init__()  # type: ignore[misc]
    THREADS[0] = 0
