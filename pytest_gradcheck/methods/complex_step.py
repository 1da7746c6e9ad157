"""The complex step: derivatives of analytic NumPy code to the last digit, from points next to the real line.

``Im f(x + ih) / h`` subtracts nothing, so h may be as small as can be (Squire and Trapp, SIAM Review 40,
1998). Code that takes an absolute value or a real part is not analytic, and is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.leaves import EPS64, like
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.methods.base import GradientAlone

#: Relative to each input: far below the roundoff of its square, far above what underflows.
STEP = 2.0**-100

#: Relative step of the test for being analytic: its square is seen next to roundoff, its fourth power is not.
PROBE = 1e-4


def prepare(problem: Problem) -> Pullback:
    """Evaluate the function once per input, a tiny imaginary step away; the Jacobian's pullback."""
    if problem.framework.differentiates:
        raise Unavailable("the complex step takes NumPy and Python code")
    if any(leaf.is_complex for leaf in (*problem.inputs.leaves, *problem.outputs.leaves)):
        raise Unavailable("the complex step takes real inputs and outputs")
    step = np.fmax(STEP * np.where(problem.point == 0, 1.0, np.abs(problem.point)), 1e-290)
    columns = np.empty((problem.outputs.size, problem.inputs.size))
    primal = problem.value
    for i, h in enumerate(step):
        there = problem.point.astype(np.complex128)
        there[i] += 1j * h
        value = _evaluate(problem, there)
        columns[:, i], primal = value.imag / h, value.real
    _must_be_analytic(problem)
    return _ComplexStep(problem, np.asarray(primal), EPS64, columns, evaluations=problem.inputs.size + 4)


class _ComplexStep(GradientAlone):
    whose, once = "the complex step", "has no second derivative"


def _evaluate(problem: Problem, vector: Any) -> Any:
    """Return the function's outputs at a complex point, flat."""
    originals = problem.native_values()
    values = [
        like(vector[leaf.start : leaf.stop].reshape(leaf.shape), original, double=True)
        for leaf, original in zip(problem.inputs.leaves, originals, strict=True)
    ]
    with np.errstate(all="ignore"):
        outs = [np.asarray(out) for out in problem.call(values, double=True)]
    for leaf, out in zip(problem.outputs.leaves, outs, strict=True):
        if out.dtype.kind != "c":
            raise Unavailable(
                f"{leaf.name} is real for complex inputs: an absolute value, a real part or a constant"
            )
    return np.concatenate([out.reshape(-1) for out in outs])


def _must_be_analytic(problem: Problem) -> None:
    """Refuse a function whose second differences along the two axes do not cancel, so it is not analytic."""
    rng = np.random.default_rng(problem.seed)
    # A step of 1e-4 · 1e4 would not be small for a sine.
    size = np.where(problem.point == 0, 1.0, np.fmin(np.abs(problem.point), 1.0))
    d = PROBE * size * rng.uniform(0.5, 1.5, problem.point.size) * rng.choice([-1.0, 1.0], problem.point.size)
    value = problem.value
    along = problem.evaluate(problem.point + d) + problem.evaluate(problem.point - d) - 2 * value
    across = sum(_evaluate(problem, problem.point + s * 1j * d).real for s in (1, -1)) - 2 * value
    noise = 64 * EPS64 * np.abs(value).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        bad = np.abs(along + across) > 1e-2 * (np.abs(along) + np.abs(across)) + noise
    if bad.any():
        name, _ = problem.outputs.locate(int(np.argmax(bad)))
        raise Unavailable(f"{name} is not an analytic function of the inputs")
