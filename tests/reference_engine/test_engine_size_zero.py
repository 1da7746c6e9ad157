"""Every row of the tables on arrays that have a dimension of size 0: NumPy's result, or NumPy's refusal."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from engine_samples import SAMPLES, name_of

import reference_engine as engine
from reference_engine.containers import flatten

REFUSALS = (ValueError, IndexError, TypeError, RuntimeError, ZeroDivisionError, np.linalg.LinAlgError)


def emptied(args: tuple[Any, ...], length: int) -> list[Any]:
    """The arguments without the entries along every axis of so many entries."""
    return [x[tuple(slice(0 if n == length else n) for n in np.shape(x))] if np.ndim(x) else x for x in args]


LEFT_OUT = {
    **dict.fromkeys(
        [
            "fft.irfft-1-4",
            "fft.irfft-2-4",
            "fft.hfft-1-4",
            "fft.hfft-2-4",
            "fft.irfftn-1-4",
            "fft.irfft2-1-4",
        ],
        "NumPy 2.4 reads memory that nobody has written",
    ),
    **dict.fromkeys(["linalg.svd-7-2", "linalg.svd-7-3"], "the rows and columns that it reads are refused"),
}

CALLS = {
    f"{name_of(key)}-{i}-{length}": (function, emptied(args, length))
    for key, samples in SAMPLES.items()
    for i, (function, args) in enumerate(samples)
    for length in sorted({n for x in args for n in np.shape(x)})
}
CASES = [pytest.param(*call, id=name) for name, call in CALLS.items() if name not in LEFT_OUT]


def test_what_is_left_out_exists() -> None:
    assert set(LEFT_OUT) < set(CALLS)


@pytest.mark.parametrize(("function", "args"), CASES)
def test_size_zero_is_numpys(function: Any, args: list[Any]) -> None:
    places = [i for i, x in enumerate(args) if np.result_type(x).kind in "fc"]

    def f(*inputs: Any) -> list[Any]:
        full = list(args)
        for i, x in zip(places, inputs, strict=True):
            full[i] = x
        return flatten(function(*full))[0]

    chosen = [np.asarray(args[i]) for i in places]
    # The mean of nothing is nan, with a warning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            expected = f(*chosen)
        except REFUSALS:
            with pytest.raises(REFUSALS):
                engine.vjp(f, *chosen)
            return
        value, pullback = engine.vjp(f, *chosen)
        for got, want in zip(value, expected, strict=True):
            np.testing.assert_array_equal(got, want)
            assert np.shape(got) == np.shape(want)
            assert np.result_type(got) == np.result_type(want)

        def gradient(*inputs: Any) -> list[Any]:
            return list(engine.vjp(f, *inputs)[1]([np.ones_like(x) for x in value]))

        first = pullback([np.ones_like(x) for x in value])
        second = engine.vjp(gradient, *chosen)[1]([np.ones_like(x) for x in chosen])
    for found in (first, second):
        for g, x in zip(found, chosen, strict=True):
            assert np.shape(g) == np.shape(x)
            assert np.result_type(g) == np.result_type(x)
