"""An example for a grad_fn name: a call of a function that makes it, found by trying.

Constraints: what is called follows from the function table; an example was run, and its result has
the name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from gradcli import api
from gradcli.calculus.local import local_formulas, operand_texts
from gradcli.errors import GradcliError
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import Interpreter
from gradcli.source import Source
from gradcli.tensor import Tensor
from gradcli.tensor.function import Function
from gradcli.tensor.kept import name_of
from gradcli.tensor.symbols import placeholder

VALUES = {
    "x": "[0.5,0.25]",
    "y": "[2,3]",
    "X": "[[4,1],[2,3]]",
    "Y": "[[1,2],[3,5]]",
    "Z": "ones(1,2,4,4)",
}
"""The variables of examples, as bindings."""
ARGUMENTS = (
    *("x", "X", "x, y", "X, Y", "X, x", "x, X", "X, 0", "X, 1", "x, 2", "X, (0, 1)", "X, [1, 1]"),
    *("X, 0, 1", "X, 0, tensor([1, 0])", "x > 0, x, y", "X, x, Y", "x, x, y", "X, Y, Y", "x, 0, 1"),
    *("[x, y]", "[X, Y]", "X, 1, 0", "X, 1, 1", "X, dim=0", "Z", "Z, 2", "Z, (2, 2)", "Z, 1, 1"),
    *("x, tensor([1, 0])", "X, tensor([1, 0])", "X, X > 2", "X, X > 2, 0.", "X, X > 2, x"),
    *("X, 0, tensor([1, 0]), Y", "X, 0, tensor([[0, 1], [1, 0]])", "X, (2, 2)", "x, (2, 1)"),
    *("X, 0, tensor([[0, 1], [1, 0]]), Y", "X, (0,)", "x, 1", "X, (2,)", "x, (2,)", "x, 0.5"),
    *("Z, ones(1, 2, 2, 2)", "Z, ones(2, 1, 2, 2)", "tensor([0, 1]), X", "X, Y, 2", "x, y, 0.5"),
    *("X, 0, 0, 1", "x, (2, 2), (1, 1)", "X, 2, 0", "X.tril(), Y", "Y, X.tril(), upper=False"),
    *("x, y, x", "X, (1, 0)", "0.5*x, 2.", "x*1j", "X*(1 + 1j)", "x, torch.float64", "X, 0, 0"),
    *("x, y, x, y", "X, x, x", "X, 1, tensor([0]), 2.", "x, 1, 1", "x, [1]", "x, 3", "x, 0, 1, 1"),
)
"""What functions are called with, the simplest first."""
EXAMPLES = {
    **{"Add0": "x + y", "Sub0": "x - y", "Rsub1": "1 - x", "Mul0": "x*y", "Div0": "x/y"},
    **{
        "Neg0": "-x",
        "Pow0": "x**2",
        "Pow1": "x**y",
        "Mm0": "X @ Y",
        "Mv0": "X @ x",
        "Dot0": "x @ y",
    },
    **{"Bmm0": "bmm(X[None], Y[None])", "T0": "X.t()", "Permute0": "X.T", "Transpose0": "X.mT"},
    **{"Select0": "x[0]", "Slice0": "x[0:1]", "Unsqueeze0": "x[:, None]", "Index0": "X[X > 2]"},
    **{
        "Diagonal0_copy": "diagonal_copy(X)",
        "View0": "X.view(4)",
        "UnsafeView0": "Z @ Z",
        "Alias0": "x[...]",
    },
    **{"ToCopy0": "x.double()", "Clone0": "x.clone()", "Split0": "split(x, 1)[0]"},
    **{"NllLoss0": "cross_entropy(X, tensor([1, 0]))", "MseLoss0": "mse_loss(x, y)"},
    **{"HuberLoss0": "huber_loss(x, y)", "SmoothL1Loss0": "smooth_l1_loss(x, y)"},
    "NativeBatchNorm0": "F.batch_norm(X, None, None, training=True)",
    **{"NativeGroupNorm0": "group_norm(Z, 1)", "NativeLayerNorm0": "layer_norm(X, (2,))"},
    "EmbeddingBag0": "F.embedding_bag(tensor([[0, 1]]), X)",
    **{"ConstantPadNd0": "pad(x, (1, 1))", "PreluKernel0": "prelu(x, y[:1])"},
    "AffineGridGenerator0": "affine_grid(stack([x, x, y], 1)[None], (1, 1, 2, 2))",
    "IndexPut0": "index_put(x, (tensor([0]),), y[:1])",
    **{"Mean1": "mean(X, 0)", "Pow2": "2**x"},
    **{"Addmv0": "addmv(x, X, y)", "Addbmm0": "addbmm(X, ones(1, 2, 2), X[None])"},
    **{"Baddbmm0": "baddbmm(X[None], X[None], Y[None])", "Lerp1": "lerp(x, y, x)"},
    **{"Div2": "div(x, y, rounding_mode='floor')", "Round1": "round(x, decimals=1)"},
    **{"BinaryCrossEntropy0": "binary_cross_entropy(x, tensor([1., 0.]))"},
    **{
        "Complex0": "torch.complex(x, y)",
        "LinalgCross0": "cross(pad(x, (0, 1)), pad(y, (0, 1)), 0)",
    },
    **{
        "Renorm0": "renorm(X, 2, 0, 1.)",
        "PixelShuffle0": "pixel_shuffle(Z.reshape(1, 8, 2, 2), 2)",
    },
    **{"SelectScatter0": "select_scatter(X, x, 0, 0)", "Put0": "X.put(tensor([0]), x[:1])"},
    "AsStridedScatter0": "as_strided_scatter(X, x, (2,), (1,))",
    "ScatterReduce0": "X.scatter_reduce(0, tensor([[0, 1]]), x[None], 'sum')",
    "IndexReduce0": "X.index_reduce(0, tensor([0, 1]), Y, 'prod')",
    **{
        "MaskedFill1": "masked_fill(X, X > 2, x[0])",
        "IndexFill1": "X.index_fill(0, tensor([0]), x[0])",
    },
    **{
        "LinalgLuSolve0": "linalg.lu_solve(*linalg.lu_factor(X), Y)",
        "Sort1": "sort(x, stable=True)[0]",
    },
    **{f"{name}0": f"{name.lower()}(tensor(2.), x)" for name in ("Igamma", "Igammac")},
    "LuUnpack0": "torch.lu_unpack(*linalg.lu_factor(X))[1]",
    **{"Xlogy1": "xlogy(2., x)", "Col2Im0": "fold(Z.view(1, 8, 4), (3, 3), 2)"},
    **{"Clamp1": "clamp(x, 0.3)", "Clamp0": "clamp(X, x, y)", "ClampMin0": "clamp_min(x, 0.3)"},
    **{
        "ClampMin1": "clamp_min(x, y)",
        "ClampMax0": "clamp_max(x, 0.3)",
        "ClampMax1": "clamp_max(x, y)",
    },
    **{"Convolution0": "conv2d(Z, ones(1, 2, 2, 2))", "FftR2C0": "torch.fft.fft(x)"},
    **{"GridSampler2D0": "grid_sample(Z, zeros(1, 2, 2, 2))", "FftC2R0": "torch.fft.irfft(x)"},
    "GridSampler3D0": "grid_sample(Z[None], zeros(1, 2, 2, 2, 3))",
    **{
        f"{kind}Pad{count}D0": f"pad({x}, {(1,) * 2 * count}, mode='{mode}')"
        for kind, mode in (("Reflection", "reflect"), ("Replication", "replicate"))
        for count, x in ((1, "X"), (2, "Z[0]"), (3, "Z"))
    },
    **{
        f"Upsample{mode.title()}{count}D0": f"interpolate({x}, scale_factor=2, mode='{mode}')"
        for mode, count, x in (
            *(("nearest", 1, "Z[0]"), ("nearest", 2, "Z"), ("nearest", 3, "Z[None]")),
            *(("linear", 1, "Z[0]"), ("bilinear", 2, "Z"), ("bicubic", 2, "Z")),
            ("trilinear", 3, "Z[None]"),
        )
    },
    "ScaledDotProductFlashAttentionForCpu0": "scaled_dot_product_attention(Z, Z, Z)",
    "RreluWithNoise0": "F.rrelu(-x, training=True)",
}
"""Names without their `Backward` -> a call, where the function's name and those arguments are not
enough."""

ATTEMPTS = 600


class Example:
    """A call and its result, whose grad_fn has the name."""

    def __init__(self, expression: str, variables: dict[str, Any], output: Tensor) -> None:
        self.expression = expression
        self.variables = variables
        self.output = output

    def symbolic(self) -> Example | None:
        """The same call of variables without values; None where it needs the values."""
        known = {n: placeholder(n, tuple(v.shape)) for n, v in self.variables.items()}
        return _made(self.expression, known, name_of(self.output.node))

    def gradients(self) -> dict[str, str]:
        """Argument -> its gradient, as a formula in `g` and `out`, where there is one."""
        return self._gradients(self.symbolic()) or self._gradients(self)

    @staticmethod
    def _gradients(found: Example | None) -> dict[str, str]:
        if found is None:
            return {}
        node = found.output.node
        texts = operand_texts(node, found.variables)
        return {texts[x]: formula for x, formula in local_formulas(node, texts).items()}


def example(name: str, makers: Mapping[str, Function]) -> Example | None:
    """The first call that makes a node of the grad_fn `name`; None when none of those tried does.

    Args:
        name: such as `MulBackward0`.
        makers: the functions that may make it, by the name that users write.
    """
    return _first(_calls(name.replace("Backward", ""), makers), name)


def call_of(qualified: str, entry: Function) -> Example | None:
    """The first call of a function whose result has a grad_fn; None when none of those tried has.

    Args:
        qualified: the name that users write.
    """
    return _first(_calls("", {qualified: entry}), None)


def _first(calls: Iterator[str], name: str | None) -> Example | None:
    """The first call that has a result with elements; one without only where there is no other."""
    variables = {key: api.evaluate(text, gradients=False).output for key, text in VALUES.items()}
    empty: Example | None = None
    for expression in islice(calls, ATTEMPTS):
        used = {key: api.as_leaf(key, value) for key, value in variables.items()}
        found = _made(expression, used, name)
        if found is not None and found.output.numel():
            return found
        empty = empty or found
    return empty


def _made(expression: str, variables: dict[str, Any], name: str | None) -> Example | None:
    """The call as an example, where a result of it has the name; any name for None."""
    for value in variables.values():
        value.requires_grad = True
    try:
        output = Interpreter(dict(variables)).evaluate(parse_expression(Source("", expression)))
    except GradcliError:
        return None
    for item in output if isinstance(output, (tuple, list)) else [output]:
        made = isinstance(item, Tensor) and item.grad_fn is not None
        if made and name in (None, name_of(item.node)):
            return Example(expression, variables, item)
    return None


def _calls(short: str, makers: Mapping[str, Function]) -> Iterator[str]:
    if short in EXAMPLES:
        yield EXAMPLES[short]
    for arguments in ARGUMENTS:
        for qualified in makers:
            if not qualified.startswith("Tensor."):
                yield f"{qualified}({arguments})"
    for arguments in ARGUMENTS:
        for qualified in makers:
            method = qualified.rpartition(".")[2]
            first, _, rest = arguments.partition(", ")
            if first.isidentifier():
                yield f"{first}.{method}({rest})"
                yield f"({first}*1).{method}({rest})"
