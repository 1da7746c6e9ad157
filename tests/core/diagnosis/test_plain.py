"""How generic a point is, and which of several errors lead."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.diagnosis.plain import plainness
from pytest_gradcheck.frameworks.flat import Layout


@pytest.mark.parametrize(
    ("plainer", "point"),
    [
        ([1.3, 0.7, 2.2], [1.0, 1.0, 1.0]),
        ([1.3, 0.7, 2.2], [1.3, 1.3, 1.3]),
        ([1.3, 0.7, 2.2], [1.3, 0.7, 0.0]),
        ([1.3, 0.7, 0.0], [1.0, 0.0, 0.0]),
        ([1.3, 0.7, 2.2], [1e-9, 1e9, 2.2]),
        ([1.3, 0.7, 2.2], [1.3, 0.7, 2.5]),
    ],
)
def test_zeros_ones_halves_ties_and_extremes_are_less_plain(plainer: list[float], point: list[float]) -> None:
    layout = Layout(["x"], [(3,)], ["float64"])
    assert plainness(np.array(plainer), layout) > plainness(np.array(point), layout)


def test_more_entries_are_plainer() -> None:
    points = [1.1 + 0.0731 * np.arange(n) for n in (1, 4, 16)]
    found = [plainness(point, Layout(["x"], [point.shape], ["float64"])) for point in points]
    assert found == sorted(found)
    assert found[0] < found[1]


X = np.array([0.7, -1.3, 0.4, 1.9])


@pytest.mark.parametrize(
    ("off", "code", "text"),
    [
        ([1.0, 0.0, 1.0005, 1.0], "one-entry", "x[1]; apart from that, 1 entry is off by at most"),
        ([-1.0, -1.0, 1.0004, 1.0003], "sign", "apart from that, 2 entries are off by at most"),
        ([1.0002, 2.0, 2.0, 2.0], "constant-factor", "is twice the correct one"),
        ([0.5, 0.7, 0.3, 0.9], "wrong-values", "in all 4 entries"),
    ],
)
def test_the_largest_errors_lead(off: list[float], code: str, text: str) -> None:
    result = check_gradients(lambda x: np.sum(x**3), X, gradient=lambda x: 3 * x**2 * np.array(off))
    assert result.diagnosis.code == code, result
    assert text in result.diagnosis.text


def test_the_transpose_of_a_jacobian_is_named() -> None:
    a = np.array([[0.3, -1.2, 0.5], [0.9, 0.4, 2.0], [-0.7, 1.1, 0.6]])
    for wrong, code in ((a, "transposed"), (np.triu(a), "wrong-values")):
        result = check_gradients(lambda x: a.T @ x, X[:3], gradient=lambda x, wrong=wrong: wrong)
        assert result.diagnosis.code == code, result
