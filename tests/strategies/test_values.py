"""Every feature at which gradients break is met within the first examples, whatever the seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from drawing import examples
from hypothesis import strategies as st

from pytest_gradcheck.strategies import arrays, scalars, shapes, tensors
from pytest_gradcheck.strategies.tables import ANY, HALVES, LARGE, TINY, WHOLE, Range, table

SEEDS, FEW_SEEDS = range(20), range(4)
FEW = 60

Predicates = dict[str, Callable[[Any], bool]]


def tied(x: Any, end: Any) -> bool:
    return bool((x == end).sum() > 1 and end != 0.0)


MATRIX: Predicates = {
    "one zero": lambda x: (x == 0.0).sum() == 1,
    "a row or a column of zeros": lambda x: bool(x.any()) and not (x.any(0).all() and x.any(1).all()),
    "all zeros": lambda x: not x.any(),
    "-0.0": lambda x: bool((np.signbit(x) & (x == 0.0)).any()),
    "1": lambda x: bool((x == 1.0).any()),
    "-1": lambda x: bool((x == -1.0).any()),
    "a tie of the largest": lambda x: tied(x, x.max()),
    "a tie of the smallest": lambda x: tied(x, x.min()),
    "equal rows or columns": lambda x: (
        bool(x.any()) and (len(np.unique(x, axis=0)) < len(x) or len(np.unique(x, axis=1)) < x.shape[1])
    ),
    "all equal": lambda x: tied(x, x.flat[0]) and len(np.unique(x)) == 1,
    "two numbers": lambda x: len(np.unique(x)) == 2,
    "none positive": lambda x: bool((x <= 0.0).all() and x.any()),
    "none negative": lambda x: bool((x >= 0.0).all() and x.any()),
    "whole numbers": lambda x: bool((x == np.round(x)).all() and x.any()),
    "halves": lambda x: bool((2 * x == np.round(2 * x)).all() and (x != np.round(x)).any()),
    "below 1e-7": lambda x: bool(((x != 0.0) & (np.abs(x) < 1e-7)).any()),
    "from 100": lambda x: bool((np.abs(x) >= 100.0).any()),
    "mixed scales": lambda x: bool(x.any() and np.abs(x).max() > 1e6 * np.abs(x[x != 0.0]).min()),
    "none of these": lambda x: bool(len(np.unique(x)) == 12 and x.any() and x.flags.c_contiguous),
    "fortran": lambda x: bool(x.flags.f_contiguous),
    "strided": lambda x: x.strides[-1] == 16,
    "reversed": lambda x: x.strides[-1] < 0,
}
TENSOR: Predicates = {
    "fortran": lambda x: x.stride() == (1, 4),
    "strided": lambda x: x.stride() == (6, 2),
    "expanded": lambda x: x.stride() == (0, 1),
    "float32": lambda x: x.dtype == torch.float32,
    "float64": lambda x: x.dtype == torch.float64,
    "bfloat16": lambda x: x.dtype == torch.bfloat16,
}
BOUNDED: Predicates = {
    "low": lambda x: bool((x == -2.0).any()),
    "high": lambda x: bool((x == 3.0).any()),
}
FROM_ZERO: Predicates = {
    "zeros and others": lambda x: bool((x == 0.0).any() and x.any()),
    "a row or a column of zeros": MATRIX["a row or a column of zeros"],
    "all zeros": MATRIX["all zeros"],
    "high": lambda x: bool((x == 1.0).any()),
    "no zero": lambda x: bool(x.all()),
}
SCALAR: Predicates = {
    "0": lambda x: x == 0.0 and not np.signbit(x),
    "-0.0": lambda x: x == 0.0 and bool(np.signbit(x)),
    "±1": lambda x: abs(x) == 1.0,
    "below 1e-7": lambda x: 0.0 < abs(x) < 1e-7,
    "from 100": lambda x: abs(x) >= 100.0,
    "negative": lambda x: x < 0.0,
    "whole": lambda x: x == round(x) and abs(x) > 1.0,
    "any": lambda x: x != round(x),
}
SHAPE: Predicates = {
    "a side of 0": lambda x: 0 in x.shape,
    "a side of 1": lambda x: 1 in x.shape,
    "no dimension": lambda x: x.ndim == 0,
    "three dimensions": lambda x: x.ndim == 3,
    "a side of 5": lambda x: 5 in x.shape,
}
PAIR: Predicates = {
    "both zero": lambda p: not p[0].any() and not p[1].any(),
    "zero in one of them": lambda p: bool(((p[0] == 0.0) != (p[1] == 0.0)).any()),
    "equal": lambda p: bool((p[0] == p[1]).all() and p[0].any()),
    "equal somewhere": lambda p: bool((p[0] == p[1]).any() and (p[0] != p[1]).any()),
}

GRIDS: dict[str, tuple[st.SearchStrategy[Any], Predicates]] = {
    "matrix": (arrays((4, 3)), MATRIX),
    "tensor": (tensors((4, 3), ["float64", "float32", "bfloat16"]), TENSOR),
    "bounded": (arrays(3, min_value=-2, max_value=3), BOUNDED),
    "from zero": (arrays((4, 3), min_value=0, max_value=1), FROM_ZERO),
    "scalar": (scalars(), SCALAR),
    "shape": (arrays(shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)), SHAPE),
    "pair": (st.tuples(arrays((2, 3)), arrays((2, 3))), PAIR),
}


@pytest.mark.parametrize("seeds", [FEW_SEEDS, pytest.param(SEEDS, marks=pytest.mark.sweep)], ids=str)
@pytest.mark.parametrize("grid", GRIDS)
def test_every_feature_is_met_within_few_examples(grid: str, seeds: range) -> None:
    strategy, predicates = GRIDS[grid]
    for seed in seeds:
        drawn = examples(strategy, FEW, seed)
        missed = [name for name, holds in predicates.items() if not any(holds(x) for x in drawn)]
        assert not missed, f"seed {seed}"


@pytest.mark.parametrize(
    ("special", "absent"),
    [
        ("tiny", "below 1e-7"),
        ("large", "from 100"),
        ("negative_zeros", "-0.0"),
        ("layouts", "strided"),
        ("ties", "all equal"),
    ],
)
def test_features_are_asked_for_by_name(special: str, absent: str) -> None:
    holds = MATRIX[absent]
    others = {"zeros", "negative_zeros", "ties", "signs", "bounds", "tiny", "large", "layouts"} - {special}
    assert any(map(holds, examples(arrays((4, 3), special=[special]), FEW, 0)))
    assert not any(map(holds, examples(arrays((4, 3), special=others), FEW, 0)))


def test_features_stay_within_the_bounds() -> None:
    for low, high in ((0.0, 1.0), (1e-3, 1.0), (-1.0, 0.0), (2.0, None), (None, -0.5), (0.0, None)):
        for seed in range(3):
            drawn = np.array(examples(arrays((2, 2), min_value=low, max_value=high), FEW, seed))
            assert low is None or drawn.min() >= low
            assert high is None or drawn.max() <= high
            assert low != 0.0 or not np.signbit(drawn).any()


@pytest.mark.parametrize("layout", ["contiguous", "fortran", "strided", "reversed"])
def test_a_layout_can_be_asked_for(layout: str) -> None:
    want = {"contiguous": (24, 8), "fortran": (8, 32), "strided": (48, 16), "reversed": (24, -8)}[layout]
    assert {x.strides for x in examples(arrays((4, 3), layout=layout), FEW, 0)} == {want}


def test_tensors_on_a_device_and_with_requires_grad() -> None:
    drawn = examples(tensors(3, requires_grad=True, device="cpu", layout="expanded"), FEW, 0)
    assert all(x.requires_grad and x.is_leaf and x.stride() == (0,) for x in drawn)


@pytest.mark.parametrize("shape", [(4, 3), (8, 8)], ids=str)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (None, 0.0)])
def test_where_zero_is_a_bound_most_points_have_none_whatever_their_size(
    low: float | None, high: float | None, shape: tuple[int, ...]
) -> None:
    """At a zero an entropy is not a number; with one in thirty entries few large points had none."""
    drawn = [
        x for seed in range(2) for x in examples(arrays(shape, min_value=low, max_value=high), FEW, seed)
    ]
    assert 0.05 < np.mean([(x == 0.0).any() for x in drawn]) < 0.55


def test_a_bound_of_zero_is_met_without_other_zeros() -> None:
    drawn = examples(arrays((4, 3), min_value=0, max_value=1, special=["bounds"]), FEW, 0)
    assert any((x == 0.0).any() and (x == 1.0).any() for x in drawn)


def test_the_other_sign_of_a_range_up_to_zero_stands_for_numbers() -> None:
    found = table(Range.within(0.0, 1.0, "float64"), True)
    codes = np.arange(1 << 16)
    for style in (WHOLE, HALVES, ANY, TINY, LARGE):
        assert np.flatnonzero(found.at(codes, style) == 0.0).tolist() == [0, 1]


def test_a_range_of_zero_alone_holds_zero() -> None:
    assert not table(Range.within(0.0, 0.0, "float64"), True).at(np.arange(1 << 16), ANY).any()
