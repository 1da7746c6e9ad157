"""Write docs/reference/calibration.md: the error bars of differences and their true errors, by mpmath.

python docs/calibration.py            writes the page
python docs/calibration.py --check    fails if the page is not what would be written
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mpmath
import numpy as np
from scipy import special

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/calibration.md"
if __name__ == "__main__":
    # In place of docs/, as in coverage.py.
    sys.path[0] = str(ROOT)

from docs.written import write_or_check  # noqa: E402  found by the path above
from pytest_gradcheck.core.evidence.jacobian import Function, Jacobian  # noqa: E402  found by the path above
from pytest_gradcheck.function.problem import Problem  # noqa: E402  as above

SEED = 2026
"""The drawn points are those of this seed, by which no constant was chosen."""

EACH = 12
"""So many points are drawn for each function."""

NEAR = (0.1, 0.5, 1.0, 2.0, 3.7, -0.3, -1.7)
POSITIVE = (1e-10, 1e-3, 0.1, 0.5, 1.0, 2.0, 3.7, 30.0, 1e5, 1e10)
EVERY = (*NEAR, 1e-20, 1e-8, 1e-3, -1e-5, 20.0, 1e3)


class Case(NamedTuple):
    """One function in float64, the same one in mpmath, and points to differentiate at."""

    name: str
    function: Callable[[Any], Any]
    exact: Callable[[Any], Any]
    points: tuple[float, ...]


class Answer(NamedTuple):
    """What a difference method says at one point: how wrong it is, and how wrong it says it may be."""

    ladder: str
    method: str
    name: str
    point: float
    error: float
    bar: float

    @property
    def ratio(self) -> float:
        """How many times too large the bar is."""
        return self.bar / self.error if self.error else np.inf


CASES = (
    Case("exp", np.exp, mpmath.exp, (*NEAR, 1e-8, 20.0, -30.0, 300.0)),
    Case("log", np.log, mpmath.log, POSITIVE),
    Case("sin", np.sin, mpmath.sin, (*EVERY, 1e9)),
    Case("cos", np.cos, mpmath.cos, (*EVERY, 1e9)),
    Case("tan", np.tan, mpmath.tan, (*NEAR, 1.57)),
    Case("sqrt", np.sqrt, mpmath.sqrt, POSITIVE),
    Case("1 / x", lambda x: 1 / x, lambda x: 1 / x, (*POSITIVE, -2.0)),
    Case("x³", lambda x: x**3, lambda x: x**3, EVERY),
    Case("x^1.5", lambda x: np.power(x, 1.5), lambda x: x ** mpmath.mpf(1.5), POSITIVE),
    Case("arctan", np.arctan, mpmath.atan, EVERY),
    Case("tanh", np.tanh, mpmath.tanh, EVERY),
    Case("log1p", np.log1p, mpmath.log1p, (1e-20, 1e-8, *NEAR[:-1])),
    Case("expm1", np.expm1, mpmath.expm1, (*NEAR, 1e-20, 1e-8)),
    Case("erf", special.erf, mpmath.erf, EVERY),
    Case("gamma", special.gamma, mpmath.gamma, (0.1, 0.5, 1.0, 2.0, 3.7, -0.3, 30.0)),
    Case("log gamma", special.gammaln, mpmath.loggamma, (0.1, 0.5, 1.0, 2.0, 3.7, 1e5)),
    Case("J₀", special.j0, lambda x: mpmath.besselj(0, x), (*NEAR, 30.0)),
    Case("sin(x) exp(-x)", lambda x: np.sin(x) * np.exp(-x), lambda x: mpmath.sin(x) * mpmath.exp(-x), NEAR),
    Case("sin(x) / x", lambda x: np.sin(x) / x, lambda x: mpmath.sin(x) / x, (*NEAR, 1e-3, 1e-8, 30.0)),
    Case("softplus", lambda x: np.logaddexp(x, 0), lambda x: mpmath.log(1 + mpmath.exp(x)), (*NEAR, 20.0)),
    Case("exp(-x²)", lambda x: np.exp(-x * x), lambda x: mpmath.exp(-x * x), (*NEAR, 5.0)),
    Case("arcsinh", np.arcsinh, mpmath.asinh, EVERY),
    Case("1 / (1 + 25 x²)", lambda x: 1 / (1 + 25 * x * x), lambda x: 1 / (1 + 25 * x * x), (*NEAR, 1e-3)),
    Case("sin(x²)", lambda x: np.sin(x * x), lambda x: mpmath.sin(x * x), (*NEAR, 10.0)),
    Case("cos(10 x)", lambda x: np.cos(10 * x), lambda x: mpmath.cos(10 * x), NEAR),
    Case("sin(100 x)", lambda x: np.sin(100 * x), lambda x: mpmath.sin(100 * x), NEAR),
    Case("sin(x) - x", lambda x: np.sin(x) - x, lambda x: mpmath.sin(x) - x, (*NEAR, 1e-3)),
    Case("hypot(x, 1)", lambda x: np.hypot(x, 1), lambda x: mpmath.sqrt(x * x + 1), EVERY),
    Case("x⁷ - x", lambda x: x**7 - x, lambda x: x**7 - x, NEAR),
)

Draw = Callable[[np.random.Generator], Any]


def magnitudes(low: float, high: float, signs: tuple[float, ...] = (-1.0, 1.0)) -> Draw:
    """Draw numbers between 10^low and 10^high, as often in each decade."""
    return lambda rng: rng.choice(signs, EACH) * 10.0 ** rng.uniform(low, high, EACH)


def positive(low: float, high: float) -> Draw:
    """Draw magnitudes alone."""
    return magnitudes(low, high, (1.0,))


def between(low: float, high: float) -> Draw:
    """Draw numbers anywhere between two."""
    return lambda rng: rng.uniform(low, high, EACH)


def below_one(rng: np.random.Generator) -> Any:
    """Draw numbers close to one, where the arc sine ends."""
    return 1 - 10.0 ** rng.uniform(-10, -0.3, EACH)


def network(seed: int) -> Case:
    """Four layers of eight tanh, with random weights."""
    rng = np.random.default_rng(seed)
    first, last = rng.normal(size=(2, 8))
    layers = [rng.normal(size=(8, 8)) / np.sqrt(8) for _ in range(4)]

    def function(x: Any) -> Any:
        hidden = np.tanh(first * x)
        for weights in layers:
            hidden = np.tanh(weights @ hidden)
        return last @ hidden

    def exact(x: Any) -> Any:
        hidden = [mpmath.tanh(float(w) * x) for w in first]
        for weights in layers:
            hidden = [mpmath.tanh(mpmath.fdot(map(float, row), hidden)) for row in weights]
        return mpmath.fdot(map(float, last), hidden)

    return Case(f"network {seed}", function, exact, ())


RANGES: dict[str, Draw] = {
    "exp": between(-30, 30),
    "log": positive(-12, 12),
    "sin": magnitudes(-10, 6),
    "cos": magnitudes(-6, 6),
    "tan": between(-1.5, 1.5),
    "sqrt": positive(-12, 12),
    "1 / x": magnitudes(-10, 10),
    "x³": magnitudes(-8, 8),
    "x^1.5": positive(-10, 10),
    "arctan": magnitudes(-10, 6),
    "tanh": magnitudes(-10, 1),
    "log1p": positive(-12, 6),
    "expm1": magnitudes(-10, 1),
    "erf": magnitudes(-10, 0.6),
    "gamma": between(0.1, 20),
    "log gamma": positive(-2, 4),
    "J₀": between(-30, 30),
    "sin(x) exp(-x)": between(-5, 10),
    "sin(x) / x": magnitudes(-8, 2),
    "softplus": between(-20, 20),
    "exp(-x²)": between(-5, 5),
    "arcsinh": magnitudes(-10, 10),
    "1 / (1 + 25 x²)": magnitudes(-4, 1),
    "sin(x²)": between(-10, 10),
    "cos(10 x)": between(-5, 5),
    "sin(100 x)": between(-5, 5),
    "sin(x) - x": magnitudes(-3, 1),
    "hypot(x, 1)": magnitudes(-8, 8),
    "x⁷ - x": between(-3, 3),
}
"""Where the points of the functions above are drawn."""

MORE: tuple[tuple[Case, Draw], ...] = (
    (Case("arcsin", np.arcsin, mpmath.asin, ()), between(-0.99, 0.99)),
    (Case("arcsin close to one", np.arcsin, mpmath.asin, ()), below_one),
    (Case("arctanh close to one", np.arctanh, mpmath.atanh, ()), below_one),
    (Case("sinh", np.sinh, mpmath.sinh, ()), magnitudes(-8, 1.5)),
    (Case("cosh", np.cosh, mpmath.cosh, ()), between(-20, 20)),
    (
        Case("logistic", lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (1 + mpmath.exp(-x)), ()),
        between(-30, 30),
    ),
    (Case("x log x", lambda x: x * np.log(x), lambda x: x * mpmath.log(x), ()), positive(-8, 8)),
    (Case("x^x", lambda x: x**x, lambda x: x**x, ()), between(0.05, 8)),
    (
        Case("exp(sin(x))", lambda x: np.exp(np.sin(x)), lambda x: mpmath.exp(mpmath.sin(x)), ()),
        between(-10, 10),
    ),
    (Case("J₁", special.j1, lambda x: mpmath.besselj(1, x), ()), between(-30, 30)),
    (Case("digamma", special.digamma, mpmath.digamma, ()), between(0.1, 20)),
    (
        Case("(1 - cos(x)) / x²", lambda x: (1 - np.cos(x)) / x**2, lambda x: (1 - mpmath.cos(x)) / x**2, ()),
        magnitudes(-2, 1),
    ),
    (
        Case("sqrt(x² + 1) - x", lambda x: np.sqrt(x * x + 1) - x, lambda x: mpmath.sqrt(x * x + 1) - x, ()),
        magnitudes(-3, 3),
    ),
    (Case("1e6 + sin(x)", lambda x: 1e6 + np.sin(x), lambda x: 10**6 + mpmath.sin(x), ()), between(-5, 5)),
    (
        # NumPy multiplies by the float next to π.
        Case(
            "sinc(sinc(x))",
            lambda x: np.sinc(np.sinc(x)),
            lambda x: mpmath.sinc(mpmath.mpf(np.pi) * mpmath.sinc(mpmath.mpf(np.pi) * x)),
            (),
        ),
        between(-4, 4),
    ),
    *((network(seed), magnitudes(-3, 1)) for seed in range(4)),
)
"""Functions that have drawn points alone."""


def rounded_to_float32(function: Callable[[Any], Any]) -> Callable[[Any], float]:
    """Compute in float32 what comes as float64, and return float64."""
    return lambda x: float(function(np.float32(float(x))))


def wavering(level: float) -> Callable[[Any], float]:
    """A sine with uniform noise of a size, which is the same for the same number."""

    def function(x: Any) -> float:
        seed = np.frombuffer(np.float64(x).tobytes(), dtype=np.uint32)
        return math.sin(float(x)) + level * float(np.random.default_rng(seed).uniform(-1, 1))

    return function


def doubled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Add a function of twice its argument."""
    return lambda x: function(x) + function(2 * x)


