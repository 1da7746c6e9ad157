"""What Hypothesis draws from a strategy."""

from __future__ import annotations

import random
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st


def examples(strategy: st.SearchStrategy[Any], count: int = 200, seed: int = 1) -> list[Any]:
    """Draw as a test run does, the same ones for the same seed."""
    out: list[Any] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        out.append(value)

    collect()
    return out


def minimal(strategy: st.SearchStrategy[Any], condition: Any) -> Any:
    """The smallest value of a strategy for which something holds."""
    return hypothesis.find(
        strategy,
        condition,
        settings=settings(max_examples=3000, database=None, deadline=None),
        random=random.Random(0),
    )
