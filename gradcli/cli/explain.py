"""`gradcli explain`: an error code, or a grad_fn name, in plain words."""

from __future__ import annotations

import re
import shlex

from gradcli.calculus.examples import VALUES, Example, example
from gradcli.cli.ops import describe, table
from gradcli.cli.outputs import write_text
from gradcli.errors import CODES, GradcliError, did_you_mean
from gradcli.language.parser import parse_expression
from gradcli.lowering.unbound import unbound
from gradcli.render.explanations import EXPLANATIONS
from gradcli.source import Source
from gradcli.tensor.formulas import rows
from gradcli.tensor.function import Function

SPECIAL = {
    "AccumulateGrad": (
        "the end of a path: adds the gradient to .grad of a leaf that requires it",
        "print((x*2).grad_fn.next_functions[0][0].name())",
    ),
    "CopySlices": (
        "a write into a part of a tensor, by an index or through a view",
        "y = x*1\ny[0] = 3.\nprint(y.grad_fn.name())",
    ),
    "AsStridedBackward0": (
        "a view whose base was written to after the view was made",
        "y = x*1\nz = y[:1]\ny.mul_(2)\nprint(z.grad_fn.name())",
    ),
    "CopyBackwards": (
        "a copy of a gradient that shall be differentiated again",
        "(x**2).sum().backward(create_graph=True)\nprint(x.grad.grad_fn.name())",
    ),
    "Identity": (
        "the value of a dual tensor, as forward mode unpacks it",
        "import torch.autograd.forward_ad as fwAD\nwith fwAD.dual_level():\n"
        "  d = fwAD.make_dual(x, torch.ones(2))\n"
        "  print(fwAD.unpack_dual(d*2).primal.grad_fn.name())",
    ),
}
"""Names that no function makes by itself: what they mean, and a script that shows one."""
LEAF = "x = torch.ones(2, requires_grad=True)\n"


def run(*, what: str) -> None:
    """The command."""
    code = what.upper().strip("[]")
    if code in CODES:
        write_text(_code(code), None)
    else:
        write_text(explained(what.strip("<>").partition(" ")[0]), None)


def _code(code: str) -> str:
    cause, way, example = EXPLANATIONS[code]
    return f"{code}: {CODES[code]}\n\n{cause}\n{way}\n\nexample: {example}"


def explained(name: str) -> str:
    """What a grad_fn name means; raises G010 for a name that is none."""
    if name in SPECIAL:
        meaning, script = SPECIAL[name]
        shown = shlex.quote((LEAF + script).replace("\n", "\\n") + "\\n")
        return f"{name}: {meaning}\n\nexample: printf {shown} | gradcli run -"
    if "BackwardBackward" in name and rows(name):
        return _of_gradient(name, name.replace("BackwardBackward", "Backward"))
    functions, own = makers(name)
    found = example(name, _distinct(functions))
    if found is None and not own:
        steps = [_camel(entry.shown) for entry in table().values() if entry.on_nodes]
        known = [*CODES, *SPECIAL, *steps]
        raise GradcliError(
            "G010",
            f"{name} is neither an error code nor a grad_fn name",
            help=did_you_mean(name, known) or "such as G021 or MulBackward0",
        )
    called = ", ".join(functions) or (found.expression if found else "")
    lines = [
        f"{name}: the backward step of {called}; "
        "it turns the gradient of a result into the gradients of the arguments"
    ]
    for qualified, entry in list(_distinct(functions).items())[:4]:
        record = describe(qualified, entry)
        lines.append(f"\n{record['signature']}  {record['description']}".rstrip())
        if found is None:
            rules = record.get("derivative", {}).items()
            lines += [f"  gradient by {by}: {text}" for by, text in rules]
    if found is not None:
        lines += _shown(found)
    digit = re.search(r"\d*$", name)
    if digit and digit[0] not in ("", "0"):
        lines.append(
            f"\nThe {digit[0]} says which overload was called: with a dim, a number or a tensor."
        )
    return "\n".join(lines)


def _of_gradient(name: str, step: str) -> str:
    return (
        f"{name}: the backward step of {step} itself, of a gradient that create_graph=True made\n\n"
        f"gradcli explain {step} tells of that"
    )


def makers(name: str) -> tuple[dict[str, Function], bool]:
    """The functions of that name, and whether one of them is a grad_fn of its own."""
    found = re.fullmatch(r"(\w+?)Backward\d*(_copy)?", name)
    wanted = _plain(found[1]) if found else None
    makers = {q: entry for q, entry in table().items() if _plain(entry.shown) == wanted}
    return makers, any(entry.on_nodes for entry in makers.values())


def _distinct(functions: dict[str, Function]) -> dict[str, Function]:
    """Of functions that several modules have under one name, the one written shortest; of one that
    writes to its tensor and one that does not, the latter.
    """
    found: dict[str, str] = {}
    for qualified in sorted(functions, key=lambda q: (q.endswith("_"), q.count("."), q)):
        found.setdefault(qualified.rpartition(".")[2].removesuffix("_"), qualified)
    return {qualified: functions[qualified] for qualified in found.values()}


def _shown(found: Example) -> list[str]:
    """The gradients that the arguments of an example get, and the example to run."""
    try:
        lines = [f"  gradient by {by}: {formula}" for by, formula in found.gradients().items()]
    except GradcliError as error:  # PyTorch has the name, but no derivative
        return [f"  gradient by none: {error}"]
    if lines:
        lines.append("  g is the gradient of the result, out the result")
    names = unbound(parse_expression(Source("", found.expression)), ())
    used = [f"{key}={VALUES[key]}" for key in names]
    command = shlex.join(["gradcli", "eval", found.expression, *used])
    return [*lines, f"\nexample: {command}", str(found.output)]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _camel(shown: str) -> str:
    return "".join(p[:1].upper() + p[1:] for p in shown.split("_")) + "Backward0"
