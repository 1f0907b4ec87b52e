"""`out=`: the result of a function, written to tensors that the caller has.

Constraints: for every function alike; the function itself runs as without it. Which dtypes of `out`
PyTorch takes, and its sentence about others, stand in tables by the function's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import C_TYPES, SCALAR_TYPES, DType, as_dtype
from gradcli.graph.node import current
from gradcli.ops.elementwise import COMPARISONS
from gradcli.tensor import levels
from gradcli.tensor.arguments import type_of
from gradcli.tensor.misuse import Misuse
from gradcli.tensor.origins import called, in_python
from gradcli.tensor.results import Results, written
from gradcli.tensor.storage import Stop
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.write import APART, UNSEEN, refuse_cast, refuse_overlap, tensors_in, write

if TYPE_CHECKING:
    from gradcli.tensor.function import Function

_SAME = "Expected out tensor to have dtype {wanted}, but got {got} instead"
EQUAL: dict[str, tuple[str, ...]] = {
    _SAME: (
        *("addmm", "addmv", "argmax", "argmin", "baddbmm", "bmm", "cross", "gather"),
        *("index_add", "index_copy", "linalg.cholesky", "linalg.cross", "linalg.det"),
        *("linalg.eigvalsh", "linalg.ldl_solve", "linalg.vector_norm", "log_softmax", "lu_solve"),
        *("mm", "msort", "mv", "norm", "renorm", "scatter", "scatter_add", "softmax"),
        *("take_along_dim", "tril", "triu"),
        *("nn.functional.avg_pool2d", "nn.functional.avg_pool3d", "nn.functional.linear", "isin"),
    ),
    "Found dtype {Got} but expected {Wanted}": (
        *("abs", "ceil", "conj_physical", "floor", "frac", "neg", "round", "sgn", "sign", "trunc"),
        *("nn.functional.gelu", "nn.functional.hardshrink", "nn.functional.softplus"),
        "nn.functional.softshrink",
    ),
    "result dtype {Got} does not match input dtype {Wanted}": ("dot", "matmul", "vdot"),
    "{name} does not support non-boolean outputs.": ("isneginf", "isposinf", "signbit"),
    "Expected object of scalar type {Wanted} but got scalar type {Got} for argument 'out'": (
        *("complex", "polar"),
    ),
    "{name}(): self and result must have the same scalar type": ("index_select", "masked_select"),
    "expected scalar_type {Wanted} but found {Got}": ("cummax", "cummin", "diff", "logcumsumexp"),
    "expected scalar type {Wanted} but found {Got}": (
        *("linalg.solve_triangular", "nn.functional.logsigmoid"),
    ),
    "{name} only supports bool tensor for result, got: {Got}": ("all", "any"),
    "Expected the dtype for input and out to match, but got {Wanted} for input's dtype and {Got} "
    "for out's dtype.": ("amax", "amin"),
    "linalg.{short} expected out tensor dtype {Wanted} but got: {Got}": (
        *("linalg.matrix_norm", "linalg.norm"),
    ),
    "expected scalar type '{Wanted}' but got '{Got}' for values output": ("mode",),
    "output values must be of same type as input": ("kthvalue",),
    "quantile() out tensor must be same dtype as the input tensor": ("nanquantile", "quantile"),
    "nan_to_num: dtype of out: {Got} should be same as input: {Wanted}": ("nan_to_num",),
    "take(): self and out expected to have the same dtype, but got self.dtype = {Wanted} and "
    "out.dtype = {Got}": ("take",),
    "tensordot: Expected the output tensor to have dtype {Wanted}, but got an output tensor with "
    "dtype {Got}": ("inner", "tensordot"),
    "Expected out type to be {Wanted} but got {Got}": ("where",),
    "multinomial expects {Wanted} tensor out, got: {Got}": ("multinomial",),
    "nonzero: Expected out tensor to have scalar type {Wanted} but got scalar type{Got}": (
        "nonzero",
    ),
    "linalg.vecdot: Expected out of dtype{Wanted} but found {Got}": ("linalg.vecdot",),
    "the output given to float_power has dtype {Got} but the operation's result requires dtype "
    "{Wanted}": ("float_power",),
}
"""PyTorch's sentence about an `out` of another dtype than the result's -> who says it.

