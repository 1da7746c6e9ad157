"""What is drawn of a check: honest curves, the matrices that were compared, and a graph."""

from __future__ import annotations

import json
import math
import random
import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.check import check_in_test
from pytest_gradcheck.core.report.figures import WINDOW
from pytest_gradcheck.records.record import plain_data
from pytest_gradcheck.testing import corrupt

pytestmark = pytest.mark.kernels


def parabola(x: Any) -> Any:
    return 2 * x**2 - 3 * x + 4


def product(a: Any, b: Any, c: Any, f: Any) -> Any:
    return (a * b + c) * f


def drawn(*args: Any, **options: Any) -> dict[str, Any]:
    figures = check_in_test(*args, **options).figures()
    # It goes through workers and into files.
    json.dumps(plain_data(figures), allow_nan=False)
    return dict(figures)


@given(st.floats(0.1, 3) | st.floats(-3, -0.1))
def test_the_arms_of_the_curve_are_those_of_the_theory(x: float) -> None:
    """For exp the truncation is h²/6 · exp for central, h/2 · exp for forward differences."""
    steps = drawn(np.exp, np.float64(x), methods=("central", "forward", "reference"))["steps"]
    scale = abs(x)
    # The widest steps of the fit see higher derivatives, by a factor of cosh(h) at most.
    most = math.cosh(0.35 * scale) ** 2
    assert 0.9 * math.exp(x) / 6 <= steps["truncation"] <= 1.1 * most * math.exp(x) / 6
    assert 0.7 * math.exp(x) / 2 <= steps["truncation_forward"] <= 1.3 * most * math.exp(x) / 2
    assert steps["truth"] == {"method": "reference", "value": pytest.approx(math.exp(x), rel=1e-12)}
    errors = dict(zip(steps["step"], steps["central"], strict=True))
    tiny, wide = min(errors), max(errors)
    best = min(errors, key=lambda h: errors[h])
    assert tiny < best < wide, "it gets better and then worse again"
    assert all(
        error <= 30 * steps["rounding"] / h + 2 * most * steps["truncation"] * h**2
        for h, error in errors.items()
    )


