"""The fixtures gradcheck, gradgradcheck and gradcheck_settings."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS


@pytest.mark.parametrize("workers", WORKERS)
def test_gradcheck_checks_now_and_records(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        from pytest_gradcheck import CheckResult, GradientMismatch

        def square(x):
            return (x * x).sum()

        def test_right(gradcheck):
            result = gradcheck(square, np.array([1.0, 2.0]), gradient=right)
            assert isinstance(result, CheckResult)
            assert result.verdict == "pass"

        def test_wrong(gradcheck):
            gradcheck(square, np.array([1.0, 2.0]), gradient=wrong, name="the square")
            raise AssertionError("not reached")
        """
    )
    result = project.run("--gradcheck-report=report.json", workers=workers)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["wrong gradient: the square", "  called at: test_it.py:[1-9]*"])
    assert [(c["nodeid"], c["name"], c["verdict"], c["order"]) for c in project.report()["checks"]] == [
        ("test_it.py::test_right", "square", "pass", 1),
        ("test_it.py::test_wrong", "the square", "fail", 1),
    ]


def test_gradgradcheck_checks_the_second_order(project: Any) -> None:
    project.write(
        test_it="""
        def cube(x):
            return (x * x * x).sum()

        def test_both(gradgradcheck):
            assert gradgradcheck(cube, np.array([1.0, 2.0])).order == 2

        def test_order(gradgradcheck):
            gradgradcheck(cube, np.array([1.0, 2.0]), order=1)
        """
    )
    result = project.run("--gradcheck-report=report.json")
    result.assert_outcomes(passed=1, failed=1)
    assert [c["order"] for c in project.report()["checks"]] == [2]
    result.stdout.fnmatch_lines(["*order: got 1; gradgradcheck checks order 2; use gradcheck*"])


def test_under_given_there_is_no_health_check_error(project: Any) -> None:
    project.write(
        test_it="""
        @given(x=vectors)
        def test_a(gradcheck, gradgradcheck, gradcheck_settings, x):
            gradcheck(lambda x: (x * x).sum(), x, gradient=right, methods=("central", "user"))
        """
    )
    project.run("--gradcheck-report=report.json").assert_outcomes(passed=1)
    (check,) = project.report()["checks"]
    assert check["examples"] == 5


