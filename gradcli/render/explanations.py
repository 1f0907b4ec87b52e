"""What every error code means: its cause, the way out, and a command that shows it.

Constraints: a table of texts; the one-line titles stand in errors.CODES.
"""

from __future__ import annotations

EXPLANATIONS: dict[str, tuple[str, str, str]] = {
    "G001": (
        "A bracket, quote, comma or operator is missing or too many.",
        "The caret shows where the text stops making sense; what is missing is often just "
        "before it.",
        'gradcli eval "mean(3*(x+2)"',
    ),
    "G002": (
        "gradcli runs the part of Python that autograd snippets use. Other imports, classes and "
        "system access are refused before anything runs.",
        "Keep the numerical part, and give data in as bindings: x=@data.npy.",
        'gradcli eval "open(1)"',
    ),
    "G003": (
        "Brackets, calls or blocks lie inside each other hundreds of levels deep, or a "
        "function calls "
        "itself without end.",
        "Give parts a name of their own, or use a loop.",
        "gradcli eval \"$(printf '[%.0s' $(seq 9999); printf ']%.0s' $(seq 9999))\"",
    ),
    "G010": (
        "Neither a variable, nor a function, nor a module has this name.",
        "Check the spelling; gradcli ops NAME searches the functions.",
        'gradcli eval "men(x)" x=1',
    ),
    "G011": (
        "The value has no attribute or method of this name.",
        "Check the spelling; gradcli ops lists the methods of tensors.",
        'gradcli eval "x.meann()" x=1',
    ),
    "G012": (
        "The expression uses a variable that has no value.",
        "Give it one after the expression: x=3, x='ones(2,2)', x=@data.npy, or x=- for "
        "standard input.",
        'gradcli eval "x**2" --steps',
    ),
    "G013": (
        "An argument is missing, too many, unknown, or of the wrong kind.",
        "gradcli ops NAME shows the function's arguments.",
        'gradcli eval "softmax(x)" x=[1,2]',
    ),
    "G014": (
        "The operation is not defined for values of these types.",
        "Make both tensors (tensor(...)) or both numbers (.item()).",
        "gradcli eval \"x + 'a'\" x=1",
    ),
    "G015": (
        "A variable without a shape stands for a tensor of any shape, and this operation has to "
        "know more.",
        "Declare it: x:n for a vector, X:m,n for a matrix, x: for a scalar; or give it a value.",
        'gradcli diff "sum((X@w - y)**2)"',
    ),
    "G016": (
        "vmap computes all examples at once: there is no value to print, to test or to convert.",
        "Return the tensor, and look at it outside; torch.where chooses for each example.",
        "gradcli eval 'vmap(lambda r: float(r.sum()))(x)' x='ones(2,2)'",
    ),
    "G020": (
        "Two shapes are matched from the right; sizes must be equal, or one of them 1.",
        "Add a dimension (x[:, None]), transpose, or check which axis is meant.",
        "gradcli eval \"x + y\" x='ones(3)' y='ones(4)'",
    ),
    "G021": (
        "In X @ w the last size of X must be the first (or second to last) size of w.",
        "Transpose one factor: w.T, or X.T.",
        "gradcli eval \"X @ w\" X='ones(2,3)' w='ones(4,5)'",
    ),
    "G022": (
        "A position lies outside the tensor, or a value cannot be a position.",
        "Positions run from 0 to size - 1, or from -1 backwards; masks are bool tensors of the "
        "same shape.",
        'gradcli eval "x[5]" x=[1,2]',
    ),
    "G023": (
        "dim must name a dimension the tensor has: 0 to ndim - 1, or -1 backwards.",
        "Check .shape; a number has no dimensions.",
        'gradcli eval "sum(x, dim=2)" x=[1,2]',
    ),
    "G024": (
        "A reshape keeps the number of elements; joined tensors agree in every other size.",
        "Use -1 for the size that follows from the others.",
        'gradcli eval "x.view(3)" x=[1,2]',
    ),
    "G025": (
        "The operation is not defined for this dtype; only floating-point tensors have gradients.",
        "Convert: .float(), .double(), .long().",
        "gradcli eval \"mean(x)\" x='tensor([1,2])'",
    ),
    "G026": (
        "An argument has a value that the function does not take.",
        "gradcli ops NAME describes the function.",
        "gradcli eval \"div(x, 2, rounding_mode='up')\" x=1",
    ),
    "G027": (
        "Anomaly mode stopped at the first function whose gradient is NaN.",
        "Typical causes: sqrt or norm at 0, log of 0, 0/0; mask the input, not the result.",
        "printf 'x = torch.zeros(1, requires_grad=True)\\nwith torch.autograd.detect_anomaly():\\n"
        "  (x.sqrt()*0).backward()\\n' | gradcli run -",
    ),
    "G030": (
        "backward() starts at a value that no input with requires_grad=True leads to: there is "
        "no such "
        "input, it was computed under no_grad() or detached, or an operation without derivative "
        "(argmax, comparison, round to an index) lies between.",
        "Set requires_grad=True on the input, before the result is computed. Setting it on the "
        "loss "
        "silences the error and trains nothing.",
        "printf 'x = torch.ones(2)\\nx.sum().backward()\\n' | gradcli run -",
    ),
    "G031": (
        "A backward pass frees what it used. A second pass through the same part finds it gone.",
        "Compute the loss anew in each round, add losses up before one backward(), or pass "
        "retain_graph=True.",
        "printf 'x = torch.ones(2, requires_grad=True)\\ny = "
        "(x*x).sum()\\ny.backward()\\ny.backward()\\n'"
        " | gradcli run -",
    ),
    "G032": (
        "The gradient needs a value as it was when it was used, and an in-place operation has "
        "changed it.",
        "Make a new tensor: x = x + 1 for x += 1.",
        "printf 'x = torch.ones(2, requires_grad=True)\\ny = x.exp()\\ny += "
        "1\\ny.sum().backward()\\n'"
        " | gradcli run -",
    ),
    "G033": (
        "A leaf (made by the user, requires_grad=True) cannot be changed in place while "
        "gradients are recorded.",
        "Update parameters inside `with torch.no_grad():`.",
        "printf 'w = torch.ones(2, requires_grad=True)\\nw -= 1\\n' | gradcli run -",
    ),
    "G034": (
        "Only a single number has a gradient. A tensor result has a Jacobian, or a gradient "
        "per cotangent.",
        "Reduce it with .sum() or .mean(), or give backward(v) a cotangent of its shape (--vjp V).",
        "printf 'x = torch.ones(2, requires_grad=True)\\n(x*2).backward()\\n' | gradcli run -",
    ),
    "G035": (
        "grad() was asked for an input that the output does not depend on.",
        "Pass allow_unused=True to get None for it.",
        "printf 'x = torch.ones(2, requires_grad=True)\\ntorch.autograd.grad((x*2).sum(), x*3)\\n'"
        " | gradcli run -",
    ),
    "G036": (
        "A cotangent has the shape of the result that it belongs to.",
        "Use ones_like(result), or reduce the result first.",
        'gradcli eval "x**2" x=[1,2] --vjp [1,2,3]',
    ),
    "G037": (
        "The operation is defined, its derivative is not.",
        "gradcli ops NAME says why.",
        "gradcli ops argmax",
    ),
    "G038": (
        "The derivative exists, but no formula in the language says it.",
        "Ask for a product with a vector (--vjp v, --jvp v), or for values: gradcli eval.",
        'gradcli diff "linalg.eigvals(X).abs().sum()" X:n,n',
    ),
    "G039": (
        "A formula is printed only after it was compared with the gradient at points; none was "
        "found where both are finite.",
        "Give values to compare at: x=0.5.",
        'gradcli diff "sqrt(-1 - x**2)" x:',
    ),
    "G040": (
        "Python's own rules were broken: a key that is not there, a division by zero, a wrong "
        "type.",
        "The message is Python's; the caret shows the operation.",
        'gradcli eval "1/0"',
    ),
    "G041": (
        "The condition of an assert is false. The exit code is 1, so that CI sees it.",
        "The label shows both sides of the comparison.",
        "echo 'assert 1 + 1 == 3' | gradcli run -",
    ),
    "G042": (
        "The script raised an exception itself and nothing caught it.",
        "The caret shows the raise.",
        "echo 'raise ValueError(1)' | gradcli run -",
    ),
    "G046": (
        "The methods of a torch.autograd.Function have to fit together.",
        "backward returns a gradient, or None, for each argument of forward after ctx.",
        "printf 'class F(torch.autograd.Function):\\n  @staticmethod\\n  def forward(ctx, x):\\n"
        "    return x*2\\n  @staticmethod\\n  def backward(ctx, g):\\n    return g, g\\n"
        "x = torch.ones(1, requires_grad=True)\\nF.apply(x).backward()\\n' | gradcli run -",
    ),
    "G047": (
        "The derivative that a function computes differs from the slope measured beside the point.",
        "Check the backward of the function; use double precision, away from kinks.",
        "printf 'x = torch.ones(2).double().requires_grad_()\\n"
        "torch.autograd.gradcheck(lambda x: x.detach()*x, x)\\n' | gradcli run -",
    ),
    "G048": (
        "A hook on what is saved for a gradient did something that such hooks may not do.",
        "A pack hook may return anything but may not write to its tensor; the unpack hook makes a "
        "tensor of it again. One pair of hooks for each saved tensor.",
        "printf 'x = torch.ones(1, requires_grad=True)\\n"
        "(x*x).grad_fn._raw_saved_self.register_hooks(lambda t: t.mul_(2), lambda t: t)\\n' "
        "| gradcli run -",
    ),
    "G050": (
        "The file is not there, may not be read, is a directory, or is of a kind that gradcli "
        "does not open.",
        "Check the path. Pickles (.pt, .pkl) can run code and are never opened: save as .npy "
        "or safetensors.",
        'gradcli eval "x" x=@missing.npy',
    ),
    "G051": (
        "The content is not what the format promises: truncated, ragged, not a number.",
        "The message names line and column, or the position in the file.",
        "printf '1,2\\n3\\n' | gradcli eval \"x\" x=-",
    ),
    "G052": (
        "The file has no member, key or column of this name.",
        "The help lists those there are.",
        'gradcli eval "x" x=@data.npz:weights',
    ),
    "G053": (
        "The result cannot be written there, or not in this format. Nothing half-written is left.",
        "Check the folder and its rights, or choose another format with -f.",
        'gradcli eval "x" x=1 -o /nowhere/x.npy',
    ),
    "G060": (
        "A result would need more memory than the limit, which is 80 % of what is free unless "
        "--max-memory says otherwise; or an operation needs all rows of a file at once that does "
        "not fit. Row by row, and for sums, means and extrema over rows, a part at a time is "
        "enough.",
        "Work on smaller pieces, write a row-by-row result to a file with -o, use a smaller "
        "dtype, or raise --max-memory.",
        'gradcli eval "ones(10**6, 10**6)"',
    ),
    "G061": (
        "--timeout ran out.",
        "Raise it, or check the loop's condition.",
        "echo 'while True: pass' | gradcli run - --timeout 1",
    ),
    "G062": (
        "A whole number, text or list would grow beyond any use.",
        "Use floating-point numbers, or tensors.",
        'gradcli eval "10**10**10"',
    ),
    "G070": (
        "The command line itself is wrong: an unknown option, a binding without =, a value "
        "that is no number.",
        "gradcli COMMAND --help shows examples.",
        "gradcli eval x y",
    ),
    "G071": (
        "The backend is not installed, its device is not there, or it cannot compute an operation.",
        "gradcli backends lists those that can; --backend numpy computes everything.",
        "gradcli backends --bench",
    ),
    "G072": (
        "A cluster began the work and cannot finish it: the scheduler went away, or rows ended "
        "every process that was given them, mostly for lack of memory.",
        "Give its workers more memory, or compute with processes of this machine.",
        'gradcli eval "mean(X@w)" X=@big.npy w=[1,2] --backend dask --scheduler local',
    ),
    "G080": (
        "gradcli check found that autodiff and differences of the function agree with each other, "
        "and the derivative given with --expect agrees with neither.",
        "The report names the usual slips (sign, factor 2, 1/n, transpose, chain and product "
        "rule) where one of them explains all entries.",
        'gradcli check "mean(x**2)" x:n --expect "2*x"',
    ),
    "G081": (
        "The function changes at another rate than autodiff says. Something in the expression "
        "is hidden from autodiff (detach(), .data, no_grad()), has a wrong backward of its own "
        "(torch.autograd.Function), or gradcli is wrong.",
        "Take the detach() out, or check without it; without one, please report it.",
        'gradcli check "x * x.detach()" x=3',
    ),
    "G082": (
        "Differences of the function do not settle as the step shrinks: it jumps here, or is so "
        "steep that numbers of 64 bits cannot resolve it.",
        "Check at another point, or give a hand-written derivative to compare with.",
        'gradcli check "floor(x)" x=1',
    ),
    "G083": (
        "A result or a gradient is not a finite number: log or sqrt of 0, a division by 0, "
        "exp of a large number, or where() around one of them.",
        "gradcli eval --trace-nan names the first operation that made it, forward or backward.",
        'gradcli check "sqrt(x)" x=0',
    ),
    "G084": (
        "The function has no derivative at this point, only slopes on either side; PyTorch "
        "chose one of them, or a value between them.",
        "Move the point, or say with --kinks note that it does not matter.",
        'gradcli eval "relu(x)" x=0 --kinks error',
    ),
    "G085": (
        "Shapes (n, 1) and (n,) broadcast to (n, n), so that every element of one meets every "
        "element of the other; a loss over them is a number, and rarely the one that was meant.",
        "Give both one shape: x.squeeze(1) makes a vector of the column, y[:, None] a column of "
        "the vector, which is taken to be meant.",
        "gradcli eval \"mean((x - y)**2)\" x='ones(3,1)' y='ones(3)'",
    ),
    "G098": (
        "The formula differs from the gradient at some point: a mistake in gradcli, found before "
        "anything was printed.",
        "Please report the expression; gradcli eval gives the gradient at values.",
        "gradcli --version",
    ),
    "G099": (
        "This is a mistake in gradcli, not in your input.",
        "Please report the command; --debug shows where it happened.",
        "gradcli --version",
    ),
}
"""Code -> (why it happens, what to do, a command that shows it)."""
