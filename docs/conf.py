"""How the documentation is built: ``sphinx-build -W -b html docs docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import pytest_gradcheck  # noqa: E402  found by the path above, installed or not

project = "pytest-gradcheck"
author = "The pytest-gradcheck developers"
copyright = author
version = release = pytest_gradcheck.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = False
# Docstrings put code into single backticks.
default_role = "code"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = "pytest-gradcheck"


def _draw_the_tutorials_graph(_: Any) -> None:
    """Draw the graph of L by the engine itself, so that the picture is what the code draws today."""
    from reference_engine import Tensor, draw

    a, b, c, f = (
        Tensor(value, requires_grad=True, label=label)
        for label, value in (("a", 3.0), ("b", -2.0), ("c", 8.0), ("f", -2.0))
    )
    d = a * b
    d.label = "d"
    e = d + c
    e.label = "e"
    loss = e * f
    loss.label = "L"
    loss.backward()
    folder = HERE / "_build"
    folder.mkdir(exist_ok=True)
    draw(loss).save(folder / "graph.svg")


def setup(app: Any) -> None:
    """Hook into the build."""
    app.connect("builder-inited", _draw_the_tutorials_graph)
