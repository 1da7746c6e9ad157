"""How many examples it takes until a planted fault is met."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from docs.search_page.planted import Planted

#: What Hypothesis draws by default, and no test here draws more.
EXAMPLES = 100


class _FoundError(Exception):
    pass


def by_strategy(planted: Planted, strategies: dict[str, st.SearchStrategy[Any]], seed: int) -> int | None:
    """Return the number of examples that Hypothesis draws until a gradient is wrong, None for never."""
    drawn = 0
    found: list[int] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(st.fixed_dictionaries(strategies))
    def search(point: dict[str, Any]) -> None:
        nonlocal drawn
        drawn += 1
        if planted.is_wrong_at(point):
            found.append(drawn)
            raise _FoundError

    try:
        search()
    except _FoundError:
        return found[0]
    return None


def ours(planted: Planted, seed: int) -> int | None:
    """Use the strategies of this package, which know only shape, dtype and bounds."""
    return by_strategy(planted, {k: v.of(planted.library) for k, v in planted.inputs.items()}, seed)


def plain(planted: Planted, seed: int) -> int | None:
    """With `hypothesis.extra.numpy.arrays` of floats within the bounds."""
    return by_strategy(planted, {k: v.plain(planted.library) for k, v in planted.inputs.items()}, seed)


def random(planted: Planted, seed: int) -> int | None:
    """With normal numbers, or even ones within the bounds."""
    rng = np.random.default_rng(seed)
    for count in range(1, EXAMPLES + 1):
        if planted.is_wrong_at({k: v.random(rng, planted.library) for k, v in planted.inputs.items()}):
            return count
    return None


WAYS: dict[str, Callable[[Planted, int], int | None]] = {
    "this package": ours,
    "`randn`": random,
    "`hypothesis.extra.numpy`": plain,
}


@dataclass(frozen=True)
class Found:
    """The counts of examples over some seeds."""

    counts: list[int | None]

    @property
    def times(self) -> int:
        """In how many runs the fault was met at all."""
        return sum(count is not None for count in self.counts)

    @property
    def median(self) -> float:
        """The median number of examples, infinite where half of the runs never met it."""
        return statistics.median(count if count is not None else float("inf") for count in self.counts)


def found(planted: Planted, way: str, seeds: range) -> Found:
    """Search with each seed."""
    return Found([WAYS[way](planted, seed) for seed in seeds])