Functions with several results say the first one.
"""

CASTABLE: dict[str, tuple[str, ...]] = {
    "{short} expects a complex output tensor, but got {Got}": (
        *("fft.fft", "fft.fftn", "fft.ifft", "fft.ifftn", "fft.ihfft", "fft.ihfftn", "fft.rfft"),
        "fft.rfftn",
    ),
    "fftn expects a complex output tensor, but got {Got}": ("fft.fft2", "fft.ifft2"),
    "{name}: Expected result to be safely castable from {Wanted} dtype, but got result with dtype "
    "{Got}": ("cholesky", "cholesky_inverse", "cholesky_solve"),
    "linalg.{short}: Expected result to be safely castable from {Wanted} dtype, but got result "
    "with dtype {Got}": ("linalg.cond", "linalg.pinv"),
    "{short}: Expected result to be safely castable from {Wanted} dtype, but got result with dtype "
    "{Got}": ("linalg.matrix_power", "linalg.tensorinv", "linalg.tensorsolve"),
    "logsumexp(): Expected floating point type for result tensor, but got: {Got}": ("logsumexp",),
}
"""The same about one whose kind of numbers is less than the result's."""

ANY = UNSEEN.union(COMPARISONS)
"""Whose result any dtype can hold."""

WITHOUT = frozenset(
    (
        *("adjoint", "allclose", "alpha_dropout", "argwhere", "as_strided"),
        *("as_strided_scatter", "bartlett_window", "batch_norm", "bilinear", "bincount"),
        *("blackman_window", "celu", "channel_shuffle", "chunk", "clone", "combinations"),
        *("conj", "constant_pad_nd", "conv1d", "conv2d", "conv3d", "conv_transpose1d"),
        *("conv_transpose2d", "conv_transpose3d", "corrcoef", "cosine_similarity"),
        *("count_nonzero", "cov", "cumulative_trapezoid", "detach", "diag_embed", "diagflat"),
        *("diagonal", "diagonal_scatter", "dist", "dropout", "dsplit", "embedding", "equal"),
        *("feature_alpha_dropout", "feature_dropout", "fill", "flatten", "flip", "fliplr"),
        *("flipud", "gradient", "grid_sampler", "hamming_window", "hann_window"),
        *("histogramdd", "hsplit", "imag", "index_fill", "index_put", "instance_norm"),
        *("isfinite", "isinf", "isnan", "isreal", "kaiser_window", "layer_norm", "logdet"),
        *("masked_fill", "masked_scatter", "movedim", "narrow"),
        *("nn.functional.adaptive_avg_pool1d", "nn.functional.avg_pool1d"),
        *("nn.functional.pdist", "ones_like", "pairwise_distance", "permute"),
        *("pixel_shuffle", "pixel_unshuffle", "poisson", "positive", "prelu", "put"),
        *("rand_like", "randint_like", "randn_like", "ravel", "real", "relu"),
        *("repeat_interleave", "reshape", "rms_norm", "roll", "rot90", "rrelu", "rsub"),
        *("scalar_tensor", "select", "select_scatter", "selu", "split_with_sizes", "squeeze"),
        *("std_mean", "t", "tensor_split", "tile", "trace", "transpose", "trapezoid"),
        *("tril_indices", "triu_indices", "unbind", "unflatten", "unsafe_chunk"),
        *("unsafe_split", "unsafe_split_with_sizes", "unsqueeze", "vander", "var_mean"),
        *("view_as_complex", "view_as_real", "vsplit", "zeros_like"),
    )
)
"""Functions that PyTorch writes in C++ and that take no `out`."""

IN_ORDER = ("arange", "range", "linspace", "logspace")
"""What fills a tensor of as many elements, whatever its shape."""

JOINED = ("cat", "column_stack", "dstack", "hstack", "stack", "vstack")
"""What is put together by the kernel of `cat`, which converts; its errors are TypeErrors."""

_SENTENCES = {
    name: (sentence, castable)
    for castable, table in ((False, EQUAL), (True, CASTABLE))
    for sentence, names in table.items()
    for name in names
}


