"""Options that people keep: `[tool.gradcli]` of pyproject.toml, and the user's own file.

Constraints: a setting is an option that has an environment variable, under the option's long name;
the command line and the environment come before it, as click's default map has it. Nothing is
parsed where no file speaks of gradcli.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gradcli.errors import GradcliError, did_you_mean

TABLE = b"tool.gradcli"
Settings = dict[str, tuple[Any, Path]]
"""Name of a setting -> its value and the file that says so."""


def default_map(commands: Sequence[click.Command]) -> dict[str, dict[str, Any]]:
    """For each command the options that the files set, as click takes them.

    Raises:
        GradcliError: G070 for a file that is no TOML, a name that is no setting, a wrong value.
    """
    given = {**_user_file(), **_project_file()}
    if not given:
        return {}
    options = {command.name or "": _kept(command) for command in commands}
    known = {name for kept in options.values() for name in kept}
    for name, (_, path) in given.items():
        if name not in known:
            hint = did_you_mean(name, known) or f"the settings are {', '.join(sorted(known))}"
            raise GradcliError("G070", f"{path}: there is no setting {name!r}", help=hint)
    return {
        command: {
            str(option.name): _converted(name, option, *given[name])
            for name, option in kept.items()
            if name in given
        }
        for command, kept in options.items()
    }


def _kept(command: click.Command) -> Mapping[str, click.Option]:
    """The options of a command that can be set in a file, by long name without dashes."""
    return {
        option.opts[-1].lstrip("-"): option
        for option in command.params
        if isinstance(option, click.Option) and option.envvar
    }


def _converted(name: str, option: click.Option, value: Any, path: Path) -> Any:
    try:
        return option.type.convert(value, option, None)
    except click.UsageError as error:
        fact = f"{path}: {name}: {error.message.rstrip('.').lower()}"
        raise GradcliError("G070", fact, help=nearest_choice(error, option)) from None


def nearest_choice(error: click.UsageError, option: click.Parameter) -> list[str]:
    """Help that names the choice of an option that is nearest to what was refused."""
    refused = re.match(r"'(.*)' is not one of", error.message)
    known = getattr(option.type, "choices", ())
    return did_you_mean(refused[1], map(str, known)) if refused else []


def _project_file() -> Settings:
    """The nearest pyproject.toml, from here upward, that has a table for gradcli."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the directory was removed meanwhile
        return {}
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        content = _content(path)
        if content is not None and TABLE in content:
            found = _parsed(path, content).get("tool", {}).get("gradcli")
            if isinstance(found, dict):
                return _with_place(found, path)
    return {}


def _user_file() -> Settings:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    path = Path(home, "gradcli", "config.toml")
    content = _content(path)
    return {} if content is None else _with_place(_parsed(path, content), path)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GradcliError("G070", f"{path} is no TOML: {str(error).lower()}") from None


def _with_place(table: Mapping[str, Any], path: Path) -> Settings:
    return {name.replace("_", "-"): (value, path) for name, value in table.items()}
