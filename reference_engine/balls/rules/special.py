"""Special functions of scipy.special and of the frameworks, by FLINT's functions and by their definitions.

DLMF numbers refer to the NIST Digital Library of Mathematical Functions. What is not here has no proven
value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import acb, arb, arb_series

from reference_engine.balls.numbers import METHODS, Jet, chained, greater, imaginary, real, sign, value_of
from reference_engine.balls.rules.elementwise import (
    NUMBERS,
    Number,
    absolute,
    cos,
    exp,
    log,
    log1p,
    of_order,
    sigmoid,
    sin,
    smooth,
    sqrt,
)

__all__ = ["NUMBERS_OF_FRAMEWORKS", "NUMBERS_OF_SCIPY", "PARAMETRIC", "SEVERAL"]


def _root_pi() -> Any:
    return arb.pi().sqrt()


erf = smooth(lambda x: x.erf(), lambda x, y: 2 / _root_pi() * (-x * x).exp())
erfc = smooth(lambda x: x.erfc(), lambda x, y: -2 / _root_pi() * (-x * x).exp())
erfi = smooth(lambda x: x.erfi(), lambda x, y: 2 / _root_pi() * (x * x).exp())
erfinv = smooth(lambda x: x.erfinv(), lambda x, y: _root_pi() / 2 * (y * y).exp())
erfcinv = smooth(lambda x: x.erfcinv(), lambda x, y: -_root_pi() / 2 * (y * y).exp())


def _erfcx(x: Number) -> Number:
    return exp(x * x) * erfc(x)


def _dawsn(x: Number) -> Number:
    """F(x) = √π/2 exp(-x²) erfi(x) (DLMF 7.5.1)."""
    return exp(-(x * x)) * erfi(x) * (_root_pi() / 2)


def _ndtr(x: Number) -> Number:
    return erfc(-x / arb(2).sqrt()) / 2


def _ndtri(p: Number) -> Number:
    return -erfcinv(2 * p) * arb(2).sqrt()


def _wofz(z: Number) -> Number:
    """w(z) = exp(-z²) erfc(-iz) (DLMF 7.2.3)."""
    return exp(-(z * z)) * erfc(z * acb(0, -1))


def _polygamma(n: int) -> Callable[[Any], Any]:
    """ψ^(n): by the Hurwitz zeta function to the right (DLMF 25.11.12), reflected by FLINT elsewhere."""

    def call(x: Any) -> Any:
        if n == 0:
            return x.digamma()
        found = acb(x).polygamma(n)
        return found.real if type(x) is arb else found

    return call


def _lgamma(x: Any) -> Any:
    """log |Γ(x)| for real x."""
    if type(x) is acb or x > 0:
        return x.lgamma()
    value = x.gamma()
    return value.log() if value > 0 else (-value).log()


gamma = smooth(lambda x: x.gamma(), lambda x, y: y * x.digamma())
lgamma = smooth(_lgamma, lambda x, y: x.digamma())
digamma = smooth(lambda x: x.digamma(), lambda x, y: _polygamma(1)(x))


def _rgamma_slope(x: Any, y: Any) -> Any:
    """-ψ/Γ; at the poles of Γ, x = -n, it is (-1)^n n! (DLMF 5.7.1 differentiated)."""
    n = x.unique_fmpz() if type(x) is arb and x.is_exact() else None
    if n is not None and x == n and n <= 0:
        return arb((-1) ** int(-n)) * arb(int(-n)).fac()
    return -x.digamma() * y


rgamma = smooth(lambda x: x.rgamma(), _rgamma_slope)


def _beta(a: Number, b: Number) -> Number:
    return gamma(a) * gamma(b) * rgamma(a + b)


def _binom(n: Number, k: Number) -> Number:
    return gamma(n + 1) * rgamma(k + 1) * rgamma(n - k + 1)


def _constant(*args: Number) -> None:
    if any(type(arg) is Jet for arg in args):
        raise NotImplementedError("with respect to a parameter without a closed form")


def _gammainc(upper: bool) -> Callable[[Number, Number], Number]:
    """P(a, x) and Q(a, x), by x with the derivative x^(a-1) exp(-x) / Γ(a) (DLMF 8.8.13).

    By a: γ(a, x) = Σ (-1)^k x^(a+k) / (k! (a+k)) (DLMF 8.7.1), term by term, is
    ∂γ/∂a = γ log x - x^a / a² · 2F2(a, a; a+1, a+1; -x).
    """

    def row(a: Number, x: Number) -> Number:
        s, v = value_of(a), value_of(x)
        flip = -1 if upper else 1
        total: Number = v.gamma_upper(s, 1) if upper else v.gamma_lower(s, 1)
        if type(x) is Jet:
            density = ((s - 1) * v.log() - v).exp() * s.rgamma()
            total = total + chained(x, arb(0), flip * density)
        if type(a) is Jet:
            lower = v.gamma_lower(s, 1)
            series = (-v).hypgeom([s, s], [s + 1, s + 1]) * v**s / (s * s)
            total = total + chained(a, arb(0), flip * (lower * (v.log() - s.digamma()) - series * s.rgamma()))
        return total

    return row


def _betainc(upper: bool) -> Callable[[Number, Number, Number], Number]:
    """I_x(a, b) and 1 - I_x(a, b), by x with the derivative x^(a-1) (1-x)^(b-1) / B(a, b) (DLMF 8.17.1).

    By a: B_x(a, b) = Σ (1-b)_k x^(a+k) / (k! (a+k)) (DLMF 8.17.7), term by term, is
    ∂B_x/∂a = B_x log x - x^a / a² · 3F2(a, a, 1-b; a+1, a+1; x). By b from I_x(a, b) = 1 - I_(1-x)(b, a).
    """

    def by_first(a: Any, b: Any, x: Any) -> Any:
        series = x.hypgeom([a, a, 1 - b], [a + 1, a + 1]) * x**a / (a * a)
        share = x.beta_lower(a, b, 1) * (x.log() - a.digamma() + (a + b).digamma())
        return share - series * (a + b).gamma() * a.rgamma() * b.rgamma()

    def row(a: Number, b: Number, x: Number) -> Number:
        s, t, v = value_of(a), value_of(b), value_of(x)
        flip = -1 if upper else 1
        total: Number = 1 - v.beta_lower(s, t, 1) if upper else v.beta_lower(s, t, 1)
        if type(x) is Jet:
            density = v ** (s - 1) * (1 - v) ** (t - 1) * (s + t).gamma() * s.rgamma() * t.rgamma()
            total = total + chained(x, arb(0), flip * density)
        if type(a) is Jet:
            total = total + chained(a, arb(0), flip * by_first(s, t, v))
        if type(b) is Jet:
            total = total + chained(b, arb(0), -flip * by_first(t, s, 1 - v))
        return total

    return row


def _bessel(name: str, sign_of_next: int) -> Callable[[Number, Number], Number]:
    """The Bessel functions by their argument: C_v' = (C_(v-1) ± C_(v+1)) / 2 (DLMF 10.6.1, 10.29.1)."""

    def row(v: Number, x: Number) -> Number:
        _constant(v)
        factor = -1 if name == "bessel_k" else 1

        def value(z: Any) -> Any:
            return getattr(z, name)(v)

        def slope(z: Any, y: Any) -> Any:
            below, above = getattr(z, name)(v - 1), getattr(z, name)(v + 1)
            return factor * (below + sign_of_next * above) / 2

        return smooth(value, slope)(x)

    return row


