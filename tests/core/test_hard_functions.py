"""Hard functions with right gradients: none is called wrong, and inconclusive ones have a listed reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.nn import functional

from docs.diagnoses_page.faults import wrong
from pytest_gradcheck import check_gradients

pytestmark = pytest.mark.kernels

#: All methods that are asked by themselves, without a proof on doubt.
MEASURED = ("central", "forward", "reference", "torch")

DOUBLE, BOTH = (torch.float64,), (torch.float64, torch.float32)


class Hard(NamedTuple):
    """A right function at one point, the dtypes that its tensors are checked in, and the check's options."""

    function: Callable[..., Any]
    inputs: Any
    dtypes: tuple[torch.dtype, ...] = BOTH
    options: dict[str, Any] = {}  # noqa: RUF012  it is never written to


def of(*values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X = of(0.3, -1.2, 0.8, 1.5)
SYMMETRIC = drawn(3, 3) @ drawn(3, 3).T + torch.eye(3, dtype=torch.float64)


# -- loops, implicit functions, straight-through estimators ------------------------------------------------


def lorenz(x: Any) -> Any:
    for _ in range(60):
        a, b, c = x[0], x[1], x[2]
        x = x + 0.01 * torch.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c])
    return x


def runge_kutta(x: Any) -> Any:
    def rate(y: Any) -> Any:
        return torch.stack([y[1], -torch.sin(y[0])])

    for _ in range(20):
        a = rate(x)
        b = rate(x + 0.05 * a)
        c = rate(x + 0.05 * b)
        x = x + 0.1 / 6 * (a + 2 * b + 2 * c + rate(x + 0.1 * c))
    return x


def stiff(x: Any) -> Any:
    for _ in range(30):
        x = (x + 0.1 * torch.cos(x)) / (1 + 0.1 * 1000.0)
    return x


def logistic_map(x: Any) -> Any:
    for _ in range(12):
        x = 3.9 * x * (1 - x)
    return x


def root(x: Any) -> Any:
    """The y at which y³ + y = x, by Newton's method."""
    y = torch.zeros_like(x)
    for _ in range(60):
        y = y - (y**3 + y - x) / (3 * y**2 + 1)
    return y


implicit_root = wrong(root, lambda g, x: g / (3 * root(x) ** 2 + 1))


def kepler(mean: Any, eccentricity: Any) -> Any:
    e = mean.clone()
    for _ in range(50):
        e = e - (e - eccentricity * e.sin() - mean) / (1 - eccentricity * e.cos())
    return e


def of_kepler(g: Any, mean: Any, eccentricity: Any) -> Any:
    e = kepler(mean, eccentricity)
    slope = g / (1 - eccentricity * e.cos())
    return slope, slope * e.sin()


implicit_kepler = wrong(kepler, of_kepler)


def equilibrium(weight: Any, x: Any) -> Any:
    z = torch.zeros_like(x)
    for _ in range(200):
        z = torch.tanh(weight @ z + x)
    return z


def of_equilibrium(g: Any, weight: Any, x: Any) -> Any:
    z = equilibrium(weight, x)
    slope = 1 - z * z
    jacobian = torch.eye(len(x), dtype=x.dtype) - slope[:, None] * weight
    u = torch.linalg.solve(jacobian.T, g) * slope
    return torch.outer(u, z), u


implicit_equilibrium = wrong(equilibrium, of_equilibrium)


def straight_round(x: Any) -> Any:
    return (x + (x.round() - x).detach()) ** 2


def straight_binary(x: Any) -> Any:
    return torch.sigmoid(x) * 3 + ((x > 0).to(x.dtype) - torch.sigmoid(x)).detach()


def quantized(x: Any) -> Any:
    codes = torch.linspace(-2, 2, 5, dtype=x.dtype)
    nearest = codes[(x[:, None] - codes).abs().argmin(1)]
    return (x + (nearest - x).detach()).sin() + 0.25 * (x - nearest.detach()) ** 2


