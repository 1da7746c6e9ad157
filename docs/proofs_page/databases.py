"""The first sample of each operator of torch's database and of JAX's: its proven derivative, if there is one.

The page on proofs and the tests that hold it stand on this module.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import torch

import reference_engine as engine
from docs.coverage_page import torch_sweep
from docs.jax_page import sweep as jax_sweep
from docs.proofs_page.rows import Row, numbers_of
from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.jax.lowering.replay import Replay
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES
from pytest_gradcheck.frameworks.torch.lowering import LoweringError, lower
from reference_engine.balls import Jet, NotProvenError, enclose
from reference_engine.balls.numbers import nearest, precision
from reference_engine.transforms import vjp_of_arrays

__all__ = ["JAX", "TORCH", "of_jax", "of_torch", "row_of_jax", "row_of_torch"]

TORCH: Sequence[str] = sorted(torch_sweep.OPERATORS)
"""The operators of torch's database that have a gradient in float64 on the CPU."""

JAX: Sequence[str] = jax_sweep.PRIMITIVES
"""The primitives of JAX's database."""

LITTLE = 1e-11
"""Operations, inputs and cotangents are disturbed by so much of themselves, to see what rounding does."""

RUNS, ROUNDINGS = 3, 32
"""So often, and so many roundings of the largest entry of an input's gradient are its bar at least."""

NOISE = 16
"""Or to so many of the engine's bars: what vanishes in theory is rounding in practice."""

NOT_ON_ENGINE = (LoweringError, Unavailable, engine.MissingRuleError, engine.OutOfGraphError)


class Sample(NamedTuple):
    """A function of arrays at a point, cotangents of its results, and the framework's gradient along them."""

    function: Callable[..., list[Any]]
    arrays: list[Any]
    along: list[Any]
    theirs: Callable[[], list[Any]]


def row(name: str, sample: Callable[[], Sample | None]) -> Row | None:
    """The row of one operator; None where nothing is differentiated."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # The databases exercise deprecations of their own.
        warnings.simplefilter("ignore")
        try:
            found = sample()
            if found is None:
                return None
            _, pull = vjp_of_arrays(found.function, found.arrays)
            ours = _flat(pull(found.along), found.arrays)
        except (*NOT_ON_ENGINE, NotImplementedError) as error:
            return Row(name, 0, 0, 0.0, 0.0, _short(error))
        entries = ours.size
        try:
            enclosure = enclose(found.function, found.arrays, numbers_of(found.arrays))
        except NotProvenError as reason:
            return Row(name, entries, 0, 0.0, 0.0, _short(reason))
        truth = _along(enclosure.outputs, found.along, entries)
        theirs = _flat(found.theirs(), found.arrays)
        sizes = _largest(truth, found.arrays)
        bars = ROUNDINGS * np.finfo(float).eps * sizes
        if (np.abs(ours - truth) > bars).any():
            bars = bars + _measured(found, ours)
        apart = np.abs(theirs - truth)
        apart = np.where(apart > NOISE * bars, apart, 0.0)
        off = _most(np.abs(ours - truth), bars)
        return Row(name, entries, enclosure.bits, off, _most(apart, sizes), "")


def _short(error: Exception) -> str:
    text = (str(error) or type(error).__name__).splitlines()[0]
    return text if len(text) <= 120 else text[:117] + "..."


def _most(errors: Any, sizes: Any) -> float:
    """The largest error in units of a size; one of nothing next to nothing is none."""
    small = errors <= np.finfo(float).tiny
    shares = np.where(small, 0.0, errors / np.where(sizes == 0, np.finfo(float).tiny, sizes))
    return float(np.max(shares, initial=0.0))


def _flat(gradients: Sequence[Any], arrays: Sequence[Any]) -> Any:
    parts = [np.array(g, a.dtype).reshape(-1).view(float) for g, a in zip(gradients, arrays, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _along(outputs: Sequence[Any], along: Sequence[Any], entries: int) -> Any:
    """The floats next to the proven gradient along cotangents."""
    total = np.zeros(entries, object)
    with precision(512):
        for output, u in zip(outputs, along, strict=True):
            for number, weight in zip(output.reshape(-1), np.reshape(u, -1), strict=True):
                for i, slope in number.slopes.items() if type(number) is Jet else ():
                    total[i] = total[i] + (slope.real * weight.real + slope.imag * weight.imag)
    return np.array([float(nearest(x)) if hasattr(x, "mid") else float(x) for x in total])


def _largest(gradient: Any, arrays: Sequence[Any]) -> Any:
    sizes, start = np.zeros(gradient.shape), 0
    for array in arrays:
        part = slice(start, start + array.size * (2 if np.iscomplexobj(array) else 1))
        sizes[part] = np.abs(gradient[part]).max(initial=0.0)
        start = part.stop
    return sizes


def _measured(found: Sample, still: Any) -> Any:
    """What rounding makes of the engine's gradient: as much as disturbed operations, but for their size."""
    moved = np.zeros(still.shape)
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        arrays, along = (
            [a * (1 + LITTLE * rng.uniform(-1, 1, np.shape(a))) for a in each]
            for each in (found.arrays, found.along)
        )
        with engine.perturbed(LITTLE, seed):
            _, pull = vjp_of_arrays(found.function, arrays)
            moved = np.fmax(moved, np.abs(_flat(pull(along), arrays) - still))
    return 4 * np.finfo(float).eps / LITTLE * moved


