"""`torch.Generator`: a random stream that scripts hold, whose state is a tensor.

Constraints: the numbers are those of gradcli/tensor/random.py.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from gradcli.graph.dtype import uint8
from gradcli.graph.node import data
from gradcli.tensor import registry
from gradcli.tensor.random import Generator
from gradcli.tensor.random_checks import refused
from gradcli.tensor.tensor import Tensor


class HeldGenerator(Generator):
    """A random stream, with what scripts ask it for."""

    @property
    def device(self) -> Any:
        """Where it draws: the machine's memory."""
        return registry.find("torch.device")("cpu")

    def manual_seed(self, seed: int) -> Self:
        """Starts the stream of `seed`, which is an int and nothing that stands for one."""
        if type(seed) is not int:
            kind = type(seed).__name__
            raise refused(f"manual_seed expected a long, but got {kind}", "G014")
        return super().manual_seed(seed)

    def get_state(self) -> Tensor:
        """The state: a tensor of bytes."""
        known = self.state()
        return Tensor(data(known, known.shape, uint8))

    def set_state(self, new_state: Any) -> HeldGenerator:
        """Goes on from a state of `get_state`."""
        if not isinstance(new_state, Tensor):
            raise refused(
                f"expected a torch.ByteTensor, but got {type(new_state).__name__}",
                "G014",
                TypeError,
            )
        self.restore(np.asarray(new_state.array()))
        return self

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"


default_generator = HeldGenerator(None)
"""What functions without a `generator` argument draw from."""
