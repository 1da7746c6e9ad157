"""Reports and baselines read again: those of other versions, and those that are truncated or edited."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_readers import standings
from sample_results import report, result

from pytest_gradcheck.__main__ import main
from pytest_gradcheck.core.results import HandWritten
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.records import baseline, gradient_coverage
from pytest_gradcheck.records.load import read
from pytest_gradcheck.reports import FORMATS, json_report

SQUARE = HandWritten("mine.Square", "mine.py", 3, 9, ("forward", "backward"))


def whole() -> dict[str, Any]:
    """A report with everything that one can have."""
    named = (("t.py::a", result("fail")), ("t.py::b", result(functions=(SQUARE,))))
    gate = [{"rule": "fail", "found": "1 check failed", "remedy": "fix it"}]
    data = report(*named, marked=["t.py::c"], gate=gate)
    gradient = {**SQUARE.to_dict(), "imported": True}
    data["coverage"] = gradient_coverage.build(["mine"], [gradient], data["checks"])
    data["merged"] = {"duplicates": [{"nodeid": "t.py::a", "name": "f"}], "conflicts": []}
    data["checks"][0]["xfail"] = "known"
    data["checks"][1]["stopped"] = {"after": 3, "of": 9, "max_seconds": 1.0, "failed": False}
    return data


WHOLE = whole()
BASELINE = json.loads(baseline.render(baseline.updated({}, WHOLE["checks"])))


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in parts:
        yield (*path, key)
        yield from places(value, (*path, key))


def edited(data: Any, path: tuple[Any, ...], change: Any) -> Any:
    found = copy.deepcopy(data)
    at = found
    for key in path[:-1]:
        at = at[key]
    if change is None:
        del at[path[-1]]
    else:
        at[path[-1]] = change[0]
    return found


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
changes = st.none() | st.tuples(anything)


def commands(folder: Path) -> Iterator[list[str]]:
    one = str(folder / "r.json")
    yield ["show", one]
    yield ["merge", one, one, "-o", f"json:{folder / 'out'}"]
    yield ["compare", one, one]
    yield from (["show", one, "-o", f"{name}:{folder / 'out'}"] for name in FORMATS)


@settings(max_examples=30, deadline=None)
@given(place=st.sampled_from(list(places(WHOLE))), change=changes)
def test_a_report_that_was_edited_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], change: Any
) -> None:
    """By no command with a traceback, and by all alike."""
    folder = tmp_path_factory.mktemp("edited")
    (folder / "r.json").write_text(json.dumps(edited(WHOLE, place, change)))
    statuses = [main(command) for command in commands(folder)]
    assert set(statuses) <= {0} or set(statuses) == {2}


@settings(max_examples=40, deadline=None)
@given(place=st.sampled_from(list(places(BASELINE))), change=changes)
def test_a_baseline_that_was_edited_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], change: Any
) -> None:
    path = tmp_path_factory.mktemp("edited") / "b.json"
    path.write_text(json.dumps(edited(BASELINE, place, change)))
    with contextlib.suppress(InvalidArgument):
        baseline.render(baseline.read(path, "FILE")).encode("utf-8")


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (
            ("checks", 1, "verdict"),
            ["unsure"],
            "in which checks[1].verdict is unsure; it is truncated or edited",
        ),
        (("checks", 0, "worst", "margin"), ["much"], "in which checks[0].worst.margin is much"),
        (("checks", 0, "worst", "margin"), None, "which lacks 'margin' in checks[0].worst"),
        (("checks", 0, "methods", "central"), [3], "in which checks[0].methods.central is 3"),
        (("checks", 0, "examples"), [-1], "in which checks[0].examples is -1"),
        (("checks", 0, "culprit"), ["<b>"], "in which checks[0].culprit is <b>"),
        (("summary", "pass"), [True], "in which summary.pass is True"),
        (("summary",), None, "which lacks 'summary'"),
        (("coverage", "total"), None, "which lacks 'total' in coverage"),
        (("version",), [2], "and version 2; read it with the pytest-gradcheck that wrote it"),
        (("version",), ["1"], "and version '1'; give one of version 1"),
        (("format",), ["other"], "of format 'other' and version 1; give a file of format 'pytest-gradcheck'"),
    ],
)
def test_the_place_is_named(tmp_path: Path, place: tuple[Any, ...], change: Any, said: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(edited(WHOLE, place, change)))
    with pytest.raises(InvalidArgument) as caught:
        read(path, "REPORT")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("key", "reads"),
    [("location", True), ("message", True), ("functions", True), ("figures", True), ("nodeid", False)],
)
def test_what_the_first_reports_lacked_may_lack(tmp_path: Path, key: str, reads: bool) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(edited(WHOLE, ("checks", 0, key), None)))
    assert main(["show", str(path)]) == (0 if reads else 2)


def test_a_report_without_coverage_becomes_one_that_holds_to_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(edited(WHOLE, ("coverage",), None)))
    assert main(["show", str(path), "-o", str(tmp_path / "again.json")]) == 0
    standings("json", (tmp_path / "again.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, "\ud800", "NaN", "1" * 5000, "\x00"])
def test_no_file_is_too_odd_to_be_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InvalidArgument, match=r"^REPORT: got .*(not JSON|not a JSON object)"):
        read(path, "REPORT")


def test_what_is_read_is_written_as_it_was(tmp_path: Path) -> None:
    for name, data in (("whole", WHOLE), ("plain", report(("t.py::a", result())))):
        path = tmp_path / f"{name}.json"
        path.write_text(json_report.render(data), encoding="utf-8")
        assert main(["show", str(path), "-o", str(tmp_path / "again.json")]) == 0
        assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_a_number_that_json_does_not_know_is_as_it_should_be_written(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(edited(WHOLE, ("checks", 0, "worst", "margin"), [float("nan")])))
    assert read(path, "REPORT")["checks"][0]["worst"]["margin"] == "nan"
