"""The HTML report: one file, in which nothing from outside becomes markup; and in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sample_results import PIECES, result

from pytest_gradcheck.core.check import check_in_test
from pytest_gradcheck.core.results import CheckResult, Diagnosis
from pytest_gradcheck.records.aggregate import Aggregate
from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.records.record import plain_data
from pytest_gradcheck.records.report import build
from pytest_gradcheck.reports import html_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")


def report(*named: tuple[str, CheckResult], xfail: str = "", figures: Any = None) -> dict[str, Any]:
    recorder, aggregate = ResultBuffer(), Aggregate()
    for nodeid, one in named:
        recorder.add(nodeid, one)
    aggregate.take(recorder.drain({"path": "t.py", "line": 3}))
    if xfail:
        aggregate.expect_failure(xfail, "known")
    for check in aggregate.checks():
        check["figures"] = figures or {}
    gate = [{"rule": "fail", "found": "1 check failed", "remedy": "fix the gradient"}]
    environment = {"python": "3.11", "packages": {"numpy": "2"}}
    return build(aggregate.checks(), ["t.py::test_skipped"], gate, environment=environment)


class Page(HTMLParser):
    """What a browser's parser makes of the file before any script runs."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.inside = ""
        self.data: dict[str, Any] = {}
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.inside = dict(attrs).get("id") or ""
        if tag == "script":
            self.scripts.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        if self.inside == "report":
            self.data = json.loads(data)
            self.inside = ""


@example("</script><script>alert(1)</script>")
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_whatever_is_in_it_the_page_has_its_own_elements(text: str) -> None:
    nodeid = "t.py::" + text
    one = result("fail", name=text, diagnosis=Diagnosis("a-code", text), inputs={text: text}, reproduce=text)
    data = report((nodeid, one))
    page = Page(html_report.render(data))
    assert page.scripts == [{"type": "application/json", "id": "report"}, {}]
    assert page.tags == Page(html_report.render(report(("t.py::a", result("fail"))))).tags
    check = dict(page.data["checks"][0])
    assert check.pop("standing") == "fail"
    assert check == data["checks"][0]


def test_nothing_is_loaded_from_anywhere() -> None:
    source = html_report.render(report(("t.py::a", result())))
    assert not re.findall(r"(?:src|href)=\"(?!data:)", source)
    assert "innerHTML" not in source
    hashes = {}
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
        hashes[tag] = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    (policy,) = re.findall('Content-Security-Policy" content="([^"]*)"', source)
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        *(f"{tag}-src 'sha256-{hashes[tag]}'" for tag in ("style", "script")),
        "base-uri 'none'",
        "form-action 'none'",
    ]


# ---------------------------------------------------------------------------- in a browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_a_browser = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no Chromium here; .ci/run installs it, and insists on it",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Tab:
    """A page of the report in the browser, and what it did that it should not."""

    def __init__(self, browser: Any, path: Path, anchor: str = "", **context: Any) -> None:
        self.page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(20_000)
        self.troubles: list[str] = []
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.troubles.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.loads(request.url))
        self.page.goto(path.as_uri() + anchor)

    def loads(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.troubles.append(url)

    def names(self) -> list[str]:
        found: list[str] = self.page.locator(".check .name").all_inner_texts()
        return found


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Tab]:
    path = tmp_path / "r.html"
    data = report(
        ("t.py::near", result("pass", margin=0.9, name="near")),
        ("t.py::good", result("pass", margin=0.1, name="good")),
        ("t.py::open", result("inconclusive", name="open")),
        ("t.py::bad", result("fail", margin=9.0, name="<img src=x onerror=alert(1)>")),
        (
            "t.py::worse",
            result("fail", margin=99.0, name="worse", diagnosis=Diagnosis("sign", "the sign is wrong")),
        ),
        ("t.py::known", result("fail", margin=999.0, name="known")),
        xfail="t.py::known",
    )
    path.write_text(html_report.render(data), encoding="utf-8")
    tab = Tab(browser, path)
    yield tab
    assert tab.troubles == []
    tab.page.context.close()


ORDER = ["worse", "bad", "known", "open", "near", "good"]


def short(names: list[str]) -> list[str]:
    return [name.partition(":: ")[0].partition(": ")[0].removeprefix("t.py::") for name in names]


@needs_a_browser
def test_the_worst_is_first_and_the_order_can_be_changed(page: Tab) -> None:
    assert short(page.names()) == ORDER
    page.page.locator("select").select_option("by name")
    assert short(page.names()) == sorted(ORDER)
    page.page.locator("select").select_option("nearest to failing")
    assert short(page.names())[:2] == ["known", "worse"]


@needs_a_browser
def test_filter_and_search(page: Tab) -> None:
    page.page.get_by_role("button", name="pass").click()
    assert short(page.names()) == ["worse", "bad", "known", "open"]
    page.page.get_by_role("button", name=re.compile("^fail")).click()
    assert short(page.names()) == ["known", "open"]
    page.page.get_by_role("button", name=re.compile("^fail")).click()
    page.page.keyboard.press("/")
    page.page.keyboard.type("SIGN wrong")
    assert short(page.names()) == ["worse"]
    assert page.page.get_by_role("status").inner_text() == "1 of 6 shown"
    page.page.keyboard.press("Escape")
    assert len(page.names()) == 4


