"""The error bars of differences are neither too small nor, as a rule, much too large: held against mpmath."""

from __future__ import annotations

import re

import mpmath
import numpy as np
import pytest
from chance import most

from docs import calibration
from docs.calibration import CASES, FAMILIES, Answer, Case, answers, drawn, family_rows, figures

pytestmark = pytest.mark.kernels

Sets = dict[str, list[Answer]]


@pytest.fixture(scope="module")
def sets() -> Sets:
    return {
        name: [a for case in cases for a in answers(case)]
        for name, cases in (("drawn", drawn()), ("fitted", CASES))
    }


@pytest.fixture(scope="module")
def families() -> dict[tuple[str, str], list[Answer]]:
    return {(name, bars): every for name in FAMILIES for bars, every in family_rows(name)}


@pytest.mark.parametrize("case", drawn(), ids=lambda case: case.name)
def test_the_derivative_that_errors_are_measured_from_is_proved(case: Case) -> None:
    balls, arb = pytest.importorskip("reference_engine.balls"), pytest.importorskip("flint").arb
    for point in case.points[:2]:
        x, number = np.asarray(point), np.asarray(0)
        ((slope,),) = (
            found[()].slopes.values()
            for found in balls.enclose(lambda t: [case.function(t)], [x], [number]).outputs
        )
        with mpmath.workdps(60), balls.numbers.precision(256):
            assumed = arb(mpmath.nstr(mpmath.diff(case.exact, mpmath.mpf(point)), 40))
            # mpmath takes a difference of its own: with 60 digits half of them are left.
            assert abs(slope - assumed) <= 1e-20 * abs(slope)


def of(answers: list[Answer], ladder: str, method: str) -> list[Answer]:
    return [a for a in answers if (a.ladder, a.method) == (ladder, method)]


def test_there_are_hundreds_of_functions_and_points() -> None:
    assert sum(len(case.points) for case in drawn()) >= 500
    assert sum(len(case.points) for case in CASES) >= 200


@pytest.mark.parametrize("points", ["drawn", "fitted"])
@pytest.mark.parametrize("method", ["central", "forward"])
def test_bars_hold_the_error_and_are_not_far_wider(sets: Sets, points: str, method: str) -> None:
    found = of(sets[points], "long", method)
    count, beyond, median, _ = figures(found)
    # One error in a hundred may exceed its bar. Which errors do depends on the last digits of the values, and
    # so on the kernels of NumPy and its BLAS: the count is a sample, held to the 95 % bound of that share. At
    # 23,616 points of other seeds 0.4 % of the central and 0.6 % of the forward errors exceeded their bar. At
    # these shares one sample in a thousand fails here.
    assert beyond <= most(count, 0.01), [a for a in found if a.error > a.bar]
    assert median <= 10
    # What is beyond is so by a little: no bar is a guess.
    assert max(a.error / a.bar for a in found) < 3


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(3))
def test_bars_hold_the_error_at_other_points_too(seed: int) -> None:
    every = [a for case in drawn(seed) for a in answers(case)]
    for method in ("central", "forward"):
        found = of(every, "long", method)
        count, beyond, median, _ = figures(found)
        assert beyond <= most(count, 0.01), [a for a in found if a.error > a.bar]
        assert count == 576
        assert median <= 10


def test_beside_the_end_of_a_range_differences_say_that_they_do_not_know() -> None:
    for name in ("arcsin close to one", "arctanh close to one"):
        (case,) = (case for case in drawn() if case.name == name)
        found = answers(case._replace(points=(1 - 2e-10, 1 - 1e-9, 1 - 4e-9, 1 - 1e-8)))
        assert all(a.error <= a.bar for a in found if a.ladder == "long"), found


def test_a_difference_of_large_numbers_is_not_flat_where_they_swallow_the_step() -> None:
    (case,) = (case for case in drawn() if case.name == "sqrt(x² + 1) - x")
    found = of(answers(case._replace(points=(766.7550081149792,))), "long", "central")
    assert all(a.error < 2 * a.bar for a in found), found


