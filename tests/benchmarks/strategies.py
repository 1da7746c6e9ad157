"""Drawing points next to `hypothesis.extra.numpy.arrays`: examples per second by size.

Both draw float64 from -10 to 10 in runs of Hypothesis's own; a run without an array is shown
next to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_gradcheck import arrays
from tests.benchmarks import timing
from tests.benchmarks.tables import Aim, Ratio, Table, figures

PACKAGES = ("hypothesis", "numpy")
OURS, PLAIN, FULL, NOTHING = "arrays", "hypothesis, with fill", "hypothesis, every entry drawn", "four bytes"
LOW, HIGH = -10.0, 10.0

#: With every entry drawn, Hypothesis refuses arrays of some hundreds.
MOST_DRAWN = 100


def contestants(size: int) -> dict[str, st.SearchStrategy[Any]]:
    """The strategies for arrays of so many entries."""
    elements = st.floats(LOW, HIGH)
    made = {
        OURS: arrays(size, min_value=LOW, max_value=HIGH),
        PLAIN: hnp.arrays(np.float64, size, elements=elements),
        FULL: hnp.arrays(np.float64, size, elements=elements, fill=st.nothing()),
        NOTHING: st.binary(min_size=4, max_size=4),
    }
    return {name: s for name, s in made.items() if name != FULL or size <= MOST_DRAWN}


def run_of(strategy: st.SearchStrategy[Any], examples: int) -> Callable[[], int]:
    """A run of Hypothesis that draws so many examples, and returns how many it drew."""

    def run() -> int:
        drawn = 0

        @hypothesis.seed(0)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def draw(_: Any) -> None:
            nonlocal drawn
            drawn += 1

        draw()
        return drawn

    return run


def run(quick: bool) -> Iterator[Table]:
    """All of it; `quick` at tiny sizes."""
    sizes, examples, rounds = ([1, 10], 5, 1) if quick else ([1, 10, 100, 1000, 10_000], 100, 5)
    rows, ratios = [], []
    for size in sizes:
        runs = {name: run_of(strategy, examples) for name, strategy in contestants(size).items()}
        # Hypothesis draws no example twice, and a small array may run out of them.
        counts = {name: each() for name, each in runs.items()}
        seconds = timing.best(runs, rounds)
        speeds = {name: counts[name] / seconds[name] for name in runs}
        ratios.append(speeds[OURS] / speeds[PLAIN])
        for name, speed in speeds.items():
            rows.append([f"{size:,} entries, {name}", *figures(speed, 1e3 / speed, speed / speeds[PLAIN])])
    yield Table(
        "Examples per second",
        f"Runs of {examples} examples, float64 from {LOW:g} to {HIGH:g}. By default Hypothesis draws a few "
        "entries of a large array and fills the rest with one number; every entry drawn, it soon refuses: "
        "some hundreds are too many. Four bytes are what a run costs without any array. `arrays` is ours. "
        "The last column compares examples per second: more is faster.",
        ["", "examples per second", "ms per example", "of hypothesis, with fill"],
        rows,
        [Aim("time of hypothesis, with fill, at the worst size, ours over it,", 1, 1 / min(ratios))],
        [Ratio("drawing an array, over hypothesis.extra.numpy", [1 / ratio for ratio in ratios])],
    )
