"""What must hold of a backward besides its values: one wrong Function for each property, and right ones."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from docs.diagnoses_page.faults import PROPERTIES, function, saved
from pytest_gradcheck import check_gradients

pytestmark = pytest.mark.kernels

X = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]], dtype=torch.float64)


def held(result: Any) -> dict[str, bool | None]:
    return {p.name: p.holds for p in result.properties}


class Square(Function):
    """Right in every way."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0].conj()

    @staticmethod
    def jvp(ctx, v):
        return 2 * v * ctx.saved_tensors[0]


class Pair(Function):
    """Right, with two outputs and a rule for vmap of its own."""

    @staticmethod
    def forward(x, y):
        return x * y, x + y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return g * y + h, g * x + h

    @staticmethod
    def vmap(info, dims, x, y):
        x, y = (v.movedim(d, 0) for v, d in zip((x, y), dims, strict=True))
        return (x * y, x + y), (0, 0)


class Exponential(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.complex128])
def test_a_right_function_keeps_every_property(dtype):
    result = check_gradients(lambda x: Square.apply(x).abs(), X.to(dtype))
    assert result.verdict == "pass", str(result)
    everything = {
        "deterministic", "gradients-fit", "inputs-unchanged", "outputs-in-graph", "repeatable-backward",
        "cotangents-unchanged", "accumulates", "linear-backward", "initialised-memory",
        "non-contiguous-inputs", "expanded-inputs", "non-contiguous-cotangents", "expanded-cotangents",
        "zero-size-inputs", "batched-cotangents", "vmap", "forward-mode",
    }  # fmt: skip
    if dtype.is_complex:
        assert check_gradients(Square.apply, X.to(dtype) * (1 + 2j)).verdict == "pass"
        everything |= {"conjugated-inputs", "conjugated-cotangents"}
    assert held(result) == dict.fromkeys(everything, True)
    assert all(p.detail for p in result.properties)


def test_a_right_function_of_two_outputs_keeps_them_too():
    result = check_gradients(Pair.apply, (X, X + 1))
    assert result.verdict == "pass", str(result)
    assert {"undefined-cotangents", "vmap", "batched-cotangents"} <= held(result).keys()
    assert set(held(result).values()) == {True}


def test_a_single_number_lies_in_memory_in_one_way():
    result = check_gradients(lambda x: Square.apply(x.sum()), X)
    assert result.verdict == "pass", str(result)
    assert not {"non-contiguous-inputs", "expanded-cotangents"} & held(result).keys()
    assert held(result)["forward-mode"] is True


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_dtypes_that_torch_can_hardly_compare_are_tried_too():
    result = check_gradients(lambda x: x.chalf(), X)
    assert result.verdict != "fail", str(result)
    assert held(result)["cotangents-unchanged"] is True


def test_what_is_declared_to_be_changed_in_place_is_right():
    result = check_gradients(lambda x: Exponential.apply(x * 2), X)
    assert result.verdict == "pass", str(result)
    assert held(result)["inputs-unchanged"] is True


def test_functions_of_torch_alone_are_called_no_more_often_for_it():
    calls = []

    def fn(x):
        calls.append(x)
        return torch.sin(x)

    result = check_gradients(fn, X, methods=("central", "torch"))
    before = len(calls)
    assert held(result).keys() == {
        "deterministic", "gradients-fit", "inputs-unchanged", "outputs-in-graph", "repeatable-backward",
        "cotangents-unchanged",
    }  # fmt: skip
    # One call to find the outputs, one for their noise, one under autograd; the rest are differences.
    assert before - result.methods["central"].calls == 3
    assert held(check_gradients(np.sin, np.ones(2))) == {"deterministic": True}


def test_a_function_that_does_not_repeat_itself_has_no_other_property():
    calls = iter(range(1, 1000))
    result = check_gradients(lambda x: Square.apply(x) * next(calls), X)
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nondeterministic")
    assert held(result)["deterministic"] is False
    assert "non-contiguous-inputs" not in held(result)
    roundings = iter(np.arange(1, 1000) * 1e-16)
    result = check_gradients(lambda x: np.sin(x) + next(roundings), np.ones(2))
    assert held(result) == {"deterministic": None}


# -- one wrong Function for each ---------------------------------------------------------------------


def save(ctx, x):
    ctx.save_for_backward(x)
    return x * x


def right(ctx, g):
    return 2 * g * ctx.saved_tensors[0]


#: The property that each code is of, where it has another name.
NAMES = {
    "uninitialised-memory": "initialised-memory",
    "stale-saved-tensor": "repeatable-backward",
    "nondeterministic-backward": "repeatable-backward",
    "mutated-cotangent": "cotangents-unchanged",
    "mutated-input": "inputs-unchanged",
}