jv, yv = _bessel("bessel_j", -1), _bessel("bessel_y", -1)
iv, kv = _bessel("bessel_i", 1), _bessel("bessel_k", 1)


def _at(order: int, function: Callable[[Number, Number], Number]) -> Callable[[Number], Number]:
    return lambda x: function(arb(order), x)


def _ive(v: Number, x: Number) -> Number:
    return exp(-absolute(x)) * iv(v, x)


def _kve(v: Number, x: Number) -> Number:
    return exp(x) * kv(v, x)


def _scaled_bessel(v: Number, x: Number, *, kind: str, n: int) -> Number:
    """The n-th derivative of exp(-|x|) I_v(x) or exp(x) K_v(x) as a difference in the order.

    With E the factor, (E C_v)' = E (C_(v-1) ∓ 2 C_v + C_(v+1)) · ±1/2 for x > 0 (DLMF 10.29.1).
    """
    _constant(v)
    if sign(x) <= 0:
        raise NotImplementedError("of a number that is not positive")
    function, factor = (_ive, arb(1)) if kind == "i" else (_kve, arb(-1))
    total: Number = arb(0)
    for j in range(2 * n + 1):
        total = total + function(v + (n - j), x) * ((-1) ** j * math.comb(2 * n, j))
    return total * (factor / 2) ** n


