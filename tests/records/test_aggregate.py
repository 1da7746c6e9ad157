"""Many results under one name, and many records of one check."""

from __future__ import annotations

import functools
import itertools
import math
import threading
from typing import Any

import numpy as np
import pytest
from sample_results import result

from pytest_gradcheck.core.results import Diagnosis, HandWritten
from pytest_gradcheck.records.aggregate import Aggregate
from pytest_gradcheck.records.buffer import ResultBuffer
from pytest_gradcheck.records.inconclusive import in_words
from pytest_gradcheck.records.record import Stopped, margin, merge_records, plain_data


def record(*results: Any, nodeid: str = "t.py::a") -> dict[str, Any]:
    recorder = ResultBuffer()
    for one in results:
        recorder.add(nodeid, one)
    (only,) = recorder.drain()
    return only


def test_examples_and_costs_are_summed() -> None:
    found = record(result(), result("inconclusive"), result(margin=0.75))
    assert (found["examples"], found["inconclusive_examples"]) == (3, 1)
    effort = {"evaluations": 12, "calls": 6, "seconds": 0.75}
    assert found["methods"]["central"] == {"status": "ok", "reason": None, "note": None, **effort}
    assert found["methods"]["torch"]["reason"] == "torch is not installed"
    assert found["worst"]["margin"] == 0.75
    assert found["message"] == str(result(margin=0.75))


def test_gradients_written_by_hand_are_those_of_examples_that_passed() -> None:
    def through(name: str, *ran: str) -> Any:
        return (HandWritten(name, "m.py", 1, 2, ran),)

    found = record(
        result(functions=through("mine.A", "forward", "backward")),
        result(functions=through("mine.A", "double-backward")),
        result("fail", functions=through("mine.B", "forward", "backward")),
        result("inconclusive", functions=through("mine.C", "forward", "backward")),
    )
    assert [(f["name"], f["ran"]) for f in found["functions"]] == [
        ("mine.A", ["backward", "double-backward", "forward"])
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_of_searches_that_were_stopped_the_one_that_came_farthest_is_kept(order: int) -> None:
    def stopped(after: int) -> dict[str, Any]:
        recorder = ResultBuffer()
        recorder.add("t.py::a", result())
        (only,) = recorder.drain(None, Stopped(after, 100, 5.0, False))
        return only

    one, two = [stopped(3), stopped(41)][::order]
    assert merge_records(one, two)["stopped"]["after"] == 41
    assert merge_records(one, record(result()))["stopped"] == one["stopped"]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["pass", "fail", "pass"], "fail"),
        (["inconclusive", "pass"], "pass"),
        (["pass", "inconclusive"], "pass"),
        (["inconclusive"], "inconclusive"),
        (["fail", "inconclusive"], "fail"),
    ],
)
def test_one_failure_is_a_failure_and_one_conclusion_a_conclusion(verdicts: list[str], expected: str) -> None:
    assert record(*map(result, verdicts))["verdict"] == expected


def test_the_last_failure_is_kept_and_the_tightest_pass() -> None:
    big, small = (result("fail", margin=m, inputs={"x": str(m)}) for m in (9.0, 2.0))
    assert record(big, small)["inputs"] == {"x": "2.0"}
    assert record(result(margin=0.9), result(margin=0.1))["worst"]["margin"] == 0.9
    assert record(result(margin=0.1), result(margin=math.nan), result(margin=0.9))["worst"]["margin"] == "nan"


def test_drained_results_do_not_come_again() -> None:
    recorder = ResultBuffer()
    recorder.add("t.py::a", result())
    assert len(recorder.drain()) == 1
    assert recorder.drain() == []


def test_a_test_that_is_interrupted_while_it_is_drawn_loses_nothing_and_is_not_drawn_again() -> None:
    drawn = []

    def interrupted() -> Any:
        drawn.append(1)
        raise KeyboardInterrupt

    recorder = ResultBuffer(figures=True)
    recorder.add("t.py::a", result(name="f", figures=interrupted))
    recorder.add("t.py::a", result(name="g"))
    with pytest.raises(KeyboardInterrupt):
        recorder.drain()
    assert [(r["name"], r["examples"]) for r in recorder.drain(interrupted=True)] == [("f", 1), ("g", 1)]
    assert drawn == [1]


def test_checks_of_several_names_and_threads_are_kept_apart() -> None:
    recorder = ResultBuffer()

    def work(name: str) -> None:
        for _ in range(200):
            recorder.add("t.py::a", result(name=name))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((r["name"], r["examples"]) for r in recorder.drain()) == [("a", 400), ("b", 400)]


def test_merging_records_is_what_recording_together_is() -> None:
    pool = [
        result(),
        result("inconclusive"),
        result("fail", margin=3.0),
        result("fail", margin=2.0),
        result(margin=0.9),
    ]
    for order in itertools.permutations(pool):
        parts = [record(one) for one in order]
        together = record(*order)
        assert functools.reduce(merge_records, parts) == together
        assert merge_records(parts[0], functools.reduce(merge_records, parts[1:])) == together


