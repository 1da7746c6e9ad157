"""The three verdicts, on real functions in every dialect."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import pytest
import torch

from pytest_gradcheck import GradientMismatch, Verdict, assert_gradients, check_gradients
from pytest_gradcheck.testing import FAULTS, corrupt

pytestmark = pytest.mark.kernels


def parabola(x):
    return 2 * x**2 - 3 * x + 4


# -- the four methods ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fn", "point"),
    [
        (parabola, 2.0),
        (lambda x: np.sin(x) * np.exp(-x), 0.3),
        (lambda x: np.sin(x) @ np.cos(x), np.linspace(-2, 2, 5)),
        (lambda x: np.linalg.solve(x @ x.T + 3 * np.eye(3), x[:, 0]), np.arange(9.0).reshape(3, 3) / 7),
        (lambda x: torch.softmax(x, -1), torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)),
        (
            lambda x: torch.nn.functional.layer_norm(x, (4,)),
            torch.randn(3, 4, generator=torch.manual_seed(1)),
        ),
        (lambda x: torch.fft.rfft(x).abs(), torch.tensor([0.3, -1.0, 2.0, 0.7], dtype=torch.float64)),
    ],
)
def test_all_four_methods_agree_on_a_right_gradient(fn, point):
    result = check_gradients(fn, point)

    assert result.verdict is Verdict.PASS, str(result)
    assert {name: m.status for name, m in result.methods.items()} == dict.fromkeys(
        ("central", "forward", "reference", "torch"), "ok"
    )


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"second-input", "transposed"}))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", [1e-7, 1.0, 1e7])
def test_every_fault_is_caught_whatever_the_dtype_and_size(fault, dtype, size):
    x = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]], dtype=dtype)
    fn = corrupt(lambda x: size * torch.tanh(x) * torch.arange(1, 4, dtype=x.dtype), fault)

    result = check_gradients(fn, x)

    assert (result.verdict, result.culprit) == (Verdict.FAIL, "torch"), str(result)


@pytest.mark.parametrize("methods", [("reference", "torch"), ("central", "torch"), ("forward", "torch")])
@pytest.mark.parametrize("fault", ["sign", "permille", "entry-zero"])
def test_two_witnesses_are_enough(methods, fault):
    x = torch.tensor([0.3, -1.2, 0.8], dtype=torch.float64)

    assert check_gradients(torch.sin, x, methods=methods).verdict is Verdict.PASS
    assert check_gradients(corrupt(torch.sin, fault), x, methods=methods).verdict is Verdict.FAIL


def test_numpy_code_under_torch_is_on_trial_too():
    result = check_gradients(corrupt(lambda x: np.sin(x), "double"), np.array([0.4, 1.0]))

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "constant-factor")


# -- magnitudes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-200, 1e-20, 1e-6, 1.0, 1e20, 1e200])
@pytest.mark.parametrize("at", [1e-20, 1e-5, 1.0, 1e9])
def test_the_size_of_the_gradient_does_not_matter(size, at):
    def fn(x):
        return size * np.sin(x / at) * at

    def gradient(x):
        return size * np.cos(x / at)

    point = np.array([0.7 * at, -0.2 * at])
    right = check_gradients(lambda x: fn(x).sum(), point, gradient=gradient)
    wrong = check_gradients(
        lambda x: fn(x).sum(), point, gradient=lambda x: 1.01 * gradient(x), methods=("central", "user")
    )

    assert right.verdict is Verdict.PASS, str(right)
    assert wrong.verdict is Verdict.FAIL, str(wrong)
    truth = gradient(point)[wrong.worst.index]
    assert wrong.worst.values["central"] == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize(
    ("fn", "point"),
    [
        (lambda x: x**2, 1e9),
        (lambda x: np.sin(x), 1e9),
        (lambda x: np.log(x), 1e-10),
        (lambda x: np.cos(x) + x, 1e-20),
        (lambda x: np.exp(x), 1e-300),
        (lambda x: x**2, 0.0),
        (lambda x: x * x, 1e-140),
        (lambda x: np.sin(x) - x, 0.0),
        (lambda x: np.sqrt(x), 1e-12),
        (lambda x: 1 / x, 1e-8),
        (lambda x: np.tan(x), 1.5707),
    ],
)
def test_awkward_points_of_smooth_functions_pass(fn, point):
    result = check_gradients(fn, point)

    assert result.verdict is Verdict.PASS, str(result)


@pytest.mark.parametrize("point", [3.6e-295, 1e-306, 1e-160])
@pytest.mark.parametrize("power", [2, 3, 5])
def test_underflow_is_nobodys_fault(point, power):
    assert check_gradients(lambda x: x**power, point).verdict is not Verdict.FAIL


# -- kinks, jumps, singularities -------------------------------------------------------------------


@pytest.mark.parametrize("slope", [-1.0, -0.3, 0.0, 1.0])
def test_a_subgradient_passes_and_is_labelled(slope):
    result = check_gradients(lambda x: np.abs(x).sum(), np.zeros(2), gradient=lambda x: slope + np.zeros(2))

    assert (result.verdict, result.labels) == ("pass", ("kink",)), str(result)
    # A slope that is wrong by less than the kink is wide passes: these entries are not claimed as checked.
    assert [n.what for n in result.not_checked] == ["2 entries at a kink"]


@pytest.mark.parametrize("slope", [-1.01, 1.01, 5.0])
def test_a_slope_outside_of_the_kink_fails(slope):
    result = check_gradients(lambda x: np.abs(x).sum(), np.zeros(2), gradient=lambda x: slope + np.zeros(2))

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", "kink-outside")


@pytest.mark.parametrize("at", [1e-9, -1e-4, 0.01])
def test_beside_a_kink_there_is_no_excuse(at):
    fn, point = (lambda x: np.maximum(x, 0)), np.array([at, 1.0])

    assert check_gradients(fn, point).verdict is Verdict.PASS
    wrong = check_gradients(fn, point, gradient=lambda x: np.diag([0.5, 1.0]), methods=("central", "user"))
    assert wrong.verdict is Verdict.FAIL, str(wrong)


def test_a_jump_is_inconclusive():
    result = check_gradients(lambda x: np.where(x >= 1, x + 1, x), 1.0)

    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "jump")


def test_an_infinite_slope_is_inconclusive():
    result = check_gradients(lambda x: np.sqrt(x), 0.0)

    assert result.verdict is Verdict.INCONCLUSIVE


def test_an_infinite_slope_in_torch_is_inconclusive_too():
    result = check_gradients(torch.sqrt, torch.zeros(2, dtype=torch.float64))

    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "singularity"), str(result)


def test_nan_at_a_kink_fails_where_zero_would_be_right():
    x = torch.zeros(3, dtype=torch.float64)

    assert check_gradients(torch.linalg.norm, x).verdict is Verdict.PASS
    wrong = check_gradients(lambda x: torch.sqrt((x**2).sum()), x)
    assert (wrong.verdict, wrong.culprit, wrong.diagnosis.code) == ("fail", "torch", "non-finite-gradient")


def test_a_value_that_is_not_finite_is_inconclusive():
    result = check_gradients(lambda x: 1 / x, np.array([0.0, 1.0]))

    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "non-finite-value")


def test_the_where_trap_fails():
    def safe_sqrt(x):
        return torch.where(x > 0, torch.sqrt(x), torch.zeros_like(x))

    result = check_gradients(safe_sqrt, torch.tensor([-1.0, 2.0], dtype=torch.float64))

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "non-finite-gradient")


def masked_attention(x):
    """The first row is fully masked: its softmax is nan, and nan_to_num hides that from the value."""
    hidden = torch.tensor([[True, True], [False, True]])
    return ((x @ x.mT).masked_fill(hidden, -torch.inf).softmax(-1) @ x).nan_to_num(0.0)


def log_of_rotation(q):
    """Twice the axis by the angle, of a quaternion whose sine is zero where there is no rotation."""
    return q[1:] * torch.acos(q[0].clamp(-1, 1)) / q[1:].norm().clamp(min=1e-8)


@pytest.mark.parametrize(
    ("fn", "values"),
    [
        *[(lambda x: torch.where(x == 0, 1.0, x.sin() / x), [0.0, other]) for other in (0.1, 0.7, 1.0, 3.0)],
        (log_of_rotation, [1.0, 0.0, 0.0, 0.0]),
        (masked_attention, [[0.3, -1.2], [0.8, 1.5]]),
    ],
)
def test_nan_in_the_branch_that_is_not_taken_fails_beside_other_entries_and_where_nothing_moves(fn, values):
    result = check_gradients(fn, torch.tensor(values, dtype=torch.float64))
    found = (result.verdict, result.culprit, result.diagnosis.code)
    assert found == ("fail", "torch", "non-finite-gradient"), str(result)


@pytest.mark.parametrize(
    ("fn", "values"),
    [
        (lambda x: x.abs().sqrt(), [0.0, 1.0]),
        (lambda p: torch.where(p > 0, p * p.log(), 0.0).sum(), [0.0, 0.3]),
        (lambda x: (x**3).abs() ** (1 / 9), [0.0, -0.4]),
    ],
)
def test_nan_at_an_infinite_slope_is_nobodys_fault(fn, values):
    result = check_gradients(fn, torch.tensor(values, dtype=torch.float64))
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "singularity"), str(result)


# -- nothing passes because nothing was looked at --------------------------------------------------


@pytest.mark.parametrize("methods", [("central", "forward"), ("central",), ("torch",), ("reference",)])
def test_one_witness_is_none(methods):
    result = check_gradients(parabola, 2.0, methods=methods)

    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nothing-checked")


def test_what_others_agree_on_is_no_pass_for_a_torch_function_that_is_another_one_under_autograd():
    x = torch.tensor([0.3, 1.2], dtype=torch.float64)
    result = check_gradients(lambda x: x.sin() if torch.is_grad_enabled() else x.cos(), x)

    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nothing-checked"), str(result)
    assert "a different value when gradients are enabled" in result.methods["torch"].reason


def test_math_functions_leave_nothing_to_check_and_say_so():
    result = check_gradients(lambda x: math.sin(x), 1.0)

    assert result.diagnosis.code == "nothing-checked"
    assert "takes the value out of the graph" in str(result)
    assert "numpy.sin" in str(result)


def test_a_gradient_by_hand_makes_math_functions_checkable():
    assert check_gradients(lambda x: math.sin(x), 1.0, gradient=lambda x: math.cos(x)).verdict is Verdict.PASS
    assert check_gradients(lambda x: math.sin(x), 1.0, gradient=lambda x: math.sin(x)).verdict is Verdict.FAIL


def test_empty_outputs_are_not_a_pass():
    assert check_gradients(lambda x: x[:0], np.ones(3)).verdict is Verdict.INCONCLUSIVE


def test_a_function_that_differs_from_call_to_call_is_named_as_that():
    calls = iter(range(1000))

    result = check_gradients(lambda x: x * next(calls), 2.0)

    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nondeterministic")


def test_an_error_in_the_backward_fails():
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            raise NotImplementedError("not yet")

    result = check_gradients(Broken.apply, torch.ones(2, dtype=torch.float64))

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "backward-raised")
    assert "not yet" in str(result)


def without_grad(x):
    with torch.no_grad():
        scale = x.sum()
    return scale * x


@pytest.mark.parametrize(
    ("fn", "code", "operation"),
    [
        (lambda x: x * x.detach(), "stop-gradient", "detach"),
        (without_grad, "stop-gradient", "no_grad"),
        (lambda x: x * torch.from_numpy(np.sin(x.detach().numpy())), "out-of-graph", "numpy"),
        (lambda x: x * float(x.detach()[0]), "out-of-graph", "float"),
        (lambda x: x * x.detach().max().item(), "out-of-graph", "item"),
    ],
)
def test_a_stopped_gradient_fails_and_is_located(fn, code, operation):
    result = check_gradients(fn, torch.tensor([1.0, 3.0], dtype=torch.float64))

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", code), str(result)
    assert operation in result.diagnosis.text
    assert "test_verdicts.py" in result.diagnosis.text


def test_a_detached_second_output_fails():
    result = check_gradients(lambda x: (x.sin(), x.cos().detach()), torch.ones(2, dtype=torch.float64))

    assert (result.verdict, result.diagnosis.code) == ("fail", "stop-gradient"), str(result)
    assert "output[1] does not require a gradient" in result.diagnosis.text


# -- inputs and outputs ----------------------------------------------------------------------------


class Pair(NamedTuple):
    left: float
    right: np.ndarray


@dataclasses.dataclass
class State:
    position: np.ndarray
    label: str


def test_nested_inputs_and_outputs_and_what_is_not_differentiated():
    def fn(pair, states, *, power, flags, names):
        total = pair.left * pair.right.sum() + sum((s.position**power).sum() for s in states)
        return {"total": total, "parts": [pair.right * 2, (total, power)], "names": names}

    result = check_gradients(
        fn,
        {
            "pair": Pair(2.0, np.array([1.0, 2.0])),
            "states": [State(np.array([0.5]), "a"), State(np.array([[1.5]]), "b")],
            "power": 3,
            "flags": np.array([True, False]),
            "names": "x",
        },
    )

    assert result.verdict is Verdict.PASS, str(result)
    listed = {n.what for n in result.not_checked}
    assert {"power", "flags", "names", "states[0].label"} <= listed
    assert {"output['parts'][1][1]", "output['names']"} <= listed
    value = result.methods["reference"].value[0]
    assert isinstance(value["pair"], Pair)
    assert value["power"] is None


def test_the_value_has_the_structure_of_the_inputs():
    result = check_gradients(lambda a, b, c, f: (a * b + c) * f, (3.0, -2.0, 8.0, -2.0))
    assert result.methods["reference"].value == (4.0, -6.0, -2.0, 2.0)
    assert result.methods["torch"].value == (4.0, -6.0, -2.0, 2.0)

    result = check_gradients(lambda x: x * np.array([1.0, 2.0]), np.array([5.0, 6.0]))
    np.testing.assert_array_equal(result.methods["reference"].value, np.diag([1.0, 2.0]))

    result = check_gradients(lambda x: x @ x, {"x": np.array([5.0, 6.0])})
    np.testing.assert_allclose(result.methods["central"].value["x"], [10.0, 12.0])


def test_a_module_is_checked_in_its_parameters():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.Tanh())
    before = {k: v.clone() for k, v in module.state_dict().items()}

    result = check_gradients(module, torch.randn(4, 3), mode="full")

    assert result.verdict is Verdict.PASS, str(result)
    assert set(result.methods["torch"].value) == {"input", "0.weight", "0.bias", "1.weight", "1.bias"} | {
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    }
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert all(p.grad is None for p in module.parameters())


class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self, x):
        class Forget(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, s):
                ctx.save_for_backward(s)
                return x * s

            @staticmethod
            def backward(ctx, g):
                (s,) = ctx.saved_tensors
                return g * s, torch.zeros_like(s)

        return Forget.apply(x, self.scale)


def test_a_parameter_with_a_wrong_gradient_is_named():
    result = check_gradients(Scaled(), torch.tensor([3.0, 4.0]))

    assert (result.verdict, result.culprit) == ("fail", "torch")
    assert result.worst.place.input == "scale"
    assert result.diagnosis.code == "zero-gradient"


def test_a_module_among_the_inputs_brings_its_parameters():
    result = check_gradients(
        lambda x, layer: layer(x).sin(), {"x": torch.randn(2), "layer": torch.nn.Linear(2, 2)}
    )

    assert result.verdict is Verdict.PASS, str(result)
    assert "weight" in result.methods["torch"].value["layer"]


def test_tensors_that_require_no_gradient_are_constants_beside_one_that_does():
    x, y = torch.ones(2, dtype=torch.float64, requires_grad=True), torch.ones(2, dtype=torch.float64)

    result = check_gradients(lambda x, y: x * y.detach(), (x, y))

    assert result.verdict is Verdict.PASS
    assert [n.what for n in result.not_checked] == ["y"]
    assert x.grad is None


def test_wrt_chooses_inputs():
    fn = corrupt(lambda a, b: torch.sin(a) * b, "second-input")
    a, b = torch.ones(2, dtype=torch.float64), torch.full((2,), 2.0, dtype=torch.float64)

    assert check_gradients(fn, (a, b)).verdict is Verdict.FAIL
    assert check_gradients(fn, (a, b), wrt="a").verdict is Verdict.PASS
    assert check_gradients(fn, (a, b), wrt=[1]).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "x",
    [
        torch.arange(6.0).reshape(2, 3).T,
        torch.arange(12.0).reshape(3, 4)[:, ::2],
        torch.arange(3.0).expand(2, 3),
        torch.tensor(2.5),
        torch.arange(4.0).reshape(1, 4, 1),
    ],
)
def test_layouts_are_kept(x):
    seen = []

    def fn(t):
        seen.append((t.stride(), t.dtype))
        return torch.sin(t + 0.5)

    assert check_gradients(fn, x).verdict is Verdict.PASS
    assert seen[0] == (x.stride(), torch.float32)


def test_complex_numbers_follow_torch():
    z = torch.tensor([1 + 2j, -0.5 + 0.3j])

    assert check_gradients(lambda z: (z * z.conj()).real.sum(), z).verdict is Verdict.PASS
    assert check_gradients(torch.exp, z).verdict is Verdict.PASS
    assert check_gradients(corrupt(torch.exp, "double"), z).verdict is Verdict.FAIL
    assert check_gradients(lambda z: np.exp(z), np.array([1 + 2j])).verdict is Verdict.PASS


# -- second order ----------------------------------------------------------------------------------


class WrongSecond(torch.autograd.Function):
    """The cube, with a right backward whose own backward is wrong."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * (x * x.detach())