def _zeta(s: Number, q: Number) -> Number:
    """The Hurwitz zeta function; by q with the derivative -s ζ(s+1, q) (DLMF 25.11.17), by s as a series."""
    a, v = value_of(s), value_of(q)
    total: Number = a.zeta(v)
    if type(q) is Jet:
        total = total + chained(q, arb(0), -a * (a + 1).zeta(v))
    if type(s) is Jet:
        total = total + chained(s, arb(0), arb_series([a, 1], prec=2).zeta(v)[1])
    return total


def _xlogy(x: Number, y: Number) -> Number:
    if type(x) is not Jet and x == 0:
        return arb(0)
    return x * log(y)


def _entr(x: Number) -> Number:
    if type(x) is not Jet and x == 0:
        return arb(0)
    return -x * log(x)


def _rel_entr(x: Number, y: Number) -> Number:
    if type(x) is not Jet and x == 0:
        return arb(0)
    return x * log(x / y)


def _huber(delta: Number, r: Number) -> Number:
    size = absolute(r)
    if greater(size, delta):
        return delta * (size - delta / 2)
    return r * r / 2


def _pseudo_huber(delta: Number, r: Number) -> Number:
    ratio = r / delta
    return delta * delta * (sqrt(1 + ratio * ratio) - 1)


def _boxcox(log_: Callable[[Number], Number]) -> Callable[[Number, Number], Number]:
    def row(x: Number, shape: Number) -> Number:
        if type(shape) is not Jet and shape == 0:
            return log_(x)
        return (exp(shape * log_(x)) - 1) / shape

    return row


def _inv_boxcox(y: Number, shape: Number) -> Number:
    if type(shape) is not Jet and shape == 0:
        return exp(y)
    return exp(log1p(shape * y) / shape)


def _degrees(function: Callable[[Number], Number]) -> Callable[[Number], Number]:
    return lambda x: function(x * (arb.pi() / 180))


def _owens_t(h: Number, a: Number) -> Number:
    """T(h, a) = ∫_0^a exp(-h²(1+t²)/2) / (1+t²) dt / 2π, with the derivatives that the definition gives."""
    x, y = value_of(h), value_of(a)
    half = x * x / 2

    def integrand(t: Any, _: Any) -> Any:
        square = 1 + t * t
        return (-half * square).exp() / square

    value = acb.integral(integrand, 0, y).real / (2 * arb.pi())
    total: Number = value
    if type(h) is Jet:
        slope = -(-half).exp() * (x * y / arb(2).sqrt()).erf() / (2 * (2 * arb.pi()).sqrt())
        total = total + chained(h, arb(0), slope)
    if type(a) is Jet:
        square = 1 + y * y
        total = total + chained(a, arb(0), (-half * square).exp() / (2 * arb.pi() * square))
    return total


# -- integrals, hypergeometric functions and polynomials, by their argument alone -----------------------

Family = tuple[Callable[..., Any], Callable[..., Any]]
"""`value(*parameters, z)` and its derivative with respect to z, on balls."""


