"""What stands at the head of the page, from the lines that stand under its tables."""

from __future__ import annotations

import re

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
    found: list[str] = []
    missed: list[str] = []
    reached = 0
    for line in page.splitlines():
        if m := _TITLE.match(line):
            title = m[1]
        elif m := _RATIO.match(line):
            what, least, most, median, slower = m.groups()
            ratios.append([f"[{what}]{link(title).partition(']')[2]}", least, median, most, slower])
        elif m := _FOUND.match(line):
            found.append(f"- {m[1]} – {m[2]}")
        elif m := _AIM.match(line):
            what, limit, number, said = m.groups()
            reached += said == "reached"
            if said != "reached":
                missed.append(f"- {what}: at most {limit}, found {number} ({link(title)})")
    ratios.sort(key=lambda row: -float(row[2]))
    slower = sum(float(row[2]) > 1 for row in ratios)
    lines = [
        f"**Time.** In the median ours is slower in {slower} of these {len(ratios)} comparisons, and faster "
        f"in {len(ratios) - slower}. Our time over the other's, so that above 1 ours is slower:",
        "",
        "| our time | least | median | most | slower in |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(f"| {' | '.join(row)} |" for row in ratios),
        "",
        "**What is found.** How often each checker says what is not so, for functions in",
        "[our own tests](#what-is-found-and-what-is-let-pass) and for functions that nobody here chose:",
        "",
        *found,
        "",
        f"**Aims.** {reached} of {reached + len(missed)} are reached. Not reached are:",
        "",
        *missed,
    ]
    return "\n".join([*lines, ""])
