"""The edge of the language: every part of Python outside it, with the one sentence that says so.

Constraints: refuses before anything runs (G002), from the table `FENCE`; what Python itself refuses
before it runs (a `return` outside a function) is refused here too (G001). Walks without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gradcli.errors import GradcliError
from gradcli.language import ast
from gradcli.source import Span

FENCE: dict[str, tuple[str, str]] = {
    "async": ("asynchronous code is outside the language", ""),
    "await": ("asynchronous code is outside the language", ""),
    "yield": (
        "generator functions are outside the language",
        "collect the values in a list and return it",
    ),
    "global": ("global declarations are outside the language", "pass the value in and return it"),
    "nonlocal": (
        "nonlocal declarations are outside the language",
        "pass the value in and return it",
    ),
    ":=": (
        "assignment inside an expression is outside the language",
        "assign on a line of its own",
    ),
    "match": ("match statements are outside the language", "use if, elif and else"),
    "case": ("match statements are outside the language", "use if, elif and else"),
    "type": ("type aliases are outside the language", "annotations are not needed here"),
    "except*": ("exception groups are outside the language", "write 'except' without '*'"),
    "relative import": (
        "relative imports are outside the language",
        "only torch, math, parts of functools and typing are built in",
    ),
    "star import": (
        "'from ... import *' is outside the language",
        "every name is there without its prefix anyway: mean(x) is torch.mean(x)",
    ),
    "bytes": ("byte strings are outside the language", "remove the b in front of the string"),
    "positional-only": ("positional-only parameters are outside the language", "remove the '/'"),
    "numpy": (
        "numpy cannot be imported",
        "torch's functions are built in; arrays come from files: x=@data.npy",
    ),
    "import": (
        "{name} cannot be imported",
        "torch, math, parts of functools and typing are built in, nothing else",
    ),
    "class": (
        "classes are outside the language",
        "only a class NAME(torch.autograd.Function) can be defined; use functions",
    ),
    "class body": ("a torch.autograd.Function holds only methods and generate_vmap_rule", ""),
    "class decorator": ("decorators of classes are outside the language", ""),
    "decorator": (
        "this decorator is outside the language",
        "the decorators are torch.no_grad(), torch.enable_grad(), torch.inference_mode(), "
        "torch.set_grad_enabled(b), staticmethod and once_differentiable",
    ),
    "context": (
        "this context manager is outside the language",
        "the contexts are torch.no_grad(), torch.enable_grad(), torch.inference_mode(), "
        "torch.set_grad_enabled(b), torch.autograd.detect_anomaly(), forward_ad.dual_level(), "
        "torch.random.fork_rng(), those of torch.autograd.graph and registered hooks",
    ),
    "dunder": (
        "names with two underscores around them are outside the language",
        "write what calls them: type(x), len(x), x + y, x[i]",
    ),
    "execution": (
        "{name} is outside the language: text is never run as code",
        "write the code itself, in a function where it is needed again",
    ),
    "files": (
        "{name} is outside the language: scripts do not reach files",
        'load("file") reads data below this directory',
    ),
    "objects": (
        "{name} is outside the language: scripts do not reach the interpreter",
        "lists, dicts and tuples hold values",
    ),
    "help": (
        "{name} is outside the language: scripts do not reach the interpreter",
        "gradcli ops NAME describes a function",
    ),
    "ending": (
        "{name} is outside the language: a script ends at its last line",
        "raise an exception to end it before, put the rest into an if or a function",
    ),
    "debugger": (
        "{name} is outside the language: scripts do not reach the interpreter",
        "print the values, or try the statements in gradcli repl",
    ),
    "variables": (
        "{name} is outside the language: scripts do not reach the interpreter",
        "keep values by name in a dict of your own",
    ),
    "identity": (
        "{name} is outside the language: scripts do not reach the interpreter",
        "`x is y` compares objects, x.data_ptr() tells memory apart",
    ),
    "names": (
        "{name} is outside the language: scripts do not reach the interpreter",
        'hasattr(x, "name") asks for one name',
    ),
    "attributes": (
        "{name} is outside the language",
        "write the attribute by its name, such as x.grad",
    ),
    "terminal": (
        "{name} is outside the language: scripts do not read the terminal",
        "give the value by its name: gradcli run SCRIPT x=3",
    ),
    "class tools": ("{name} is outside the language", "classes are, too; use functions"),
}
"""Construct: (sentence, way out). `{name}` stands for what the text says."""

WORDS = frozenset({"async", "await", "yield", "global", "nonlocal"})
"""Reserved words of Python that the grammar does not have."""

NAMES = {
    **dict.fromkeys(["eval", "exec", "compile"], "execution"),
    **dict.fromkeys(["open"], "files"),
    **dict.fromkeys(["getattr", "setattr", "delattr"], "attributes"),
    **dict.fromkeys(["globals", "locals"], "variables"),
    **{"memoryview": "objects", "breakpoint": "debugger"},
    **dict.fromkeys(["super", "property", "classmethod"], "class tools"),
    **dict.fromkeys(["bytes", "bytearray"], "bytes"),
}
"""Built-ins of Python that are refused wherever they stand, unless the text binds the name."""

FUNCTIONS = {
    **NAMES,
    **{"help": "help", "object": "objects", "exit": "ending", "quit": "ending"},
    **{"dir": "names", "id": "identity", "vars": "variables"},
    "input": "terminal",
}
"""And those that are refused when called: `input` and the like are common names of variables."""

MODULES = frozenset(
    (
        *("functools", "functorch", "math", "typing"),
        *("torch", "torch.accelerator", "torch.autograd", "torch.autograd.grad_mode"),
        *("torch.autograd.forward_ad", "torch.autograd.function", "torch.autograd.functional"),
        *("torch.autograd.graph", "torch.backends", "torch.backends.cuda", "torch.backends.cudnn"),
        *("torch.backends.mps", "torch.cuda", "torch.fft", "torch.func", "torch.functional"),
        "torch.linalg",
        *("torch.masked", "torch.mps", "torch.nn", "torch.nn.functional", "torch.nn.init"),
        *("torch.nn.parameter", "torch.nn.utils", "torch.random", "torch.return_types"),
        "torch.signal",
        *("torch.signal.windows", "torch.special", "torch.testing", "torch.utils"),
        *("torch.torch", "torch.utils.checkpoint", "torch.xpu"),
    )
)
"""The modules that are built in."""

FUNCTION_CLASSES = frozenset(
    ["torch.autograd.Function", "autograd.Function", "Function", "torch.autograd.function.Function"]
)
_GRAD_MODES = ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled")
CONTEXTS = frozenset(
    (
        *(*_GRAD_MODES, "detect_anomaly", "set_detect_anomaly", "dual_level", "fork_rng"),
        *("saved_tensors_hooks", "save_on_cpu", "disable_saved_tensors_hooks"),
        "allow_mutation_on_saved_tensors",
        *("register_hook", "register_prehook", "register_multi_grad_hook"),
        *("register_post_accumulate_grad_hook", "set_multithreading_enabled"),
    )
)
DECORATORS = frozenset((*_GRAD_MODES, "staticmethod", "once_differentiable"))
ALLOWED_DUNDERS = frozenset(["__name__", "__version__"])


def refusal(construct: str, span: Span, name: str = "") -> GradcliError:
    """The error for a construct of `FENCE` at `span`."""
    sentence, way_out = FENCE[construct]
    message = sentence.format(name=name)
    return GradcliError("G002", message, span, help=way_out or (), kind=SyntaxError)


def check(tree: ast.Node) -> None:
    """Raises for the first construct of `tree` that is outside the language."""
    bound = {name for node in _walk(tree) for name in _binds(node)}
    found = [error for node in _walk(tree) for error in _violations(node, bound)]
    found += _misplaced(tree)
    if found:
        raise min(found, key=lambda error: error.diagnostic.labels[0].span.start)


def _walk(tree: ast.Node) -> Iterator[ast.Node]:
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack += ast.children(node)


def _binds(node: ast.Node) -> list[str]:
    """The names that a statement, a comprehension or a lambda gives a value."""
    if isinstance(node, (ast.Assign, ast.For, ast.Clause, ast.With, ast.AugmentedAssign)):
        targets = [t for t in _targets(node) if t is not None]
        return [n.id for t in targets for n in _walk(t) if isinstance(n, ast.Name)]
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Parameter)):
        return [node.name]
    if isinstance(node, ast.Handler) and node.name:
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias or name for name, alias in node.names]
    return []


def _targets(node: Any) -> list[ast.Expression | None]:
    if isinstance(node, ast.Assign):
        return list(node.targets)
    if isinstance(node, ast.With):
        return [target for _, target in node.items]
    return [node.target]


def _violations(node: ast.Node, bound: set[str]) -> Iterator[GradcliError]:
    visit = VISITORS.get(type(node))
    return iter(()) if visit is None else visit(node, bound)


def _name(node: ast.Name, bound: set[str]) -> Iterator[GradcliError]:
    if _dunder(node.id):
        yield refusal("dunder", node.span)
    elif node.id in NAMES and node.id not in bound:
        yield refusal(NAMES[node.id], node.span, node.id)


def _attribute(node: ast.Attribute, bound: set[str]) -> Iterator[GradcliError]:
    if _dunder(node.name):
        yield refusal(
            "dunder", Span(node.span.source, node.span.end - len(node.name), node.span.end)
        )


def _call(node: ast.Call, bound: set[str]) -> Iterator[GradcliError]:
    name = dotted(node.function)
    if name in FUNCTIONS and name not in bound:
        yield refusal(FUNCTIONS[name], node.function.span, name)


def _import(node: ast.Import, bound: set[str]) -> Iterator[GradcliError]:
    for module, _ in node.names:
        if module not in MODULES:
            yield _module(module, node.span)


def _from_import(node: ast.ImportFrom, bound: set[str]) -> Iterator[GradcliError]:
    if node.module == "__future__":
        return
    if node.module not in MODULES:
        yield _module(node.module, node.span)
    elif ("*", None) in node.names:
        yield refusal("star import", node.span)
    for name, _ in node.names:
        if _dunder(name):
            yield refusal("dunder", node.span)


def _module(module: str, span: Span) -> GradcliError:
    """The refusal of a module, with the carets under its name."""
    start = span.start + max(span.text.find(module), 0)
    place = Span(span.source, start, min(start + len(module), span.end))
    return refusal("numpy" if module.split(".")[0] == "numpy" else "import", place, module)


def _function(node: ast.FunctionDef, bound: set[str]) -> Iterator[GradcliError]:
    for decorator in node.decorators:
        function = decorator.function if isinstance(decorator, ast.Call) else decorator
        if dotted(function).rpartition(".")[2] not in DECORATORS:
            yield refusal("decorator", decorator.span)
    if _dunder(node.name):
        yield refusal("dunder", _head(node.span))


def _class(node: ast.ClassDef, bound: set[str]) -> Iterator[GradcliError]:
    if [dotted(base) in FUNCTION_CLASSES for base in node.bases] != [True]:
        yield refusal("class", _head(node.span))
        return
    for statement in node.body:
        text = isinstance(statement, ast.ExpressionStatement) and isinstance(
            statement.value, ast.Constant
        )
        if not (text or _is_setting(statement) or isinstance(statement, _IN_CLASSES)):
            yield refusal("class body", _head(statement.span))


_IN_CLASSES = (ast.FunctionDef, ast.Pass)


def _is_setting(node: ast.Statement) -> bool:
    """Whether it is `generate_vmap_rule = True`."""
    return (
        isinstance(node, ast.Assign)
        and [dotted(target) for target in node.targets] == ["generate_vmap_rule"]
        and isinstance(node.value, ast.Constant)
    )


def _with(node: ast.With, bound: set[str]) -> Iterator[GradcliError]:
    for context, _ in node.items:
        if isinstance(context, ast.Call):
            name = dotted(context.function)
            if name not in bound and name.rpartition(".")[2] not in CONTEXTS | set(FUNCTIONS):
                yield refusal("context", context.span)


VISITORS: dict[type[ast.Node], Callable[[Any, set[str]], Iterator[GradcliError]]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Import: _import,
    ast.ImportFrom: _from_import,
    ast.FunctionDef: _function,
    ast.ClassDef: _class,
    ast.With: _with,
}


def _misplaced(tree: ast.Node) -> list[GradcliError]:
    """`return` outside a function, `break` and `continue` outside a loop."""
    errors: list[GradcliError] = []
    stack = [(tree, False, False)]
    while stack:
        node, function, loop = stack.pop()
        if isinstance(node, ast.Return) and not function:
            errors.append(_outside(node, "return", "a function", "def f(...)"))
        elif isinstance(node, (ast.Break, ast.Continue)) and not loop:
            errors.append(_outside(node, type(node).__name__.lower(), "a loop", "for or while"))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            stack += [(each, isinstance(node, ast.FunctionDef), False) for each in node.body]
        elif isinstance(node, (ast.For, ast.While)):
            stack += [(each, function, True) for each in node.body]
            stack += [(each, function, loop) for each in node.otherwise]
        elif not isinstance(node, ast.Expression):
            stack += [(each, function, loop) for each in ast.children(node)]
    return errors


def _outside(node: ast.Node, word: str, place: str, opener: str) -> GradcliError:
    fact = f"'{word}' stands outside {place}"
    help = f"indent it below {opener}, or remove it"
    return GradcliError("G001", fact, node.span, help=help, kind=SyntaxError)


def dotted(node: ast.Expression) -> str:
    """`torch.nn.relu` for the attribute of a name that it is; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.name)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and name not in ALLOWED_DUNDERS


def _head(span: Span) -> Span:
    """The first line of a statement."""
    line = span.text.split("\n", 1)[0].rstrip()
    return Span(span.source, span.start, span.start + len(line))
