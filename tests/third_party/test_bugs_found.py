"""The scripts of the page "Bugs found" print what the page says, with the versions that it names."""

import contextlib
import io
import re
import runpy
from importlib.metadata import version

import pytest
from outside import MARKS, outside
from pages import ROOT, blocks

pytestmark = MARKS

PAGE = ROOT / "docs/bugs_found.md"
#: The names of packages that are not imported by their own name.
IMPORTED = {"POT": "ot", "Pyro": "pyro", "PyPose": "pypose", "SciPy": "scipy", "scikit-learn": "sklearn"}
DISTRIBUTIONS = {"Pyro": "pyro-ppl"}


def scripts():
    """Yield the name, the text and the output of every script, and the title of its section."""
    found = blocks(PAGE)
    assert len(found) % 2 == 0
    for script, printed in zip(found[::2], found[1::2], strict=True):
        assert (script.language, printed.note) == ("python", "prints")
        yield pytest.param(script.text, printed.text, id=script.note.removeprefix("file: "))


def packages():
    """Return the versions of the packages in the table of the page."""
    rows = re.findall(r"^\| \[(\S+) (\S+)\]", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return sorted(set(rows))


@pytest.mark.parametrize(("script", "printed"), list(scripts()))
def test_a_script_prints_what_the_page_says(script, printed, tmp_path):
    names = re.findall(r"^(?:import|from) (\w+)", script, re.MULTILINE)
    for name in names:
        outside(name)
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        runpy.run_path(str(path), run_name="__main__")
    assert out.getvalue() == printed


@pytest.mark.parametrize(("name", "expected"), packages())
def test_the_page_names_the_versions_that_are_installed(name, expected):
    outside(IMPORTED.get(name, name))
    assert version(DISTRIBUTIONS.get(name, name)) == expected


def test_every_row_of_the_table_has_a_section_and_a_script():
    text = PAGE.read_text(encoding="utf-8")
    rows = len(re.findall(r"^\| \[", text, re.MULTILINE))
    assert rows == len(re.findall(r"^## ", text, re.MULTILINE)) == len(blocks(PAGE)) // 2