def test_under_given_a_check_may_take_its_time(project: Any) -> None:
    project.conftest(
        """
        settings.register_profile("slow", parent=settings.default, deadline=1)
        settings.load_profile("slow")
        """
    )
    project.write(
        test_it="""
        import sys, time

        traced, before = [], sys.gettrace()

        @given(x=numbers)
        def test_a(gradcheck, x):
            traced.append(sys.gettrace() is not before)
            time.sleep(0.005)
            gradcheck(lambda x: x * x, x, gradient=wrong, methods=("central", "user"))

        def test_traced():
            # Hypothesis's explain phase would trace every line of the checker.
            assert traced and not any(traced)
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*DeadlineExceeded*")


def test_from_other_fixtures_and_in_any_phase(project: Any) -> None:
    project.write(
        test_it="""
        def square(x):
            return x * x

        @pytest.fixture
        def checked(gradcheck):
            gradcheck(square, 1.0, name="setup")
            yield
            gradcheck(square, 1.0, name="teardown")

        @pytest.fixture(scope="module")
        def once(request):
            request.getfixturevalue("gradcheck")(square, 1.0, name="module")

        def test_a(checked, once):
            pass
        """
    )
    project.run("--gradcheck-report=report.json").assert_outcomes(passed=1)
    assert [(c["nodeid"], c["name"]) for c in project.report()["checks"]] == [
        ("test_it.py::test_a", name) for name in ("module", "setup", "teardown")
    ]


@pytest.mark.parametrize("workers", WORKERS)
def test_settings_can_be_overridden_at_every_level(project: Any, workers: int) -> None:
    project.conftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def gradcheck_settings(gradcheck_settings):
            return gradcheck_settings.replace(sensitivity=0.5)
        """
    )
    body = """
        def test_fixture(gradcheck):
            gradcheck(lambda x: x * x, 1.0, name="fixture")

        @pytest.mark.gradcheck(x=numbers, name="marker")
        def test_marker(x):
            return x * x
        """
    project.write(
        test_conftest=body,
        test_module=body
        + """
        @pytest.fixture
        def gradcheck_settings(gradcheck_settings, tmp_path):
            return gradcheck_settings.replace(rtol=0.001, sensitivity=0.25)

        class TestIt:
            @pytest.fixture
            def gradcheck_settings(self, gradcheck_settings):
                return gradcheck_settings.replace(methods=("forward", "reference"))

            def test_fixture(self, gradcheck):
                gradcheck(lambda x: x * x, 1.0, name="fixture")

            @pytest.mark.gradcheck(x=numbers, name="marker", sensitivity=0.125)
            def test_marker(self, x):
                return x * x
        """,
    )
    project.run("--gradcheck-report=report.json", workers=workers).assert_outcomes(passed=6)
    found = {c["nodeid"]: (c["sensitivity"], "central" in c["methods"]) for c in project.report()["checks"]}
    assert found == {
        "test_conftest.py::test_fixture": (0.5, True),
        "test_conftest.py::test_marker": (0.5, True),
        "test_module.py::test_fixture": (0.25, True),
        "test_module.py::test_marker": (0.25, True),
        "test_module.py::TestIt::test_fixture": (0.25, False),
        "test_module.py::TestIt::test_marker": (0.125, False),
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "3",
            "*gradcheck_settings: got 3 from the fixture that overrides it; return gradcheck_*",
        ),
        ("gradcheck_settings.replace(rtl=1)", "*rtl: got 1; did you mean 'rtol'? *"),
        ("gradcheck_settings.replace(rtol=-1)", "*rtol: got -1; *"),
        ("gradcheck_settings.replace(fail_under=1)", "*fail_under: got 1; *set --gradcheck-fail-under"),
        ("gradcheck_settings.replace(reports=())", "*reports: got (); *set --gradcheck-report"),
    ],
)
def test_a_wrong_override_is_told(project: Any, value: str, message: str) -> None:
    project.write(
        test_it=f"""
        @pytest.fixture
        def gradcheck_settings(gradcheck_settings):
            return {value}

        def test_a(gradcheck):
            gradcheck(lambda x: x * x, 1.0)
        """
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([message])


def test_outside_of_any_test_it_says_what_to_use(project: Any) -> None:
    project.conftest(
        """
        import pytest

        kept = []

        @pytest.fixture(autouse=True)
        def keep(gradcheck):
            kept.append(gradcheck)

        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish():
            with pytest.raises(RuntimeError, match="no test is running; use check_gradients"):
                kept[0](lambda x: x * x, 1.0)
            print("raised as it should")
        """
    )
    project.write(test_it="def test_a(): pass")
    project.run("-s").stdout.fnmatch_lines(["*raised as it should*"])


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("style", ["auto", "long"])
def test_wrong_calls_say_what_to_write_and_show_no_internal_frames(
    project: Any, workers: int, style: str
) -> None:
    calls = {
        "gradcheck(f, a, a)": "inputs: got 2 arguments after the function; put all inputs into one tuple: "
        "gradcheck(f, (a, b))",
        "gradcheck(f, a, a, a)": "*one tuple: gradcheck(f, (a, b, c))",
        "gradcheck(f, a, eps=1e-6)": "eps: got an option that does not exist; steps are chosen automatically,"
        " and step= sets one",
        "gradcheck(f, a, tol=1e-6)": "tol: *; did you mean rtol?",
        "gradcheck(f, a, sensitivty=1e-2)": "sensitivty: *; did you mean sensitivity?",
        "gradcheck(f, a, raise_exception=False)": "raise_exception: *; leave it out: check_grad*",
        "gradcheck(f, 'a')": "inputs: got nothing to differentiate with respect to: *",
        "check_gradients(f, 'a')": "inputs: got nothing to differentiate with respect to: *",
    }
    tests = "".join(
        f"\n        def test_{i}(gradcheck):\n            {call}\n" for i, call in enumerate(calls)
    )
    project.write(
        test_it="""
        from pytest_gradcheck import check_gradients

        a = np.ones(3)

        def f(x):
            return x @ x
        """
        + tests
    )
    result = project.run("-vv", f"--tb={style}", workers=workers)
    result.assert_outcomes(failed=len(calls))
    for message in calls.values():
        result.stdout.fnmatch_lines([f"E   *InvalidArgument: {message}"])
    assert not [line for line in result.outlines if "pytest_gradcheck/" in line]
    assert not [line for line in result.outlines if "__tracebackhide__" in line]


def test_an_exception_of_the_function_is_shown_without_internal_frames(project: Any) -> None:
    project.write(
        test_it="""
        def f(x):
            return undefined

        def test_it(gradcheck):
            gradcheck(f, np.ones(3))
        """
    )
    for flags in ((), ("-vv", "--tb=long")):
        result = project.run(*flags)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["E   *NameError: name 'undefined' is not defined", "test_it.py:*: NameErr*"]
        )
        assert not [line for line in result.outlines if "pytest_gradcheck/" in line]
    assert [line for line in project.run("--full-trace").outlines if "pytest_gradcheck/" in line]
