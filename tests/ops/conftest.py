"""What was learned is tested: calls and backward steps are learned at once here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gradcli.tensor.repeats import eager


@pytest.fixture(autouse=True)
def learned_at_once() -> Iterator[None]:
    eager.on = True
    yield
    eager.on = False
