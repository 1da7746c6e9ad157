"""How Hypothesis searches: its input, its target, and what keeps it from slipping."""

from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis.internal.observability as observability
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_gradcheck.core.results import CheckResult, Diagnosis, GradientMismatch, Pair, Verdict
from pytest_gradcheck.plugin.search import Search, kind


def result(verdict: str, number: int, *, culprit: str | None = "user") -> CheckResult:
    diagnosis = Diagnosis("sign", f"at {number}")
    return CheckResult("f", Verdict(verdict), culprit if verdict == "fail" else None, {}, (), None, diagnosis)


def hunt(verdict: Any, *, max_examples: int = 200) -> tuple[list[str], GradientMismatch]:
    """Search the numbers below 10 000; return what was asked, and the failure that the search ends with."""
    search, asked = Search(None), []

    @settings(max_examples=max_examples, derandomize=True, database=None)
    @given(n=st.integers(0, 10_000))
    def run(n: int) -> None:
        def ask(*, brief: bool) -> CheckResult:
            asked.append(f"{'brief' if brief else 'full'} {n}")
            return result(verdict(n, brief), n)

        search.look(ask, {"n": n}, lambda _: None)

    with pytest.raises(GradientMismatch) as caught:
        run()
    return asked, caught.value


def test_variants_of_a_failure_are_checked_briefly_and_once_and_the_last_one_in_full() -> None:
    asked, error = hunt(lambda n, brief: "fail" if n > 500 else "pass")
    assert error.result.diagnosis.text == "at 501"
    assert len(set(asked)) == len(asked)
    first = next(i for i, what in enumerate(asked) if int(what.split()[1]) > 500)
    assert all(what.startswith("full") for what in asked[: first + 1])
    assert all(what.startswith("brief") for what in asked[first + 1 : -1])
    assert asked[-1] == "full 501"


def test_a_failure_that_a_full_look_does_not_see_gives_way_to_one_that_it_saw() -> None:
    asked, error = hunt(lambda n, brief: "fail" if n > (500 if brief else 2000) else "inconclusive")
    assert asked[-1] == "full 501"
    assert int(error.result.diagnosis.text.split()[1]) > 2000
    assert f"full {error.result.diagnosis.text.split()[1]}" in asked


def test_differences_that_differ_make_no_other_failure_of_a_broken_property() -> None:
    broken = result("fail", 1)
    pair = Pair("central", "forward", 1.0, 1.0, None, 0.5, False)
    assert kind(dataclasses.replace(broken, pairs=(pair,))) is kind(broken)
    worse = dataclasses.replace(pair, b="user")
    assert kind(dataclasses.replace(broken, pairs=(worse,))) is not kind(broken)


def test_an_example_keeps_its_culprit_while_it_shrinks(project: Any) -> None:
    """Below 3 only the gradient by hand is wrong: without care the failure of torch's would slide there."""
    project.write(
        test_it="""
        import torch
        from pytest_gradcheck import tensors

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return torch.where(x > 3, 3 * x, 2 * x) * g

        @pytest.mark.gradcheck(
            x=tensors((), min_value=1), gradient=lambda x: torch.where(x < 3, 5 * x, 2 * x)
        )
        @settings(max_examples=60)
        def test_a(x):
            return Square.apply(x)
        """
    )
    out = project.run().stdout
    out.fnmatch_lines(["*2 distinct failures*"])
    lines = [line.strip() for line in out.lines]
    culprits = [line.split()[1] for line in lines if line.startswith("culprit:")]
    points = [line for line in lines if line.startswith("try again:")]
    assert dict(zip(culprits, points, strict=True)) == {
        "user": "try again: @example(x=torch.tensor(1.0, dtype=torch.float64))",
        "torch": "try again: @example(x=torch.tensor(4.0, dtype=torch.float64))",
    }


def test_the_statistics_count_verdicts_kinks_and_edges_and_show_the_largest_margin(project: Any) -> None:
    project.write(
        test_it="""
        from pytest_gradcheck import arrays, scalars

        @pytest.mark.gradcheck(x=st.sampled_from([0.0, 1.0, 2.0]), methods=("central", "reference"))
        def test_kink(x):
            return np.maximum(x, 0.0) + np.floor(x)

        @pytest.mark.gradcheck(x=scalars(min_value=1.0, max_value=1.5))
        def test_edge(x):
            return x * x

        @pytest.mark.gradcheck(x=numbers, methods=("central", "user"), gradient=lambda x: 2 * x * (1 + 3e-7))
        def test_margin(x):
            return x * x

        @pytest.mark.gradcheck(x=st.sampled_from([0.0, 1.0]))
        def test_relu(x):
            return np.maximum(x, 0.0)
        """
    )
    out = project.run("--hypothesis-show-statistics").stdout
    out.fnmatch_lines(
        ["*::test_kink:", "*%, gradcheck: inconclusive, jump", "*::test_edge:", "*, gradcheck: pass"]
    )
    out.fnmatch_lines(["*::test_edge:", "*%, gradcheck: one-sided", "*::test_margin:"])
    out.fnmatch_lines(["*::test_margin:", "*Highest target score: -0.5* (label='margin of test_margin')"])
    out.fnmatch_lines(["*::test_relu:", "*%, gradcheck: kink"])


