"""What every test needs before it starts."""

from __future__ import annotations

import os

from hypothesis import settings

from gradcli.lowering.calls import prepare_stack

# The interpreter raises Python's recursion limit once; hypothesis warns of that in a test.
prepare_stack()

# CI judges a change, so it tries the same examples each time; at a desk they differ.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