def test_a_wrong_second_derivative_is_found_by_order_two_alone():
    x = torch.tensor([0.5, 1.5], dtype=torch.float64)

    assert check_gradients(WrongSecond.apply, x).verdict is Verdict.PASS
    result = check_gradients(WrongSecond.apply, x, order=2)
    assert (result.verdict, result.culprit, result.order) == ("fail", "torch", 2)
    assert "second order" in str(result)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_right_second_derivatives_pass(dtype):
    x = torch.tensor([0.5, 1.5, -0.7], dtype=dtype)

    for fn in (torch.sin, torch.nn.functional.softplus, lambda x: torch.logsumexp(x, 0)):
        assert check_gradients(fn, x, order=2).verdict is Verdict.PASS
    assert check_gradients(lambda x: np.sin(x) * x, np.array([1.0, 2.0]), order=2).verdict is Verdict.PASS


def test_once_differentiable_is_said():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    x = torch.ones(2, dtype=torch.float64)
    assert check_gradients(Once.apply, x).verdict is Verdict.PASS
    result = check_gradients(Once.apply, x, order=2)
    assert result.verdict is Verdict.FAIL
    assert "once_differentiable" in str(result)


# -- large inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["entry-percent", "entry-zero"])
@pytest.mark.parametrize("methods", [None, ("central", "torch")])
def test_one_wrong_entry_among_many_is_named(fault, methods):
    x = torch.linspace(-1, 1, 5000, dtype=torch.float64)
    k = 3210
    fn = corrupt(lambda x: x**2 + (torch.arange(5000) == k) * 5 * x, fault)

    result = check_gradients(fn, x, methods=methods)

    assert (result.verdict, result.culprit) == ("fail", "torch")
    assert (result.worst.place.index, result.worst.place.output_index) == ((k,), (k,))
    assert result.evaluations < 600


