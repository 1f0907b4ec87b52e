"""`gradcheck` and `gradgradcheck`: Jacobians by autograd against differences, in PyTorch's words.

Constraints: the measuring is in gradcli/functions/slopes.py. `fast_mode` gives the verdict of the
slow one, which compares every element; `masked` says nothing, because no tensor here is sparse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.slopes import Point, Values, as_tensor, as_tuple, zeros
from gradcli.graph.dtype import float64
from gradcli.tensor import Tensor, autograd, registry
from gradcli.tensor.function import composite

Array = Any


class GradcheckError(RuntimeError):
    """A gradient is not what differences say; its class in a script's `except`."""


GradcheckError.__module__ = "torch.autograd.gradcheck"


@composite("autograd.gradcheck", method=False)
def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` at `inputs` are what differences in double precision say."""
    _refuse_alone(
        check_forward_ad, check_backward_ad, check_batched_grad, check_batched_forward_grad
    )
    check = Check(Point(func, as_tuple(inputs), eps), atol, rtol, nondet_tol, check_grad_dtypes)
    try:
        if check_backward_ad:
            check.backward()
        if check_forward_ad:
            check.forward()
        if check_backward_ad:
            check.of_zero(check_undefined_grad)
        if check_batched_grad:
            check.batched()
    except GradcliError as error:
        if raise_exception or error.kind is not GradcheckError:
            raise
        return False
    return True


@composite("autograd.gradgradcheck", method=False)
def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    gen_non_contig_grad_outputs: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    check_undefined_grad: bool = True,
    check_batched_grad: bool = False,
    **options: Any,
) -> bool:
    """`gradcheck` of the gradients of `func`, with the same options."""
    _expected(
        check_fwd_over_rev or check_rev_over_rev,
        ONE_OF + "check_fwd_over_rev or check_rev_over_rev",
    )
    for name, wanted in (
        ("undefined_grad", check_undefined_grad),
        ("batched_grad", check_batched_grad),
    ):
        _expected(check_rev_over_rev or not wanted, needs(name, "rev_over_rev"))
    given = as_tuple(inputs)
    if grad_outputs is None:
        grad_outputs = tuple(map(_random_like, _varying(func(*given))))
    return gradcheck(  # type: ignore[no-any-return]
        _gradients(func, given),
        given + as_tuple(grad_outputs),
        check_undefined_grad=check_undefined_grad,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        **options,
    )


def _refuse_alone(forward: bool, backward: bool, batched: bool, batched_forward: bool) -> None:
    _expected(forward or backward, ONE_OF + "check_forward_ad or check_backward_ad")
    _expected(backward or not batched, needs("batched_grad", "backward_ad"))
    _expected(forward or not batched_forward, needs("batched_forward_grad", "forward_ad"))


def _gradients(func: Callable[..., Any], inputs: Values) -> Callable[..., Values]:
    """The gradients of `func` by those of `inputs` that require one, of inputs and cotangents."""
    varied = [isinstance(x, Tensor) and x.requires_grad for x in inputs]

    def gradients(*args: Any) -> Values:
        found = autograd.grad(
            _varying(func(*args[: len(inputs)])),
            [x for x, varies in zip(args, varied, strict=False) if varies],
            args[len(inputs) :],
            create_graph=True,
            allow_unused=True,
        )
        return tuple(g for g in found if g is not None)

    return gradients


ONE_OF = "Expected at least one of "


def needs(name: str, other: str) -> str:
    """PyTorch's sentence for an option that needs another one."""
    return f"Setting check_{name}=True requires check_{other} to be True"


class Check:
    """What is asked of a function at a point."""

    def __init__(
        self, point: Point, atol: float, rtol: float, nondet_tol: float, same_dtypes: bool
    ) -> None:
        self.point = point
        self.atol = atol
        self.rtol = rtol
        self.nondet_tol = nondet_tol
        self.same_dtypes = same_dtypes
        self.outputs = _varying(point.outputs())

    def backward(self) -> None:
        """Reverse mode agrees with differences, for real and imaginary parts of the outputs."""
        count = range(len(self.point.varied))
        if not self.outputs:
            if any(column.any() for j in count for column in self.point.differences(j)):
                raise _failure("Numerical gradient for function expected to be zero")
            return
        every = self.point.outputs()
        varying = [i for i, y in enumerate(every) if y.requires_grad]
        parts = ("imag", "real") if any(y.dtype.is_complex for y in every) else ("",)
        for part in parts:
            numerical = [self.point.differences(j, part) for j in count]
            for i, output in enumerate(_varying(self.point.outputs(part))):
                prefix = _consider(part) if self.outputs[i].dtype.is_complex else ""
                found = self._analytical(output)
                for j in count:
                    at = f"mismatch for output {i} with respect to input {j}"
                    self._compare(found[j], numerical[j][varying[i]], f"{prefix}Jacobian {at}")

    def forward(self) -> None:
        """Forward mode agrees with differences."""
        for j in range(len(self.point.varied)):
            numerical = self.point.differences(j, forward=True)
            for i, found in enumerate(self.point.forward(j)):
                at = f"mismatch for output {i} with respect to input {j}"
                self._compare(found, numerical[i], f"Jacobian computed with forward mode {at}")

    def of_zero(self, one_by_one: bool) -> None:
        """A cotangent of zero, or of no output, gives gradients of zero."""
        if self.outputs and any(self._of_zero(self.outputs)):
            raise _failure("backward not multiplied by grad_output")
        for left_out in range(len(self.outputs) if one_by_one and len(self.outputs) > 1 else 0):
            outputs = _varying(self.point.outputs())
            del outputs[left_out]
            try:
                slopes = any(self._of_zero(outputs))
            except GradcliError as error:
                raise _failure(
                    f"Expected backward function to handle undefined output grads. {NOTES}"
                ) from error
            if slopes:
                raise _failure(
                    "Expected all input grads to be undefined or zero when all output grads are "
                    f"undefined or zero. {NOTES}"
                )

    def batched(self) -> None:
        """Two cotangents at once give what they give one by one."""
        for i, output in enumerate(self.outputs):
            both = [registry.find("torch.randn_like")(output) for _ in range(2)]
            single = [self.point.pulled([output], [g]) for g in both]
            stacked = registry.find("torch.stack")(both)
            together = autograd.grad(
                [output],
                self.point.varied,
                [stacked],
                retain_graph=True,
                allow_unused=True,
                batched=True,
            )
            for j, part in enumerate(together):
                want = [self.point.jacobian(j, [row]).reshape(-1) for row in single]
                if part is not None and not np.allclose(part.array().reshape(2, -1), want):
                    raise _failure(
                        f"For output {i} and input {j}:\n\ngradcheck or gradgradcheck failed while "
                        "testing batched gradient computation."
                    )

    def _of_zero(self, outputs: list[Tensor]) -> list[bool]:
        """Whether each gradient of a cotangent of zeros is something else."""
        found = self.point.pulled(outputs, [zeros(y) for y in outputs])
        return [part is not None and bool(part.array().any()) for part in found]

    def _analytical(self, output: Tensor) -> list[Array]:
        """The Jacobians by each input; computed twice, to see that they are the same."""
        first, again = self.point.rows(output), self.point.rows(output)
        found = []
        for j, x in enumerate(self.point.varied):
            rows = [row[j] for row in first]
            if self.same_dtypes and any(r is not None and r.dtype is not x.dtype for r in rows):
                raise _failure("Gradient has dtype mismatch")
            jacobian, other = self.point.jacobian(j, first), self.point.jacobian(j, again)
            if jacobian.size and np.abs(jacobian - other).max() > self.nondet_tol:
                raise _failure(
                    "Backward is not reentrant, i.e., running backward with same input and "
                    "grad_output multiple times gives different values, although analytical "
                    "gradient matches numerical gradient.The tolerance for nondeterminism was "
                    f"{self.nondet_tol}."
                )
            found.append(jacobian)
        return found

    def _compare(self, analytical: Array, numerical: Array, sentence: str) -> None:
        if not np.allclose(analytical, numerical, self.rtol, self.atol):
            texts = [repr(as_tensor(value)) for value in (numerical, analytical)]
            raise _failure(f"{sentence},\nnumerical:{texts[0]}\nanalytical:{texts[1]}\n")


NOTES = (
    'Please look at "Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"'
)


def _consider(part: str) -> str:
    words = {"imag": "imaginary", "real": "real"}[part]
    return f"While considering the {words} part of complex outputs only, "


def _varying(outputs: Any) -> list[Tensor]:
    """The outputs that a gradient flows to."""
    return [y for y in as_tuple(outputs) if y.requires_grad]


def _random_like(output: Tensor) -> Tensor:
    dtype = output.dtype if output.dtype.differentiable else float64
    made = registry.find("torch.rand")(*output.shape, dtype=dtype) * 2 - 1
    assert isinstance(made, Tensor)
    made.requires_grad = True
    return made


def _failure(sentence: str) -> GradcliError:
    return GradcliError("G047", sentence, kind=GradcheckError)


def _expected(holds: bool, sentence: str) -> None:
    if not holds:
        ending = " to be True" if sentence.startswith(ONE_OF) else ""
        raise GradcliError("G013", sentence + ending, kind=AssertionError)
