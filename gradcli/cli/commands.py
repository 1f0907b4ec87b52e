"""The commands, in the order in which `--help` lists them.

Constraints: each is declared in a file of `declared`, which imports click and nothing heavy, so
that `--help` and completion are immediate; what a command does is imported when it runs.
"""

from __future__ import annotations

from gradcli.cli.declared import backends, bench, check, diff, eval, explain, graph, ops, repl, run

COMMANDS = (
    *(eval.COMMAND, run.COMMAND, diff.COMMAND, check.COMMAND, graph.COMMAND),
    bench.COMMAND,
    *(ops.COMMAND, explain.COMMAND, backends.COMMAND, repl.COMMAND),
)
