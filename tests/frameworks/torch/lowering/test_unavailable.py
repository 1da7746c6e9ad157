"""What cannot be carried over: the method is unavailable, and says which operation stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import CheckResult, check_gradients

torch = pytest.importorskip("torch")

from pytest_gradcheck.frameworks.torch.lowering import register, unregister  # noqa: E402  # after the skip


def check(
    fn: Any, dtype: Any = torch.float64, methods: tuple[str, ...] = ("reference", "torch")
) -> CheckResult:
    return check_gradients(fn, torch.tensor([0.3, 1.7, -2.2], dtype=dtype), methods=methods)


@pytest.fixture
def opaque() -> Iterator[Any]:
    """x³ as an opaque operation with its own backward."""

    @torch.library.custom_op("gradcheck_unavailable::cube", mutates_args=())
    def cube(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(x.detach().numpy() ** 3)

    cube.register_autograd(
        lambda ctx, g: 3 * g * ctx.saved_tensors[0] ** 2,
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
    )
    yield cube
    unregister(cube)


def test_an_opaque_operation_is_named(opaque: Any) -> None:
    result = check(lambda x: opaque(x).sin())
    reference = result.methods["reference"]
    assert reference.status == "unavailable"
    assert "gradcheck_unavailable::cube.default is opaque" in reference.reason
    assert "pytest_gradcheck.lowering.register" in reference.reason
    assert result.verdict == "inconclusive"
    # Differences need no rule.
    assert check(lambda x: opaque(x).sin(), methods=("central", "reference", "torch")).verdict == "pass"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_with_a_rule_it_is_a_function_like_any_other(opaque: Any, dtype: Any) -> None:
    register(opaque, lambda x: x**3)
    assert check(lambda x: opaque(x).sin(), dtype).verdict == "pass"

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return opaque(x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 3 * g

    assert check(lambda x: Wrong.apply(x).sin(), dtype).verdict == "fail"


def test_a_rule_of_another_function_does_not_reproduce_it(opaque: Any) -> None:
    register(opaque, lambda x: x**3 * 1.001)
    result = check(lambda x: opaque(x.exp()).sin())
    reference = result.methods["reference"]
    assert reference.status == "unavailable"
    assert "the recording does not reproduce the function: output[1] is" in reference.reason, reference.reason
    assert (
        "the first operation that gives a different value is gradcheck_unavailable::cube.default"
        in reference.reason
    )
    assert f"at {__file__}:" in reference.reason
    assert result.verdict != "pass"


def test_a_value_that_was_changed_out_of_sight_does_not_reproduce_it() -> None:
    def fn(x: Any) -> Any:
        y = x * 2
        y.detach().numpy()[0] = 5.0
        return y.sin() * x

    reason = check(fn).methods["reference"].reason
    assert "the recording does not reproduce the function" in reason, reason
    assert "the first operation that gives a different value is aten::sin.default" in reason
    assert "Tensor.numpy at" in reason
    assert "takes the value out of the graph" in reason


def test_a_rule_that_fails_is_named(opaque: Any) -> None:
    register(opaque, lambda x: np.linalg.inv(x))
    reason = check(lambda x: opaque(x)).methods["reference"].reason
    assert "the reference rule of gradcheck_unavailable::cube.default failed" in reason
