"""Enclosed derivatives: against closed forms, against the engine on all its samples, and at ties."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from engine_samples import SAMPLES, name_of
from engine_samples_scipy import LINALG
from engine_samples_scipy import SPECIAL as SCIPY_SPECIAL
from engine_special import KNOWN, ufunc
from flint import arb, ctx, fmpq
from hypothesis import given
from hypothesis import strategies as st

import reference_engine as engine
from docs.proofs_page.rows import numbers_of
from reference_engine.balls import Enclosure, Jet, NotProvenError, TiedError, enclose, rule_of
from reference_engine.balls.numbers import nearest, precision
from reference_engine.balls.rules.special import NUMBERS_OF_SCIPY
from reference_engine.containers import flatten
from reference_engine.definitions import PRIMITIVES
from reference_engine.rules.special import SPECIAL
from reference_engine.transforms import vjp_of_arrays


def enclosed(f: Any, *xs: Any) -> Enclosure:
    arrays = [np.asarray(x, complex if np.iscomplexobj(x) else float) for x in xs]
    return enclose(lambda *ts: flatten(f(*ts))[0], arrays, numbers_of(arrays))


def only(f: Any, x: float) -> Jet:
    """The one number that a function of one number returns."""
    (output,) = enclosed(f, x).outputs
    return output[()]


# -- closed forms --------------------------------------------------------------------------------------


def rational(x: float) -> arb:
    """The ball of a float that is exactly it."""
    exact = Fraction(x)
    return arb(fmpq(exact.numerator, exact.denominator))


moderate = st.floats(-8, 8, allow_subnormal=False).filter(lambda x: abs(x) > 1e-3)


@given(moderate, st.integers(1, 6))
def test_a_polynomial_has_the_derivative_of_the_polynomial_in_fractions(x: float, n: int) -> None:
    exact = n * Fraction(x) ** (n - 1) - 3 / Fraction(x) ** 2
    found = only(lambda t: t**n + 3 / t, x)
    with precision(4096):
        assert found.slopes[0].contains(arb(fmpq(exact.numerator, exact.denominator)))
        assert found.slopes[0].rad() <= abs(found.slopes[0].mid()) * 1e-28


FORMS = {
    "exp": (np.exp, lambda x: x.exp()),
    "sin": (np.sin, lambda x: x.cos()),
    "tanh": (np.tanh, lambda x: 4 / (x.exp() + (-x).exp()) ** 2),
    "log1p of squares": (lambda x: np.log1p(x * x), lambda x: 2 * x / (1 + x * x)),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), lambda x: (-x).exp() / (1 + (-x).exp()) ** 2),
    "gauss": (lambda x: np.exp(-x * x), lambda x: -2 * x * (-x * x).exp()),
    "sqrt": (lambda x: np.sqrt(1 + x * x), lambda x: x / (1 + x * x).sqrt()),
    "arctan2": (lambda x: np.arctan2(x, 2.0), lambda x: 2 / (4 + x * x)),
    "cube root": (np.cbrt, lambda x: 1 / (3 * (x * x).root(3))),
    "absolute": (np.abs, lambda x: x / (x * x).sqrt()),
    "softplus": (lambda x: np.logaddexp(x, 0.0), lambda x: 1 / (1 + (-x).exp())),
}


@pytest.mark.parametrize("name", FORMS)
@given(x=moderate)
def test_the_enclosure_overlaps_the_closed_form(name: str, x: float) -> None:
    function, slope = FORMS[name]
    found = only(function, x)
    with precision(1024):
        truth = slope(rational(x))
        assert found.slopes[0].overlaps(truth), (found.slopes[0], truth)
        # A bound that is wide says nothing.
        assert found.slopes[0].rad() <= abs(truth.mid()) * 1e-27


@given(st.lists(moderate, min_size=9, max_size=9))
def test_the_inverse_has_the_slopes_of_its_formula(entries: list[float]) -> None:
    a = np.reshape(entries, (3, 3)) + 20 * np.eye(3)
    (output,) = enclosed(np.linalg.inv, a).outputs
    inverse = np.linalg.inv(a)
    for (i, j), number in np.ndenumerate(output):
        for k, ball in number.slopes.items():
            assert nearest(ball) == pytest.approx(
                -inverse[i, k // 3] * inverse[k % 3, j], rel=1e-9, abs=1e-15
            )


# -- the engine's own value, on every sample -----------------------------------------------------------

CASES = [
    pytest.param(function, args, id=f"{name_of(key)}-{i}")
    for key, samples in SAMPLES.items()
    for i, (function, args) in enumerate(samples)
]

OF_SCIPY = [
    pytest.param(function, args, id=f"{name}-{i}")
    for register in (LINALG, SCIPY_SPECIAL)
    for name, samples in register.items()
    for i, (function, args) in enumerate(samples)
]

#: Samples without a proven derivative, and why.
OPEN = {
    "arange-1": "moves",
    "corrcoef-0": "moves",
    "corrcoef-1": "moves",
    "corrcoef-2": "moves",
    "histogram-0": "moves",
    "histogram-2": "moves",
    "histogram2d-0": "moves",
    "histogramdd-0": "moves",
    "nextafter-0": "no rule",
    "poly-2": "another way",
    "poly-3": "another way",
    "unwrap-1": "moves",
}


@pytest.mark.parametrize(("function", "args"), CASES)
def test_the_engine_lies_within_its_own_bar(function: Any, args: Any, request: pytest.FixtureRequest) -> None:
    why = OPEN.get(request.node.callspec.id)
    if why is None:
        compared_with_the_engine(function, args)
        return
    with pytest.raises(NotProvenError, match=why):
        compared_with_the_engine(function, args)


#: Primitives of the scipy namespace that have no rule.
WITHOUT = (
    "assoc_legendre_p|carlson|fractional_matrix_power|generalised_eig|generalised_eigh|logm|mirrored|signm|"
    "solve_continuous_are|solve_discrete_are|sph_legendre_p|sqrtm|unitary_factor|scipy.special"
)


#: Matrices that have zeros, equal eigenvalues or infinite ones.
AT_SPECIAL_POINTS = (
    ".*moves with the last digits|.*singular|.*equal|absolute: .* is zero|nan is all|solve_toeplitz"
)


@pytest.mark.parametrize(("function", "args"), OF_SCIPY)
def test_the_scipy_namespace_agrees_or_is_refused_by_name(function: Any, args: Any) -> None:
    refusal = ""
    try:
        compared_with_the_engine(function, args)
    except NotProvenError as error:
        refusal = str(error)
    assert re.match(rf"({WITHOUT})\S* has no rule|$|{AT_SPECIAL_POINTS}", refusal)


def compared_with_the_engine(function: Any, args: Any) -> None:
    flat, rebuild = flatten(tuple(args))
    kinds = [np.asarray(x).dtype.kind if isinstance(x, float | complex | np.ndarray) else "" for x in flat]
    active = [i for i, kind in enumerate(kinds) if kind in ("f", "c")]
    arrays = [np.asarray(flat[i], complex if kinds[i] == "c" else float) for i in active]
    if not arrays:
        return

    def f(*tensors: Any) -> Any:
        full = list(flat)
        for i, tensor in zip(active, tensors, strict=True):
            full[i] = tensor
        return flatten(function(*rebuild(full)))[0]

    with np.errstate(all="ignore"):
        values, pull = vjp_of_arrays(f, arrays)
    indices, n = numbers_of(arrays), sum(a.size * (2 if np.iscomplexobj(a) else 1) for a in arrays)
    found = enclose(f, arrays, indices)
    rng = np.random.default_rng(0)
    proven, terms, cotangents = np.zeros(n), np.zeros(n), []
    for value, output in zip(map(np.asarray, values), found.outputs, strict=True):
        u = rng.standard_normal(value.shape) + 1j * rng.standard_normal(value.shape) * np.iscomplexobj(value)
        cotangents.append((u if np.iscomplexobj(value) else u.real).astype(value.dtype))
        for at in np.ndindex(*value.shape):
            number = output[at]
            assert nearest(number) == pytest.approx(value[at], rel=1e-9, abs=1e-9 * (1 + abs(value).max()))
            for i, slope in number.slopes.items() if type(number) is Jet else ():
                term = float((np.conj(u[at]) * nearest(slope)).real)
                proven[i] += term
                terms[i] += abs(term)
    engine_says = np.concatenate(
        [np.array(g, a.dtype).reshape(-1).view(float) for g, a in zip(pull(cotangents), arrays, strict=True)]
    )
    # Some roundings of the terms, which what is saturated adds up to nothing, or of the largest entry.
    bar = 1e-9 * terms.max(initial=0.0) + 1e-15 * float(np.max(np.abs(cotangents[0]), initial=0.0))
    assert np.abs(engine_says - proven).max(initial=0.0) <= bar


# -- scipy.special -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions_agree_with_the_engine_or_are_refused_by_name(name: str) -> None:
    function, refusals = ufunc(name), []
    for point in KNOWN[name].points:
        for i, partial in enumerate(SPECIAL[name]):
            if partial is None or isinstance(point[i], complex):
                continue

            def f(t: Any, point: Any = point, i: int = i) -> Any:
                result = function(*point[:i], t, *point[i + 1 :])
                return list(result) if isinstance(result, tuple) else [result]

            x = np.asarray(float(point[i]))
            with np.errstate(all="ignore"):
                values, pull = vjp_of_arrays(f, [x])
            try:
                found = enclose(f, [x], [np.asarray(0)])
            except NotProvenError as refusal:
                refusals.append(str(refusal))
                continue
            for k, output in enumerate(found.outputs):
                units = [np.asarray(float(j == k), np.asarray(v).dtype) for j, v in enumerate(values)]
                with np.errstate(all="ignore"):
                    (slope,) = pull(units)
                number = output[()]
                proven = np.real(nearest(number.slopes.get(0, arb(0)))) if type(number) is Jet else 0.0
                if np.isfinite(slope):
                    assert slope == pytest.approx(proven, rel=1e-8, abs=1e-300)
    assert all("scipy.special" in text or "bits" in text or "moves" in text for text in refusals)


# -- choices -------------------------------------------------------------------------------------------


def kinked(x: Any) -> Any:
    return np.where(x > 1, x * x, 2 * x)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (kinked, 1.0),
        (lambda x: x * x if x > 1 else 2 * x, 1.0),
        (np.abs, 0.0),
        (lambda x: np.maximum(x, 0.0), 0.0),
        (lambda x: np.maximum(np.exp(np.log(x)), 2 * x - 0.3), 0.3),
        (np.max, [2.0, 2.0]),
        (lambda x: np.sort(x)[0], [2.0, 2.0]),
        (lambda x: x[np.argmax(x)], [2.0, 2.0]),
        (np.linalg.norm, [0.0, 0.0]),
        (lambda x: np.floor(x) * x, 3.0),
        (lambda x: np.where(x + 1 > 1, x, 2 * x), 0.0),
        (lambda x: np.linalg.eigvalsh(x * np.eye(2) + np.array([[0.0, 0.0], [0.0, 0.0]])), 1.0),
        (lambda x: np.sqrt(x * x), 0.0),
    ],
)
def test_a_choice_that_turns_on_the_last_digits_is_a_tie(function: Any, x: Any) -> None:
    with pytest.raises(TiedError):
        enclosed(function, x)


@pytest.mark.parametrize(
    ("function", "x", "slope"),
    [
        (kinked, 1 + 1e-9, 2 * (1 + 1e-9)),
        (np.abs, -1e-300, -1.0),
        (lambda x: np.maximum(x, 0.0), 5e-324, 1.0),
        # float64 says that this is zero.
        (lambda x: np.abs((1 + x) - 1), -1e-20, -1.0),
        (lambda x: np.where((1 + x) - 1 < 0, -x, x), -1e-20, -1.0),
        # x² is less than the smallest float.
        (lambda x: np.linalg.norm(np.stack([x, 0 * x])), 1e-200, 1.0),
    ],
)
def test_choices_are_made_by_proven_numbers(function: Any, x: float, slope: float) -> None:
    assert nearest(only(function, x).slopes[0]) == slope


def test_a_number_that_leaves_the_recording_is_seen() -> None:
    def escapes(x: Any) -> Any:
        return x * np.sin(x.data)

    with pytest.raises(TiedError, match="left the recording"):
        enclosed(escapes, 0.7)
    with pytest.raises(TiedError, match="left the recording"):
        enclosed(lambda x: x * np.tanh(x.detach()), 0.7)


def test_ties_of_a_softmax_are_none() -> None:
    (output,) = enclosed(lambda x: engine.softmax(x), [0.3, 0.3]).outputs
    assert [nearest(output[0].slopes[i]) for i in (0, 1)] == [0.25, -0.25]


def softmax(x: Any) -> Any:
    """As users write it: the largest number is subtracted, and what it is by is a tie."""
    shifted = np.exp(x - np.max(x))
    return shifted / shifted.sum()


@pytest.mark.parametrize("x", [[0.3, 0.3, 0.1], [0.3, 0.3, 0.3], [0.1, 0.2, 0.3]])
def test_a_tie_on_which_no_derivative_depends_is_none(x: list[float]) -> None:
    (output,) = enclosed(softmax, x).outputs
    p = np.exp(x) / np.exp(x).sum()
    for i, j in np.ndindex(3, 3):
        assert nearest(output[i].slopes[j]) == pytest.approx(p[i] * ((i == j) - p[j]), rel=1e-14)


@pytest.mark.parametrize(
    ("function", "x", "slopes"),
    [
        (lambda x: np.abs(x) * x, 0.0, [0.0]),
        (lambda x: np.abs(x) ** 2 + 3 * x, 0.0, [3.0]),
        (lambda x: np.maximum(x[0], x[1]) * (x[0] - 2) + x[1], [2.0, 2.0], [2.0, 1.0]),
        (lambda x: np.maximum(np.sin(x) ** 2 + np.cos(x) ** 2, 1.0) * x, 0.3, [1.0]),
    ],
)
def test_a_choice_without_consequence_is_proven(function: Any, x: Any, slopes: list[float]) -> None:
    (output,) = enclosed(function, x).outputs
    found = [nearest(output[()].slopes.get(i, arb(0))) for i in range(len(slopes))]
    assert found == pytest.approx(slopes, rel=1e-25, abs=1e-25)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: np.maximum(x[0], x[1]) * x[0], [2.0, 2.0]),
        (lambda x: np.abs(x) * (x + 1e-12), 0.0),
        (lambda x: np.max(np.stack([x, -x, 2 * x])) * np.cos(x), 0.0),
    ],
)
def test_a_choice_with_a_consequence_is_a_tie(function: Any, x: Any) -> None:
    with pytest.raises(TiedError, match=r"equal|sign"):
        enclosed(function, x)


def test_a_derivative_that_is_zero_is_known_to_be() -> None:
    (output,) = enclosed(lambda x: np.sin(x) ** 2 + np.cos(x) ** 2, 0.3).outputs
    slope = output[()].slopes[0]
    assert nearest(slope) == 0.0
    assert float(slope.abs_upper()) < 1e-300


# -- with respect to parameters ------------------------------------------------------------------------

PARAMETERS = {
    "gammainc": (lambda a: mpmath.gammainc(a, 0, 5.0, regularized=True), (5.0,), 3.2),
    "gammaincc": (lambda a: mpmath.gammainc(a, 0.3, mpmath.inf, regularized=True), (0.3,), 0.7),
    "betainc": (lambda a: mpmath.betainc(a, 2.5, 0, 0.9, regularized=True), (2.5, 0.9), 3.0),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_the_slope_of_the_series(name: str) -> None:
    truth, rest, a = PARAMETERS[name]
    rule = NUMBERS_OF_SCIPY[name]
    with precision(256), mpmath.workdps(50):
        found = rule(Jet(arb(a), {0: arb(1)}), *map(arb, rest))
        expected = mpmath.diff(truth, mpmath.mpf(a))
        assert abs(found.slopes[0].mid() - arb(mpmath.nstr(expected, 40))) < 1e-18


# -- second derivatives --------------------------------------------------------------------------------

TWICE = {
    "exp": (np.exp, mpmath.exp),
    "power": (lambda x: x**2.5, lambda x: x ** mpmath.mpf(2.5)),
    "quotient": (lambda x: np.tanh(x) / (1 + x * x), lambda x: mpmath.tanh(x) / (1 + x * x)),
    "sqrt of log1p": (lambda x: np.sqrt(np.log1p(x)), lambda x: mpmath.sqrt(mpmath.log1p(x))),
    "arctan2": (lambda x: np.arctan2(x, 2.0), lambda x: mpmath.atan(x / 2)),
    "complex": (lambda x: np.abs(np.exp(1j * x) * x) ** 2, lambda x: x * x),
    "softplus": (lambda x: np.logaddexp(x, 1.0), lambda x: mpmath.log(mpmath.exp(x) + mpmath.e)),
}


@pytest.mark.parametrize("name", TWICE)
@pytest.mark.parametrize("x", [0.3, 1.7])
def test_second_derivatives_are_those_of_the_closed_form(name: str, x: float) -> None:
    function, form = TWICE[name]
    (output,) = enclose(lambda t: [function(t)], [np.asarray(x)], [np.asarray(0)], twice=True).outputs
    slope = output[()].slopes[0]
    with mpmath.workdps(40):
        assert nearest(slope.slopes[0]) == pytest.approx(
            float(mpmath.diff(form, mpmath.mpf(x), 2)), rel=1e-14
        )
        assert nearest(slope.value) == pytest.approx(float(mpmath.diff(form, mpmath.mpf(x))), rel=1e-14)


def test_a_tie_has_no_second_derivative() -> None:
    with pytest.raises(TiedError):
        enclose(lambda x: [np.abs(x) * x * x], [np.asarray(0.0)], [np.asarray(0)], twice=True)


# -- what is refused -----------------------------------------------------------------------------------


def test_a_primitive_of_a_user_is_refused_by_name_whatever_it_is_called() -> None:
    def forward(x: Any) -> Any:
        return np.exp(x) + 1

    exp = engine.primitives.Primitive("exp", forward, [lambda c, result, x: c * (result - 1)])
    assert rule_of(exp) is None
    with pytest.raises(NotProvenError, match="exp has no rule in ball arithmetic"):
        enclosed(exp, 0.5)


def test_more_numbers_than_can_be_paid_are_refused() -> None:
    with pytest.raises(NotProvenError, match="more than 200000 numbers"):
        enclosed(lambda x: np.exp(x * np.ones(150_000)) * 2, 0.5)


def test_every_primitive_of_the_engine_but_two_has_a_rule() -> None:
    """Those of its scipy namespace aside, of which the page on proofs has the list."""

    def is_own(forward: Any) -> bool:
        module = str(getattr(forward, "__module__", None) or "numpy")
        return module.startswith(("reference_engine.", "numpy", "_operator")) and ".scipy" not in module

    own = {name: p for name, p in PRIMITIVES.items() if is_own(p.forward)}
    assert len(own) > 90
    assert {name for name, p in own.items() if rule_of(p) is None} == {"nextafter", "carlson"}


def test_the_precision_is_put_back() -> None:
    before = ctx.prec
    enclosed(np.exp, 0.5)
    with pytest.raises(TiedError):
        enclosed(np.abs, 0.0)
    assert ctx.prec == before


def test_a_value_of_the_size_of_nothing_is_enclosed() -> None:
    found = only(np.exp, -800.0)
    assert found.value > 0
    assert math.isclose(float((found.slopes[0].log()).mid()), -800.0)
