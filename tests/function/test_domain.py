"""Where a check may evaluate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gradcheck import check_gradients

pytestmark = pytest.mark.kernels


@given(
    low=st.floats(-10, 10, allow_subnormal=False),
    width=st.floats(1e-6, 10),
    at=st.integers(0, 100).map(lambda k: k / 100),
)
def test_no_evaluation_leaves_the_domain(low, width, at):
    high = low + width
    point = min(max(low + at * width, low), high)
    seen = []

    def fn(x):
        seen.append(float(x))
        return x * x

    result = check_gradients(
        fn, point, domain=(low, high), methods=("central", "forward", "user"), gradient=lambda x: 2 * x
    )

    assert min(seen) >= low
    assert max(seen) <= high
    # Below 1e-150 the square underflows, and there is nothing to see.
    assert result.verdict == "pass" or 0 < abs(point) < 1e-150, str(result)


@pytest.mark.parametrize("size", [3, 30])
def test_at_the_edge_of_the_domain_one_side_is_enough(size):
    x = np.concatenate([np.zeros(size - 2), [0.5, 1.0]])

    def fn(x):
        assert (x >= 0).all()
        assert (x <= 1).all()
        return (x**2 * np.arange(1, size + 1)).sum() + x.sum()

    def gradient(x):
        return 2 * x * np.arange(1, size + 1) + 1

    for methods in (("central", "user"), ("forward", "user")):
        right = check_gradients(fn, x, domain={"x": (0, 1)}, gradient=gradient, methods=methods)
        wrong = check_gradients(fn, x, domain=(0, 1), gradient=lambda x: 1.01 * gradient(x), methods=methods)
        assert right.verdict == "pass", str(right)
        assert wrong.verdict == "fail", str(wrong)
