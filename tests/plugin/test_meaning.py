"""What a test says by other means than a gradient keeps its meaning inside a marked body."""

from __future__ import annotations

from typing import Any


def test_skip(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers)
        def test_a(x):
            pytest.skip("not today")

        @pytest.mark.gradcheck(x=numbers)
        def test_late(x):
            if x != 1.0 and not isinstance(x, float):
                pytest.skip("the recording is reached")
            return x * x

        @pytest.mark.skip(reason="never")
        @pytest.mark.gradcheck(x=numbers)
        def test_b(x):
            return x
        """
    )
    result = project.run("-rs", "--gradcheck-report=report.json")
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines_random(
        ["SKIPPED * not today", "SKIPPED * never", "SKIPPED * the recording *"]
    )
    assert project.report()["summary"]["not_checked"] >= 2


def test_assume_rejects_the_example(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers, gradient=lambda x: 2 * x if x < 1.5 else 3 * x)
        def test_a(x):
            assume(x < 1.4)
            return x * x

        @pytest.mark.gradcheck(x=numbers)
        def test_never(x):
            assume(False)
            return x * x
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FailedHealthCheck: It looks like this test is filtering out *"])


def test_assume_speaks_for_the_example_at_any_evaluation(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers)
        @settings(phases=[Phase.explicit])
        @example(x=1.0)
        def test_a(x):
            assume(not isinstance(x, float) or x <= 1.0)
            return x * x
        """
    )
    result = project.run("--gradcheck-report=report.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["nothing-checked: the test is marked gradcheck, but none of its examples *"])
    assert project.report()["checks"] == []


def test_fail_and_other_exceptions(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers)
        def test_fail(x):
            pytest.fail("on purpose")

        @pytest.mark.gradcheck(x=numbers)
        def test_assert(x):
            assert x > 3, "too small"
            return x

        @pytest.mark.gradcheck(x=numbers)
        def test_error(x):
            raise LookupError("nowhere")

        @pytest.mark.gradcheck(x=numbers)
        def test_xfail(x):
            pytest.xfail("one day")

        @pytest.mark.gradcheck(x=numbers)
        def test_raises(x):
            with pytest.raises(LookupError):
                raise LookupError
            return x * x
        """
    )
    result = project.run()
    result.assert_outcomes(failed=3, xfailed=1, passed=1)
    result.stdout.fnmatch_lines_random(
        ["E * on purpose", "E *AssertionError: too small", "E *LookupError: nowhere"]
    )
    result.stdout.fnmatch_lines(['>       assert x > 3, "too small"'])


def test_subtests(project: Any) -> None:
    project.write(
        test_it="""
        def test_a(subtests, gradcheck):
            for name, gradient in (("good", right), ("bad", wrong)):
                with subtests.test(name):
                    gradcheck(lambda x: x * x, 1.0, gradient=gradient, name=name)
        """
    )
    result = project.run("--gradcheck-report=report.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["wrong gradient: bad"])
    assert [(c["name"], c["verdict"], c["examples"]) for c in project.report()["checks"]] == [
        ("bad", "fail", 1),
        ("good", "pass", 1),
    ]


def test_what_hypothesis_says_of_the_strategy_is_short(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers.filter(lambda x: x > 5))
        @settings(max_examples=100)
        def test_a(x):
            return x
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines_random(["Unsatisfiable: Unable to satisfy assumptions of test_a*"])
