"""Torch functions on the reference engine: what lowering costs, and a check next to torch's own gradcheck.

Every model is checked to pass before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

import reference_engine
from pytest_gradcheck import check_gradients
from pytest_gradcheck.frameworks.torch.lowering import Lowered, lower, tree
from tests.benchmarks import timing
from tests.benchmarks.tables import Aim, Ratio, Table, figures
from tests.frameworks.torch.lowering.lowering_models import MODELS, Model

PACKAGES = ("numpy", "torch", "entmax", "torchdiffeq")
OURS, NARROW, SLOW, FAST = "float64", "float32", "slow", "fast"


def model(name: str, large: bool) -> Model:
    """A model with the weights that it has in every run."""
    torch.manual_seed(0)
    return MODELS[name](large)


# ---------------------------------------------------------------------- what lowering costs


def own_gradient(made: Model) -> Callable[[], list[Any]]:
    """The function's own forward and backward."""
    leaves = made.in_dtype(torch.float64)

    def run() -> list[Any]:
        outputs = tree.tensors(made.fn(*leaves))
        along = [torch.ones_like(output) for output in outputs]
        return [g.numpy() for g in torch.autograd.grad(outputs, leaves, along)]

    return run


def lowered_gradient(made: Model) -> Callable[[], list[Any]]:
    """Lowering, and the gradient on the engine."""
    leaves = made.in_dtype(torch.float64)

    def run() -> list[Any]:
        return pulled(lower(made.fn, leaves))

    return run


def pulled(lowered: Lowered) -> list[Any]:
    """Value and gradient of a lowered function along ones."""
    values, pullback = reference_engine.vjp(lowered, *lowered.inputs())
    return [np.asarray(g.data) for g in pullback([np.ones(np.shape(value)) for value in values])]


def cost(quick: bool, large: bool) -> Table:
    """Time lowering and the reference gradient, and the function's own forward and backward."""
    rounds = 1 if quick else 7 if large else 50
    rows, ratios = [], []
    for name in MODELS:
        made = model(name, large and not quick)
        leaves = made.in_dtype(torch.float64)
        ready = lower(made.fn, leaves)
        seconds = timing.best(
            {
                "own": own_gradient(made),
                "lower": partial(lower, made.fn, leaves),
                "gradient": partial(pulled, ready),
                "both": lowered_gradient(made),
            },
            rounds,
        )
        ratios.append(seconds["both"] / seconds["own"])
        rows.append(
            [
                name,
                f"{sum(t.numel() for t in made.tensors):,}",
                *figures(*(seconds[key] * 1e3 for key in ("own", "lower", "gradient"))),
                *figures(ratios[-1]),
            ]
        )
    kind, limit = ("large", 3.0) if large else ("small", 10.0)
    return Table(
        f"Lowering {kind} models",
        "Milliseconds for the function's own forward and backward, for lowering it, and for value and "
        "gradient of the lowered function on the engine, all in float64; then lowering and gradient together "
        "over the function's own. A check needs the lowering once, and a gradient for every projection.",
        ["model", "numbers", "own, ms", "lowering, ms", "gradient, ms", "ratio"],
        rows,
        [Aim(f"lowering and gradient over the function's own, {kind} models,", limit, max(ratios))],
        [Ratio(f"lowering and one gradient of a {kind} model, over torch's forward and backward", ratios)],
    )


# ---------------------------------------------------------------------- a check next to torch's


def check(made: Model, dtype: torch.dtype) -> Callable[[], None]:
    """A check by reference and torch."""
    leaves = tuple(made.in_dtype(dtype))

    def run() -> None:
        result = check_gradients(made.fn, leaves, methods=("reference", "torch"))
        if result.verdict != "pass":
            raise AssertionError(str(result))

    return run


def gradcheck(made: Model, fast: bool) -> Callable[[], None]:
    """torch's own check, which takes flat results only."""
    leaves = tuple(made.in_dtype(torch.float64))

    def flat(*tensors: Any) -> tuple[Any, ...]:
        return tuple(tree.tensors(made.fn(*tensors)))

    def run() -> None:
        assert torch.autograd.gradcheck(flat, leaves, fast_mode=fast)

    return run


def checks(quick: bool) -> Table:
    """Time a check by reference and torch, and torch.autograd.gradcheck."""
    rows = []
    over: dict[str, list[float]] = {SLOW: [], FAST: []}
    for name in list(MODELS)[:2] if quick else MODELS:
        made = model(name, False)
        seconds = timing.best(
            {
                OURS: check(made, torch.float64),
                NARROW: check(made, torch.float32),
                SLOW: gradcheck(made, False),
                FAST: gradcheck(made, True),
            },
            1 if quick else 5,
        )
        for mode, found in over.items():
            found.append(seconds[OURS] / seconds[mode])
        rows.append(
            [
                name,
                f"{sum(t.numel() for t in made.tensors):,}",
                *figures(*(seconds[key] * 1e3 for key in (OURS, NARROW, SLOW, FAST))),
                *figures(seconds[OURS] / seconds[SLOW], seconds[OURS] / seconds[FAST]),
            ]
        )
    return Table(
        "A check by reference and torch, next to torch's gradcheck",
        'Milliseconds for `check_gradients(methods=("reference", "torch"))` in float64 and in float32, and '
        "for `torch.autograd.gradcheck`, which needs float64, in slow and in fast mode; then the first over "
        "each of torch's. The slow mode looks at every entry of the Jacobian, the fast mode at one random "
        "projection, and ours at two, with measured error bars.",
        ["model", "numbers", "float64", "float32", "gradcheck", "fast mode", "over gradcheck", "over fast"],
        rows,
        ratios=[
            Ratio(f"a check of a small model by two methods, over gradcheck's {mode} mode", over[mode])
            for mode in over
        ],
    )


def large_checks(quick: bool) -> Table:
    """The same for models where every entry is out of the question."""
    rows, over_fast = [], []
    for name in ["MLP", "LSTM"] if quick else ["MLP", "LeNet with batch norm", "LSTM", "Transformer layer"]:
        made = model(name, not quick)
        seconds = timing.best(
            {
                OURS: check(made, torch.float64),
                NARROW: check(made, torch.float32),
                FAST: gradcheck(made, True),
            },
            1 if quick else 3,
        )
        over_fast.append(seconds[OURS] / seconds[FAST])
        rows.append(
            [
                name,
                f"{sum(t.numel() for t in made.tensors):,}",
                *figures(*(seconds[key] * 1e3 for key in (OURS, NARROW, FAST))),
                *figures(seconds[OURS] / seconds[FAST]),
            ]
        )
    return Table(
        "Large models, by reference and torch",
        "Without the slow mode, which would evaluate the function twice for every number.",
        ["model", "numbers", "float64", "float32", "fast mode", "over fast"],
        rows,
        ratios=[Ratio("a check of a large model by two methods, over gradcheck's fast mode", over_fast)],
    )


def run(quick: bool) -> Iterator[Table]:
    """All of it; `quick` at tiny sizes."""
    torch.set_num_threads(1)
    yield cost(quick, False)
    yield cost(quick, True)
    yield checks(quick)
    yield large_checks(quick)
