"""Gradients of NumPy code written by hand, next to the checkers of scipy and numdifftools.

Those take differences and compare; what difference is too large is the user's to say, and here what their
documentation shows or what they are exact to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numdifftools
import numpy as np
from scipy import optimize
from scipy.optimize._numdiff import approx_derivative

from pytest_gradcheck import check_gradients
from reference_engine import grad
from tests.benchmarks import timing
from tests.benchmarks.detection import SAID, Check, compared, every
from tests.benchmarks.tables import Aim, Ratio, Table, figures
from tests.core.test_wrong_functions import HAND, ByHand

PACKAGES = ("numpy", "scipy", "numdifftools")
OURS, SCIPY, THREE, NUMDIFF = "check_gradients", "scipy check_grad", "scipy, 3 points", "numdifftools"

#: Above this, of the gradient's size, the error that `check_grad` returns is called one.
CHECK_GRAD = 1e-5

#: The same for those that are compared entry by entry, relative to the entry.
ENTRY = 1e-6


class Flat:
    """A function of arrays, and its gradient, as a function of one vector, which is what the peers take."""

    def __init__(self, fn: Callable[..., Any], gradient: Callable[..., Any], inputs: Any) -> None:
        self._fn, self._gradient = fn, gradient
        self._inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        self.x = np.concatenate([np.ravel(x) for x in self._inputs]).astype(float)

    def _apart(self, x: Any) -> list[Any]:
        sizes = np.cumsum([np.size(part) for part in self._inputs])[:-1]
        parts = [
            part.reshape(np.shape(like)) for part, like in zip(np.split(x, sizes), self._inputs, strict=True)
        ]
        # Of NumPy's scalars, as a number is given.
        return [part[()] for part in parts]

    def value(self, x: Any) -> float:
        """The function."""
        return float(self._fn(*self._apart(np.asarray(x))))

    def gradient(self, x: Any) -> Any:
        """The gradient on trial."""
        found = self._gradient(*self._apart(np.asarray(x)))
        parts = found if isinstance(found, tuple) else (found,)
        return np.concatenate([np.ravel(part) for part in parts])


def contestants(fn: Callable[..., Any], gradient: Callable[..., Any], inputs: Any) -> dict[str, Check]:
    """Who checks a gradient of a scalar function."""
    flat = Flat(fn, gradient, inputs)

    def by_entries(differences: Callable[[], Any]) -> str:
        close = np.allclose(flat.gradient(flat.x), differences(), rtol=ENTRY, atol=ENTRY**2)
        return "pass" if close else "fail"

    def by_norm() -> str:
        error = optimize.check_grad(flat.value, flat.gradient, flat.x)
        # A nan compares false, so it does not pass.
        size = max(1.0, float(np.linalg.norm(flat.gradient(flat.x))))
        return "pass" if error < CHECK_GRAD * size else "fail"

    return {
        OURS: lambda: str(check_gradients(fn, inputs, gradient=gradient).verdict),
        SCIPY: by_norm,
        THREE: lambda: by_entries(lambda: approx_derivative(flat.value, flat.x, method="3-point")),
        NUMDIFF: lambda: by_entries(lambda: numdifftools.Gradient(flat.value)(flat.x)),
    }


def correct(case: ByHand) -> Callable[..., Any]:
    """The right gradient of a function, by the engine."""
    count = len(case.inputs) if isinstance(case.inputs, tuple) else 1
    return grad(case.function, argnums=tuple(range(count)) if count > 1 else 0)


def found(quick: bool) -> Table:
    """Wrong gradients, and the right ones of the same functions."""
    scalar = {case.what: case for case in HAND if np.ndim(case.function(*_arguments(case))) == 0}
    cases = every(scalar, quick)
    rows = []
    misjudged = 0
    for kind, gradient, right in (("wrong", lambda c: c.gradient, "fail"), ("right", correct, "pass")):
        said, ms = compared(
            {name: contestants(c.function, gradient(c), c.inputs) for name, c in cases.items()},
            1 if quick else 2,
        )
        misjudged += len(cases) - said[OURS][right]
        for name, answers in said.items():
            counts = [str(answers[what]) for what in SAID]
            rows.append([f"{kind}, {name}", *counts, *figures(ms[name], ms[name] / ms[SCIPY])])
    return Table(
        "Gradients of NumPy code",
        f"{len(cases)} scalar functions of our tests with a gradient written by hand that is wrong, at one "
        "point each, and the same with the right one, which the engine gives. The others are "
        "`scipy.optimize.check_grad`, which takes forward differences and returns an error; scipy's "
        '`approx_derivative(method="3-point")`; and `numdifftools.Gradient`. They leave it to their user '
        f"what is too large: here `check_grad` fails above {CHECK_GRAD:g} of the gradient's norm, the other "
        f"two where an entry is off by more than {ENTRY:g} of itself. Milliseconds are the median over the "
        "functions; the last column is that line's over `check_grad`'s.",
        ["", *SAID, "ms", "over check_grad"],
        rows,
        [Aim("of these that `check_gradients` judges otherwise,", 0, misjudged)],
    )


def _arguments(case: ByHand) -> tuple[Any, ...]:
    return case.inputs if isinstance(case.inputs, tuple) else (case.inputs,)


def regression(n: int) -> tuple[Callable[..., Any], Callable[..., Any], Any]:
    """A logistic regression of so many weights, its gradient, and a point."""
    random = np.random.default_rng(n)
    features, labels = random.normal(size=(100, n)), random.integers(0, 2, 100)

    def loss(w: Any) -> Any:
        scores = features @ w
        return (np.logaddexp(0, scores) - labels * scores).mean()

    def gradient(w: Any) -> Any:
        return features.T @ (1 / (1 + np.exp(-(features @ w))) - labels) / 100

    return loss, gradient, random.normal(size=n) / np.sqrt(n)


def times(quick: bool) -> Table:
    """By size."""
    rows: list[Sequence[str]] = []
    over: dict[str, list[float]] = {peer: [] for peer in (SCIPY, THREE, NUMDIFF)}
    for n in (5, 10) if quick else (10, 50, 200, 1000):
        checks = contestants(*regression(n))
        runs = {name: partial(_must_pass, check) for name, check in checks.items()}
        seconds = timing.best(runs, 1 if quick else 5)
        for peer, ratios in over.items():
            ratios.append(seconds[OURS] / seconds[peer])
        rows.append(
            [
                f"{n:,}",
                *figures(*(seconds[name] * 1e3 for name in runs)),
                *figures(*(seconds[OURS] / seconds[name] for name in runs if name != OURS)),
            ]
        )
    peers = [SCIPY, THREE, NUMDIFF]
    return Table(
        "A check of a NumPy gradient",
        "Milliseconds for the right gradient of a logistic regression of so many weights, on 100 rows; then "
        "ours over each. Ours compares it with differences, the reference engine and torch; the others with "
        "differences alone.",
        ["weights", f"{OURS}, ms", *peers, *(f"over {peer}" for peer in peers)],
        rows,
        ratios=[Ratio(f"a check of a NumPy gradient, over {peer}", ratios) for peer, ratios in over.items()],
    )


def _must_pass(check: Check) -> None:
    assert check() == "pass"


def run(quick: bool) -> Iterator[Table]:
    """Both tables."""
    yield found(quick)
    yield times(quick)
