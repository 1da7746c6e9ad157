"""Plain English: no page, docstring, comment or message contains a wording of ``wording.toml``.

The list holds wordings that read as translated, each with what to write instead. Only prose is searched: code
and output in pages are left out, and so is the code of Python files.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pages import PAGES, ROOT

#: One test per folder keeps each under a second.
FOLDERS = ("pytest_gradcheck", "reference_engine", "tests", "docs")


class Wording(NamedTuple):
    """A pattern, the rule that it breaks, what to write instead, and texts with and without it."""

    find: re.Pattern[str]
    rule: str
    write: str
    wrong: tuple[str, ...]
    right: tuple[str, ...]


class Text(NamedTuple):
    """A piece of prose on one line, and the number of the line on which it begins in its file."""

    line: int
    prose: str


def _wordings() -> tuple[Wording, ...]:
    rows = tomllib.loads((ROOT / "tests/wording.toml").read_text(encoding="utf-8"))["wording"]
    return tuple(
        Wording(
            re.compile(row["find"], re.IGNORECASE),
            row["rule"],
            row["write"],
            tuple(row["wrong"]),
            tuple(row["right"]),
        )
        for row in rows
    )


WORDINGS = _wordings()

_STRING = r"""(?x: [rbfuRBFU]{0,2} (?:
    \"{3} (?:[^\\]|\\.)*? \"{3} | '{3} (?:[^\\]|\\.)*? '{3} | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
))"""
# A sentence may continue in the next of adjacent strings or comments, so a run of them is one text.
_PYTHON = re.compile(
    rf"(?P<strings>{_STRING}(?:\s+{_STRING})*)|(?P<comments>\#[^\n]*(?:\n[ \t]*\#[^\n]*)*)", re.DOTALL
)
_QUOTES = re.compile(r"""["'](?:\s+[rbfuRBFU]{0,2}["'])?""")
_MARKS = re.compile(r"\n[ \t]*#[:!]?")

# What is not prose in a page: comments, blocks of code or output, inline code, the targets of links.
_NOT_PROSE = re.compile(
    r"<!--.*?-->|^(```+|~~~+).*?^\1$|(`+).+?\2|(?<=\])\([^)\s]*\)", re.DOTALL | re.MULTILINE
)


def python_prose(source: str) -> Iterator[Text]:
    """Yield the strings and the comments of Python source; docstrings are strings."""
    for found in _PYTHON.finditer(source):
        text = found[0]
        text = _QUOTES.sub("", text) if found["strings"] else _MARKS.sub(" ", text)
        yield Text(source.count("\n", 0, found.start()) + 1, " ".join(text.split()))


def page_prose(page: str) -> Iterator[Text]:
    """Yield the paragraphs of a Markdown page."""
    kept = _NOT_PROSE.sub(lambda m: "…" + "\n" * m[0].count("\n"), page)
    line = 1
    for paragraph in kept.split("\n\n"):
        yield Text(line + len(paragraph) - len(paragraph.lstrip("\n")), " ".join(paragraph.split()))
        line += paragraph.count("\n") + 2


def faults(texts: Iterator[Text], name: str) -> list[str]:
    """Return one line per wording found: the place, the text around it, and what to write instead."""
    return [
        f"{name}:{text.line}: {found[0]!r} in “{text.prose[max(found.start() - 40, 0) : found.end() + 40]}”. "
        f"{wording.rule} Write: {wording.write}."
        for text in texts
        for wording in WORDINGS
        for found in wording.find.finditer(text.prose)
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_comments_and_messages_are_in_plain_english(folder: str) -> None:
    found: list[str] = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        found += faults(python_prose(path.read_text(encoding="utf-8")), str(path.relative_to(ROOT)))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_in_plain_english(page: Path) -> None:
    found = faults(page_prose(page.read_text(encoding="utf-8")), str(page.relative_to(ROOT)))
    assert not found, "\n".join(found)


# -- the check itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.wrong[0])
def test_each_wording_is_found_where_it_is_and_not_where_it_is_not(wording: Wording) -> None:
    assert wording.wrong
    assert wording.right
    for text in wording.wrong:
        (found,) = faults(iter([Text(1, text)]), "here")
        assert wording.rule in found
        assert wording.write in found
    for text in wording.right:
        assert not faults(iter([Text(1, text)]), "here")


def test_the_prose_of_python_is_its_strings_and_comments() -> None:
    wrong = WORDINGS[0].wrong[0]
    first, rest = wrong.split(" ", 1)
    sources = {
        "docstring": f'def f():\n    """One.\n\n    It is to {first}\n    {rest}.\n    """\n',
        "comment": f"x = 1\n# It is to {first}\n# {rest}.\n",
        "message": f'text = (\n    f"it is to {first} "\n    "{rest}"\n)\n',
    }
    for source in sources.values():
        (found,) = faults(python_prose(source), "it.py")
        assert first in found
    (found,) = faults(python_prose(sources["comment"]), "it.py")
    assert found.startswith("it.py:2: ")
    word = next(WORDINGS[0].find.finditer(wrong))[0]
    assert not faults(python_prose(f"{word} = 1\n"), "it.py")


def test_the_prose_of_a_page_is_without_its_code() -> None:
    wrong = WORDINGS[0].wrong[0]
    block = f"```text\n{wrong}\n\n{wrong}\n```"
    page = f"# Title\n\n<!-- {wrong} -->\n{block}\n\nRun `{wrong}`, and\nso on: {wrong}.\n"
    (found,) = faults(page_prose(page), "page.md")
    assert found.startswith("page.md:10: ")
