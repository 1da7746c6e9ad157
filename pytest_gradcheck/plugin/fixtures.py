"""The session's state, and the fixtures by which a test uses it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

import pytest_gradcheck
from pytest_gradcheck.errors import InvalidArgument

if TYPE_CHECKING:
    from pytest_gradcheck.core.results import CheckResult
    from pytest_gradcheck.plugin.progress import Progress
    from pytest_gradcheck.plugin.search import Search, Stopped
    from pytest_gradcheck.plugin.settings import Settings
    from pytest_gradcheck.records.aggregate import Aggregate, Recorder

#: The names under which the hooks of every test are registered.
RUNNING = ("gradcheck-running", "gradcheck-records")


class Session:
    """What one pytest process knows: its settings, its results, and which test is running.

    Each part is made, and imported, when it is first asked for.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.item: pytest.Item | None = None
        self.search: Search | None = None
        # Gradients that the project registers in a way of its own (`methods.registered.Rule`).
        self.rules: Sequence[Any] = ()
        # The plugins of `running` that stand by, by the name that they are registered under.
        self._standing_by: dict[str, object] = {}

    def stand_by(self) -> None:
        """Have no part in the tests until somebody uses a fixture or a name of the package."""
        manager = self._config.pluginmanager
        for name in RUNNING:
            # A worker of pytest-xdist has no use for the second one.
            if manager.hasplugin(name):
                self._standing_by[name] = manager.unregister(name=name)
        pytest_gradcheck.standing_by.add(self)

    def take_part(self) -> None:
        """Have a part in the tests again, from the running one on."""
        pytest_gradcheck.standing_by.discard(self)
        while self._standing_by:
            name, plugin = self._standing_by.popitem()
            self._config.pluginmanager.register(plugin, name)

    @property
    def in_use(self) -> bool:
        """Whether any setting was read or any check may have been made; if not, there is nothing to do."""
        return "settings" in vars(self) or "pytest_gradcheck.core.results" in sys.modules

    @functools.cached_property
    def settings(self) -> Settings:
        """What the flags and keys say; a wrong one is a usage error."""
        from pytest_gradcheck.plugin.settings import read_settings

        self.take_part()
        return read_settings(self._config)

    @functools.cached_property
    def recorder(self) -> Recorder:
        """Takes the results of the tests that run in this process."""
        from pytest_gradcheck.records.aggregate import Recorder
        from pytest_gradcheck.reports import FORMATS

        return Recorder(figures=any(FORMATS[to.format].figures for to in self.settings.reports))

    @functools.cached_property
    def aggregate(self) -> Aggregate:
        """Everything that this process is to report on."""
        from pytest_gradcheck.records.aggregate import Aggregate

        return Aggregate()

    @functools.cached_property
    def own(self) -> Aggregate:
        """What the running test came to, in all its phases so far."""
        from pytest_gradcheck.records.aggregate import Aggregate

        return Aggregate()

    @functools.cached_property
    def progress(self) -> Progress | None:
        """Shows how far a search is; None where there is no place for it."""
        from pytest_gradcheck.plugin import progress

        return progress.of(self._config)

    def begin(self) -> None:
        """Start counting for a test, or for one more run of it."""
        self.recorder.begin()
        vars(self).pop("own", None)
        self.search = None
        if "progress" in vars(self) and self.progress is not None:
            self.progress.begin()

    def show(self, text: Callable[[], str]) -> None:
        """Show how far the running test's search is, where somebody looks."""
        if self.progress is not None and self.item is not None:
            self.progress.show(self.item.name, text)

    def erase(self) -> None:
        """Take what is shown off the terminal."""
        if "progress" in vars(self) and self.progress is not None:
            self.progress.erase()

    def end(self) -> None:
        """End what the running test has begun: its search, and what is shown of it."""
        self.erase()
        if self.search is not None:
            self.search.end()

    @property
    def stopped(self) -> Stopped | None:
        """How far the running test's search came, if its time was over before it ended."""
        return None if self.search is None else self.search.stopped

    def settings_in_force(self) -> Settings:
        """Return what ``gradcheck_settings`` is for the running test, which may have overridden it."""
        # Only the test's own request sees every override, down to its class. The fixtures here live as
        # long as the session and have no such request of their own; Hypothesis's plugin does the same.
        request: pytest.FixtureRequest | None = getattr(self.item, "_request", None)
        if request is None:
            return self.settings
        from pytest_gradcheck.plugin.settings import Settings

        settings = request.getfixturevalue("gradcheck_settings")
        if not isinstance(settings, Settings):
            raise InvalidArgument(
                "gradcheck_settings",
                f"{settings!r} from the fixture that overrides it",
                "return gradcheck_settings.replace(...)",
            )
        return settings

    def check(self, fn: Callable[..., Any], inputs: Any, options: dict[str, Any]) -> CheckResult:
        """Check now, with the settings in force for the running test, and record the result under it.

        Raises `GradientMismatch` for a failure.
        """
        __tracebackhide__ = True
        from pytest_gradcheck.core.check import check_in_test
        from pytest_gradcheck.core.results import Verdict
        from pytest_gradcheck.plugin.search import mismatch, tell

        told = self.settings_in_force().options_for_check(options)
        result = check_in_test(fn, inputs, rules=self.rules, **told)
        self.record(result)
        tally = self.recorder.tally
        self.show(lambda: f"{tally.conclusive + tally.inconclusive} checks made")
        if "hypothesis" in sys.modules and sys.modules["hypothesis"].currently_in_test_context():
            tell(result)
        if result.verdict is Verdict.FAIL:
            raise mismatch(result)
        return result

    def record(self, result: CheckResult) -> None:
        """Take a result of the running test."""
        assert self.item is not None, "results are recorded while their test runs"
        self.recorder.add(self.item.nodeid, result)


SESSION_KEY = pytest.StashKey[Session]()


class Checker:
    """What the fixtures ``gradcheck`` and ``gradgradcheck`` are."""

    def __init__(self, request: pytest.FixtureRequest, order: int | None) -> None:
        self._session = session = request.config.stash[SESSION_KEY]
        self._fixture = request.fixturename
        self._order = order
        if session.item is None:
            # Taken in the middle of a test that nothing had announced; there is no public way to its item.
            session.item = request._pyfuncitem
        # Tests may check from threads of their own, which must not each make one.
        _ = session.recorder

    def __call__(self, fn: Callable[..., Any], inputs: Any, **options: Any) -> CheckResult:
        """Check a function at a point as `pytest_gradcheck.check_gradients` does, and record the result.

        Returns the result of a check that passed or is inconclusive; a test none of whose checks came
        to a conclusion fails when it ends. Raises `pytest_gradcheck.GradientMismatch` for a wrong gradient.
        """
        __tracebackhide__ = True
        if self._order is not None and options.setdefault("order", self._order) != self._order:
            raise InvalidArgument(
                "order", repr(options["order"]), f"{self._fixture} checks order {self._order}; use gradcheck"
            )
        if self._session.item is None:
            raise RuntimeError(
                f"{self._fixture} was called while no test is running; use check_gradients there"
            )
        return self._session.check(fn, inputs, options)

    def __repr__(self) -> str:
        return f"<fixture {self._fixture}>"


# Session-scoped, because Hypothesis rightly objects to function-scoped fixtures beside @given.


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
