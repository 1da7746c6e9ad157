"""scipy.special's ufuncs on Tensors against mpmath with 40 digits, first and second derivatives."""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from engine_special import KNOWN, ufunc

import reference_engine as engine
from reference_engine.rules.special import SPECIAL


def slope(f: Any) -> Any:
    """The derivative of a function of one real or complex number; a gradient is its conjugate."""

    def derivative(x: Any) -> Any:
        value, pull = engine.vjp(f, x)
        return np.conjugate(pull(np.ones_like(value))[0])

    return derivative


def test_every_row_is_known_to_mpmath():
    assert set(SPECIAL) == set(KNOWN)


def exact(x: Any) -> Any:
    return mp.mpc(x) if isinstance(x, complex) else mp.mpf(x)


def agree(got: Any, want: Any, tolerance: float, what: str, size: Any = 0) -> None:
    """Relative to the derivative, or to what cancels in it: x's own rounding bounds what can be had."""
    want = complex(want)
    # Of a derivative that is zero, mp.diff leaves about 1e-88.
    scale = abs(want) + 1e-3 * float(size) + 1e-70
    assert abs(complex(got) - want) <= tolerance * scale, f"{what}: {got} for {want}"


#: mpmath integrates or adds these up at every digit: half of the time of all rows.
LONG = {"kv", "kve", "pbwa", "owens_t", "itstruve0", "it2struve0", "itmodstruve0"}


def test_the_long_ones_are_rows():
    assert set(SPECIAL) >= LONG


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.sweep) if name in LONG else name for name in SPECIAL]
)
def test_derivatives_agree_with_mpmath(name):
    known, function = KNOWN[name], ufunc(name)
    assert known.points
    with mp.workdps(40):
        for point in known.points:
            for i, partial in enumerate(SPECIAL[name]):
                if partial is None:
                    continue

                def f(x, i=i, point=point):
                    return function(*point[:i], x, *point[i + 1 :])

                # The outputs of a function are looked at one by one, and the orders meet at the same places.
                @cache
                def reference(x, precision, i=i, point=point):
                    result = known.function(*map(exact, point[:i]), x, *map(exact, point[i + 1 :]))
                    return result if isinstance(result, tuple) else (result,)

                at, x = point[i], exact(point[i])
                for k in range(function.nout):

                    def one(x, f=f, k=k):
                        return f(x)[k] if function.nout > 1 else f(x)

                    def true(x, reference=reference, k=k):
                        return reference(x, mp.mp.prec)[k]

                    what = f"{name}{point} by argument {i}, output {k}"
                    value, first, second = true(x), mp.diff(true, x), mp.diff(true, x, 2)
                    agree(one(at), value, known.tolerance, f"the value of {what}", 1)
                    size, tolerance = min(abs(value), 1), known.tolerance
                    agree(slope(one)(at), first, tolerance, f"the slope of {what}", size)
                    size, curvature = min(abs(first), 1), slope(slope(one))(at)
                    agree(curvature, second, 10 * tolerance, f"the curvature of {what}", size)
