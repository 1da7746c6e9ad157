"""Follow a page word by word: write its files, make its edits, run its commands, read what they print.

What a block is for stands in a comment above it:

- ``file: NAME``: the block is that file, in the reader's directory;
- ``edit: NAME``: a diff, to be made by hand in that file;
- ``run`` or ``run, exit STATUS``: commands, one a line, the last of which ends with that status;
- ``run, needs PACKAGE``: the same, for who has that package;
- ``prints``: lines of what the command before has printed; ``...`` stands for lines that are left out.

``file`` may also stand above a ``{literalinclude}``, whose text the reader copies from the page.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection
from pathlib import Path

from pages import Block, blocks, included
from printed import shows

Run = Callable[[list[str]], tuple[int, str]]

#: What pages ask for besides torch. The test extra has all but jax, which is large: what needs jax is
#: followed if it is installed.
PACKAGES = ("scipy", "numdifftools", "entmax", "torchdiffeq", "triton", "ninja", "jax")

FILE = re.compile(r"file: (?P<name>\S+)")
EDIT = re.compile(r"edit: (?P<name>\S+)")
RUN = re.compile(r"run(?:, exit (?P<status>\d))?(?:, needs (?P<package>\w+))?")


def is_followed(page: Path) -> bool:
    """Whether the page is to be followed: it has commands to run."""
    return any(RUN.fullmatch(block.note) for block in blocks(page))


def packages(page: Path) -> set[str]:
    """The packages that commands of the page need besides what every reader has."""
    found = (RUN.fullmatch(block.note) for block in blocks(page))
    return {match["package"] for match in found if match and match["package"]}


def steps(page: Path) -> list[Block]:
    """The blocks of a page and the files that it includes, in their order."""
    return sorted([*blocks(page), *included(page)], key=lambda block: block.line)


def follow(page: Path, folder: Path, run: Run, *, compare: bool = True, having: Collection[str] = ()) -> None:
    """Do in `folder` all that the page says, and compare what it shows; `run` gets the words of a command.

    Commands that need a package, and what they print, are left out where `having` lacks it.
    Without `compare` the exit statuses alone count: what is printed depends on what has been drawn.
    """
    output: str | None = None
    left_out = False
    for block in steps(page):
        where = f"{page.name}:{block.line}"
        if found := FILE.fullmatch(block.note):
            path = folder / found["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif found := EDIT.fullmatch(block.note):
            edit(folder / found["name"], block, where)
        elif found := RUN.fullmatch(block.note):
            left_out = (found["package"] or "") not in {"", *having}
            output = None if left_out else _run_all(block, int(found["status"] or 0), run, where)
        elif block.note == "prints" and compare and not left_out:
            assert output is not None, f"{where}: nothing has run that could have printed this"
            assert shows(block.text, output), f"{where}: what is printed is\n{output}"


def _run_all(block: Block, status: int, run: Run, where: str) -> str:
    commands = [shlex.split(line, comments=True) for line in block.text.splitlines()]
    outputs: list[str] = []
    for number, words in enumerate(commands, 1):
        got, output = run(words)
        outputs.append(output)
        expected = status if number == len(commands) else 0
        assert got == expected, f"{where}: {shlex.join(words)} ended with {got}:\n{output}"
    return "\n".join(outputs)


def edit(path: Path, block: Block, where: str) -> None:
    """Replace the lines with a minus by those with a plus; lines without stand around them."""
    lines = block.text.splitlines()
    old = "\n".join(line[1:] for line in lines if not line.startswith("+"))
    new = "\n".join(line[1:] for line in lines if not line.startswith("-"))
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{where}: {path.name} has {text.count(old)} times\n{old}"
    path.write_text(text.replace(old, new), encoding="utf-8")
