"""pytest's hooks and nothing else.

pytest loads this module in every project in which the plugin is installed. So it imports the flags, the marks
and the fixtures, which import next to nothing themselves; what checks and reports need comes in when there is
something to check or to report.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.plugin import flags, hookspecs, item_hooks, marks
from pytest_gradcheck.plugin.fixtures import (
    RUNNING,
    SESSION_KEY,
    Session,
    gradcheck,
    gradcheck_settings,
    gradgradcheck,
)

if TYPE_CHECKING:
    from pytest_gradcheck.plugin import settings
    from pytest_gradcheck.records import baseline, gate

__all__ = ["gradcheck", "gradcheck_settings", "gradgradcheck"]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let a project tell of the gradients that it registers in a way of its own, and take part in tests."""
    pluginmanager.add_hookspecs(hookspecs)
    # Before any conftest.py: the wrappers of those are to see what these make of a report.
    pluginmanager.register(item_hooks, RUNNING[0])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the flags and the ini keys."""
    flags.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, and refuse wrong ones before anything runs."""
    config.addinivalue_line(
        "markers",
        "gradcheck(**inputs_and_options): check the gradients of the test's body, at inputs drawn from "
        "strategies or annotations.",
    )
    session = config.stash[SESSION_KEY] = Session(config)
    # A pytest-xdist worker has this attribute; its results travel to the controlling process.
    reports = not hasattr(config, "workerinput")
    if flags.given(config):
        from pytest_gradcheck.plugin.settings import check_paths

        settings = session.settings
        if reports:
            check_paths(target.path for target in settings.reports)
    if reports:
        config.pluginmanager.register(item_hooks.Records(session), RUNNING[1])
        config.pluginmanager.register(_Controller(config, session), "gradcheck-controller")
    else:
        config.pluginmanager.register(_Worker(config), "gradcheck-worker")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: Any) -> Any:
    """Wrap marked functions before pytest looks at their arguments."""
    if issubclass(type(obj), type):
        marks.refuse_unittest(collector, name, obj)
        return None
    if not marks.may_be_wrapped(collector, obj):
        return None
    from pytest_gradcheck.plugin.collect import make_items

    return make_items(collector, name, obj, collector.config.stash[SESSION_KEY])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse marks that have no effect where they are, and make room for checks in tests with @given."""
    for item in items:
        if not marks.concerns(item):
            continue
        from pytest_gradcheck.plugin import collect

        collect.prepare_given(item, item.config.stash[SESSION_KEY].settings)
        problem = collect.misplaced_mark(item)
        if problem is not None:
            raise pytest.UsageError(f"{item.nodeid}: gradcheck: {problem}")


def pytest_enter_pdb(config: pytest.Config) -> None:
    """Leave the terminal to the debugger."""
    config.stash[SESSION_KEY].erase()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stand by where there is nothing to do; else ask for the gradients that the project registers itself."""
    ours = session.config.stash[SESSION_KEY]
    if not ours.in_use:
        ours.stand_by()
        return
    told = session.config.hook.pytest_gradcheck_gradients(config=session.config) if ours.settings.cov else []
    if told:
        from pytest_gradcheck.methods.registered_gradients import rules_of

        try:
            ours.rules = rules_of([pair for pairs in told for pair in pairs], ours.settings.cov)
        except InvalidArgument as error:
            raise pytest.UsageError(str(error)) from error


def _found(config: pytest.Config) -> dict[str, Any]:
    """Return what this process knows of the packages whose gradients are to be run."""
    from pytest_gradcheck.records import gradient_coverage

    session = config.stash[SESSION_KEY]
    packages, rules = session.settings.cov, session.rules
    return {
        "missing": [name for name in packages if gradient_coverage.missing(name)],
        "gradients": gradient_coverage.inventory(packages, config.rootpath, rules) if packages else [],
    }


class _Worker:
    """The hooks of a worker of pytest-xdist that tell the controller what no test report carries."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._deselected: list[str] = []

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Know which tests the session was told to leave out."""
        self._deselected += [item.nodeid for item in items]

    def pytest_sessionfinish(self) -> None:
        """Send what was left out, and what there is to be run."""
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]  # set by pytest-xdist
        output["gradcheck_deselected"] = self._deselected
        if self._config.stash[SESSION_KEY].in_use:
            output["gradcheck_found"] = _found(self._config)


