"""Blocks of code get the names of their files, and commands are told from what they print."""

from __future__ import annotations

import pytest

pytest.importorskip("docutils", reason="needs sphinx, which the docs extra installs")

from docutils import nodes
from docutils.utils import new_document

from docs import captions


def marked(language, comment, source=""):
    """The node that stands for a block of this language under a comment, once its page is marked."""
    tree = new_document("page")
    if comment:
        tree += nodes.raw("", f"<!-- {comment} -->\n", format="html")
    block = nodes.literal_block("", "text", language=language)
    if source:
        block["source"] = source
    tree += block
    captions.mark(None, tree)
    return tree[-1]


@pytest.mark.parametrize(
    ("comment", "caption"),
    [("file: tests/test_it.py", "tests/test_it.py"), ("edit: it.py", "it.py, changed")],
)
def test_a_file_has_its_name_as_the_caption(comment, caption):
    whole = marked("python", comment)
    assert whole["literal_block"]
    assert whole["ids"]
    assert [child.tagname for child in whole] == ["caption", "literal_block"]
    assert whole[0].astext() == caption


@pytest.mark.parametrize("comment", ["", "run", "prints", "example"])
def test_other_blocks_have_none(comment):
    assert marked("python", comment).tagname == "literal_block"


@pytest.mark.parametrize(
    ("language", "comment", "source", "expected"),
    [
        ("sh", "run, exit 1", "", ["command"]),
        ("sh", "", "", ["command"]),
        ("sh", "", "tests/downstream/ci.sh", []),
        ("text", "prints", "", ["output"]),
        # An included part of another page begins below its comment.
        ("text", "", "", ["output"]),
        ("text", "sketch", "", []),
        ("python", "example", "", []),
    ],
)
def test_commands_and_outputs_are_told_apart(language, comment, source, expected):
    assert marked(language, comment, source)["classes"] == expected


def test_a_script_that_a_reader_writes_is_a_file():
    assert marked("sh", "file: ci.sh")[1]["classes"] == []


def test_a_page_is_marked_once():
    whole = marked("python", "file: it.py")
    captions.mark(None, whole.document)
    assert [child.tagname for child in whole] == ["caption", "literal_block"]
