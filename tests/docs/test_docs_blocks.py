"""Every block of Python on every page runs, and prints what the page says."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import PAGES, ROOT, blocks

PYTHON = {"python", "pycon"}


def named(page):
    return str(page.relative_to(ROOT))


def test_the_pages_are_found():
    found = set(map(named, PAGES))
    assert {"README.md", "docs/tutorial/backpropagation.md", "docs/howto/gate_ci.md"} <= found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_python_block_is_run_by_one_of_these_tests(page):
    for block in blocks(page):
        if block.language == "python":
            assert block.note in ("run with pytest", "example"), f"{named(page)}:{block.line}"
        assert block.language not in ("py", "python3", "pytb"), f"{named(page)}:{block.line}"


@pytest.mark.parametrize("page", [p for p in PAGES if "pycon" in {b.language for b in blocks(p)}], ids=named)
def test_sessions_print_what_the_page_says(page):
    text = "\n".join(block.text for block in blocks(page) if block.language == "pycon")
    test = doctest.DocTestParser().get_doctest(text, {}, named(page), str(page), 0)
    assert test.examples
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not failed, "".join(said)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if "run with pytest" in {b.note for b in blocks(p)}], ids=named
)
def test_marked_tests_pass(page, pytester):
    found = [b.text for b in blocks(page) if b.note == "run with pytest"]
    for number, text in enumerate(found):
        pytester.path.joinpath(f"test_block_{number}.py").write_text(text, encoding="utf-8")
    result = pytester.runpytest_subprocess(
        "-W", "error", "-p", "no:cacheprovider", "--gradcheck-profile=quick"
    )
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == sum(text.count("\ndef test_") for text in found)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files_that_exist(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        if "_build" not in Path(target).parts:
            assert (page.parent / target).exists(), f"{named(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_a_place_on_one_machine(page):
    assert not re.search(r"/(work|tmp|root|home)/", page.read_text(encoding="utf-8"))


@pytest.mark.sweep
def test_the_documentation_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="needs sphinx, which the docs extra installs")
    options = ("-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "doctrees"))
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(tmp_path / "html")],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    page = tmp_path / "html/tutorial/backpropagation.html"
    assert "graph.svg" in page.read_text(encoding="utf-8")
