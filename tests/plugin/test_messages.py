"""What a person reads when a wrong gradient fails a test."""

from __future__ import annotations

import re
from typing import Any

import pytest
from inner import WORKERS

WRONG = """
thirds = numbers.map(lambda v: v / 3)

@pytest.mark.gradcheck(x=thirds, y=numbers, gradient=lambda x, y: (2 * x * y, 0 * y))
def test_wrong(x, y):
    print("from the body")
    return x * x * y
"""


def section(result: pytest.RunResult) -> list[str]:
    """The lines between the head of the first failure and what follows it."""
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if re.match(r"_+ .*test_.* _+$", line)) + 1
    ends = (i for i, line in enumerate(lines) if i > start and re.match(r"[-=_]+ .* [-=_]+$", line))
    return lines[start : next(ends)]


def test_the_message_is_short_and_has_no_traceback(project: Any) -> None:
    project.write(test_it=WRONG)
    result = project.run()
    lines = section(result)
    assert lines[0] == "wrong gradient: test_wrong"
    assert len(lines) <= 25
    text = "\n".join(lines)
    for never in ("Traceback", "hypothesis", "runner", "GradientMismatch", "plugin.py", "Failing test case"):
        assert never not in text
    code = [line for line in lines if line.startswith("  code: ")]
    assert code == [f"  code:      <lambda> (test_it.py:{line_of(project, 'lambda x, y')})"]
    (summary,) = [line for line in result.outlines if line.startswith("FAILED")]
    assert summary.startswith("FAILED test_it.py::test_wrong - zero-gradient: your gradient for ")
    result.stdout.no_fnmatch_line("*- Hypothesis -*")


def line_of(project: Any, text: str) -> int:
    source = (project.path / "test_it.py").read_text(encoding="utf-8")
    return next(i for i, line in enumerate(source.splitlines(), 1) if text in line)


@pytest.mark.parametrize("workers", WORKERS)
def test_the_header_names_the_parameters(project: Any, workers: int) -> None:
    project.write(
        test_it="""
        @pytest.mark.parametrize("power", [2, 3])
        @pytest.mark.gradcheck(x=vectors, gradient=lambda x, power: power * x)
        def test_power(x, power):
            return (x**power).sum()
        """
    )
    result = project.run(workers=workers)
    result.assert_outcomes(passed=1, failed=1)
    assert "wrong gradient: test_power[3]" in result.outlines


def test_the_code_that_is_wrong_is_named(project: Any) -> None:
    pytest.importorskip("torch")
    project.write(
        test_it="""
        torch = pytest.importorskip("torch")

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, g):
                return g * ctx.saved_tensors[0]  # wrong

        class Raises(Square):
            @staticmethod
            def backward(ctx, g):
                return helper(ctx)

        def helper(ctx):
            return undefined

        def test_values(gradcheck):
            gradcheck(Square.apply, torch.ones(3), methods=("central", "torch"))

        def test_exception(gradcheck):
            gradcheck(Raises.apply, torch.ones(3), methods=("central", "torch"))

        def test_exception_in_numpy(gradcheck):
            gradcheck(np.sum, np.ones(3), gradient=lambda x: helper(x))
        """
    )
    result = project.run()
    result.assert_outcomes(failed=3)
    backward = line_of(project, "# wrong") - 2
    helper = f"  code:      helper (test_it.py:{line_of(project, 'return undefined')})"
    code = [line for line in result.outlines if line.startswith("  code: ")]
    assert code == [f"  code:      Square.backward (test_it.py:{backward})", helper, helper]
    result.stdout.fnmatch_lines(
        ["FAILED test_it.py::test_exception - backward-raised: torch raised NameErr*"]
    )


