"""The code blocks of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)])

_FENCE = re.compile(
    r"^(?:<!-- (?P<note>.*?) -->\n)?```(?P<language>[\w+-]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
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


def noted(page: Path, note: str) -> str:
    """Return the text of the one block under the comment ``<!-- note -->``."""
    (found,) = [block.text for block in blocks(page) if block.note == note]
    return found
