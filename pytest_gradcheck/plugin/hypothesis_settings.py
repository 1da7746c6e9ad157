"""Hypothesis settings of a test whose examples are checked: ours where the test sets none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, settings

from pytest_gradcheck.plugin.session import Session
from pytest_gradcheck.plugin.settings import Settings

QUICK_EXAMPLES = 20
THOROUGH_FACTOR = 5

#: Where Hypothesis keeps the settings of a test. Its decorator refuses a test with settings, so Hypothesis's
#: pytest plugin sets this attribute too.
_ATTRIBUTE = "_hypothesis_internal_use_settings"


def adjust(test: Any, ours: Settings, config: pytest.Config, session: Session) -> None:
    """Lift the deadline, allow function-scoped fixtures, and apply our settings, where the test sets nothing.

    Many evaluations make one example, so a time limit for one means nothing; fixtures are constants of the
    function under test. Hypothesis's explain phase, which traces every line and is slow, runs on request. A
    value in the test's @settings that equals Hypothesis's default counts as not given.
    """
    own: settings = getattr(test, _ATTRIBUTE)
    default = settings.default
    assert default is not None, "Hypothesis always has a default profile"
    suppressed = {*own.suppress_health_check, HealthCheck.function_scoped_fixture}
    changes: dict[str, Any] = {"suppress_health_check": suppressed}
    if own.deadline == default.deadline:
        changes["deadline"] = None
    if own.phases == default.phases and not config.getoption("hypothesis_explain", False):
        changes["phases"] = [phase for phase in own.phases if phase is not Phase.explain]
    if own.max_examples == default.max_examples:
        if ours.profile == "quick":
            changes["max_examples"] = min(own.max_examples, QUICK_EXAMPLES)
        elif ours.profile == "thorough":
            changes["max_examples"] = own.max_examples * THOROUGH_FACTOR
    if ours.deterministic and config.getoption("hypothesis_seed", None) is None:
        # A run may also depend on examples of earlier runs.
        changes |= {"derandomize": True, "database": None}
    setattr(test, _ATTRIBUTE, _ending_with(session)(own, **changes))


def try_only(test: Any, inputs: Mapping[str, Any]) -> None:
    """Make a test try only these inputs, instead of its explicit and drawn examples."""
    own: settings = getattr(test, _ATTRIBUTE)
    test.hypothesis_explicit_examples = []
    example(**inputs)(test)
    setattr(test, _ATTRIBUTE, type(own)(own, phases=[Phase.explicit]))


def _ending_with(session: Session) -> type[settings]:
    """Return a class of settings that makes Hypothesis stop when the session's search does.

    Hypothesis reads ``max_examples`` after each example. A release that read it only once would draw the
    rest, which are not checked and pass.
    """

    class EndingSettings(settings):
        # Not a property: older releases of Hypothesis assign to the attribute.
        def __getattribute__(self, name: str) -> Any:
            value = super().__getattribute__(name)
            return session.at_most(value) if name == "max_examples" else value

    return EndingSettings
