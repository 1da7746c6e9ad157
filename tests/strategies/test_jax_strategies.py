"""JAX arrays are drawn by every strategy that has ``library=``, and from annotations."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_gradcheck import InvalidArgument, arrays, check_gradients
from pytest_gradcheck import strategies as ours
from pytest_gradcheck.strategies import from_annotation

SHORT = settings(max_examples=15, deadline=None, database=None)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
@given(data=st.data())
@SHORT
def test_arrays_of_every_dtype(data, dtype):
    with jax.enable_x64(True):
        x = data.draw(arrays((2, 3), dtype, library="jax"))
        assert isinstance(x, jax.Array)
        assert (x.dtype.name, x.shape) == (dtype, (2, 3))
        assert np.isfinite(np.asarray(x)).all()


@given(st.data())
@SHORT
def test_float64_is_what_jax_makes_of_it(data):
    narrow = data.draw(arrays(3, library="jax"))
    with jax.enable_x64(True):
        wide = data.draw(arrays(3, library="jax"))
    assert (narrow.dtype, wide.dtype) == (jnp.float32, jnp.float64)
    assert np.isfinite(np.asarray(narrow)).all()


@given(arrays(4, library="jax", min_value=0.1, max_value=0.3))
@SHORT
def test_bounds_hold_in_the_dtype_that_is_drawn(x):
    assert x.dtype == jnp.float32
    assert (np.asarray(x, np.float64) >= 0.1).all()
    assert (np.asarray(x, np.float64) <= 0.3).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: ours.distinct(3, library="jax"),
        lambda: ours.positive_definite(3, library="jax"),
        lambda: ours.orthogonal(3, library="jax"),
        lambda: ours.probabilities(3, library="jax"),
        lambda: ours.sorted_(3, library="jax"),
    ],
    ids=["distinct", "positive_definite", "orthogonal", "probabilities", "sorted"],
)
@given(data=st.data())
@SHORT
def test_structured_arrays(data, call):
    x = data.draw(call())
    assert isinstance(x, jax.Array)
    assert x.dtype == jnp.float32


@given(ours.indices(3, into=4, library="jax"))
@SHORT
def test_indices(index):
    assert isinstance(index, jax.Array)
    assert jnp.issubdtype(index.dtype, jnp.integer)


@given(arrays((), library="jax"))
@SHORT
def test_scalars_of_jax(x):
    assert (x.shape, isinstance(x, jax.Array)) == ((), True)


@pytest.mark.parametrize(("library", "kind"), [("jax", jax.Array), ("numpy", np.ndarray)])
@given(data=st.data())
@SHORT
def test_scalars_as_arrays_without_axes(library, kind, data):
    x = data.draw(ours.scalars(0.5, 2, library=library))
    assert (x.shape, isinstance(x, kind)) == ((), True)
    assert 0.5 <= float(x) <= 2


def test_scalars_of_an_unknown_library():
    with pytest.raises(InvalidArgument, match="'jaxx'"):
        ours.scalars(library="jaxx")


@given(from_annotation(jax.Array, "x"), from_annotation(jaxtyping.Float[jax.Array, "n 2"], "y"))
@SHORT
def test_annotations(x, y):
    assert isinstance(x, jax.Array)
    assert isinstance(y, jax.Array)
    assert y.shape[1] == 2
    assert check_gradients(lambda x: x * x, y).verdict == "pass"


def test_a_layout_that_jax_does_not_have():
    with pytest.raises(InvalidArgument, match="use one of contiguous"):
        arrays(3, layout="fortran", library="jax")


@pytest.mark.parametrize("call", ["arrays(3, library='jax')", "distinct(3, library='jax')"])
def test_what_to_install_is_said_without_jax(call):
    code = (
        "import sys, importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'jax' else find(name, *rest)\n"
        "from pytest_gradcheck import arrays, distinct, InvalidArgument\n"
        f"try:\n    {call}\n"
        "except InvalidArgument as error:\n"
        "    assert \"pip install 'pytest-gradcheck[jax]'\" in str(error), error\n"
        "else:\n    raise AssertionError\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
