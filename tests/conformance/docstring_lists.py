"""Data for the examples of PyTorch's docstrings: which lie outside and why, which round.

Constraints: data only; imports neither torch nor gradcli.
"""

from __future__ import annotations

OUTSIDE: dict[str, tuple[str, ...]] = {
    "layers, distributions and optimisers are classes, which are no part of the language": (
        *("torch.distributions.", "torch.nn.utils.", "torch.optim."),
        "torch.utils.checkpoint.checkpoint_sequential",
    ),
    "sparse tensors are no part of the language": (
        *(
            "torch.sparse_",
            "torch.Tensor.to_sparse",
            "torch.Tensor.to_sparse_",
            "torch.Tensor.to_dense",
        ),
        *("torch.Tensor.col_indices", "torch.Tensor.crow_indices", "torch.Tensor.sparse_mask"),
        "torch.narrow_copy",
    ),
    "quantised tensors are no part of the language": (
        "torch.fake_quantize_",
        "torch.quantize_",
        "torch.quantized_",
    ),
    "bytes of other programs, files and the network are no part of the language": (
        *("torch.compile", "torch.from_dlpack", "torch.from_file", "torch.frombuffer"),
        *("torch.hash_tensor", "torch.hub.", "torch.load", "torch.save"),
    ),
    "it is PyTorch's own bookkeeping, threads and devices included": (
        *("torch.Event", "torch.autograd.enforce_grad_layout_policy"),
        *("torch.autograd.graph.region_activation_memory_budget", "torch.autograd.is_tensor_like"),
        *("torch.func.functionalize", "torch.Tensor.grad_dtype", "torch.is_storage"),
        *("torch.nn.functional.handle_torch_function", "torch.set_default_device"),
        *("torch.set_flush_denormal", "torch.thread_safe_generator"),
        *("torch.utils.checkpoint.SelectiveCheckpointContext", "torch.utils.checkpoint.create_"),
        *("torch.utils.checkpoint.set_checkpoint_early_stop", "torch.utils.checkpoint.tree_map"),
    ),
    "tensors keep the natural order of memory": ("torch.empty_permuted", "torch.Tensor.dim_order"),
    "it is the half of a layer that PyTorch dispatches to": ("torch.native_channel_shuffle",),
    "another library's notation of shapes": ("torch.func.rearrange",),
    "it shows memory that nobody has written to": (
        *("torch.empty", "torch.empty_strided", "torch.Tensor.new_empty"),
        "torch.Tensor.new_empty_strided",
    ),
    "it shows the rounding error of inverting a nearly singular matrix": (
        "torch.cholesky_inverse",
    ),
    "it sorts equal numbers in the order of PyTorch's unstable sort": ("torch.sort",),
    "it takes Python's own function `input` for a tensor": ("torch.autograd.Function",),
    "it has lists of complex numbers of half precision": ("torch.set_default_dtype",),
    "the second derivative's grad_fn has another name": ("torch.autograd.functional.jvp",),
    "its arrays take seconds": (
        *("torch.conv3d", "torch.conv_transpose3d", "torch.nn.functional.fractional_max_pool3d"),
    ),
}
"""Reason -> names, whole or up to a point or an underscore, whose examples are not compared."""

ROUNDS: dict[str, tuple[str, ...]] = {
    "shows or compares the rounding errors of a factorisation or a transform": (
        *("torch.cholesky", "torch.cholesky_solve", "torch.lu_solve"),
        *("torch.qr", "torch.svd", "torch.fft.hfft2", "torch.fft.hfftn"),
        *(
            f"torch.linalg.{name}"
            for name in (
                *("cholesky", "cholesky_ex", "eig", "eigh", "inv", "ldl_solve", "lstsq"),
                *("lu_solve", "norm", "pinv", "qr", "solve", "solve_triangular", "svd"),
                "tensorsolve",
            )
        ),
    ),
    "shows hundreds of float32 numbers, some of which lie between two of four digits": (
        *("torch.conv1d", "torch.nn.functional.gumbel_softmax"),
    ),
}
"""Reason -> names whose examples print the same but for the last digits."""


def reason_outside(name: str) -> str:
    """Why the examples of `name` are not compared; empty when they are."""
    short = name.removeprefix("torch.nn.")
    if short != name and short[0].isupper():
        name = "torch.nn.utils."
    for reason, names in OUTSIDE.items():
        for outside in names:
            if name == outside or (outside[-1] in "._" and name.startswith(outside)):
                return reason
    return ""