FAMILIES: dict[str, tuple[Case, ...]] = {
    "noisy": tuple(
        Case(f"sin(x), noise of {level:g}", wavering(level), mpmath.sin, ())
        for level in (1e-12, 1e-10, 1e-9, 1e-7, 1e-6)
    ),
    "quantised": (
        Case("sin(x) to 8 decimals", lambda x: round(math.sin(float(x)), 8), mpmath.sin, ()),
        Case("sin(x) to 6 decimals", lambda x: round(math.sin(float(x)), 6), mpmath.sin, ()),
        Case(
            "exp(x) to 20 binary places", lambda x: round(math.exp(float(x)) * 2**20) / 2**20, mpmath.exp, ()
        ),
        Case("a table of arctan", lambda x: math.atan(round(float(x) * 1000) / 1000), mpmath.atan, ()),
        Case(
            "sum of two rounded terms",
            doubled(lambda x: round(math.sin(float(x)), 7)),
            doubled(mpmath.sin),
            (),
        ),
    ),
    "float32 inside": (
        Case("exp", rounded_to_float32(np.exp), mpmath.exp, ()),
        Case("tanh", rounded_to_float32(np.tanh), mpmath.tanh, ()),
        Case(
            "softplus squared",
            rounded_to_float32(lambda x: np.logaddexp(np.float32(0), x) ** 2),
            lambda x: mpmath.log(1 + mpmath.exp(x)) ** 2,
            (),
        ),
        Case("sin(x) + sin(2 x)", rounded_to_float32(doubled(np.sin)), doubled(mpmath.sin), ()),
        Case(
            "1 / (1 + x²)",
            rounded_to_float32(lambda x: 1 / (1 + x * x)),
            lambda x: 1 / (1 + x * x),
            (),
        ),
    ),
    "cancelling": (
        Case("1 - cos(x)", lambda x: 1 - math.cos(float(x)), lambda x: 1 - mpmath.cos(x), ()),
        Case(
            "sqrt(1 + x²) - 1",
            lambda x: math.sqrt(1 + float(x) ** 2) - 1,
            lambda x: mpmath.sqrt(1 + x * x) - 1,
            (),
        ),
        Case(
            "log(cosh(x))",
            lambda x: math.log(math.cosh(float(x))),
            lambda x: mpmath.log(mpmath.cosh(x)),
            (),
        ),
        Case(
            "exp(x) - 1 - x",
            lambda x: math.exp(float(x)) - 1 - float(x),
            lambda x: mpmath.exp(x) - 1 - x,
            (),
        ),
        Case("1e6 + sin(x)", lambda x: 1e6 + math.sin(float(x)), lambda x: 10**6 + mpmath.sin(x), ()),
    ),
}
"""Functions whose values have fewer digits than float64, each with the smooth one that it stands for."""

