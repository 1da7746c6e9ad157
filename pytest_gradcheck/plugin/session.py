"""State of one pytest process: its settings, its results, and which test is running."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck import usage
from pytest_gradcheck.errors import InvalidArgument

if TYPE_CHECKING:
    from pytest_gradcheck.core.results import CheckResult
    from pytest_gradcheck.plugin.progress import Progress
    from pytest_gradcheck.plugin.search import Search
    from pytest_gradcheck.plugin.settings import Settings
    from pytest_gradcheck.records.aggregate import Aggregate
    from pytest_gradcheck.records.buffer import ResultBuffer
    from pytest_gradcheck.records.record import Stopped

#: The names under which the hooks of every test are registered.
RUNNING = ("gradcheck-running", "gradcheck-records")


class Session:
    """The state of one pytest session. Each part is imported and created on first use.

    A session is *in use* from the first of these on: a flag or an ini key is set, a test with the marker or
    the fixtures is collected, a fixture is requested, a test report brings records, a test calls
    `check_gradients`. Until then it stands by.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.in_use = False
        self.item: pytest.Item | None = None
        self.search: Search | None = None
        # Gradients that the project registers in its own way (`methods.registered_gradients.Rule`).
        self.rules: Sequence[Any] = ()
        #: Tests without inputs in marked classes and modules: the node id of what has them, and their name.
        self.left_alone: set[tuple[str, str]] = set()
        # The plugins that stand by, by the name that they are registered under.
        self._standing_by: dict[str, object] = {}

    def stand_by(self) -> None:
        """Unregister the hooks of every test until the session is in use."""
        manager = self._config.pluginmanager
        for name in RUNNING:
            # A pytest-xdist worker does not need the second one.
            if manager.hasplugin(name):
                self._standing_by[name] = manager.unregister(name=name)
        usage.waiting.add(self.use)
        self._config.add_cleanup(functools.partial(usage.waiting.discard, self.use))

    def use(self) -> None:
        """Register the hooks of every test, from the running one on."""
        self.in_use = True
        usage.waiting.discard(self.use)
        while self._standing_by:
            name, plugin = self._standing_by.popitem()
            self._config.pluginmanager.register(plugin, name)

    @functools.cached_property
    def settings(self) -> Settings:
        """The values of the flags and keys; a wrong one is a usage error."""
        from pytest_gradcheck.plugin.settings import read_settings

        self.use()
        return read_settings(self._config)

    @functools.cached_property
    def results(self) -> ResultBuffer:
        """Collects the results of the tests that run in this process."""
        from pytest_gradcheck.records.buffer import ResultBuffer
        from pytest_gradcheck.reports import FORMATS

        return ResultBuffer(figures=any(FORMATS[to.format].figures for to in self.settings.reports))

    @functools.cached_property
    def aggregate(self) -> Aggregate:
        """Everything that this process reports."""
        from pytest_gradcheck.records.aggregate import Aggregate

        self.use()
        return Aggregate()

    @functools.cached_property
    def of_item(self) -> Aggregate:
        """The records of the running test, of all its phases so far."""
        from pytest_gradcheck.records.aggregate import Aggregate

        return Aggregate()

    @functools.cached_property
    def progress(self) -> Progress | None:
        """Shows how far a search is; None where there is no terminal for it."""
        from pytest_gradcheck.plugin import progress

        return progress.of(self._config)

    def begin(self) -> None:
        """Start counting for a test, or for one more run of it."""
        self.results.begin()
        vars(self).pop("of_item", None)
        self.search = None
        if "progress" in vars(self) and self.progress is not None:
            self.progress.begin()

    def show(self, text: Callable[[], str]) -> None:
        """Show how far the running test's search is, in a terminal."""
        if self.progress is not None and self.item is not None:
            self.progress.show(self.item.name, text)

    def erase(self) -> None:
        """Erase from the terminal what `show` has written."""
        if "progress" in vars(self) and self.progress is not None:
            self.progress.erase()

    def record(self, result: CheckResult) -> None:
        """Record a result of the running test."""
        assert self.item is not None, "results are recorded while their test runs"
        self.results.add(self.item.nodeid, result)

    @property
    def stopped(self) -> Stopped | None:
        """How far the running test's search got, if its time ran out."""
        return None if self.search is None else self.search.stopped

    def at_most(self, examples: int) -> int:
        """Return a number of examples, or how many were checked if the running test's search has ended."""
        stopped = self.stopped
        return examples if stopped is None or stopped.failed else min(examples, stopped.after)

    def settings_in_force(self) -> Settings:
        """Return the value of ``gradcheck_settings`` for the running test, which may override it."""
        # Only the test's own request, which has no public interface, sees every override down to its class.
        request: pytest.FixtureRequest | None = getattr(self.item, "_request", None)
        if request is None:
            return self.settings
        from pytest_gradcheck.plugin.settings import Settings

        settings = request.getfixturevalue("gradcheck_settings")
        if not isinstance(settings, Settings):
            got = f"{settings!r} from the fixture that overrides it"
            raise InvalidArgument("gradcheck_settings", got, "return gradcheck_settings.replace(...)")
        return settings


SESSION_KEY = pytest.StashKey[Session]()
