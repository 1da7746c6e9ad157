from __future__ import annotations

import math
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch
from drawing import examples, minimal
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.strategies import arrays, domain_of, scalars, tensors
from pytest_gradcheck.strategies.dtypes import COMPONENTS, largest, rounded, rounded_down, rounded_up

DTYPES = ["float16", "float32", "float64", "complex64", "complex128"]


# -- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_array_has_the_shape_and_dtype_asked_for(dtype: str) -> None:
    for x in examples(arrays((4, 3), dtype), 50):
        assert x.shape == (4, 3)
        assert x.dtype == dtype
        assert np.isfinite(x).all()
        assert x.flags.writeable


def test_several_dtypes() -> None:
    drawn = examples(arrays(3, ["float64", np.float16], max_value=0.1), 100)
    assert {x.dtype.name for x in drawn} == {"float64", "float16"}
    assert max(float(x.max()) for x in drawn if x.dtype == np.float16) == rounded_down(0.1, "float16")
    assert {x.dtype for x in examples(tensors(3, (torch.float32, "bfloat16")), 50)} == {
        torch.float32,
        torch.bfloat16,
    }


def test_without_special_features_values_are_moderate_and_hardly_tied() -> None:
    drawn = examples(arrays((4, 3), special=False), 200)
    values = np.concatenate([x.ravel() for x in drawn])
    assert np.abs(values).max() <= 10.0
    assert len(np.unique(values)) > 300
    # Hypothesis itself begins with the simplest points.
    assert sum((x == 0.0).any() for x in drawn) < 40
    assert not np.signbit(values[values == 0.0]).any()
    assert sum(len(np.unique(x)) == 12 for x in drawn) > 60
    assert all(x.flags.c_contiguous for x in drawn)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize(
    "bounds",
    [(-2, 2), (0, None), (None, 0), (0.1, 0.3), (100, None), (None, -1000.5), (3, 3), (0.25, 5e4)],
    ids=str,
)
def test_values_lie_within_the_bounds_and_reach_them(dtype: str, bounds: tuple[Any, Any]) -> None:
    low, high = bounds
    strategy = arrays(20, dtype, min_value=low, max_value=high)
    drawn = np.concatenate(examples(strategy, 60))
    component = COMPONENTS[dtype]
    for part in (drawn.real, drawn.imag) if dtype.startswith("complex") else (drawn,):
        wide = part.astype(np.float64)
        if low is not None:
            assert wide.min() == rounded_up(low, component) >= low
        if high is not None:
            assert wide.max() == rounded_down(high, component) <= high


@pytest.mark.parametrize("bounds", [(-1e308, 1e308), (1e-300, 2e-300), (1.0, 1.0 + 1e-12), (-1.7e308, None)])
def test_extreme_ranges_are_drawn_from_without_leaving_them(bounds: tuple[float, float | None]) -> None:
    low, high = bounds
    for x in examples(arrays(5, min_value=low, max_value=high), 30):
        assert np.isfinite(x).all()
        assert (x >= low).all()
        assert high is None or (x <= high).all()


