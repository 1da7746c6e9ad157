"""What the modules of the folder provide takes what the protocol gives."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pytest_gradcheck.frameworks.base import Framework  # noqa: E402  # after the skip
from pytest_gradcheck.frameworks.lazy import provided_by  # noqa: E402  # the same
from pytest_gradcheck.frameworks.registry import named  # noqa: E402  # the same

METHODS = sorted(name for name, value in vars(Framework).items() if inspect.isfunction(value))
BUILT_IN = ("random_state", "set_random_state", "_not_floating")


def given(function: Any, *, but: int = 0) -> tuple[int, set[str]]:
    """The number of arguments by position, and the names of those by keyword."""
    parameters = list(inspect.signature(function).parameters.values())[but:]
    by_keyword = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in parameters), by_keyword


@pytest.mark.parametrize("name", [name for name in METHODS if name not in BUILT_IN])
def test_a_method_takes_what_the_protocol_gives(name: str) -> None:
    count, by_keyword = given(getattr(Framework, name), but=1)
    own_count, own_by_keyword = given(getattr(named("torch"), name))
    assert own_count == count
    assert own_by_keyword >= by_keyword


def test_the_module_is_imported_at_the_first_use_alone() -> None:
    class Some:
        joined = provided_by("posixpath.join")

    assert not isinstance(vars(Some)["joined"], staticmethod)
    assert Some().joined("a", "b") == "a/b"
    assert isinstance(vars(Some)["joined"], staticmethod)
    assert Some().joined("a", "b") == "a/b"
