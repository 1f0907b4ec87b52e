"""`gradcli ops`: the function table to read and to search."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import fill
from typing import Any

from gradcli.calculus.examples import VALUES, call_of
from gradcli.cli.outputs import write_text
from gradcli.errors import GradcliError, did_you_mean
from gradcli.graph.op import INTEGRAL, OPS, NoDerivative
from gradcli.lowering.outside import listed, reason
from gradcli.render.rules import derivatives, elementwise
from gradcli.tensor import registry
from gradcli.tensor.arguments import signature_text
from gradcli.tensor.function import Function
from gradcli.tensor.kept import backward_name, name_of

Record = dict[str, Any]
INDENT = " " * 4


def run(*, name: str | None, outside: bool, format: str) -> None:
    """The command."""
    if outside:
        return _write(_outside(name or ""), format, _reasons)
    entries = table()
    if name:
        entries = found(entries, name)
    records = [describe(qualified, entry) for qualified, entry in entries.items()]
    if not name or len(records) > 1:
        return _write(records, format, _list)
    _try(records[0], *entries.values())
    return _write(records, format, _page)


def _outside(name: str) -> list[Record]:
    """Why what is called `name`, or has it in its name, is not there."""
    wanted = name.removeprefix("torch.")
    records = [
        {"reason": why, "names": names}
        for why, names in listed().items()
        if why == reason(wanted) or any(wanted in known for known in names)
    ]
    if not records:
        raise GradcliError(
            "G010",
            f"{name} is not among what is outside the language",
            help=f"gradcli ops {name} looks for it among what is there",
        )
    return records


def _write(records: list[Record], format: str, as_text: Callable[[list[Record]], str]) -> None:
    if format == "json":
        from gradcli.files import json_text

        write_text(json_text(records), None)
    else:
        write_text(as_text(records), None)


def table() -> dict[str, Function]:
    """Every function once, by the name that users write, in alphabetical order."""
    entries: dict[str, Function] = {}
    methods = {f"Tensor.{n}": registry.METHODS[n] for n in registry.method_names()}
    seen: set[Any] = set()
    for qualified, entry in {**registry.ENTRIES, **methods}.items():
        short = qualified.removeprefix("torch.")
        hidden = short.rpartition(".")[2].startswith("_")
        if isinstance(entry, Function) and not hidden and _identity(entry) not in seen:
            entries[short] = entry
            seen.add(_identity(entry))
    return dict(sorted(entries.items(), key=lambda item: item[0].lower()))


def found(entries: dict[str, Function], name: str) -> dict[str, Function]:
    """The function of that name; else those whose name or description contains it."""
    wanted = name.removeprefix("torch.").removeprefix("F.")
    exact = registry.find(f"torch.{wanted}") or registry.find(f"torch.nn.functional.{wanted}")
    exact = exact or registry.method(wanted.removeprefix("Tensor."))
    if isinstance(exact, Function):
        return {wanted: exact}
    hits = {
        key: entry
        for key, entry in entries.items()
        if wanted.lower() in key.lower() or wanted.lower() in entry.doc.lower()
    }
    if not hits:
        known = [key.rpartition(".")[2] for key in entries]
        near = did_you_mean(wanted, known) or "gradcli ops lists all"
        raise GradcliError(
            "G010",
            f"no function is called {name}, and none mentions it",
            help=reason(wanted) or near,
        )
    return hits


def describe(qualified: str, entry: Function) -> Record:
    """What there is to say of a function."""
    op = elementwise(entry.qualified)
    record: Record = {
        "name": qualified,
        "signature": f"{entry.__name__}{signature_text(entry)}",
        "description": (entry.doc or "").strip().partition("\n")[0],
        "also": aliases(qualified, entry),
    }
    if op is not None and not op.cuts:
        record["grad_fn"] = backward_name(op.torch)
        record["derivative"] = dict(zip("xyz", derivatives(op), strict=False))
    elif op is not None:
        rule = op.derivatives[0]
        record["derivative"] = {"none": rule.reason if isinstance(rule, NoDerivative) else ""}
    elif entry.shown in OPS and INTEGRAL in OPS[entry.shown].derivatives:
        record["derivative"] = {"none": INTEGRAL.reason}
    elif entry.on_nodes and isinstance(entry.overload, int):
        record["grad_fn"] = backward_name(entry.shown, entry.overload)
    elif entry.on_nodes:
        record["grad_fn"] = f"{backward_name(entry.shown)} and its overloads"
    return record


def _try(record: Record, entry: Function) -> None:
    """Adds the derivative and grad_fn that a call shows, where the table does not say them."""
    found = None if "derivative" in record else call_of(record["name"], entry)
    if found is None:
        return
    record.setdefault("grad_fn", name_of(found.output.node))
    try:
        gradients = found.gradients()
    except GradcliError:  # PyTorch has a node there that refuses
        return
    if gradients and VALUES.keys() >= gradients.keys():  # else it goes through other functions
        record |= {"derivative": gradients, "call": found.expression}


def aliases(qualified: str, entry: Function) -> list[str]:
    """The other names of the same function."""
    methods = {f"Tensor.{n}": e for n, e in registry.METHODS.items()}
    names = [
        n
        for n, e in {**registry.ENTRIES, **methods}.items()
        if isinstance(e, Function) and _identity(e) == _identity(entry)
    ]
    return [n for n in names if n.removeprefix("torch.") != qualified]


def _identity(entry: Function) -> tuple[Any, str]:
    """What is the same for one function under all its names."""
    return entry.body, entry.shown


def _page(records: list[Record]) -> str:
    (record,) = records
    lines = [record["signature"], f"    {record['description']}".rstrip()]
    for by, text in record.get("derivative", {}).items():
        lines.append(f"derivative  {by}: {text}" if by != "none" else f"derivative  none: {text}")
    if "derivative" in record and "none" not in record["derivative"]:
        of = f" of {record['call']}" if "call" in record else ", x and y the arguments"
        lines.append(f"            g is the cotangent, out the result{of}")
    if "grad_fn" in record:
        lines.append(f"grad_fn     {record['grad_fn']}")
    if record["also"]:
        lines.append(f"also        {', '.join(record['also'])}")
    return "\n".join(line for line in lines if line)


def _list(records: list[Record]) -> str:
    width = min(max(len(r["name"]) for r in records), 32)
    rows = []
    for record in records:
        said = record["description"]
        if not said and "derivative" in record:
            said = ", ".join(f"d/d{by}: {text}" for by, text in record["derivative"].items())
        rows.append(f"{record['name']:{width}}  {said}".rstrip())
    return "\n".join(rows)


def _reasons(records: list[Record]) -> str:
    lines = []
    for record in records:
        names = ", ".join(record["names"])
        lines += [
            record["reason"],
            fill(names, 96, initial_indent=INDENT, subsequent_indent=INDENT),
        ]
    return "\n".join(lines)
