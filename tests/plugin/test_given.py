"""Hypothesis's own decorators and flags keep their meaning on a marked test."""

from __future__ import annotations

from typing import Any

import pytest


def test_the_users_own_given(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.fixture
        def scale():
            return 2.0

        @pytest.mark.gradcheck(gradient=lambda x: 4 * x)
        @given(x=vectors)
        def test_right(x, scale):
            return scale * (x * x).sum()

        class TestIt:
            @given(vectors)
            @pytest.mark.gradcheck(gradient=wrong)
            def test_wrong(self, x):
                return (x * x).sum()
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["wrong gradient: TestIt.test_wrong", "*try again: @example(x=*)"])


@pytest.mark.parametrize("given", ["", "@given(x=numbers)"], ids=["marker", "given"])
def test_example_settings_and_phases(project: Any, given: str) -> None:
    strategy = "" if given else "x=numbers, "
    project.write(
        test_it=f"""
        seen = []

        @pytest.mark.gradcheck({strategy}methods=("central", "user"), gradient=right)
        @settings(max_examples=2, phases=[Phase.explicit, Phase.generate])
        @example(x=7.0)
        {given}
        def test_a(x):
            seen.append(float(x))
            return x * x

        @pytest.mark.gradcheck({strategy}gradient=right)
        @settings(phases=[Phase.explicit])
        @example(x=7.0)
        {given}
        def test_b(x):
            return x * x

        def test_seen():
            assert 7.0 in seen
        """
    )
    project.run("--gradcheck-report=report.json").assert_outcomes(passed=3)
    assert [c["examples"] for c in project.report()["checks"]] == [3, 1]


@pytest.mark.parametrize("given", ["", "@given(x=numbers)"], ids=["marker", "given"])
def test_seeds(project: Any, given: str) -> None:
    strategy = "" if given else "x=numbers"
    source = f"""
        import os

        @pytest.mark.gradcheck({strategy})
        @settings(derandomize=False)
        DECORATOR
        {given}
        def test_a(x):
            if isinstance(x, float):
                with open(os.environ["SEEN"], "a") as file:
                    print(x.hex(), file=file)
            return x * x
        """

    def drawn(decorator: str, *args: str) -> str:
        project.write(test_it=source.replace("DECORATOR", decorator))
        target = project.path / "seen"
        target.unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SEEN", str(target))
            project.run(*args).assert_outcomes(passed=1)
        return str(target.read_text())

    assert drawn("@seed(1)") == drawn("@seed(1)") != drawn("@seed(2)")
    assert (
        drawn("", "--hypothesis-seed=1")
        == drawn("", "--hypothesis-seed=1")
        != drawn("", "--hypothesis-seed=2")
    )


def test_the_deadline_is_lifted_unless_the_test_sets_one(project: Any) -> None:
    project.conftest(
        """
        settings.register_profile("slow", parent=settings.default, deadline=1)
        settings.load_profile("slow")
        """
    )
    project.write(
        test_it="""
        import time

        def slow(x):
            time.sleep(0.005)
            return x * x

        @pytest.mark.gradcheck(x=numbers, gradient=right, methods=("central", "user"))
        def test_profile(x):
            return slow(x)

        @pytest.mark.gradcheck(x=numbers, gradient=right, methods=("central", "user"))
        @settings(max_examples=3, deadline=2)
        def test_own(x):
            return slow(x)
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*DeadlineExceeded*"])


def test_an_expected_failure_of_an_example_is_no_failure(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers, gradient=lambda x: 2 * x if x < 5 else 0 * x)
        @example(x=7.0).xfail(raises=AssertionError)
        def test_a(x):
            return x * x
        """
    )
    result = project.run("--gradcheck-report=report.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    (check,) = project.report()["checks"]
    assert check["verdict"] == "fail"
    assert "xfail" in check["xfail"]


def test_the_database_tells_parameters_apart(project: Any) -> None:
    """A remembered failure of one case is not tried on the others, and is tried first on its own."""
    project.remember_failures()
    project.write(
        test_it="""
        import os

        def gradient(x):
            return 2 * x if x < 1.5 else 3 * x

        @pytest.mark.parametrize("p", ["good", "bad"])
        @pytest.mark.gradcheck(x=numbers, gradient=gradient, methods=("central", "user"))
        def test_a(p, x):
            with open(f"{p}-{os.environ['RUN']}", "a") as file:
                print(float(x).hex(), file=file)
            if p == "good":
                assume(x < 1.5)
            return x * x
        """
    )
    firsts = {}
    for run in ("1", "2"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RUN", run)
            project.run().assert_outcomes(passed=1, failed=1)
        firsts[run] = float.fromhex((project.path / f"bad-{run}").read_text().split()[0])
    assert firsts["2"] >= 1.5, "the remembered failure comes first"
    good = [float.fromhex(x) for x in (project.path / "good-2").read_text().split()]
    assert good[0] < 1.5, "the other case knows nothing of it"


def test_statistics_are_kept(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers)
        def test_a(x):
            return x * x
        """
    )
    project.run("--hypothesis-show-statistics").stdout.fnmatch_lines(["*5 passing*"])