def chosen(x: Any) -> Any:
    soft = ((x - (-torch.rand(2, 3, dtype=x.dtype).log()).log()) / 0.7).softmax(-1)
    hard = functional.one_hot(soft.argmax(-1), 3).to(x.dtype)
    return (hard - soft.detach() + soft) * torch.arange(3, dtype=x.dtype)


MEANT = {"stop_gradients": "intended"}

# -- layers --------------------------------------------------------------------------------------------

LAYERS: dict[str, Hard] = {
    "attention": Hard(
        functional.scaled_dot_product_attention,
        (drawn(1, 2, 4, 3), drawn(1, 2, 4, 3, seed=1), drawn(1, 2, 4, 3, seed=2)),
    ),
    "attention that saturates": Hard(
        lambda q, k, v: torch.softmax(30 * q @ k.T, -1) @ v,
        (drawn(4, 3), drawn(4, 3, seed=1), drawn(4, 3, seed=2)),
    ),
    "layer norm": Hard(lambda x: functional.layer_norm(x, (4,)), drawn(3, 4)),
    "layer norm of nearly equal numbers": Hard(
        lambda x: functional.layer_norm(x, (4,)), 1 + 1e-3 * drawn(3, 4)
    ),
    "batch norm": Hard(lambda x: functional.batch_norm(x, None, None, training=True), drawn(5, 3)),
    "group norm": Hard(lambda x: functional.group_norm(x, 2), drawn(2, 4, 3)),
    "instance norm": Hard(functional.instance_norm, drawn(2, 3, 5)),
    "convolution": Hard(
        lambda x, w: functional.conv2d(x, w, padding=1, stride=2),
        (drawn(1, 2, 5, 5), drawn(3, 2, 3, 3, seed=1)),
    ),
    "transposed convolution": Hard(
        lambda x, w: functional.conv_transpose2d(x, w, stride=2),
        (drawn(1, 2, 3, 3), drawn(2, 2, 3, 3, seed=1)),
    ),
    "maximum pooling": Hard(lambda x: functional.max_pool2d(x, 2), drawn(1, 2, 4, 4)),
    "maximum pooling of equal numbers": Hard(lambda x: functional.max_pool2d(x, 2), 0 * drawn(1, 1, 2, 2)),
    "cubic interpolation": Hard(
        lambda x: functional.interpolate(x, scale_factor=1.7, mode="bicubic", align_corners=False),
        drawn(1, 1, 4, 4),
    ),
    "sampling of a grid": Hard(
        lambda x, grid: functional.grid_sample(x, grid, align_corners=False),
        (drawn(1, 1, 4, 4), 0.4 * drawn(1, 2, 3, 2, seed=1)),
    ),
    "cross entropy of sure wrong answers": Hard(
        lambda x: functional.cross_entropy(x, torch.tensor([0, 1])), of([-40.0, 30.0, 1.0], [50.0, 2.0, -3.0])
    ),
    "cross entropy of sure right answers": Hard(
        lambda x: functional.cross_entropy(x, torch.tensor([1, 0])), of([-40.0, 30.0, 1.0], [50.0, 2.0, -3.0])
    ),
    "connectionist classification": Hard(
        lambda x: functional.ctc_loss(
            x.log_softmax(-1), torch.tensor([[1, 2]]), torch.tensor([6]), torch.tensor([2])
        ),
        drawn(6, 1, 4),
    ),
    "recurrent network": Hard(
        lambda x, w, u: torch.stack(
            [h := torch.zeros_like(x[0])] + [h := torch.tanh(w @ h + u @ step) for step in x]
        ),
        (drawn(5, 3), drawn(3, 3, seed=1), drawn(3, 3, seed=2)),
    ),
}

# -- kinks ---------------------------------------------------------------------------------------------

