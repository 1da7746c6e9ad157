"""Caption blocks of code with the names of their files, and tell commands from what they print.

The tests read the comment above a block (`tests/following.py`), and a browser does not show it. Here
`<!-- file: NAME -->` becomes the caption NAME, and `<!-- edit: NAME -->` the caption "NAME, changed". Blocks
of commands get the class `command`, blocks of output the class `output`. The style sheet labels them.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

# MyST keeps a comment as a piece of HTML.
_COMMENT = re.compile(r"<!-- (?P<text>.*?) -->\s*", re.DOTALL)
_NAMED = re.compile(r"(?P<kind>file|edit): (?P<name>\S+)")
#: The comments over blocks of plain text that no command has printed.
_DRAWN = {"sketch"}


def note(block: nodes.Element) -> str:
    """Return the text of the comment right above a block, or nothing."""
    at = block.parent.index(block)
    above = block.parent[at - 1] if at else None
    found = _COMMENT.fullmatch(above.astext()) if isinstance(above, nodes.raw) else None
    return found["text"] if found else ""


def caption(said: str) -> str:
    """Return the caption of a block under a comment, or nothing."""
    found = _NAMED.fullmatch(said)
    if found is None:
        return ""
    return found["name"] + (", changed" if found["kind"] == "edit" else "")


def kind(language: str, said: str, source: str) -> str:
    """Return the class of a block of this language under a comment, or nothing; `source` is its file."""
    if language == "sh" and not _NAMED.fullmatch(said) and not source.endswith(".sh"):
        return "command"
    return "output" if language == "text" and said not in _DRAWN else ""


def mark(app: Any, tree: nodes.document) -> None:
    """Give each block of a page its caption and its class."""
    for block in list(tree.findall(nodes.literal_block)):
        if isinstance(block.parent, nodes.container) and block.parent.get("literal_block"):
            continue
        said = note(block)
        if name := kind(block.get("language", ""), said, block.get("source", "")):
            block["classes"].append(name)
        if text := caption(said):
            whole = nodes.container("", literal_block=True, classes=["literal-block-wrapper"])
            block.replace_self(whole)
            whole += [nodes.caption("", "", nodes.literal("", text)), block]
            tree.set_id(whole)  # the caption has a link to itself


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
