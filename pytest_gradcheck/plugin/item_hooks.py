"""Hooks that pytest calls for every test, registered while the session is in use.

They are what an installed plugin costs a project without gradients to check. So `Session.stand_by`
unregisters them, and `Session.use` registers them again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import pytest

from pytest_gradcheck.plugin.session import SESSION_KEY, Session


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember which test is running."""
    session = item.config.stash[SESSION_KEY]
    session.item = item
    try:
        return (yield)
    finally:
        session.item = None
        from pytest_gradcheck.frameworks import registry

        registry.release()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Reset the counts; plugins that rerun a test begin here each time."""
    item.config.stash[SESSION_KEY].begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Make the examples depend on the test alone, and restore the terminal, after Ctrl-C too."""
    from pytest_gradcheck.plugin import collect, reproducible_draws

    searched = collect.is_searched(item)
    try:
        with reproducible_draws.by_seed_alone() if searched else contextlib.nullcontext():
            yield
    finally:
        item.config.stash[SESSION_KEY].erase()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that checked nothing, attach the records to its report, and keep its message short."""
    from pytest_gradcheck.plugin import collect, failure_message
    from pytest_gradcheck.records import gradient_coverage
    from pytest_gradcheck.reports import junit

    session = item.config.stash[SESSION_KEY]
    marked = collect.is_wrapped(item)
    # Not around the call, which has begun already if the test requests a fixture in its middle.
    if call.when == "call":
        session.erase()
        if call.excinfo is None:
            takes = [] if marked else collect.fixtures_taken(item)
            call.excinfo = _nothing_checked(session, marked=marked, takes=takes)
    if call.excinfo is not None and not item.config.getoption("fulltrace", False):
        call.excinfo = failure_message.without_own_frames(call.excinfo)
        if marked:
            failure_message.without_example(call.excinfo.value)
    report = yield
    path, line, _ = item.location
    location = {"path": path, "line": None if line is None else line + 1}
    replayable = not collect.draws_itself(item)
    records = session.results.drain(location, session.stopped, marked=marked, replayable=replayable)
    for function in (function for record in records for function in record["functions"]):
        function["path"] = gradient_coverage.relative(function["path"], item.config.rootpath)
    if session.settings.junit_properties:
        # The XML takes the properties of a test's last report, which are those of all its phases.
        session.of_item.take(records)
        others = [(name, value) for name, value in item.user_properties if not name.startswith("gradcheck.")]
        item.user_properties[:] = others + junit.properties(session.of_item.checks())
    misused = _misused(call)
    if records or marked or misused:
        # pytest transmits unknown attributes of reports, from pytest-xdist's workers too.
        report.gradcheck = {  # type: ignore[attr-defined]  # read in `Records`
            "records": records,
            "marked": marked,
            "xfail": collect.expected_failure(item) if call.when == "call" and report.passed else None,
            "misused": misused,
        }
    if call.excinfo is not None and report.failed:
        report.gradcheck_message = True  # type: ignore[attr-defined]  # read in `Records`
        if item.config.getoption("verbose", 0) < 2:
            failure_message.shorten(report, call.excinfo, item, marked=marked)
        else:
            failure_message.expand(report, call.excinfo.value)
    return report


def _misused(call: pytest.CallInfo[None]) -> str | None:
    """Return the error message of a test that used this package wrongly; None for any other test."""
    from pytest_gradcheck.errors import InvalidArgument

    error = None if call.excinfo is None else call.excinfo.value
    return str(error) if isinstance(error, InvalidArgument) else None


def _nothing_checked(
    session: Session, *, marked: bool, takes: Sequence[str]
) -> pytest.ExceptionInfo[BaseException] | None:
    """Return the failure of a test that passed although none of its checks was conclusive."""
    from pytest_gradcheck.records import gate

    message = gate.nothing_checked(session.results.tally, marked=marked, takes=takes, stopped=session.stopped)
    if message is None:
        return None
    try:
        pytest.fail(message, pytrace=False)
    except pytest.fail.Exception:
        return pytest.ExceptionInfo.from_current()


class Records:
    """Collects the records that test reports carry, in the reporting process."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the records that a test's report carries, and colour its message."""
        if getattr(report, "gradcheck_message", False) and report.longrepr is not None:
            from pytest_gradcheck.plugin.failure_message import HEADS, Coloured

            # Only in the process with the terminal: the message itself has no colours.
            if str(report.longrepr).startswith(HEADS):
                report.longrepr = Coloured(report.longrepr)  # type: ignore[assignment]  # pytest asks for toterminal
        payload = getattr(report, "gradcheck", None)
        # Under pytest-xdist the checks ran in another process.
        if payload is None and not self._session.in_use:
            return
        aggregate = self._session.aggregate
        if payload is not None:
            aggregate.take(payload["records"])
            if payload["marked"]:
                aggregate.mark(report.nodeid)
            if payload["misused"]:
                aggregate.misuse(report.nodeid, payload["misused"])
        if report.failed:
            aggregate.fail_test(report.nodeid)
        # Plugins that rerun failed tests give this outcome to all runs but the last.
        if str(report.outcome) == "rerun":
            aggregate.forget(report.nodeid)
        reason = expected(report)
        if reason is not None:
            aggregate.expect_failure(report.nodeid, reason)


def expected(report: pytest.TestReport) -> str | None:
    """Return why the failing checks of a test are expected to fail, or None."""
    payload: Mapping[str, Any] = getattr(report, "gradcheck", {"xfail": None})
    reason: str | None = getattr(report, "wasxfail", payload["xfail"])
    return None if reason is None else reason or "no reason given"
