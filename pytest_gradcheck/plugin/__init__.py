"""The hooks of a session.

pytest loads this module in every project in which the plugin is installed. So it imports only the flags, the
marks and the fixtures; what checks and reports need is imported when there is something to check or to
report.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gradcheck.plugin import controller, flags, hookspecs, item_hooks, marks
from pytest_gradcheck.plugin.fixtures import gradcheck, gradcheck_settings, gradgradcheck
from pytest_gradcheck.plugin.session import RUNNING, SESSION_KEY, Session

__all__ = ["gradcheck", "gradcheck_settings", "gradgradcheck"]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hook for registered gradients, and register the hooks of every test."""
    pluginmanager.add_hookspecs(hookspecs)
    # Before any conftest.py, whose hook wrappers must see the reports that these hooks produce.
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
        settings = session.settings
        if reports:
            from pytest_gradcheck.plugin.settings import usage_errors
            from pytest_gradcheck.reports.targets import check_paths

            with usage_errors():
                check_paths(target.path for target in settings.reports)
    if reports:
        config.pluginmanager.register(item_hooks.Records(session), RUNNING[1])
        config.pluginmanager.register(controller.Controller(config, session), "gradcheck-controller")
    else:
        config.pluginmanager.register(controller.Worker(config), "gradcheck-worker")


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

        collect.prepare_given(item, item.config.stash[SESSION_KEY])
        problem = collect.misplaced_mark(item)
        if problem is not None:
            raise pytest.UsageError(f"{item.nodeid}: gradcheck: {problem}")


def pytest_enter_pdb(config: pytest.Config) -> None:
    """Leave the terminal to the debugger."""
    config.stash[SESSION_KEY].erase()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stand by if there is nothing to check; else ask for gradients that the project registers itself."""
    ours = session.config.stash[SESSION_KEY]
    if not ours.in_use:
        ours.stand_by()
        return
    pairs = session.config.hook.pytest_gradcheck_gradients(config=session.config) if ours.settings.cov else []
    if pairs:
        from pytest_gradcheck.methods.registered_gradients import rules_of
        from pytest_gradcheck.plugin.settings import usage_errors

        with usage_errors():
            ours.rules = rules_of([pair for some in pairs for pair in some], ours.settings.cov)
