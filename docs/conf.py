"""How the documentation is built: ``sphinx-build -W -b html docs docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path

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

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = "pytest-gradcheck"
html_static_path = ["style"]
html_css_files = ["gradcheck.css"]
html_js_files = ["filter.js"]
# Of the one module that is documented as such.
html_domain_indices = False
