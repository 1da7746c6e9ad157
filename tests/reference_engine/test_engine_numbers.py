"""Values of shape (): kept as NumPy scalars, and the same as arrays of shape () in all that can be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reference_engine import Tensor, grad, name_scope, no_grad, operators

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_arithmetic_on_numbers_keeps_their_dtype(dtype: Any) -> None:
    x = Tensor(np.array(2, dtype), requires_grad=True)
    y = (2 * x + 1) ** 2 / x - x
    assert y.data.dtype == dtype
    assert isinstance(y.data, np.ndarray)
    y.backward(np.ones((), dtype))
    assert x.grad.dtype == dtype
    assert x.grad == 3 - 1 / 4


def test_the_value_of_a_number_cannot_be_written_to() -> None:
    x = Tensor(1.5) * 2
    assert x.data.shape == ()
    assert not x.data.flags.writeable


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power"])
@pytest.mark.parametrize("sequence", [[1.0, 2.0, 3.0], (1.0, 2.0, 3.0)])
@pytest.mark.parametrize("number", [2, 2.0])
def test_a_sequence_is_an_array_and_not_repeated(name: str, sequence: Any, number: Any) -> None:
    for x in (Tensor(number), Tensor(float(number), requires_grad=True)):
        expected = getattr(np, name)(np.array(sequence), number)
        assert np.array_equal(getattr(operators, name)(sequence, x).data, expected)
        expected = getattr(np, name)(number, np.array(sequence))
        assert np.array_equal(getattr(operators, name)(x, sequence).data, expected)


def test_a_write_through_a_view_of_a_number_is_seen() -> None:
    leaf = Tensor(3.0, requires_grad=True)
    number = leaf * 2
    view = number.reshape(1)
    view[0] = leaf * 5
    assert number.data == 15
    number.backward()
    assert leaf.grad == 5


def test_a_part_of_shape_unit_is_written_through() -> None:
    leaf = Tensor([1.0, 2.0], requires_grad=True)
    whole = leaf * 2
    part = whole[0, ...]
    part[...] = leaf[1]
    assert np.array_equal(whole.data, [2.0, 4.0])
    whole.sum().backward()
    assert np.array_equal(leaf.grad, [0.0, 3.0])


def test_a_number_and_an_array_of_its_shape_add_up() -> None:
    # One use gives a NumPy scalar as its share, the other an array of shape ().
    x = Tensor(2.0, requires_grad=True)
    (x * 3 + x.reshape(1).sum() + x.reshape(()) * x).backward()
    assert x.grad == 3 + 1 + 4


def test_an_infinite_cotangent_of_a_maximum_stays_where_it_belongs() -> None:
    # 0 * inf would be nan everywhere else.
    slope = grad(lambda x: np.sqrt(np.max(x) - 3.0))
    with np.errstate(divide="ignore"):
        assert np.array_equal(slope(np.array([1.0, 3.0, 2.0])), [0.0, np.inf, 0.0])


def test_contexts_as_decorators_hold_where_the_function_is_called() -> None:
    @name_scope("inner")
    def square(x: Tensor) -> Tensor:
        return x * x

    @no_grad()
    def constant(x: Tensor) -> Tensor:
        return x * x

    x = Tensor(2.0, requires_grad=True)
    with name_scope("outer"):
        assert square(x)._node.scope == "outer/inner"
    assert square(x)._node.scope == "inner"
    assert not constant(x).requires_grad
    assert square(x).requires_grad
