"""The page of messages shows what is printed."""

from __future__ import annotations

import pytest
from pages import ROOT, blocks

from docs import troubleshooting
from docs.troubleshooting_page.entries import GROUPS, Entry

ENTRIES = [entry for group in GROUPS.values() for entry in group]


def test_the_page_has_every_entry_in_order():
    text = troubleshooting.PAGE.read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("##")]
    expected = []
    for title, entries in GROUPS.items():
        expected += [f"## {title}", *(f"### {entry.title}" for entry in entries)]
    assert headings == expected
    shown = [block for block in blocks(troubleshooting.PAGE) if block.note == "message"]
    assert len(shown) == len(ENTRIES)
    assert [len(block.text.splitlines()) for block in shown] == [entry.lines for entry in ENTRIES]


def test_every_entry_has_a_test_of_its_own_name():
    assert len({entry.test for entry in ENTRIES}) == len(ENTRIES)
    assert all(entry.test.isidentifier() for entry in ENTRIES)
    assert all(bool(entry.code) != bool(entry.flag) for entry in ENTRIES)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("fn: got None\nmore", "fn: got None"),
        ("test_a.py:3: in test_a\n    f()\nE   Wrong: x\nE   y", "Wrong: x"),
        ("test_a_b.py::test_it: x", "test_it.py::test_it: x"),
    ],
)
def test_the_message_is_shown_and_not_the_way_to_it(message, shown):
    assert Entry("A b", "", code="pass").shown(message) == shown


def test_the_sections_of_an_output_are_found():
    output = """
=== FAILURES ===
_____ test_a _____
a.py:1: in test_a
E   Wrong: a
_____ ERROR collecting test_b.py _____
test_b.py::test_b: x
1 gradient check: 1 passed
=== short test summary info ===
FAILED test_a
"""
    assert troubleshooting.sections(output) == {
        "test_a": "a.py:1: in test_a\nE   Wrong: a",
        "test_b.py": "test_b.py::test_b: x",
    }


@pytest.mark.sweep
def test_the_messages_are_those_that_are_printed():
    pytest.importorskip("torch", reason="the messages are about torch too")
    pytest.importorskip("jax", reason="the messages are about JAX too")
    assert troubleshooting.main(["--check"]) == 0, f"run python docs/troubleshooting.py in {ROOT}"