@pytest.mark.parametrize("shape", [(4, 3), (9, 9), (1000,)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_unique_entries_differ(shape: tuple[int, ...], dtype: str) -> None:
    for x in examples(arrays(shape, dtype, unique=True), 30):
        assert len(np.unique(x)) == x.size


def test_elements_are_drawn_from_the_strategy_given() -> None:
    drawn = examples(arrays((2, 2), "float32", elements=st.integers(-3, 3)), 50)
    values = np.concatenate([x.ravel() for x in drawn])
    assert set(values.tolist()) == {-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0}
    assert values.dtype == np.float32


def test_shape_may_be_an_int_or_a_strategy_or_left_out() -> None:
    assert {x.shape for x in examples(arrays(3), 5)} == {(3,)}
    assert {x.shape for x in examples(arrays([2, 1]), 5)} == {(2, 1)}
    assert {x.shape for x in examples(arrays(np.int64(2)), 5)} == {(2,)}
    assert {x.shape for x in examples(arrays(()), 5)} == {()}
    assert {x.shape for x in examples(arrays((0, 3)), 5)} == {(0, 3)}
    assert {x.shape for x in examples(arrays(st.sampled_from([(2,), (3, 1)])), 40)} == {(2,), (3, 1)}
    by_default = {x.shape for x in examples(arrays(), 200)}
    assert {len(shape) for shape in by_default} == {1, 2}
    assert {side for shape in by_default for side in shape} == {1, 2, 3, 4}


def test_large_arrays_vary_like_small_ones() -> None:
    drawn = examples(arrays((100, 100), special=False), 60)
    full = [x for x in drawn if np.count_nonzero(x) > 8000]
    assert len(full) > 20
    assert np.median([len(np.unique(x)) for x in full]) > 300
    assert len({x.tobytes() for x in full}) > 15


def test_drawing_is_cheap() -> None:
    # Hypothesis itself takes most of this; a dozen entries cost about as much as one.
    start = time.process_time()
    count = len(examples(arrays((4, 3)), 200))
    small = (time.process_time() - start) / count
    start = time.process_time()
    count = len(examples(arrays((100, 100)), 100))
    large = (time.process_time() - start) / count
    assert small < 10e-3
    assert large < 20e-3


# -- shrinking -------------------------------------------------------------------------------------


def test_scalars_shrink_to_zero_and_whole_numbers() -> None:
    assert minimal(scalars(), lambda x: True) == 0.0
    assert minimal(scalars(), lambda x: x < 0) == -1.0
    assert minimal(scalars(), lambda x: x > 2.2) == 3.0
    assert minimal(scalars(100), lambda x: True) == 100.0
    assert minimal(scalars(), lambda x: 0 < x < 0.1) == 1e-3


def test_arrays_shrink_to_zeros_but_at_the_entries_that_matter() -> None:
    x = minimal(arrays((4, 3)), lambda x: (x < -0.1).sum() >= 2)
    assert sorted(x.ravel()) == [-1.0, -1.0] + [0.0] * 10
    assert (minimal(arrays((4, 3)), lambda x: len(np.unique(x)) < 12) == 0.0).all()


def test_large_arrays_shrink_to_zeros_but_at_the_entries_that_matter() -> None:
    x = minimal(arrays((20, 20)), lambda x: x.ravel()[250] > 1.5)
    assert np.count_nonzero(x) == 1
    assert x.ravel()[250] == 2.0
    assert (minimal(arrays((100, 100)), lambda x: True) == 0.0).all()


def test_drawn_shapes_shrink() -> None:
    x = minimal(arrays(), lambda x: x.ndim == 2 and (x > 0).any())
    assert x.tolist() == [[1.0]]


# -- tensors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_tensors_have_the_dtype_asked_for(dtype: str) -> None:
    for given_as in (dtype, getattr(torch, dtype)):
        for x in examples(tensors((4, 3), given_as, min_value=-2, max_value=0.3), 20):
            assert x.dtype == getattr(torch, dtype)
            assert tuple(x.shape) == (4, 3)
            assert not x.requires_grad
            assert torch.view_as_real(x).max() <= 0.3 if x.is_complex() else x.double().max() <= 0.3


def test_tensor_elements_in_bfloat16() -> None:
    drawn = examples(tensors(3, torch.bfloat16, elements=st.sampled_from([0.5, 2.0])), 20)
    assert {v for x in drawn for v in x.tolist()} == {0.5, 2.0}


def test_torch_is_imported_by_the_first_tensor_only() -> None:
    code = """
import sys
from pytest_gradcheck.strategies import arrays, scalars, tensors, from_annotation
import numpy as np
tensors((4, 3)), arrays(3), scalars(), from_annotation(np.ndarray, "x")
assert "torch" not in sys.modules
assert "jaxtyping" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tensors_without_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidArgument, match=r"pip install 'pytest-gradcheck\[torch\]'"):
        tensors(3)


# -- domain ----------------------------------------------------------------------------------------


def test_domain_is_the_bounds_given() -> None:
    assert domain_of(arrays(3, min_value=-2, max_value=2)) == (-2.0, 2.0)
    assert domain_of(tensors(3, "float32", min_value=0.1)) == (0.1, math.inf)
    assert domain_of(scalars(max_value=1)) == (-math.inf, 1.0)
    assert domain_of(arrays(3, min_value=0).filter(lambda x: x.sum() > 1).filter(np.any)) == (0.0, math.inf)
    for boundless in (
        arrays(3),
        scalars(),
        arrays(3, elements=st.floats(0, 1)),
        arrays(3, min_value=0).map(np.log),
        st.tuples(scalars(0, 1), scalars(0, 2)),
        st.floats(0, 1),
    ):
        assert domain_of(boundless) is None


# -- text and errors -------------------------------------------------------------------------------


def test_repr_reads_like_the_call() -> None:
    assert repr(arrays((4, 3), min_value=-2)) == "arrays((4, 3), min_value=-2)"
    assert repr(arrays()) == "arrays()"
    assert repr(arrays(3, np.float32, unique=True)) == "arrays(3, 'float32', unique=True)"
    assert repr(arrays(dtype=np.float16, max_value=0.5)) == "arrays(dtype='float16', max_value=0.5)"
    assert repr(tensors((4, 3), torch.bfloat16)) == "tensors((4, 3), 'bfloat16')"
    assert repr(arrays(2, elements=st.floats(0, 1))) == "arrays(2, elements=floats(min_value=0, max_value=1))"
    assert repr(scalars(0, max_value=2.5)) == "scalars(min_value=0, max_value=2.5)"
    assert repr(scalars()) == "scalars()"


@pytest.mark.parametrize(
    ("call", "argument", "text"),
    [
        (lambda: arrays(3.5), "shape", "3.5.*tuple of ints"),
        (lambda: arrays((2, -1)), "shape", r"\(2, -1\).*negative"),
        (lambda: arrays((2, 1.5)), "shape", "1.5"),
        (lambda: arrays(True), "shape", "True"),
        (lambda: arrays(3, int), "dtype", "int64; gradients need a floating dtype"),
        (lambda: arrays(3, np.bool_), "dtype", "bool; gradients need a floating dtype"),
        (lambda: tensors(3, torch.int32), "dtype", "int32; gradients need a floating dtype"),
        (lambda: arrays(3, None), "dtype", "None"),
        (lambda: arrays(3, "float65"), "dtype", "float65"),
        (lambda: arrays(3, "U3"), "dtype", "'U3'; use one of"),
        (lambda: arrays(3, "bfloat16"), "dtype", "'bfloat16'; use one of"),
        (lambda: arrays(3, np.longdouble), "dtype", "use one of"),
        (lambda: tensors(3, torch.float8_e5m2), "dtype", "float8_e5m2; use one of"),
        (lambda: arrays(3, min_value=2, max_value=1), "min_value", "2 above max_value=1"),
        (lambda: scalars(math.nan), "min_value", "nan.*finite"),
        (lambda: scalars(max_value=math.inf), "max_value", "inf.*finite number, or None"),
        (lambda: scalars(10**400), "min_value", "finite"),
        (lambda: scalars("0"), "min_value", "'0'.*real number"),
        (lambda: scalars(True), "min_value", "True.*real number"),
        (lambda: arrays(3, min_value=np.zeros(3)), "min_value", "real number"),
        (lambda: arrays(3, "float16", max_value=1e5), "max_value", "float16 ends at 65504"),
        (lambda: tensors(3, "float32", min_value=-1e39), "min_value", "float32 ends at 3.4"),
        (
            lambda: tensors(3, "bfloat16", min_value=1.001, max_value=1.002),
            "min_value, max_value",
            "between which bfloat16 has no value",
        ),
        (lambda: arrays(3, elements=1.0), "elements", "1.0; give a strategy"),
        (lambda: arrays(3, min_value=0, elements=st.floats()), "elements", "together with min_value"),
        (lambda: arrays(3, unique=1), "unique", "1; give True or False"),
        (lambda: arrays(3, "float16", min_value=1, max_value=1.001, unique=True), "unique", "3 entries"),
    ],
)
def test_wrong_arguments_are_named_when_the_strategy_is_made(call: Any, argument: str, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text) as caught:
        call()
    assert caught.value.argument == argument


def test_a_strategy_for_something_else_than_shapes_is_named() -> None:
    with pytest.raises(InvalidArgument, match="shape: got 'ab'"):
        examples(arrays(st.just("ab")))


# -- dtypes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("component", ["float16", "bfloat16", "float32", "float64"])
@given(value=st.floats(-6e4, 6e4))
def test_rounding_to_a_dtype(component: str, value: float) -> None:
    reference = torch.tensor(value, dtype=torch.float64).to(getattr(torch, component))
    if component != "bfloat16":  # torch rounds it by way of float32, as does the code here
        reference = torch.tensor(np.array(value).astype(component))
    assert rounded(np.array([value]), component)[0] == reference.double().item()
    up, down = rounded_up(value, component), rounded_down(value, component)
    assert down <= value <= up
    for end in (up, down):
        assert rounded(np.array([end]), component)[0] == end
    middle = torch.tensor(down, dtype=getattr(torch, component))
    above = torch.nextafter(middle, torch.tensor(math.inf, dtype=middle.dtype)).double().item()
    assert up in (down, above)


def test_largest_bfloat16_is_that_of_torch() -> None:
    assert largest("bfloat16") == torch.finfo(torch.bfloat16).max
