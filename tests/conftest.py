"""What every test needs before it starts."""

from __future__ import annotations

from gradcli.lowering.calls import prepare_stack

# The interpreter raises Python's recursion limit once; hypothesis warns of that in a test.
prepare_stack()
