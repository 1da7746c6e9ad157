"""Folded tables have a box that filters their rows."""

from __future__ import annotations

import os

import pytest
from pages import PAGES, ROOT

from docs import screenshot
from docs.coverage_page.markdown import folded, table

SCRIPT = ROOT / "docs/style/filter.js"


def test_a_folded_table_is_still_a_table_of_the_page():
    lines = folded("Two rows", table(["a"], [["1"], ["2"]]))
    assert lines[0] == '<details class="rows">'
    # Markdown needs the empty lines.
    assert lines[2] == lines[-3] == ""
    assert lines[-2] == "</details>"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_folds_are_closed_and_not_nested(page):
    marks = [
        line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith(("<det", "</det"))
    ]
    assert marks[::2] == ['<details class="rows">'] * (len(marks) // 2)
    assert marks[1::2] == ["</details>"] * (len(marks) // 2)


@pytest.mark.sweep
@pytest.mark.skipif(
    screenshot.browser() is None and "CI" not in os.environ,
    reason="no Chromium here; .ci/run installs it, and insists on it",
)
def test_the_box_hides_the_rows_without_the_words(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    rows = "".join(f"<tr><td>op{k}</td><td>float{32 + 32 * (k % 2)}</td></tr>" for k in range(12))
    page = tmp_path / "page.html"
    few = "<details class=rows><summary>few</summary><table><tbody><tr></tr></tbody></table></details>"
    page.write_text(
        f"<details class=rows open><summary>many</summary><table><tbody>{rows}</tbody></table></details>{few}"
        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>",
        encoding="utf-8",
    )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=screenshot.browser(), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(page.as_uri())
        box = tab.get_by_role("searchbox")
        assert box.count() == 1
        assert tab.locator("label.filter span").inner_text() == "12 of 12 rows"
        box.fill("OP1 float64")
        assert [row.inner_text() for row in tab.locator("tbody tr:visible td:first-child").all()] == [
            "op1",
            "op11",
        ]
        assert tab.locator("label.filter span").inner_text() == "2 of 12 rows"
        browser.close()
