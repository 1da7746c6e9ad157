"""A jvp of many inputs is compared along random lines, and a wrong input is found by halves."""

import numpy as np
import pytest

from pytest_gradcheck import check_gradients

SIZE, WRONG = 2000, 1234
X = np.random.default_rng(0).normal(size=SIZE)


def fn(x):
    return np.sin(x) * np.roll(x, 1)


def opaque(x):
    return np.asarray(fn(np.array(x.tolist())))


def jvp(x, v):
    return np.cos(x) * v * np.roll(x, 1) + np.sin(x) * np.roll(v, 1)


class Counted:
    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, x, v):
        self.calls += 1
        return self.function(x, v)


def one_wrong(x, v):
    scaled = v.copy()
    scaled[WRONG] *= 1.5
    return jvp(x, scaled)


@pytest.mark.parametrize("function", [fn, opaque], ids=["recorded", "opaque"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_right_one_takes_few_calls(function, dtype):
    counted = Counted(jvp)
    result = check_gradients(function, X.astype(dtype), jvp=counted)

    assert (result.verdict, result.mode) == ("pass", "directional"), str(result)
    assert result.diagnosis.text.startswith("jvp: ")
    assert counted.calls <= 10
    assert any("single columns" in one.what for one in result.not_checked)


@pytest.mark.parametrize("function", [fn, opaque], ids=["recorded", "opaque"])
def test_one_wrong_input_is_named(function):
    counted = Counted(one_wrong)
    result = check_gradients(function, X, jvp=counted)

    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)
    assert (result.worst.place.input, result.worst.place.index) == ("x", (WRONG,))
    assert result.diagnosis.text == f"jvp: the jvp is wrong in one entry at x[{WRONG}]"
    assert counted.calls <= 100


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda x, v: 2 * jvp(x, v), "constant-factor"),
        (lambda x, v: -jvp(x, v), "sign"),
        (lambda x, v: jvp(x, np.abs(v)), None),
        (lambda x, v: np.zeros(SIZE), "zero-gradient"),
    ],
)
def test_what_is_wrong_everywhere(wrong, code):
    result = check_gradients(fn, X, jvp=wrong)

    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)
    assert result.diagnosis.text.startswith("jvp: the ")
    assert code in (None, result.diagnosis.code)


def test_one_that_raises():
    result = check_gradients(fn, X, jvp=lambda x, v: 1 / 0)
    assert (result.culprit, result.diagnosis.code) == ("user", "backward-raised")


def test_next_to_another_form():
    def vjp(x, cotangent):
        return np.cos(x) * np.roll(x, 1) * cotangent + np.roll(np.sin(x) * cotangent, -1)

    assert check_gradients(fn, X, vjp=vjp, jvp=jvp)
    assert check_gradients(fn, X, vjp=vjp, jvp=one_wrong).diagnosis.text.startswith("jvp: ")
    assert check_gradients(fn, X, vjp=lambda x, u: 2 * vjp(x, u), jvp=jvp).diagnosis.text.startswith("vjp: ")


def test_within_bounds():
    lowest = []

    def root(x):
        lowest.append(np.min(x))
        return np.sqrt(x)

    x = np.linspace(0.5, 2.0, 200)
    assert check_gradients(root, x, jvp=lambda x, v: 0.5 * v / np.sqrt(x), domain=(0.4, 2.1))
    assert min(lowest) >= 0.4


def test_next_to_a_hessian():
    def energy(x):
        return np.sum(x**4)

    right = {"jvp": lambda x, v: 4 * x**3 @ v, "hvp": lambda x, v: 12 * x**2 * v}
    assert check_gradients(energy, X, **right)
    wrong = check_gradients(energy, X, **right | {"hvp": lambda x, v: 6 * x**2 * v})
    assert wrong.diagnosis.text == "hvp: the hvp is half the correct one"