@pytest.mark.parametrize("points", ["drawn", "fitted"])
@pytest.mark.parametrize("method", ["central", "forward"])
def test_bars_that_are_too_small_are_seen(sets: Sets, points: str, method: str) -> None:
    halved = [a._replace(bar=a.bar / 2) for a in of(sets[points], "long", method)]
    count, beyond, _, _ = figures(halved)
    assert beyond > most(count, 0.01)


@pytest.mark.parametrize("level", [1e-14, 1e-12, 1e-9])
def test_noise_is_in_the_bar(level: float) -> None:
    def noisy(x: float) -> float:
        seed = np.frombuffer(np.float64(x).tobytes(), dtype=np.uint32)
        return float(np.sin(x) + level * np.random.default_rng(seed).uniform(-1, 1))

    points = tuple(float(x) for x in np.random.default_rng(0).uniform(0.2, 3, 60))
    (sine,) = (case for case in CASES if case.name == "sin")
    found = answers(Case("noisy", noisy, sine.exact, points))
    count, beyond, median, _ = figures(of(found, "long", "central"))
    assert beyond <= 0.02 * count
    assert median <= 20


@pytest.mark.parametrize("name", FAMILIES)
def test_bars_hold_the_error_of_functions_with_fewer_digits(
    families: dict[tuple[str, str], list[Answer]], name: str
) -> None:
    # No failure rests on a ladder alone, so twice the share is allowed there.
    for bars, share in (("long ladder", 0.02), ("fit", 0.01)):
        count, beyond, median, _ = figures(families[name, bars])
        assert count >= 180
        assert beyond <= most(count, share), [a for a in families[name, bars] if a.error > a.bar]
        # A fit of a function with all digits of float64 has truncation in its bar, and little error.
        assert median <= (20 if bars == "long ladder" or name in ("quantised", "float32 inside") else 5000)
    assert max(a.error / a.bar for a in families[name, "fit"]) < 3


def test_bars_of_fits_that_are_too_small_are_seen(families: dict[tuple[str, str], list[Answer]]) -> None:
    for name in ("quantised", "float32 inside"):
        narrow = [a._replace(bar=a.bar / 5) for a in families[name, "fit"]]
        count, beyond, _, _ = figures(narrow)
        assert beyond > most(count, 0.01)


def test_the_page_says_what_is_measured_of_functions_with_fewer_digits(
    families: dict[tuple[str, str], list[Answer]],
) -> None:
    text = calibration.PAGE.read_text("utf-8")
    rows = re.findall(r"\| ([\w ]+) \| (long ladder|fit) \| (\d+) \| (\d+) \([\d.]+ %\) \| ([\d.]+) \|", text)
    assert [(name, bars) for name, bars, *_ in rows] == [*families]
    for name, bars, count, beyond, median in rows:
        held_to_the_page(families[name, bars], int(count), int(beyond), float(median))


def held_to_the_page(every: list[Answer], count: int, beyond: int, median: float) -> None:
    """Hold that the answers here and those of the page are two samples of the same."""
    measured = figures(every)
    # Windows below the grain, which do not count, depend on the last digits too.
    assert abs(count - measured[0]) <= 0.02 * count
    # The errors depend on the last digits of the values, and so on the kernels. If both samples have the same
    # share of errors beyond the bar, each has half of all of these; if both have the same median, half of the
    # answers here lie above the page's. Each half may vary within its two-sided 95 % bounds.
    both = beyond, measured[1]
    assert max(both) <= most(sum(both), 0.5, 0.975), both
    above = sum(a.ratio > median for a in every)
    assert max(above, len(every) - above) <= most(len(every), 0.5, 0.975), (median, measured[2])


def test_the_page_says_what_is_measured(sets: Sets) -> None:
    text = calibration.PAGE.read_text("utf-8")
    rows = re.findall(r"\| (\w+) \| `(\w+)` \| (\d+) \| (\d+) \([\d.]+ %\) \| ([\d.]+) \|", text)
    assert len(rows) == 8
    for k, (ladder, method, count, beyond, median) in enumerate(rows):
        every = of(sets["drawn" if k < 4 else "fitted"], ladder, method)
        assert int(count) == len(every)
        held_to_the_page(every, int(count), int(beyond), float(median))
