"""`gradcli explain`: an error code, or a grad_fn name, in plain words."""

from __future__ import annotations

import re

from gradcli.cli.outputs import write_text
from gradcli.errors import CODES, GradcliError, did_you_mean
from gradcli.render.explanations import EXPLANATIONS

SPECIAL = {
    "AccumulateGrad": "the end of a path: adds the gradient to .grad of a leaf that requires it",
    "CopySlices": "a write into a part of a tensor, by an index or through a view",
    "AsStridedBackward0": "a view whose base was written to after the view was made",
}


def run(*, what: str) -> None:
    """The command."""
    code = what.upper().strip("[]")
    if code in CODES:
        write_text(_code(code), None)
    else:
        write_text(_grad_fn(what.strip("<>").partition(" ")[0]), None)


def _code(code: str) -> str:
    cause, way, example = EXPLANATIONS[code]
    return f"{code}: {CODES[code]}\n\n{cause}\n{way}\n\nexample: {example}"


def _grad_fn(name: str) -> str:
    if name in SPECIAL:
        return f"{name}: {SPECIAL[name]}"
    from gradcli.cli.ops import describe, table
    from gradcli.tensor.function import Function

    found = re.fullmatch(r"(\w+?)Backward(\d*)", name)
    wanted = _plain(found[1]) if found else ""
    makers: dict[str, Function] = {}
    for qualified, entry in table().items():
        if entry.on_nodes and wanted and _plain(entry.shown) == wanted:
            makers[qualified] = entry
    if not makers:
        known = [*CODES, *SPECIAL, *(_camel(entry.shown) for entry in table().values())]
        raise GradcliError(
            "G010",
            f"{name} is neither an error code nor a grad_fn name",
            help=did_you_mean(name, known) or "such as G021 or MulBackward0",
        )
    lines = [
        f"{name}: the backward step of {', '.join(makers)}; "
        "it turns the gradient of a result into the gradients of the arguments"
    ]
    for qualified, entry in list(makers.items())[:4]:
        record = describe(qualified, entry)
        lines.append(f"\n{record['signature']}  {record['description']}".rstrip())
        for by, text in record.get("derivative", {}).items():
            lines.append(f"  gradient by {by}: {text}")
    if found and found[2] not in ("", "0"):
        lines.append(
            f"\nThe {found[2]} says which overload was called: with a dim, a number or a tensor."
        )
    return "\n".join(lines)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _camel(shown: str) -> str:
    return "".join(p[:1].upper() + p[1:] for p in shown.split("_")) + "Backward0"