def _by_argument(family: Family) -> Callable[..., Number]:
    """A function of constant parameters and of a number, the last argument."""
    value, slope = family

    def row(*args: Number) -> Number:
        *parameters, z = args
        _constant(*parameters)
        return smooth(lambda v: value(*parameters, v), lambda v, y: slope(*parameters, v))(z)

    return row


def _complete(kind: str) -> Callable[[Any], Any]:
    def call(m: Any) -> Any:
        found = getattr(acb(m), kind)()
        return found.real if type(m) is arb else found

    return call


_k, _e = _complete("elliptic_k"), _complete("elliptic_e")

FAMILIES: dict[str, Family] = {
    # 6.2, 25.12
    "expn": (lambda n, z: z.expint(n), lambda n, z: -z.expint(n - 1)),
    "spence": (lambda z: (1 - z).polylog(2), lambda z: z.log() / (1 - z)),
    # 15.5.1, 13.3.15, 13.3.22, 16.3.1
    "hyp0f1": (lambda v, z: z.hypgeom_0f1(v), lambda v, z: z.hypgeom_0f1(v + 1) / v),
    "hyp1f1": (lambda a, b, z: z.hypgeom_1f1(a, b), lambda a, b, z: a / b * z.hypgeom_1f1(a + 1, b + 1)),
    "hyperu": (lambda a, b, z: z.hypgeom_u(a, b), lambda a, b, z: -a * z.hypgeom_u(a + 1, b + 1)),
    "hyp2f1": (
        lambda a, b, c, z: z.hypgeom_2f1(a, b, c),
        lambda a, b, c, z: a * b / c * z.hypgeom_2f1(a + 1, b + 1, c + 1),
    ),
    # 18.9
    "eval_jacobi": (
        lambda n, a, b, x: x.jacobi_p(n, a, b),
        lambda n, a, b, x: (n + a + b + 1) / 2 * x.jacobi_p(n - 1, a + 1, b + 1),
    ),
    "eval_gegenbauer": (
        lambda n, a, x: x.gegenbauer_c(n, a),
        lambda n, a, x: 2 * a * x.gegenbauer_c(n - 1, a + 1),
    ),
    "eval_chebyt": (lambda n, x: x.chebyshev_t(n), lambda n, x: n * x.chebyshev_u(n - 1)),
    "eval_chebyu": (lambda n, x: x.chebyshev_u(n), lambda n, x: 2 * x.gegenbauer_c(n - 1, 2)),
    "eval_legendre": (lambda n, x: x.legendre_p(n), lambda n, x: x.gegenbauer_c(n - 1, arb(3) / 2)),
    "eval_genlaguerre": (
        lambda n, a, x: x.laguerre_l(n, a),
        lambda n, a, x: -x.laguerre_l(n - 1, a + 1) if n > 0 else arb(0),
    ),
    "eval_laguerre": (
        lambda n, x: x.laguerre_l(n),
        lambda n, x: -x.laguerre_l(n - 1, 1) if n > 0 else arb(0),
    ),
    "eval_hermite": (
        lambda n, x: x.hermite_h(n),
        lambda n, x: 2 * n * x.hermite_h(n - 1) if n > 0 else arb(0),
    ),
    # 19.4
    "ellipk": (_k, lambda m: (_e(m) / (1 - m) - _k(m)) / (2 * m) if m != 0 else arb.pi() / 8),
    "ellipe": (_e, lambda m: (_e(m) - _k(m)) / (2 * m) if m != 0 else -arb.pi() / 8),
}
"""Functions of an argument and of parameters with respect to which nothing is known."""

_of = {name: _by_argument(family) for name, family in FAMILIES.items()}


def _agm(a: Number, b: Number) -> Number:
    """π/4 (a + b) / K(((a - b) / (a + b))²) (DLMF 19.8.1)."""
    ratio = (a - b) / (a + b)
    return (a + b) / _of["ellipk"](ratio * ratio) * (arb.pi() / 4)


