"""What a check of opaque code in half precision costs in calls, and what it sees in so few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.evidence.few_calls import FewCalls
from pytest_gradcheck.methods.windows import HALF
from tests.numpy_kernels import KERNELS, in_numpy

#: Most calls of the forward and the backward pass, for up to 100 numbers.
RIGHT, HALF_ALONE, WRONG = (24, 8), (120, 8), (250, 45)

DTYPES = [torch.bfloat16, torch.float16]
FAULTS = [(name, fault) for name, kernel in KERNELS.items() for fault in kernel[3]]

#: What it takes from the gradient is a tenth of the largest entries: less than values in bfloat16 tell.
BELOW_BFLOAT16 = ({"mean": False}, torch.bfloat16)


def point(shapes: list[tuple[int, ...]], dtype: torch.dtype, seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("alone", [False, True], ids=["any-dtype", "half-alone"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", KERNELS)
def test_a_right_kernel(name: str, dtype: torch.dtype, alone: bool, seed: int) -> None:
    forward, backward, shapes, _ = KERNELS[name]
    fn, count = in_numpy(forward, backward, dtype if alone else None)
    result = check_gradients(fn, point(shapes, dtype, seed))

    assert (result.verdict, result.diagnosis.code) == ("pass", "agree"), str(result)
    most = HALF_ALONE if alone else RIGHT
    assert count.forward <= most[0]
    assert count.backward <= most[1]
    # It says what it did not see.
    assert any("of the largest entry of an input's gradient" in one.what for one in result.not_checked)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=str)
def test_a_wrong_kernel_fails(name: str, fault: dict[str, Any], dtype: torch.dtype) -> None:
    forward, backward, shapes, _ = KERNELS[name]
    fn, count = in_numpy(forward, backward, **fault)
    result = check_gradients(fn, point(shapes, dtype, 0))

    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert count.forward <= WRONG[0]
    assert count.backward <= WRONG[1]
    assert result.worst is not None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=str)
def test_a_wrong_kernel_that_takes_half_precision_alone(
    name: str, fault: dict[str, Any], dtype: torch.dtype
) -> None:
    forward, backward, shapes, _ = KERNELS[name]
    fn, _ = in_numpy(forward, backward, dtype, **fault)
    verdicts = [check_gradients(fn, point(shapes, dtype, seed)).verdict for seed in range(2)]

    if (fault, dtype) != BELOW_BFLOAT16:
        assert "pass" not in verdicts
        assert "fail" in verdicts or dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_is_one_percent_off_in_half_precision_is_not_told_from_rounding(dtype: torch.dtype) -> None:
    forward, backward, shapes, _ = KERNELS["scan"]
    fn, _ = in_numpy(forward, lambda g, x: 1.01 * backward(g, x))
    result = check_gradients(fn, point(shapes, dtype, 0))
    # In float16 that is ten roundings, and it shows in the run in float64.
    assert result.verdict == ("pass" if dtype == torch.bfloat16 else "fail")


def test_the_rounding_of_a_backward_that_rounds_on_its_way_is_seen() -> None:
    forward, backward, shapes, _ = KERNELS["layer norm"]

    def coarse(g: Any, *xs: Any) -> Any:
        g = torch.from_numpy(np.array(g)).to(torch.bfloat16).float().numpy()
        return tuple(torch.from_numpy(d).to(torch.bfloat16).float().numpy() for d in backward(g, *xs))

    for seed in range(3):
        fn, _ = in_numpy(forward, coarse)
        assert check_gradients(fn, point(shapes, torch.bfloat16, seed)).verdict == "pass"


def test_rounding_within_a_backward_widens_the_bars_of_its_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    forward, backward, shapes, _ = KERNELS["scan"]
    seen: list[FewCalls] = []
    monkeypatch.setattr(FewCalls, "look", lambda self: seen.append(self))

    def rounded(g: Any, x: Any) -> Any:
        # Five bits on the way: bfloat16 has three more.
        return backward(np.ldexp(np.round(np.ldexp(g, 4)), -4), x)

    for how in (backward, rounded):
        fn, _ = in_numpy(forward, how)
        check_gradients(fn, point(shapes, torch.bfloat16, 0))
    plain, coarse = (few.jacobian.rows("torch", few.along.cotangents[1:] / 3).scatter for few in seen)
    assert (coarse > 1.5 * plain).mean() > 0.5


def test_steps_are_such_as_the_dtype_holds_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    forward, backward, shapes, _ = KERNELS["softmax"]
    fn, _ = in_numpy(forward, backward, torch.bfloat16)
    seen = []
    monkeypatch.setattr(FewCalls, "look", lambda self: seen.append(self))
    (x,) = point(shapes, torch.bfloat16, 0)
    check_gradients(fn, x.abs())
    few, at = seen[0], x.abs().double().numpy().ravel()
    tangents = few._snapped(np.random.default_rng(0).uniform(0.5, 1.5, (2, x.numel())) * few.jacobian.scales)
    # Within a binade: beyond it the last bit may be lost.
    away = at + HALF.width * np.multiply.outer(HALF.levels, tangents)
    same = np.floor(np.log2(away)) == np.floor(np.log2(at))
    assert same.mean() > 0.3
    assert (few.jacobian.function.rounded(away.reshape(-1, at.size)).reshape(away.shape) == away)[same].all()
