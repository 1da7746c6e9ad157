"""NumPy code where torch is not installed: the reference engine and differences are all that there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.check import check_in_test
from pytest_gradcheck.methods.reference import ReferencePullback

pytestmark = pytest.mark.kernels

ALONE: Any = ["central", "forward", "reference"]

#: Partial derivatives exist at these points, or one-sided ones, and the derivative does not.
TIES: dict[str, tuple[Callable[..., Any], Any]] = {
    "median": (np.median, np.array([1.0, 1.0, 1.0])),
    "median of zeros": (np.median, np.zeros(5)),
    "sort": (np.sort, np.array([0.0, 1.0, 1.0, 1.0, 5.0])),
    "quantile": (lambda x: np.quantile(x, 0.3), np.ones(4)),
    "of what is computed": (lambda x: np.median(np.abs(x)), np.array([1.0, -1.0, 1.0])),
    "of many": (np.sort, np.repeat(np.arange(8.0), 3)),
}


@pytest.mark.parametrize("name", TIES)
def test_nobody_is_blamed_at_ties(name: str) -> None:
    function, x = TIES[name]
    full = check_gradients(function, x, methods=ALONE)
    assert (full.verdict, full.diagnosis.code) == ("inconclusive", "methods-split"), str(full)
    brief = check_in_test(function, x, methods=ALONE, brief=True)
    assert (brief.verdict, brief.culprit) == (full.verdict, full.culprit), str(brief)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        pytest.param(lambda x: np.exp(x) / np.sum(np.exp(x)), np.zeros(3), id="smooth at ties"),
        pytest.param(np.prod, np.array([0.0, 2.0, 3.0]), id="smooth at zero"),
        pytest.param(np.sort, np.array([3.0, 1.0, 2.0]), id="sort without ties"),
        pytest.param(lambda x: np.maximum(x, 0), np.array([0.0, 1.0]), id="kinks of single entries"),
        pytest.param(lambda x: np.maximum(x, 0), np.array([0.0, 0.0]), id="nothing but kinks"),
    ],
)
@pytest.mark.parametrize(
    "fault", [lambda g: 3 * g, lambda g: g[::-1] + 2.0], ids=["times three", "elsewhere"]
)
def test_a_wrong_rule_fails_at_ties_too(
    function: Callable[..., Any], inputs: Any, fault: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = ReferencePullback.vjp
    monkeypatch.setattr(ReferencePullback, "vjp", lambda self, u: fault(right(self, u)))
    result = check_gradients(function, inputs, methods=ALONE)
    assert (result.verdict, result.culprit) == ("fail", "reference"), str(result)
