"""Arrays of objects and of text hand out their entries: then the engine is unavailable, never a constant."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check_gradients

ESCAPES: dict[str, Callable[[Any], Any]] = {
    "asarray of objects": lambda x: [math.sin(v) for v in np.asarray(x, dtype=object).astype(float)],
    "a list of objects": lambda x: [math.sin(float(v)) for v in np.array([x[0], x[1]], dtype=object)],
    "astype(object)": lambda x: [math.sin(float(v)) for v in x.astype(object)],
    "a copy as objects": lambda x: [math.sin(v) for v in np.array(x).astype(object)],
    "text": lambda x: [math.sin(float(v)) for v in np.array([x[0], x[1]]).astype(str)],
    "text of a width": lambda x: [math.sin(float(v)) for v in np.array([x[0], x[1]], dtype="U25")],
    "fromiter": lambda x: [math.sin(float(v)) for v in np.fromiter((v for v in x), dtype=object)],
}


@pytest.mark.parametrize("name", ESCAPES)
def test_the_engine_is_unavailable(name: str) -> None:
    def fn(x: Any) -> Any:
        return np.array(ESCAPES[name](x))

    right = check_gradients(fn, np.array([0.3, 0.7]), gradient=None, vjp=lambda x, u: u * np.cos(x))
    assert right.verdict == "pass", str(right)
    assert right.methods["reference"].status == "unavailable"
    # Where no gradient by hand is on trial, nothing replays the recording at a second point.
    plain = check_gradients(fn, np.array([0.3, 0.7]))
    # torch's stand-in for NumPy arrays as well.
    assert {plain.methods[name].status for name in ("reference", "torch")} == {"unavailable"}, str(plain)
    assert plain.culprit is None
    wrong = check_gradients(fn, np.array([0.3, 0.7]), vjp=lambda x, u: 1.01 * u * np.cos(x))
    assert (wrong.verdict, wrong.culprit) == ("fail", "user"), str(wrong)


def test_numbers_of_other_kinds_stay_in_the_graph() -> None:
    def fn(x: Any) -> Any:
        return np.array([x[0], x[1]], dtype="float64") * np.asarray(x, dtype=np.float64).astype(complex).real

    result = check_gradients(fn, np.array([0.3, 0.7]))
    assert (result.verdict, result.methods["reference"].status) == ("pass", "ok"), str(result)
