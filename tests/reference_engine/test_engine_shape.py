"""Shape functions answer as NumPy does, for any shape and dtype, errors included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reference_engine import Tensor, vjp

CALLS = {
    "squeeze": np.squeeze,
    "squeeze(axis=0)": lambda x: np.squeeze(x, axis=0),
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
    "moveaxis": lambda x: np.moveaxis(x, [0, 1], [-1, 0]),
    "rollaxis": lambda x: np.rollaxis(x, -1),
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "flip": np.flip,
    "flip(0)": lambda x: np.flip(x, 0),
    "flip((0, -1))": lambda x: np.flip(x, (0, -1)),
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "rot90": np.rot90,
    "rot90(k=-1)": lambda x: np.rot90(x, k=-1, axes=(0, -1)),
    "rot90(k=2)": lambda x: np.rot90(x, k=2),
    "roll": lambda x: np.roll(x, 2, axis=-1),
    "repeat": lambda x: np.repeat(x, 2),
    "repeat(axis)": lambda x: np.repeat(x, [3], axis=-1),
    "repeat(0)": lambda x: np.repeat(x, 0, axis=0),
    "tile": lambda x: np.tile(x, (2, 1, 2)),
    "tril": lambda x: np.tril(x, 1),
    "triu": lambda x: np.triu(x, -1),
    "diag": np.diag,
    "diagonal": lambda x: np.diagonal(x, 1, -1, 0),
    "transpose": np.transpose,
    "ravel": np.ravel,
    "ravel(F)": lambda x: np.ravel(x, order="F"),
}
DTYPES = st.sampled_from([np.float64, np.float32, np.complex128, np.complex64, np.int64, np.bool_])


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@given(
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), dtype=DTYPES, turned=st.booleans()
)
@settings(max_examples=25, deadline=None)
def test_same_as_numpy(call, shape, dtype, turned):
    x = np.random.default_rng(len(shape)).integers(-4, 5, shape).astype(dtype)
    x = x.T if turned else x
    try:
        want = call(x)
    except (ValueError, IndexError, TypeError):
        with pytest.raises((ValueError, IndexError)):
            call(Tensor(x))
        return
    got = call(Tensor(x))
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    np.testing.assert_array_equal(got.data, want)
    if x.dtype.kind in "fc":
        # Each entry's cotangent goes back to where the entry came from.
        places = call(np.arange(1.0, x.size + 1).reshape(x.shape)).astype(int)
        cotangent = np.arange(1, want.size + 1).reshape(want.shape).astype(dtype)
        expected = np.bincount(places.ravel(), cotangent.ravel().real, minlength=x.size + 1)[1:]
        back = vjp(call, x)[1](cotangent)[0]
        np.testing.assert_array_equal(back, expected.reshape(x.shape))
