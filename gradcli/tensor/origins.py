"""Where PyTorch has its functions from: what its sentences call them, which are written in Python.

Constraints: by name alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcli.tensor.function import Function

PYTHON = frozenset(
    (
        *("atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_tensors", "cdist"),
        *("cartesian_prod", "chain_matmul", "einsum", "istft", "meshgrid", "norm", "split"),
        *("stft", "tensordot", "unique", "unique_consecutive"),
    )
)
"""PyTorch's functions that are written in Python, besides those of torch.nn.functional."""

BUILT_IN = frozenset(
    (
        *("adaptive_avg_pool1d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "bilinear", "celu_"),
        *("channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"),
        *("conv_transpose3d", "cosine_similarity", "elu_", "gelu", "hardshrink", "hardtanh_"),
        *("leaky_relu_", "linear", "logsigmoid", "one_hot", "pairwise_distance", "pdist"),
        *("pixel_shuffle", "pixel_unshuffle", "prelu", "relu_", "rrelu_", "selu_", "softplus"),
        *("scaled_dot_product_attention", "softshrink", "threshold_"),
    )
)
"""Those of torch.nn.functional that are not."""


def called(function: Function) -> str:
    """What PyTorch's sentences call it: `linalg_inv` for `linalg.inv`."""
    name = function.qualified.removeprefix("nn.functional.").removeprefix("Tensor.")
    return name.replace(".", "_")


def in_python(function: Function) -> bool:
    """Whether PyTorch's function is written in Python: other sentences, no other names."""
    space, _, name = function.qualified.rpartition(".")
    return name not in BUILT_IN if space == "nn.functional" else function.qualified in PYTHON
