"""Reports of several runs made into one: nothing is lost, in whatever groups, and conflicts are reported."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_results import PLACE, result

from pytest_gradcheck.core.results import HandWritten, MethodResult, Status, Worst
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.records import gradient_coverage
from pytest_gradcheck.records.aggregate import Aggregate
from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.records.load import read, schema
from pytest_gradcheck.records.merge import merge
from pytest_gradcheck.records.record import Stopped
from pytest_gradcheck.records.report import build

SCHEMA = schema()
CHECK = jsonschema.Draft202012Validator({"$ref": "#/$defs/check", "$defs": SCHEMA["$defs"]})
VERDICTS = ("pass", "fail", "inconclusive")


def report(
    *named: tuple[str, Any],
    marked: tuple[str, ...] = (),
    python: str = "3.11",
    xfail: tuple[str, ...] = (),
    stopped: Stopped | None = None,
) -> dict[str, Any]:
    recorder, aggregate = ResultBuffer(), Aggregate()
    for nodeid, one in named:
        recorder.add(nodeid, one)
    aggregate.take(recorder.drain(None, stopped))
    for nodeid in marked:
        aggregate.mark(nodeid)
    for nodeid in xfail:
        aggregate.expect_failure(nodeid, f"known in {python}")
    environment = {"python": python, "packages": {"numpy": python}}
    return build(aggregate.checks(), aggregate.unchecked(), environment=environment)


@st.composite
def results(draw: st.DrawFn) -> Any:
    margin = draw(st.sampled_from([0.0, 0.5, 2.0, math.inf, math.nan]))
    methods = {
        name: MethodResult(Status.OK, evaluations=draw(st.integers(0, 9)), seconds=draw(st.floats(0, 100)))
        for name in draw(st.sets(st.sampled_from(["central", "torch", "user"]), min_size=1))
    }
    worst = draw(st.sampled_from([None, Worst(PLACE, {"user": margin}, {"user": 0.0}, margin, 1.0)]))
    name = draw(st.sampled_from(["f", "g"]))
    ways = st.sets(st.sampled_from(["forward", "backward", "double-backward"]))
    functions = tuple(
        HandWritten(f"mine.{which}", "mine.py", 1, 2, tuple(sorted(draw(ways))))
        for which in sorted(draw(st.sets(st.sampled_from("AB"))))
    )
    changes = {"name": name, "methods": methods, "worst": worst, "functions": functions}
    return result(draw(st.sampled_from(VERDICTS)), **changes)


NODEIDS = st.sampled_from(["t.py::a", "t.py::b"])
reports = st.builds(
    lambda named, marked, python, xfail, stopped: report(
        *named, marked=tuple(marked), python=python, xfail=tuple(xfail), stopped=stopped
    ),
    st.lists(st.tuples(NODEIDS, results()), max_size=4),
    st.sets(st.sampled_from(["t.py::a", "t.py::c"])),
    st.sampled_from(["3.11", "3.12"]),
    st.sets(NODEIDS),
    st.none() | st.builds(Stopped, st.integers(0, 9), st.just(9), st.just(1.0), st.booleans()),
)


# To draw a report takes longer than to merge it.
few = settings(max_examples=30, deadline=None)


@few
@given(reports, reports, reports)
def test_the_grouping_does_not_matter(a: Any, b: Any, c: Any) -> None:
    whole = merge([a, b, c])
    assert merge([merge([a, b]), c]) == whole
    assert merge([a, merge([b, c])]) == whole
    for check in whole["checks"]:
        CHECK.validate(check)


@few
@given(st.lists(reports, min_size=1, max_size=4))
def test_every_example_and_every_evaluation_is_counted(all_of_them: list[Any]) -> None:
    whole = merge(all_of_them)

    def total(key: str, data: Any) -> int:
        return sum(check[key] for check in data["checks"])

    def evaluations(data: Any) -> int:
        return sum(m["evaluations"] for check in data["checks"] for m in check["methods"].values())

    for key in ("examples", "inconclusive_examples"):
        assert total(key, whole) == sum(total(key, one) for one in all_of_them)
    assert evaluations(whole) == sum(evaluations(one) for one in all_of_them)
    failed = {
        (c["nodeid"], c["name"]) for one in all_of_them for c in one["checks"] if c["verdict"] == "fail"
    }
    assert failed == {(c["nodeid"], c["name"]) for c in whole["checks"] if c["verdict"] == "fail"}
    assert whole["summary"]["checks"] == len(whole["checks"])


@few
@given(st.lists(reports, min_size=1, max_size=4), st.randoms())
def test_what_is_said_of_a_check_is_of_all_its_runs_in_any_order(all_of_them: list[Any], random: Any) -> None:
    met: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for one in all_of_them:
        for check in one["checks"]:
            key = (check["nodeid"], check["name"])
            met.setdefault(key, []).append((check["verdict"], bool(check["xfail"])))
    merged = merge(random.sample(all_of_them, len(all_of_them)))

    def keys(entries: list[Any]) -> list[tuple[str, str]]:
        return [(entry["nodeid"], entry["name"]) for entry in entries]

    failed = {key for key, said in met.items() if any(v == "fail" for v, _ in said)}
    assert keys(merged["merged"]["duplicates"]) == sorted(key for key, said in met.items() if len(said) > 1)
    assert keys(merged["merged"]["conflicts"]) == sorted(
        k for k in failed if {v for v, _ in met[k]} != {"fail"}
    )
    assert keys(merged["checks"]) == sorted(met)
    assert {key for key, c in zip(keys(merged["checks"]), merged["checks"], strict=True) if c["xfail"]} == {
        key for key in failed if ("fail", False) not in met[key]
    }
    assert {k: merge(all_of_them)[k] for k in ("summary", "unchecked", "merged", "environment")} == {
        k: merged[k] for k in ("summary", "unchecked", "merged", "environment")
    }


def test_a_failure_that_is_expected_elsewhere_is_not_excused() -> None:
    here = report(("t.py::a", result("fail")))
    there = report(("t.py::a", result("fail")), xfail=("t.py::a",))
    for pair in ((here, there), (there, here)):
        assert merge(pair)["checks"][0]["xfail"] is None
    assert merge((there, there))["checks"][0]["xfail"] == "known in 3.11"
    assert merge((there, report(("t.py::a", result()))))["checks"][0]["xfail"] == "known in 3.11"


def test_duplicates_and_conflicts_are_told() -> None:
    a = report(("t.py::a", result("pass")), ("t.py::b", result("pass")), ("t.py::c", result("pass")))
    b = report(("t.py::b", result("inconclusive")), ("t.py::c", result("fail")), ("t.py::d", result("fail")))
    whole = merge([a, b])
    assert [entry["nodeid"] for entry in whole["merged"]["duplicates"]] == ["t.py::b", "t.py::c"]
    assert [entry["nodeid"] for entry in whole["merged"]["conflicts"]] == ["t.py::c"]
    assert {c["nodeid"][-1]: c["verdict"] for c in whole["checks"]} == {
        "a": "pass",
        "b": "pass",
        "c": "fail",
        "d": "fail",
    }


def test_coverage_is_of_the_checks_of_all() -> None:
    def shard(nodeid: str, verdict: str, *names: str) -> dict[str, Any]:
        functions = [HandWritten(f"mine.{name}", "mine.py", 1, 2, ("backward",)) for name in names]
        data = report((nodeid, result(verdict, functions=tuple(functions))))
        known = [HandWritten(f"mine.{n}", "mine.py", 1, 2).to_dict() | {"imported": True} for n in "ABC"]
        return {**data, "coverage": gradient_coverage.build(["mine"], known, data["checks"])}

    shards = [shard("t.py::a", "pass", "A"), shard("t.py::b", "pass", "B"), shard("t.py::c", "fail", "C")]
    whole = merge([*shards, report()])["coverage"]
    assert (whole["covered"], whole["total"], whole["packages"]) == (2, 3, ["mine"])
    assert [g["tests"] for g in whole["gradients"]] == [["t.py::a"], ["t.py::b"], []]
    assert merge([merge(shards[:2]), shards[2]])["coverage"] == whole
    assert merge([report(), report()])["coverage"] == {}


def test_times_are_the_same_in_whatever_groups_they_are_added() -> None:
    spent = [{"user": MethodResult(Status.OK, seconds=seconds)} for seconds in (0.1, 0.2, 0.3)]
    a, b, c = (report(("t.py::a", result(methods=methods))) for methods in spent)
    for whole in (merge([a, b, c]), merge([merge([a, b]), c]), merge([a, merge([b, c])])):
        assert whole["checks"][0]["methods"]["user"]["seconds"] == 0.6


def test_a_marked_test_is_unchecked_if_no_run_checked_it() -> None:
    a = report(marked=("t.py::a", "t.py::b"))
    whole = merge([a, report(("t.py::b", result()))])
    assert whole["unchecked"] == ["t.py::a"]
    assert whole["summary"]["not_checked"] == 1


def test_where_the_environments_differ_all_are_named() -> None:
    whole = merge([report(python="3.12"), report(python="3.11"), report(python="3.12")])
    assert whole["environment"] == {"python": "3.11 / 3.12", "packages": {"numpy": "3.11 / 3.12"}}
    more = report()
    more["environment"]["platform"] = "Linux"
    for pair in ((report(), more), (more, report())):
        assert merge(pair)["environment"]["platform"] == "Linux"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": "pytest-gradcheck", "ver', "which is not JSON"),
        ('{"format": "pytest-gradcheck-baseline", "version": 1}', "of format 'pytest-gradcheck-baseline'"),
        (
            '{"format": "pytest-gradcheck", "version": 9}',
            "version 9; read it with the pytest-gradcheck that wrote it",
        ),
        ('{"format": "pytest-gradcheck", "version": 1}', "which lacks 'checks'"),
        ('{"format": "pytest-gradcheck", "version": 1, "checks": []}', "which lacks 'environment'"),
        ('{"format": "pytest-gradcheck", "version": 1, "checks": [{}]}', "which lacks 'nodeid'"),
    ],
)
def test_what_is_no_report_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=f"^REPORT: got .*{message}"):
        read(path, "REPORT")
