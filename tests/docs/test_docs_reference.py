"""The reference pages name every option, flag, ini key and fixture that there is, and no other."""

from __future__ import annotations

import re

import pytest
from pages import PAGES, ROOT

import pytest_gradcheck
import reference_engine
from pytest_gradcheck import lowering, testing
from pytest_gradcheck.core.check import OPTION_NAMES
from pytest_gradcheck.plugin.settings import SEARCH_OPTIONS
from reference_engine import extend

PAGE = (ROOT / "docs/reference/pytest.md").read_text(encoding="utf-8")
API = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")


def registered(pytestconfig):
    group = next(g for g in pytestconfig._parser._groups if g.name == "gradcheck")
    return {flag for option in group.options for flag in option.names()}


def test_every_flag_is_there_and_no_other(pytestconfig):
    assert set(re.findall(r"--gradcheck-[a-z-]+", PAGE)) == registered(pytestconfig)


def test_every_ini_key_is_there_and_no_other(pytestconfig):
    keys = {key for key in pytestconfig._parser._inidict if key.startswith("gradcheck_")}
    assert set(re.findall(r"`(gradcheck_(?!settings)\w+)`", PAGE)) == keys


def test_every_option_is_there_and_no_other():
    table = PAGE[PAGE.index("### Options") : PAGE.index("## Fixtures")]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {
        *OPTION_NAMES,
        *SEARCH_OPTIONS,
    }


PUBLIC = [
    (module.__name__, name)
    for module in (pytest_gradcheck, testing, lowering, reference_engine, extend)
    for name in module.__all__
    if name != "extend"
]


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_every_public_name_is_there(module, name):
    parts = re.split(r"^\.\. currentmodule:: ([\w.]+)$", API, flags=re.MULTILINE)
    text = "".join(after for said, after in zip(parts[1::2], parts[2::2], strict=True) if said == module)
    assert re.search(rf"^\.\. auto\w+:: {name}$", text, re.MULTILINE)


def test_flags_on_the_other_pages_exist(pytestconfig):
    known = registered(pytestconfig)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"--gradcheck-[a-z-]+", text)) <= known, page.name
