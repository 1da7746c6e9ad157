"""The code blocks of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)])

_FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*?) -->\n)?```(?P<language>[\w+-]+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


_INCLUDED = re.compile(
    r"^<!-- (?P<note>[^\n]*?) -->\n```\{literalinclude\} (?P<path>\S+)\n:language: (?P<language>\w+)\n```$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the comment right above it if there is one, and its text."""

    language: str
    note: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order; directives (``{include}``) are none."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(m["language"], m["note"] or "", m["text"], text.count("\n", 0, m.start()) + 1)
        for m in _FENCE.finditer(text)
    ]


def included(page: Path) -> list[Block]:
    """Return the files that a page shows whole under a comment, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            m["language"],
            m["note"],
            (page.parent / m["path"]).read_text(encoding="utf-8"),
            text.count("\n", 0, m.start()) + 1,
        )
        for m in _INCLUDED.finditer(text)
    ]


def noted(page: Path, note: str) -> str:
    """Return the text of the one block under the comment ``<!-- note -->``."""
    (found,) = [block.text for block in blocks(page) if block.note == note]
    return found
