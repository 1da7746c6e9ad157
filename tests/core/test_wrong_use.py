"""Every wrong use names the argument, what was got, and what would be right."""

import math
import re
import sys

import numpy as np
import pytest
import torch

from pytest_gradcheck import InvalidArgument, check_gradients


def square(x):
    return x * x


@pytest.mark.parametrize(
    ("options", "argument", "remedy"),
    [
        ({"methods": ("centrall",)}, "methods", "did you mean 'central'"),
        ({"methods": "central"}, "methods", "tuple of method names"),
        ({"methods": ()}, "methods", "name some of"),
        ({"methods": ("user", "central")}, "methods", "gradient="),
        ({"rtol": math.nan}, "rtol", "finite number"),
        ({"atol": -1.0}, "atol", "zero or more"),
        ({"rtol": "1e-3"}, "rtol", "finite number"),
        ({"sensitivity": 0.0}, "sensitivity", "between 0 and 1"),
        ({"order": 3}, "order", "gradient of the gradient"),
        ({"mode": "fast"}, "mode", "directional"),
        ({"step": 0.0}, "step", "above zero"),
        ({"seed": -1}, "seed", "whole number"),
        ({"name": 3}, "name", "string"),
        ({"gradient": 3}, "gradient", "function of the inputs"),
        ({"gradient": False}, "gradient", "or True if the function under check returns"),
        ({"jacobian": True}, "jacobian", "function of the inputs"),
        ({"jvp": 3}, "jvp", "and their tangents"),
        ({"hessian": 3}, "hessian", "function of the inputs"),
        ({"hvp": "f"}, "hvp", "and their tangents"),
        ({"wrt": "y"}, "wrt", "name one of x"),
        ({"wrt": 1}, "wrt", "position"),
        ({"domain": {"y": (0, 1)}}, "domain", "name one of x"),
        ({"domain": 3}, "domain", "pair"),
        ({"domain": (3, 4)}, "domain", "inside"),
    ],
)
def test_options(options, argument, remedy):
    with pytest.raises(InvalidArgument, match=remedy) as caught:
        check_gradients(square, 2.0, **options)
    assert caught.value.argument == argument
    assert str(caught.value).startswith(f"{argument}: got ")


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (3, "x .an int is not differentiable"),
        (np.arange(3), "int64 is not differentiable"),
        ("abc", "a str is not differentiable"),
        (torch.arange(3), "int64 is not differentiable"),
        (np.zeros((0, 3)), "only empty arrays"),
    ],
)
def test_inputs_without_anything_to_differentiate_by(inputs, found):
    with pytest.raises(InvalidArgument, match=found) as caught:
        check_gradients(lambda x: x, inputs)
    assert caught.value.argument == "inputs"


@pytest.mark.parametrize("result", [None, 3, "text", np.arange(3), (None, True), [], {}])
def test_a_function_without_differentiable_output(result):
    with pytest.raises(InvalidArgument, match="returns a float or a floating array"):
        check_gradients(lambda x: result, 2.0)


@pytest.mark.parametrize("inputs", [np.ones(3), 2.0])
def test_torch_functions_want_tensors(inputs):
    with pytest.raises(InvalidArgument, match=r"draw tensors\(\.\.\.\)"):
        check_gradients(lambda x: torch.sin(x), inputs)


def test_arguments_that_do_not_fit():
    with pytest.raises(InvalidArgument, match="by position"):
        check_gradients(lambda a, b: a * b, 2.0)
    with pytest.raises(InvalidArgument, match="name fn's arguments"):
        check_gradients(square, {3: 2.0})
    with pytest.raises(InvalidArgument, match="fn: got"):
        check_gradients(3, 2.0)
    with pytest.raises(InvalidArgument, match="inputs: got none"):
        check_gradients(square, ())


def test_an_error_inside_of_the_function_stays_its_own():
    def fn(x):
        return x + "a"

    with pytest.raises(TypeError, match="unsupported operand"):
        check_gradients(fn, 2.0)


def test_torch_demanded_where_there_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(InvalidArgument, match=r"pytest-gradcheck\[torch\]"):
        check_gradients(square, 2.0, methods=("central", "torch"))
    result = check_gradients(square, 2.0)
    assert result.verdict == "pass"
    assert "not installed" in result.methods["torch"].reason


# -- hand-written gradients ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gradient", "text"),
    [
        (lambda a, b: (b, a[0]), "shape () for b; the right shape is (2,)"),
        (lambda a, b: b, "return one array per input: a, b"),
        (lambda a, b: (b,), "got 1 values"),
        (lambda a, b: (b, None), "got None for b"),
        (lambda a, b: (b, a + 0j), "got complex128 for b, which is real; return the real part"),
    ],
)
def test_a_gradient_of_the_wrong_form(gradient, text):
    with pytest.raises(InvalidArgument) as caught:
        check_gradients(lambda a, b: (a * b).sum(), (np.ones(2), np.ones(2)), gradient=gradient)
    assert text in str(caught.value)
    assert caught.value.argument == "gradient"