def test_large_right_gradients_pass_cheaply():
    x = torch.randn(100, 100, generator=torch.manual_seed(0))

    result = check_gradients(lambda x: torch.relu(x @ x.T), x)

    assert result.verdict is Verdict.PASS, str(result)


# -- the raising twin ------------------------------------------------------------------------------


def test_assert_gradients_raises_for_all_but_a_pass():
    assert_gradients(parabola, 2.0)
    with pytest.raises(GradientMismatch) as caught:
        assert_gradients(parabola, 2.0, gradient=lambda x: 4 * x)
    assert caught.value.result.culprit == "user"
    with pytest.raises(AssertionError, match="nothing-checked"):
        assert_gradients(parabola, 2.0, methods=("central", "forward"))


def test_noise_elsewhere_does_not_hide_a_wrong_entry_among_many():
    """A bias before a normalisation has no gradient but rounding; all other entries must be seen too."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(20, 30), torch.nn.BatchNorm1d(30), torch.nn.Tanh())
    names = [name for name, _ in net.named_parameters()]

    def run(x, *values):
        return torch.func.functional_call(net, dict(zip(names, values, strict=True)), (x,))

    inputs = (torch.randn(8, 20), *(p.detach() for p in net.parameters()))
    assert check_gradients(run, inputs).verdict is Verdict.PASS
    wrong = corrupt(run, lambda grads: [g * 1.01 if g.shape == (30, 20) else g for g in grads])
    result = check_gradients(wrong, inputs)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert result.worst.input == "values[0]"


def test_many_kinks_at_once_are_no_failure():
    x = torch.zeros(400, dtype=torch.float64)

    result = check_gradients(torch.relu, x)

    assert result.verdict is Verdict.PASS, str(result)
    assert check_gradients(corrupt(torch.relu, lambda g: [g[0] - 1]), x).verdict is not Verdict.PASS


def test_a_wrong_engine_is_named_and_fails_nobody(monkeypatch):
    from pytest_gradcheck.methods.reference import ReferencePullback

    right = ReferencePullback.vjp
    monkeypatch.setattr(ReferencePullback, "vjp", lambda self, u: 2 * right(self, u))
    x = torch.tensor([0.3, 1.0], dtype=torch.float64)

    result = check_gradients(torch.sin, x)
    assert (result.verdict, result.culprit, result.diagnosis.code) == (
        "pass",
        "reference",
        "reference-engine",
    )
    assert result.methods["reference"].status == "unavailable"
    # The function's values tell the two apart.
    result = check_gradients(torch.sin, x, methods=("reference", "torch"))
    assert (result.verdict, result.culprit) == ("pass", "reference")
    result = check_gradients(torch.sin, x, methods=("reference", "central"))
    assert (result.verdict, result.culprit) == ("fail", "reference")


def test_a_wrong_engine_fails_nobody_beside_an_entry_that_differences_do_not_resolve(monkeypatch):
    from pytest_gradcheck.methods.reference import ReferencePullback

    right = ReferencePullback.vjp
    monkeypatch.setattr(ReferencePullback, "vjp", lambda self, u: 2 * right(self, u))
    x = torch.tensor([0.3, 1.0], dtype=torch.float64)

    for second in (lambda y: (1e13 * y + y) - 1e13 * y, lambda y: y.floor() * y):

        def both(x, second=second):
            return torch.stack([x[0].sin(), second(x[1])])

        result = check_gradients(both, x, methods=("central", "forward", "reference", "torch"))
        assert result.verdict is Verdict.INCONCLUSIVE, str(result)
        assert "stands alone" in str(result.methods["reference"].reason)


class CallsAgain(torch.autograd.Function):
    """The backward calls the module once more, as adjoint methods do."""

    @staticmethod
    def forward(ctx, module, x, *parameters):
        ctx.module = module
        ctx.save_for_backward(x, *parameters)
        with torch.no_grad():
            return module(x)

    @staticmethod
    def backward(ctx, cotangent):
        x, *parameters = ctx.saved_tensors
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            out = ctx.module(x)
            grads = torch.autograd.grad(out, (x, *parameters), cotangent, allow_unused=True)
        return (None, *grads)


def test_modules_hold_the_inputs_values_during_the_backward_too():
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())

    def fn(module, x):
        return CallsAgain.apply(module, x, *module.parameters())

    result = check_gradients(fn, {"module": module, "x": torch.randn(2, 3)})
    assert result.verdict is Verdict.PASS, str(result)
    assert result.methods["torch"].status == "ok"


def test_a_kink_at_the_edge_of_the_domain_is_not_blamed_on_the_slope_outside():
    def fn(x):
        return np.minimum(x, 3.0).sum()

    x = np.array([3.0, 1.0])
    methods = ("central", "user")
    slope = check_gradients(fn, x, gradient=lambda x: np.array([0.0, 1.0]), domain=(-3, 3), methods=methods)
    wrong = check_gradients(fn, x, gradient=lambda x: np.array([1.0, 2.0]), domain=(-3, 3), methods=methods)

    assert slope.verdict is Verdict.INCONCLUSIVE
    assert wrong.verdict is Verdict.FAIL


def test_forward_differences_that_central_ones_overrule_say_nothing_of_the_margin():
    """Next to large entries the forward steps are too long for the small ones, and only they are."""
    w = np.array([0.0, -1.4423983607490367, 1281.8569432034526, 83.07141742486827, 2.8763738978515385])
    result = check_gradients(
        lambda w: np.mean(np.logaddexp(0.0, w) ** 2),
        w,
        gradient=lambda w: 2 * np.logaddexp(0.0, w) / (1 + np.exp(-w)) / w.size,
    )
    assert result.verdict is Verdict.PASS
    assert result.worst.margin < 1


def test_the_margin_at_a_kink_is_that_of_agreement():
    result = check_gradients(lambda x: np.abs(x).sum(), np.zeros(2))

    assert result.verdict is Verdict.PASS
    assert result.worst.margin <= 1


@pytest.mark.parametrize(
    ("fn", "point"),
    [
        (lambda x: torch.median(x), torch.ones(3)),
        (lambda x: np.sort(x), np.zeros(4)),
        (lambda x: torch.sqrt(x.abs()), torch.zeros(3, dtype=torch.float64)),
        (lambda x: torch.sqrt(x.abs()), torch.tensor([0.0, 0.001, 1.0])),
        (torch.nn.functional.gelu, torch.tensor([-8.0], dtype=torch.float64)),
    ],
)
def test_where_there_is_no_derivative_or_no_digit_nobody_is_blamed(fn, point):
    assert check_gradients(fn, point).verdict is Verdict.INCONCLUSIVE


def test_what_is_a_limit_of_slopes_nearby_is_right_where_no_single_entry_moves():
    result = check_gradients(lambda x: torch.sort(x).values, torch.zeros(4, dtype=torch.float64))
    assert (result.verdict, result.labels) == ("pass", ("kink",)), str(result)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_two_equal_numbers_at_a_time_are_kinks_in_every_dtype(dtype):
    # Neighbouring points, by which rounding in float32 is measured, lie beyond the kinks.
    result = check_gradients(
        lambda x: torch.sort(x).values, torch.tensor([-1.0, -1.0, 0.0, 0.0], dtype=dtype)
    )

    assert (result.verdict, result.labels) == ("pass", ("kink",)), str(result)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_entries_far_below_the_largest_are_not_judged_by_rounding(dtype):
    x = torch.tensor([0.0, -7.0, -6.5, 1.0], dtype=dtype)

    assert check_gradients(torch.nn.functional.gelu, x).verdict is Verdict.PASS
    assert check_gradients(corrupt(torch.nn.functional.gelu, "entry-percent"), x).verdict is Verdict.FAIL


def test_a_sum_that_swallows_its_smallest_terms_has_their_slopes_all_the_same():
    small = 5.5279174282042745e-245
    x = np.array([-(2.0**53), small, 2.0**53, small, small])

    result = check_gradients(
        lambda x: np.sum(x / (1 + np.abs(x))), x, methods=("central", "forward", "reference"), mode="full"
    )

    assert result.verdict is not Verdict.FAIL, str(result)


def test_entries_too_small_for_the_projections_are_listed():
    weights = torch.ones(20, dtype=torch.float64)
    weights[3] = 1e-12
    x = torch.linspace(1, 2, 20, dtype=torch.float64)

    def fn(x):
        return (weights * torch.sin(x)).sum()

    result = check_gradients(fn, x, methods=("central", "torch"))
    assert result.verdict is Verdict.PASS
    assert [n.what for n in result.not_checked] == ["1 small entries"]
    assert not check_gradients(fn, x).not_checked


@pytest.mark.parametrize(
    ("gradient", "verdict"), [(lambda x: 2 * x, "pass"), (lambda x: x, "fail"), (lambda x: -2 * x, "fail")]
)
def test_a_result_is_true_exactly_if_it_is_a_pass(gradient, verdict):
    result = check_gradients(lambda x: np.sum(x**2), np.ones(3), gradient=gradient)
    assert (str(result.verdict), bool(result)) == (verdict, verdict == "pass")


def test_an_inconclusive_result_is_false():
    for fn, x in ((np.floor, 2.0), (np.log, -1.0)):
        result = check_gradients(fn, x)
        assert result.verdict == "inconclusive"
        assert not result
    with pytest.raises(AssertionError):
        assert check_gradients(np.sin, 0.3, methods=("central", "forward"))
