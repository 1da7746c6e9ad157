"""A separate pytest plugin: rerun marked tests at exactly the inputs that a report stores for them.

``python -m pytest_gradcheck replay`` loads it. Any other test runs unchanged, with its own inputs.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks import registry

OPTION = "--gradcheck-replayed-report"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the report."""
    parser.getgroup("gradcheck").addoption(OPTION, type=Path, help="the report whose inputs are tried")


def pytest_configure(config: pytest.Config) -> None:
    """Read the report."""
    from pytest_gradcheck.records import load

    checks = load.read(config.getoption(OPTION), "REPORT")["checks"]
    config.pluginmanager.register(Replay(checks), "gradcheck-replay")


class Replay:
    """The hook that gives tests their inputs."""

    def __init__(self, checks: list[Mapping[str, Any]]) -> None:
        self._inputs = {check["nodeid"]: check["inputs"] for check in checks if check.get("inputs")}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Let Hypothesis try one explicit example and nothing else."""
        from pytest_gradcheck.plugin import collect, hypothesis_settings

        sources = self._inputs.get(item.nodeid)
        if sources is None or not isinstance(item, pytest.Function) or not collect.is_wrapped(item):
            return
        given = {name: _value(name, source, item) for name, source in sources.items()}
        hypothesis_settings.try_only(item.function, given)


def _value(name: str, source: str, item: pytest.Function) -> Any:
    """Evaluate the source of an input like a pasted line, with the names of its test's module."""
    names = {**vars(item.module), "np": sys.modules["numpy"]}
    modules = {name: name for name in registry.names()} | registry.aliases()
    names |= {name: sys.modules[module] for name, module in modules.items() if module in sys.modules}
    try:
        return eval(source, names)
    except Exception as error:
        # The source uses the module as it is today, so it may raise anything.
        got = f"{source:.80}, which raises {type(error).__name__}: {error}"
        remedy = "the test has changed since the report, or the input has no source"
        raise InvalidArgument(name, got, remedy) from error