def _voigt_profile(x: Number, sigma: Number, gamma_: Number) -> Number:
    """Re w(z) / (σ√(2π)) with z = (x + iγ) / (σ√2) (DLMF 7.19.3)."""
    z = (x + gamma_ * acb(0, 1)) / (sigma * arb(2).sqrt())
    return real(_wofz(z)) / (sigma * (2 * arb.pi()).sqrt())


def _scaled_by_height(function: Callable[[Number, Number], Number]) -> Callable[[Number, Number], Number]:
    def row(v: Number, x: Number) -> Number:
        found = function(v, x)
        return found * exp(-absolute(imaginary(x))) if type(value_of(x)) is acb else found

    return row


def _hankel(side: int) -> Callable[[Number, Number], Number]:
    return lambda v, x: jv(v, x) + yv(v, x) * acb(0, side)


def _kelvin(part: Callable[[Any], Any], function: Callable[..., Any], turn: float, order: int) -> Any:
    """ber + i bei = J_0(x exp(3πi/4)), ker + i kei = K_0(x exp(πi/4)) (DLMF 10.61), and their slopes."""

    def row(x: Number) -> Number:
        w = acb(arb(turn)).exp_pi_i()
        found = function(arb(order), x * w)
        return part(found if order == 0 else -found * w)

    return row


def _stdtr(df: Number, t: Number) -> Number:
    """Student's distribution by the incomplete beta function (DLMF 8.17)."""
    tail = _betainc(False)(df / 2, arb(1) / 2, df / (df + t * t)) / 2
    return 1 - tail if sign(t) > 0 else tail


def _sici(z: Number) -> tuple[Number, Number]:
    return (
        smooth(lambda v: v.si(), lambda v, y: v.sinc())(z),
        smooth(lambda v: v.ci(), lambda v, y: v.cos() / v)(z),
    )


def _shichi(z: Number) -> tuple[Number, Number]:
    return (
        smooth(lambda v: v.shi(), lambda v, y: v.sinh() / v if v != 0 else arb(1))(z),
        smooth(lambda v: v.chi(), lambda v, y: v.cosh() / v)(z),
    )


def _fresnel(z: Number) -> tuple[Number, Number]:
    return (
        smooth(lambda v: v.fresnel_s(), lambda v, y: (arb.pi() / 2 * v * v).sin())(z),
        smooth(lambda v: v.fresnel_c(), lambda v, y: (arb.pi() / 2 * v * v).cos())(z),
    )


def _airy(z: Number) -> tuple[Number, Number, Number, Number]:
    """Ai, Ai', Bi and Bi', with Ai'' = z Ai (DLMF 9.2.1)."""
    values = value_of(z).airy()
    slopes = values[1], value_of(z) * values[0], values[3], value_of(z) * values[2]
    if type(z) is not Jet:
        return tuple(values)
    found = [chained(z, value, slope) for value, slope in zip(values, slopes, strict=True)]
    return found[0], found[1], found[2], found[3]


SEVERAL: dict[str, tuple[Callable[..., Any], int]] = {
    "sici": (_sici, 2),
    "shichi": (_shichi, 2),
    "fresnel": (_fresnel, 2),
    "airy": (_airy, 4),
}
"""The ufuncs of scipy.special with several results, and how many they have."""

expit = sigmoid

