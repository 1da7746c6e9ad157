"""The message of a failed test, from results alone."""

from __future__ import annotations

import dataclasses

import pytest
from sample_results import result

from pytest_gradcheck.core.results import GradientMismatch, MethodResult, Status
from pytest_gradcheck.plugin.failure_message import MAX_LINES, failure_message

MANY = {
    name: MethodResult(Status.ERROR, "why " * 30)
    for name in ("central", "forward", "reference", "torch", "user")
}


def test_other_errors_have_no_message_of_ours() -> None:
    assert failure_message(ValueError("x"), marked=True) is None
    assert failure_message(ExceptionGroup("g", [ValueError("x")]), marked=False) is None


def test_the_input_is_shown_once_as_the_line_to_paste() -> None:
    found = failure_message(GradientMismatch(result("fail")), marked=True)
    assert found is not None
    assert found.splitlines()[-1] == "  try again: @example(x=np.array([1.0, 2.0]))"
    assert found.count("np.array([1.0, 2.0])") == 1


def test_a_fixture_s_message_is_the_result_s() -> None:
    one = result("fail")
    assert failure_message(GradientMismatch(one), marked=False) == str(one)


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_no_message_is_longer_than_it_may_be(marked: bool, count: int) -> None:
    errors: list[Exception] = [GradientMismatch(result("fail", methods=MANY)) for _ in range(count)]
    group = ExceptionGroup(f"{count} failures", [*errors, *(ValueError(str(i)) for i in range(count))])
    for error in (errors[0], group):
        found = failure_message(error, marked=marked)
        assert found is not None
        assert len(found.splitlines()) <= MAX_LINES
        assert "wrong gradient: f" in found


def test_what_is_cut_is_said_and_the_line_to_paste_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_gradcheck.core.results import CheckResult

    monkeypatch.setattr(CheckResult, "__str__", lambda self: "\n".join(map(str, range(100))))
    found = failure_message(GradientMismatch(result("fail")), marked=True)
    assert found is not None
    lines = found.splitlines()
    assert len(lines) == MAX_LINES
    assert lines[-1].startswith("  try again: @example(")
    assert any("more lines; -vv shows them" in line for line in lines)


def test_a_flaky_failure_says_so_first() -> None:
    group = ExceptionGroup("Inconsistent results", [GradientMismatch(result("fail"))])
    found = failure_message(group, marked=True)
    assert found is not None
    assert found.splitlines()[:2] == ["Inconsistent results", "wrong gradient: f"]


def test_of_several_failures_the_one_that_names_a_culprit_comes_first() -> None:
    named = result("fail")
    nobody = dataclasses.replace(named, name="g", culprit=None)
    group = ExceptionGroup("2 failures", [GradientMismatch(nobody), GradientMismatch(named)])
    found = failure_message(group, marked=True)
    assert found is not None
    assert [line for line in found.splitlines() if line.startswith("wrong")] == [
        "wrong gradient: f",
        "wrong gradient: g",
    ]


def test_one_fault_is_one_failure() -> None:
    first = result("fail", culprit="torch", order=1)
    second, split = dataclasses.replace(first, order=2), dataclasses.replace(first, culprit=None)
    other = dataclasses.replace(first, culprit="user")
    group = ExceptionGroup("3 distinct failures", [*map(GradientMismatch, (second, split, first))])
    found = failure_message(group, marked=True)
    assert found is not None
    assert found.splitlines()[0] == "wrong gradient: f"
    assert found.count("wrong gradient") == 1
    both = failure_message(
        ExceptionGroup("2 distinct failures", [*map(GradientMismatch, (first, other))]), marked=True
    )
    assert both is not None
    assert both.splitlines()[0] == "2 distinct failures"
    assert both.count("wrong gradient: f") == 2
    alone = failure_message(ExceptionGroup("x", [*map(GradientMismatch, (split, split))]), marked=True)
    assert alone is not None
    assert alone.count("wrong gradient: f") == 1
