"""Every block of Python on every page runs, and prints what the page says."""

from __future__ import annotations

import doctest
import re

import following
import pytest
from pages import PAGES, ROOT, blocks

pytestmark = pytest.mark.kernels


def named(page):
    return str(page.relative_to(ROOT))


def test_the_pages_are_found():
    found = set(map(named, PAGES))
    assert {"README.md", "docs/tutorial/backpropagation.md", "docs/howto/gate_ci.md"} <= found


# What a block may be for, by its language. Each of these is run, compared or read by a test.
NOTES = {
    "python": (following.FILE, re.compile("example")),
    "pycon": (re.compile(""),),
    "sh": (following.RUN, re.compile(r"command: [\w-]+"), re.compile("")),
    "text": (re.compile("prints|message|main-job ends with|sketch"),),
    "toml": (following.FILE, re.compile("")),
    "yaml": (following.FILE,),
    "diff": (following.EDIT,),
    "c": (following.FILE,),
}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_is_held_by_a_test(page):
    for block in blocks(page):
        where = f"{named(page)}:{block.line}"
        assert block.language in NOTES, f"{where}: {block.language}"
        assert any(note.fullmatch(block.note) for note in NOTES[block.language]), f"{where}: {block.note}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_fence_is_seen(page):
    """A block without a language, or one that is indented, would be seen by no test."""
    lines = page.read_text(encoding="utf-8").splitlines()
    fences = [line for line in lines if line.lstrip().startswith(("```", "~~~"))]
    directives = sum(line.startswith("```{") for line in fences)
    assert len(fences) == 2 * (len(blocks(page)) + directives)


@pytest.mark.parametrize("page", [p for p in PAGES if "pycon" in {b.language for b in blocks(p)}], ids=named)
def test_sessions_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "\n".join(block.text for block in blocks(page) if block.language == "pycon")
    test = doctest.DocTestParser().get_doctest(text, {}, named(page), str(page), 0)
    assert test.examples
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not failed, "".join(said)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files_that_exist(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{named(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_a_place_on_one_machine(page):
    assert not re.search(r"/(work|tmp|root|home)/", page.read_text(encoding="utf-8"))