NUMBERS_OF_SCIPY: dict[str, Callable[..., Number]] = {
    # Logistic functions, entropies, losses, powers, degrees.
    "expit": expit,
    "log_expit": lambda x: -log1p(exp(-x)),
    "logit": lambda p: log(p / (1 - p)),
    "xlogy": _xlogy,
    "xlog1py": lambda x, y: _xlogy(x, 1 + y),
    "entr": _entr,
    "rel_entr": _rel_entr,
    "kl_div": lambda x, y: _rel_entr(x, y) - x + y,
    "huber": _huber,
    "pseudo_huber": _pseudo_huber,
    "exp10": lambda x: exp(x * arb(10).log()),
    "powm1": lambda x, y: NUMBERS["power"](x, y) - 1,
    "exprel": lambda x: NUMBERS["expm1"](x) / x,
    "boxcox": _boxcox(log),
    "boxcox1p": _boxcox(log1p),
    "inv_boxcox": _inv_boxcox,
    "inv_boxcox1p": lambda y, shape: _inv_boxcox(y, shape) - 1,
    "cosm1": lambda x: cos(x) - 1,
    "sindg": _degrees(sin),
    "cosdg": _degrees(cos),
    "tandg": _degrees(NUMBERS["tan"]),
    "cotdg": _degrees(lambda x: 1 / NUMBERS["tan"](x)),
    "radian": lambda d, m, s: (d + m / 60 + s / 3600) * (arb.pi() / 180),
    # Error functions and the normal distribution.
    "erf": erf,
    "erfc": erfc,
    "erfcx": _erfcx,
    "erfi": erfi,
    "dawsn": _dawsn,
    "wofz": _wofz,
    "erfinv": erfinv,
    "erfcinv": erfcinv,
    "ndtr": _ndtr,
    "log_ndtr": lambda x: log(_ndtr(x)),
    "ndtri": _ndtri,
    "ndtri_exp": lambda y: _ndtri(exp(y)),
    "owens_t": _owens_t,
    "nrdtrimn": lambda p, std, x: x - std * _ndtri(p),
    "nrdtrisd": lambda mean, p, x: (x - mean) / _ndtri(p),
    **_of,
    "ellipkm1": lambda p: _of["ellipk"](1 - p),
    "agm": _agm,
    "eval_sh_legendre": lambda n, x: _of["eval_legendre"](n, 2 * x - 1),
    "eval_sh_chebyt": lambda n, x: _of["eval_chebyt"](n, 2 * x - 1),
    "eval_sh_chebyu": lambda n, x: _of["eval_chebyu"](n, 2 * x - 1),
    "eval_chebyc": lambda n, x: 2 * _of["eval_chebyt"](n, x / 2),
    "eval_chebys": lambda n, x: _of["eval_chebyu"](n, x / 2),
    "eval_hermitenorm": lambda n, x: _of["eval_hermite"](n, x / arb(2).sqrt()) / arb(2) ** (n / 2),
    "voigt_profile": _voigt_profile,
    "jve": _scaled_by_height(jv),
    "yve": _scaled_by_height(yv),
    "hankel1": _hankel(1),
    "hankel2": _hankel(-1),
    "hankel1e": lambda v, x: _hankel(1)(v, x) * exp(x * acb(0, -1)),
    "hankel2e": lambda v, x: _hankel(-1)(v, x) * exp(x * acb(0, 1)),
    "ber": _kelvin(real, jv, 0.75, 0),
    "bei": _kelvin(imaginary, jv, 0.75, 0),
    "ker": _kelvin(real, kv, 0.25, 0),
    "kei": _kelvin(imaginary, kv, 0.25, 0),
    "berp": _kelvin(real, jv, 0.75, 1),
    "beip": _kelvin(imaginary, jv, 0.75, 1),
    "kerp": _kelvin(real, kv, 0.25, 1),
    "keip": _kelvin(imaginary, kv, 0.25, 1),
    "stdtr": _stdtr,
    # Exponential integrals: DLMF 6.2.
    "exp1": smooth(lambda z: z.expint(1), lambda z, y: -(-z).exp() / z),
    "expi": smooth(lambda z: z.ei(), lambda z, y: z.exp() / z),
    # The gamma function and its kin.
    "gamma": gamma,
    "gammaln": lgamma,
    "loggamma": lgamma,
    "gammasgn": lambda x: arb(1 if value_of(gamma(x)) > 0 else -1),
    "rgamma": rgamma,
    "psi": digamma,
    "beta": _beta,
    "betaln": lambda a, b: log(absolute(_beta(a, b))),
    "binom": _binom,
    "poch": lambda a, m: gamma(a + m) * rgamma(a),
    "gammainc": _gammainc(False),
    "gammaincc": _gammainc(True),
    "betainc": _betainc(False),
    "betaincc": _betainc(True),
    "_zeta": _zeta,
    # Distributions.
    "gdtr": lambda a, b, x: _gammainc(False)(b, a * x),
    "gdtrc": lambda a, b, x: _gammainc(True)(b, a * x),
    "chdtr": lambda v, x: _gammainc(False)(v / 2, x / 2),
    "chdtrc": lambda v, x: _gammainc(True)(v / 2, x / 2),
    "pdtr": lambda k, m: _gammainc(True)(k.floor() + 1, m),
    "pdtrc": lambda k, m: _gammainc(False)(k.floor() + 1, m),
    "bdtr": lambda k, n, p: _betainc(False)(n - k.floor(), k.floor() + 1, 1 - p),
    "bdtrc": lambda k, n, p: _betainc(True)(n - k.floor(), k.floor() + 1, 1 - p),
    "nbdtr": lambda k, n, p: _betainc(False)(n, k + 1, p),
    "nbdtrc": lambda k, n, p: _betainc(True)(n, k + 1, p),
    "fdtr": lambda a, b, x: _betainc(False)(a / 2, b / 2, a * x / (a * x + b)),
    "fdtrc": lambda a, b, x: _betainc(True)(a / 2, b / 2, a * x / (a * x + b)),
    # Bessel functions by their argument.
    "jv": jv,
    "jn": jv,
    "yv": yv,
    "yn": yv,
    "iv": iv,
    "kv": kv,
    "kn": kv,
    "ive": _ive,
    "kve": _kve,
    "j0": _at(0, jv),
    "j1": _at(1, jv),
    "y0": _at(0, yv),
    "y1": _at(1, yv),
    "i0": _at(0, iv),
    "i1": _at(1, iv),
    "i0e": _at(0, _ive),
    "i1e": _at(1, _ive),
    "k0": _at(0, kv),
    "k1": _at(1, kv),
    "k0e": _at(0, _kve),
    "k1e": _at(1, _kve),
}
"""The ufuncs of scipy.special by name."""

