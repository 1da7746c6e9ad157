"""How the documentation is built: ``sphinx-build -W -b html docs docs/_build/html``.

The extra ``docs`` suffices: without torch, Sphinx reads the docstrings of torch code all the same.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import pytest_gradcheck  # noqa: E402  found by the path above, installed or not
from docs import stand_in  # noqa: E402  the same

project = "pytest-gradcheck"
author = "The pytest-gradcheck developers"
copyright = author
version = release = pytest_gradcheck.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",  # the API page links to the source, without a network
    "docs.captions",
]
exclude_patterns = ["_build"]
nitpicky = False
# Docstrings put code into single backticks.
default_role = "code"

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
# The names of `pytest_gradcheck.lowering` are documented in modules that import torch.
if importlib.util.find_spec("torch") is None:
    stand_in.install("torch")

html_theme = "furo"
html_title = "pytest-gradcheck"
html_static_path = ["style"]
html_css_files = ["gradcheck.css"]
html_js_files = ["filter.js"]
# Of the one module that is documented as such.
html_domain_indices = False
# The text of every page again, which the search of the site does not need.
html_copy_source = False
html_show_sourcelink = False


def without_back_links(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Take out the links from source to documentation, which viewcode makes of one name for each module."""
    if page.startswith("_modules/"):
        context["body"] = re.sub(r'<a class="viewcode-back".*?</a>', "", context["body"])


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect("html-page-context", without_back_links)
