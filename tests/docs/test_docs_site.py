"""The site builds without a warning, holds together, loads nothing from elsewhere, and reads in the dark."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from pages import ROOT

from docs import screenshot

PICTURES = sorted((ROOT / "docs/images").glob("*.svg"))


class Page(HTMLParser):
    """Where a page can be jumped to, what it links to and loads, and how many tables no wrapper scrolls."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded, self.bare_tables = set(), [], [], 0
        self._inside = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in ("script", "img", "iframe") and given.get("src"):
            self.loaded.append(given["src"])
        if tag == "link" and "stylesheet" in given.get("rel", ""):
            self.loaded.append(given["href"])
        if tag == "div":
            self._inside.append("table-wrapper" in given.get("class", ""))
        if tag == "table" and "genindextable" not in given.get("class", ""):
            self.bare_tables += not any(self._inside)

    def handle_endtag(self, tag):
        if tag == "div":
            self._inside.pop()


# Hosts build the documentation without torch and JAX, and so does this.
BUILD = """
import sys
from importlib.machinery import PathFinder


class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in {"torch", "jax", "jaxlib"}:
            return PathFinder.find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Without

from sphinx.cmd.build import main

sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("sphinx", reason="needs sphinx, which the docs extra installs")
    folder = tmp_path_factory.mktemp("site")
    options = ("-W", "--keep-going", "-q", "-b", "html", "-d", str(folder / "doctrees"))
    built = subprocess.run(
        [sys.executable, "-c", BUILD, *options, str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.mark.sweep
def test_the_documentation_builds_without_a_warning_and_holds_together(site):
    assert "graph.svg" in (site / "tutorial/backpropagation.html").read_text(encoding="utf-8")
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 40
    for path, page in pages.items():
        where = str(path.relative_to(site))
        assert not [source for source in page.loaded if urlsplit(source).netloc], where
        assert any("gradcheck.css" in source for source in page.loaded), where
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{where}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{where}: {link}"
        # The theme scrolls what stands in its wrapper; a table outside of it would be wider than a phone.
        assert page.bare_tables == 0, where


@pytest.mark.sweep
def test_code_has_names_and_the_interface_leads_to_its_source(site):
    guide = (site / "howto/gate_ci.html").read_text(encoding="utf-8")
    assert guide.count("code-block-caption") == guide.count("<!-- file: ") > 5
    assert 'class="output highlight-text' in guide
    interface = (site / "reference/api.html").read_text(encoding="utf-8")
    # Torch code too, which was read without torch.
    for name in ("check_gradients", "lower", "Lowered"):
        assert re.search(rf'href="\.\./_modules/[\w/]+\.html#[\w.]*\b{name}"', interface), name


@pytest.fixture(scope="module")
def browser():
    program = screenshot.browser()
    if program is None and "CI" not in os.environ:
        pytest.skip("no Chromium here; .ci/run installs it, and insists on it")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the test extra")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.mark.sweep
def test_no_page_is_wider_than_the_screen(site, browser):
    # Colours change nothing about widths, and scripts move no block. One page of source stands for all.
    sources = sorted(site.glob("_modules/**/*.html"))
    pages = sorted({*site.rglob("*.html")} - {*sources[1:]})
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        wide = []
        for path in pages:
            page.goto(path.as_uri())
            for width in (390, 1400):
                page.set_viewport_size({"width": width, "height": 900})
                if (got := page.evaluate("document.documentElement.scrollWidth")) > width:
                    wide.append(f"{path.relative_to(site)} at {width}: {got}")
        assert not wide


@pytest.mark.sweep
def test_the_search_works_without_a_server(site, browser):
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto(f"{(site / 'search.html').as_uri()}?q=inconclusive")
        page.wait_for_selector('#search-results a[href*="explanation/inconclusive.html"]')


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_has_a_ground_of_its_own(picture):
    """Its lines are dark, and so may be the page: what is drawn first covers all of it in a light colour."""
    text = picture.read_text(encoding="utf-8")
    ground = re.search(r"<rect\b[^>]*>", text)[0]
    fill = re.search(r'fill="#([0-9a-f]{3}|[0-9a-f]{6})"', ground)
    name = re.search(r'class="([\w-]+)"', ground)
    if fill is None:
        fill = re.search(rf"\.{name[1]}\s*{{[^}}]*fill:\s*#([0-9a-f]{{3}}|[0-9a-f]{{6}})", text)
    digits = fill[1] if len(fill[1]) == 6 else "".join(2 * digit for digit in fill[1])
    assert min(int(digits[at : at + 2], 16) for at in (0, 2, 4)) > 0xE0
