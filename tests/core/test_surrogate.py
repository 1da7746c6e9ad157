"""``surrogate=``: the function whose derivative a gradient is intended to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pytest_gradcheck import InvalidArgument, assert_gradients, check_gradients  # noqa: E402  # after the skip

#: What a user would do wrong to a surrogate's slope, which is 25 times as steep inside.
WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "factor": lambda slope, u: 1.01 * slope,
    "sign": lambda slope, u: -slope,
    "chain factor": lambda slope, u: slope / 25,
    "zero": lambda slope, u: 0 * slope,
    "one entry": lambda slope, u: torch.where(torch.arange(u.numel()) == 1, 1.1 * slope, slope),
}


def right(slope: Any, u: Any) -> Any:
    return slope


def fast_sigmoid(u: Any) -> Any:
    return u / (1 + 25 * abs(u))


def arctan(u: Any) -> Any:
    return torch.atan(25 * u) / torch.pi


def slope_of_fast_sigmoid(u: Any) -> Any:
    return 1 / (1 + 25 * u.abs()) ** 2


def slope_of_arctan(u: Any) -> Any:
    return 25 / torch.pi / (1 + (25 * u) ** 2)


def spike(slope: Callable[[Any], Any], change: Callable[[Any, Any], Any] = right) -> Callable[[Any], Any]:
    """A neuron that fires above zero, with the derivative of something else and what becomes of that."""

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, u: Any) -> Any:
            ctx.save_for_backward(u)
            return (u > 0).to(u.dtype)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (u,) = ctx.saved_tensors
            return g * change(slope(u), u)

    return lambda u: Spike.apply(u)


def straight_through(factor: float = 1.0) -> Callable[[Any], Any]:
    class Round(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.round()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return factor * g

    return lambda x: Round.apply(x / 0.5).clamp(-4, 3) * 0.5


def without_rounding(x: Any) -> Any:
    return (x / 0.5).clamp(-4, 3) * 0.5


def point(dtype: Any = torch.float64, n: int = 5) -> Any:
    return torch.from_numpy(np.random.default_rng(n).normal(size=n)).to(dtype)


NEURONS = pytest.mark.parametrize(
    ("slope", "surrogate"), [(slope_of_fast_sigmoid, fast_sigmoid), (slope_of_arctan, arctan)]
)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@NEURONS
@DTYPES
@pytest.mark.parametrize("n", [1, 5, 40])
def test_a_right_spiking_neuron_passes(slope: Any, surrogate: Any, dtype: Any, n: int) -> None:
    result = check_gradients(spike(slope), point(dtype, n), surrogate=surrogate)
    assert result.verdict == "pass", str(result)
    assert {m.status for m in result.methods.values()} == {"ok"}
    assert set(result.methods) == {"central", "forward", "reference", "torch"}


@NEURONS
@DTYPES
@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_spiking_neuron_fails(slope: Any, surrogate: Any, dtype: Any, n: int, wrong: str) -> None:
    result = check_gradients(spike(slope, WRONG[wrong]), point(dtype, n), surrogate=surrogate)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert f"surrogate={surrogate.__name__}" in result.reproduce


def test_a_missing_chain_factor_is_a_constant_factor() -> None:
    result = check_gradients(spike(slope_of_arctan, WRONG["chain factor"]), point(), surrogate=arctan)
    assert result.diagnosis.code == "constant-factor"
    assert "0.04 times the correct one" in result.diagnosis.text
    assert any("surrogate arctan" in n.reason for n in result.not_checked)


@DTYPES
def test_a_straight_through_estimator(dtype: Any) -> None:
    x = point(dtype)
    assert_gradients(straight_through(), x, surrogate=without_rounding)
    for wrong in (straight_through(-1.0), straight_through(1.01), lambda x: straight_through()(3 * x)):
        result = check_gradients(wrong, x, surrogate=without_rounding)
        assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 2), st.floats(-2, 2).filter(lambda b: abs(b) > 0.1))
def test_the_verdict_is_that_of_the_slope(k: float, b: float) -> None:
    def fires(x: Any) -> Any:
        return spike(lambda u: k * torch.cos(u))(x)

    x = torch.tensor([b], dtype=torch.float64)
    assert check_gradients(fires, x, surrogate=lambda x: k * torch.sin(x)).verdict == "pass"
    assert check_gradients(fires, x, surrogate=lambda x: 1.01 * k * torch.sin(x)).culprit == "torch"


def test_a_gradient_by_hand_in_numpy() -> None:
    def steps(x: Any) -> Any:
        return np.round(x).sum()

    x = np.array([0.3, -1.2])
    assert_gradients(steps, x, gradient=np.ones_like, surrogate=np.sum)
    result = check_gradients(steps, x, gradient=lambda x: 2 * np.ones_like(x), surrogate=np.sum)
    assert (result.verdict, result.culprit) == ("fail", "user")


def test_it_is_called_with_the_inputs_as_they_are() -> None:
    seen: list[Any] = []

    def surrogate(u: Any, options: Any, steepness: Any) -> Any:
        seen.append((u["a"].dtype, options["mode"], steepness.dtype))
        return fast_sigmoid(u["a"] * steepness).sum()

    def fires(u: Any, options: Any, steepness: Any) -> Any:
        return spike(slope_of_fast_sigmoid)(u["a"] * steepness).sum()

    inputs = {
        "u": {"a": point(torch.float32)},
        "options": {"mode": "fast"},
        "steepness": torch.tensor([2], dtype=torch.int64),
    }
    result = check_gradients(fires, inputs, surrogate=surrogate)
    assert result.verdict == "pass", str(result)
    assert seen[0] == (torch.float32, "fast", torch.int64)
    assert (
        check_gradients(fires, inputs, surrogate=lambda u, *more: 2 * surrogate(u, *more)).culprit == "torch"
    )


def test_what_wrt_leaves_out_and_where_domains_end() -> None:
    def fires(u: Any, scale: Any) -> Any:
        return spike(slope_of_fast_sigmoid)(u) * scale

    inputs = (point().abs(), point(torch.float64, 1))
    common = {"wrt": "u", "domain": {"u": (0, 10)}}
    assert_gradients(fires, inputs, surrogate=lambda u, scale: fast_sigmoid(u) * scale, **common)
    result = check_gradients(fires, inputs, surrogate=lambda u, scale: -fast_sigmoid(u) * scale, **common)
    assert result.culprit == "torch"


def test_a_module_and_one_without_spikes() -> None:
    class Layer(torch.nn.Module):
        def __init__(self, activation: Any) -> None:
            super().__init__()
            self.linear, self.activation = torch.nn.Linear(3, 2), activation

        def forward(self, x: Any) -> Any:
            return self.activation(self.linear(x))

    x = point(torch.float64, 3)
    model = Layer(spike(slope_of_fast_sigmoid)).double()
    assert_gradients(model, x, surrogate=Layer(fast_sigmoid))
    wrong = Layer(spike(slope_of_fast_sigmoid, WRONG["factor"])).double()
    result = check_gradients(wrong, x, surrogate=Layer(fast_sigmoid))
    assert (result.verdict, result.culprit) == ("fail", "torch")


def test_dtypes_of_the_outputs_may_differ() -> None:
    x = point(torch.float32)
    assert_gradients(spike(slope_of_fast_sigmoid), x, surrogate=lambda x: fast_sigmoid(x.double()))
    wrong = check_gradients(
        spike(slope_of_fast_sigmoid, WRONG["sign"]), x, surrogate=lambda x: fast_sigmoid(x.double())
    )
    assert wrong.culprit == "torch"


def test_the_second_order() -> None:
    x = point() + 3
    assert_gradients(spike(slope_of_fast_sigmoid), x, surrogate=fast_sigmoid, order=2)

    def stops(slope: Any, u: Any) -> Any:
        return slope.detach() + 0 * u

    result = check_gradients(spike(slope_of_fast_sigmoid, stops), x, surrogate=fast_sigmoid, order=2)
    assert (result.verdict, result.culprit, result.order) == ("fail", "torch", 2), str(result)


def test_properties_are_those_of_the_function() -> None:
    class Changes(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.round()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g.mul_(2)

    result = check_gradients(lambda x: Changes.apply(x), point(), surrogate=lambda x: 1 * x)
    assert (result.verdict, result.diagnosis.code) == ("fail", "mutated-cotangent")


def test_an_oracle_of_the_surrogate() -> None:
    def slow(u: Any) -> Any:
        return u / (1 + 25 * np.abs(u))

    common = {"surrogate": fast_sigmoid, "oracle": slow}
    assert_gradients(spike(slope_of_fast_sigmoid), point(), **common)
    wrong = check_gradients(spike(slope_of_fast_sigmoid, WRONG["sign"]), point(), **common)
    assert (wrong.verdict, wrong.culprit) == ("fail", "torch")
    other = check_gradients(spike(slope_of_fast_sigmoid), point(), surrogate=arctan, oracle=slow)
    assert other.diagnosis.code == "value-mismatch"
    assert other.diagnosis.text.startswith("the surrogate does not compute what the oracle does: output[")


@pytest.mark.parametrize(
    ("surrogate", "message"),
    [
        (3, "surrogate: got 3; give a function of the same inputs whose derivative the gradient is to be"),
        (lambda x: x.sum(), r"surrogate: got .*<lambda>, which returns one output of shape \(\) where the "),
        (lambda x: (x, x), r"surrogate: got .*<lambda>, which returns 2 outputs of shapes \(5,\), \(5,\) wh"),
        (
            lambda x, y: x,
            r"surrogate: got .*<lambda>\(x, y\), but it is called with .*; accept them by these nam",
        ),
        (lambda x: x > 0, r"surrogate: got .*<lambda>, which cannot take the place of .*\(fn: got a result "),
    ],
)
def test_wrong_surrogates(surrogate: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check_gradients(spike(slope_of_fast_sigmoid), point(), surrogate=surrogate)


def test_intended_stops_next_to_it() -> None:
    with pytest.raises(InvalidArgument, match="'intended' with a surrogate; leave one of the two out: a sur"):
        check_gradients(straight_through(), point(), surrogate=without_rounding, stop_gradients="intended")


# -- an unexpected one -------------------------------------------------------------------------------

HINT = "flat between steps in {}: if its gradient is intended to be that of another function"


@pytest.mark.parametrize("fn", [straight_through(), spike(slope_of_fast_sigmoid), spike(slope_of_arctan)])
@pytest.mark.parametrize("at_a_step", [False, True])
def test_the_message_suggests_it(fn: Any, at_a_step: bool) -> None:
    x = torch.tensor([-0.8, -1.3, -0.1, 0.4, 1.1], dtype=torch.float64)
    if at_a_step:
        x[2] = 0.0
    result = check_gradients(fn, x)
    assert (result.verdict, result.culprit) == ("fail", "torch")
    assert any(HINT.format(name) in str(result) for name in "xu")
    assert result.diagnosis.text.endswith("pass that function as surrogate=")


def test_it_names_the_input_alone_that_moves_in_steps() -> None:
    result = check_gradients(lambda u, w: spike(slope_of_fast_sigmoid)(u) * w, (point(), point() + 1))
    assert HINT.format("u") in str(result), str(result)


def test_it_is_suggested_for_a_gradient_by_hand() -> None:
    result = check_gradients(lambda x: np.sum(np.round(x)), np.array([0.3, 1.2]), gradient=np.ones_like)
    assert "surrogate=" in result.diagnosis.text


def test_it_is_not_suggested_for_what_has_a_slope_elsewhere_or_depends_on_nothing() -> None:
    x = np.array([-0.3, -1.2])
    for fn in (lambda x: np.sum(np.maximum(x, 0)), lambda x: 3.0 + 0 * np.sum(x), lambda x: np.sum(x**2)):
        result = check_gradients(fn, x, gradient=np.ones_like)
        assert (result.verdict, result.culprit) == ("fail", "user")
        assert "surrogate" not in str(result)


@pytest.mark.parametrize("known", [True, False])
def test_what_moves_next_to_the_point_is_not_called_far_away(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not known:
        # As where no difference resolves the slope.
        nothing = "pytest_gradcheck.core.diagnosis.explain._right_values"
        monkeypatch.setattr(nothing, lambda table, jacobian, culprit: np.zeros((1, 1)))
    # A solver that looks for the time at which exp(-t) meets a level never ends where the level is negative.
    far = []

    def time_of_event(level: Any) -> Any:
        if level <= 0:
            far.append(level)
        low, high = torch.zeros((), dtype=torch.float64), torch.tensor(10.0, dtype=torch.float64)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if torch.exp(-middle) > level else (low, middle)
        return (low + high) / 2

    result = check_gradients(time_of_event, torch.tensor(0.2, dtype=torch.float64))
    assert (result.verdict, result.culprit) == ("fail", "torch")
    assert "flat between steps" not in str(result)
    assert not far
