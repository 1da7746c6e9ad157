"""--gradcheck-report and its ini key."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import pytest
from report_readers import standings

from pytest_gradcheck.reports import FORMATS

SOURCE = """
# Hypothesis mixes constants that it finds in the loaded modules into numbers, but not into these.
numbers = st.sampled_from([1.0, 1.25, 1.5, 1.75])
vectors = hn.arrays(np.float64, 3, elements=numbers)

@pytest.mark.gradcheck(x=numbers)
@pytest.mark.parametrize("p", [1, 2])
def test_right(x, p):
    return x**p

@pytest.mark.gradcheck(x=vectors, gradient=wrong)
def test_wrong(x):
    return (x * x).sum()

@pytest.mark.gradcheck(x=numbers)
def test_skipped(x):
    pytest.skip("not today")

def test_undecided(gradcheck):
    gradcheck(lambda x: x * x, 1.0, methods=("central", "forward"), name="undecided")
    gradcheck(lambda x: x * x, 1.0, name="decided")

def test_other():
    pass
"""


def reported(project: Any, to: str, **how: Any) -> dict[str, str]:
    """Run it and return the report in every format, without its times."""
    (project.path / to).mkdir()
    flags = [f"--gradcheck-report={name}:{to}/{name}" for name in FORMATS]
    project.run(*flags, **how).assert_outcomes(passed=4, failed=1, skipped=1)
    texts = {name: (project.path / to / name).read_text(encoding="utf-8") for name in FORMATS}
    for name, text in texts.items():
        standings(name, text)
    return {
        name: re.sub(r'(?<="seconds": )[^,}\s]*|(?<="began": )[^,}]*|(?<=\| )[0-9.]* s(?= \|)', "…", t)
        for name, t in texts.items()
    }


def test_the_same_run_gives_the_same_report_but_for_the_times(project: Any) -> None:
    project.write(test_it=SOURCE)
    assert reported(project, "one") == reported(project, "two")


SPY = """
import os
from pytest_gradcheck import reports

def spy(*args, write=reports.write_report):
    with open(f"written-{os.getpid()}", "a"):
        write(*args)

reports.write_report = spy
"""


def test_the_report_holds_to_its_schema_and_is_the_same_with_workers(project: Any) -> None:
    project.write(test_it=SOURCE)
    alone = reported(project, "one", apart=True)
    project.conftest(SPY)
    assert reported(project, "two", workers=2) == alone
    # By the controlling process alone.
    assert len(list(project.path.glob("written-*"))) == 1
    one = project.report("one/json")
    assert one["summary"] == {
        "checks": 5,
        "pass": 3,
        "fail": 1,
        "expected": 0,
        "inconclusive": 1,
        "test_failed": 0,
        "not_checked": 1,
    }
    assert [(c["nodeid"].removeprefix("test_it.py::"), c["name"], c["verdict"]) for c in one["checks"]] == [
        ("test_right[1]", "test_right", "pass"),
        ("test_right[2]", "test_right", "pass"),
        ("test_undecided", "decided", "pass"),
        ("test_undecided", "undecided", "inconclusive"),
        ("test_wrong", "test_wrong", "fail"),
    ]
    wrong = one["checks"][-1]
    assert wrong["culprit"] == "user"
    assert wrong["methods"]["central"]["evaluations"] > wrong["examples"]
    assert set(one["environment"]["packages"]) >= {"pytest", "hypothesis", "numpy", "pytest-gradcheck"}
    assert one["environment"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_without_any_check_the_report_is_empty_and_valid(project: Any) -> None:
    project.write(test_it="def test_a(): pass")
    assert project.run("--gradcheck-report=report.json").ret == pytest.ExitCode.OK
    assert standings("json", (project.path / "report.json").read_text(encoding="utf-8")) == []


def test_several_reports_and_the_ini_key(project: Any) -> None:
    project.write(test_it=SOURCE)
    (project.path / "sub").mkdir()
    project.pytester.makeini("[pytest]\ngradcheck_report =\n    json:sub/ini.data\n    sub/ini.json\n")
    project.run("-k", "other")
    assert (project.path / "sub" / "ini.data").read_bytes() == (
        project.path / "sub" / "ini.json"
    ).read_bytes()
    project.run("-k", "other", "--gradcheck-report=a.json", "--gradcheck-report", "json:b.json")
    assert project.report("a.json") == project.report("b.json")


def test_the_flag_beats_the_ini_key(project: Any) -> None:
    project.write(test_it="def test_a(): pass")
    project.pytester.makeini("[pytest]\ngradcheck_report = ini.json\n")
    project.run("--gradcheck-report=flag.json")
    assert (project.path / "flag.json").exists()
    assert not (project.path / "ini.json").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("xml:report.xml", "*got 'xml:report.xml' of type 'xml'; *the types are: json*"),
        ("jsn:report", "*of type 'jsn'; did you mean 'json'? the types are: json*"),
        (
            "report.xml",
            "*got 'report.xml', which has an unknown file extension; write TYPE:PATH, where the types "
            "are: json*",
        ),
        ("json:", "*got 'json:', without a path; write TYPE:PATH*"),
        ("", "*got '', without a path; write TYPE:PATH*"),
        (
            "nowhere/report.json",
            "*report.json, which is in *nowhere, which does not exist; create that directory*",
        ),
        (
            "file/report.json",
            "*report.json, which is in *file, which is not a directory; choose another path*",
        ),
        ("json:.", "*which is a directory; add the file's name*"),
        (f"json:{'n' * 300}", "*which cannot be accessed (File name too long); choose another path*"),
        pytest.param(
            # Where root cannot write either.
            "html:/proc/self/report",
            "*report, which is in /proc/self, which is not writable; choose another path*",
            marks=pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a directory of Linux"),
        ),
    ],
)
def test_a_wrong_value_is_told_before_anything_runs(project: Any, value: str, message: str) -> None:
    project.write(test_it="def test_a(): raise SystemError('ran')")
    (project.path / "file").touch()
    result = project.run(f"--gradcheck-report={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--gradcheck-report: {message}"])
    assert "ran" not in result.stdout.str()


def test_the_same_path_twice_is_told(project: Any) -> None:
    result = project.run("--gradcheck-report=a.json", "--gradcheck-report=json:./a.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--gradcheck-report: got 'json:./a.json' twice; give every report a path*"])


def test_a_path_that_cannot_be_written_in_the_end(project: Any) -> None:
    project.write(
        test_it="""
        import os, shutil

        @pytest.mark.gradcheck(x=numbers)
        def test_a(x):
            shutil.rmtree("sub", ignore_errors=True)
            return x * x
        """
    )
    (project.path / "sub").mkdir()
    result = project.run("--gradcheck-report=sub/report.json", "--gradcheck-report=other.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gradcheck: report: *report.json not written: No such file or directory; *"])
    assert project.report("other.json")["summary"]["pass"] == 1


def test_after_the_first_failure_the_report_has_what_ran(project: Any) -> None:
    project.write(test_it=SOURCE)
    result = project.run("-x", "--gradcheck-report=report.json", "-k", "right or wrong")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.report()["summary"]["fail"] == 1


def test_nothing_is_written_when_only_collecting(project: Any) -> None:
    project.write(test_it=SOURCE)
    assert project.run("--gradcheck-report=report.json", "--collect-only").ret == pytest.ExitCode.OK
    assert not os.path.exists(project.path / "report.json")
