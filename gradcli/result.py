"""What an evaluation gives: the value, its grad_fn, its derivatives, its steps.

Constraints: holds tensors and converts them to NumPy arrays when they are read; what has no value
yet is computed then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.execute.outputs import own
from gradcli.graph.node import Node
from gradcli.tensor import Tensor
from gradcli.tensor.ends import settle

Derivatives = dict[str, "Tensor | None"]
"""Variable -> derivative; None where the result does not depend on the variable."""


class Step:
    """A subexpression on the way to the result.

    Attributes:
        text: its source.
        grad_fn: the name of what made it.
        value, grad: its value, and the gradient of the result by it (None where there is none).
        passes: operand -> the gradient that it gets from here, as a formula in `g` (this gradient)
            and `out` (this value), where that was asked for.
    """

    __slots__ = ("grad", "grad_fn", "passes", "text", "value")

    def __init__(self, text: str, grad_fn: str, value: Tensor, grad: Tensor | None) -> None:
        self.text = text
        self.grad_fn = grad_fn
        self.value = value
        self.grad = grad
        self.passes: dict[str, str] = {}


class Result:
    """The value of an expression and its gradients.

    Attributes:
        expression: the source text.
        output: the value as the language sees it: a tensor, or any Python value.
        gradients: variable -> its gradient as a tensor, or None where the result does not depend
            on it; empty when no gradient was asked for, or the result is no scalar and no
            cotangent was given.
        jacobians: variable -> tensor of the shape `output.shape + variable.shape`, when asked
            for.
        hessians: variable -> variable -> tensor of their shapes together, when asked for.
        tangent: the derivative in the directions that `jvp` gave.
        products: variable -> the Hessian times the vectors that `hvp` gave.
        steps: the subexpressions in the order of computation, when they were asked for.
        late: what is to be computed in one go: beside a derivative that does not fit into memory,
            whoever writes that has it on the way.
        backend: what computed it.
        given: the arrays of the variables; what is read lies in memory of its own.
    """

    __slots__ = (
        *("backend", "expression", "gradients", "hessians", "jacobians", "output", "products"),
        *("given", "late", "steps", "tangent"),
    )

    def __init__(self, expression: str, output: Any) -> None:
        self.expression = expression
        self.output = output
        self.backend = "numpy"
        self.gradients: Derivatives = {}
        self.jacobians: Derivatives = {}
        self.hessians: dict[str, Derivatives] = {}
        self.tangent: Tensor | None = None
        self.products: Derivatives = {}
        self.steps: list[Step] = []
        self.late: Sequence[Node] = ()
        self.given: Sequence[Any] = ()

    def settle(self) -> None:
        """Computes what is late."""
        nodes, self.late = self.late, ()
        settle(nodes)

    @property
    def value(self) -> Any:
        """The value: a NumPy array of a tensor, else the Python value."""
        if self.late:
            self.settle()
        return self._array(self.output) if isinstance(self.output, Tensor) else self.output

    @property
    def grad_fn(self) -> str | None:
        """The name of the function that made the result, such as `MeanBackward0`."""
        made = self.output.grad_fn if isinstance(self.output, Tensor) else None
        return None if made is None else made.name()

    @property
    def grads(self) -> dict[str, Any]:
        """Variable -> gradient as a NumPy array of the variable's shape and dtype, or None."""
        if self.late:
            self.settle()
        return self._arrays(self.gradients)

    @property
    def jacobian(self) -> dict[str, Any]:
        """Variable -> Jacobian as a NumPy array of the shape `output.shape + variable.shape`."""
        return self._arrays(self.jacobians)

    @property
    def hessian(self) -> dict[str, dict[str, Any]]:
        """Variable -> variable -> Hessian block as a NumPy array."""
        return {name: self._arrays(row) for name, row in self.hessians.items()}

    def __repr__(self) -> str:
        return f"Result({self.expression!r}, value={self.value!r}, grads={self.grads!r})"

    def _array(self, tensor: Tensor) -> Any:
        return own(tensor.array(), self.given)

    def _arrays(self, derivatives: Derivatives) -> dict[str, Any]:
        return {n: None if part is None else self._array(part) for n, part in derivatives.items()}
