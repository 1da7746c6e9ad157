"""What the sections of the page are put together from: tables of Markdown, and names with their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["by_reason", "code", "folded", "match", "table"]


def match(what: str, names: Iterable[str], table: Mapping[str, str]) -> None:
    """Every one of `names` needs its reason in `table`, and no other has one there."""
    names = set(names)
    if unknown := names - set(table):
        raise ValueError(f"neither a rule nor a reason for: {what} {', '.join(sorted(unknown))}")
    if stale := set(table) - names:
        raise ValueError(f"a reason, but a rule or no such thing: {what} {', '.join(sorted(stale))}")


def code(names: Iterable[str]) -> str:
    """Names as a sentence's worth of code."""
    return ", ".join(f"`{name}`" for name in names)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def folded(title: str, lines: Iterable[str]) -> list[str]:
    """Return lines that a page shows on a click. On the site, docs/style/filter.js adds a filter for rows."""
    return ['<details class="rows">', f"<summary>{title}</summary>", "", *lines, "</details>", ""]


def by_reason(names: Iterable[str], table: Mapping[str, str]) -> list[tuple[str, str]]:
    """Rows of a reason and the names that it is given for, in the order of the reasons."""
    groups: dict[str, list[str]] = {reason: [] for reason in table.values()}
    for name in sorted(names):
        groups[table[name]].append(name)
    return [(reason, code(group)) for reason, group in groups.items() if group]
