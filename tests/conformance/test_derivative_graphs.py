"""Graphs of values, gradients and second derivatives show PyTorch's names, op by op of op_db."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from derivative_graphs import differentiable, problems  # noqa: E402

OPERATIONS = differentiable()
DIFFERS: dict[str, tuple[str, ...]] = {
    "nothing happens to the sample (one element, one dim, no repeats), and one side shows a step": (
        *("addr", "bfloat16", "cat", "cumprod", "expand_as", "index_add", "index_copy"),
        *("linalg.det", "prod", "put", "repeat", "sum_to_size", "tile", "to"),
    ),
    "PyTorch takes other steps for other orders, reductions or sizes; a row has the usual ones": (
        *("addmv", "block_diag", "dist", "index_reduce.amax", "index_reduce.amin"),
        *("index_reduce.mean", "index_reduce.prod", "masked.norm"),
        *("nn.functional.binary_cross_entropy_with_logits", "nn.functional.conv1d"),
        *("nn.functional.conv2d", "nn.functional.conv_transpose1d"),
        *("nn.functional.conv_transpose2d", "nn.functional.conv_transpose3d"),
        *("nn.functional.pairwise_distance", "nn.functional.poisson_nll_loss"),
        *("nn.functional.soft_margin_loss", "norm.inf", "scatter_reduce.amax"),
        *("scatter_reduce.amin", "scatter_reduce.mean", "scatter_reduce.prod"),
        "scatter_reduce.sum",
    ),
    "PyTorch tells views of one memory order from those of another": (
        *("cartesian_prod", "column_stack", "diagflat", "linalg.tensorinv", "linalg.tensorsolve"),
        "nn.functional.scaled_dot_product_attention",
    ),
    "PyTorch writes the parts of a tensor, or computes them by a mask": (
        *("as_strided", "combinations", "linalg.householder_product", "linalg.matrix_power"),
        *("lu_unpack", "masked_select", "matrix_exp", "nn.functional.pad.circular", "ormqr"),
        "select_scatter",
    ),
    "the gradient of a decomposition, or what solves with it, takes other steps": (
        *("cholesky", "cholesky_inverse", "cholesky_solve", "linalg.cholesky"),
        *("linalg.cholesky_ex", "linalg.cond", "linalg.eig", "linalg.eigh", "linalg.eigvals"),
        *("linalg.eigvalsh", "linalg.inv", "linalg.inv_ex", "linalg.lstsq"),
        *("linalg.lstsq.grad_oriented", "linalg.lu", "linalg.lu_solve", "linalg.pinv"),
        *("linalg.pinv.hermitian", "linalg.pinv.singular", "linalg.qr", "linalg.slogdet"),
        *("linalg.solve", "linalg.solve_ex", "linalg.solve_triangular", "linalg.svd"),
        *("linalg.svdvals", "logdet", "lu_solve", "norm.nuc", "pca_lowrank", "pinverse", "qr"),
        *("svd", "svd_lowrank", "triangular_solve"),
    ),
    "the second derivative is a formula of its own in PyTorch, of other steps": (
        *("grid_sampler_2d", "grid_sampler_3d", "nn.functional.batch_norm", "nn.functional.glu"),
        *("nn.functional.grid_sample", "nn.functional.group_norm", "nn.functional.layer_norm"),
        "nn.functional.prelu",
    ),
    "a gradient refuses to be differentiated in another order": ("nn.functional.embedding_bag",),
    "the same number is computed by other elementwise steps": (
        *("aminmax", "atan2", "clamp", "corrcoef", "cov", "erfinv", "gradient", "nanquantile"),
        *("nextafter", "nn.functional.linear_cross_entropy", "nn.functional.mish"),
        *("nn.functional.multi_head_attention_forward", "polar", "quantile", "sinc"),
        *("special.log_ndtr", "special.ndtr", "std_mean", "std_mean.unbiased"),
    ),
    "further down a graph, or in another order, PyTorch takes other steps": (
        *("__rmatmul__", "addbmm", "amax", "amin", "chalf", "einsum"),
        *("fft.hfft", "fft.hfft2", "fft.hfftn", "fft.ihfft", "fft.ihfft2", "fft.ihfftn"),
        *("fft.irfft", "fft.irfft2", "fft.irfftn", "fft.rfft", "fft.rfft2", "fft.rfftn"),
        *("linalg.lu_factor", "linalg.lu_factor_ex", "linalg.norm"),
        *("linalg.norm.subgradients_at_zero", "lu", "masked.amax", "masked.amin"),
        *("masked.normalize", "matmul", "mvlgamma.mvlgamma_p_1"),
        *("mvlgamma.mvlgamma_p_3", "mvlgamma.mvlgamma_p_5", "nn.functional.binary_cross_entropy"),
        *("nn.functional.conv3d", "nn.functional.cosine_embedding_loss"),
        *("nn.functional.hinge_embedding_loss", "nn.functional.instance_norm"),
        *("nn.functional.kl_div", "nn.functional.triplet_margin_loss"),
        *("nn.functional.triplet_margin_with_distance_loss", "renorm"),
        *("special.i0e", "stft"),
    ),
}
"""Reason -> the ops of which some graph differs."""
LISTED = frozenset(name for names in DIFFERS.values() for name in names)


@pytest.mark.parametrize("name", OPERATIONS)
def test_graphs_show_pytorchs_names(name: str) -> None:
    found = problems(OPERATIONS[name])
    if name in LISTED:
        assert found, "it does not differ any more: take it off the list"
    else:
        assert not found, "\n".join(f"{level}: {said}" for level, said in found.items())


def test_listed_ops_exist() -> None:
    assert set(OPERATIONS) >= LISTED