@needs_a_browser
def test_a_check_opens_by_keyboard_and_has_an_address(page: Tab, browser: Any, tmp_path: Path) -> None:
    for key in ("j", "j", "Enter"):
        page.page.keyboard.press(key)
    inside = page.page.locator(".inside")
    assert inside.count() == 1
    assert "wrong gradient: <img src=x onerror=alert(1)>" in inside.inner_text()
    assert page.page.locator(".inside img").count() == 0, "a name is text"
    anchor = page.page.evaluate("location.hash")
    again = Tab(browser, tmp_path / "r.html", anchor)
    assert "wrong gradient: <img" in again.page.locator(".inside").inner_text()
    assert again.troubles == []


@needs_a_browser
def test_the_gate_and_the_unchecked_are_told(page: Tab) -> None:
    text = page.page.locator("main").inner_text()
    assert "6 gradient checks: 2 passed, 2 failed, 1 inconclusive, 1 failed as expected" in text
    assert "fail: 1 check failed; fix the gradient" in text
    assert "1 marked tests in which nothing was checked" in text


@needs_a_browser
def test_a_thousand_checks_are_shown_at_once(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    many = [(f"t.py::test_{i}", result(("pass", "fail", "inconclusive")[i % 3])) for i in range(1000)]
    path.write_text(html_report.render(report(*many)), encoding="utf-8")
    tab = Tab(browser, path)
    assert len(tab.names()) == 1000
    tab.page.get_by_role("searchbox").fill("test_99")
    assert tab.page.get_by_role("status").inner_text() == "11 of 1000 shown"
    assert tab.troubles == []


@needs_a_browser
def test_whatever_is_in_it_opens_as_text_and_by_its_address(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    named = [
        (
            f"t.py::{k}{piece}",
            result(
                "fail",
                name=piece,
                diagnosis=Diagnosis("a-code", piece),
                inputs={piece: piece},
                reproduce=piece,
                margin=(float("nan"), float("inf"), 1e308, 0.0)[k % 4],
            ),
        )
        for k, piece in enumerate(PIECES)
    ]
    path.write_text(html_report.render(report(*named)), encoding="utf-8")
    tab = Tab(browser, path, "#%")
    assert len(tab.names()) == len(PIECES)
    opened = tab.page.evaluate(
        """async () => {
            const found = [];
            for (const details of document.querySelectorAll(".check details")) {
                details.open = true;
                await new Promise((done) => details.addEventListener("toggle", done, { once: true }));
                found.push(location.hash);
            }
            return found;
        }"""
    )
    assert len(set(opened)) == len(PIECES)
    assert tab.page.locator(".inside").count() == len(PIECES)
    tags = tab.page.evaluate(
        '[...new Set([...document.querySelectorAll(".checks *")].map((e) => e.localName))]'
    )
    assert set(tags) <= {
        *("li", "details", "summary", "span", "wbr", "div", "pre", "ul", "h2", "button", "p"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert tab.page.locator("script").count() == 2
    assert tab.troubles == []
    again = Tab(browser, path, opened[-1])
    assert again.page.locator("details[open] .inside").count() == 1
    assert again.troubles == []


@needs_a_browser
def test_the_figures_of_a_check(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    one = check_in_test(lambda x: 2 * x**2 - 3 * x + 4, 3.0, gradient=lambda x: 4 * x, name="parabola")
    many = check_in_test(np.sin, np.array([1.0, 2.0, 3.0]), name="sines")
    data = report(("t.py::one", one), ("t.py::many", many))
    for check, found in zip(data["checks"], (many, one), strict=True):
        check["figures"] = plain_data(found.figures())
    path.write_text(html_report.render(data), encoding="utf-8")
    tab = Tab(browser, path, "#" + "t.py::one::parabola")
    titles = tab.page.locator(".inside svg title").all_text_contents()
    assert titles == [
        "Error of difference quotients by x against the step",
        "Taylor test: the remainder against the step",
        "The function and its tangent at the point",
    ]
    assert "slope 9 (reference)" in tab.page.locator(".inside").inner_text()
    assert "slope 12 (user)" in tab.page.locator(".inside").inner_text()
    picture = tab.page.locator(".inside img.graph")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
    tables = tab.page.locator(".inside .heat")
    assert [t.partition("\n")[0] for t in tables.all_inner_texts()] == [
        "reference", "torch", "user (differs)", "exact", "central", "forward",
    ]  # fmt: skip
    tab.page.locator("summary", has_text="many").click()
    inside = tab.page.locator("details[open]", has_text="many")
    inside.locator(".heat").first.wait_for()  # drawn after the toggle, which a busy machine is late with
    assert inside.locator(".heat").first.locator("td").count() == 9
    assert inside.locator(".heat").first.locator("td.worst").count() == 1
    assert tab.troubles == []


def half_gradient(x: Any) -> Any:
    return 0.5 * np.cos(x)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a failure whose derivative is proved, at an input of 2000 numbers, next to a pass."""
    pytest.importorskip("flint")
    path = tmp_path_factory.mktemp("report") / "r.html"
    point = np.random.default_rng(0).normal(size=2000)
    wrong = check_in_test(lambda x: np.sum(np.sin(x)), point, gradient=half_gradient, name="wave")
    data = report(("t.py::wave", wrong), ("t.py::good", result("pass")))
    data["checks"][0]["figures"] = plain_data(wrong.figures())
    path.write_text(html_report.render(data), encoding="utf-8")
    return path


@needs_a_browser
def test_a_badge_and_the_digits_say_what_is_proved(browser: Any, proved: Path) -> None:
    tab = Tab(browser, proved, "#t.py::wave::wave")
    badges = [check.locator(".badge").all_inner_texts() for check in tab.page.locator(".check").all()]
    assert badges == [["proved"], []]
    inside = tab.page.locator(".inside").inner_text()
    digits = re.findall(r"= (-?0\.\d{20,})", inside)
    assert [inside.count(number) for number in digits] == [1, 1, 1], "each number stands once"
    tab.page.get_by_role("searchbox").fill("proved")
    assert short(tab.names()) == ["wave"]
    assert "<td>fail, proved<td>" in proved.read_text(encoding="utf-8"), "without scripts too"
    assert tab.troubles == []


@needs_a_browser
def test_the_taylor_test_is_drawn(browser: Any, proved: Path) -> None:
    tab = Tab(browser, proved, "#t.py::wave::wave")
    figure = tab.page.locator("figure", has_text="Taylor test")
    lines = figure.locator(".legend > span").all_inner_texts()
    assert {"exact: h^2.00", "user (differs): h^1.00"} <= set(lines)
    assert figure.locator("svg.chart path[class^=s-]").count() == len(lines)
    assert figure.locator("svg.chart path.s-mark").count() == 1
    assert tab.troubles == []


@needs_a_browser
def test_a_large_input_is_copied_whole_and_shown_in_short(browser: Any, proved: Path) -> None:
    tab = Tab(browser, proved, "#t.py::wave::wave")
    assert max(map(len, tab.page.locator("pre").all_inner_texts())) < 2500
    tab.page.evaluate("""() => {
        const writeText = async (text) => { window.kept = text; };
        Object.defineProperty(navigator, "clipboard", { value: { writeText } });
    }""")
    tab.page.locator(".copied", has_text="x = np.").get_by_role("button").click()
    kept = tab.page.evaluate("window.kept")
    names: dict[str, Any] = {"np": np}
    exec(kept, names)
    assert names["x"].shape == (2000,)
    assert tab.troubles == []


@needs_a_browser
def test_a_small_screen_breaks_no_number_and_has_no_sideways_scrolling(browser: Any, proved: Path) -> None:
    tab = Tab(browser, proved, "#t.py::wave::wave", viewport={"width": 390, "height": 844})
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 390
    broken = tab.page.evaluate("""() => {
        const broken = [], range = document.createRange();
        const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
            const node = walk.currentNode;
            if (node.parentElement.closest("pre, svg, select")) continue;
            for (const word of node.data.matchAll(/[-+]?\\d[\\d.]*(e[-+]?\\d+)?|[a-z]+/g)) {
                range.setStart(node, word.index);
                range.setEnd(node, word.index + word[0].length);
                const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
                if (tops.size > 1) broken.push(word[0]);
            }
        }
        return broken;
    }""")
    assert broken == []


@needs_a_browser
def test_a_heat_map_has_headings_and_visible_zeros(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    one = check_in_test(np.sin, np.array([1.0, 2.0, 3.0]), name="sines")
    data = report(("t.py::many", one))
    data["checks"][0]["figures"] = plain_data(one.figures())
    path.write_text(html_report.render(data), encoding="utf-8")
    tab = Tab(browser, path, "#t.py::many::sines")
    for heat in tab.page.locator(".heat").all():
        assert heat.locator("thead th").all_inner_texts() == ["", "x[0]", "x[1]", "x[2]"]
        assert heat.locator("tbody th").all_inner_texts() == ["output[0]", "output[1]", "output[2]"]
        assert heat.locator("td.zero").all_inner_texts() == ["0"] * 6
    assert tab.troubles == []


@needs_a_browser
def test_no_replay_is_offered_for_what_cannot_be_replayed(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    data = report(("t.py::a", result("fail")), ("t.py::b", result("fail")))
    for check in data["checks"]:
        check["replayable"] = check["nodeid"] == "t.py::a"
    path.write_text(html_report.render(data), encoding="utf-8")
    tab = Tab(browser, path)
    found = {}
    for check in tab.page.locator(".check").all():
        check.locator("summary").click()
        name = check.locator(".name").inner_text().partition(":: ")[0].partition(": ")[0]
        found[name] = "pytest_gradcheck replay" in check.locator(".inside").inner_text()
    assert found == {"t.py::a": True, "t.py::b": False}