KINKS: dict[str, Hard] = {
    "rectifier at zero": Hard(functional.relu, of(0.0, 1.0, -1.0)),
    "rectifier next to zero": Hard(functional.relu, of(1e-7, -1e-7, 1.0)),
    "absolute value at zero": Hard(torch.abs, of(0.0, 0.3)),
    "norm at zero": Hard(torch.linalg.vector_norm, of(0.0, 0.0)),
    "norms at zero and elsewhere": Hard(
        lambda x: torch.linalg.vector_norm(x, dim=1), of([0.0, 0.0], [3.0, 4.0])
    ),
    "clamp at its bounds": Hard(lambda x: x.clamp(-1, 1), of(-1.0, 1.0, 0.2)),
    "hinge at its corner": Hard(lambda x: functional.relu(1 - x) ** 2, of(1.0, 0.5)),
    "largest of equal numbers": Hard(torch.amax, of(1.0, 1.0, 0.5)),
    "sort of equal numbers": Hard(lambda x: x.sort().values, of(1.0, 1.0, 0.5)),
    "median of equal numbers": Hard(torch.median, of(1.0, 1.0, 1.0)),
    "Huber loss at its corner": Hard(
        lambda x: functional.huber_loss(x, torch.zeros_like(x), reduction="none"), of(1.0, -1.0, 0.2)
    ),
    "shrinkage at its threshold": Hard(lambda x: functional.softshrink(x, 0.5), of(0.5, -0.5, 0.7)),
    "root of an absolute value at zero": Hard(lambda x: x.abs().sqrt(), of(0.0, 0.3)),
    "cube root": Hard(lambda x: x.sign() * x.abs() ** (1 / 3), of(1e-6, -0.3)),
    "staircase": Hard(torch.floor, of(0.3, 1.7)),
    "staircase on a stair's edge": Hard(lambda x: x.floor() + x, of(1.0, 0.3)),
    "absolute value of a product of waves": Hard(lambda x: (x.sin() * x.cos()).abs(), of(0.3, 1.2)),
}

# -- steep, oscillating, large and small ---------------------------------------------------------------

SIZES: dict[str, Hard] = {
    "a steep sigmoid": Hard(lambda x: torch.sigmoid(1e4 * (x - 1)), of(1.0, 1.0001, 0.5)),
    "a wave of high frequency": Hard(lambda x: torch.sin(1e5 * x), of(0.3, 1.2)),
    "a chirp": Hard(lambda x: torch.sin(1 / x), of(1e-3, 0.1)),
    "a narrow bump": Hard(lambda x: torch.exp(-((x - 1) ** 2) / 1e-8), of(1.00005, 1.0)),
    "a sum of small and large": Hard(lambda x: 1e8 + x.sin(), X, DOUBLE),
    "a difference of large numbers": Hard(lambda x: (x + 1e7) ** 2 - 2e7 * x - 1e14, X, DOUBLE),
    "exponentials of every size": Hard(
        lambda x: (x * of(1, 10, 100, 80).to(x.dtype)).exp(), of(1.0, -2.0, 0.8, -1.0)
    ),
    "a power of thirty": Hard(lambda x: x**30, of(1.7, 0.3, -1.1)),
    "values of 1e30": Hard(lambda x: x * x, 1e30 * X, DOUBLE),
    "values of 1e15 in float32 too": Hard(lambda x: x * x, 1e15 * X),
    "values of 1e-30": Hard(lambda x: x * x.cos(), 1e-30 * X),
    "values of 1e-150": Hard(lambda x: x * x, 1e-150 * X, DOUBLE),
    "inputs of very different size": Hard(lambda x, y: (x * y).sin(), (1e8 * X, 1e-8 * X)),
    "entries of very different size": Hard(lambda x: x.log(), of(1e-12, 1.0, 1e12)),
    "a product of a hundred": Hard(lambda x: x.repeat(25).prod(), of(1.1, 0.9, 1.3, 0.8)),
    "logarithm of a sum of exponentials, far out": Hard(lambda x: x.logsumexp(0), of(1000.0, 999.0, -1000.0)),
    "saturated sigmoid": Hard(torch.sigmoid, of(40.0, -40.0, 0.1)),
    "saturated tangent": Hard(torch.tanh, of(19.0, -12.0, 0.1)),
    "tail of the normal distribution": Hard(lambda x: torch.special.log_ndtr(x), of(-30.0, -8.0, 2.0)),
    "complementary error function, far out": Hard(torch.erfc, of(5.0, 9.0, 0.3)),
    "log(1 - exp(-x)) near zero": Hard(lambda x: (-torch.expm1(-x)).log(), of(1e-9, 1e-3, 2.0)),
    "1 - cos x near zero": Hard(lambda x: 1 - x.cos(), of(1e-4, -3e-4)),
    "sin x - x near zero": Hard(lambda x: x.sin() - x, of(1e-3, -2e-3), DOUBLE),
    "logarithm of a gamma function": Hard(torch.lgamma, of(1e-5, 0.5, 100.0)),
    "tangent next to its pole": Hard(torch.tan, of(1.5707, -1.57)),
    "arc sine at the end of its range": Hard(torch.asin, of(1 - 1e-9, 0.5), DOUBLE),
    "softmax of far apart numbers": Hard(lambda x: x.softmax(0), of(0.0, 60.0, -60.0)),
    "rational function of Runge": Hard(lambda x: 1 / (1 + 25 * x * x), of(-0.2, 0.0, 0.7)),
    "variance of nearly equal numbers": Hard(torch.var, 100 + 1e-2 * X),
    "zero where nothing moves": Hard(lambda x: x * 0, X),
}

