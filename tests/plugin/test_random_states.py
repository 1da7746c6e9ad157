"""Global random numbers stand where they stood, after a check and after a test, however it ends."""

from __future__ import annotations

from typing import Any

import pytest

SOURCE = """
import random
import torch
from pytest_gradcheck import tensors

def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

@pytest.fixture(autouse=True)
def kept():
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    before = states()
    yield
    assert states() == before

class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return 3 * g * torch.rand(())

def draw(x):
    noise = random.random() + np.random.rand() + float(torch.rand(()))
    return x * noise

@pytest.mark.gradcheck(x=tensors(2))
def test_right(x):
    return draw(x)

@pytest.mark.gradcheck(x=tensors(2))
def test_wrong(x):
    return Wrong.apply(draw(x))

@pytest.mark.gradcheck(x=tensors(2))
def test_error(x):
    draw(x)
    raise ZeroDivisionError

@given(tensors(2))
def test_fixture(gradcheck, x):
    before = states()
    gradcheck(draw, x)
    with pytest.raises(AssertionError):
        gradcheck(lambda x: Wrong.apply(draw(x)), x + 1)
    assert states() == before
"""


def test_states_are_kept(project: Any) -> None:
    pytest.importorskip("torch", reason="one of the three generators is torch's")
    project.write(test_it=SOURCE)
    result = project.run()
    # A state that moved would be an error in the teardown of its test.
    result.assert_outcomes(passed=2, failed=2)
    assert "wrong gradient: test_wrong" in result.outlines
    result.stdout.fnmatch_lines(["*ZeroDivisionError*"])


def test_states_are_kept_after_ctrl_c(project: Any) -> None:
    pytest.importorskip("torch", reason="one of the three generators is torch's")
    project.write(
        test_it=SOURCE.partition("@pytest.mark.gradcheck")[0]
        + """
@pytest.mark.gradcheck(x=tensors(2))
def test_interrupted(x):
    draw(x)
    raise KeyboardInterrupt
"""
    )
    project.conftest(
        """
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(item):
            import test_it

            before = test_it.states()
            try:
                yield
            except KeyboardInterrupt:
                # Swallowed here, where it would end this run of pytest as well.
                assert test_it.states() == before
                print("the states are kept")
        """
    )
    project.run("-s").stdout.fnmatch_lines(["*the states are kept*"])
