"""What loading the plugin costs a project that does not use it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gradcheck.plugin import flags

# The plugin of Hypothesis imports it when a session ends, and would be seen here instead of this one.
ALONE = (
    "-p",
    "no:hypothesispytest",
    "-p",
    "no:xdist",
    "-p",
    "no:jaxtyping",
    "-p",
    "no:cov",
    "-p",
    "no:benchmark",
)

CONFTEST = """
import sys

def pytest_unconfigure():
    heavy = {"numpy", "hypothesis", "torch", "reference_engine", "jsonschema"}
    print("loaded:", sorted({name.partition(".")[0] for name in sys.modules} & heavy))
    own = [name for name in sys.modules if name.startswith("pytest_gradcheck.")]
    print("own:", sorted(name.removeprefix("pytest_gradcheck.") for name in own))
"""

#: All that is loaded of this package where nothing is said and nothing is checked.
BARELY = str(
    [
        "errors",
        "plugin",
        "plugin.controller",
        "plugin.fixtures",
        "plugin.flags",
        "plugin.hookspecs",
        "plugin.item_hooks",
        "plugin.marks",
        "plugin.session",
        "records",
        "records.gradient_coverage",
        "records.thresholds",
        "reports",
        "usage",
    ]
)

UNITTEST = "import unittest\nclass TestA(unittest.TestCase):\n    def test_a(self): pass"


@pytest.mark.parametrize(
    ("source", "args", "loaded", "own"),
    [
        ("def test_a(): pass", [], "[]", BARELY),
        (UNITTEST, [], "[]", BARELY),
        ("def test_a(): pass", ["--gradcheck-report=r.json", "--gradcheck-profile=quick"], "[]", "*"),
        ("def test_a(gradcheck_settings): assert gradcheck_settings.profile == 'default'", [], "[]", "*"),
    ],
    ids=["plain", "unittest", "flags", "settings"],
)
def test_a_project_without_marked_tests_pays_for_nothing(
    pytester: pytest.Pytester, source: str, args: list[str], loaded: str, own: str
) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=source)
    result = pytester.runpytest_subprocess(*ALONE, "-s", *args)
    result.assert_outcomes(passed=1)
    assert f"loaded: {loaded}" in result.outlines
    assert own == "*" or f"own: {own}" in result.outlines


#: Writes down, by process, which hooks of the plugin pytest calls after collection, before the session ends.
WATCHING = """
import pytest

called = set()

def note(hook_name, hook_impls, kwargs):
    if any(type(impl.plugin).__module__.startswith("pytest_gradcheck")
           or getattr(impl.plugin, "__name__", "").startswith("pytest_gradcheck") for impl in hook_impls):
        called.add(hook_name)

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    undo = session.config.pluginmanager.add_hookcall_monitoring(note, lambda *_: None)
    session.config.add_cleanup(undo)

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    worker = getattr(session.config, "workerinput", {})
    with open(worker.get("workerid", "main") + ".txt", "w") as file:
        print(*sorted(called - {"pytest_sessionfinish"}), file=file)
"""

PLAIN = """
import unittest
import pytest

class TestA:
    def test_a(self, tmp_path): pass

class TestB(unittest.TestCase):
    def test_b(self): pass

@pytest.mark.xfail
def test_c(): assert False

@pytest.mark.parametrize("n", range(3))
def test_d(n, request): request.getfixturevalue("capsys")
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unused_plugin_has_no_part_in_any_test(pytester: pytest.Pytester, workers: int) -> None:
    pytester.makeconftest(WATCHING)
    pytester.makepyfile(test_it=PLAIN)
    alone = ["-p", "xdist", "-n", str(workers)] if workers else []
    result = pytester.runpytest_subprocess(*ALONE, *alone)
    result.assert_outcomes(passed=5, xfailed=1)
    process = "gw0" if workers else "main"
    assert (pytester.path / f"{process}.txt").read_text(encoding="utf-8").split() == []