@pytest.mark.parametrize("fault", PROPERTIES, ids=lambda f: f.what)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_wrong_function_fails_for_its_property(fault, dtype):
    inputs = fault.inputs if isinstance(fault.inputs, tuple) else (fault.inputs,)
    inputs = tuple(x.to(dtype.to_complex() if x.is_complex() else dtype) for x in inputs)
    result = check_gradients(fault.function, inputs)
    found = (result.verdict, result.culprit, result.diagnosis.code)
    assert found == ("fail", "torch", fault.code), str(result)
    name = NAMES.get(fault.code, fault.code)
    assert held(result)[name] is False
    assert [p.name for p in result.properties if p.holds is False and p.code == fault.code] == [name]
    assert fault.code in str(result)


def test_a_function_that_refuses_is_not_wrong():
    def forward(ctx, x):
        if not x.is_contiguous():
            raise ValueError("contiguous, please")
        return save(ctx, x)

    result = check_gradients(function(forward, right), X)
    assert result.verdict == "pass", str(result)
    refused = {p.name: p.detail for p in result.properties if p.holds is None}
    assert refused.keys() == {"non-contiguous-inputs", "expanded-inputs"}
    assert "contiguous, please" in refused["non-contiguous-inputs"]


def test_once_differentiable_is_said_at_the_first_order():
    result = check_gradients(function(save, once_differentiable(right)), X)
    assert result.verdict == "pass"
    (said,) = [p for p in result.properties if p.name == "twice-differentiable"]
    assert said.holds is None
    assert "once_differentiable" in said.detail


def test_an_output_without_a_backward_is_said():
    result = check_gradients(lambda x: (x * x, x.new_ones(2)), X)
    assert result.verdict == "pass", str(result)
    (said,) = [p for p in result.properties if p.name == "outputs-in-graph"]
    assert said.holds is None
    assert "output[1]" in said.detail


def test_running_statistics_may_change():
    def fn(x, mean, var):
        return torch.nn.functional.batch_norm(x, mean, var, training=True)

    inputs = {"x": X.clone().requires_grad_(), "mean": torch.zeros(3).double(), "var": torch.ones(3).double()}
    assert check_gradients(fn, inputs).verdict == "pass"


def test_rounding_is_no_difference():
    """The gradient with respect to a bias before a normalisation is pure rounding, which varies."""

    class Normalised(Function):
        @staticmethod
        def forward(ctx, x, b):
            y = x + b
            centred = y - y.mean(0)
            ctx.save_for_backward(centred)
            return centred / centred.norm(dim=0)

        @staticmethod
        def backward(ctx, g):
            (c,) = ctx.saved_tensors
            n = c.norm(dim=0)
            inner = g / n - c * (g * c).sum(0) / n**3
            inner = inner - inner.mean(0)
            return inner, inner.sum(0)

    x = torch.randn(40, 5, generator=torch.manual_seed(0))
    result = check_gradients(Normalised.apply, (x, torch.ones(5)))
    assert result.verdict != "fail", str(result)