class _Controller:
    """The hooks of the process that reports: the only one, or pytest-xdist's controller."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._violations: list[gate.Violation] = []
        self._notes: list[str] = []
        self._written: list[str] = []
        self._unwritten: list[str] = []
        self._deselected: set[str] = set()
        self._found: list[dict[str, Any]] = []
        self._coverage: dict[str, Any] = {}
        # Read before anything runs: a file that is no baseline is told at once.
        self._baseline: Mapping[baseline.Key, Mapping[str, Any]] = {}
        wish = session.settings.baseline if session.in_use else None
        if wish is not None and os.path.exists(wish.path):
            from pytest_gradcheck.records import baseline

            try:
                self._baseline = baseline.read(wish.path, "--gradcheck-baseline")
            except InvalidArgument as error:
                raise pytest.UsageError(str(error)) from error

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        """Show in the report of pytest-html what the checks of a test came to."""
        records = getattr(report, "gradcheck", {"records": ()})["records"]
        if records:
            from pytest_gradcheck.reports import html_sections

            reason = item_hooks.expected(report)
            known = [
                {**record, "xfail": reason if record["verdict"] == "fail" else None} for record in records
            ]
            shown = [text for text in data if text != html_sections.NOTHING]
            data[:] = [*shown, *html_sections.of_test(known, report.longreprtext)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, summary: list[str]) -> None:
        """Show at the head of it what all of them came to."""
        if not self._session.in_use:
            return
        from pytest_gradcheck.reports import html_sections

        aggregate = self._session.aggregate
        summary += html_sections.of_session(
            aggregate.summary(), self._coverage, [*map(str, self._violations), *self._unwritten]
        )

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Know which tests the session was told to leave out."""
        self._deselected.update(item.nodeid for item in items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take what a worker of pytest-xdist knows: what was left out, and the gradients there are."""
        output = getattr(node, "workeroutput", {})
        self._deselected.update(output.get("gradcheck_deselected", ()))
        if "gradcheck_found" in output:
            self._found.append(output["gradcheck_found"])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and decide the exit status, also after Ctrl-C or a crash."""
        if self._config.option.collectonly or not self._session.in_use:
            return
        from pytest_gradcheck.records import gate

        aggregate, settings = self._session.aggregate, self._session.settings
        # What an interrupted test left behind had no report to travel on.
        aggregate.take(self._session.recorder.drain(interrupted=True))
        checks = aggregate.checks()
        self._violations = gate.judge(
            checks,
            fail_under=settings.fail_under,
            max_inconclusive=settings.max_inconclusive,
            parts=settings.thresholds,
        )
        if settings.cov:
            self._cover(settings)
        if settings.baseline is not None:
            self._compare_with_baseline(settings.baseline, session)
        if settings.reports:
            from pytest_gradcheck import reports
            from pytest_gradcheck.reports import json_report

            report = json_report.build(
                checks, aggregate.unchecked(), [*map(asdict, self._violations)], self._coverage
            )
            for target in settings.reports:
                with self._telling("report", target.path):
                    reports.write_report(target.format, target.path, report)
                    self._written.append(f"{target.format} report written to {target.path}")
        broken = bool(self._violations or self._unwritten)
        session.exitstatus = gate.exit_status(int(session.exitstatus), broken=broken)

    def _cover(self, settings: settings.Settings) -> None:
        """See which of the packages' hand-written gradients were run."""
        from pytest_gradcheck.records import gate, gradient_coverage

        # Workers import the packages, from paths that this process may not have.
        found = self._found or [_found(self._config)]
        for name in settings.cov:
            if all(name in one["missing"] for one in found):
                self._unwritten.append(f"cov: got {name!r}; no such package can be imported here")
        gradients = [gradient for one in found for gradient in one["gradients"]]
        self._coverage = gradient_coverage.build(settings.cov, gradients, self._session.aggregate.checks())
        if settings.cov_fail_under:
            self._violations += gate.below_coverage(self._coverage, settings.cov_fail_under)

    def _compare_with_baseline(self, wish: settings.Baseline, session: pytest.Session) -> None:
        """Judge the checks against the baseline, or make it say what they came to."""
        from pytest_gradcheck.records import baseline, gate

        checks = self._session.aggregate.checks()
        known = self._baseline
        cut = session.shouldstop or session.shouldfail or session.exitstatus not in (0, 1, 5)
        if cut and known.keys() - {(check["nodeid"], check["name"]) for check in checks}:
            self._notes.append("baseline: the run was cut short, so checks that are gone were not looked for")

        def looked_for(nodeid: str) -> bool:
            config = self._config
            inside = baseline.within(nodeid, config.args, config.rootpath, config.invocation_params.dir)
            return inside and not cut and nodeid not in self._deselected

        violations = gate.against_baseline(
            checks, known, factor=self._session.settings.baseline_factor, looked_for=looked_for
        )
        made = {(check["nodeid"], check["name"]) for check in checks}
        gone = [key for key in known if key not in made and looked_for(key[0])] if wish.prune else []
        if wish.update or wish.prune:
            with self._telling("baseline", wish.path):
                count = baseline.update(wish.path, checks if wish.update else (), gone)
                several = "" if count == 1 else "s"
                self._notes.append(f"baseline of {count} check{several} written to {wish.path}")
        accepted = {"baseline-verdict", "baseline-margin"} if wish.update else set()
        accepted |= {"baseline-vanished"} if wish.prune else set()
        self._violations += [violation for violation in violations if violation.rule not in accepted]

    @contextlib.contextmanager
    def _telling(self, what: str, path: Path) -> Iterator[None]:
        """Say in the end what could not be written."""
        try:
            yield
        except OSError as error:
            self._unwritten.append(f"{what}: {path} not written: {error.strerror}; choose another path")
        except InvalidArgument as error:
            self._unwritten.append(f"{what}: not written: {error}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what the checks came to, where there were any, and what the gate objects to."""
        if not self._session.in_use:
            return
        from pytest_gradcheck.reports import github, terminal

        checks = self._session.aggregate.checks()
        if not (checks or self._notes or self._violations or self._unwritten or self._coverage):
            return
        quiet = self._config.get_verbosity() < 0
        if not quiet:
            terminalreporter.write_sep("=", "gradcheck")
        lines = [] if quiet else [*self._notes, *self._written]
        if checks:
            summary = self._session.aggregate.summary()
            lines = terminal.summary_lines(checks, summary, [*self._notes, *self._written], quiet=quiet)
        lines = [*lines, *terminal.coverage_lines(self._coverage, quiet=quiet)]
        for line in lines:
            terminalreporter.write_line(line)
        for line in [*map(str, self._violations), *self._unwritten]:
            terminalreporter.write_line(f"gradcheck: {line}", red=True)
        if github.wanted(self._config.pluginmanager):
            broken = [*map(asdict, self._violations)]
            workspace = os.environ.get("GITHUB_WORKSPACE")
            for line in github.commands(checks, broken, self._config.rootpath, workspace):
                terminalreporter.write_line(line)
