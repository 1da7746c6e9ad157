"""What a check of opaque code costs in calls of the function, next to gradcheck's slow and fast mode.

For a compiled kernel, a simulation or a solver the function is the cost. gradcheck is given float64 alone: in
float32 it fails right functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import optimize

from pytest_gradcheck import check_gradients
from tests.benchmarks.tables import Aim, Table
from tests.core.test_few_calls import KERNELS, Simulation, Solver, in_numpy, point
from tests.opaque_kernels import Count, Counted, by_address, compiled, numpy_result

PACKAGES = ("numpy", "scipy", "torch")

#: A function, its inputs, what counts its calls, and its vjp where it is NumPy code.
Case = tuple[Callable[..., Any], Any, Callable[[], tuple[int, int]], Any]


def kernels(dtype: torch.dtype, wrong: bool) -> Iterator[tuple[str, Case]]:
    """Yield kernels of up to 100 numbers in one dtype; the wrong ones have a public fault each."""
    name = str(dtype).removeprefix("torch.")
    silu = Counted(by_address if compiled() else numpy_result, 1.01 if wrong else 1.0, dtype)
    fault = ", 1 % off" if wrong else ""
    yield f"SiLU in C, {name}{fault}", (silu, point(50, dtype), lambda: _of(silu.count), None)
    for kernel, (forward, backward, shapes, faults) in KERNELS.items():
        fn, count = in_numpy(forward, backward, dtype, **(faults[0] if wrong else {}))
        xs = tuple(point(shape, dtype) for shape in shapes)
        yield f"{kernel}, {name}{', wrong' if wrong else ''}", (fn, xs, partial(_of, count), None)


def in_numpy_alone(wrong: bool) -> Iterator[tuple[str, Case]]:
    """Yield NumPy code that the engine does not see into, with a vjp by hand."""
    simulation, solver = Simulation(1.2 if wrong else 1.0), Solver()
    x = np.random.default_rng(0).standard_normal(60)
    said = ", wrong" if wrong else ""
    yield f"20 steps of a pendulum{said}", (simulation, x, lambda: (simulation.calls, 0), simulation.vjp)
    if not wrong:
        yield "Newton's method", (solver, x[:40], lambda: (solver.calls, 0), solver.vjp)


def _of(count: Count) -> tuple[int, int]:
    return count.forward, count.backward


def ours(case: Case) -> tuple[int, int]:
    """Check once, and return the calls that it took."""
    fn, x, count, vjp = case
    before = count()
    check_gradients(fn, x, vjp=vjp)
    return count()[0] - before[0], count()[1] - before[1]


def gradcheck(case: Case, *, fast: bool) -> str:
    """Return the calls that torch's gradcheck takes, of a torch function."""
    fn, x, count, vjp = case
    if vjp is not None:
        return ""
    before = count()
    xs = tuple(v.clone().requires_grad_() for v in (x if isinstance(x, tuple) else (x,)))
    torch.autograd.gradcheck(fn, xs, fast_mode=fast, raise_exception=False)
    return f"{count()[0] - before[0]} / {count()[1] - before[1]}"


def check_grad(case: Case) -> str:
    """Return the calls that scipy's check of a gradient takes, of a sum of the outputs."""
    fn, x, count, vjp = case
    if vjp is None:
        return ""
    before = count()[0]
    ones = np.ones(len(x))
    optimize.check_grad(lambda v: float(np.sum(fn(v))), lambda v: vjp(v, ones), x)
    return str(count()[0] - before)


def run(quick: bool) -> Sequence[Table]:
    """Count the calls of single checks."""
    dtypes = [torch.float64] if quick else [torch.float64, torch.float32]
    rows: list[list[str]] = []
    most: dict[str, tuple[int, int]] = {}
    for wrong in (False, True):
        cases = [*in_numpy_alone(wrong)]
        for dtype in dtypes:
            cases += kernels(dtype, wrong)
        for name, case in cases:
            forward, backward = ours(case)
            double = "float32" not in name
            peers = [gradcheck(case, fast=False), gradcheck(case, fast=True)] if double else ["", ""]
            rows.append([name, f"{forward} / {backward}", *peers, check_grad(case)])
            kind = "wrong" if wrong else f"right, float{64 if double else 32}"
            known = most.get(kind, (0, 0))
            most[kind] = max(known[0], forward), max(known[1], backward)
    limits = {"right, float64": (16, 6), "right, float32": (24, 6), "wrong": (100, 20)}
    aims = []
    for kind, found in most.items():
        for k, way in enumerate(("forward", "backward")):
            aims.append(Aim(f"{way} calls of a check, {kind},", limits[kind][k], found[k]))
    text = (
        "Calls of the function, forward / backward, for one check of up to 100 numbers. No recording sees "
        "into these functions, and no call takes many points."
    )
    columns = [
        "function",
        "check_gradients",
        "gradcheck, slow mode",
        "gradcheck, fast mode",
        "scipy check_grad",
    ]
    return [Table("Calls of opaque code", text, columns, rows, aims=aims)]