# -- linear algebra, loops -----------------------------------------------------------------------------

ALGEBRA: dict[str, Hard] = {
    "eigenvalues": Hard(lambda a: torch.linalg.eigvalsh(a + a.T), SYMMETRIC),
    "projection on eigenvectors": Hard(
        lambda a: (v := torch.linalg.eigh(a + a.T).eigenvectors[:, :1]) @ v.T, SYMMETRIC
    ),
    "eigenvalues close to each other": Hard(
        lambda a: torch.linalg.eigvalsh(a + a.T), torch.diag(of(1.0, 1.0 + 1e-5, 2.0)), DOUBLE
    ),
    "equal eigenvalues": Hard(
        lambda a: torch.linalg.eigvalsh(a + a.T), torch.eye(2, dtype=torch.float64), DOUBLE
    ),
    "singular values": Hard(torch.linalg.svdvals, drawn(3, 2)),
    "nearest matrix of rank one": Hard(
        lambda a: (s := torch.linalg.svd(a, full_matrices=False)) and s.S[0] * s.U[:, :1] @ s.Vh[:1],
        drawn(3, 2),
    ),
    "nuclear norm": Hard(lambda a: torch.linalg.matrix_norm(a, "nuc"), drawn(3, 3)),
    "pseudoinverse": Hard(torch.linalg.pinv, drawn(3, 2)),
    "Cholesky factor": Hard(
        lambda a: torch.linalg.cholesky(a @ a.T + torch.eye(3, dtype=a.dtype)), drawn(3, 3)
    ),
    "logarithm of a determinant": Hard(torch.logdet, SYMMETRIC),
    "solve with an ill-conditioned matrix": Hard(
        torch.linalg.solve, (torch.diag(of(1.0, 1e-3, 1e-6)) + 1e-7 * drawn(3, 3), drawn(3)), DOUBLE
    ),
    "Hilbert's matrix": Hard(
        torch.linalg.inv, 1 / (torch.arange(4.0).double()[:, None] + torch.arange(4.0) + 1), DOUBLE
    ),
    "exponential of a matrix": Hard(torch.linalg.matrix_exp, drawn(3, 3)),
    "orthogonal part": Hard(lambda a: torch.linalg.qr(a).Q, drawn(3, 3)),
    "Lorenz's equations": Hard(lorenz, of(1.0, 2.0, 20.0)),
    "pendulum by Runge and Kutta": Hard(runge_kutta, of(1.0, 0.3)),
    "a stiff equation by implicit steps": Hard(stiff, of(1.0, -2.0)),
    "the logistic map": Hard(logistic_map, of(0.3, 0.71), DOUBLE),
    "Newton's method, step by step": Hard(root, X),
    "Newton's method, implicitly": Hard(implicit_root, X),
    "Kepler's equation, implicitly": Hard(implicit_kepler, (of(0.3, 2.0), of(0.2, 0.9))),
    "a fixed point of a network, implicitly": Hard(implicit_equilibrium, (0.3 * drawn(3, 3), drawn(3))),
    "rounding, straight through": Hard(straight_round, X, BOTH, MEANT),
    "a binary choice, straight through": Hard(straight_binary, X, BOTH, MEANT),
    "nearest code, straight through": Hard(quantized, X, BOTH, MEANT),
    "a random choice, straight through": Hard(chosen, drawn(2, 3), BOTH, MEANT),
}

