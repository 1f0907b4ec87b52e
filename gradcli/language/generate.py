"""Turns grammar/gradcli.lark into tables.txt: `python -m gradcli.language.generate`.

Constraints: the only module that imports Lark; runs when the grammar changes, not for a user. What
it writes depends on the grammar alone: states and rules are renumbered. A conflict is an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

STARTS = ["formula", "script"]
HEADER = "# Generated from grammar/gradcli.lark by python -m gradcli.language.generate; edit that."
KEYWORD = re.compile(r"\w+")


def main() -> None:
    """Rewrites tables.txt beside this module."""
    here = Path(__file__).parent
    grammar = here.parents[1] / "grammar" / "gradcli.lark"
    (here / "tables.txt").write_text(generate(grammar.read_text("utf-8")), "utf-8", newline="\n")


def generate(grammar: str) -> str:
    """The tables of `grammar`, as the text that tables.py reads.

    Raises lark.exceptions.GrammarError for a grammar that is not LALR(1).
    """
    from lark import Lark
    from lark.common import ParserConf
    from lark.parsers.lalr_analysis import LALR_Analyzer

    lark = Lark(grammar, parser="lalr", lexer="basic", start=STARTS, maybe_placeholders=True)
    analysis: Any = LALR_Analyzer(ParserConf(lark.rules, {}, STARTS), strict=True)
    analysis.compute_lalr()
    names = {t.name: _display(t) for t in lark.terminals}
    numbers, states = _numbered(analysis.parse_table, names)
    rules = sorted({_rule(rule) for rule in lark.rules})
    sections = [
        [HEADER],
        [f"pattern {_pattern(lark.terminals, set(lark.ignore_tokens), names)}"],
        [
            f"keyword {word}"
            for word in sorted(_literals(lark.terminals))
            if KEYWORD.fullmatch(word)
        ],
        [_start(analysis.parse_table, numbers, start) for start in STARTS],
        _levels(lark.rules, names),
        [f"rule {rule}" for rule in rules],
        [f"state {_row(row, numbers, rules, names)}" for row in states],
    ]
    return "".join(f"{line}\n" for section in sections for line in section)


def _literals(terminals: Collection[Any]) -> list[str]:
    return [t.pattern.value for t in terminals if t.pattern.type == "str"]


def _display(terminal: Any) -> str:
    """A literal is called by its own text, any other terminal by its name without `_`."""
    literal = terminal.pattern.type == "str"
    return str(terminal.pattern.value if literal else terminal.name.lstrip("_"))


def _pattern(terminals: Collection[Any], ignored: set[str], names: dict[str, str]) -> str:
    """One regular expression for the next token: what is skipped, then a group for each kind."""
    skipped, groups = [], []
    for terminal in sorted(terminals, key=lambda t: (-t.priority, t.name)):
        pattern = terminal.pattern.to_regexp()
        if terminal.name in ignored:
            skipped.append(pattern)
        elif terminal.pattern.type == "re":
            groups.append(f"(?P<{names[terminal.name]}>{pattern})")
    signs = [text for text in _literals(terminals) if not KEYWORD.fullmatch(text)]
    signs.sort(key=lambda text: (-len(text), text))
    long = "|".join(re.escape(text) for text in signs if len(text) > 1)
    short = "".join(re.escape(text) for text in signs if len(text) == 1)
    groups += [f"(?P<LITERAL>{long}|[{short}])", r"(?P<END>\Z)", r"(?P<UNKNOWN>[\s\S])"]
    whole = f"(?:{'|'.join(skipped)})*+(?:{'|'.join(groups)})"
    for character, escape in {"\n": r"\n", "\r": r"\r", "\f": r"\f", "\t": r"\t"}.items():
        whole = whole.replace(character, escape)
    return whole


def _numbered(table: Any, names: dict[str, str]) -> tuple[dict[int, int], list[dict[str, Any]]]:
    """States in the order in which they are reached, since Lark's order is not always the same."""
    order = [table.start_states[start] for start in STARTS]
    seen = set(order)
    for state in order:
        row = table.states[state]
        for symbol in sorted(row, key=lambda s: names.get(s, s)):
            action, target = row[symbol]
            if action.name == "Shift" and target not in seen:
                seen.add(target)
                order.append(target)
    return {state: i for i, state in enumerate(order)}, [table.states[state] for state in order]


def _start(table: Any, numbers: dict[int, int], start: str) -> str:
    return f"start {start} {numbers[table.start_states[start]]} {numbers[table.end_states[start]]}"


def _rule(rule: Any) -> str:
    """`origin size builder child ...`.

    Builder `=` is the only child itself, `-` a list for the rule around it. A child is the index of
    a symbol, with `*` where its children take its place, or `.` for None.
    """
    gaps = "".join(str(int(empty)) for empty in rule.options.empty_indices)
    missing = [len(ones) for ones in gaps.split("0")] if gaps else [0] * (len(rule.expansion) + 1)
    children = []
    for index, symbol in enumerate(rule.expansion):
        children += ["."] * missing[index]
        if rule.options.keep_all_tokens or not (symbol.is_term and symbol.filter_out):
            spread = not symbol.is_term and symbol.name.startswith("_")
            children.append(f"{index}{'*' * spread}")
    children += ["."] * missing[len(rule.expansion)]
    builder = rule.alias or rule.origin.name
    if rule.options.expand1 and not rule.alias:
        if len(children) != 1 or not children[0].isdigit():
            raise ValueError(f"several children and no builder: {rule}")
        builder = "="
    elif builder.startswith("_"):
        builder = "-"
    return " ".join([rule.origin.name, str(len(rule.expansion)), builder, *children])


def _row(
    row: dict[str, Any], numbers: dict[int, int], rules: list[str], names: dict[str, str]
) -> str:
    """`action symbol ...` for each action: a state to go to, or below zero `~n` for rule n."""
    groups: dict[int, list[str]] = {}
    for symbol, (action, target) in row.items():
        shift = action.name == "Shift"
        number = numbers[target] if shift else ~rules.index(_rule(target))
        declared = symbol.lstrip("_$") if symbol.isupper() else symbol
        groups.setdefault(number, []).append(names.get(symbol, declared))
    return "\t".join(f"{number} {' '.join(sorted(groups[number]))}" for number in sorted(groups))


def _levels(rules: list[Any], names: dict[str, str]) -> list[str]:
    """`level rule builder operator ...`, from the weakest binding rule, `expression`, to `atom`."""
    expansions: dict[str, list[Any]] = {}
    for rule in rules:
        expansions.setdefault(rule.origin.name, []).append(rule)
    lines, level = [], "expression"
    while level != "atom":
        deeper = ""
        for rule in expansions[level]:
            if rule.alias:
                operators = sorted(_operators(rule, expansions, names))
                lines.append(" ".join(["level", level, rule.alias, *operators]))
            else:
                deeper = rule.expansion[0].name
        level = deeper
    return list(dict.fromkeys([*lines, "level atom"]))


def _operators(rule: Any, expansions: dict[str, list[Any]], names: dict[str, str]) -> set[str]:
    """The literals in a rule, and in the rules under it that are made of literals alone."""
    found = {names[s.name] for s in rule.expansion if s.is_term and names[s.name] != s.name}
    for symbol in rule.expansion:
        under = [] if symbol.is_term else expansions[symbol.name]
        if all(s.is_term for each in under for s in each.expansion):
            found |= {" ".join(names[s.name] for s in each.expansion) for each in under}
        elif symbol.name.startswith("__") and symbol != rule.origin:
            found |= {o for each in under for o in _operators(each, expansions, names)}
    return found


if __name__ == "__main__":
    main()
