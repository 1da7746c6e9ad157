import numpy as np
import pytest

from reference_engine import Tensor, perturbed, vjp

pytestmark = pytest.mark.kernels


def spread(f, x, scale=1e-7):
    """How far the gradients of a few disturbed runs are from the undisturbed one, in units of the scale."""
    exact = vjp(f, x)[1](1.0)[0]
    found = []
    for seed in range(8):
        with perturbed(scale, seed):
            found.append(np.abs(vjp(f, x)[1](1.0)[0] - exact).max())
    return max(found) / scale


def test_a_well_conditioned_gradient_hardly_moves():
    assert 0 < spread(lambda x: np.sin(x) * np.exp(x), np.float64(0.7)) < 20


def test_cancellation_is_amplified():
    def saturated(x):
        y = np.tanh(x)
        return y * y

    relative = spread(saturated, np.float64(9.0)) / abs(vjp(saturated, np.float64(9.0))[1](1.0)[0])
    assert relative > 1e5


def test_a_gradient_that_is_rounding_alone_is_seen_as_such():
    def total(x):
        e = np.exp(x)
        return np.sum(e / np.sum(e))

    x = np.array([0.3, -1.0, 0.8])
    assert spread(total, x) > 1e-3


def test_moving_entries_rounds_nothing():
    def moved(x):
        return np.sum(np.concatenate([x.reshape(-1)[::-1], -x.T.reshape(-1)])[2:5] * 0.5 ** np.arange(3))

    x = np.arange(6.0).reshape(2, 3)
    with perturbed(1e-3, 0):
        gradient = vjp(lambda x: np.transpose(x)[::-1].reshape(-1)[0], x)[1](1.0)[0]
    np.testing.assert_array_equal(gradient, [[0, 0, 1], [0, 0, 0]])
    assert spread(moved, x) < 10


def test_the_parts_of_a_complex_number_are_disturbed_on_their_common_scale():
    z = Tensor(np.array([4 + 1e-3j]), requires_grad=True)
    with perturbed(1e-7, 0):
        moved = (z * z).data - z.data * z.data
    assert 1e-8 < abs(moved.imag[0]) / abs(z.data[0]) ** 2 < 1e-7


def test_it_ends_with_the_context_and_the_same_seed_gives_the_same():
    x = Tensor(2.0, requires_grad=True)
    with perturbed(1e-3, 5):
        first = float((x * x).data)
    with perturbed(1e-3, 5):
        second = float((x * x).data)
    assert first == second != 4.0
    assert float((x * x).data) == 4.0


@pytest.mark.parametrize("scale", [0, -1e-7, 1, float("nan")])
def test_a_scale_that_is_no_rounding_is_refused(scale):
    with pytest.raises(ValueError, match="scale must be between 0 and 1"), perturbed(scale, 0):
        pass
