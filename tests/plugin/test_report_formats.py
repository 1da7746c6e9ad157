"""--gradcheck-report in every format: written in full, alike with workers, and of one mind."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

# Three more processes each: with workers in the sweep.
WORKERS = [0, pytest.param(2, marks=pytest.mark.sweep)]

SOURCE = """
@pytest.mark.gradcheck(x=numbers)
@pytest.mark.parametrize("p", ["a|b", "<b>"])
def test_right(x, p):
    return x**2

@pytest.mark.gradcheck(x=numbers, gradient=wrong)
def test_wrong(x):
    return x * x

@pytest.mark.xfail
def test_known(gradcheck):
    gradcheck(lambda x: x * x, 1.0, gradient=wrong)

def test_undecided(gradcheck):
    gradcheck(lambda x: x * x, 1.0, methods=("central", "forward"), name="undecided")
"""
FORMATS = {"json": "r.json", "html": "r.html", "markdown": "r.md", "sarif": "r.sarif"}
VERDICTS = {
    "test_it.py::test_right[a|b]": "pass",
    "test_it.py::test_right[<b>]": "pass",
    "test_it.py::test_wrong": "fail",
    "test_it.py::test_known": "fail",
    "test_it.py::test_undecided": "inconclusive",
}
SIGNS = {"❌ fail": "fail", "❎ expected fail": "fail", "❔ inconclusive": "inconclusive", "✅ pass": "pass"}


def of_json(text: str) -> dict[str, str]:
    return {check["nodeid"]: check["verdict"] for check in json.loads(text)["checks"]}


def of_html(text: str) -> dict[str, str]:
    found = re.search('<script type="application/json" id="report">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return of_json(found[1])


def of_markdown(text: str) -> dict[str, str]:
    rows = re.findall(r"^\| (\S+ [\w ]+) \| `(.*?)` \| `", text, re.MULTILINE)
    return {nodeid.replace("\\|", "|"): SIGNS[sign] for sign, nodeid in rows}


def of_sarif(text: str) -> dict[str, str]:
    (run,) = json.loads(text)["runs"]
    stated = {v["nodeid"]: v["verdict"] for v in run["properties"]["verdicts"]}
    for result in run["results"]:
        assert stated[result["properties"]["nodeid"]] == result["properties"]["verdict"]
    return stated


@pytest.mark.parametrize("workers", WORKERS)
def test_every_format_says_the_same(project: Any, workers: int) -> None:
    project.write(test_it=SOURCE)
    project.run(*(f"--gradcheck-report={path}" for path in FORMATS.values()), workers=workers)
    for name, read in (("json", of_json), ("html", of_html), ("markdown", of_markdown), ("sarif", of_sarif)):
        assert read((project.path / FORMATS[name]).read_text(encoding="utf-8")) == VERDICTS, name


def test_a_finding_has_the_line_of_its_test(project: Any) -> None:
    project.write(test_it=SOURCE)
    project.run("--gradcheck-report=r.json", "--gradcheck-report=r.sarif.json")
    lines = (project.path / "test_it.py").read_text(encoding="utf-8").splitlines()
    expected = 1 + next(i for i, line in enumerate(lines) if "gradient=wrong" in line)
    (wrong,) = [c for c in project.report("r.json")["checks"] if c["nodeid"].endswith("test_wrong")]
    assert wrong["location"]["path"] == "test_it.py"
    # From the decorator or from the def, as the Python and pytest at hand have it.
    assert wrong["location"]["line"] in (expected, expected + 1)
    (run,) = json.loads((project.path / "r.sarif.json").read_text(encoding="utf-8"))["runs"]
    at = run["results"][0]["locations"][0]["physicalLocation"]
    assert (at["artifactLocation"]["uri"], at["region"]["startLine"]) == (
        "test_it.py",
        wrong["location"]["line"],
    )


def test_the_rules_that_were_broken_are_in_the_report(project: Any) -> None:
    project.write(test_it=SOURCE)
    project.run("--gradcheck-report=r.json", "--gradcheck-report=r.md", "--gradcheck-fail-under=90")
    assert [rule["rule"] for rule in project.report("r.json")["gate"]] == ["fail", "fail-under"]
    assert "**fail-under**: 2 of 4 checks passed, 50 %" in (project.path / "r.md").read_text(encoding="utf-8")


def test_a_step_summary_is_appended_to(project: Any) -> None:
    project.write(test_it="def test_a(gradcheck): gradcheck(lambda x: x * x, 1.0)")
    summary = project.path / "summary"
    summary.write_text("# Before", encoding="utf-8")
    project.run("--gradcheck-report=markdown-append:summary")
    project.run("--gradcheck-report=markdown-append:summary")
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("# Before\n## Gradient checks\n")
    assert text.count("**1 check: 1 pass**") == 2


@pytest.mark.parametrize("workers", WORKERS)
def test_figures_are_drawn_of_what_stands_for_each_test(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        import torch

        @pytest.mark.gradcheck(x=numbers, gradient=wrong)
        def test_wrong(x):
            return x * x

        def test_skips_in_the_end(gradcheck):
            calls = []

            def f(x):
                calls.append(x)
                if done:
                    pytest.skip("not once more")
                return x * x

            done = False
            gradcheck(f, 1.0)
            done = True
        """
    )
    result = project.run("--gradcheck-report=r.json", workers=workers)
    result.assert_outcomes(passed=1, failed=1)
    skips, wrong = project.report("r.json")["checks"]
    assert skips["figures"] == {}
    assert wrong["figures"]["curve"]["slopes"]["user"] == 3.0
    assert wrong["figures"]["curve"]["at"] == [1.0, 1.0], "the smallest example"
    project.run("--gradcheck-report=r.md", "--gradcheck-report=r.sarif", workers=workers)
