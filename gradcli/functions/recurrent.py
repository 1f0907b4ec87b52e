"""Cells of recurrent networks: one step in time, by the weights that PyTorch's modules hold.

Constraints: composed of `linear` and activations, whose grad_fns they show.
"""

from __future__ import annotations

from typing import Any

from gradcli.tensor import registry
from gradcli.tensor.function import composite
from gradcli.tensor.kinds import AnyTensor


def _shares(input: Any, hidden: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> tuple[Any, Any]:
    """What the input and the hidden state give to the gates, (batch, gates*hidden) each."""
    linear = registry.find("torch.nn.functional.linear")
    return linear(input, w_ih, b_ih), linear(hidden, w_hh, b_hh)


def _plain(name: str) -> None:
    @composite(f"rnn_{name}_cell", method=False)
    def cell(
        input: Any,
        hx: AnyTensor,
        w_ih: AnyTensor,
        w_hh: AnyTensor,
        b_ih: AnyTensor | None = None,
        b_hh: AnyTensor | None = None,
    ) -> Any:
        given, held = _shares(input, hx, w_ih, w_hh, b_ih, b_hh)
        return getattr(held + given, name)()

    cell.doc = f"`{name}(w_ih @ input + b_ih + w_hh @ hx + b_hh)`, for each row."


for _name in ("tanh", "relu"):
    _plain(_name)  # "rnn_tanh_cell", "rnn_relu_cell"


@composite("lstm_cell", method=False)
def lstm_cell(
    input: Any,
    hx: Any,
    w_ih: AnyTensor,
    w_hh: AnyTensor,
    b_ih: AnyTensor | None = None,
    b_hh: AnyTensor | None = None,
) -> Any:
    """The next hidden and cell state of an LSTM (Hochreiter, Schmidhuber 1997); `hx` has both."""
    hidden, cell = hx
    given, held = _shares(input, hidden, w_ih, w_hh, b_ih, b_hh)
    entry, forget, change, leave = (held + given).chunk(4, 1)
    cell = forget.sigmoid() * cell + entry.sigmoid() * change.tanh()
    return leave.sigmoid() * cell.tanh(), cell


@composite("gru_cell", method=False)
def gru_cell(
    input: Any,
    hx: AnyTensor,
    w_ih: AnyTensor,
    w_hh: AnyTensor,
    b_ih: AnyTensor | None = None,
    b_hh: AnyTensor | None = None,
) -> Any:
    """The next hidden state of a gated recurrent unit (Cho and others 2014)."""
    given, held = _shares(input, hx, w_ih, w_hh, b_ih, b_hh)
    (r, z, n), (held_r, held_z, held_n) = given.chunk(3, 1), held.chunk(3, 1)
    reset, update = (held_r + r).sigmoid(), (held_z + z).sigmoid()
    change = (n + held_n * reset).tanh()
    return (hx - change) * update + change
