"""The text that a person reads, and the data that a report is made of."""

import json
import re

import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.results import render
from pytest_gradcheck.testing import corrupt

pytestmark = pytest.mark.kernels


def wrong(n=3, **options):
    x = np.linspace(-1, 1, n)
    return check_gradients(
        lambda x: np.sin(x).sum(), x, gradient=lambda x: np.cos(x) * (x != x[1]), **options
    )


def test_a_failure_says_who_where_how_far_and_how_to_reproduce_it():
    text = str(wrong())

    assert "culprit:   user" in text
    assert "d output / d x[1]" in text
    for name in ("central", "forward", "reference", "torch", "user"):
        assert f"    {name}" in text
    assert "difference 1, allowed" in text
    assert "reproduce: check_gradients(fn, np.array([-1.0, 0.0, 1.0]), gradient=gradient, seed=" in text
    assert text.endswith("  # where fn and gradient can be named")


def test_no_value_is_said_to_differ_where_all_agree():
    class Flat(torch.autograd.Function):
        """Right, but for cotangents that do not lie in memory as they are read."""

        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g.as_strided(g.shape, (g.shape[1], 1))

    result = check_gradients(Flat.apply, torch.ones(3, 4, dtype=torch.float64))

    assert (result.verdict, result.diagnosis.code) == ("fail", "non-contiguous-cotangents")
    assert "culprit:   torch" in str(result)
    lines = str(result).splitlines()
    assert lines[0] == "broken property: Flat.apply"
    assert not any(line.startswith("  worst at") for line in lines)
    compared = lines.index("  compared:  the gradient of x")
    assert lines[compared + 1].startswith("    as usual ")
    assert lines[compared + 2].startswith("    with non-contiguous cotangents")
    assert '  declared:  properties=("-non-contiguous-cotangents",) leaves this property out' in lines


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("fn", [torch.tanh, torch.exp, lambda x: x.softmax(0), lambda x: (x * x.sin()).sum()])
def test_the_sensitivity_that_is_said_to_be_enough_is(fn, dtype):
    x = torch.linspace(-1.5, 2, 8, dtype=torch.float64).to(dtype)
    # What is proven needs no error bars.
    measured = ("central", "forward", "reference", "torch")
    result = check_gradients(fn, x, sensitivity=1e-3, methods=measured)
    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "unresolved"), str(result)
    (enough,) = re.findall(r"\(sensitivity=(.*)\)$", result.diagnosis.text)
    assert 0.001 < float(enough) < 0.5
    assert check_gradients(fn, x, sensitivity=float(enough)).verdict == "pass"


@pytest.mark.parametrize("n", [3, 100, 10000])
def test_a_failure_is_at_most_25_lines(n):
    text = str(wrong(n))

    assert len(text.splitlines()) <= 25
    assert max(len(line) for line in text.splitlines()) <= 4100


def test_many_inputs_do_not_make_it_longer():
    names = [f"input_{i}" for i in range(40)]
    inputs = {name: torch.randn(2) for name in names}
    result = check_gradients(corrupt(lambda **kw: sum(kw.values()).sin(), "double"), inputs)

    assert result.verdict == "fail"
    assert len(str(result).splitlines()) <= 25
    assert len(render(result, full=True).splitlines()) > 40


def test_the_printed_input_is_exact():
    result = wrong(7)
    namespace = {"np": np}

    np.testing.assert_array_equal(eval(result.inputs["x"], namespace), np.linspace(-1, 1, 7))


def test_a_result_is_plain_json():
    results = [
        wrong(),
        check_gradients(lambda x: 1 / x, np.zeros(2)),
        check_gradients(lambda x: np.sqrt(x), 0.0),
        check_gradients(torch.sin, torch.ones(3)),
    ]
    for result in results:
        data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        assert data["verdict"] == result.verdict
        assert set(data) >= {
            "name",
            "culprit",
            "methods",
            "pairs",
            "worst",
            "diagnosis",
            "sensitivity",
            "reproduce",
        }


def test_a_result_at_a_prompt_is_one_line():
    found = check_gradients(np.sum, np.ones(2), gradient=lambda x: 0.5 * x)
    line = f"<CheckResult fail, sum: {found.diagnosis.code}: {found.diagnosis.text}>"
    assert repr(found) == line
    assert "\n" not in line


def test_results_are_frozen():
    with pytest.raises(AttributeError):
        wrong().verdict = "pass"
