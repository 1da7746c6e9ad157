"""What a check of opaque code costs in calls of the function, and what it sees in so few."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients
from tests.numpy_kernels import KERNELS, in_numpy, relu, relu_backward
from tests.opaque_kernels import Counted, by_address, compiled

#: Most calls of the forward and the backward pass, for up to 100 numbers.
RIGHT = {torch.float64: (16, 6), torch.float32: (24, 6)}
WRONG = (100, 20)

DTYPES = [torch.float32, torch.float64]


def point(shape: Any, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


FAULTS = [(name, fault) for name, kernel in KERNELS.items() for fault in kernel[3]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", KERNELS)
def test_a_right_kernel(name: str, dtype: torch.dtype, seed: int) -> None:
    forward, backward, shapes, _ = KERNELS[name]
    fn, count = in_numpy(forward, backward, dtype)
    result = check_gradients(fn, tuple(point(shape, dtype, seed) for shape in shapes))

    assert (result.verdict, result.diagnosis.code) == ("pass", "agree"), str(result)
    assert count.forward <= RIGHT[dtype][0]
    assert count.backward <= RIGHT[dtype][1]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=str)
def test_a_wrong_kernel_fails_with_the_entry_named(
    name: str, fault: dict[str, Any], dtype: torch.dtype, seed: int
) -> None:
    forward, backward, shapes, _ = KERNELS[name]
    fn, count = in_numpy(forward, backward, dtype, **fault)
    xs = tuple(point(shape, dtype, seed) for shape in shapes)
    result = check_gradients(fn, xs)

    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert count.forward <= WRONG[0]
    assert count.backward <= WRONG[1]
    place = result.worst.place if result.worst else None
    assert place is not None
    assert len(place.index) == len(shapes[0 if place.input in ("x", "x0") else 1])
    # That entry is wrong, as torch's own gradient of the same formula says.
    arrays = [x.double().numpy() for x in xs]
    g = np.zeros(forward(*arrays).shape)
    g[place.output_index] = 1.0
    k = int(place.input[1:]) if len(xs) > 1 else 0
    right, wrong = (backward(g.copy(), *arrays, **how) for how in ({}, fault))
    right, wrong = ((v if isinstance(v, tuple) else (v,))[k][place.index] for v in (right, wrong))
    assert abs(right - wrong) > 1e-4 * abs(right)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_kinks_beside_the_lines_cost_little(dtype: torch.dtype) -> None:
    fn, count = in_numpy(relu, relu_backward, dtype)
    assert check_gradients(fn, point(50, dtype)).verdict == "pass"
    assert count.forward <= 80
    fn, _ = in_numpy(relu, lambda g, x: relu_backward(g, x, factor=1.02), dtype)
    result = check_gradients(fn, point(50, dtype))
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)


def silu(x: Any) -> Any:
    return x / (1 + np.exp(-x))


def silu_backward(g: Any, x: Any, *, factor: float = 1.0) -> Any:
    s = 1 / (1 + np.exp(-x))
    return factor * g * s * (1 + x * (1 - s))


#: Points of a domain from -3 to 3: at its bounds, close to them, all the same, and some of each.
AT_THE_EDGE = {
    "at": lambda rng: rng.choice([-3.0, 3.0], 50),
    "close": lambda rng: rng.choice([-3.0, 3.0], 50) * rng.uniform(0.996, 1.0, 50),
    "the same": lambda rng: np.full(50, -2.978),
    "mixed": lambda rng: np.where(
        rng.random(50) < 0.3, -3 + 10.0 ** rng.uniform(-6, 0, 50), rng.uniform(-3, 3)
    ),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", AT_THE_EDGE)
def test_inputs_at_the_edges_of_the_domain_cost_no_more(name: str, dtype: torch.dtype) -> None:
    for seed in range(3):
        x = torch.tensor(AT_THE_EDGE[name](np.random.default_rng(seed))).clamp(-3, 3).to(dtype)
        fn, count = in_numpy(silu, silu_backward, dtype)
        assert check_gradients(fn, x, domain=(-3, 3)).verdict == "pass"
        assert count.forward <= 32
        fn, _ = in_numpy(silu, silu_backward, dtype, factor=1.01)
        assert check_gradients(fn, x, domain=(-3, 3)).verdict != "pass"


@pytest.mark.parametrize("seed", range(6))
def test_a_factor_is_read_from_entries_within_the_domain(seed: int) -> None:
    x = torch.tensor(np.random.default_rng(seed).uniform(-3, 3, 50), dtype=torch.float32)
    fn, _ = in_numpy(silu, silu_backward, torch.float32, factor=1.01)
    found = check_gradients(fn, x, domain=(-3, 3)).diagnosis
    assert found.code == "constant-factor"
    assert "1.01 times" in found.text
    # Those at a bound have one side: no window says anything of them.
    x[::2] = 3.0
    found = check_gradients(fn, x, domain=(-3, 3)).diagnosis
    assert found.code not in ("zero-gradient", "non-finite-gradient")
    assert "nan" not in found.text


@pytest.mark.parametrize("seed", range(3))
def test_a_missing_sum_is_named_though_most_rows_are_zero(seed: int) -> None:
    def scaled(x: Any, w: Any) -> Any:
        return x * w

    # The gradient for w has the last row alone.
    fn, _ = in_numpy(scaled, lambda g, x, w: (g * w, (g * x)[-1]), torch.float32)
    x, w = point((9, 6), torch.float32, seed), point((6,), torch.float32, seed + 10)
    result = check_gradients(fn, (x, w), oracle=scaled)
    assert (result.verdict, result.diagnosis.code) == ("fail", "missing-sum"), str(result)


class Simulation:
    """NumPy code that the engine does not see into: steps of a pendulum, in float64."""

    def __init__(self, factor: float = 1.0) -> None:
        self.calls, self.factor = 0, factor

    def steps(self, x: Any) -> list[Any]:
        out = [np.array([float(v) for v in x])]
        for _ in range(20):
            q, p = np.split(out[-1], 2)
            p = p - 0.05 * np.sin(q)
            out.append(np.concatenate([q + 0.05 * p, p]))
        return out

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        return self.steps(x)[-1]

    def vjp(self, x: Any, cotangent: Any) -> Any:
        a = np.array(cotangent)
        for state in reversed(self.steps(x)[:-1]):
            q, _ = np.split(state, 2)
            aq, ap = np.split(a, 2)
            ap = ap + 0.05 * aq
            a = np.concatenate([aq - 0.05 * np.cos(q) * ap * self.factor, ap])
        return a


@pytest.mark.parametrize("size", [2, 60, 2000])
def test_a_simulation_in_numpy(size: int) -> None:
    x = np.random.default_rng(0).standard_normal(size)
    right, wrong = Simulation(), Simulation(1.2)
    assert check_gradients(right, x, vjp=right.vjp).verdict == "pass"
    assert right.calls <= RIGHT[torch.float64][0]
    result = check_gradients(wrong, x, vjp=wrong.vjp)
    assert (result.verdict, result.culprit) == ("fail", "user"), str(result)
    assert wrong.calls <= WRONG[0]


class Solver:
    """Newton's method on y³ + y = x, stopped at a residual of 1e-10; the engine has no such arrays."""

    def __init__(self) -> None:
        self.calls = 0

    def solve(self, x: Any) -> Any:
        x = np.array([float(v) for v in x])
        y = np.zeros_like(x)
        while np.abs(y**3 + y - x).max() > 1e-10:
            y = y - (y**3 + y - x) / (3 * y**2 + 1)
        return y

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        return self.solve(x)

    def vjp(self, x: Any, cotangent: Any) -> Any:
        return cotangent / (3 * self.solve(x) ** 2 + 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_solver(seed: int) -> None:
    solver = Solver()
    x = np.random.default_rng(seed).standard_normal(40)
    result = check_gradients(solver, x, vjp=solver.vjp)
    assert result.verdict == "pass", str(result)
    assert solver.calls <= RIGHT[torch.float64][0]


@pytest.mark.parametrize("only", [None, *DTYPES], ids=str)
@pytest.mark.parametrize("size", [1, 4, 50])
def test_a_kernel_in_c(size: int, only: torch.dtype | None) -> None:
    if compiled() is None:
        pytest.skip("needs a compiler of C")
    dtype = only or torch.float32
    right, wrong = Counted(by_address, only=only), Counted(by_address, 1.01, only)
    assert check_gradients(right, point(size, dtype)).verdict == "pass"
    assert right.count.forward <= RIGHT[dtype][0]
    assert right.count.backward <= RIGHT[dtype][1]
    result = check_gradients(wrong, point(size, dtype))
    assert (result.verdict, result.culprit) == ("fail", "torch"), str(result)
    assert wrong.count.forward <= WRONG[0]
    assert wrong.count.backward <= WRONG[1]


class Strided(torch.autograd.Function):
    """Reads its cotangent as if it were contiguous, which that of a transposed output is not."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return torch.from_numpy(np.sin(x.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        flat = torch.as_strided(g, (g.numel(),), (1,), g.storage_offset())
        return flat.reshape(x.shape) * torch.cos(x)


class Unwritten(torch.autograd.Function):
    """Leaves the last entry of its memory as it was."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return torch.from_numpy(np.sin(x.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        out = torch.empty_like(x)
        out[:-1] = (g * torch.cos(x))[:-1]
        return out


class Sized(torch.autograd.Function):
    """Takes cotangents to be no larger than two."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return torch.from_numpy(np.sin(x.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g.clamp(-2, 2) * torch.cos(ctx.saved_tensors[0])


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (Strided, "non-contiguous-cotangents"),
        (Unwritten, "uninitialised-memory"),
        (Sized, "linear-backward"),
    ],
)
def test_what_one_call_stands_for_is_found(function: Any, code: str) -> None:
    result = check_gradients(function.apply, point((6, 5), torch.float64))
    assert result.verdict == "fail", str(result)
    broken = [one for one in result.properties if one.holds is False]
    assert code in {one.code for one in broken} | {one.name for one in broken}, broken


MARKED = """
    import json, pathlib, pytest, torch
    from hypothesis import settings
    from pytest_gradcheck import tensors
    from tests.opaque_kernels import Counted, numpy_result

    SILU = Counted(numpy_result, {factor}, torch.float32)

    @pytest.fixture(scope="module", autouse=True)
    def counted():
        yield
        pathlib.Path("counted.json").write_text(json.dumps(vars(SILU.count)))

    @pytest.mark.gradcheck(x=tensors(50, dtype=torch.float32, min_value=-3, max_value=3))
    @settings(max_examples=100, database=None)
    def test_silu(x):
        return SILU(x)
"""


@pytest.mark.parametrize("arguments", [(), pytest.param(("-n", "2"), marks=pytest.mark.sweep)], ids=str)
@pytest.mark.parametrize(("factor", "failed", "most"), [(1.0, 0, (3000, 800)), (1.01, 1, (5000, 1000))])
def test_a_marked_test_of_100_examples(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    factor: float,
    failed: int,
    most: tuple[int, int],
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    # Where CI is set, Hypothesis draws by the test's source and not by the seed.
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(MARKED.format(factor=factor))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--hypothesis-seed=1", *arguments)
    result.assert_outcomes(passed=1 - failed, failed=failed)
    count = json.loads(Path("counted.json").read_text(encoding="utf-8"))
    assert 100 < count["forward"] <= most[0]
    assert count["backward"] <= most[1]
    if failed:
        assert "autograd's gradient is 1.01 times the correct one" in result.stdout.str()
