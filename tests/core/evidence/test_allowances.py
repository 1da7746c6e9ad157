"""An allowance returns a new comparison, which says what excused an entry; the old one stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pytest_gradcheck.core.check import _check
from pytest_gradcheck.core.evidence.allowances import PASSES, Weighed, accept_what_vanishes
from pytest_gradcheck.core.evidence.compare import Comparison, Sides, compare
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.options import Options, Tolerance
from pytest_gradcheck.methods.base import Estimate

ONES = np.ones((1, 3))


def compared(right: Any) -> Comparison:
    pair = Sides("a", Estimate(ONES, 0 * ONES), "b", Estimate(np.array([right]), 0 * ONES), 0.0)
    none = np.zeros((1, 3))
    tolerance = Tolerance(1e-6, 0.0, 1e-3)
    (found,) = compare([pair], tolerance, scale=ONES, floor=none - 1, zero=none, zero_bar=0.0)
    return found


def test_a_comparison_cannot_be_written_to() -> None:
    found = compared([1.0, 2.0, 3.0])
    for array in (found.difference, found.tolerance, found.disagree, found.resolved):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


def test_an_excuse_has_its_name_and_its_entries() -> None:
    before = compared([1.0, 2.0, 3.0])
    assert before.agree is False
    first = before.excuse(
        "first", np.array([[True, True, False]]), resolved=True, tolerance=before.difference
    )
    assert first.agree is False
    both = first.excuse("second", np.array([[False, False, True]]), resolved=False)
    assert both.agree is None
    assert [(name, mask.tolist()) for name, mask in both.excused] == [
        ("first", [[False, True, False]]),
        ("second", [[False, False, True]]),
    ]
    assert both.resolved.tolist() == [[True, True, False]]
    assert before.excused == ()
    assert before.disagree.tolist() == [[False, True, True]]
    assert both.excuse("third", np.zeros((1, 3), dtype=bool), resolved=True) is both


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


@pytest.mark.parametrize(
    ("name", "function", "inputs", "options"),
    [
        ("accept_subgradients", relu, np.array([0.0, 1.0]), {"gradient": lambda x: np.diag((x >= 0) * 1.0)}),
        (
            "doubt_below_rounding",
            lambda x: 1 / (1 + np.exp(-x)),
            np.array([38.0]),
            {"gradient": lambda x: np.diag(0 * x)},
        ),
        (
            "doubt_at_the_edge",
            np.abs,
            np.array([0.0, 1.0]),
            {"domain": (0.0, None), "gradient": lambda x: np.diag(1.0 * (x > 0))},
        ),
        (
            "excuse_beside_singularities",
            lambda x: torch.stack([x.sqrt()[0], x[0] * 2]),
            torch.zeros(1, dtype=torch.float64),
            {},
        ),
    ],
)
def test_a_check_can_say_what_excused_an_entry(
    name: str, function: Callable[..., Any], inputs: Any, options: dict[str, Any]
) -> None:
    _, findings = _check(function, inputs, Options(**options))
    table = findings[-1].evidence.table
    assert table is not None
    excused = {by for c in table.comparisons for by, _ in c.excused}
    assert name in excused <= {allowance.__name__ for allowance in PASSES}


def test_two_zeros_that_differ_by_their_own_rounding_agree() -> None:
    """As after a batch norm: neither would be noticed, and both are within their measured bars."""
    bars = np.full((1, 1), 1e-17)
    exact = {"reference": Estimate(3 * bars, bars), "torch": Estimate(-4 * bars, bars)}
    pair = Sides("reference", exact["reference"], "torch", exact["torch"], 0.0, entrywise=True)
    tolerance, one = Tolerance(1e-6, 0.0, 1e-3), np.ones((1, 1))
    before = compare([pair], tolerance, scale=bars, floor=0 * bars, zero=one, zero_bar=0.0)
    assert before[0].agree is False
    pullback = SimpleNamespace(eps=2.0**-52)
    jacobian: Any = SimpleNamespace(measured=exact, pullbacks=dict.fromkeys(exact, pullback))
    sizes = np.abs([e.value for e in exact.values()])
    table = Table(one, None, [0], exact, None)
    on = Weighed(table, jacobian, tolerance, one, sizes, np.array([bars, bars]))
    (after,) = accept_what_vanishes(before, on)
    assert after.agree is True
    assert [by for by, _ in after.excused] == ["accept_what_vanishes"]
    # What would be noticed is not rounding.
    assert accept_what_vanishes(before, on._replace(zero=1e-6 * one)) == before


def test_no_allowance_is_made_twice() -> None:
    assert len(set(PASSES)) == len(PASSES)
