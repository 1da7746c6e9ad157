"""Values, dtypes and protocols: a Tensor answers as the array would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reference_engine import Tensor, grad, index_put, vjp

pytestmark = pytest.mark.kernels

EPS = np.finfo(float).eps


@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0),
    operation=st.sampled_from([np.add, np.subtract, np.multiply, np.divide, np.hypot, np.maximum]),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_broadcasting(shapes, operation, data):
    x, y = (data.draw(hnp.arrays(float, shape, elements=st.floats(1, 9))) for shape in shapes.input_shapes)
    value, pullback = vjp(operation, x, y)
    assert np.shape(value) == shapes.result_shape
    into_x, into_y = pullback(np.ones(shapes.result_shape))
    assert np.shape(into_x) == x.shape
    assert np.shape(into_y) == y.shape
    if operation is np.add:
        np.testing.assert_array_equal(into_x, np.size(value) // max(x.size, 1) * np.ones_like(x))


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_indexing(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    index = data.draw(
        hnp.basic_indices(shape, allow_newaxis=True)
        | hnp.integer_array_indices(shape)
        | hnp.arrays(bool, shape)
    )
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    value, pullback = vjp(lambda t: t[index], x)
    np.testing.assert_array_equal(value, x[index])
    cotangent = np.arange(1.0, np.size(value) + 1).reshape(np.shape(value))
    expected = np.zeros(shape)
    np.add.at(expected, index, cotangent)
    np.testing.assert_array_equal(pullback(cotangent)[0], expected)
    written = index_put(x, index, 7.0)
    x[index] = 7.0
    np.testing.assert_array_equal(written, x)


def test_operators_in_both_orders():
    x, y = 7.5, 2.0
    t = Tensor(x)
    # Every kernel rounds these in the one way that IEEE 754 has for them, of numbers and of arrays alike.
    exact = (
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a // b,
        lambda a, b: a % b,
        lambda a, b: divmod(a, b)[1],
        lambda a, b: a < b,
        lambda a, b: a >= b,
        lambda a, b: a == b,
        lambda a, b: a != b,
        lambda a, b: a > b,
        lambda a, b: a <= b,
    )
    # A vector kernel's power may be off by four units in the last place, and so may the other side's.
    for operation, ulps in (*((operation, 0) for operation in exact), (lambda a, b: a**b, 8)):
        for other in (y, np.float64(y), np.array(y), np.array([y, x]), Tensor(y)):
            want = y if isinstance(other, Tensor) else other
            for a, b, c, d in ((t, other, x, want), (other, t, want, x)):
                np.testing.assert_allclose(operation(a, b).data, operation(c, d), rtol=ulps * EPS, atol=0)
                assert isinstance(operation(a, b), Tensor)
    assert (np.eye(2) @ Tensor(np.ones(2))).shape == (2,)
    assert (-t).item() == -x
    assert (+t).item() == x
    assert abs(-t).item() == x
    assert round(t).item() == 8
    with pytest.raises(TypeError):
        t + "a"


def test_methods_and_attributes():
    x = np.arange(6.0).reshape(2, 3)
    t = Tensor(x)
    assert (t.shape, t.ndim, t.size, t.dtype, t.itemsize, t.nbytes) == ((2, 3), 2, 6, np.dtype(float), 8, 48)
    assert t.T.shape == t.mT.shape == (3, 2)
    assert len(t) == 2
    assert [row.shape for row in t] == [(3,), (3,)]
    assert 3.0 in t
    for name, args in {
        "sum": (1,),
        "mean": (0,),
        "prod": (),
        "max": (1,),
        "min": (),
        "std": (),
        "var": (0,),
        "cumsum": (1,),
        "cumprod": (0,),
        "argmax": (1,),
        "argsort": (0,),
        "ravel": (),
        "flatten": (),
        "reshape": ((3, 2),),
        "trace": (),
        "diagonal": (),
        "repeat": (2, 1),
        "take": ([0, 1], 1),
        "clip": (1, 3),
        "round": (),
        "swapaxes": (0, 1),
        "conj": (),
        "transpose": ((1, 0),),
        "astype": (np.float32,),
        "copy": (),
        "nonzero": (),
        "any": (),
        "all": (),
        "dot": (x.T,),
        "squeeze": (),
        "compress": ([True, False], 0),
        "tolist": (),
    }.items():
        got, want = getattr(t, name)(*args), getattr(x, name)(*args)
        if isinstance(want, tuple | list):
            got, want = list(map(np.asarray, got)), list(want)
        else:
            assert got.dtype == np.asarray(want).dtype
        np.testing.assert_array_equal(np.asarray(got), np.asarray(want), err_msg=name)


def test_printing():
    t = Tensor(3.14159, requires_grad=True, label="pi")
    assert repr(t) == "Tensor(3.14159, requires_grad=True, label='pi')"
    assert f"{t:.2f}" == "3.14"
    assert f"{t}" == str(t) == "3.14159"
    assert repr(Tensor(np.ones(2, np.float32))) == "Tensor([1., 1.], dtype=float32)"


def test_array_namespace():
    def norm(x):
        xp = x.__array_namespace__(api_version="2024.12")
        return xp.sqrt(xp.sum(xp.astype(xp.asarray(x), xp.float64) ** 2))

    np.testing.assert_allclose(grad(norm)(np.array([3.0, 4.0])), [0.6, 0.8])


def test_ufunc_keywords_and_outer():
    x = np.array([1.0, 2.0])
    value, pullback = vjp(lambda t: np.add.outer(t, t), x)
    np.testing.assert_array_equal(value, np.add.outer(x, x))
    np.testing.assert_array_equal(pullback(np.ones((2, 2)))[0], [4.0, 4.0])
    assert np.add(Tensor(x, requires_grad=True), 1, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.logical_and.reduce(Tensor(x)).data, True)


def test_zero_derivative_functions_give_constants():
    t = Tensor([1.5, -0.2], requires_grad=True)
    for result in (
        np.floor(t),
        np.ceil(t),
        np.rint(t),
        np.trunc(t),
        np.round(t),
        np.fix(t),
        np.sign(t),
        np.argmax(t),
        np.argsort(t),
        np.isnan(t),
        t > 0,
        np.any(t),
        np.zeros_like(t),
        t // 1.0,
        np.signbit(t),
    ):
        assert isinstance(result, Tensor)
        assert not result.requires_grad
    assert np.shape(t) == (2,)
    assert np.ndim(t) == 1
    assert np.size(t) == 2
    assert np.result_type(t, np.float32) == np.float64
    assert np.allclose(t, t) is True


def test_values_depend_on_scipy_only_when_called(monkeypatch):
    import scipy.special

    assert grad(scipy.special.erf)(0.0) == pytest.approx(2 / np.sqrt(np.pi))
