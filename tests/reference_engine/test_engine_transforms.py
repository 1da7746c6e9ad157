"""vjp, jvp, grad, jacobian, hessian: nesting, containers, complex numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from reference_engine import Tensor, grad, hessian, jacobian, jvp, no_grad, value_and_grad, vjp
from reference_engine.transforms import vjp_of_arrays

pytestmark = pytest.mark.kernels


@dataclass
class Layer:
    weight: object
    bias: object
    name: str = "layer"


def test_nested_containers_in_and_out():
    layer = Layer(np.array([[1.0, 2.0]]), np.float64(0.5))

    def f(layer, inputs):
        y = layer.weight @ inputs["x"] + layer.bias
        return {"y": y, "all": (np.sum(y), [y * 2.0]), "constant": 3}

    value, pullback = vjp(f, layer, {"x": np.array([1.0, 1.0]), "n": 7})
    assert value["all"][0] == 3.5
    assert value["constant"] == 3
    zeros = {"y": np.zeros(1), "all": (1.0, [np.zeros(1)]), "constant": 0}
    for _ in range(2):
        into_layer, into_inputs = pullback(zeros)
        assert into_layer.weight.tolist() == [[1.0, 1.0]]
        assert into_layer.bias == 1
        assert into_layer.name is None
        assert into_inputs["x"].tolist() == [1.0, 2.0]
        assert into_inputs["n"] is None


def test_no_perturbation_confusion():
    assert isinstance(grad(lambda x: x * grad(lambda y: np.sin(x) * np.sin(y))(1.0))(1.0), np.float64)
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6
    assert grad(lambda x: jvp(lambda y: x * y * y, (2.0,), (1.0,))[1])(5.0) == 4
    assert jvp(lambda x: jvp(lambda y: x * y, (x,), (x,))[1], (3.0,), (1.0,))[1] == 6


def test_orders_up_to_five():
    f = np.sin
    for order in range(1, 6):
        f = grad(f)
        assert f(0.7) == pytest.approx(np.sin(0.7 + order * np.pi / 2), abs=1e-14)


def test_hessian_and_jacobian():
    def rosenbrock(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = np.array([1.0, 2.0])
    np.testing.assert_allclose(hessian(rosenbrock)(x), [[402.0, -400.0], [-400.0, 200.0]])
    assert jacobian(lambda x: np.outer(x, x))(x).shape == (2, 2, 2)
    np.testing.assert_allclose(jacobian(lambda x, y: x * y, argnums=(0, 1))(2.0, x)[1], 2 * np.eye(2))
    assert jacobian(lambda x: x[:0])(x).shape == (0, 2)
    nested = jacobian(lambda d: {"s": d["a"] ** 2})({"a": x})
    np.testing.assert_allclose(nested["s"]["a"], np.diag(2 * x))


def test_hessian_vector_product():
    x, v = np.array([0.3, -1.2, 0.8]), np.array([1.0, 2.0, -1.0])

    def f(x):
        return np.sum(np.exp(x) * x[::-1])

    _, product = jvp(grad(f), (x,), (v,))
    np.testing.assert_allclose(product, hessian(f)(x) @ v)


def test_complex_convention_is_torch_s():
    torch = pytest.importorskip("torch")
    z = np.array([1.0 + 2.0j, -0.5 + 0.3j])
    for name in ("sin", "exp", "log", "sqrt", "abs", "conj", "angle", "square", "tanh", "sgn"):
        function = getattr(np, {"sgn": "sign"}.get(name, name))
        mine = grad(lambda z, f=function: np.sum(np.abs(f(z) + 1.0) ** 2))(z)
        t = torch.tensor(z, requires_grad=True)
        (torch.abs(getattr(torch, name)(t) + 1.0) ** 2).sum().backward()
        np.testing.assert_allclose(mine, t.grad.resolve_conj().numpy(), rtol=1e-12, err_msg=name)


def test_jacobian_of_a_holomorphic_function_is_its_derivative():
    z = np.array([0.3 + 0.4j])
    np.testing.assert_allclose(jacobian(np.sin)(z)[0], np.cos(z))


def test_dtypes_stay():
    for dtype in (np.float16, np.float32, np.float64, np.complex64):
        x = np.array([0.5, 1.5], dtype)
        value, pullback = vjp(lambda x: np.sum(np.sin(x) * x**2 / 3 + np.where(x.real > 1, x, 2.0)), x)
        assert value.dtype == dtype
        assert pullback(np.ones((), dtype))[0].dtype == dtype


def test_mixed_dtypes_are_cast_back():
    x, z = np.float32(2.0), np.array(1.0 + 1.0j)
    into_x, into_z = vjp(lambda x, z: x * z, x, z)[1](np.array(1.0 - 2.0j))
    assert into_x.dtype == np.float32
    assert into_x == np.real(np.conj(z) * (1 - 2j))
    assert into_z == 2 * (1 - 2j)


def test_results_are_tensors_only_while_something_else_is_traced():
    x = Tensor(2.0, requires_grad=True)
    y = grad(lambda t: x * t**2)(3.0)
    assert isinstance(y, Tensor)
    y.backward()
    assert x.grad == 6
    assert isinstance(grad(np.sin)(3.0), np.float64)
    assert isinstance(value_and_grad(np.sin)(Tensor(3.0))[0], np.float64)


def test_result_that_does_not_depend_on_the_argument():
    assert grad(lambda x: 3.0)(1.0) == 0
    assert grad(lambda x: np.floor(x))(1.5) == 0
    assert jvp(lambda x: (x, 3.0), (1.0,), (2.0,))[1] == (2.0, 0.0)


def test_no_grad_and_detach_make_constants():
    def f(x):
        with no_grad():
            y = x * x
        return y * x + x.detach() * x

    assert grad(f)(3.0) == 9 + 3
    with no_grad():
        assert grad(lambda x: x * x)(3.0) == 6


def test_pullback_with_a_traced_cotangent_is_differentiable():
    _, pullback = vjp(np.sin, 0.5)
    assert grad(lambda c: pullback(c)[0] * 2.0)(1.0) == pytest.approx(2 * np.cos(0.5))


def test_value_and_gradient_stay_connected_to_a_tensor_from_outside():
    w = Tensor([2.0, 3.0], requires_grad=True)
    value, gradient = value_and_grad(lambda x: np.sum(w * w * x))(np.array([1.0, 10.0]))
    assert isinstance(value, Tensor)
    (value + np.sum(gradient)).backward()
    assert w.grad.tolist() == [4.0 + 4.0, 60.0 + 6.0]
    value, _ = vjp(lambda x: w * x, 1.0)
    np.sum(value * value).backward()
    assert isinstance(value, Tensor)
    constant = Tensor([2.0, 3.0])
    assert isinstance(vjp(lambda x: constant * x, 1.0)[0], np.ndarray)


def test_arrays_in_and_out_without_nesting():
    def f(x, y):
        x *= 2
        return [np.sum(x * y), x[::-1], 3.0]

    x, y, k = np.array([1.0, 2.0]), np.array([3.0, 4.0]), Tensor(1.0, requires_grad=True)
    cotangents = [np.array(1.0), np.array([10.0, 20.0]), np.array(5.0)]
    values, pullback = vjp_of_arrays(lambda x, y: f(k * x, y), [x, y])
    wanted, pull = vjp(lambda x, y: f(x * 1, y), x, y)
    assert not any(isinstance(value, Tensor) for value in values)
    assert [np.asarray(value).tolist() for value in values] == [np.asarray(w).tolist() for w in wanted]
    for _ in range(2):
        for got, right in zip(pullback(cotangents), pull(cotangents), strict=True):
            assert type(got) is np.ndarray
            assert got.tolist() == right.tolist()
    assert x.tolist() == [1.0, 2.0]
    _, pullback = vjp_of_arrays(lambda x, y: [np.sin(x)], [x, y])
    assert pullback([np.ones(2)])[1].tolist() == [0.0, 0.0]
    with pytest.raises(TypeError, match="the result of f must be numbers"):
        vjp_of_arrays(lambda x: ["no"], [x])