ALL = LAYERS | KINKS | SIZES | ALGEBRA

#: Inconclusive functions by name and dtype, with the diagnosis code and why that is right.
INCONCLUSIVE: dict[tuple[str, torch.dtype], tuple[str, str]] = {}


def unclear(name: str, code: str, reason: str, *dtypes: torch.dtype) -> None:
    INCONCLUSIVE.update({(name, dtype): (code, reason) for dtype in dtypes})


unclear(
    "cross entropy of sure right answers",
    "unresolved",
    "the loss is 1e-13 next to scores of 50, and less than a rounding of them: in float64 it does not move",
    *BOTH,
)
unclear(
    "median of equal numbers",
    "methods-split",
    "moved alone, none of three equal numbers moves the median; slopes nearby are measured in float64 alone",
    torch.float32,
)
unclear(
    "root of an absolute value at zero",
    "singularity",
    "the slope is infinite on both sides, with different signs",
    *BOTH,
)
unclear("staircase on a stair's edge", "jump", "the function jumps at this point", *BOTH)
unclear(
    "a steep sigmoid", "unresolved", "a rounding of 1 in float32 moves the argument by 1e-3", torch.float32
)
unclear(
    "a wave of high frequency", "unresolved", "a rounding of the argument is 1e-3 of a wave", torch.float32
)
unclear(
    "a chirp",
    "unresolved",
    "a rounding of 1000 in float32 is 1e-5 of a wave, and its slope 1e6",
    torch.float32,
)
unclear(
    "a narrow bump", "unresolved", "a rounding of 1 in float32 is 1e-3 of the bump's width", torch.float32
)
unclear(
    "tangent next to its pole",
    "unresolved",
    "the pole is 1e-4 away, and a rounding of 1.57 in float32 a thousandth of that",
    torch.float32,
)
unclear(
    "variance of nearly equal numbers",
    "unresolved",
    "the mean of numbers near 100 is rounded to 1e-5 in float32, and they differ by 1e-2",
    torch.float32,
)

CASES = [
    pytest.param(name, dtype, id=f"{name}, {str(dtype)[6:]}")
    for name, hard in ALL.items()
    for dtype in hard.dtypes
]


def typed(inputs: Any, dtype: torch.dtype) -> Any:
    return tuple(x.to(dtype) for x in inputs) if isinstance(inputs, tuple) else inputs.to(dtype)


def test_every_entry_of_the_list_is_a_case() -> None:
    assert set(INCONCLUSIVE) <= {(name, dtype) for name, hard in ALL.items() for dtype in hard.dtypes}


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_a_right_gradient_is_not_called_wrong(name: str, dtype: torch.dtype) -> None:
    hard = ALL[name]
    inputs = typed(hard.inputs, dtype)
    if (name, dtype) in INCONCLUSIVE:
        # What values leave in doubt may be proven, and is never called wrong.
        settled = check_gradients(hard.function, inputs, **hard.options)
        assert settled.verdict == "inconclusive" or settled.diagnosis.code == "proved", str(settled)
        hard = hard._replace(options={"methods": MEASURED, **hard.options})
    result = check_gradients(hard.function, inputs, **hard.options)
    if (name, dtype) in INCONCLUSIVE:
        found = (result.verdict, result.diagnosis.code)
        assert found == ("inconclusive", INCONCLUSIVE[name, dtype][0]), str(result)
    else:
        assert result.verdict == "pass", str(result)
        assert result.culprit is None


# -- NumPy and Python ----------------------------------------------------------------------------------


def shooting(speed: Any) -> Any:
    x, v = 0.0, speed
    for _ in range(200):
        x, v = x + 0.01 * v, v - 0.01 * (9.81 + 0.1 * v * abs(v))
    return x


def continued(x: Any) -> Any:
    y = x
    for k in range(30, 0, -1):
        y = k + x / y
    return y


