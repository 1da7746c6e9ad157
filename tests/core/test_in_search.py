"""A brief check says what a full one says; a thorough one looks at entries where a plain one projects."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from test_hard_functions import ALL as RIGHT
from test_wrong_functions import ALL as WRONG
from test_wrong_functions import HAND

from pytest_gradcheck.core import decide
from pytest_gradcheck.core.check import check_gradients, check_in_test
from pytest_gradcheck.core.evidence import rounding
from pytest_gradcheck.testing import corrupt

pytestmark = pytest.mark.kernels

CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    **{name: (fault.function, fault.inputs, {"order": fault.order}) for name, fault in WRONG.items()},
    **{case.what: (case.function, case.inputs, {"gradient": case.gradient}) for case in HAND},
    **{name: (right.function, right.inputs, {}) for name, right in RIGHT.items()},
}

# Ties, at which differences measure nothing; a sum that vanishes; a kink; a wrong row; a second derivative.
SHORT = [
    "median of equal numbers",
    "abs divides by itself",
    "layer norm",
    "a factor transposed",
    *[name for name, fault in WRONG.items() if fault.order == 2][:1],
]


def compare(name: str) -> None:
    function, inputs, options = CASES[name]
    full = check_gradients(function, inputs, **options)
    brief = check_in_test(function, inputs, brief=True, **options)
    assert (brief.verdict, brief.culprit) == (full.verdict, full.culprit), f"{full}\n{brief}"


@pytest.mark.parametrize("name", SHORT)
def test_a_brief_check_says_what_a_full_one_says(name: str) -> None:
    compare(name)


@pytest.mark.sweep
@pytest.mark.parametrize("name", [name for name in CASES if name not in SHORT])
def test_a_brief_check_says_what_a_full_one_says_of_each(name: str) -> None:
    compare(name)


def test_a_brief_check_of_a_failure_takes_fewer_evaluations() -> None:
    wrong = corrupt(torch.nn.functional.gelu, "sign")
    point = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(3, 4)
    full, brief = check_gradients(wrong, point), check_in_test(wrong, point, brief=True)
    assert (full.verdict, full.culprit) == (brief.verdict, brief.culprit) == ("fail", "torch")
    assert brief.evaluations < full.evaluations / 2


@pytest.mark.parametrize(("dtype", "times"), [(torch.float64, 0), (torch.float32, 1)])
def test_rounding_is_measured_only_where_the_long_ladder_leaves_doubt(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, times: int
) -> None:
    """The steps of a short one are those of the large entries, within which the others bend."""
    measured: list[Any] = []
    monkeypatch.setattr(decide, "measure", lambda *given: measured.append(given))
    point = torch.tensor([[4.0, 3e6, 1e3, -7e2], [-1.0, 3e2, -7e8, 7e6], [0.0, 1e-8, 1.0, 2.0]], dtype=dtype)

    assert check_gradients(torch.nn.functional.gelu, point).verdict == "pass"
    assert len(measured) == times


def root(x: Any, least: float = 1e-12) -> Any:
    """By Newton's method, which halves its way to the root of zero and in float32 does not end."""
    xp: Any = torch if isinstance(x, torch.Tensor) else np
    y, step = xp.ones_like(x), xp.ones_like(x)
    while abs(step).max() > least:
        step = (y * y - x) / (2 * y)
        y = y - step
    return y


def test_rounding_is_measured_in_the_rows_that_are_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, runs = set(), set()
    amplified = rounding._Amplification._measure

    def measured(self: Any, cotangent: Any) -> Any:
        rows.add(int(np.argmax(cotangent)))
        runs.add(len(self._runs.coarse))
        return amplified(self, cotangent)

    monkeypatch.setattr(rounding._Amplification, "_measure", measured)
    point = torch.linspace(0, 2, 9, dtype=torch.float64)
    check_gradients(functools.partial(root, least=1e-5), point, domain=(0, None))

    # At the bound the slope is all but infinite, with one side to see it from; elsewhere everybody agrees.
    assert rows == {0}
    # On the engine once in float32 and once disturbed, and once on torch.
    assert runs == {1, 2}


@pytest.mark.parametrize("library", ["torch", "numpy"])
@pytest.mark.parametrize("methods", [None, ("central", "torch")])
def test_a_loop_that_does_not_end_in_coarse_arithmetic_ends(library: str, methods: Any) -> None:
    point = np.linspace(0, 2, 3)
    given = torch.from_numpy(point) if library == "torch" else point
    result = check_gradients(root, given, domain=(0, None), methods=methods)
    assert (result.verdict, result.diagnosis.code) in (
        ("pass", "agree"),
        ("pass", "proved"),
        ("inconclusive", "unresolved"),
    )


def test_numbers_of_very_different_sizes_need_no_long_ladder() -> None:
    """Projections, and six evaluations per entry and size: that of the others, its own, one."""
    point = torch.tensor(
        [4.0, 3e6, 1e3, -7e2, -1.0, 3e2, -7e8, 7e6, 0.0, 1e-8, 1.0, 2.0], dtype=torch.float64
    )
    result = check_gradients(torch.nn.functional.gelu, point)

    assert result.verdict == "pass"
    assert sum(result.methods[name].evaluations for name in ("central", "forward")) <= 12 + 12 * 6 * 3


def test_an_output_that_is_all_but_cancelled_has_no_kink() -> None:
    """The distribution at minus eight is known to the rounding of one, which wavers on both sides."""
    point = torch.tensor([-2.8, -0.0114, -0.0186, -4.33, -1.39, -8.0, 2.1, -1.0, 1.0], dtype=torch.float64)
    result = check_gradients(torch.nn.functional.gelu, point)

    assert result.verdict == "pass"
    assert sum(result.methods[name].evaluations for name in ("central", "forward")) == 12  # the first look's


def test_a_thorough_check_looks_at_entries() -> None:
    """An entry that is tiny next to the others is lost in their sum."""

    def gradient(x: Any) -> Any:
        return np.where(np.arange(12) == 5, 2e-9 * x, 2 * x * 1e3)

    def function(x: Any) -> Any:
        return (np.where(np.arange(12) == 5, 1e-9, 1e3) * x**2).sum()

    x = np.linspace(1, 2, 12)
    assert check_in_test(function, x, gradient=gradient).mode == "directional"
    assert check_in_test(function, x, gradient=gradient, thorough=True).mode == "full"
    long = np.linspace(1, 2, 200)
    assert check_in_test(lambda x: (x * x).sum(), long, thorough=True).mode == "directional"