def test_merging_does_not_depend_on_when_most_were_inconclusive() -> None:
    pool = [
        result(margin=0.9, diagnosis=Diagnosis("agree", "the first")),
        result(),
        result("inconclusive", diagnosis=Diagnosis("jump", "at 1")),
        result("inconclusive", diagnosis=Diagnosis("jump", "at 2")),
        result("inconclusive", diagnosis=Diagnosis("noise", "90 dB")),
    ]
    for count in (3, 5):
        for order in itertools.permutations(pool, count):
            parts = [record(one) for one in order]
            together = record(*order)
            assert functools.reduce(merge_records, parts) == together
            assert merge_records(parts[0], functools.reduce(merge_records, parts[1:])) == together
            doubtful = sum(one.verdict == "inconclusive" for one in order)
            assert together["verdict"] == ("inconclusive" if 2 * doubtful > count else "pass")


def test_most_inconclusive_examples_make_a_check_inconclusive() -> None:
    jump = result("inconclusive", diagnosis=Diagnosis("jump", "it jumps at 1"), reproduce="f(1.0)")
    noise = result("inconclusive", diagnosis=Diagnosis("noise", "90 dB"))
    found = record(result(), noise, jump, jump)
    assert found["verdict"] == "inconclusive"
    text = "3 of 4 examples were inconclusive, most of them because: it jumps at 1"
    assert found["diagnosis"] == {"code": "jump", "text": text}
    assert found["reproduce"] == "f(1.0)"
    assert found["message"].splitlines()[1:] == [f"  diagnosis: {text} [jump]", "  reproduce: f(1.0)"]
    assert found["passed"]["diagnosis"]["code"] == "agree"
    assert in_words(found) == "3 of 4 examples inconclusive: jump 2, noise 1"
    assert record(result(), result(), noise, jump)["verdict"] == "pass"
    assert record(result("fail"), noise, jump, jump)["verdict"] == "fail"


def test_the_order_of_checks_does_not_depend_on_who_was_first() -> None:
    records = [record(result(name=n), nodeid=f"t.py::{t}") for t in "ab" for n in "fg"]
    for order in itertools.permutations(records):
        aggregate = Aggregate()
        aggregate.take(order)
        assert aggregate.checks() == records


def test_summary() -> None:
    aggregate = Aggregate()
    for nodeid, verdict in (("a", "pass"), ("b", "fail"), ("c", "inconclusive")):
        aggregate.mark(nodeid)
        aggregate.take([record(result(verdict), nodeid=nodeid)])
    aggregate.mark("skipped")
    assert aggregate.summary() == {
        "checks": 3,
        "pass": 1,
        "fail": 1,
        "expected": 0,
        "inconclusive": 1,
        "test_failed": 0,
        "not_checked": 1,
    }
    aggregate.forget("b")
    assert aggregate.summary()["fail"] == 0


def test_a_file_name_that_no_encoding_holds_is_one_test() -> None:
    nodeid = "t\udcff.py::a"
    aggregate = Aggregate()
    aggregate.take([record(result("fail"), nodeid=nodeid)])
    aggregate.mark(nodeid)
    aggregate.expect_failure(nodeid, "known")
    assert aggregate.unchecked() == []
    assert [c["xfail"] for c in aggregate.checks()] == ["known"]
    aggregate.forget(nodeid)
    assert aggregate.checks() == []


def test_an_expected_failure_is_noted_on_failing_checks_of_that_test_alone() -> None:
    aggregate = Aggregate()
    aggregate.take([record(result("fail"), nodeid=n) for n in "ab"] + [record(result(name="g"), nodeid="a")])
    aggregate.expect_failure("a", "known")
    assert [(c["nodeid"], c["name"], c["xfail"]) for c in aggregate.checks()] == [
        ("a", "f", "known"),
        ("a", "g", None),
        ("b", "f", None),
    ]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (float("-inf"), "-inf"),
        ((1, np.nan, {np.int8(1): "x"}), [1, "nan", {"1": "x"}]),
        ("\ud800", "\\ud800"),
        (None, None),
        (True, True),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_plain_data(value: Any, plain: Any) -> None:
    found = plain_data(value)
    assert found == plain
    assert type(found) is type(plain)


def test_a_check_without_a_worst_entry_has_no_margin() -> None:
    assert margin(record(result("inconclusive", worst=None))) == 0.0
    assert margin(record(result(margin=math.inf))) == math.inf
    assert margin(record(result(margin=math.nan))) == math.inf


def test_a_test_that_was_misused_is_listed_until_it_runs_again() -> None:
    aggregate = Aggregate()
    aggregate.misuse("t.py::b", "inputs: got none; give one array")
    aggregate.misuse("t.py::a", "eps: got an option that does not exist; step= sets one")
    assert [one["nodeid"] for one in aggregate.misused()] == ["t.py::a", "t.py::b"]
    aggregate.forget("t.py::a")
    assert aggregate.misused() == [{"nodeid": "t.py::b", "message": "inputs: got none; give one array"}]