EACH_OF_A_FAMILY = 40
"""So many points are drawn for each of them."""


def drawn(seed: int = SEED) -> list[Case]:
    """All functions at points that are drawn."""
    rng = np.random.default_rng(seed)
    both = [*((case, RANGES[case.name]) for case in CASES), *MORE]
    return [case._replace(points=tuple(map(float, draw(rng)))) for case, draw in both]


def family(name: str, seed: int = SEED) -> list[Case]:
    """The functions of a family at points that are drawn."""
    rng = np.random.default_rng(seed)
    return [
        case._replace(points=tuple(map(float, rng.uniform(-3, 3, EACH_OF_A_FAMILY))))
        for case in FAMILIES[name]
    ]


def fits(case: Case) -> list[Answer]:
    """What a fit over a window of scale one answers at every point, wherever it is above the grain."""
    out = []
    with mpmath.workdps(60):
        for point in case.points:
            truth = mpmath.diff(case.exact, mpmath.mpf(point))
            f = Function.of(Problem(case.function, point))
            found = Jacobian(f, {}, ("central", "forward")).window(np.ones(1), np.ones(1), 1.0)
            if not found.grainy[0, 0]:
                error = float(abs(mpmath.mpf(float(found.slope.value[0, 0])) - truth))
                out.append(
                    Answer("fit", "central", case.name, point, error, float(found.slope.uncertainty[0, 0]))
                )
    return out


