"""The proven derivative as the arbiter: what it settles, what it must not, and where it is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients, records
from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.methods import exact
from pytest_gradcheck.methods.names import DEFAULT_METHODS, METHOD_NAMES
from pytest_gradcheck.testing import corrupt
from reference_engine.definitions import PRIMITIVES

pytestmark = pytest.mark.kernels


def double(value: Any) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def by_hand(forward: Any, slope: Any) -> Any:
    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * slope(x)

    return lambda x: Function.apply(x)


def without_proof(function: Any, x: Any) -> Any:
    return check_gradients(
        function, x, methods=[name for name in DEFAULT_METHODS if name not in ("user", "oracle")]
    )


def quotient(x: Any) -> Any:
    """(exp(x) - 1) / x, which loses all digits in floats next to zero."""
    return (torch.exp(x) - 1) / x


def series(x: Any) -> Any:
    return 0.5 + x / 3 + x * x / 8


def hilbert(n: int) -> torch.Tensor:
    return 1 / (torch.arange(n)[:, None] + torch.arange(n) + 1.0).double()


def solved(a: Any) -> Any:
    return torch.linalg.solve(a, torch.ones(len(a), dtype=a.dtype))


#: A right function, the point, and the same with a gradient that is wrong, where no function value can tell.
DISPUTES: dict[str, tuple[Any, Any, Any]] = {
    "saturation": (
        torch.sigmoid,
        30.0,
        by_hand(torch.sigmoid, lambda x: 1.05 * torch.sigmoid(x) * torch.sigmoid(-x)),
    ),
    "cancellation": (by_hand(quotient, series), -7e-16, by_hand(quotient, lambda x: 1.05 * series(x))),
    "cancellation of cosines": (
        by_hand(lambda x: (1 - torch.cos(x)) / x**3, lambda x: -0.5 / x**2 - 1 / 24),
        1e-8,
        by_hand(lambda x: (1 - torch.cos(x)) / x**3, lambda x: -0.55 / x**2 - 1 / 24),
    ),
    "an ill-conditioned system": (solved, hilbert(8), corrupt(solved, "sign")),
}


@pytest.mark.parametrize("name", DISPUTES)
def test_a_dispute_is_settled_by_proof(name: str) -> None:
    right, at, wrong = DISPUTES[name]
    x = at if isinstance(at, torch.Tensor) else double(at)
    found = check_gradients(right, x)
    assert (found.verdict, found.diagnosis.code, found.proved) == ("pass", "proved", True), str(found)
    assert found.culprit in (None, "reference")
    lost = check_gradients(wrong, x)
    assert (lost.verdict, lost.culprit) == ("fail", "torch"), str(lost)
    assert lost.proved


@pytest.mark.parametrize("name", ["saturation", "cancellation", "an ill-conditioned system"])
def test_the_same_is_not_settled_without_it(name: str) -> None:
    right, at, _ = DISPUTES[name]
    found = without_proof(right, at if isinstance(at, torch.Tensor) else double(at))
    assert found.verdict == "inconclusive" or "exact" not in found.methods, str(found)
    assert not found.proved


def test_a_gradient_of_numpy_code_is_settled_too() -> None:
    def f(x: Any) -> Any:
        return (np.exp(x) - 1) / x

    found = check_gradients(f, -7e-16, gradient=lambda x: 0.5 + x / 3)
    assert (found.verdict, found.diagnosis.code) == ("pass", "proved"), str(found)
    assert "differ" in found.diagnosis.text
    wrong = check_gradients(f, -7e-16, gradient=lambda x: 0.55 + x / 3)
    assert (wrong.verdict, wrong.culprit) == ("fail", "user"), str(wrong)


def test_underflow_is_settled() -> None:
    def norm(x: Any) -> Any:
        return (x[0] * x[0] * 1e200 + x[1] * x[1] * 1e200).sqrt() * 1e-100

    x = double([3e-200, 4e-200])
    found = check_gradients(by_hand(norm, lambda x: x / torch.hypot(x[0], x[1])), x)
    assert found.verdict == "pass", str(found)


def test_a_gradient_off_by_its_own_rounding_passes_and_says_so() -> None:
    # torch's s · (1 - s) is off by 6 % here.
    found = check_gradients(torch.sigmoid, double(35.0))
    assert (found.verdict, found.diagnosis.code) == ("pass", "proved"), str(found)
    assert any("own rounding" in one.reason for one in found.not_checked)


def test_a_gradient_that_rounding_has_lost_stays_in_doubt_next_to_its_proof() -> None:
    found = check_gradients(quotient, double(-7e-16))
    assert (found.verdict, found.diagnosis.code) == ("inconclusive", "unresolved"), str(found)
    assert "d output / d x = 0.4999999999999997666666667 ±" in str(found)


# -- each rule by itself -------------------------------------------------------------------------------


def rippled(x: Any) -> Any:
    """A line with a ripple that is smaller than any step: function values have the slope 1."""
    return x + 1e-16 * np.sin(6e14 * x)


def of_ripples(x: Any) -> Any:
    """The derivative of `rippled` at 0.3, which rounding hides from automatic differentiation as well."""
    return 1.0323472788377215 + 0 * x


@pytest.mark.parametrize("methods", [None, ("central", "user", "exact")])
def test_a_proven_gradient_passes_where_function_values_say_otherwise(methods: Any) -> None:
    found = check_gradients(rippled, 0.3, gradient=of_ripples, methods=methods)
    assert (found.verdict, found.culprit, found.rule) == ("pass", None, "proved_right"), str(found)
    assert "central" in found.diagnosis.text
    assert "from it" in found.diagnosis.text


@pytest.mark.parametrize("methods", [None, ("central", "user", "exact")])
def test_one_that_is_off_fails_there(methods: Any) -> None:
    found = check_gradients(rippled, 0.3, gradient=lambda x: 1.03 * of_ripples(x), methods=methods)
    assert (found.verdict, found.culprit) == ("fail", "user"), str(found)


@pytest.mark.parametrize("grain", [1e-8, 1e-12])
@pytest.mark.parametrize("methods", [None, ("central", "user", "exact")])
def test_the_slope_of_a_stair_is_no_derivative_that_was_meant(grain: float, methods: Any) -> None:
    def stairs(x: Any) -> Any:
        return np.floor(x / grain) * grain + 0 * x

    assert check_gradients(stairs, 0.3333, gradient=lambda x: 1.0, methods=methods).verdict != "fail"
    assert check_gradients(stairs, 0.3333, gradient=lambda x: 0.0, methods=methods).verdict != "pass"


def test_function_values_of_another_function_settle_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording of something else proves nothing, where nothing else has noticed that it is."""
    from pytest_gradcheck.core.orders import FirstOrder

    monkeypatch.setattr(FirstOrder, "_not_recorded", lambda self, recording: None)

    def hidden(x: Any) -> Any:
        return np.tanh(x) + (
            1e-2 * np.sin(np.asarray(x, float)) if isinstance(x, float | np.ndarray) else 0.0
        )

    def of_recording(x: Any) -> Any:
        return 1 - np.tanh(x) ** 2

    found = check_gradients(
        hidden, np.array([0.7]), gradient=of_recording, methods=("central", "user", "exact")
    )
    assert found.verdict != "pass", str(found)


def logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def of_logistic(x: Any) -> Any:
    return np.exp(-x) / (1 + np.exp(-x)) ** 2


def test_an_engine_that_is_contradicted_is_named_and_not_the_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PRIMITIVES["exp"], "rules", (lambda c, result, x: 1.05 * c * result,))
    methods = ("central", "reference", "user", "exact")
    found = check_gradients(logistic, 30.0, gradient=of_logistic, methods=methods)
    assert (found.verdict, found.culprit) == ("pass", "reference"), str(found)
    assert "reference-engine" in found.labels
    # What agrees with a wrong engine is wrong.
    lost = check_gradients(logistic, 30.0, gradient=lambda x: 1.05 * of_logistic(x), methods=methods)
    assert lost.verdict != "pass", str(lost)


def test_equal_eigenvalues_are_settled_where_they_are_settled_at_all() -> None:
    def lowest(a: Any) -> Any:
        return np.linalg.eigvalsh(a)[0]

    def total(a: Any) -> Any:
        return np.sum(np.linalg.eigvalsh(a) ** 2)

    def of_lowest(a: Any) -> Any:
        v = np.linalg.eigh(a)[1][:, 0]
        return np.outer(v, v)

    apart = np.diag([1.0, 1.0 + 1e-9, 2.0])
    methods = ("central", "user", "exact")
    found = check_gradients(lowest, apart, gradient=of_lowest, methods=methods)
    assert found.verdict != "fail", str(found)
    wrong = check_gradients(lowest, apart, gradient=lambda a: 1.1 * of_lowest(a), methods=methods)
    assert wrong.verdict != "pass", str(wrong)
    named = check_gradients(total, np.eye(3), gradient=lambda a: 2 * a, methods=methods)
    assert "equal" in str(named.methods["exact"].reason)
    assert not named.proved


