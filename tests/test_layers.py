"""The house's floors: a file imports only from its own floor's package or from lower floors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gradcli"
FLOORS = [
    ["gradcli.source"],
    ["gradcli.errors"],
    ["gradcli.graph", "gradcli.files", "gradcli.language"],
    ["gradcli.ops"],
    ["gradcli.rewrite"],
    ["gradcli.execute"],
    ["gradcli.tensor"],
    ["gradcli.functions"],
    ["gradcli.lowering"],
    ["gradcli.result"],
    ["gradcli.api"],
    ["gradcli.planned"],
    ["gradcli.benching", "gradcli.checks", "gradcli.diagram", "gradcli.trace"],
    ["gradcli.render"],
    ["gradcli.calculus"],
    ["gradcli.cli"],
]
"""From the ground up; packages on one line do not import each other."""
MODULES = sorted(
    p
    for p in PACKAGE.rglob("*.py")
    if p.parent != PACKAGE or p.stem not in ("__init__", "__main__")
)


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(module: str) -> tuple[int, str]:
    for number, packages in enumerate(FLOORS):
        for package in packages:
            if module == package or module.startswith(package + "."):
                return number, package
    raise AssertionError(f"{module} is on no floor: put it on one in FLOORS")


def imports(path: Path) -> set[str]:
    """The gradcli modules that a file imports anywhere, type-checking imports left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("gradcli.")}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_downward(path: Path) -> None:
    here, own = floor(module_name(path))
    for name in imports(path):
        if name == "gradcli.__version__":
            continue
        there, package = floor(name)
        assert there < here or package == own, f"{module_name(path)} imports {name} from above"


def test_a_floor_violation_would_be_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from gradcli.cli import main\n")
    (name,) = imports(wrong)
    assert floor(name)[0] > floor("gradcli.graph.node")[0]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_budgets(path: Path) -> None:
    """Lines of a file and of a function; a budget is a reason to look at the design."""
    text = path.read_text(encoding="utf-8")
    table = module_name(path) in TABLES
    assert table or text.count("\n") <= 300, f"{path.name} has {text.count(chr(10))} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 40, f"{node.name} has {length} lines"


TABLES = {
    *("gradcli.ops.elementwise", "gradcli.execute.backends.numpy", "gradcli.language.ast"),
    *(f"gradcli.execute.backends.{name}" for name in ("torch", "jax", "array_api", "composed")),
    *("gradcli.render.explanations", "gradcli.language.fence"),
    "gradcli.render.targets",
    *(f"gradcli.functions.{name}" for name in ("math", "reduce", "shape", "index", "linalg")),
    *(f"gradcli.functions.{name}" for name in ("activation", "loss", "decompositions", "order")),
    *(f"gradcli.functions.{name}" for name in ("matrices", "systems")),
}
"""Modules that are mostly rows of a table."""