class Spread(Function):
    """Mean and standard deviation; expanded inputs are all equal, and 0 / 0 or rounding is all there is."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.mean(), x.std()

    @staticmethod
    def backward(ctx, g, h):
        (x,) = ctx.saved_tensors
        return (g / len(x)).expand_as(x) + h * (x - x.mean()) / ((len(x) - 1) * x.std())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", [5, 49, 50, 64])
def test_what_rounding_decides_is_not_tried(size, dtype):
    x = torch.randn(size, generator=torch.manual_seed(0), dtype=dtype)
    result = check_gradients(Spread.apply, x)
    assert result.verdict == "pass", str(result)


def test_a_backward_that_draws_a_mask_of_its_own_is_said_to():
    def forward(ctx, x):
        return x * (torch.rand_like(x) > 0.5)

    result = check_gradients(function(forward, lambda ctx, g: g * (torch.rand_like(g) > 0.5)), torch.ones(20))
    assert (result.verdict, result.diagnosis.code) == ("fail", "nondeterministic-backward"), str(result)
    assert "uses its own random numbers" in str(result)


@torch.library.custom_op("gradcheck_tests::cube", mutates_args=())
def cube(x: torch.Tensor) -> torch.Tensor:
    return x**3


cube.register_autograd(
    lambda ctx, g: (3 * g.view(-1) * ctx.saved_tensors[0].reshape(-1) ** 2).view(g.shape),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)


def test_a_custom_operation_is_tried_too():
    result = check_gradients(cube, X)
    assert (result.verdict, result.diagnosis.code) == ("fail", "non-contiguous-cotangents"), str(result)


def test_the_second_order_keeps_what_the_first_saw():
    result = check_gradients(Square.apply, X, order=2)
    assert (result.verdict, result.order) == ("pass", 2), str(result)
    assert held(result)["forward-mode"] is True


def test_the_function_is_as_before():
    forward = Square.__dict__["forward"]
    check_gradients(Square.apply, X)
    assert Square.__dict__["forward"] is forward


class Picked(Function):
    """A kernel that would read out of bounds if it were called without the rows in its argument."""

    rows: ClassVar[list[int]] = []

    @staticmethod
    def forward(ctx, x, told):
        Picked.rows.append(len(x))
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0], None


def taken(x: torch.Tensor) -> torch.Tensor:
    return x[torch.tensor([1, 0])]


@pytest.mark.parametrize(
    ("fn", "tried"),
    [
        pytest.param(lambda x: Picked.apply(x, torch.tensor([1, 0])), False, id="indices"),
        pytest.param(lambda x: Picked.apply(x, [0, 2]), False, id="offsets"),
        pytest.param(lambda x: Picked.apply(x, len(x)), False, id="their number"),
        pytest.param(lambda x: Picked.apply(taken(x), None), False, id="indices of another operation"),
        pytest.param(lambda x: Picked.apply(x, 1), True, id="an axis"),
        pytest.param(lambda x: Picked.apply(x, x > 0), True, id="a mask"),
    ],
)
def test_a_function_that_is_told_of_rows_is_not_called_without_them(fn, tried):
    Picked.rows = []
    result = check_gradients(fn, X)
    assert result.verdict == "pass", str(result)
    assert held(result)["zero-size-inputs"] is (True if tried else None)
    assert (0 in Picked.rows) is tried


def test_an_operation_that_trusts_its_offsets_ends_no_process():
    offsets = torch.tensor([0, 1, 2])

    class Segments(Function):
        @staticmethod
        def forward(ctx, x):
            return torch.segment_reduce(x, "sum", offsets=offsets)

        @staticmethod
        def backward(ctx, g):
            return g

    result = check_gradients(Segments.apply, torch.tensor([0.3, -1.2], dtype=torch.float64))
    assert held(result)["zero-size-inputs"] is None, str(result)


@pytest.mark.parametrize("size", [1, 4, 12, 40])
@pytest.mark.parametrize(
    "backward",
    [
        pytest.param(lambda g, x: g.abs() * 2 * x, id="its size"),
        pytest.param(lambda g, x: g**3 * 2 * x, id="its cube"),
        pytest.param(lambda g, x: (g if g.sum() > 0 else 3 * g) * 2 * x, id="its sign"),
        pytest.param(lambda g, x: g.clamp(-1, 1) * 2 * x, id="no more than one of it"),
    ],
)
def test_a_backward_that_is_not_linear_fails(size, backward):
    x = torch.linspace(0.5, 2.0, size, dtype=torch.float64)
    result = check_gradients(function(saved, lambda ctx, g: backward(g, ctx.saved_tensors[0])), x)
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    if size <= 4:
        assert result.diagnosis.code == "linear-backward"


@pytest.mark.parametrize("size", [1, 4, 12, 40])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_vjp_by_hand_that_is_not_linear_fails(size, dtype):
    """The log-softmax without the sum of the cotangent, which is one where single outputs are looked at."""

    def log_softmax(x):
        return x - np.log(np.exp(x).sum())

    def vjp(x, cotangent, total):
        return cotangent - np.exp(x) / np.exp(x).sum() * total(cotangent)

    x = np.linspace(0.5, 2.0, size, dtype=dtype)
    wrong = check_gradients(log_softmax, x, vjp=lambda x, cotangent: vjp(x, cotangent, lambda g: 1))
    assert (wrong.verdict, wrong.culprit) == ("fail", "user"), str(wrong)
    if size <= 4:
        assert wrong.diagnosis.code == "linear-backward"
    right = check_gradients(log_softmax, x, vjp=lambda x, cotangent: vjp(x, cotangent, np.sum))
    assert right.verdict == "pass", str(right)
    assert held(right)["linear-backward"]


def test_a_linear_backward_whose_double_overflows_passes():
    x = torch.tensor([1.0, 2.0], dtype=torch.float16)
    result = check_gradients(function(lambda ctx, x: 4e4 * x, lambda ctx, g: 4e4 * g), x)
    assert result.verdict != "fail", str(result)
