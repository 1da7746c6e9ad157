"""Half precision, mixed dtypes and autocast: what is right passes with a promise of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pytest_gradcheck import CheckResult, check_gradients  # noqa: E402  # after the skip
from pytest_gradcheck.testing import corrupt  # noqa: E402  # the same

HALF = (torch.bfloat16, torch.float16)

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "silu": torch.nn.functional.silu,
    "softmax": lambda x: torch.softmax(x, -1),
    "layer_norm": lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]),
    "rms_norm": lambda x: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "product": lambda x: x @ x.T,
}

FAULTS: dict[str, Callable[[Any], Any]] = {
    "sign": lambda gradients: [-g for g in gradients],
    "twice": lambda gradients: [2 * g for g in gradients],
    "half": lambda gradients: [g / 2 for g in gradients],
    "zero": lambda gradients: [0 * g for g in gradients],
}


def point(dtype: Any, shape: tuple[int, ...] = (4, 8)) -> Any:
    return torch.from_numpy(np.random.default_rng(3).normal(size=shape)).to(dtype)


def shown(result: CheckResult) -> str:
    return f"{result} {result.sensitivity}"


# -- without an oracle -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_right_functions_pass_and_say_what_they_promise(name: str, dtype: Any) -> None:
    result = check_gradients(FUNCTIONS[name], point(dtype))
    assert result.verdict == "pass", shown(result)
    assert 1e-3 < result.sensitivity <= 0.1, shown(result)
    assert any("of the largest" in n.what for n in result.not_checked), shown(result)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize("name", ["silu", "softmax", "rms_norm"])
def test_a_wrong_sign_or_factor_fails(name: str, fault: str, dtype: Any) -> None:
    result = check_gradients(corrupt(FUNCTIONS[name], FAULTS[fault]), point(dtype))
    assert (result.verdict, result.culprit) == ("fail", "torch"), shown(result)


def test_what_is_off_by_more_than_its_own_code_does_not_pass() -> None:
    off = corrupt(FUNCTIONS["softmax"], lambda gradients: [1.1 * g for g in gradients])
    assert check_gradients(off, point(torch.bfloat16)).verdict != "pass"


def test_a_promise_that_is_asked_for_is_kept() -> None:
    result = check_gradients(FUNCTIONS["silu"], point(torch.bfloat16), sensitivity=1e-3)
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "unresolved")
    wide = check_gradients(FUNCTIONS["silu"], point(torch.bfloat16), sensitivity=0.3)
    assert (wide.verdict, wide.sensitivity) == ("pass", 0.3)
    assert check_gradients(FUNCTIONS["silu"], point(torch.float32)).sensitivity == 1e-3


# -- with one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("shape", [(2, 3), (4, 8), (6, 40)])
def test_right_functions_pass_against_themselves(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    result = check_gradients(FUNCTIONS[name], point(dtype, shape), oracle=FUNCTIONS[name])
    assert result.verdict == "pass", shown(result)
    assert result.sensitivity <= 0.1, shown(result)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("factor", [-1.0, 2.0, 1.2, 0.85])
@pytest.mark.parametrize("shape", [(4, 8), (6, 40)])
def test_smaller_faults_fail_against_it(factor: float, dtype: Any, shape: tuple[int, ...]) -> None:
    softmax = FUNCTIONS["softmax"]
    wrong = corrupt(softmax, lambda gradients: [factor * g for g in gradients])
    result = check_gradients(wrong, point(dtype, shape), oracle=softmax)
    assert (result.verdict, result.culprit) == ("fail", "torch"), shown(result)


class Mean(torch.autograd.Function):
    """The mean of the squares of rows, accumulated in a dtype."""

    dtype: Any = torch.float32

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return (x.float() ** 2).mean(-1).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        # The gradient of the row times its sum, which cancels but for what was accumulated.
        total = torch.zeros(x.shape[0], dtype=Mean.dtype)
        for k in range(x.shape[1]):
            total = total + x[:, k].to(Mean.dtype)
        exact = x.double().sum(-1)
        drift = (total.double() - exact)[:, None]
        return ((2 * x.double() + drift) * g.double()[:, None] / x.shape[1]).to(x.dtype)


def test_an_accumulation_in_half_precision_is_seen() -> None:
    x = 1 + point(torch.bfloat16, (3, 400)).abs()

    def oracle(x: Any) -> Any:
        return (x * x).mean(-1)

    Mean.dtype = torch.float32
    right = check_gradients(Mean.apply, x, oracle=oracle)
    assert right.verdict == "pass", shown(right)
    Mean.dtype = torch.bfloat16
    wrong = check_gradients(Mean.apply, x, oracle=oracle)
    assert (wrong.verdict, wrong.culprit) == ("fail", "torch"), shown(wrong)


def test_where_the_oracle_overflows_float64_is_the_measure() -> None:
    x = 12 + point(torch.float16, (3, 6))

    def plain(x: Any) -> Any:
        return torch.log(torch.exp(x).sum(-1))

    def stable(x: Any) -> Any:
        return torch.logsumexp(x, -1)

    assert torch.isinf(plain(x)).any()
    assert torch.isfinite(stable(x)).all()
    result = check_gradients(stable, x, oracle=plain)
    assert result.verdict == "pass", shown(result)
    wrong = check_gradients(corrupt(stable, FAULTS["twice"]), x, oracle=plain)
    assert (wrong.verdict, wrong.culprit) == ("fail", "torch"), shown(wrong)


def test_another_value_in_half_precision() -> None:
    x = point(torch.bfloat16)
    result = check_gradients(lambda x: 1.1 * FUNCTIONS["silu"](x), x, oracle=FUNCTIONS["silu"])
    assert (result.culprit, result.diagnosis.code) == (None, "value-mismatch")
    in_numpy = check_gradients(FUNCTIONS["silu"], x, oracle=lambda x: x / (1 + np.exp(-x)))
    assert in_numpy.verdict == "pass", shown(in_numpy)


# -- several dtypes ----------------------------------------------------------------------------------


class Scaled(torch.autograd.Function):
    """Takes bfloat16 and float32, computes in float32, and returns bfloat16."""

    factor = 1.0

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        ctx.save_for_backward(x, w)
        return (x.float() * w).to(torch.bfloat16)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, w = ctx.saved_tensors
        return Scaled.factor * (g.float() * w).to(x.dtype), Scaled.factor * (g.float() * x.float())


@pytest.mark.parametrize("oracle", [None, lambda x, w: x * w])
@pytest.mark.parametrize("factor", [1.0, -1.0, 2.0, 0.5])
def test_a_function_of_several_dtypes(factor: float, oracle: Any) -> None:
    Scaled.factor = factor
    inputs = point(torch.bfloat16, (4, 5)), point(torch.float32, (5, 4)).T.contiguous()
    result = check_gradients(Scaled.apply, inputs, oracle=oracle)
    assert result.verdict == ("pass" if factor == 1.0 else "fail"), shown(result)


def regions() -> dict[str, tuple[Callable[[Any], Any], Any]]:
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 8)

    class Narrow(torch.nn.Linear):
        def forward(self, x: Any) -> Any:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return torch.tanh(super().forward(x))

    def inside(x: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            h = torch.nn.functional.gelu(layer(x))
        return (h.float() ** 2).sum()

    region = Narrow(8, 8)

    def plain(x: Any) -> Any:
        return torch.tanh(x @ region.weight.T.to(x.dtype) + region.bias.to(x.dtype))

    return {"narrow": (region, plain), "inside": (inside, inside)}


@pytest.mark.parametrize("name", ["narrow", "inside"])
@pytest.mark.parametrize("fault", [None, "sign", "twice"])
@pytest.mark.parametrize("with_oracle", [False, True])
def test_a_region_of_autocast(name: str, fault: str | None, with_oracle: bool) -> None:
    fn, oracle = regions()[name]
    tried = fn if fault is None else corrupt(fn, FAULTS[fault])
    more = {"oracle": oracle} if with_oracle else {}
    result = check_gradients(tried, point(torch.float32), **more)
    assert result.verdict == ("pass" if fault is None else "fail"), shown(result)
    if fault is None:
        assert 1e-3 < result.sensitivity < 0.1


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_inputs_of_eight_bits(name: str) -> None:
    x = point(torch.float32, (12,)).to(getattr(torch, name))

    class Squared(torch.autograd.Function):
        factor = 2.0

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x.to(torch.float32) ** 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return (Squared.factor * g * x.to(torch.float32)).to(x.dtype)

    def square(x: Any) -> Any:
        return x.to(torch.float64 if x.dtype == torch.float64 else torch.float32) ** 2

    result = check_gradients(Squared.apply, x, oracle=square, properties="none")
    # Two bits of a fraction leave little to promise.
    assert result.verdict == ("pass" if name == "float8_e4m3fn" else "inconclusive"), shown(result)
    assert result.verdict != "pass" or 0.1 < result.sensitivity < 1.0
    Squared.factor = -2.0
    wrong = check_gradients(Squared.apply, x, oracle=square, properties="none")
    assert (wrong.verdict, wrong.culprit) == ("fail", "torch"), shown(wrong)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "fn", [lambda x: x, torch.Tensor.contiguous, torch.Tensor.float, lambda x: x.view(2, 2)]
)
def test_a_function_without_any_operation_passes(fn: Callable[[Any], Any], dtype: torch.dtype) -> None:
    """Autograd has no node for it whose dtype could be seen."""
    result = check_gradients(fn, torch.tensor([0.5, -1.0, 2.0, 0.25], dtype=dtype))
    assert result.verdict == "pass", shown(result)
