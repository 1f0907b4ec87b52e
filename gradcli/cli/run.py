"""`gradcli run`: a script, with bindings as its variables."""

from __future__ import annotations

from typing import Any

from gradcli import api
from gradcli.cli.inputs import Standard, as_dtype_of, bind, decoded, read_text
from gradcli.cli.session import prepare
from gradcli.source import Source


def run(*, script: str, bindings: tuple[str, ...], **session: Any) -> None:
    """The command."""
    prepare(**session)
    standard = Standard()
    if script == "-":
        source = Source("<stdin>", decoded(standard.take("the script").read(), "<stdin>"))
    else:
        source = Source(script, read_text(script))
    variables = bind(bindings, standard)
    api.run(source, as_dtype_of(variables) if session["dtype"] is not None else variables)