NUMBERS_OF_FRAMEWORKS: dict[str, Callable[..., Number]] = {
    "erf": erf,
    "erfc": erfc,
    "erfcx": _erfcx,
    "erfinv": erfinv,
    "ndtr": _ndtr,
    "ndtri": _ndtri,
    "log_ndtr": lambda x: log(_ndtr(x)),
    "digamma": digamma,
    "lgamma": lgamma,
    "i0": _at(0, iv),
    "i1": _at(1, iv),
    "i0e": _at(0, _ive),
    "i1e": _at(1, _ive),
    "bessel_j0": _at(0, jv),
    "bessel_j1": _at(1, jv),
    "zeta": _zeta,
}
"""What the lowerings of frameworks define, by name."""

PARAMETRIC: dict[str, Callable[..., Number]] = {
    "polygamma": of_order(_polygamma),
    "scaled_bessel": _scaled_bessel,
}
"""Functions with parameters, of the engine and of lowerings."""


def _faddeeva(n: int) -> Callable[[Any], Any]:
    """The n-th derivative of w: w' = -2zw + 2i/√π differentiated n times (DLMF 7.10.2)."""

    def call(z: Any) -> Any:
        before, last = acb(0), (-z * z).exp() * (z * acb(0, -1)).erfc()
        for k in range(1, n + 1):
            after = -2 * z * last + (acb(0, 2) / _root_pi() if k == 1 else -2 * (k - 1) * before)
            before, last = last, after
        return last

    return lambda z: call(acb(z))


PARAMETRIC["faddeeva"] = of_order(_faddeeva)

METHODS.update({"digamma": digamma, "erf": erf, "erfc": erfc, "erfi": erfi, "gamma": gamma, "lgamma": lgamma})
