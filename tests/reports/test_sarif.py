"""The SARIF report against the official schema, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_results import PROOF, report, result

from pytest_gradcheck.core.results import Diagnosis
from pytest_gradcheck.records.aggregate import Aggregate
from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.records.report import build
from pytest_gradcheck.reports import sarif

# The schema of OASIS as schemastore.org publishes it, without its blanks.
SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft4Validator(SCHEMA)


def log(*named: tuple[str, Any], line: int | None = 7, xfail: str | None = None) -> dict[str, Any]:
    recorder, aggregate = ResultBuffer(), Aggregate()
    for nodeid, one in named:
        recorder.add(nodeid, one)
        aggregate.take(recorder.drain({"path": nodeid.partition("::")[0], "line": line}))
        if xfail is not None:
            aggregate.expect_failure(nodeid, xfail)
    text = sarif.render(build(aggregate.checks(), aggregate.unchecked()))
    found: dict[str, Any] = json.loads(text.encode("utf-8"))
    VALIDATOR.validate(found)
    return found


def test_the_schema_can_fail() -> None:
    found = log(("t.py::a", result("fail")))
    found["runs"][0]["results"][0]["level"] = "bad"
    assert not VALIDATOR.is_valid(found)


def test_what_failed_or_is_open_is_a_result_with_its_place() -> None:
    (run,) = log(
        ("a b/t.py::good", result("pass")),
        ("a b/t.py::open", result("inconclusive", diagnosis=Diagnosis("jump", "it jumps"))),
        ("a b/t.py::bad", result("fail")),
    )["runs"]
    bad, still_open = run["results"]
    assert [(r["kind"], r["level"], r["ruleId"]) for r in (bad, still_open)] == [
        ("fail", "error", "wrong-values"),
        ("open", "none", "jump"),
    ]
    assert bad["message"]["text"].startswith("wrong gradient: f")
    (place,) = bad["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20b/t.py", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 7},
    }
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "a b/t.py::bad"
    assert [run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] for r in (bad, still_open)] == [
        "wrong-values",
        "jump",
    ]
    assert {v["nodeid"]: v["verdict"] for v in run["properties"]["verdicts"]} == {
        "a b/t.py::good": "pass",
        "a b/t.py::open": "inconclusive",
        "a b/t.py::bad": "fail",
    }


def test_an_expected_failure_is_suppressed() -> None:
    (run,) = log(("t.py::a", result("fail")), xfail="known")["runs"]
    assert run["results"][0]["suppressions"] == [{"kind": "inSource", "justification": "known"}]


def test_a_finding_keeps_its_fingerprint_when_its_line_moves() -> None:
    one, other = (log(("t.py::a", result("fail")), line=line)["runs"][0]["results"][0] for line in (7, 90))
    assert one["partialFingerprints"] == other["partialFingerprints"]
    for named in (("t.py::b", result("fail")), ("t.py::a", result("fail", name="g"))):
        third = log(named)["runs"][0]["results"][0]
        assert one["partialFingerprints"] != third["partialFingerprints"]


def test_the_gate_and_the_margins_are_in_the_properties() -> None:
    gate = [{"rule": "fail", "found": "1 check failed", "remedy": "fix it"}]
    (run,) = json.loads(sarif.render(report(("t.py::a", result("fail", margin=3.0)), gate=gate)))["runs"]
    assert run["properties"]["gate"] == gate
    assert run["results"][0]["properties"]["margin"] == 3.0


def test_the_properties_say_what_is_proved() -> None:
    (run,) = log(("t.py::a", result("fail", proofs=(PROOF,))), ("t.py::b", result("fail")))["runs"]
    proved, open_ = (r["properties"] for r in run["results"])
    assert (proved["proved"], open_["proved"]) == (True, False)
    assert [proof["digits"] for proof in proved["proofs"]] == [PROOF.digits]
    assert open_["proofs"] == []


def test_without_a_line_there_is_the_file() -> None:
    (run,) = log(("t.py::a", result("fail")), line=None)["runs"]
    assert "region" not in run["results"][0]["locations"][0]["physicalLocation"]


@pytest.mark.parametrize("margin", [float("nan"), float("inf"), 1e300])
def test_numbers_that_json_cannot_hold(margin: float) -> None:
    log(("t.py::a", result("fail", margin=margin)))


@given(st.text(), st.text(min_size=1), st.sampled_from(["pass", "fail", "inconclusive"]))
def test_any_text_is_valid(name: str, nodeid: str, verdict: str) -> None:
    (run,) = log((nodeid, result(verdict, name=name, diagnosis=Diagnosis("a-code", name))))["runs"]
    assert run["properties"]["verdicts"][0]["verdict"] == verdict
