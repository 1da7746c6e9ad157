"""``surrogate=`` in the marker and in the fixtures."""

from __future__ import annotations

from typing import Any

import pytest
from inner import WORKERS

SOURCE = """
torch = pytest.importorskip("torch")
from pytest_gradcheck import tensors

def fast(u):
    return u / (1 + 25 * u.abs())

def steeper(u, steepness):
    return u / (1 + steepness * u.abs())

class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, steepness):
        ctx.save_for_backward(u)
        ctx.steepness = steepness
        return (u > 0).to(u.dtype)

    @staticmethod
    def backward(ctx, g):
        return g / (ctx.steepness * ctx.saved_tensors[0].abs() + 1) ** 2, None

POTENTIALS = tensors(3, min_value=-2, max_value=2)

@pytest.mark.gradcheck(u=POTENTIALS, surrogate=fast)
def test_right(u):
    return Spike.apply(u, 25)

@pytest.mark.gradcheck(u=tensors(2, min_value=1, max_value=2), surrogate=fast)
def test_it_always_fires(u):
    return Spike.apply(u, 25)

@pytest.mark.gradcheck(u=POTENTIALS, surrogate=fast)
def test_wrong(u):
    return Spike.apply(u, 20)

@pytest.mark.gradcheck(u=POTENTIALS)
def test_unexpected(u):
    return Spike.apply(u, 25)

@pytest.mark.parametrize("steepness", [10, 25])
@pytest.mark.gradcheck(u=POTENTIALS, surrogate=steeper)
def test_constants(u, steepness):
    return Spike.apply(u, steepness)

@pytest.mark.gradcheck(surrogate=fast)
@given(u=POTENTIALS)
def test_given(u):
    return Spike.apply(u, 25)

def test_fixture(gradcheck):
    result = gradcheck(lambda u: Spike.apply(u, 25), torch.ones(3), surrogate=fast)
    assert result.methods["reference"].status == "ok"

def test_both_orders(gradgradcheck):
    gradgradcheck(lambda u: Spike.apply(u, 25), torch.ones(3).double(), surrogate=fast)
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_wherever_options_are_given(project: Any, workers: int) -> None:
    pytest.importorskip("torch")
    project.write(test_it=SOURCE)
    flags = ("--gradcheck-methods=central,reference,torch", "--gradcheck-report=report.json")
    result = project.run(*flags, workers=workers)
    result.assert_outcomes(passed=7, failed=2)
    checks = {c["nodeid"].partition("::")[2]: c for c in project.report()["checks"]}
    assert all(
        "surrogate" in str(c["not_checked"]) for name, c in checks.items() if name != "test_unexpected"
    )
    assert (checks["test_wrong"]["culprit"], checks["test_unexpected"]["culprit"]) == ("torch", "torch")
    assert "surrogate=fast" in checks["test_wrong"]["reproduce"]
    result.stdout.fnmatch_lines(["*flat between steps in u: *spiking neuron), pass that function*"])


@pytest.mark.parametrize("workers", WORKERS)
def test_a_surrogate_that_does_not_fit_is_an_error_of_collection(project: Any, workers: int) -> None:
    project.write(
        test_number="""
        @pytest.mark.gradcheck(x=vectors, gradient=right, surrogate=3)
        def test_a(x):
            return x @ x
        """,
        test_too_many="""
        @pytest.mark.gradcheck(x=vectors, gradient=right, surrogate=lambda x, y: x @ y)
        def test_a(x):
            return x @ x
        """,
        test_stops="""
        @pytest.mark.gradcheck(x=vectors, surrogate=lambda x: x @ x, stop_gradients="intended")
        def test_a(x):
            return x @ x
        """,
    )
    result = project.run(workers=workers)
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "*test_a: surrogate: got 3; give a function of the same inputs whose derivative the gradient is*",
            "*test_a: surrogate: got <lambda>(x, y), but it is called with (x): *missing*'y'*; accept "
            "them by *",
            "*test_a: stop_gradients: got 'intended' with a surrogate; leave one of the two out: a surr*",
        ]
    )


def test_a_surrogate_that_does_not_fit_the_outputs_is_an_error_of_the_test(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=vectors, gradient=right, surrogate=lambda x: x * x)
        def test_a(x):
            return x @ x
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*surrogate: got <lambda>, which returns one output of shape (*) where *"])