# ---------------------------------------------------------------------- torch


def row_of_torch(name: str) -> Row | None:
    """The row of one of torch's operators."""
    return row(name, lambda: _torch_sample(name))


def of_torch(names: Sequence[str] = TORCH) -> Iterator[Row]:
    """The rows of torch's operators."""
    return (found for name in names if (found := row_of_torch(name)) is not None)


def _torch_sample(name: str) -> Sample | None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    for call in torch_sweep.calls(torch_sweep.OPERATORS[name]):
        try:
            expected = call.outputs()
        except Exception:  # samples that torch itself refuses
            continue
        plan = torch_sweep.plan_of(call.inputs(), expected, rng)
        if not sum(u.size for u in plan.along) or not sum(x.size for x in plan.again):
            continue
        torch.manual_seed(0)
        lowered = lower(call.fn, call.args, call.kwargs)
        start = lowered.inputs()

        def function(*values: Any, start: Any = start, lowered: Any = lowered, plan: Any = plan) -> list[Any]:
            full = list(start)
            for i, value in zip(plan.wrt, values, strict=True):
                full[i] = value
            outputs = lowered(*full)
            return [outputs[i] for i in plan.chosen]

        theirs = torch_sweep.theirs_of(call, plan)
        if len(theirs) < 2:
            # torch has no derivative of it.
            return None
        return Sample(
            function, [np.asarray(start[i]) for i in plan.wrt], plan.along, functools.partial(list, theirs[1])
        )
    return None


# ---------------------------------------------------------------------- JAX


def row_of_jax(name: str) -> Row | None:
    """The row of one of JAX's primitives."""
    with jax.enable_x64(True):
        found = row(name, lambda: _jax_sample(name))
        jax.clear_caches()
        return found


def of_jax(names: Sequence[str] = JAX) -> Iterator[Row]:
    """The rows of JAX's primitives."""
    return (found for name in names if (found := row_of_jax(name)) is not None)


def _jax_sample(name: str) -> Sample | None:
    problem = jax_sweep.first_problem(name, "float64")
    if problem is None:
        return None
    closed = jax.make_jaxpr(problem.fn)(*problem.inputs)
    replay = Replay(closed.jaxpr, closed.consts, RULES)
    arrays = [np.asarray(x, complex if np.iscomplexobj(x) else float) for x in problem.inputs]
    along = jax_sweep.seeds(replay(*arrays), 1)

    def theirs() -> list[Any]:
        each = jax_sweep.gradients_of_jax(problem)
        next(each)
        return next(each)

    return Sample(lambda *xs: list(replay(*xs)), arrays, along, theirs)
