"""Why a name of PyTorch is outside the language: a sentence for each kind of name.

Constraints: names below `torch` or of a tensor's methods, whole or up to a point or an underscore;
with a star, the beginnings or endings of names.
"""

from __future__ import annotations

REASONS: dict[str, tuple[str, ...]] = {
    "optimiser classes are outside the language: write the step, `w -= lr * w.grad` under "
    "`torch.no_grad()`": ("optim",),
    "data loading is outside the language: bind a file, x=@data.csv, or load(...)": ("utils.data",),
    "devices' own functions are outside the language: everything runs where --device says": (
        *("backends", "cuda", "cudnn_", "ipu", "is_ipu", "is_maia", "is_mtia", "is_vulkan"),
        *("is_xla", "is_xpu", "miopen_", "mkldnn_", "mps", "mtia", "xpu", "to_mkldnn"),
        *("is_mkldnn", "has_", "record_stream", "share_memory_", "is_distributed"),
        *("fork", "wait", "init_num_threads", "prepare_", "compiled_with", "profiler_"),
    ),
    "sparse and nested tensors are outside the language: use dense ones": (
        *("ccol_indices", "coalesce", "col_indices", "crow_indices", "dense_dim", "dsmm", "hsmm"),
        *("hspmm", "indices", "is_coalesced", "is_nested", "jagged", "row_indices"),
        *("saddmm", "smm", "sparse", "spmm", "sspaddmm", "to_dense", "to_padded_tensor"),
        *("to_sparse", "values", "resize_as_sparse_", "nested", "masked.masked_tensor"),
        *("masked.as_masked_tensor", "is_sparse_csr"),
    ),
    "quantised types are outside the language": (
        *("bits*", "choose_qparams", "dequantize", "empty_quantized", "fake_quantize", "fbgemm_"),
        *("float4_", "float8_", "fused_moving_avg", "int1", "int2", "int3", "int4", "int5"),
        *("int6", "int7", "int_repr", "per_channel", "per_tensor", "q_", "qint*", "qscheme"),
        *("quantize", "quantized_", "quint*", "uint1", "uint2", "uint3", "uint4", "uint5"),
        *("uint6", "uint7", "nn.functional.scaled_mm", "nn.functional.scaled_grouped_mm"),
        *("nn.functional.grouped_mm", "bit"),
    ),
    "compiling and mixed precision are outside the language: gradcli plans every script itself": (
        *("autocast", "amp", "clear_autocast", "compile", "cond", "get_autocast", "import_ir"),
        *("is_autocast", "jit", "parse_", "set_autocast", "sym_", "while_loop", "export"),
        *("merge_type", "unify_type", "compiler", "fx", "onnx"),
        *("get_deterministic_debug", "set_deterministic_debug"),
        *("is_deterministic_algorithms_warn", "set_anomaly_enabled", "vitals", "_dynamo"),
    ),
    "gradcli keeps tensors in their natural order of memory": (
        *("channels_last", "legacy_contiguous"),
        *("slice_inverse", "const_data_ptr", "as_strided_copy"),
        *("storage_type", "is_storage"),
    ),
    "this is the half of a layer that PyTorch dispatches to: call the function itself, such as "
    "F.batch_norm": (
        *("affine_grid_generator", "batch_norm_", "conv_tbc", "convolution", "native_"),
        *("nn.functional.conv_tbc", "nn.functional.native_", "norm_except_dim", "gru", "lstm"),
        *("rnn_relu", "rnn_tanh", "segment_reduce", "embedding_renorm_", "cudnn", "thread_safe"),
    ),
    "PyTorch keeps it, if at all, for old programs: torch.linalg has what replaces it": (
        *("eig", "lobpcg", "lstsq", "matrix_rank", "solve", "symeig", "frobenius_norm"),
    ),
    "PyTorch keeps the name only, from its first versions": ("reinforce", "volatile"),
    "bytes and files of other programs are outside the language: load(...) reads data": (
        *("from_dlpack", "from_file", "frombuffer", "to_dlpack", "module_load", "get_file_path"),
        *("as_subclass", "hash_tensor", "get_device_module", "grad_dtype"),
    ),
    "under torch itself it takes a number for the reduction: call torch.nn.functional's": (
        *("binary_cross_entropy_with_logits", "cosine_embedding_loss", "ctc_loss", "embedding_bag"),
        *("hinge_embedding_loss", "kl_div", "margin_ranking_loss", "poisson_nll_loss"),
        "triplet_margin_loss",
    ),
    "it copies what a view shows: write the view and .clone(), x.expand(2, 3).clone()": ("*_copy",),
    "classes of storages are outside the language: x.untyped_storage() is the memory of a tensor": (
        *("*Storage", "StorageBase", "*StorageContext"),
    ),
    "it is a class of PyTorch's compilers and its C++ core": (
        *("*Type", "*Serializer", "*State", "*Module", "*TypeBuilder", "*ModuleBuilder"),
        *("*Logger", "*FileReader"),
        *("*FileWriter", "*Schema", "*Config", "*Stats", "*Plan", "*Iterator", "Script*", "Sym*"),
        *("AliasDb", "Argument*", "Block", "BufferDict", "CallStack", "Capsule", "Code", "Use"),
        *("CompilationUnit", "CompleteArgumentSpec", "DeepCopyMemoTable", "DisableTorchFunction*"),
        *("DispatchKey*", "ErrorReport", "Event", "ExcludeDispatchKeyGuard", "FileCheck", "Future"),
        *("GradScaler", "Gradient", "Graph", "IODescriptor", "LoggerBase", "ModuleDict", "Node"),
        *("OperatorInfo", "ParameterDict", "Stream", "Tag", "ThroughputBenchmark", "Value"),
        *("layout", "memory_format", "autograd.Profiler*", "autograd.SavedTensor"),
        *("autograd.NestedIOFunction", "autograd.variable", "autograd.forward_ad.NamedTuple"),
    ),
    "it is an error of devices and compilers: here, and there too, it is a RuntimeError": (
        *("AcceleratorError", "FatalError", "JITException", "OutOfMemoryError"),
    ),
    "it is how PyTorch runs backward passes on devices and threads, which gradcli plans itself": (
        *("autograd.enforce_grad_layout_policy", "autograd.is_multithreading_enabled"),
        *("autograd.is_view_replay_enabled", "autograd.kineto_available"),
        *("autograd.graph.region_activation", "autograd.graph.set_override_stale_capture_stream"),
        *("autograd.graph.set_warn_on_accumulate", "autograd.graph.TorchDispatchMode"),
    ),
    "it belongs to layers and PyTorch's inside: torch.func has grad, vjp, jvp and vmap": (
        *("func.debug_unwrap", "func.replace_all_batch_norm_modules_"),
    ),
    "dims are rearranged by x.permute, x.reshape and x.flatten": ("func.rearrange",),
    "PyTorch keeps it for old programs: gradcheck has its way": (
        *("autograd.gradcheck.get_", "autograd.gradcheck.FAILED_", "autograd.gradcheck.FAST_"),
    ),
    "it is PyTorch's own bookkeeping, not a function of tensors": (
        *("AVG", "PRIVATE_OPS", "SUM", "TYPE_CHECKING", "USE_", "classproperty", "name"),
        *("nn.functional.assert_int", "nn.functional.boolean_dispatch"),
        *("nn.functional.handle_torch", "nn.functional.has_torch", "utils", "library", "hub"),
        *("multiprocessing", "overrides", "package", "profiler", "_C", "_logging"),
    ),
    "distributions, which are classes, are outside the language: torch.normal, torch.bernoulli and "
    "others draw; write log-probabilities out": ("distributions",),
    "layers, which are classes, are outside the language: torch.nn.functional has their functions, "
    "weights are tensors with requires_grad=True": ("nn.",),
}
"""The sentence -> the names it is about."""


def reason(name: str) -> str:
    """Why `name` (below `torch`, or a method) is outside; empty where nothing is known of it."""
    for sentence, beginnings in REASONS.items():
        if sentence.startswith("layers"):
            last = name.rpartition(".")[2]
            if name.startswith("nn.") and last[:1].isupper():
                return sentence
        elif any(_begins(name, beginning) for beginning in beginnings):
            return sentence
    return ""


def listed() -> dict[str, list[str]]:
    """Each sentence and the names it is about, those of one beginning with a star."""
    return {
        sentence: sorted(
            f"{name.rstrip('*')}*" if name.endswith(("*", "_", ".")) else name for name in names
        )
        for sentence, names in REASONS.items()
    }


def search(name: str) -> str:
    """How to look for something that has no such name."""
    return f"gradcli ops {name} searches names and descriptions"


def _begins(name: str, beginning: str) -> bool:
    if beginning.startswith("*"):
        return name.endswith(beginning[1:])
    if beginning.endswith(("*", "_")):
        return name.startswith(beginning.rstrip("*"))
    return name == beginning or name.startswith((f"{beginning}.", f"{beginning}_"))
