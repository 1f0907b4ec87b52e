"""Arguments are called as in PyTorch's signatures, whatever name a function is called by."""

from __future__ import annotations

import collections
import inspect
from functools import reduce
from typing import Any

import pytest

from gradcli import functions
from gradcli.errors import GradcliError
from gradcli.tensor import registry
from gradcli.tensor.function import Function

torch = pytest.importorskip("torch")

from op_db_values import to_gradcli  # noqa: E402

IDLE = {"out", "generator", "layout", "device", "pin_memory", "memory_format", "requires_grad"}
"""Options of tensors that are made, which not every signature lists."""
LISTS = {"args", "tensors", "operands"}
"""Names under which bodies take any number of arguments."""
ALSO = {
    "torch.select": {"idx", "list"},
    "torch.sort": {"reverse"},
    "torch.ldexp": {"i", "x"},
    "torch.mul": {"l", "n"},
    "torch.tensor": {"t"},
    "torch.as_tensor": {"t"},
    "torch.nonzero": {"as_tuple"},
    **{f"torch.{name}": {"out_dtype"} for name in ("mm", "bmm", "addmm", "baddbmm")},
    **{f"torch.{name}": {"correction"} for name in ("std_mean", "var_mean")},
    "torch.linalg.svdvals": {"driver"},
    "torch.layer_norm": {"cudnn_enable"},
}
"""What only PyTorch's compiler of scripts takes, what another device needs, and the like."""


def _signatures() -> dict[str, set[str]]:
    """Every function of PyTorch's core -> the names of its arguments, as Python has them."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for schema in torch._C._jit_get_all_schemas():
        names = {("input" if a.name == "self" else a.name) for a in schema.arguments}
        written = any(a.is_out for a in schema.arguments)
        spelled = any("Dimname" in str(a.type) for a in schema.arguments)
        of_script = any(a.name in ("a", "b") for a in schema.arguments)
        if not (written or spelled or of_script):
            found[schema.name.removeprefix("aten::")] |= names
    return found


def _taken(entry: Function) -> set[str]:
    parameters = entry.parameters
    named = set(parameters.by_name) - parameters.hidden | set(parameters.renamed)
    return named | ({parameters.rest} if parameters.rest else set())


def _names() -> list[str]:
    signatures = _signatures()
    return [
        name
        for name in functions.names()
        if isinstance(entry := registry.find(name), Function)
        and name.rpartition(".")[2][-1] != "_"
        and not (entry.python or entry.parameters.more)
        and name.removeprefix("torch.").replace(".", "_") in signatures
        and not inspect.isfunction(reduce(getattr, name.split(".")[1:], torch))
    ]


OLD = ("addmm", "addmv", "addr", "addbmm", "baddbmm", "add", "sub", "subtract", "addcmul")


@pytest.mark.filterwarnings("ignore:This overload:UserWarning")
@pytest.mark.parametrize("name", OLD)
def test_old_orders(name: str) -> None:
    """What PyTorch takes of them, a function and a method take, and nothing else."""
    x = torch.eye(3)
    shape = {"addbmm": (2, 3, 3), "baddbmm": (3, 3, 3), "addmv": (3,)}.get(name, (3, 3))
    own = torch.ones(3) if name == "addmv" else torch.ones(shape) if name == "baddbmm" else x
    operands = {"addmv": (x, x[0]), "addr": (x[0], x[0])}.get(name, (torch.ones(shape),) * 2)
    operands = operands[:1] if name in ("add", "sub", "subtract") else operands
    for start in ((own, 2), (2, own), (own, 2, 3), (2, own, 3)):
        args = (*start, *operands)
        for ours, theirs in (
            (registry.find(f"torch.{name}"), getattr(torch, name)),
            (registry.method(name), getattr(torch.Tensor, name)),
        ):
            bound = ours is registry.method(name)
            given = (own, *(v for v in args if v is not own)) if bound else args
            assert (refusal(ours, to_gradcli(given, {})) == "") is (refusal(theirs, given) == ""), (
                start,
                bound,
            )


def refusal(function: Any, args: tuple[Any, ...]) -> str:
    """The name of the error's class; "" where there is none."""
    try:
        function(*args)
    except (TypeError, RuntimeError, GradcliError) as error:
        return type(error).__name__
    return ""


def test_names_of_arguments() -> None:
    signatures, wrong = _signatures(), []
    for name in _names():
        theirs = signatures[name.removeprefix("torch.").replace(".", "_")]
        ours = _taken(registry.find(name))
        odd = (ours ^ theirs) - IDLE - LISTS - ALSO.get(name, set()) - {"self"}
        if odd:
            wrong.append((name, sorted(odd & theirs), sorted(odd & ours)))
    assert wrong == [], "name, what it lacks, what PyTorch has not"
