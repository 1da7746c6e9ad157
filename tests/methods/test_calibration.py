"""The error bars of differences are neither too small nor, as a rule, much too large: held against mpmath."""

from __future__ import annotations

import re

import numpy as np
import pytest

from docs import calibration
from docs.calibration import CASES, Answer, Case, answers, figures


@pytest.fixture(scope="module")
def every() -> list[Answer]:
    return [a for case in CASES for a in answers(case)]


def test_there_are_hundreds_of_functions_and_points() -> None:
    assert sum(len(case.points) for case in CASES) >= 200


@pytest.mark.parametrize("method", ["central", "forward"])
def test_bars_hold_the_error_and_are_not_far_wider(every: list[Answer], method: str) -> None:
    of_method = [a for a in every if a.method == method]
    count, beyond, median, _ = figures(of_method)
    assert beyond < 0.01 * count, [a for a in of_method if a.error > a.bar]
    assert median <= 10
    # What is beyond is so by a little: no bar is a guess.
    assert max(a.error / a.bar for a in of_method) < 3


def test_bars_that_are_too_small_are_seen(every: list[Answer]) -> None:
    shrunk = [a._replace(bar=a.bar / 30) for a in every]
    count, beyond, _, _ = figures(shrunk)
    assert beyond > 0.01 * count


@pytest.mark.parametrize("level", [1e-14, 1e-12, 1e-9])
def test_noise_is_in_the_bar(level: float) -> None:
    def noisy(x: float) -> float:
        seed = np.frombuffer(np.float64(x).tobytes(), dtype=np.uint32)
        return float(np.sin(x) + level * np.random.default_rng(seed).uniform(-1, 1))

    points = tuple(float(x) for x in np.random.default_rng(0).uniform(0.2, 3, 60))
    (sine,) = (case for case in CASES if case.name == "sin")
    found = answers(Case("noisy", noisy, sine.exact, points))
    count, beyond, median, _ = figures([a for a in found if a.method == "central"])
    assert beyond <= 0.02 * count
    assert median <= 20


def test_the_page_says_what_is_measured(every: list[Answer]) -> None:
    rows = re.findall(r"\| `(\w+)` \| (\d+) \| (\d+) \| ([\d.]+) \|", calibration.PAGE.read_text("utf-8"))
    assert [row[0] for row in rows] == ["central", "forward"]
    for method, count, beyond, median in rows:
        measured = figures([a for a in every if a.method == method])
        # The last digit of a sine, and with it the error, depends on the processor.
        assert int(count) == measured[0]
        assert abs(int(beyond) - measured[1]) <= 2
        assert float(median) == pytest.approx(measured[2], rel=0.3)
