"""One wrong entry among a million is caught and named; what cannot be seen is not claimed as checked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_gradcheck import CheckResult, check_gradients
from pytest_gradcheck.testing import corrupt

pytestmark = pytest.mark.kernels

#: The two who must find it: all methods, and differences next to torch alone.
WITNESSES = [None, ("central", "torch")]
DTYPES = [torch.float64, torch.float32]


def changed(index: Any, change: Callable[[Any], Any], which: int = 0) -> Callable[[Any], Any]:
    """A fault at some entries of one input, by flat index."""

    def fault(gradients: Any) -> Any:
        wrong = [g.clone() for g in gradients]
        flat = wrong[which].reshape(-1)
        flat[index] = change(flat[index])
        return wrong

    return fault


FAULTS = {"zeroed": lambda g: 0 * g, "1 % off": lambda g: 1.01 * g}


def weights(size: int, spread: float) -> torch.Tensor:
    """Factors of which the gradient is made, over ``spread`` decades."""
    draw = torch.Generator().manual_seed(size)
    return 10.0 ** (spread * torch.rand(size, generator=draw, dtype=torch.float64))


def point(size: int, dtype: torch.dtype) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    return (2 * torch.rand(size, generator=draw, dtype=torch.float64) + 0.2).to(dtype)


def a_sum(size: int, spread: float = 0.3) -> Callable[[Any], Any]:
    w = weights(size, spread)
    return lambda x: (x.square() * w.to(x.dtype)).sum()


def entries(size: int, spread: float = 0.3) -> Callable[[Any], Any]:
    w = weights(size, spread)
    return lambda x: x.square() * w.to(x.dtype)


def place(size: int, which: str, spread: float = 0.3) -> int:
    """Where the largest and a typical entry of the gradient of these functions are."""
    order = torch.argsort(point(size, torch.float64) * weights(size, spread))
    return int(order[-1 if which == "largest" else size // 2])


def assert_found(result: CheckResult, index: tuple[int, ...], name: str = "x") -> None:
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert result.diagnosis.code == "one-entry", str(result)
    assert result.worst is not None
    assert (result.worst.place.input, result.worst.place.index) == (name, index)


def evaluations(result: CheckResult) -> int:
    return sum(result.methods[name].evaluations for name in ("central", "forward") if name in result.methods)


def every_way() -> list[Any]:
    """All combinations; the suite runs those in which each pair of choices comes once."""
    out = []
    for bits in itertools.product((0, 1), repeat=5):
        make, which, fault, dtype, methods = bits
        few = methods == make ^ which ^ fault and dtype == which ^ methods
        choice = (
            (a_sum, entries)[make],
            ("largest", "typical")[which],
            list(FAULTS)[fault],
            DTYPES[dtype],
            WITNESSES[methods],
        )
        out.append(pytest.param(*choice, marks=() if few else pytest.mark.sweep))
    return out


@pytest.mark.parametrize(("make", "which", "fault", "dtype", "methods"), every_way())
def test_one_wrong_entry_among_thousands_is_named(
    make: Any, which: str, fault: str, dtype: torch.dtype, methods: Any
) -> None:
    at = place(3000, which)
    wrong = corrupt(make(3000), changed(at, FAULTS[fault]))

    result = check_gradients(wrong, point(3000, dtype), methods=methods)

    assert_found(result, (at,))
    # A long ladder for two projections and one column, the second look (as in test_many_points), and six
    # evaluations per half that is looked at.
    assert evaluations(result) <= 150 + 6 * 14 + 6 * 5 + 18 * math.log2(3000)


@pytest.mark.parametrize("methods", WITNESSES)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_typical_entry_among_mixed_sizes_is_named(fault: str, methods: Any) -> None:
    at = place(3000, "typical", spread=4)
    wrong = corrupt(a_sum(3000, spread=4), changed(at, FAULTS[fault]))

    assert_found(check_gradients(wrong, point(3000, torch.float64), methods=methods), (at,))


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("dtype", "which", "fault", "methods"),
    [
        (torch.float64, "typical", "1 % off", ("central", "torch")),
        (torch.float64, "largest", "zeroed", None),
        (torch.float32, "typical", "1 % off", ("central", "torch")),
        (torch.float32, "largest", "1 % off", None),
    ],
)
def test_one_wrong_entry_among_a_million_is_named(
    dtype: torch.dtype, which: str, fault: str, methods: Any
) -> None:
    at = place(10**6, which)
    wrong = corrupt(a_sum(10**6), changed(at, FAULTS[fault]))

    result = check_gradients(wrong, point(10**6, dtype), methods=methods)

    assert_found(result, (at,))
    assert evaluations(result) <= 150 + 6 * 14 + 6 * 5 + 18 * math.log2(10**6)


@pytest.mark.sweep
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_right_gradient_of_a_million_entries_passes_at_the_cost_of_a_few_lines(dtype: torch.dtype) -> None:
    result = check_gradients(a_sum(10**6), point(10**6, dtype), methods=("central", "torch"))

    assert result.verdict == "pass"
    assert evaluations(result) <= 76


def layer(x: Any, weight: Any, bias: Any) -> Any:
    return torch.tanh(x @ weight + bias)


def of_layer(dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    shapes = (30, 50), (50, 60), (60,)
    return tuple((torch.randn(s, generator=draw, dtype=torch.float64) / 4).to(dtype) for s in shapes)


@pytest.mark.parametrize(
    ("fault", "dtype", "methods"),
    [
        ("1 % off", torch.float64, ("central", "torch")),
        ("zeroed", torch.float32, ("central", "torch")),
        ("1 % off", torch.float32, None),
    ],
)
def test_one_wrong_weight_of_a_layer_is_named(fault: str, dtype: torch.dtype, methods: Any) -> None:
    wrong = corrupt(layer, changed(7 * 60 + 31, FAULTS[fault], which=1))

    result = check_gradients(wrong, of_layer(dtype), methods=methods)

    assert_found(result, (7, 31), "weight")


@pytest.mark.parametrize("methods", WITNESSES)
def test_some_wrong_entries_are_no_one_entry(methods: Any) -> None:
    for many in (2, 3):
        at = np.random.default_rng(many).choice(3000, many, replace=False)
        wrong = corrupt(a_sum(3000), changed(at, lambda g: 1.01 * g))

        result = check_gradients(wrong, point(3000, torch.float64), methods=methods)

        assert (result.verdict, result.culprit) == ("fail", "torch")
        assert result.worst is not None
        assert result.worst.place.index[0] in at
        assert result.diagnosis.code == "constant-factor"


@pytest.mark.parametrize("methods", WITNESSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_elementwise_function_that_is_wrong_everywhere_is_no_one_entry(
    dtype: torch.dtype, methods: Any
) -> None:
    """Each output moves with one input: what is wrong in it is one entry, and says nothing of the others."""
    wrong = corrupt(entries(2000), changed(slice(None), FAULTS["1 % off"]))

    result = check_gradients(wrong, point(2000, dtype), methods=methods)

    assert (result.verdict, result.culprit) == ("fail", "torch")
    assert result.diagnosis.code == "constant-factor", str(result)
    assert "1.01" in result.diagnosis.text


@pytest.mark.parametrize("methods", WITNESSES)
def test_a_wrong_row_is_named_as_one_and_a_wrong_matrix_is_not(methods: Any) -> None:
    def energy(x: Any, weight: Any, bias: Any) -> Any:
        return layer(x, weight, bias).square().sum()

    inputs = of_layer(torch.float64)
    row = changed(slice(7 * 60, 8 * 60), lambda g: g + 0.1 * g.flip(0), which=1)
    every = changed(slice(None), lambda g: g + 0.1 * g.flip(0), which=1)

    of_row = check_gradients(corrupt(energy, row), inputs, methods=methods)
    of_all = check_gradients(corrupt(energy, every), inputs, methods=methods)

    assert (of_row.verdict, of_row.diagnosis.code) == ("fail", "one-row")
    assert "weight[7, :]" in of_row.diagnosis.text
    assert (of_all.verdict, of_all.diagnosis.code) == ("fail", "one-input")


@pytest.mark.parametrize("seed", range(6))
def test_equal_and_opposite_errors_do_not_cancel(seed: int) -> None:
    def pair(gradients: Any) -> Any:
        (g,) = gradients
        wrong = g.clone()
        wrong[17] += 0.05
        wrong[2011] -= 0.05
        return [wrong]

    # The same gradient everywhere: with a tangent of ones, or of signs alone, the two would cancel.
    result = check_gradients(
        corrupt(lambda x: x.sum(), pair), torch.ones(3000).double(), methods=("central", "torch"), seed=seed
    )

    assert result.verdict == "fail"
    assert result.worst is not None
    assert result.worst.place.index[0] in (17, 2011)


def unseen(result: CheckResult) -> int:
    """How many entries the result says that it did not see."""
    return sum(int(n.what.split()[0]) for n in result.not_checked if n.what.endswith("small entries"))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    spread=st.sampled_from([0.5, 4.0, 12.0]),
    size=st.sampled_from([12, 200, 600]),
    factor=st.sampled_from([1.001, 1.01, 0.5, -1.0, 2.0, 30.0]),
    dtype=st.sampled_from(DTYPES),
)
def test_nothing_passes_that_a_fault_in_a_checked_entry_could_hide_in(
    seed: int, spread: float, size: int, factor: float, dtype: torch.dtype
) -> None:
    draw = np.random.default_rng(seed)
    w = torch.from_numpy(10.0 ** draw.uniform(-spread / 2, spread / 2, size))
    x = torch.from_numpy(draw.uniform(0.2, 2.0, size)).to(dtype)
    at = int(draw.integers(size))

    def fn(x: Any) -> Any:
        return (x.square() * w.to(x.dtype)).sum()

    result = check_gradients(
        corrupt(fn, changed(at, lambda g: factor * g)), x, methods=("central", "torch"), mode="directional"
    )

    if result.verdict == "pass":
        # The entries that it did not see are the smallest: the wrong one is among them.
        wrong = 2 * w.numpy() * x.double().numpy()
        wrong[at] *= factor
        share = np.abs(wrong)
        assert (share <= share[at] / 9).sum() < unseen(result)
    else:
        assert result.verdict == "inconclusive" or result.worst is not None


def test_an_entry_too_small_to_see_is_not_claimed_as_checked() -> None:
    w = torch.ones(1000).double()
    w[:3] = 1e-12
    fn = corrupt(lambda x: (x.square() * w).sum(), changed(1, lambda g: 2 * g))

    result = check_gradients(fn, point(1000, torch.float64), methods=("central", "torch"))

    assert (result.verdict, unseen(result)) == ("pass", 3)
    both = check_gradients(fn, point(1000, torch.float64))
    # The engine differs there, by less than the roundings of the sum: the function's values say nothing of
    # it.
    assert (both.verdict, both.culprit) == ("pass", None)
    assert any("rounding of the function" in one.reason for one in both.not_checked)


def test_zeros_among_others_are_claimed_as_checked_to_a_part_of_the_largest() -> None:
    w = torch.ones(1000).double()
    w[::2] = 0.0

    result = check_gradients(
        lambda x: (x.square() * w).sum(), point(1000, torch.float64), methods=("central", "torch")
    )

    assert (result.verdict, unseen(result)) == ("pass", 0)


def test_an_input_whose_whole_gradient_drowns_is_not_claimed_as_checked() -> None:
    x = point(500, torch.float64)

    def fn(x: Any, y: Any) -> Any:
        return (x.square()).sum() + 1e-13 * y.square().sum()

    result = check_gradients(fn, (x, x + 1), methods=("central", "torch"))

    assert (result.verdict, unseen(result)) == ("pass", 500)


def test_zeros_whose_input_barely_shows_are_not_claimed_as_checked() -> None:
    w = torch.ones(1000).double()
    w[::2] = 0.0

    # The others move the output by two, of which a thousandth is about as large as what its rounding makes.
    result = check_gradients(
        lambda x: 1e9 + (x.square() * w).sum(), point(1000, torch.float64), methods=("central", "torch")
    )

    assert result.verdict == "pass"
    assert 500 < unseen(result) < 1000


def test_rounding_adds_up_as_a_random_walk() -> None:
    result = check_gradients(a_sum(100_000), point(100_000, torch.float32), methods=("central", "torch"))

    assert result.verdict == "pass"
    assert unseen(result) < 80_000


def test_a_large_gradient_of_which_nothing_is_seen_is_inconclusive() -> None:
    def fn(x: Any) -> Any:
        return 1e14 + x.square().sum()

    assert check_gradients(fn, point(500, torch.float64), methods=("central", "torch")).verdict == (
        "inconclusive"
    )


def loss_and_penalty(size: float, slope: float, curve: float = 1.0) -> Callable[[Any], Any]:
    """A loss, and next to it a penalty of another size whose first or second derivative may be wrong."""

    class Second(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, h: Any) -> Any:
            ctx.save_for_backward(x, h)
            return -slope * h * size * x.sin()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, h = ctx.saved_tensors
            return -curve * slope * g * h * size * x.cos(), -(slope * g * size * x.sin()).sum()

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x.square().sum(), size * x.cos().sum()

        @staticmethod
        def backward(ctx: Any, g: Any, h: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 2 * g * x + Second.apply(x, h)

    made: Callable[[Any], Any] = Both.apply
    return made


@pytest.mark.parametrize("methods", WITNESSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e-9, 1e-5, 1e7])
def test_an_output_that_is_small_beside_another_is_checked_too(
    size: float, dtype: torch.dtype, methods: Any
) -> None:
    x = point(30, dtype)

    assert check_gradients(loss_and_penalty(size, 1.0), x, methods=methods).verdict == "pass"
    wrong = check_gradients(loss_and_penalty(size, 1.5), x, methods=methods)
    assert (wrong.verdict, wrong.culprit) == ("fail", "torch"), str(wrong)
    assert wrong.worst is not None
    assert wrong.worst.place.output == "output[1]"


def test_so_is_the_second_derivative_of_a_small_output() -> None:
    x = point(30, torch.float64)

    assert check_gradients(loss_and_penalty(1e-9, 1.0), x, order=2).verdict == "pass"
    wrong = check_gradients(loss_and_penalty(1e-9, 1.0, 1.5), x, order=2)
    assert (wrong.verdict, wrong.culprit, wrong.order) == ("fail", "torch", 2), str(wrong)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("what", ["a sum of deviations", "the mean of what was normalised"])
def test_an_output_that_is_nothing_but_rounding_is_not_weighed_up(what: str, dtype: torch.dtype) -> None:
    def beside(x: Any) -> Any:
        small = (x - x.mean()).sum() if what == "a sum of deviations" else ((x - x.mean()) / x.std()).mean()
        return x.square().sum(), small

    assert check_gradients(beside, point(300, dtype)).verdict == "pass"