def answers(case: Case) -> list[Answer]:
    """What both methods answer on both ladders, at every point of a case."""
    out = []
    with mpmath.workdps(60):
        for point in case.points:
            truth = mpmath.diff(case.exact, mpmath.mpf(point))
            f = Function.of(Problem(case.function, point))
            for ladder in ("long", "short"):
                jacobian = Jacobian(f, {}, ("central", "forward"))
                found = jacobian.columns([0], None, thorough=ladder == "long")
                for method in ("central", "forward"):
                    estimate = getattr(found, method)
                    error = float(abs(mpmath.mpf(float(estimate.value[0, 0])) - truth))
                    bar = float(estimate.uncertainty[0, 0])
                    out.append(Answer(ladder, method, case.name, point, error, bar))
    return out


INTRODUCTION = """\
<!-- Written by docs/calibration.py: change that, and run it again. -->

# Calibration of error bars

Central and forward differences of {functions} functions at {points} random points, compared with the
derivative that mpmath computes with 60 digits; [proofs](proofs.md) confirm it in a test. The error bar is
the largest error that the method claims.
Some points are 1e-10 away from the end of a domain, some are close to zeros of the derivative, and for
some, a step of the short ladder spans many periods. No constant was tuned on these points. The measurement
of noise was corrected with points of other seeds.

The long ladder has sixteen steps. A check uses it in case of doubt, and counts its bar three times in a
verdict. The short ladder has three steps and is a first look. A disagreement there is not a verdict: it
costs a closer look. The short ladder passes a wrong gradient only if its own error is equally large.

{drawn}
The constants were tuned on {fitted_functions} of the functions, at {fitted_points} other points:

{fitted}
## Functions with fewer digits

Noise, quantized values, float32 inside float64, and cancellation: the values of these functions have errors
larger than float64 rounding. Each is compared with the derivative of the smooth function that it
approximates, at {points_of_a_family} points between -3 and 3.

The *fit* belongs to [a second look](../explanation/verdicts.md#a-second-look): a polynomial over a window
of 14 values, with the noise measured by its residuals. A window in which the values of a quantized function
change in a few steps only is not evidence and is left out. The long ladder measures noise between
neighboring values only. Near a zero of the derivative, it may take a quantized function for a constant one.
No failure is based on the ladder alone.

{families}"""

