"""The fixtures: ``gradcheck``, ``gradgradcheck`` and ``gradcheck_settings``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.plugin.session import SESSION_KEY

if TYPE_CHECKING:
    from pytest_gradcheck.core.results import CheckResult
    from pytest_gradcheck.plugin.settings import Settings


class Checker:
    """The value of the fixtures ``gradcheck`` and ``gradgradcheck``."""

    def __init__(self, request: pytest.FixtureRequest, order: int | None) -> None:
        self._session = session = request.config.stash[SESSION_KEY]
        self._fixture = request.fixturename
        self._order = order
        if session.item is None:
            # Requested in the middle of a test while the plugin stood by; there is no public way to its item.
            session.item = request._pyfuncitem
        # Tests may check from several threads, which must share one.
        _ = session.results

    def __call__(self, fn: Callable[..., Any], inputs: Any, *more: Any, **options: Any) -> CheckResult:
        """Check a function at a point as `pytest_gradcheck.check_gradients` does, and record the result.

        Returns the result of a check that passed or is inconclusive; a test fails at its end if none of its
        checks was conclusive. Raises `pytest_gradcheck.GradientMismatch` for a wrong gradient.
        """
        __tracebackhide__ = True
        session = self._session
        session.results.tally.calls += 1
        if more:
            names = ", ".join("abcdefgh"[: 1 + len(more)])
            got = f"{1 + len(more)} arguments after the function"
            raise InvalidArgument(
                "inputs", got, f"put all inputs into one tuple: {self._fixture}(f, ({names}))"
            )
        if self._order is not None and options.setdefault("order", self._order) != self._order:
            remedy = f"{self._fixture} checks order {self._order}; use gradcheck"
            raise InvalidArgument("order", repr(options["order"]), remedy)
        if session.item is None:
            problem = "was called while no test is running; use check_gradients there"
            raise RuntimeError(f"{self._fixture} {problem}")
        from pytest_gradcheck.core.check import check_in_test, validate_options
        from pytest_gradcheck.core.results import Verdict
        from pytest_gradcheck.plugin.search import mismatch, report_to_hypothesis
        from pytest_gradcheck.plugin.settings import SEARCH_OPTIONS

        validate_options(**{name: value for name, value in options.items() if name not in SEARCH_OPTIONS})
        combined = session.settings_in_force().options_for_check(options)
        result = check_in_test(fn, inputs, rules=session.rules, **combined)
        session.record(result)
        tally = session.results.tally
        session.show(lambda: f"{tally.conclusive + tally.inconclusive} checks run")
        if "hypothesis" in sys.modules and sys.modules["hypothesis"].currently_in_test_context():
            report_to_hypothesis(result)
        if result.verdict is Verdict.FAIL:
            raise mismatch(result)
        return result

    def __repr__(self) -> str:
        return f"<fixture {self._fixture}>"


# Session-scoped, because Hypothesis refuses function-scoped fixtures with @given.


@pytest.fixture(scope="session")
def gradcheck(request: pytest.FixtureRequest) -> Checker:
    """Check gradients in the middle of a test: ``gradcheck(fn, inputs, **options)``."""
    return Checker(request, None)


@pytest.fixture(scope="session")
def gradgradcheck(request: pytest.FixtureRequest) -> Checker:
    """Check gradients and their gradients: ``gradgradcheck(fn, inputs, **options)``."""
    return Checker(request, 2)


@pytest.fixture(scope="session")
def gradcheck_settings(pytestconfig: pytest.Config) -> Settings:
    """Return the settings in force; override it to change them in a conftest, module or class."""
    return pytestconfig.stash[SESSION_KEY].settings
