"""The pictures on the pages are what is drawn today."""

from __future__ import annotations

import re

import pytest
from pages import PAGES, ROOT

from docs import pictures, plots


@pytest.mark.parametrize("name", pictures.drawn())
def test_a_picture_is_what_is_drawn_today(name):
    text = (pictures.FOLDER / name).read_text(encoding="utf-8")
    assert text == pictures.drawn()[name], "run python docs/pictures.py"


def test_every_picture_is_on_a_page_and_says_what_it_shows():
    shown = set()
    for page in PAGES:
        for words, target in re.findall(
            r"!\[(.*?)\]\(([^)]+)\)", page.read_text(encoding="utf-8"), re.DOTALL
        ):
            assert words, f"{page}: {target}"
            shown.add((page.parent / target).resolve())
    assert shown == {path.resolve() for path in (ROOT / "docs/images").iterdir()}


def test_it_writes_and_compares(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    assert pictures.main(["--check"]) == 1
    assert "run python docs/pictures.py" in capsys.readouterr().err
    assert pictures.main([]) == 0
    assert pictures.main(["--check"]) == 0
    assert pictures.main(["--verbose"]) == 2


def test_the_plot_is_of_the_function_of_the_tutorial():
    assert [plots.f(x) for x in (2, 6, -2)] == [6, 58, 18]
