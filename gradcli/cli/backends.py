"""`gradcli backends`: what can execute expressions on this machine."""

from __future__ import annotations

from gradcli.cli.outputs import write_text


def run(*, format: str) -> None:
    """The command."""
    import numpy

    found = [{"name": "numpy", "version": numpy.__version__, "devices": ["cpu"], "default": True}]
    if format == "json":
        from gradcli.files import json_text

        write_text(json_text(found), None)
        return
    write_text("\n".join(f"numpy  {b['version']}  cpu  (default)" for b in found), None)
