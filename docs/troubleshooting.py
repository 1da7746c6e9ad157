"""Write the page of messages, `docs/troubleshooting.md`: what each means and what to do.

    python docs/troubleshooting.py            writes the page
    python docs/troubleshooting.py --check    compares it, as a test does

The messages come from the plugin: the script runs the code of every entry. It needs torch and JAX.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from docs.troubleshooting_page.entries import GROUPS, Entry  # noqa: E402  after the path
from docs.written import write_or_check  # noqa: E402  the same

PAGE = ROOT / "docs/troubleshooting.md"

HEAD = """<!-- Written by docs/troubleshooting.py: change the entries, and run it again. -->

# Troubleshooting by message

Messages in the order in which a new user meets them. Search this page for the words of yours; names, numbers
and paths differ. [](howto/read_a_failure.md) explains the message of a wrong gradient line by line, and
[](reference/diagnoses.md) lists all codes of faults.
"""

CONFTEST = """
from hypothesis import settings

settings.register_profile("page", max_examples=10, derandomize=True, database=None, deadline=None)
settings.load_profile("page")
"""

IMPORTS = """
import math

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from pytest_gradcheck import arrays, tensors


"""

COMMAND = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--color=no", "--tb=short")


def run(folder: Path, *arguments: str) -> str:
    """Run pytest there; what it prints."""
    command = [sys.executable, "-m", "pytest", *COMMAND, f"--rootdir={folder}", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "1000", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return (done.stdout + done.stderr).replace(f"{folder}/", "")


def sections(output: str) -> dict[str, str]:
    """Return the text of each failure and error that pytest printed, by the name of its test or file."""
    parts = re.split(r"^_{3,} (?:ERROR (?:collecting|at setup of) )?(\S+) _{3,}$", output, flags=re.MULTILINE)
    ended = [
        re.split(r"^(?:={3,} .*|\d+ (?:gradient )?checks?:.*)$", text, flags=re.MULTILINE)[0]
        for text in parts
    ]
    return dict(zip(parts[1::2], (text.strip("\n") for text in ended[2::2]), strict=True))


def messages(entries: list[Entry]) -> dict[str, str]:
    """Return the message of each entry by its title."""
    tests = [entry for entry in entries if not entry.flag]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        for entry in tests:
            code = IMPORTS + entry.code.replace("test_it", entry.test)
            (folder / f"{entry.test}.py").write_text(code, encoding="utf-8")
        printed = sections(run(folder, "--continue-on-collection-errors"))
        found = {
            entry.title: printed[f"{entry.test}.py" if entry.collecting else entry.test] for entry in tests
        }
        for entry in entries:
            if entry.flag:
                found[entry.title] = run(folder, entry.flag).strip().removeprefix("ERROR: ")
    return found


def page() -> str:
    """Return the page."""
    said = messages([entry for group in GROUPS.values() for entry in group])
    parts = [HEAD]
    for title, entries in GROUPS.items():
        parts.append(f"## {title}\n")
        for entry in entries:
            shown = entry.shown(said[entry.title])
            answer = textwrap.fill(entry.answer, 120, break_long_words=False, break_on_hyphens=False)
            parts.append(f"### {entry.title}\n\n<!-- message -->\n```text\n{shown}\n```\n\n{answer}\n")
    return "\n".join(parts)


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it with `--check`; the exit status."""
    return write_or_check(arguments, "docs/troubleshooting.py", lambda: {PAGE: page()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