def test_the_error_of_a_difference_is_nothing_to_climb_on(project: Any) -> None:
    project.write(
        test_it="""
        import torch
        from pytest_gradcheck import tensors

        def slope(x):
            return 2 * x * (1 + 3e-7)

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, g):
                return g * slope(*ctx.saved_tensors)

        @pytest.mark.gradcheck(
            x=tensors((), min_value=1, max_value=2), methods=("central", "torch", "user"), gradient=slope
        )
        def test_a(x):
            return Square.apply(x)
        """
    )
    result = project.run("--hypothesis-show-statistics")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*Highest target score*")


def test_a_fixture_that_checks_often_in_one_example(project: Any) -> None:
    project.write(
        test_it="""
        def nearly(x):
            return 2 * x * (1 + 3e-7)

        @given(x=numbers)
        def test_a(gradcheck, x):
            for _ in range(3):
                gradcheck(lambda x: x * x, x, gradient=nearly, methods=("central", "user"), name="f")

        def test_b(gradcheck):
            gradcheck(lambda x: x * x, 1.0, gradient=nearly, methods=("central", "user"))
        """
    )
    result = project.run("--hypothesis-show-statistics")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*Highest target score: * (label='margin of f')"])


def test_observations_are_made(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers, methods=("central", "user"), gradient=lambda x: 2 * x * (1 + 3e-7))
        def test_a(x):
            return x * x

        @pytest.mark.gradcheck(x=numbers, methods=("central", "user"), gradient=lambda x: 3 * x)
        def test_b(x):
            return x * x
        """
    )
    seen: list[Any] = []
    with observability.with_observability_callback(seen.append):
        project.run().assert_outcomes(passed=1, failed=1)
    cases = [o for o in seen if o.type == "test_case"]
    passed = [o for o in cases if o.property.endswith("test_a")]
    assert {o.status for o in passed} == {"passed"}
    assert all("gradcheck: pass" in o.features for o in passed)
    assert any("margin of test_a" in str(o.features) for o in passed)
    assert [o.status for o in cases if o.property.endswith("test_b")].count("failed") > 1


def test_a_remembered_failure_comes_first_and_alone(project: Any) -> None:
    """A failure in the database is replayed, and nothing else is drawn."""
    project.remember_failures()
    project.write(
        test_it="""
        from pytest_gradcheck import arrays

        @pytest.mark.gradcheck(x=arrays(3), gradient=lambda x: 2 * x + (x > 1), methods=("central", "user"))
        def test_a(x):
            return (x * x).sum()
        """
    )
    lines = []
    for _ in range(2):
        run = project.run("--gradcheck-report=report.json")
        run.assert_outcomes(failed=1)
        lines.append([line for line in run.outlines if "try again" in line])
    assert lines[0] == lines[1]
    assert project.report()["checks"][0]["examples"] == 2


@pytest.mark.parametrize(("seconds", "limit"), [(0.001, 60.0), (1.0, 2000.0)])
def test_a_failing_example_is_made_smaller_for_a_minute_or_ten_times_a_passing_test(
    monkeypatch: pytest.MonkeyPatch, seconds: float, limit: float
) -> None:
    """No clock decides a verdict: the failure is known, and the smallest example so far is reported."""
    now, failed = [0.0], []
    monkeypatch.setattr("pytest_gradcheck.plugin.search.time.monotonic", lambda: now[0])

    def verdict(n: int, brief: bool) -> str:
        # The third variant takes longer than there is time.
        failed.extend([n] if brief else [])
        now[0] += (1.1 * limit if len(failed) == 3 else 0.0) if brief else seconds
        return "fail" if n > 500 else "pass"

    asked, error = hunt(verdict)
    assert len([what for what in asked if what.startswith("brief")]) == 3
    assert asked[-1].startswith("full")
    assert int(error.result.diagnosis.text.split()[1]) > 500
