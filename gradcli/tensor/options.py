"""What an entry of the function table says of its function, and what holds where it does not.

Constraints: data, as it stands in the entry; what is done with it stands in entry.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradcli.graph.op import NOTHING, Refusals
from gradcli.tensor.orders import NEW, Old
from gradcli.tensor.origins import IN_PYTHON
from gradcli.tensor.storing import ALIKE, CAST, METHOD, InPlace, Memory, Out

Body = Callable[..., Any]
Overload = Callable[..., int] | int
Columns = Callable[..., tuple[int, ...]] | tuple[int, ...]


class Options:
    """What is said of a function.

    Args:
        name: PyTorch's name, qualified below `torch` (`sum`, `nn.functional.relu`).
        body: what it does.
        on_nodes: whether the body takes nodes (one grad_fn) or tensors (composite).
        shown: the name in grad_fn where it is not the function's.
        overload: which of PyTorch's overloads the arguments choose, for the digit in grad_fn.
        view: the result shares the first argument's memory where PyTorch's does.
        edges: parameters with an entry in `next_functions`, given or not; else each given tensor.
        composed: the same of other functions, where PyTorch composes it: what its history shows.
        layout: whether a result lies in memory like an argument of its shape; None: as its op says.
        columns: the numbers of the results whose matrices lie in memory column by column, as LAPACK
            writes them; or a function of the arguments that says so.
        exact: whether its body is given numbers of half the width as they are (see halves.py).
        names: whether its body itself says what its result is shown as.
        refuses: dtypes of the first tensor for which PyTorch has no kernel, and its sentence.
        out: which dtypes of `out` it writes to; None where it takes none, as by default methods and
            what is written in Python.
        in_place: its in-place form, `NAME_`, where it has one.
        memory: which memory it may not write its result to.
        python: whether PyTorch's is written in Python: other sentences, no other names; by default
            those of torch.nn.functional are.
        orders: old orders of the arguments, which PyTorch takes too (see orders.py).
        arguments: what PyTorch calls some arguments, as `Named` says it.
    """

    on_nodes: bool = True
    shown: str = ""
    overload: Overload = 0
    view: bool = False
    layout: bool | None = None
    columns: Columns = ()
    edges: tuple[str, ...] = ()
    composed: Body | None = None
    exact: bool = False
    names: bool = False
    refuses: Refusals = NOTHING
    out: Out | None = CAST
    in_place: InPlace = METHOD
    memory: Memory = ALIKE
    python: bool = False
    orders: Old = NEW
    arguments: Mapping[str, str | None] = NOTHING

    def __init__(self, name: str, body: Body, **said: Any) -> None:
        unknown = said.keys() - Options.__annotations__.keys()
        if unknown:
            raise TypeError(
                f"function table: {name} says {', '.join(unknown)}, which nothing reads"
            )
        for what, value in said.items():
            setattr(self, what, value)
        self.qualified = name
        self.__name__ = name.rpartition(".")[2]
        self.body = body
        self.doc = body.__doc__ or ""
        self.shown = self.shown or self.__name__
        self.exact = self.exact or self.view
        if said.get("python") is None:
            self.python = name.startswith(IN_PYTHON)
        if self.out is CAST and (self.python or name.startswith("Tensor.")):
            self.out = None
