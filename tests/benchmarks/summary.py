"""What stands at the head of the page, from the lines that stand under its tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TITLE = re.compile(r"^### (.+)$")
_RATIO = re.compile(r"^- Our time, (.+): from (\S+) to (\S+), median (\S+); slower in (\d+ of \d+)\.$")
_FOUND = re.compile(r"^- Found, (.+) – (.+)\.$")
_AIM = re.compile(r"^- Aim: (.+?),? at most (\S+)\. Found (\S+): (reached|\*\*not reached\*\*)\.$")


def link(title: str) -> str:
    """To a table of the page, by the anchor that its heading has."""
    return f"[{title}](#{re.sub(r'[^a-z0-9_ -]', '', title.lower()).replace(' ', '-')})"


def summary(page: str) -> str:
    """Our time over the peers', what was found, and which aims are not reached."""
    title = ""
    ratios: list[list[str]] = []
    found: list[list[str]] = []
    missed: list[list[str]] = []
    reached = 0
    for line in page.splitlines():
        if m := _TITLE.match(line):
            title = m[1]
        elif m := _RATIO.match(line):
            what, least, most, median, slower = m.groups()
            ratios.append([_to(what, title), least, median, most, slower])
        elif m := _FOUND.match(line):
            ours, *others = m[2].split("; ")
            found.append([_to(m[1], title), ours.partition(": ")[2], "; ".join(others)])
        elif m := _AIM.match(line):
            what, limit, number, said = m.groups()
            reached += said == "reached"
            if said != "reached":
                missed.append([link(title), what, limit, number])
    ratios.sort(key=lambda row: -float(row[2]))
    slower = sum(float(row[2]) > 1 for row in ratios)
    lines = [
        f"**Time.** In the median ours is slower in {slower} of these {len(ratios)} comparisons, and faster "
        f"in {len(ratios) - slower}. Our time over the other's, so that above 1 ours is slower:",
        "",
        *_rows(["our time", "least", "median", "most", "slower in"], ratios),
        "**What is found.** How often each checker says what is not so, for functions in",
        "[our own tests](#what-is-found-and-what-is-let-pass) and for functions that nobody here chose:",
        "",
        *_rows(["what is not so", "ours", "the others"], found),
        f"**Aims.** {reached} of {reached + len(missed)} are reached. Not reached are:",
        "",
        *_rows(["table", "aim", "at most", "found"], missed),
    ]
    return "\n".join(lines)


def _to(words: str, title: str) -> str:
    """A link of these words to a table."""
    return f"[{words}]{link(title).partition(']')[2]}"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:" if part in ("least", "median", "most") else "---" for part in head[1:]]]
    return [*(f"| {' | '.join(row)} |" for row in (head, rule, *rows)), ""]