@pytest.mark.parametrize(
    ("body", "called"),
    [
        ("assert all(getattr(pytest_gradcheck, name) for name in pytest_gradcheck.__all__)", False),
        ("assert pytest_gradcheck.check_gradients(abs, 1.0, methods=['central', 'reference'])", True),
    ],
    ids=["names", "check"],
)
def test_it_takes_part_from_the_first_check_on(pytester: pytest.Pytester, body: str, called: bool) -> None:
    """To read a name of the package makes none."""
    pytester.makeconftest(WATCHING)
    pytester.makepyfile(test_it=f"import pytest_gradcheck\ndef test_a(): {body}\ndef test_b(): pass")
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=2)
    assert bool((pytester.path / "main.txt").read_text(encoding="utf-8").split()) is called


def test_a_used_one_has_a_part_in_each(pytester: pytest.Pytester) -> None:
    """What the test above sees of an unused one, it sees."""
    pytester.makeconftest(WATCHING)
    pytester.makepyfile(test_it=PLAIN)
    pytester.runpytest_subprocess(*ALONE, "--gradcheck-profile=quick").assert_outcomes(passed=5, xfailed=1)
    assert {
        "pytest_runtest_protocol",
        "pytest_runtest_setup",
        "pytest_runtest_call",
        "pytest_runtest_makereport",
        "pytest_runtest_logreport",
    } <= set((pytester.path / "main.txt").read_text(encoding="utf-8").split())


def test_without_any_flag_or_key_there_is_nothing_to_read(pytester: pytest.Pytester) -> None:
    assert not flags.given(pytester.parseconfig())


@pytest.mark.parametrize("key", [*map(flags.key, flags.OPTIONS)])
def test_every_ini_key_is_read(pytester: pytest.Pytester, key: str) -> None:
    assert flags.given(pytester.parseconfig("-o", f"{key}=true"))


def test_every_flag_is_read(pytester: pytest.Pytester, pytestconfig: pytest.Config) -> None:
    (group,) = (group for group in pytestconfig._parser._groups if group.name == "gradcheck")
    assert len(group.options) > 10
    for option in group.options:
        (name,) = option.names()
        value = [] if option.attrs().get("action") == "store_true" else ["1"]
        assert flags.given(pytester.parseconfig(name, *value)), name


@pytest.mark.parametrize(("first", "workers"), [("middle", 0), ("setup", 0), ("middle", 1)])
def test_a_fixture_that_nothing_announces(pytester: pytest.Pytester, first: str, workers: int) -> None:
    """Requested in the middle of a test, or in its setup: the outcome of the check is reported anyway."""
    pytester.makepyfile(
        test_it="""
        import pytest

        def check(request, fn):
            options = {"methods": ["central", "reference"]}
            request.getfixturevalue("gradcheck")(fn, 1.0, **options)

        @pytest.fixture
        def unseen(request):
            check(request, lambda x: x // 1)

        class TestSetup:
            def test_unseen(self, unseen):
                pass

        class TestMiddle:
            def test_right(self, request):
                check(request, lambda x: x * x)

            def test_unseen(self, request):
                check(request, lambda x: x // 1)
        """
    )
    order = ["TestSetup", "TestMiddle"] if first == "setup" else ["TestMiddle", "TestSetup"]
    alone = ["-p", "xdist", "-n", str(workers)] if workers else []
    result = pytester.runpytest_subprocess(*ALONE, *alone, *(f"test_it.py::{name}" for name in order))
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*nothing-checked: the check could not reach a verdict*",
            "*3 gradient checks: 1 passed, 2 inconclusive*",
        ]
    )


def test_a_check_without_marker_and_fixture_has_its_short_message(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        def test_a():
            from pytest_gradcheck import assert_gradients
            options = {"methods": ["central", "user"]}
            assert_gradients(lambda x: x * x, 1.0, gradient=lambda x: 3 * x, **options)
        """
    )
    result = pytester.runpytest_subprocess(*ALONE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["wrong gradient: *", "*called at: test_it.py:*"])
    result.stdout.no_fnmatch_line("*core*check.py*")


def test_a_marked_test_is_what_brings_them_in(pytester: pytest.Pytester, project: Any) -> None:
    project.conftest(CONFTEST)
    project.write(test_it="@pytest.mark.gradcheck(x=numbers)\ndef test_a(x): return x * x")
    result = project.run("-s", apart=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["loaded: *'hypothesis', 'numpy'*"])
