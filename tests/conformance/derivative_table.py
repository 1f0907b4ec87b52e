"""What PyTorch's own table of derivatives says that each backward function keeps.

Run it to write gradcli/tensor/saved.txt again, for the functions named there and those given:

    python tests/conformance/derivative_table.py [GRAD_FN]...
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "gradcli" / "tensor" / "saved.txt"


def rows() -> dict[str, str]:
    """By the name of a backward function: its row."""
    import torchgen
    from torchgen.packaged import autograd
    from torchgen.packaged.autograd.load_derivatives import load_derivatives

    native = os.path.join(os.path.dirname(torchgen.__file__), "packaged", "ATen", "native")
    infos, _ = load_derivatives(
        os.path.join(os.path.dirname(autograd.__file__), "derivatives.yaml"),
        os.path.join(native, "native_functions.yaml"),
        os.path.join(native, "tags.yaml"),
    )
    known = [by_key["Default"] for by_key in infos.values() if "Default" in by_key]
    return {info.op: _row(info) for info in known if info.op and info.derivatives}


def _row(info: Any) -> str:
    """`Name tensors : saved`: `[]` behind lists, `*` behind what has a derivative.

    Of some tensors only the `.sizes` or the `.numel` are saved.
    """
    varied = {name for derivative in info.derivatives for name in derivative.var_names}
    tensors = [a for a in info.func.func.arguments.flat_all if a.type.is_tensor_like()]
    listed = [
        f"{a.name}{'[]' * bool(a.type.is_list_like())}{'*' * (a.name in varied)}" for a in tensors
    ]
    edges = [a.name for a in tensors if a.name in varied]
    several = any(a.type.is_list_like() for a in tensors if a.name in varied)
    kept = []
    for attribute in sorted(info.all_saved_inputs, key=lambda a: str(_name(a))):
        if "Tensor" in str(attribute.nctype.type) and _name(attribute) == attribute.expr:
            kept.append(_name(attribute) + _condition(info, attribute, edges, several))
    sizes = [re.fullmatch(r"(\w+)\.sym_(sizes|numel)\(\)", a.expr) for a in info.all_saved_inputs]
    kept += sorted(f"{found[1]}.{found[2]}" for found in sizes if found is not None)
    returned = [r.name or "result" for r in info.func.func.returns]
    if len(returned) > 1:
        returned = [f"result{i}" if n == "result" else n for i, n in enumerate(returned)]
    outputs = [_name(a) for a in info.all_saved_outputs if "Tensor" in str(a.nctype.type)]
    kept += [f"{n}={returned.index(n) if n in returned else _number(n)}" for n in sorted(outputs)]
    return " ".join([info.op, *listed, ":", *kept]).rstrip()


def _name(attribute: Any) -> str:
    name = attribute.nctype.name
    return str(name if isinstance(name, str) else name.name)


def _number(name: str) -> int:
    return int(name.removeprefix("result") or 0)


def _condition(info: Any, attribute: Any, edges: list[str], several: bool) -> str:
    """`?i` for what is kept only where the gradient by differentiable argument `i` is wanted."""
    plain = str(attribute.nctype.type).startswith("BaseCType")
    if several or "backward" in info.name or len(edges) <= 1 or not plain:
        return ""
    used = [d for d in info.derivatives if attribute in d.saved_inputs]
    if len(used) != 1 or len(used[0].var_names) != 1:
        return ""
    return f"?{edges.index(used[0].var_names[0])}"


def main() -> None:
    """Writes the table again."""
    found = rows()
    before = TABLE.read_text(encoding="utf-8").splitlines() if TABLE.exists() else []
    names = {line.split(" ", 1)[0] for line in before} | set(sys.argv[1:])
    lines = [found[name] for name in sorted(names) if name in found]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