# -- second derivatives --------------------------------------------------------------------------------


def test_a_second_derivative_is_settled_as_a_first_one_is() -> None:
    # The derivative of s · (1 - s) has lost all but three digits here, and function values have them.
    found = check_gradients(torch.sigmoid, double(30.0), order=2)
    assert (found.verdict, found.rule, found.proved) == ("pass", "proved_right", True), str(found)
    assert any("own rounding" in one.reason for one in found.not_checked)


class Slope(torch.autograd.Function):
    """The derivative of the sigmoid, and a derivative of that by hand."""

    @staticmethod
    def forward(ctx: Any, g: Any, x: Any, factor: float) -> Any:
        ctx.save_for_backward(g, x)
        ctx.factor = factor
        return g * torch.sigmoid(x) * torch.sigmoid(-x)

    @staticmethod
    def backward(ctx: Any, h: Any) -> Any:
        g, x = ctx.saved_tensors
        s, t = torch.sigmoid(x), torch.sigmoid(-x)
        return h * s * t, ctx.factor * h * g * s * t * (t - s), None


class Logistic(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return Slope.apply(g, *ctx.saved_tensors, ctx.factor), None


@pytest.mark.parametrize("at", [30.0, 1.0])
def test_a_wrong_second_derivative_fails_with_the_digits(at: float) -> None:
    right = check_gradients(lambda x: Logistic.apply(x, 1.0), double(at), order=2)
    assert right.verdict == "pass", str(right)
    found = check_gradients(lambda x: Logistic.apply(x, 1.05), double(at), order=2)
    assert (found.verdict, found.culprit, found.order) == ("fail", "torch", 2), str(found)
    assert found.worst is not None
    assert float(found.proofs[0].digits) == pytest.approx(found.worst.values["exact"], rel=1e-15)
    assert found.worst.values["reference"] == pytest.approx(found.worst.values["exact"], rel=1e-12)


@pytest.mark.parametrize(
    ("function", "point"),
    [
        (lambda x: np.tanh(x) * x[0], np.array([0.3, -1.2])),
        (lambda x: np.linalg.det(x @ x.T + np.eye(2)), np.array([[0.3, 0.4], [0.1, 2.0]])),
        (lambda z: np.exp(z) * np.conj(z), np.array([0.3 + 0.4j])),
    ],
)
def test_second_derivatives_agree_with_the_engine(function: Any, point: Any) -> None:
    found = check_gradients(function, point, methods=("central", "reference", "exact"), order=2)
    assert (found.verdict, found.order, found.proved) == ("pass", 2, True), str(found)
    assert found.methods["exact"].status == "ok"


def test_a_second_derivative_without_a_rule_is_unavailable_by_name() -> None:
    def values(x: Any) -> Any:
        return np.linalg.eigvalsh(x + x.T)

    found = check_gradients(
        values, np.array([[0.3, 0.4], [0.1, 2.0]]), methods=("central", "reference", "exact"), order=2
    )
    assert found.verdict == "pass"
    assert "eigh" in str(found.methods["exact"].reason)


# -- what it must not ----------------------------------------------------------------------------------


def test_a_tie_proves_nothing() -> None:
    def kinked(x: Any) -> Any:
        return torch.maximum(x, 2 * x)

    for slope in (1.0, 2.0, 3.0):
        found = check_gradients(
            by_hand(kinked, lambda x, slope=slope: slope * torch.ones_like(x)), double(0.0)
        )
        assert not found.proved
        assert found.verdict == ("pass" if slope < 3 else "fail"), str(found)
    named = check_gradients(np.abs, 0.0, methods=("central", "reference", "exact"))
    assert "a tie: absolute" in str(named.methods["exact"].reason)


def test_a_branch_of_python_code_that_turns_at_the_point_proves_nothing() -> None:
    def branch(x: Any) -> Any:
        return 2 * x if x > 0 else x * 1.0

    found = check_gradients(by_hand(branch, lambda x: 1.5 + 0 * x), double(0.0))
    assert not found.proved, str(found)


@pytest.mark.parametrize("point", [0.7, 30.0])
def test_code_that_leaves_the_recording_proves_nothing(point: float) -> None:
    def hidden(x: Any) -> Any:
        return x.tanh() * torch.tensor(x.detach().numpy().copy()).exp()

    right = by_hand(hidden, lambda x: (1 - x.tanh() ** 2 + x.tanh()) * x.exp())
    found = check_gradients(right, double(point))
    assert not found.proved, str(found)
    assert found.verdict != "fail", str(found)
    # What forgets the hidden factor is the derivative of the recording, and wrong.
    forgets = by_hand(hidden, lambda x: (1 - x.tanh() ** 2) * x.exp())
    assert check_gradients(forgets, double(point)).verdict != "pass"


def test_a_recording_that_function_values_contradict_accuses_nobody() -> None:
    """Values and the gradient agree on a different derivative from the recording has."""

    def quantised(x: Any) -> Any:
        return torch.round(x * 1e6) / 1e6 + 0 * x

    found = check_gradients(by_hand(quantised, lambda x: 1 + 0 * x), double(0.3333333))
    assert found.verdict != "fail", str(found)


def test_newtons_method_with_an_implicit_gradient_is_not_accused() -> None:
    def root(x: Any) -> Any:
        y = torch.ones_like(x)
        for _ in range(4):
            y = y - (y * y - x) / (2 * y)
        return y

    found = check_gradients(by_hand(root, lambda x: 0.5 / torch.sqrt(x)), double(3.0))
    assert found.verdict != "fail", str(found)


# -- where it is asked ---------------------------------------------------------------------------------


def test_a_check_that_passes_asks_for_no_proof_and_imports_nothing() -> None:
    code = (
        "import sys, numpy as np; from pytest_gradcheck import check_gradients;"
        "few = ['central', 'reference'];"
        "assert check_gradients(np.tanh, 0.3, methods=few); assert check_gradients(np.abs, 0.0, methods=few);"
        "assert 'reference_engine.balls' not in sys.modules and 'flint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_engine_does_not_import_flint() -> None:
    code = "import sys, reference_engine; assert 'flint' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_is_asked_always_where_it_is_named() -> None:
    found = check_gradients(lambda x: np.tanh(x) * x, np.array([0.3, -1.2]), methods=("central", "exact"))
    assert found.verdict == "pass"
    assert found.diagnosis.text == "central and exact agree"
    x = 0.3
    truth = (1 - np.tanh(x) ** 2) * x + np.tanh(x)
    assert found.methods["exact"].value[0, 0] == pytest.approx(truth, rel=1e-15)
    assert found.methods["exact"].uncertainty[0, 0] <= np.spacing(truth)
    assert found.proved


def test_it_convicts_a_gradient_where_it_is_named() -> None:
    found = check_gradients(
        np.sin, 0.3, gradient=lambda x: 1.01 * np.cos(x), methods=("central", "user", "exact")
    )
    assert (found.verdict, found.culprit) == ("fail", "user"), str(found)


def test_it_is_the_last_method_and_none_of_the_default_ones() -> None:
    assert METHOD_NAMES[-1] == "exact"
    assert "exact" not in DEFAULT_METHODS


def test_it_is_never_the_culprit() -> None:
    # Of this one the recording has the derivative 1 / (1 + x), and the values none.
    def f(x: Any) -> Any:
        return np.floor(x * 1e3) / 1e3

    found = check_gradients(f, 0.77777, gradient=lambda x: 1.0, methods=("central", "user", "exact"))
    assert found.culprit != "exact"


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("reference_engine.balls")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "flint", None)
    monkeypatch.setitem(sys.modules, "reference_engine.balls", None)
    named = check_gradients(np.sin, 0.3, methods=("central", "reference", "exact"))
    assert named.methods["exact"].status == "unavailable"
    assert "pip install 'pytest-gradcheck[exact]'" in str(named.methods["exact"].reason)
    doubt = check_gradients(quotient, double(-7e-16))
    assert doubt.verdict == "inconclusive"
    assert "pip install 'pytest-gradcheck[exact]'" in str(doubt)
    # Nothing is missing from a failure.
    failed = check_gradients(corrupt(torch.tanh, "percent"), double([0.3, 0.7]))
    assert failed.verdict == "fail"
    assert "exact" not in failed.methods


def test_a_method_that_was_left_out_is_not_asked() -> None:
    found = check_gradients(quotient, double(-7e-16), methods=("central", "forward", "reference", "torch"))
    assert "exact" not in found.methods


def test_a_surrogate_is_not_proven() -> None:
    found = check_gradients(
        by_hand(torch.sign, lambda x: 1.5 * (1 - torch.tanh(x) ** 2)), double(0.4), surrogate=torch.tanh
    )
    assert not found.proved


# -- what is written -----------------------------------------------------------------------------------


def test_the_report_has_the_digits_as_text() -> None:
    found = check_gradients(corrupt(torch.tanh, "percent"), double([0.3, 0.7]))
    data = json.loads(json.dumps(found.to_dict()))
    assert data["proved"] is True
    first = next(proof for proof in data["proofs"] if proof["index"] == [0])
    assert first["digits"].startswith("0.91513696182662920905")
    assert len(first["digits"].replace("0.", "")) == 25
    assert float(first["radius"]) < 1e-24
    shown = data["proofs"][0]
    assert f"proved:    d output{shown['output_index']} / d x{shown['index']} = {shown['digits']}" in str(
        found
    )
    schema = json.loads((Path(records.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))
    check = schema["$defs"]["check"]["properties"]["proofs"]
    jsonschema.validate(data["proofs"], {**check, "$defs": schema["$defs"]})


def test_the_entry_that_is_shown_is_the_one_that_is_proved() -> None:
    point = np.random.default_rng(1).normal(size=2000)
    found = check_gradients(lambda x: np.sum(np.sin(x)), point, gradient=lambda x: 0.5 * np.cos(x))
    assert found.worst is not None
    assert found.proofs[0].place == found.worst.place
    assert float(found.proofs[0].digits) == pytest.approx(found.worst.values["exact"], rel=1e-15)


def test_complex_numbers_are_proven_by_their_parts() -> None:
    def f(z: Any) -> Any:
        return np.exp(z) * np.conj(z)

    found = check_gradients(f, np.array([0.3 + 0.4j]), methods=("central", "exact"))
    assert found.verdict == "pass", str(found)


def test_what_recorded_nothing_cannot_be_enclosed() -> None:
    class Nothing:
        program = None

    with pytest.raises(Unavailable, match="no recording"):
        exact.prepare(Nothing())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_hides_no_tenth_from_a_proof(dtype: torch.dtype) -> None:
    x = torch.linspace(-1.5, 2, 8, dtype=torch.float64).to(dtype)
    off = corrupt(lambda x: x.softmax(0), lambda gradients: [1.1 * g for g in gradients])
    assert check_gradients(off, x).verdict != "pass"


def test_a_pass_is_settled_too_where_methods_name_it() -> None:
    # The rounding of log(1 + x) at 1e-7 moves the plain gradient by 1.2 %, and the values with it.
    def fn(x: Any) -> Any:
        return torch.log(1 + x) / x

    methods = ("central", "forward", "reference", "torch", "exact")
    result = check_gradients(fn, torch.tensor([1e-7], dtype=torch.float64), methods=methods)
    assert (result.verdict, result.diagnosis.code) == ("pass", "proved"), str(result)
    assert any("its own rounding" in each.reason for each in result.not_checked)
