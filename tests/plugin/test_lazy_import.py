"""What loading the plugin costs a project that does not use it."""

from __future__ import annotations

from typing import Any

import pytest

# The plugin of Hypothesis imports it when a session ends, and would be seen here instead of this one.
ALONE = ("-p", "no:hypothesispytest", "-p", "no:xdist", "-p", "no:jaxtyping", "-p", "no:cov")

CONFTEST = """
import sys

def pytest_unconfigure():
    heavy = {"numpy", "hypothesis", "torch", "reference_engine", "jsonschema"}
    print("loaded:", sorted({name.partition(".")[0] for name in sys.modules} & heavy))
    print("plugin:", "pytest_gradcheck.plugin" in sys.modules)
    print("core:", sorted(name for name in sys.modules if name.startswith("pytest_gradcheck.core.")))
"""


@pytest.mark.parametrize(
    ("source", "args"),
    [
        ("def test_a(): pass", []),
        ("def test_a(): pass", ["--gradcheck-report=report.json", "--gradcheck-profile=quick"]),
        ("def test_a(gradcheck_settings): assert gradcheck_settings.profile == 'default'", []),
        ("import unittest\nclass TestA(unittest.TestCase):\n    def test_a(self): pass", []),
    ],
    ids=["plain", "flags", "settings", "unittest"],
)
def test_a_project_without_marked_tests_pays_for_nothing(
    pytester: pytest.Pytester, source: str, args: list[str]
) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=source)
    result = pytester.runpytest_subprocess(*ALONE, "-s", *args)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "loaded: []",
            "plugin: True",
            "core: ['pytest_gradcheck.core.errors', 'pytest_gradcheck.core.results']",
        ]
    )


def test_a_marked_test_is_what_brings_them_in(pytester: pytest.Pytester, project: Any) -> None:
    project.conftest(CONFTEST)
    project.write(test_it="@pytest.mark.gradcheck(x=numbers)\ndef test_a(x): return x * x")
    result = project.run("-s", apart=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["loaded: *'hypothesis', 'numpy'*"])
