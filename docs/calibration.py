"""Write docs/reference/calibration.md: the error bars of differences beside their true errors, by mpmath.

python docs/calibration.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
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

from pytest_gradcheck.core.jacobian import Function, Jacobian  # noqa: E402  found by the path above
from pytest_gradcheck.core.problem import Problem  # noqa: E402  as above

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


def answers(case: Case) -> list[Answer]:
    """What both methods answer on the long ladder, at every point of a case."""
    out = []
    with mpmath.workdps(60):
        for point in case.points:
            truth = mpmath.diff(case.exact, mpmath.mpf(point))
            problem = Problem(case.function, point)
            f = Function(
                problem.inputs,
                problem.outputs,
                problem.point,
                problem.value,
                problem.evaluate_many,
                problem.rounded,
                problem.lower,
                problem.upper,
                problem.jitter,
                problem.eps,
            )
            found = Jacobian(f, {}, ("central", "forward")).column(0, None, thorough=True)
            for method in ("central", "forward"):
                estimate = getattr(found, method)
                error = float(abs(mpmath.mpf(float(estimate.value[0, 0])) - truth))
                out.append(Answer(method, case.name, point, error, float(estimate.uncertainty[0, 0])))
    return out


INTRODUCTION = """\
<!-- Written by docs/calibration.py: change that, and run it again. -->

# Error bars of differences, against the truth

Central and forward differences of {functions} functions at {points} points, each answer beside the
derivative that mpmath gives with 60 digits. The bar is what the method says that it may be wrong by, on the
long ladder of steps that a check takes on doubt. In a verdict it counts three times.

| method | answers | error beyond the bar | bar over error, median | bar over error, 9 of 10 below |
| --- | --- | --- | --- | --- |
"""


def figures(every: list[Answer]) -> tuple[int, int, float, float]:
    """How many answers, how many with an error beyond the bar, and two quantiles of bar over error."""
    ratios = [a.ratio for a in every]
    beyond = sum(a.error > a.bar for a in every)
    return len(every), beyond, float(np.median(ratios)), float(np.quantile(ratios, 0.9))


def page() -> str:
    """The text of the page."""
    every = [a for case in CASES for a in answers(case)]
    lines = []
    for method in ("central", "forward"):
        count, beyond, median, high = figures([a for a in every if a.method == method])
        lines.append(f"| `{method}` | {count} | {beyond} | {median:.1f} | {high:.0f} |")
    points = sum(len(case.points) for case in CASES)
    return INTRODUCTION.format(functions=len(CASES), points=points) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