def into(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Writes what `function` returns to the tensors `kwargs["out"]`, and returns them.

    Raises:
        GradcliError: G037 where a gradient would have to be recorded, G025 where the result's dtype
            cannot be stored, G026 where elements of `out` share memory.
    """
    out, kwargs = kwargs["out"], {k: v for k, v in kwargs.items() if k != "out"}
    several = isinstance(out, (list, tuple))
    targets = out if several else (out,)
    _refuse_targets(function, targets)
    given = _operands(function, targets, (args, *kwargs.values()))
    tracked = current.tracking and any(v.requires_grad for v in (*given, *targets))
    if not given and "dtype" in function.parameters.by_name:
        kwargs["dtype"] = _stored(kwargs.get("dtype"), targets[0])
    try:
        result = function(*args, **kwargs)
    except GradcliError as error:
        # PyTorch sees to autograd before it looks at shapes and dtypes.
        raise _recorded(function) if tracked and not isinstance(error, Misuse) else error from None
    if several != isinstance(result, tuple):
        raise _wrong(function, "Tensor" if several else "tuple of Tensors", out)
    results = result if several else (result,)
    if tracked and any(x.requires_grad for x in results):
        raise _recorded(function)
    if len(results) != len(targets):
        sentence = f"expected tuple of {len(results)} elements but got {len(targets)}"
        raise GradcliError("G013", sentence, kind=TypeError)
    for target, value in zip(targets, results, strict=True):
        _refuse_dtype(function, value.dtype, target, several)
        _refuse_overlap(function, target, given)
        fitting = value.to(target.dtype)
        if function.qualified in IN_ORDER and target.numel() == value.numel():
            fitting = fitting.reshape(target.shape)
        if target.shape == fitting.shape:
            with Stop(False):
                write(target, fitting, "")
        else:
            target.data = fitting
    return written(result, targets) if isinstance(result, Results) else out


def _operands(function: Function, targets: Iterable[Tensor], values: Iterable[Any]) -> list[Tensor]:
    """The tensors among `values`; raises G016 where they or `targets` are examples of a vmap."""
    given = list(tensors_in(values))
    if levels.active and any(levels.lanes_of(x.value_node) for x in (*given, *targets)):
        raise GradcliError(
            "G016",
            f"Batching rule not implemented for aten::{called(function)}.out; the fallback path "
            "doesn't work on out= or view ops.",
            help="assign the result: y = ...",
        )
    return given


def _stored(dtype: Any, target: Tensor) -> DType:
    """The dtype of `target`, in which a function of sizes fills it; refuses another one."""
    if dtype is not None and as_dtype(dtype) is not target.dtype:
        given, kept = (SCALAR_TYPES[x] for x in (as_dtype(dtype), target.dtype))
        raise GradcliError("G025", f"dtype {given} does not match dtype of out parameter ({kept})")
    return target.dtype


def _refuse_targets(function: Function, targets: Iterable[Any]) -> None:
    if in_python(function) or function.qualified in WITHOUT:
        sentence = f"{called(function)}() got an unexpected keyword argument 'out'"
        raise GradcliError("G013", sentence, help="assign the result: y = ...", kind=TypeError)
    for target in targets:
        if not isinstance(target, Tensor):
            raise _wrong(function, "Tensor", target)


def _wrong(function: Function, wanted: str, found: Any) -> GradcliError:
    sentence = f"{called(function)}(): argument 'out' must be {wanted}, not {type_of(found)}"
    return GradcliError("G014", sentence, kind=TypeError)


def _refuse_overlap(function: Function, target: Tensor, given: list[Tensor]) -> None:
    """Raises G026 where `target` shares memory with itself, or as it must not with an operand."""
    first = int(function.__name__ in APART)  # the operand that its in-place form writes to
    refuse_overlap(target, given[:first])
    refuse_overlap(target, given[first:], function.__name__)


def _recorded(function: Function) -> GradcliError:
    name = "cat" if function.shown in JOINED and function.shown != "stack" else called(function)
    return GradcliError(
        "G037",
        f"{name}(): functions with out=... arguments don't support automatic differentiation, "
        "but one of the arguments requires grad.",
        help="assign the result: y = ...",
    )


def _refuse_dtype(function: Function, dtype: DType, target: Tensor, several: bool) -> None:
    """Raises G025 where PyTorch does not write a result of `dtype`, or one of several."""
    wanted, got, name = dtype, target.dtype, function.qualified
    if wanted is got or name in ANY:
        return
    if name in JOINED and wanted.category > got.category:
        sentence = "torch.cat(): input types can't be cast to the desired output type {Got}"
        raise _misfit(sentence, TypeError, function, wanted, got)
    sentence, castable = _SENTENCES.get(name, (_SAME if several else "", not several))
    if not sentence:
        refuse_cast(wanted, target)
    elif not castable or wanted.category > got.category:
        raise _misfit(sentence, RuntimeError, function, wanted, got)


def _misfit(
    sentence: str, kind: type[Exception], function: Function, wanted: DType, got: DType
) -> GradcliError:
    said = sentence.format(
        **{"name": called(function), "short": function.qualified.rpartition(".")[2]},
        **{"Wanted": SCALAR_TYPES[wanted], "Got": SCALAR_TYPES[got]},
        **{"wanted": C_TYPES[wanted], "got": C_TYPES[got]},
    )
    return GradcliError("G025", said, help=f"make it of torch.{wanted.name}", kind=kind)
