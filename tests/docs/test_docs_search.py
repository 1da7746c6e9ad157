"""The page that says how soon faults are met has a line for each, and says that ours are always met."""

from __future__ import annotations

import re

from docs import search
from docs.search_page.measure import Found
from docs.search_page.planted import PLANTED

TEXT = search.PAGE.read_text(encoding="utf-8")


def test_every_fault_has_a_line():
    lines = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (torch|numpy) \|", TEXT, re.MULTILINE)
    assert lines == [(planted.kind, planted.what, planted.library) for planted in PLANTED]


def test_all_runs_met_all_faults_with_this_package():
    runs = len(PLANTED) * len(search.SEEDS)
    assert f"| runs that found the fault, of {runs:,} | {runs:,} |" in TEXT


def test_the_words_are_those_of_the_script():
    assert TEXT.startswith(search.INTRODUCTION.format(seeds=len(search.SEEDS), examples=search.EXAMPLES))


def test_a_cell_says_what_was_missed():
    assert search.cell(Found([1, 3, 2])) == "2"
    assert search.cell(Found([1, 5, None])) == "5 (2)"
    assert search.cell(Found([1, None, None])) == "— (1)"


def test_it_writes_and_compares(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(search, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(search, "page", lambda: "# Title\n")
    assert search.main(["--check"]) == 1
    assert "run python docs/search.py" in capsys.readouterr().err
    assert search.main([]) == 0
    assert search.main(["--check"]) == 0
    assert search.main(["--verbose"]) == 2