def test_a_gradient_of_a_vector_is_a_jacobian_or_a_vjp():
    x = np.array([1.0, 2.0])

    assert check_gradients(np.sin, x, gradient=lambda x: np.diag(np.cos(x))).verdict == "pass"
    assert check_gradients(np.sin, x, vjp=lambda x, cotangent: cotangent * np.cos(x)).verdict == "pass"
    assert check_gradients(np.sin, x, gradient=lambda x, cotangent: cotangent * np.cos(x)).verdict == "pass"
    assert check_gradients(np.sin, x, vjp=lambda x, g: g * np.cos(x)).verdict == "pass"
    with pytest.raises(InvalidArgument, match="shape"):
        check_gradients(np.sin, x, gradient=lambda x: np.cos(x))
    with pytest.raises(InvalidArgument, match="vjp"):
        check_gradients(lambda x: (x, x), x, gradient=lambda x: np.eye(2))


def test_a_vjp_of_several_outputs_gets_cotangents_in_their_structure():
    def vjp(x, cotangent):
        return cotangent["s"] * np.cos(x) - cotangent["c"] * np.sin(x)

    result = check_gradients(lambda x: {"s": np.sin(x), "c": np.cos(x)}, np.array([0.3, 0.7]), vjp=vjp)

    assert result.verdict == "pass", str(result)


def test_gradients_by_name_and_of_nested_inputs():
    def fn(params, x):
        return params["w"] @ x + params["b"]

    def gradient(params, x):
        return {"params": {"w": x, "b": 1.0}, "x": params["w"]}

    inputs = {"params": {"w": np.array([1.0, 2.0]), "b": 0.5}, "x": np.array([3.0, 4.0])}
    assert check_gradients(fn, inputs, gradient=gradient).verdict == "pass"


def test_a_gradient_that_raises_is_an_error_of_that_method():
    def gradient(x):
        raise ZeroDivisionError("oops")

    result = check_gradients(square, 2.0, gradient=gradient)

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", "backward-raised")


def test_torch_gradients_by_hand():
    x = torch.tensor([1.0, 2.0])

    assert check_gradients(lambda x: (x**3).sum(), x, gradient=lambda x: 3 * x**2).verdict == "pass"
    result = check_gradients(lambda x: (x**3).sum(), x, gradient=lambda x: 2 * x**2)
    assert (result.verdict, result.culprit) == ("fail", "user")


def flat(x):
    return x.view(-1).sin() if isinstance(x, torch.Tensor) else flat_in_place(x)


def flat_in_place(x):
    x.shape = (x.size,)
    return np.sin(x)


@pytest.mark.parametrize(
    ("x", "strides"),
    [
        (torch.ones(3, 2, dtype=torch.float64).mT, r"\(1, 2\)"),
        (torch.ones(1, 3, dtype=torch.float64).expand(2, 3), r"\(0, 1\)"),
        (np.ones((3, 4))[:, ::-2], r"\(4, -2\)"),
    ],
)
def test_a_function_that_takes_contiguous_inputs_alone_raises_with_a_note(x, strides):
    with pytest.raises((RuntimeError, AttributeError)) as caught:
        check_gradients(flat, x)

    (note,) = caught.value.__notes__
    assert re.search(rf'contiguous copies of x \(strides {strides}\).*layout="contiguous"', note)
    assert caught.value.__context__ is None


def test_a_function_that_raises_for_contiguous_inputs_too_has_no_note():
    for x in (torch.ones(3, 2, dtype=torch.float64).mT, torch.ones(2, 3, dtype=torch.float64)):
        with pytest.raises(RuntimeError) as caught:
            check_gradients(lambda x: x.view(5), x)
        assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    ("function", "x", "note"),
    [
        (lambda x: x.tanh(), np.ones(2), "NumPy arrays have no tanh: for x.tanh write np.tanh(x)"),
        (lambda x: x.detach(), 1.0, "numbers have no detach: for x.detach write x itself"),
    ],
)
def test_a_method_of_tensors_on_an_array_raises_with_what_numpy_calls_it(function, x, note):
    with pytest.raises(AttributeError) as caught:
        check_gradients(function, x)
    assert any(note in each for each in caught.value.__notes__)


@pytest.mark.parametrize("x", [np.ones(2), torch.ones(2, dtype=torch.float64)])
def test_an_attribute_that_is_missing_otherwise_has_no_note(x):
    with pytest.raises(AttributeError) as caught:
        check_gradients(lambda x: x.colour, x)
    assert not getattr(caught.value, "__notes__", ())
