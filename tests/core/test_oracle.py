"""``oracle=``: a function that is trusted to compute the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pytest_gradcheck import CheckResult, GradientMismatch, InvalidArgument, assert_gradients, check_gradients  # noqa: E402  # after the skip

CALLS: Counter[str] = Counter()


def silu(x: Any) -> Any:
    return x * torch.sigmoid(x)


def numpy_silu(x: Any) -> Any:
    return x / (1 + np.exp(-x))


def kernel(
    value: Callable[[Any], Any] = lambda y: y, gradient: Callable[[Any], Any] = lambda g: g
) -> Callable[..., Any]:
    """A SiLU whose forward and backward no recording sees into, with what becomes of either."""

    class SiLU(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            CALLS["forward"] += 1
            ctx.save_for_backward(x)
            out = torch.empty_like(x)
            out.numpy()[...] = numpy_silu(x.detach().numpy())
            return value(out)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            CALLS["backward"] += 1
            x = ctx.saved_tensors[0].numpy()
            s = 1 / (1 + np.exp(-x))
            return gradient(torch.from_numpy(g.numpy() * s * (1 + x * (1 - s))))

    return SiLU.apply


def point(n: int = 40, dtype: Any = torch.float32) -> Any:
    return torch.from_numpy(np.random.default_rng(n).normal(size=n)).to(dtype)


def one_entry(g: Any) -> Any:
    return torch.where(torch.arange(g.numel()) == 3, 1.01 * g, g)


# -- what it settles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("oracle", [silu, numpy_silu])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 7, 100])
def test_a_right_kernel_is_called_three_times_at_most(n: int, dtype: Any, oracle: Any) -> None:
    CALLS.clear()
    result = check_gradients(kernel(), point(n, dtype), oracle=oracle)
    assert result.verdict == "pass", str(result)
    assert CALLS["forward"] <= 3
    assert CALLS["backward"] <= 3
    assert {name: m.status for name, m in result.methods.items()} == dict.fromkeys(
        ("oracle", "central", "forward", "torch"), "ok"
    )


@pytest.mark.parametrize("oracle", [silu, numpy_silu])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda g: -g, "sign"),
        (lambda g: 1.01 * g, "constant-factor"),
        (lambda g: 0 * g, "zero-gradient"),
        (one_entry, "one-entry"),
        (lambda g: g.flip(0), "permuted"),
    ],
)
def test_a_wrong_kernel_fails(wrong: Any, code: str, dtype: Any, oracle: Any) -> None:
    result = check_gradients(kernel(gradient=wrong), point(dtype=dtype), oracle=oracle)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", code)
    if code == "one-entry":
        assert result.worst is not None
        assert result.worst.index == (3,)
    assert f"oracle={oracle.__name__}" in result.reproduce


def test_a_gradient_by_hand_is_checked_against_it() -> None:
    def gradient(x: Any, factor: float = 1.0) -> Any:
        s = 1 / (1 + np.exp(-x))
        return np.diag(factor * s * (1 + x * (1 - s)))

    x = point(12, torch.float64).numpy()
    right = check_gradients(numpy_silu, x, gradient=gradient, oracle=silu)
    assert right.verdict == "pass"
    assert "reference" not in right.methods
    wrong = check_gradients(numpy_silu, x, gradient=lambda x: gradient(x, 0.5), oracle=silu)
    assert (wrong.verdict, wrong.culprit) == ("fail", "user")


def test_code_without_a_gradient_of_its_own_is_compared_too() -> None:
    x = point(5, torch.float64).numpy()
    assert check_gradients(numpy_silu, x, oracle=silu).verdict == "pass"
    assert check_gradients(numpy_silu, x, oracle=lambda x: 2 * silu(x)).diagnosis.code == "value-mismatch"


def test_a_subgradient_at_a_kink_of_the_oracle_passes() -> None:
    class Relu(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return torch.from_numpy(np.maximum(x.detach().numpy(), 0))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * (ctx.saved_tensors[0] >= 0)

    x = torch.tensor([1.0, 0.0, -2.0], dtype=torch.float64)
    result = check_gradients(Relu.apply, x, oracle=torch.relu)
    assert (result.verdict, "kink" in result.labels) == ("pass", True), str(result)


def test_the_second_order() -> None:
    class Cube(torch.autograd.Function):
        factor = 6.0

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return Slope.apply(ctx.saved_tensors[0], g)

    class Slope(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, g: Any) -> Any:
            ctx.save_for_backward(x, g)
            return 3 * x**2 * g

        @staticmethod
        def backward(ctx: Any, gg: Any) -> Any:
            x, g = ctx.saved_tensors
            return Cube.factor * x * g * gg, 3 * x**2 * gg

    x = point(6, torch.float64)
    for oracle in (lambda x: x**3, lambda x: np.power(x, 3)):
        Cube.factor = 6.0
        right = check_gradients(Cube.apply, x, oracle=oracle, order=2)
        assert (right.verdict, right.order) == ("pass", 2), str(right)
        Cube.factor = 5.0
        wrong = check_gradients(Cube.apply, x, oracle=oracle, order=2)
        assert (wrong.verdict, wrong.order, wrong.culprit) == ("fail", 2, "torch")


# -- values ------------------------------------------------------------------------------------------


def test_another_value_wins_over_everything_else() -> None:
    x = point()
    fits = check_gradients(kernel(lambda y: 1.01 * y, lambda g: 1.01 * g), x, oracle=silu)
    assert (fits.verdict, fits.culprit, fits.diagnosis.code) == ("fail", None, "value-mismatch")
    assert "the gradient fits the function's own values" in fits.diagnosis.text
    astray = check_gradients(kernel(lambda y: 1.01 * y, lambda g: -g), x, oracle=silu)
    assert (astray.verdict, astray.culprit, astray.diagnosis.code) == ("fail", None, "value-mismatch")
    assert "does not fit the function's own values" in astray.diagnosis.text

    def raises(g: Any) -> Any:
        raise RuntimeError("no backward")

    assert check_gradients(kernel(lambda y: -y, raises), x, oracle=silu).diagnosis.code == "value-mismatch"


def test_the_entry_whose_value_differs_is_named() -> None:
    bad = kernel(lambda y: torch.where(torch.arange(y.numel()) == 7, y + 0.01, y))
    text = check_gradients(bad, point(), oracle=silu).diagnosis.text
    assert "output[7] is" in text
    assert "other" not in text.partition(";")[0]


def test_what_cancels_is_known_to_its_rounding() -> None:
    def variance(x: Any) -> Any:
        return (x * x).mean() - x.mean() ** 2

    x = 1000 + point(30, torch.float32)
    assert check_gradients(torch.var, x, oracle=lambda x: torch.var(x)).verdict == "pass"
    x = 10 + point(30, torch.float64)
    result = check_gradients(variance, x, oracle=lambda x: x.var(correction=0))
    assert result.verdict == "pass", str(result)


# -- the oracle itself -------------------------------------------------------------------------------


def test_the_result_says_how_it_was_called_and_differentiated() -> None:
    x = point(20)
    notes = [check_gradients(kernel(), x, oracle=f).methods["oracle"].note for f in (silu, numpy_silu)]
    ends = "differentiated by the reference engine, and its differences confirm it"
    assert notes == [
        f"called with torch tensors of float64; {ends}",
        f"called with NumPy arrays of float64; {ends}",
    ]


def test_differences_are_used_where_its_own_gradient_contradicts_them() -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return silu(x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * g

    def hidden(x: Any) -> Any:
        out = torch.empty_like(x)
        out.numpy()[...] = numpy_silu(x.detach().numpy())
        return out + 0 * x

    by_engine = check_gradients(kernel(), point(20), oracle=Wrong.apply)
    assert by_engine.verdict == "pass"
    assert "by the reference engine" in by_engine.methods["oracle"].note
    for oracle in (hidden, kernel(gradient=lambda g: 3 * g)):
        result = check_gradients(kernel(), point(20), oracle=oracle)
        note = result.methods["oracle"].note
        assert result.verdict == "pass", str(result)
        assert "differentiated by finite differences" in note
        wrong = check_gradients(kernel(gradient=lambda g: 2 * g), point(20), oracle=oracle)
        assert (wrong.verdict, wrong.culprit) == ("fail", "torch")


def test_an_oracle_that_contradicts_itself_is_unavailable() -> None:
    count = iter(range(100_000))

    def wavers(x: Any) -> Any:
        return silu(x) * (1 + 1e-3 * next(count))

    result = check_gradients(kernel(), point(20, torch.float64), oracle=wavers)
    oracle = result.methods["oracle"]
    assert oracle.status == "unavailable"
    assert "gave different values" in (oracle.reason or "")
    # The check goes on as it does without one.
    assert result.verdict == "pass"

    def overflows(x: Any) -> Any:
        return torch.log(torch.exp(800 + x).sum())

    stable = check_gradients(lambda x: torch.logsumexp(800 + x, 0), point(5, torch.float64), oracle=overflows)
    assert "is nan or inf at output" in (stable.methods["oracle"].reason or "")


def test_inputs_that_are_not_differentiated_reach_it() -> None:
    def loss(x: Any, labels: Any) -> Any:
        return torch.nn.functional.cross_entropy(x, labels)

    def in_numpy(x: Any, labels: Any) -> Any:
        assert labels.dtype == np.int64
        logits = x - x.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -logs[np.arange(len(labels)), labels].mean()

    x, labels = torch.randn(4, 3, dtype=torch.float64), torch.tensor([0, 2, 1, 1])
    for inputs in ((x, labels), {"x": x, "labels": labels}):
        for oracle in (in_numpy, lambda x, labels: -x.log_softmax(1)[torch.arange(4), labels].mean()):
            assert check_gradients(loss, inputs, oracle=oracle).verdict == "pass"


def test_several_outputs_and_bounds() -> None:
    def both(x: Any) -> Any:
        return torch.log(x), x.sum()

    x = torch.tensor([0.5, 1e-3], dtype=torch.float64)
    result = check_gradients(both, x, oracle=lambda x: (np.log(x), x.sum()), domain=(0, 1))
    assert result.verdict == "pass"


# -- modules and compiled functions --------------------------------------------------------------------


class Eager(torch.nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(4, width))
        self.bias = torch.nn.Parameter(torch.zeros(4))

    def forward(self, x: Any) -> Any:
        return x @ self.weight.T + self.bias


class Fused(torch.nn.Linear):
    factor = 1.0

    def forward(self, x: Any) -> Any:
        class Linear(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any, w: Any, b: Any) -> Any:
                ctx.save_for_backward(x, w)
                return torch.from_numpy(x.detach().numpy() @ w.detach().numpy().T + b.detach().numpy())

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                x, w = ctx.saved_tensors
                return g @ w, g.T @ x, self.factor * g.sum(0)

        return Linear.apply(x, self.weight, self.bias)


@pytest.mark.parametrize(
    "oracle",
    [
        Eager(),
        Eager,
        torch.nn.Linear(3, 4),
        lambda x, weight, bias: x @ weight.T + bias,
        torch.nn.Sequential(torch.nn.Linear(3, 4)),
    ],
)
def test_a_module_gets_the_parameters_of_the_one_on_trial(oracle: Any) -> None:
    x, layer = torch.randn(5, 3), Fused(3, 4)
    before = [p.detach().clone() for p in oracle.parameters()] if isinstance(oracle, torch.nn.Module) else []
    assert check_gradients(layer, x, oracle=oracle).verdict == "pass"
    layer.factor = 0.5
    wrong = check_gradients(layer, x, oracle=oracle)
    assert (wrong.verdict, wrong.culprit) == ("fail", "torch")
    assert "bias" in str(wrong.worst)
    after = [p.detach() for p in oracle.parameters()] if before else []
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_function_that_closes_over_the_module() -> None:
    layer = Fused(3, 4)
    result = check_gradients(layer, torch.randn(5, 3), oracle=lambda x: x @ layer.weight.T + layer.bias)
    assert result.verdict == "pass"


def test_a_compiled_function_against_what_it_was_made_of() -> None:
    def gelu(x: Any) -> Any:
        return x * torch.tanh(x)

    x, layer = torch.randn(4, 3), torch.nn.Linear(3, 2)
    compiled = torch.compile(gelu, backend="aot_eager")
    assert check_gradients(compiled, x, oracle=gelu).verdict == "pass"
    assert check_gradients(torch.compile(layer, backend="aot_eager"), x, oracle=layer).verdict == "pass"
    assert check_gradients(compiled, x, oracle=torch.tanh).diagnosis.code == "value-mismatch"


# -- wrong use ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("oracle", "message"),
    [
        (3, r"^oracle: got 3; give a function of the same inputs"),
        (
            lambda x, y: x,
            r"^oracle: got <lambda>\(x, y\), but it is called with .*missing a required argument",
        ),
        (lambda x: x[1:], r"returns one output of shape \(39,\) where the function returns .*\(40,\)"),
        (lambda x: (x, x), r"returns 2 outputs of shapes \(40,\), \(40,\) where"),
        (lambda x: x > 0, r"cannot be called with torch tensors in float64 .*give a function of the same"),
        (lambda x: 1 / 0, r"ZeroDivisionError: division by zero"),
    ],
)
def test_an_oracle_that_is_none(oracle: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check_gradients(kernel(), point(), oracle=oracle)


def test_a_module_that_does_not_fit() -> None:
    with pytest.raises(
        InvalidArgument, match=r"oracle: got a module with weight; give one with .*weight, bias"
    ):
        check_gradients(Fused(3, 4), torch.randn(5, 3), oracle=torch.nn.Linear(3, 4, bias=False))
    with pytest.raises(InvalidArgument, match=r"oracle: got the class Linear.*; give a module of it"):
        check_gradients(Fused(3, 4), torch.randn(5, 3), oracle=torch.nn.Linear)


def test_options_that_do_not_go_with_it() -> None:
    with pytest.raises(InvalidArgument, match="'oracle' without an oracle; give oracle= as well"):
        check_gradients(silu, point(), methods=("central", "oracle"))
    with pytest.raises(InvalidArgument, match="an oracle and methods= without it; add 'oracle'"):
        check_gradients(silu, point(), oracle=silu, methods=("central", "torch"))
    with pytest.raises(InvalidArgument, match="'intended' with an oracle"):
        check_gradients(silu, point(), oracle=silu, stop_gradients="intended")


def test_methods_and_properties_that_are_named_run() -> None:
    x = point(9, torch.float64)
    named = check_gradients(silu, x, oracle=silu, methods=("central", "reference", "torch", "oracle"))
    assert set(named.methods) == {"central", "reference", "torch", "oracle"}
    assert named
    tried = check_gradients(kernel(), x, oracle=silu, properties=("default", "linear-backward"))
    assert "linear-backward" in {p.name for p in tried.properties}
    assert "linear-backward" not in {p.name for p in check_gradients(kernel(), x, oracle=silu).properties}


def test_it_is_asserted() -> None:
    assert_gradients(kernel(), point(), oracle=silu)
    with pytest.raises(GradientMismatch, match="value-mismatch"):
        assert_gradients(kernel(), point(), oracle=torch.tanh)


def test_a_result_with_an_oracle_is_plain_data() -> None:
    result: CheckResult = check_gradients(kernel(), point(), oracle=silu)
    data = result.to_dict()["methods"]["oracle"]
    assert data["status"] == "ok"
    assert data["note"].startswith("called with torch tensors")