HEAD = """\
| ladder | method | answers | error beyond the bar | bar over error, median | bar over error, 9 of 10 below |
| --- | --- | --- | --- | --- | --- |
"""


def figures(every: list[Answer]) -> tuple[int, int, float, float]:
    """How many answers, how many with an error beyond the bar, and two quantiles of bar over error."""
    ratios = [a.ratio for a in every]
    beyond = sum(a.error > a.bar for a in every)
    return len(every), beyond, float(np.median(ratios)), float(np.quantile(ratios, 0.9))


def table(cases: Iterable[Case]) -> str:
    every = [a for case in cases for a in answers(case)]
    lines = []
    for ladder in ("long", "short"):
        for method in ("central", "forward"):
            of_both = [a for a in every if (a.ladder, a.method) == (ladder, method)]
            count, beyond, median, high = figures(of_both)
            share = f"{beyond} ({100 * beyond / count:.1f} %)"
            lines.append(f"| {ladder} | `{method}` | {count} | {share} | {median:.1f} | {high:.0f} |")
    return HEAD + "\n".join(lines) + "\n"


FAMILY_HEAD = """\
| functions | bars of | answers | error beyond the bar | bar over error, median | 9 of 10 below |
| --- | --- | --- | --- | --- | --- |
"""


def family_rows(name: str) -> list[tuple[str, list[Answer]]]:
    """The answers on a family of the long ladder and of fits."""
    cases = family(name)
    ladder = [a for case in cases for a in answers(case) if (a.ladder, a.method) == ("long", "central")]
    return [("long ladder", ladder), ("fit", [a for case in cases for a in fits(case)])]


def families_table() -> str:
    lines = []
    for name in FAMILIES:
        for bars, every in family_rows(name):
            count, beyond, median, high = figures(every)
            share = f"{beyond} ({100 * beyond / count:.1f} %)"
            lines.append(f"| {name} | {bars} | {count} | {share} | {median:.1f} | {high:.0f} |")
    return FAMILY_HEAD + "\n".join(lines) + "\n"


def page() -> str:
    """The text of the page."""
    cases = drawn()
    return INTRODUCTION.format(
        functions=len(cases),
        points=sum(len(case.points) for case in cases),
        drawn=table(cases),
        fitted_functions=len(CASES),
        fitted_points=sum(len(case.points) for case in CASES),
        fitted=table(CASES),
        points_of_a_family=EACH_OF_A_FAMILY * len(FAMILIES["noisy"]),
        families=families_table(),
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it with `--check`; the exit status."""
    return write_or_check(arguments, "docs/calibration.py", lambda: {PAGE: page()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
