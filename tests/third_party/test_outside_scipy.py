"""SciPy: derivatives that it computes itself, in C, Cython and NumPy."""

import numpy as np
import pytest
from outside import MARKS, assert_fault, outside

from pytest_gradcheck import arrays, check_gradients

interpolate = outside("scipy.interpolate")
linalg = outside("scipy.linalg")
optimize = outside("scipy.optimize")
special = outside("scipy.special")

pytestmark = MARKS

numbers = arrays(3, min_value=-5, max_value=5)
positive = arrays(3, min_value=0.1, max_value=10)


@pytest.mark.gradcheck(x=arrays(4, min_value=-3, max_value=3), gradient=optimize.rosen_der)
def test_rosen(x):
    return optimize.rosen(x)


@pytest.mark.gradcheck(
    x=arrays(4, min_value=-3, max_value=3), vjp=lambda x, cotangent: optimize.rosen_hess_prod(x, cotangent)
)
def test_rosen_hessian_product(x):
    return optimize.rosen_der(x)


@pytest.mark.gradcheck(
    x=arrays(4, min_value=-3, max_value=3),
    gradient=optimize.rosen_der,
    hessian=optimize.rosen_hess,
    hvp=optimize.rosen_hess_prod,
)
def test_rosen_hessian(x):
    return optimize.rosen(x)


@pytest.mark.parametrize("form", ["gradient", "hessian", "hvp"])
def test_a_wrong_derivative_of_rosen_is_found(form):
    right = {
        "gradient": optimize.rosen_der,
        "hessian": optimize.rosen_hess,
        "hvp": optimize.rosen_hess_prod,
    }
    wrong = lambda *given: 1.02 * right[form](*given)  # noqa: E731
    result = check_gradients(optimize.rosen, np.array([1.3, 0.7, 0.8]), **(right | {form: wrong}))
    assert_fault(result, "constant-factor", "user")
    assert result.diagnosis.text.startswith(f"{form}: ")


LOGISTIC = np.array([[1.0, 0.5], [1.0, -0.3], [1.0, 2.0], [1.0, -1.5], [1.0, 0.2]])
ANSWERS = np.array([0.9, 0.4, 2.2, 0.2, 0.7])


def exponential(p):
    return np.exp(LOGISTIC @ p) - ANSWERS


# SciPy's own differences, as a Jacobian: right to their digits.
@pytest.mark.parametrize(("method", "factor"), [("3-point", 1.0), ("cs", 1.0), ("3-point", 1.01)])
def test_scipys_differences(method, factor):
    def jacobian(p):
        return factor * optimize._numdiff.approx_derivative(exponential, p, method=method)

    result = check_gradients(exponential, np.array([0.3, -0.2]), jacobian=jacobian)
    assert result.verdict == ("pass" if factor == 1 else "fail"), str(result)


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_a_sparse_jacobian_and_a_linear_operator(factor):
    sparse = outside("scipy.sparse")

    def residual(u):
        return np.append(u[1:], 0.0) - 2 * u + np.append(0.0, u[:-1]) - u**3

    def jacobian(u):
        ones = np.ones(u.size - 1)
        return factor * sparse.diags_array([ones, -2 - 3 * u**2, ones], offsets=[-1, 0, 1])

    u = np.linspace(-1, 1, 50)
    for given in (jacobian, lambda u: sparse.linalg.aslinearoperator(jacobian(u))):
        result = check_gradients(residual, u, jacobian=given)
        assert result.verdict == ("pass" if factor == 1 else "fail"), str(result)


@pytest.mark.gradcheck(x=positive, vjp=lambda function, x, cotangent: cotangent * function(2, x, 1))
@pytest.mark.parametrize("function", [special.jvp, special.yvp, special.ivp, special.kvp])
def test_bessel(function, x):
    return function(2, x, 0)


@pytest.mark.gradcheck(
    x=positive, vjp=lambda function, x, cotangent: cotangent * function(2, x, derivative=True)
)
@pytest.mark.parametrize(
    "function", [special.spherical_jn, special.spherical_yn, special.spherical_in, special.spherical_kn]
)
def test_spherical_bessel(function, x):
    return function(2, x)


@pytest.mark.gradcheck(x=numbers, vjp=lambda x, cotangent: (cotangent * special.airy(x)[1],))
def test_airy(x):
    return special.airy(x)[0]


@pytest.mark.gradcheck(x=numbers, vjp=lambda x, cotangent: (cotangent * special.pbdv(1.5, x)[1],))
def test_parabolic_cylinder(x):
    return special.pbdv(1.5, x)[0]


@pytest.mark.gradcheck(
    x=arrays(3, min_value=-0.99, max_value=0.99),
    vjp=lambda x, cotangent: (cotangent * special.legendre_p(5, x, diff_n=1)[1],),
)
def test_legendre(x):
    return special.legendre_p(5, x, diff_n=1)[0]


KNOTS = np.array([0.0, 0.4, 1.0, 1.7, 2.0])
VALUES = np.array([0.3, -1.0, 0.4, 1.2, 0.1])
CURVES = {
    "CubicSpline": interpolate.CubicSpline(KNOTS, VALUES),
    "PchipInterpolator": interpolate.PchipInterpolator(KNOTS, VALUES),
    "Akima1DInterpolator": interpolate.Akima1DInterpolator(KNOTS, VALUES),
    "BSpline": interpolate.make_interp_spline(KNOTS, VALUES, k=3),
    "KroghInterpolator": interpolate.KroghInterpolator(KNOTS, VALUES),
}


def slope(function, x, cotangent):
    curve = CURVES[function]
    derivative = curve.derivative(x) if function == "KroghInterpolator" else curve(x, 1)
    return cotangent * derivative


@pytest.mark.gradcheck(x=arrays(3, min_value=0, max_value=2), vjp=slope)
@pytest.mark.parametrize("function", CURVES)
def test_interpolation(function, x):
    return CURVES[function](x)


def of_transpose(a, cotangent):
    return linalg.expm_frechet(a.T, cotangent, compute_expm=False)


@pytest.mark.gradcheck(a=arrays((3, 3), min_value=-2, max_value=2), vjp=of_transpose)
def test_matrix_exponential(a):
    return linalg.expm(a)


# A fault: of one variable, the function is the empty sum 0 and its gradient raises IndexError.
def test_rosen_der_of_one_variable_raises():
    x = np.array([0.5])
    assert optimize.rosen(x) == 0
    result = check_gradients(optimize.rosen, (x,), gradient=optimize.rosen_der)
    assert_fault(result, "backward-raised", "user")
    assert "IndexError" in result.diagnosis.text
