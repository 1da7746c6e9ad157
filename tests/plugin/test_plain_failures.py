"""A failure is shown at a point where the fault is plain; the smallest example is there to try it again."""

from __future__ import annotations

import re
from typing import Any

import pytest

GRADIENTS = """
    import math
    import numpy as np
    from hypothesis import settings
    from pytest_gradcheck import arrays, scalars

    TWO = {"min_value": -2, "max_value": 2}

    @settings(max_examples=100)
    @pytest.mark.gradcheck(h=arrays(4, min_value=0.3, max_value=3), gradient=lambda h: h * (1 / h + 2 * h))
    def test_by_logarithms(h):
        return np.sum(np.log(h) + h**2)

    def layer(W, x):
        d = 1 - np.tanh(W @ x) ** 2
        return np.outer(d, x), W @ d

    @settings(max_examples=100)
    @pytest.mark.gradcheck(W=arrays((3, 3), **TWO), x=arrays(3, **TWO), gradient=layer)
    def test_missing_transpose(W, x):
        return np.sum(np.tanh(W @ x))

    def slopes(a, b):
        return math.cos(a), 0.0

    @settings(max_examples=100)
    @pytest.mark.gradcheck(a=scalars(**TWO), b=scalars(min_value=0, max_value=1), gradient=slopes)
    def test_small_and_large(a, b):
        a, b = float(a), float(b)
        return math.sin(a) * (1 + 4e-4 * math.cos(a)) + b**3 + b

    def residual(p):
        return np.stack([p[0] * p[1], p[1] - p[2] ** 2, np.exp(p[0]) * p[2]])

    def transposed(p):
        return np.array([[p[1], p[0], 0], [0, 1, -2 * p[2]], [np.exp(p[0]) * p[2], 0, np.exp(p[0])]]).T

    @settings(max_examples=100)
    @pytest.mark.gradcheck(p=arrays(3, **TWO), gradient=transposed)
    def test_transposed(p):
        return residual(p)

    def first_row(x, w):
        return 2 * x * w**2, 2 * x[0] ** 2 * w

    @settings(max_examples=100)
    @pytest.mark.gradcheck(x=arrays((4, 3), **TWO), w=arrays(3, **TWO), gradient=first_row)
    def test_first_row(x, w):
        return np.sum((x * w) ** 2)

    @settings(max_examples=100)
    @pytest.mark.gradcheck(x=arrays(5, **TWO), gradient=lambda x: np.cumsum(np.cos(x)))
    def test_sum_from_the_wrong_end(x):
        return np.sum(np.sin(x) * np.arange(5.0, 0.0, -1.0))

    @settings(max_examples=100)
    @pytest.mark.gradcheck(x=arrays(4, **TWO), gradient=lambda x: x + x**2)
    def test_another_power(x):
        return np.sum(x + x**2)
"""

TRUE_WHERE_PLAIN = {
    "by_logarithms": "differs from the other methods in all 4 entries [wrong-values]",
    "missing_transpose": "is wrong for x only; it is right where W is symmetric [one-input]",
    "small_and_large": "is zero but should not be",
    "transposed": "your gradient for p is transposed [transposed]",
    "first_row": "takes the first entry of axis 0, along which multiply broadcasts",
    "sum_from_the_wrong_end": "[wrong-values]",
    "another_power": "[wrong-values]",
}


@pytest.mark.parametrize("name", TRUE_WHERE_PLAIN)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.sweep)])
def test_the_diagnosis_is_of_a_point_where_the_fault_is_plain(project: Any, name: str, seed: int) -> None:
    project.write(test_it=GRADIENTS)
    run = project.run("-k", f"test_{name}", f"--hypothesis-seed={seed}", "--gradcheck-report=report.json")
    run.assert_outcomes(failed=1)
    text = run.stdout.str()
    assert TRUE_WHERE_PLAIN[name] in re.search(r"diagnosis: .*", text)[0]  # type: ignore[index]  # there is one
    (check,) = project.report()["checks"]
    assert set(check["shown_at"]) == set(check["inputs"])
    assert check["shown_at"] != check["inputs"]
    lines = [line.strip() for line in text.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("seen at:"))
    assert lines[at + 1] == "smallest failing example:"
    smallest = ", ".join(f"{key}={source}" for key, source in check["inputs"].items())
    assert lines[at + 2] == f"try again: @example({smallest})"


def test_a_fault_at_the_smallest_example_alone_is_shown_there(project: Any) -> None:
    project.write(
        test_it="""
        @pytest.mark.gradcheck(x=st.sampled_from([1.0, 2.0]), gradient=lambda x: 3 * x)
        def test_a(x):
            return x * x
        """
    )
    run = project.run("--gradcheck-report=report.json")
    run.stdout.no_fnmatch_line("*seen at:*")
    assert project.report()["checks"][0]["shown_at"] == {}
