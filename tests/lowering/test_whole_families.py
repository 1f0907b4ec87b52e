"""Windows, first values of parameters, dropout, masked reductions: what programs print of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("torch")

Run = Callable[[str], str]

SEEDED = "import torch\nimport torch.nn.functional as F\ntorch.manual_seed(3)\n"
LAYERS = [
    *(f"F.{name}(x, 0.4, training=True)" for name in ("dropout", "alpha_dropout", "dropout1d")),
    *("F.dropout2d(x.unsqueeze(0), 0.4)", "F.dropout3d(x.view(2, 3, 1, 2, 2), 0.4)"),
    *("F.feature_alpha_dropout(x, 0.4, True)", "torch.feature_dropout(x, 0.2, True)"),
    *("F.dropout(x, 1.0)", "F.dropout(x, 0.7, training=False)", "torch.dropout(x, 0.5, True)"),
    *("F.rrelu(x, training=True)", "F.rrelu(x, 0.1, 0.3)", "torch.rrelu(x, 0.2, 0.4)"),
    *("F.gumbel_softmax(x, hard=True)", "F.gumbel_softmax(x.double(), tau=0.5, dim=1)"),
    *("torch.bernoulli(x.sigmoid())", "torch.normal(x, 2.0)", "torch.normal(x, x.exp())"),
    *("torch.fill(x, 3)", "torch.fill(x, x.sum())", "x.unsafe_chunk(2)[1]"),
]


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_that_draw(layer: str, gradcli_output: Run, python_output: Run) -> None:
    program = (
        f"{SEEDED}x = torch.randn(2, 3, 4, requires_grad=True)\ny = {layer}\nprint(y)\n"
        "(y * y.detach()).sum().backward()\nprint(x.grad)\nprint(torch.rand(2))"
    )
    assert gradcli_output(program) == python_output(program)


WINDOWS = [
    *(f"torch.{name}_window" for name in ("hann", "hamming", "blackman", "bartlett", "kaiser")),
    *(
        f"torch.signal.windows.{name}"
        for name in (
            *("hann", "hamming", "blackman", "bartlett", "kaiser", "nuttall", "cosine"),
            *("gaussian", "exponential", "general_hamming"),
        )
    ),
]


@pytest.mark.parametrize("window", WINDOWS)
def test_windows(window: str, gradcli_output: Run, python_output: Run) -> None:
    loose = "sym" if "signal" in window else "periodic"
    program = (
        f"import torch\nfor n in (0, 1, 2, 5, 8):\n    print({window}(n), "
        f"{window}(n, {loose}=False, dtype=torch.float64))\n{window}(-1)"
    )
    assert gradcli_output(program) == python_output(program)


@pytest.mark.parametrize(
    "call",
    [
        *("kaiser_window(6, True, 3.0)", "hamming_window(6, True, 0.6, 0.4)"),
        "hann_window(4, requires_grad=True)",
        *("signal.windows.kaiser(5, beta=-1.0)", "signal.windows.exponential(5, tau=0)"),
        "signal.windows.general_cosine(5, a=[0.5, 0.3])",
        "signal.windows.exponential(5, center=1.0, sym=False)",
    ],
)
def test_options_of_windows(call: str, gradcli_output: Run, python_output: Run) -> None:
    program = f"import torch\nprint(torch.{call})"
    assert gradcli_output(program) == python_output(program)


@pytest.mark.parametrize(
    "call",
    [
        *("uniform_(w, -1, 2)", "normal_(w, 1, 3)", "constant_(w, 0.3)", "ones_(w)", "zeros_(w)"),
        *("eye_(w)", "xavier_uniform_(w, gain=2.0)", "xavier_normal_(w)", "kaiming_uniform_(w)"),
        *("kaiming_normal_(w, mode='fan_out', nonlinearity='relu')", "orthogonal_(w)"),
        *("trunc_normal_(w)", "trunc_normal_(w, a=1.5, b=3.0)", "sparse_(w, 0.4)"),
        *("dirac_(torch.empty(4, 2, 3), 2)", "xavier_normal_(torch.empty(3))"),
        *("calculate_gain('leaky_relu', 0.2)", "calculate_gain('nothing')"),
    ],
)
def test_first_values(call: str, gradcli_output: Run, python_output: Run) -> None:
    program = (
        f"{SEEDED}w = torch.empty(4, 6, requires_grad=True)\nw2 = torch.nn.init.{call}\n"
        "print(w2)\nprint(torch.rand(2))"
    )
    assert gradcli_output(program) == python_output(program)


@pytest.mark.parametrize(
    "view",
    [
        *("real", "imag[1:]", "t().real", "diagonal().imag", "conj().t()", "real.t()[1]"),
        *("real.unfold(1, 3, 2)", "real.t().unfold(0, 2, 1)[1]", "real.unfold(0, 2, 2).mT"),
        "clone().as_strided((2, 2), (1, 3), 2)",
    ],
)
def test_strides_of_views(view: str, gradcli_output: Run, python_output: Run) -> None:
    program = (
        "import torch\nz = torch.zeros(3, 4, dtype=torch.complex64)\n"
        f"v = z.{view}\nprint(v.shape, v.stride(), v.storage_offset(), v.exp().stride())"
    )
    assert gradcli_output(program) == python_output(program)


@pytest.mark.parametrize(
    "call",
    [
        "unravel_index(torch.tensor([3, 5]), (2, 3))",
        *("unravel_index(torch.tensor([1.5]), (2, 3))", "nonzero_static(torch.eye(2), size=3)"),
        *("exp_(torch.zeros(2))", "masked.sum(torch.ones(2), mask=torch.ones(1, 2))"),
        *(
            "empty_permuted((2, 3, 4), (2, 0, 1)).stride()",
            "empty_strided((2, 3), (1, 2)).stride()",
        ),
        *("zeros(4).resize_(2, 2)", "zeros(4).resize_(2).shape", "zeros(2, 3).resize_as_(t).shape"),
        *("masked.mean(torch.arange(3))", "linspace(-1, 1, 7)", "linspace(-3.0, 5.0, 12)"),
    ],
)
def test_calls(call: str, gradcli_output: Run, python_output: Run) -> None:
    program = f"import torch\nt = torch.zeros(2, 2)\nprint(torch.{call})"
    ours, theirs = gradcli_output(program), python_output(program)
    if "TypeError" in theirs:
        assert "TypeError" in ours
    else:
        assert ours == theirs


def test_large_gradients_are_read_after_the_graph_is_gone(
    gradcli_output: Run, python_output: Run
) -> None:
    program = (
        "import torch\nx = torch.linspace(0, 1, 60000).view(20000, 3).requires_grad_()\n"
        "c = x[:, torch.tensor([1])]\ny = torch.where(c > 0.5, c * c, c * 2)\n"
        "g, = torch.autograd.grad(y.sum(), x)\nprint(g[::4000])"
    )
    assert gradcli_output(program) == python_output(program)