def test_the_curve_is_of_the_worst_entry_against_who_is_right() -> None:
    wrong = corrupt(torch.sin, lambda grads: [grads[0] * torch.tensor([1.0, 1.5, 1.0], dtype=torch.float64)])
    figures = drawn(wrong, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
    assert (figures["steps"]["input"], figures["steps"]["index"]) == ("x", [1])
    assert figures["steps"]["truth"]["value"] == pytest.approx(math.cos(0.2))
    assert figures["gradients"]["worst"] == [1, 1]
    assert figures["gradients"]["values"]["torch"][1][1] == pytest.approx(1.5 * math.cos(0.2), rel=1e-5)
    assert figures["gradients"]["values"]["central"][1][1] == pytest.approx(math.cos(0.2), rel=1e-5)


def test_the_error_of_the_curve_is_that_against_the_proven_value() -> None:
    pytest.importorskip("flint")
    figures = drawn(corrupt(torch.tanh, "percent"), torch.tensor([0.3, 0.7], dtype=torch.float64))
    assert figures["steps"]["truth"]["method"] == "exact"
    at = (0.3, 0.7)[figures["steps"]["index"][0]]
    assert figures["steps"]["truth"]["value"] == pytest.approx(1 / math.cosh(at) ** 2, rel=1e-15)


def test_of_a_large_jacobian_the_part_around_the_worst_entry_is_shown() -> None:
    x = np.linspace(1, 2, 40)
    result = check_in_test(
        np.sin, x, gradient=None, vjp=lambda x, u: u * np.cos(x) * (1 + (x == x[30])), mode="full"
    )
    gradients = result.figures()["gradients"]
    i, j = gradients["worst"]
    assert gradients["shape"] == [40, 40]
    assert (len(gradients["rows"]), len(gradients["columns"])) == (WINDOW, WINDOW)
    assert (gradients["rows"][i], gradients["columns"][j]) == ("output[30]", "x[30]")
    assert gradients["values"]["user"][i][j] == pytest.approx(2 * math.cos(x[30]), rel=1e-5)


def test_projections_have_a_curve_along_their_direction() -> None:
    figures = drawn(lambda x: np.sum(np.sin(x)), np.linspace(1, 2, 300))
    assert figures["steps"]["input"] == "a random direction"
    assert min(figures["steps"]["central"]) < 1e-6
    assert figures["gradients"]["worst"] is None
    assert set(figures["gradients"]["values"]) == {"reference", "torch"}


def test_a_function_of_one_number_has_its_plot_and_every_slope() -> None:
    curve = drawn(parabola, 3.0, gradient=lambda x: 4 * x)["curve"]
    assert curve["at"] == [3.0, 13.0]
    slopes = {"exact": 9.0, "reference": 9.0, "torch": 9.0, "user": 12.0, "central": pytest.approx(9.0)}
    assert curve["slopes"] == slopes
    assert [parabola(x) for x in curve["x"]] == pytest.approx(curve["f"])
    assert "curve" not in drawn(np.sin, np.array([1.0, 2.0]))


def test_no_evaluation_leaves_the_domain() -> None:
    seen: list[float] = []

    def root(x: Any) -> Any:
        if isinstance(x, float):
            seen.append(x)
        return x**0.5

    figures = drawn(root, 0.5, domain=(0.4, 1.0))
    assert all(0.4 <= x <= 1.0 for x in seen)
    assert figures["curve"]["x"][0] == 0.4
    assert "nan" in figures["steps"]["central"]


def test_the_graph_of_the_tutorial() -> None:
    svg = drawn(product, (3.0, -2.0, 8.0, -2.0))["graph"]
    for text in ("a", "data 3", "grad 4", "data -4", "grad 1"):
        assert f">{text}<" in svg
    assert "graph" not in drawn(lambda x: np.sum(np.sin(x)), np.ones(300))


def opaque(x: Any) -> Any:
    return np.array([math.sin(v) for v in np.asarray(x, dtype=object).astype(float)])


@pytest.mark.parametrize("entries", [1, 3, 30])
@pytest.mark.parametrize("size", [1.0, 1.5])
@pytest.mark.parametrize("fn", [opaque, np.sin])
def test_a_function_that_may_be_slow_is_called_no_more_often_than_the_check_did(
    monkeypatch: pytest.MonkeyPatch, fn: Any, size: float, entries: int
) -> None:
    monkeypatch.setattr("pytest_gradcheck.core.report.figures.CHEAP", 1000)
    calls = 0

    def counted(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return fn(x)

    methods = ("central", "forward", "reference", "user")
    x = np.linspace(1, 2, entries)
    result = check_in_test(counted, x, vjp=lambda x, u: u * np.cos(x) * size, methods=methods)
    calls = 0
    figures = result.figures()
    # Once or twice more to see the graph.
    assert calls <= result.evaluations + 2
    assert "gradients" in figures
    assert "curve" not in figures
    if size > 1 and entries > 1:
        assert len(figures["steps"]["step"]) >= 8


def test_the_figures_do_not_depend_on_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    result = check_in_test(parabola, 3.0)
    before = result.figures()
    clock = iter(range(10**6))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    assert result.figures() == before


def test_random_states_stay_as_they_are() -> None:
    def noisy(x: Any) -> Any:
        return x * torch.rand(3, dtype=torch.float64)

    result = check_in_test(noisy, torch.ones(3, dtype=torch.float64))
    random.seed(0)
    torch.manual_seed(0)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    result.figures()
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), np.random.get_state()[1].tolist())


def test_outside_of_tests_there_are_none() -> None:
    assert check_gradients(parabola, 3.0).figures() == {}