def mandelbrot(c: Any) -> Any:
    z = 0 * c
    for _ in range(8):
        z = z * z + c
    return np.abs(z)


N = np.array([0.3, -1.2, 0.8])

NUMPY: dict[str, tuple[Callable[..., Any], Any]] = {
    "a throw with friction, in a loop": (shooting, 7.3),
    "a continued fraction": (continued, 2.3),
    "an iteration of complex numbers": (mandelbrot, np.array([0.2 + 0.3j, -0.5 + 0.1j])),
    "a chain of branches": (lambda x: x**2 if x > 1 else (2 * x - 1 if x > 0 else -1.0), 1.0),
    "a rectifier on its dead side": (lambda x: np.maximum(x, 0).sum(), -np.abs(N)),
    "distances of points, one from itself": (
        lambda x: np.linalg.norm(x[:, None] - x[None] + np.eye(3)[:, :, None], axis=-1).sum(),
        np.array([[0.1, 0.2], [0.4, -0.3], [1.0, 0.5]]),
    ),
    "eigenvalues": (lambda a: np.linalg.eigvalsh(a + a.T), np.arange(9.0).reshape(3, 3) ** 0.5),
    "singular values of a long matrix": (
        lambda a: np.linalg.svd(a, compute_uv=False),
        np.sin(np.arange(8.0)).reshape(4, 2),
    ),
    "a logarithm of a determinant": (
        lambda a: np.linalg.slogdet(a @ a.T + np.eye(3))[1],
        np.outer(N, N) + 0.1,
    ),
    "an inverse transform of a spectrum": (lambda x: np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(x)), N),
    "a polynomial with large coefficients": (
        lambda x: np.polyval(np.array([1e6, -3e6, 3e6, -1e6]), x),
        1.001,
    ),
    "a scale of 1e200": (lambda x: 1e200 * np.tanh(x), N),
    "a scale of 1e-200": (lambda x: 1e-200 * np.tanh(x), N),
    "a softmax of far apart numbers": (
        lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
        np.array([0.0, 300.0, -300.0]),
    ),
}


@pytest.mark.parametrize("name", NUMPY)
def test_a_right_gradient_of_numpy_code_passes(name: str) -> None:
    fn, inputs = NUMPY[name]
    result = check_gradients(fn, inputs)
    assert result.verdict == "pass", str(result)
    assert result.culprit is None


@pytest.mark.parametrize(
    "name", ["a fixed point of a network, implicitly", "layer norm", "pendulum by Runge and Kutta", "a chirp"]
)
def test_a_right_gradient_of_a_gradient_passes(name: str) -> None:
    hard = ALL[name]
    result = check_gradients(hard.function, hard.inputs, order=2)
    assert result.verdict == "pass", str(result)
    assert result.order == 2


@pytest.mark.parametrize("options", [{"hard": True}, {"hard": True, "tau": 0.7, "dim": 0}])
@pytest.mark.parametrize("dtype", BOTH, ids=str)
def test_an_estimator_inside_of_torch_is_declared_like_any_other(
    options: dict[str, Any], dtype: torch.dtype
) -> None:
    def choice(x: Any) -> Any:
        return functional.gumbel_softmax(x, **options) ** 2

    x = drawn(2, 3).to(dtype)
    result = check_gradients(choice, x, stop_gradients="intended")
    assert result.verdict == "pass", str(result)
    result = check_gradients(choice, x)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "stop-gradient")


DRAWS: dict[str, Callable[..., Any]] = {
    "uniform": lambda x: x.sin() * torch.rand_like(x),
    "normal": lambda x: x.sin() * torch.randn_like(x),
    "dropout": lambda x: functional.dropout(x, 0.5) ** 2,
    "Gumbel": functional.gumbel_softmax,
    "Gumbel, by position": lambda x: functional.gumbel_softmax(x, 0.7, False, 1e-10, 0),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("rows", [2, 40])
def test_random_numbers_that_float64_draws_otherwise(name: str, rows: int) -> None:
    result = check_gradients(DRAWS[name], drawn(rows, 3).float())
    assert result.verdict == "pass", str(result)
