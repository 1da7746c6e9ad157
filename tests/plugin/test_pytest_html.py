"""What the report of pytest-html shows of checks."""

from __future__ import annotations

import html.parser
import json
from typing import Any

import pytest
from inner import WORKERS

TESTS = """
@pytest.mark.gradcheck(x=vectors)
def test_right(x):
    return np.sum(x**3)

@pytest.mark.gradcheck(x=vectors, gradient=wrong)
def test_wrong(x):
    return np.sum(x**2)

@pytest.mark.xfail(reason="known & <b>bold</b>")
def test_known(gradcheck):
    gradcheck(lambda x: x**2, 1.0, gradient=wrong, name="<img src=x onerror=alert(1)>")

def test_swallowed(gradcheck):
    gradcheck(lambda x: x**2, 1.0, name="good")
    try:
        gradcheck(lambda x: x**2, 1.0, gradient=wrong, name="swallowed")
    except AssertionError:
        pass

def test_open(gradcheck):
    gradcheck(lambda x: x**2, 1.0)
    gradcheck(lambda x: x**2, 1.0, methods=("central", "forward"), name="open")

def test_unchecked():
    pass
"""


class Page(html.parser.HTMLParser):
    """The data of the page, the log of each test by its name, and the text of the paragraphs at its head."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.logs: dict[str, str] = {}
        self.paragraphs: list[str] = []
        self._in_paragraph = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_paragraph = tag == "p"
        blob = dict(attrs).get("data-jsonblob")
        if blob:
            for nodeid, (test, *_) in json.loads(blob)["tests"].items():
                self.logs[nodeid.rpartition("::")[2]] = test["log"]

    def handle_data(self, data: str) -> None:
        if self._in_paragraph:
            self.paragraphs.append(data)
            self._in_paragraph = False


@pytest.mark.parametrize("workers", WORKERS)
def test_each_test_has_its_checks(project: Any, workers: int) -> None:
    project.write(test_it=TESTS)
    flags = ["--html=page.html", "--self-contained-html", "--gradcheck-fail-under=100"]
    result = project.run(*flags, "-o", "gradcheck_methods=central,reference,user", workers=workers)
    result.assert_outcomes(passed=4, failed=1, xfailed=1)
    page = Page((project.path / "page.html").read_text(encoding="utf-8"))
    # pytest-xdist says first which worker it was.
    assert "No log output" not in page.logs["test_right"]
    right = page.logs["test_right"].splitlines()[2 if workers else 0 :]
    assert right[0].strip("-") == " gradcheck: test_right "
    assert right[1] == "pass: central and reference agree [agree]"
    assert right[2].startswith("examples: 5, in 0.")
    assert right[3].startswith("margin: ")
    assert any(line.startswith("reference: ") and line.endswith(" evaluations") for line in right)
    # The message of a failure stands there already; of one that the test has swallowed it does not.
    assert page.logs["test_wrong"].count("wrong gradient: test_wrong") == 1
    assert "\nfail: your gradient is 1.5 times the correct one [constant-factor]" in page.logs["test_wrong"]
    assert page.logs["test_swallowed"].count("wrong gradient: swallowed") == 1
    assert page.logs["test_swallowed"].index("swallowed -") < page.logs["test_swallowed"].index("good -")
    assert "inconclusive: only finite differences" in page.logs["test_open"]
    known = page.logs["test_known"]
    assert "\nxfail: " in known
    assert "expected: known &amp; &lt;b&gt;bold&lt;/b&gt;" in known
    assert "<" not in "".join(page.logs.values())
    assert "gradcheck" not in page.logs["test_unchecked"]
    said = [text for text in page.paragraphs if text.startswith("gradcheck: ")]
    assert said[0] == "gradcheck: 7 gradient checks: 3 passed, 2 failed, 1 inconclusive, 1 failed as expected"
    assert any(text.startswith("gradcheck: fail-under: 3 of 6 checks passed, 50 %") for text in said)


def test_a_page_without_checks_says_nothing_of_them(project: Any) -> None:
    project.write(test_it="def test_a(): pass")
    result = project.run("--html=page.html", "--self-contained-html")
    result.assert_outcomes(passed=1)
    assert "gradcheck:" not in (project.path / "page.html").read_text(encoding="utf-8").replace(
        "gradcheck: 0", ""
    )
