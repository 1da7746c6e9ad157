"""The end of a session: its gate, baseline, coverage, reports and summary, and its exit status."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.plugin import item_hooks
from pytest_gradcheck.plugin.session import SESSION_KEY, Session

if TYPE_CHECKING:
    from pytest_gradcheck.plugin import settings
    from pytest_gradcheck.records import gate
    from pytest_gradcheck.records.record import Key


def _inventory(config: pytest.Config) -> dict[str, Any]:
    """Return which packages of ``--gradcheck-cov`` this process cannot import, and the others' gradients."""
    from pytest_gradcheck.records import gradient_coverage

    session = config.stash[SESSION_KEY]
    packages, rules = session.settings.cov, session.rules
    return {
        "missing": [name for name in packages if gradient_coverage.missing(name)],
        "gradients": gradient_coverage.inventory(packages, config.rootpath, rules) if packages else [],
    }


def exit_status(current: int, *, broken: bool) -> int:
    """Return the exit status of a session, given whether a rule was violated; an error keeps its status."""
    if broken and current in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return pytest.ExitCode.TESTS_FAILED
    return current


class Worker:
    """Hooks of a pytest-xdist worker that send the controller data that no test report carries."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._deselected: list[str] = []

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember which tests were deselected."""
        self._deselected += [item.nodeid for item in items]

    def pytest_sessionfinish(self) -> None:
        """Send the deselected tests and the packages' gradients."""
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]  # set by pytest-xdist
        output["gradcheck_deselected"] = self._deselected
        if self._config.stash[SESSION_KEY].in_use:
            output["gradcheck_inventory"] = _inventory(self._config)