def test_the_falsifying_input_is_printed_once_and_fails_again_when_pasted(project: Any) -> None:
    project.write(test_it=WRONG)
    lines = section(project.run())
    (pasted,) = [line for line in lines if "@example" in line]
    decorator = pasted.partition("try again: ")[2]
    x = re.search(r"x=([^,]+),", decorator)
    assert x is not None
    assert sum(x[1] in line for line in lines) == 1
    project.write(
        test_it=f"""
        @pytest.mark.gradcheck(x=numbers, y=numbers, gradient=lambda x, y: (2 * x * y, 0 * y))
        {decorator}
        @settings(phases=[Phase.explicit])
        def test_wrong(x, y):
            return x * x * y
        """
    )
    result = project.run("--gradcheck-report=report.json")
    result.assert_outcomes(failed=1)
    assert [line for line in section(result) if "@example" in line] == [pasted]
    assert project.report()["checks"][0]["examples"] == 1


def test_verbose_shows_everything(project: Any) -> None:
    project.write(test_it=WRONG)
    result = project.run("-vv")
    result.stdout.fnmatch_lines(["*GradientMismatch*", "*- gradcheck: test_wrong -*"])
    result.stdout.fnmatch_lines(["*central and user differ: *", "  user: * evaluation*, * ms"])


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("flags", [[], ["-v"], ["-vv"], ["-vv", "--tb=long"]])
def test_nothing_is_printed_twice(project: Any, flags: list[str], workers: int) -> None:
    project.write(test_it=WRONG)
    result = project.run(*flags, workers=workers)
    lines = [line.removeprefix("E").strip() for line in result.outlines]
    texts = [
        line for line in lines if line.startswith(("diagnosis:", "culprit:", "worst at:", "user ", "code:"))
    ]
    assert len(texts) == len(set(texts)) > 3, texts
    assert not [line for line in lines if line.startswith(("Failing", "Falsifying"))]


@pytest.mark.parametrize("workers", WORKERS)
def test_colours_are_those_of_pytest(project: Any, workers: int) -> None:
    project.write(test_it=WRONG)
    result = project.run("--color=yes", "--gradcheck-report=report.json", workers=workers)
    (wrong,) = [line for line in result.outlines if "<-- differs" in line]
    assert wrong.startswith("\x1b[31m    user ")
    (head,) = [line for line in result.outlines if "wrong gradient: " in line]
    assert "\x1b[31m" in head
    assert "\x1b[31m1 gradient check: 1 failed\x1b[0m" in result.outlines
    (reference,) = [line for line in result.outlines if line.startswith("    reference")]
    assert "\x1b" not in reference
    assert "\x1b" not in project.report()["checks"][0]["message"]
    plain = project.run("--color=no", workers=workers)
    assert not [line for line in plain.outlines if "\x1b" in line]


def test_beside_another_error_in_a_group(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=numbers, gradient=wrong)
        @example(x=1.0)
        @example(x=2.0)
        def test_a(x):
            if x == 2.0:
                raise ZeroDivisionError("two")
            return x * x
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    lines = section(result)
    assert len(lines) <= 25
    pytest.LineMatcher(lines).fnmatch_lines(
        ["*2 distinct failures*", "wrong gradient: test_a", "*try again: @example(x=1.0)"]
    )
    pytest.LineMatcher(lines).fnmatch_lines(["also: ZeroDivisionError: two (-vv shows its traceback)"])


def test_under_the_users_given_the_fixture_s_message_says_where(project: Any) -> None:
    project.write(
        test_it="""
        @given(x=numbers)
        def test_a(gradcheck, x):
            gradcheck(lambda x: x * x, x, gradient=wrong)
        """
    )
    lines = section(project.run())
    assert len(lines) <= 25
    pytest.LineMatcher(lines).fnmatch_lines(["wrong gradient: *", "  called at: test_it.py:[1-9]*"])
    assert not any("Failing test case" in line for line in lines)


def test_wrong_use_at_run_time_is_short_too(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=st.integers())
        def test_a(x):
            return x * x
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    assert len(section(result)) <= 3


def test_crash_line_style(project: Any) -> None:
    project.write(test_it=WRONG)
    result = project.run("--tb=line")
    result.stdout.fnmatch_lines(["*wrong gradient: test_wrong*"])


def test_no_failure_text_when_told_so(project: Any) -> None:
    project.write(test_it=WRONG)
    project.run("--tb=no").stdout.no_fnmatch_line("*culprit*")
