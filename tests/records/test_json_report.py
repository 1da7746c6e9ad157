"""The JSON report against its schema, and as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from sample_results import PLACE, result

from pytest_gradcheck.core.results import Pair, Verdict, Worst
from pytest_gradcheck.methods.names import METHOD_NAMES
from pytest_gradcheck.records import gradient_coverage
from pytest_gradcheck.records.aggregate import Aggregate
from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.records.load import schema
from pytest_gradcheck.records.report import build
from pytest_gradcheck.reports import json_report

SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def report(*results: Any, nodeid: str = "t.py::test_a") -> dict[str, Any]:
    recorder, aggregate = ResultBuffer(), Aggregate()
    for one in results:
        recorder.add(nodeid, one)
    aggregate.take(recorder.drain())
    return build(aggregate.checks(), aggregate.unchecked())


def strict(text: str) -> Any:
    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_its_lists_are_those_of_the_package() -> None:
    shapes = SCHEMA["$defs"]
    assert shapes["method_name"]["enum"] == list(METHOD_NAMES)
    assert shapes["verdict"]["enum"] == list(Verdict)
    assert shapes["hand_written"]["properties"]["ran"]["items"]["enum"] == list(gradient_coverage.WAYS)
    assert set(report(result())["checks"][0]) == set(shapes["check"]["properties"])


@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive"])
def test_every_verdict_holds_to_the_schema(verdict: str) -> None:
    data = strict(json_report.render(report(result(verdict))))
    VALIDATOR.validate(data)
    assert data["checks"][0]["verdict"] == verdict


def test_numbers_that_json_cannot_hold_are_strings() -> None:
    worst = Worst(
        PLACE, {"user": math.nan, "central": -math.inf}, {"user": math.inf, "central": 0.0}, math.nan, 0.0
    )
    pair = Pair("central", "user", math.inf, math.nan, None, math.inf, None)
    data = strict(json_report.render(report(result("fail", worst=worst, pairs=(pair,)))))
    VALIDATOR.validate(data)
    (check,) = data["checks"]
    assert check["worst"]["values"] == {"user": "nan", "central": "-inf"}
    assert (check["pairs"][0]["max_abs"], check["pairs"][0]["max_rel"]) == ("inf", "nan")


@pytest.mark.parametrize(
    "text", ["<script>alert('é')</script>", "a\nb\x00c", "\ud800 alone", "日本 🦊", '"}],']
)
def test_any_text_is_valid(text: str) -> None:
    one = result("fail", name=text, inputs={"x": text})
    data = strict(
        json_report.render(report(one, nodeid=f"t.py::test_a[{text}]")).encode("utf-8").decode("utf-8")
    )
    VALIDATOR.validate(data)
    assert data["checks"][0]["name"] == text.encode("utf-8", "backslashreplace").decode("utf-8")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "other"),
        (("version",), 2),
        (("summary", "fail"), -1),
        (("checks", 0, "verdict"), "unsure"),
        (("checks", 0, "examples"), 0),
        (("checks", 0, "worst", "margin"), "many"),
        (("checks", 0, "methods", "central", "status"), "fine"),
        (("checks", 0, "diagnosis", "code"), "Not A Code"),
        (("checks", 0, "nodeid"), ""),
    ],
)
def test_the_schema_can_fail(path: tuple[Any, ...], value: Any) -> None:
    data = report(result())
    VALIDATOR.validate(data)
    target: Any = data
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    assert not VALIDATOR.is_valid(data)


def test_what_the_design_promises_is_required() -> None:
    promised = {
        "nodeid", "name", "verdict", "culprit", "examples", "inconclusive_examples", "order", "methods",
        "pairs", "worst", "diagnosis", "sensitivity", "reproduce",
    }  # fmt: skip
    assert promised <= set(SCHEMA["$defs"]["check"]["required"])
    assert set(SCHEMA["required"]) == {"format", "version", "environment", "summary", "checks", "coverage"}
