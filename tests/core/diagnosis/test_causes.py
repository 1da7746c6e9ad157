"""Every kind of mistake in a backward gets its own code, and what merely looks like one does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from docs.diagnoses_page.faults import (
    BY_HAND,
    CAUSES,
    RAISES,
    SECOND,
    SQUARE,
    VALUES,
    X,
    changed,
    square,
    wrong,
)
from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.diagnosis.causes import lost_precision, of_error
from pytest_gradcheck.frameworks.registry import named

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("fault", [*VALUES, *CAUSES, *RAISES, *SECOND, *BY_HAND], ids=lambda f: f.what)
def test_a_fault_has_its_diagnosis(fault):
    result = check_gradients(fault.function, fault.inputs, order=fault.order, **fault.by_hand)
    found = (result.verdict, result.culprit, result.order, result.diagnosis.code)
    assert found == ("fail", fault.culprit, fault.order, fault.code), str(result)
    assert len(result.diagnosis.text) > len(result.diagnosis.code)


def text_of(function, x=X):
    return check_gradients(function, x).diagnosis.text


def test_the_sentence_says_where():
    row = torch.tensor([[0.0], [1.0]]).double()
    assert "x[1, :]" in text_of(wrong(square, lambda g, x: 2 * g * x + row * g * x.cos()))
    column = torch.tensor([0.0, 0.0, 1.0]).double()
    assert "x[:, 2]" in text_of(wrong(square, lambda g, x: 2 * g * x + column * g * x.cos()))
    assert "x[1, 0]" in text_of(wrong(square, lambda g, x: changed(2 * g * x, (1, 0), 1.234)))


def test_the_sentence_says_whether_all_is_wrong_or_some():
    def turned(x):
        return torch.stack([x[0] * 0.6 - x[1] * 0.8, x[0] * 0.8 + x[1] * 0.6])

    turn = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    assert "wrong sign in some entries" in text_of(wrong(turned, lambda g, x: turned(g)))
    assert "in some" not in text_of(wrong(turned, lambda g, x: -turned(g * turn) * turn))
    half = wrong(torch.abs, lambda g, x: g * x.sign() * torch.where(x.abs() > 1, 0.5, 1.0))
    assert "half the correct one in some entries" in text_of(half)
    assert text_of(wrong(square, lambda g, x: 3 * g * x)).endswith("1.5 times the correct one")


def test_a_conjugate_is_named_whatever_the_outputs():
    z = torch.tensor([0.3 + 0.7j, -1.2 + 0.2j], dtype=torch.complex128)
    for forward, backward in (
        (lambda z: (z.abs() ** 2).sum(), lambda g, z: 2 * g * z.conj()),
        (lambda z: z**3, lambda g, z: 3 * g * z**2),
    ):
        result = check_gradients(wrong(forward, backward), z)
        assert result.diagnosis.code == "conjugate", str(result)
    real = check_gradients(wrong(lambda z: z * 2, lambda g, z: -2 * g), z)
    assert real.diagnosis.code == "sign", str(real)


def test_the_sentence_names_the_term_and_the_axis():
    product = wrong(lambda x: x * x.sin(), lambda g, x: g * x * x.cos())
    assert "goes through multiply" in text_of(product)
    summed = wrong(lambda x, b: x * b, lambda g, x, b: (g * b, (g * x)[:, :1]))
    text = text_of(summed, (X, X[:, :1] + 1))
    assert "first entry of axis 1" in text


def test_special_values_are_named():
    for words, x in (("zero", [0.0, 0.4]), ("negative", [-0.3, 0.4]), ("equal to others", [0.4, 0.4])):
        point = torch.tensor(x, dtype=torch.float64)

        def backward(g, x, words=words):
            special = {"zero": x == 0, "negative": x < 0, "equal to others": x == x.flip(0)}[words]
            return 2 * g * x + g * special

        result = check_gradients(wrong(square, backward), point)
        assert result.diagnosis.code == "special-values", str(result)
        assert f"right where no input is {words}" in result.diagnosis.text


@pytest.mark.parametrize("x", [X, X * 0, X.abs(), torch.ones_like(X)])
def test_what_is_wrong_everywhere_is_not_wrong_at_special_values(x):
    result = check_gradients(wrong(lambda x: x.sin() + x, lambda g, x: -g * (x.cos() + 1)), x)
    assert result.diagnosis.code == "sign", str(result)


@pytest.mark.parametrize("error", [1e-2, 1e-4, 1e-5])
def test_a_small_entry_that_is_wrong_everywhere_is_not_wrong_at_special_values(error):
    """Along a line it would not be seen; and of 1e-5 of it nothing but the exact methods sees anything."""
    small = np.array([1.0, 1e-4])
    result = check_gradients(
        lambda x: np.sum(small * x * x), np.ones(2), gradient=lambda x: 2 * small * x * [1, 1 + error]
    )
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", "one-entry"), str(
        result
    )


def test_a_factor_that_nobody_writes_is_explained_where_a_missing_term_does():
    x = torch.full((3,), 0.7, dtype=torch.float64)
    swish = wrong(lambda x: x * torch.sigmoid(x), lambda g, x: g * torch.sigmoid(x))
    assert check_gradients(swish, x).diagnosis.code == "missing-term"
    odd = wrong(square, lambda g, x: 2.2 * g * x)
    assert check_gradients(odd, x).diagnosis.code == "constant-factor"
    half = wrong(square, lambda g, x: g * x)
    assert check_gradients(half, x).diagnosis.code == "constant-factor"


def test_right_gradients_that_fit_into_a_coarser_dtype_lose_nothing():
    whole = torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64)
    result = check_gradients(wrong(square, lambda g, x: 4 * g * x), whole)
    assert result.diagnosis.code == "constant-factor", str(result)
    values = np.array([[0.5, 2.0]])
    assert lost_precision(values, values + 1, values > 0, "torch", 2.0**-52) is None


def test_a_mean_that_is_not_divided_was_not_computed_in_integers():
    segments = torch.tensor([0, 2, 2, 1, 0, 2])
    count = torch.bincount(segments).double()

    def means(x):
        return torch.zeros(3, dtype=x.dtype).index_add(0, segments, x) / count

    result = check_gradients(wrong(means, lambda g, x: g[segments]), torch.arange(6.0).double())
    assert result.verdict == "fail"
    assert "integers" not in str(result)


def test_powers_that_agree_at_one_are_not_right_where_no_input_is_negative():
    result = check_gradients(
        wrong(square, lambda g, x: 2 * g * x**2), torch.tensor([-1.0, 0.0, 1.0]).double()
    )
    assert result.verdict == "fail"
    assert result.diagnosis.code != "special-values", str(result)


def test_a_difference_of_large_numbers_is_not_called_a_dtype():
    sums = wrong(torch.sin, lambda g, x: g * ((x.cos() + 1e6) - 1e6))
    text = text_of(sums, X.float())
    assert "in float64 it is right" in text
    assert "float16" not in text


def test_integers_and_narrow_dtypes_are_told_apart():
    right = np.array([[0.1234567, 2.7182818, -3.1415926]])
    every = np.ones_like(right, dtype=bool)

    def said(wrong):
        found = lost_precision(wrong, right, every, "torch", 2.0**-52)
        return found and found.text

    assert "to float32" in said(right.astype(np.float32))
    assert "to float16" in said(right.astype(np.float16))
    assert "to bfloat16" in said(torch.from_numpy(right).bfloat16().double().numpy())
    assert "to integers" in said(np.trunc(right))
    assert said(right * 1.01) is None
    assert lost_precision(right.astype(np.float32), right, every, "torch", 2.0**-23) is None


def test_an_error_that_nobody_knows_keeps_its_words():
    found = of_error("torch", "ValueError: no such luck", named("torch"))
    assert (found.code, found.text) == ("backward-raised", "torch raised ValueError: no such luck")


def test_a_matrix_function_without_a_mistake_of_the_catalogue_is_not_given_one():
    result = check_gradients(wrong(torch.linalg.inv, lambda g, x: g.T @ x), SQUARE)
    assert result.diagnosis.code == "wrong-values", str(result)