class Controller:
    """The hooks of the process that reports: the only one, or pytest-xdist's controller."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._began = time.time()
        self._violations: list[gate.Violation] = []
        self._notes: list[str] = []
        self._written: list[str] = []
        self._unwritten: list[str] = []
        self._deselected: set[str] = set()
        self._inventories: list[dict[str, Any]] = []
        self._coverage: dict[str, Any] = {}
        # Read before anything runs, to refuse a file that is not a baseline at once.
        self._known: Mapping[Key, Mapping[str, Any]] = {}
        option = session.settings.baseline if session.in_use else None
        if option is not None and os.path.exists(option.path):
            from pytest_gradcheck.plugin.settings import usage_errors
            from pytest_gradcheck.records import baseline

            with usage_errors():
                self._known = baseline.read(option.path, "--gradcheck-baseline")

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        """Show the checks of a test in the report of pytest-html."""
        records = getattr(report, "gradcheck", {"records": ()})["records"]
        if records:
            from pytest_gradcheck.reports import html_sections

            reason = item_hooks.expected(report)
            records = [{**r, "xfail": reason if r["verdict"] == "fail" else None} for r in records]
            shown = [text for text in data if text != html_sections.NOTHING]
            data[:] = [*shown, *html_sections.of_test(records, report.longreprtext)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, summary: list[str]) -> None:
        """Show the summary of all checks at the top of pytest-html's report."""
        if not self._session.in_use:
            return
        from pytest_gradcheck.reports import html_sections

        broken = [*map(str, self._violations), *self._unwritten]
        summary += html_sections.of_session(self._session.aggregate.summary(), self._coverage, broken)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember which tests were deselected."""
        self._deselected.update(item.nodeid for item in items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take the data that a `Worker` has sent."""
        output = getattr(node, "workeroutput", {})
        self._deselected.update(output.get("gradcheck_deselected", ()))
        if "gradcheck_inventory" in output:
            self._inventories.append(output["gradcheck_inventory"])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and decide the exit status, also after Ctrl-C or a crash."""
        if self._config.option.collectonly or not self._session.in_use:
            return
        from pytest_gradcheck.records import gate

        aggregate, settings = self._session.aggregate, self._session.settings
        # No report carried the checks of an interrupted test.
        aggregate.take(self._session.results.drain(interrupted=True))
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
            from pytest_gradcheck.records import report

            broken = [*map(asdict, self._violations)]
            run = {"began": round(self._began, 3), "seconds": round(time.time() - self._began, 3)}
            misused = aggregate.misused()
            data = report.build(
                checks, aggregate.unchecked(), broken, self._coverage, misused=misused, run=run
            )
            for target in settings.reports:
                with self._noting_failure("report", target.path):
                    reports.write_report(target.format, target.path, data)
                    self._written.append(f"{target.format} report written to {target.path}")
        failed = bool(self._violations or self._unwritten)
        session.exitstatus = exit_status(int(session.exitstatus), broken=failed)

    def _cover(self, settings: settings.Settings) -> None:
        """Find out which of the packages' hand-written gradients were run."""
        from pytest_gradcheck.records import gate, gradient_coverage

        # Workers import the packages, possibly from paths that this process does not have.
        inventories = self._inventories or [_inventory(self._config)]
        for name in settings.cov:
            if all(name in inventory["missing"] for inventory in inventories):
                self._unwritten.append(f"--gradcheck-cov: cannot import package {name!r}")
        gradients = [gradient for inventory in inventories for gradient in inventory["gradients"]]
        self._coverage = gradient_coverage.build(settings.cov, gradients, self._session.aggregate.checks())
        if settings.cov_fail_under:
            self._violations += gate.below_coverage(self._coverage, settings.cov_fail_under)

    def _compare_with_baseline(self, option: settings.Baseline, session: pytest.Session) -> None:
        """Judge the checks against the baseline, or update it from them."""
        from pytest_gradcheck.records import baseline, gate
        from pytest_gradcheck.records.record import count, key

        checks = self._session.aggregate.checks()
        made = set(map(key, checks))
        cut = session.shouldstop or session.shouldfail or session.exitstatus not in (0, 1, 5)
        if cut and self._known.keys() - made:
            self._notes.append("baseline: run interrupted; missing checks are not reported")

        def looked_for(nodeid: str) -> bool:
            config = self._config
            inside = baseline.within(nodeid, config.args, config.rootpath, config.invocation_params.dir)
            return inside and not cut and nodeid not in self._deselected

        factor = self._session.settings.baseline_factor
        violations = gate.against_baseline(checks, self._known, factor=factor, looked_for=looked_for)
        if option.update or option.prune:
            gone = [known for known in self._known if known not in made and looked_for(known[0])]
            with self._noting_failure("baseline", option.path):
                new, dropped = checks if option.update else (), gone if option.prune else ()
                size = baseline.update(option.path, new, dropped)
                self._notes.append(f"baseline of {count(size, 'check')} written to {option.path}")
        accepted = {"baseline-verdict", "baseline-margin"} if option.update else set()
        accepted |= {"baseline-vanished"} if option.prune else set()
        self._violations += [violation for violation in violations if violation.rule not in accepted]

    @contextlib.contextmanager
    def _noting_failure(self, what: str, path: Path) -> Iterator[None]:
        """Record why a file could not be written, for the summary."""
        try:
            yield
        except OSError as error:
            self._unwritten.append(f"{what}: {path} not written: {error.strerror}; choose another path")
        except InvalidArgument as error:
            self._unwritten.append(f"{what}: not written: {error}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Summarise the checks, if any, and the rules that were violated."""
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
            lines = terminal.summary_lines(checks, self._session.aggregate.summary(), lines, quiet=quiet)
        colour = {terminal.colour(checks): True} if checks else {}
        for line in [*lines, *terminal.coverage_lines(self._coverage, quiet=quiet)]:
            terminalreporter.write_line(line, **colour)
            colour = {}
        for line in [*map(str, self._violations), *self._unwritten]:
            terminalreporter.write_line(f"gradcheck: {line}", red=True)
        if github.wanted(self._config.pluginmanager):
            broken = [*map(asdict, self._violations)]
            workspace = os.environ.get("GITHUB_WORKSPACE")
            for line in github.commands(checks, broken, self._config.rootpath, workspace):
                terminalreporter.write_line(line)
