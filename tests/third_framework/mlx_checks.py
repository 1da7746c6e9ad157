"""Checks of MLX functions; run in a process of its own, which finds the framework by its entry point."""

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings

from pytest_gradcheck import check_gradients, distinct
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.strategies import from_annotation


@mx.custom_function
def wrong(x):
    return x * x * x


@wrong.vjp
def wrong_vjp(primals, cotangent, output):
    return cotangent * 3.03 * primals * primals


def right(x):
    return x * x * x


def weighted(inputs):
    x, weights = inputs
    return {"sum": (x * weights).sum(), "count": 3}


@pytest.fixture(params=[mx.float64, mx.float32], ids=str)
def x(request):
    return mx.array([0.3, 0.7, -1.0], dtype=request.param)


@pytest.mark.parametrize("order", [1, 2])
def test_a_right_gradient_passes(x, order):
    result = check_gradients(right, x, order=order)

    assert result.verdict == "pass", str(result)
    assert result.methods["mlx"].status == "ok"


def test_a_wrong_gradient_is_caught_by_its_name(x):
    result = check_gradients(wrong, x)

    assert (result.verdict, result.culprit) == ("fail", "mlx"), str(result)
    assert "mlx" in result.diagnosis.text
    assert result.diagnosis.code == "constant-factor"


def test_containers_and_constants(x):
    result = check_gradients(weighted, [x, mx.array([1, 2, 3])])

    assert result.verdict == "pass", str(result)
    assert {n.what: n.reason for n in result.not_checked} == {
        "inputs[1]": "dtype int32 is not differentiable",
        "output['count']": "an int has no derivative",
    }


def test_numpy_arrays_beside_its_own_are_no_constants_unless_left_out(x):
    def scaled(x, scale):
        return x * float(scale[0])

    with pytest.raises(InvalidArgument, match="scale"):
        check_gradients(scaled, (x, np.array([2.0])))
    assert check_gradients(scaled, (x, np.array([2.0])), wrt=["x"]).verdict == "pass"


def test_every_call_draws_the_same_random_numbers(x):
    before = mx.random.state[0].tolist()
    result = check_gradients(lambda x: x * mx.random.uniform(shape=(3,)), x)

    assert result.verdict == "pass", str(result)
    assert mx.random.state[0].tolist() == before


@given(from_annotation(mx.array, "x"), distinct(3, dtype="float32", library="mlx"))
@settings(max_examples=20, deadline=None)
def test_its_arrays_are_drawn(x, y):
    assert (x.dtype, y.dtype) == (mx.float64, mx.float32)
    assert check_gradients(right, x).verdict == "pass"
