"""`check_gradients` next to `check_grads` of JAX and of HIPS autograd, on the same functions and backwards.

A function and its backwards are written once, for whatever library has NumPy's functions. JAX gets them as a
`jax.custom_vjp`, HIPS autograd as a primitive with `defvjp`, and ours as a NumPy function with `vjp=`.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from autograd import extend
from autograd import test_util as hips

from pytest_gradcheck import check_gradients
from tests.benchmarks.by_library import FUNCTIONS, ByLibrary
from tests.benchmarks.detection import SAID, Check, compared, every
from tests.benchmarks.tables import Aim, Found, Ratio, Table, counted, figures

OURS, JAX, HIPS = "check_gradients", "jax check_grads", "autograd check_grads"

PACKAGES = ("numpy", "autograd", "jax")

DTYPES = ("float64", "float32")

#: What the output is multiplied by.
SIZES = {"1": 1.0, "1e-7": 1e-7, "1e7": 1e7}

ALL_OF_THEM, UNSURE = "checks", "inconclusive"

#: A fault so slight that the peers are not asked to see it: in the tables, and in no sum.
SLIGHT = "×1.001"

#: What a check of ours promises to see, of the largest entry of an input's gradient.
SENSITIVITY = 1e-3

Vjp = Callable[..., Sequence[Any]]


def peers() -> list[str]:
    """Who is here. JAX may not be: it comes with an extra of its own."""
    return [OURS, *([JAX] if importlib.util.find_spec("jax") else []), HIPS]


def absent() -> str:
    """What a table says of a peer that is not here."""
    missing = "**`jax.test_util.check_grads` has no figures here: JAX is not installed**, which the extra "
    return "" if JAX in peers() else missing + "`bench` brings (`pip install -e '.[bench]'`). "


# ---------------------------------------------------------------------- backwards that are broken


class Place(NamedTuple):
    """Of the input with the largest entry of a gradient: which it is, that entry, and one far from it."""

    which: int
    largest: int
    far: int


def place(right: Sequence[np.ndarray]) -> Place:
    """Where a fault of one entry is."""
    which = int(np.argmax([np.abs(g).max() for g in right]))
    largest, size = int(np.abs(right[which]).argmax()), right[which].size
    return Place(which, largest, (largest + size // 2) % size)


def _mask(g: Any, index: int) -> np.ndarray:
    mask = np.zeros(np.shape(g), g.dtype)
    mask.reshape(-1)[index] = 1
    return mask


def _one_percent(xp: Any, g: Any, at: Place) -> Any:
    return g + _mask(g, at.far) * xp.sum(g * _mask(g, at.largest)) / 100


#: From the library, a gradient of one input and the place to the wrong gradient of that input.
ALL = {
    "sign": lambda xp, g, at: -g,
    "×1.01": lambda xp, g, at: g * 1.01,
    "×1.001": lambda xp, g, at: g * 1.001,
    "reversed": lambda xp, g, at: xp.reshape(xp.flip(xp.reshape(g, (-1,))), np.shape(g)),
}
ONE = {
    "one entry +1 % of the largest": _one_percent,
    "largest entry zeroed": lambda xp, g, at: g * (1 - _mask(g, at.largest)),
}
FAULTS = ("mistake", *ALL, *ONE)


def broken(case: ByLibrary, fault: str) -> Vjp | None:
    """The backward with a fault, or None where it changes no entry by a thousandth of the largest."""
    along = np.random.default_rng(1).normal(size=np.shape(case.value(np, *case.inputs)))
    right = case.right(np, along, *case.inputs)
    at = place(right)

    def vjp(xp: Any, g: Any, *inputs: Any) -> Sequence[Any]:
        if fault == "mistake":
            return case.wrong(xp, g, *inputs)
        gradients = case.right(xp, g, *inputs)
        if fault in ALL:
            return tuple(ALL[fault](xp, each, at) for each in gradients)
        return tuple(ONE[fault](xp, e, at) if i == at.which else e for i, e in enumerate(gradients))

    wrong = vjp(np, along, *case.inputs)
    off = max(np.abs(w - r).max() / np.abs(r).max() for w, r in zip(wrong, right, strict=True))
    return vjp if off > 0.99 * SENSITIVITY else None


# ---------------------------------------------------------------------- contestants


def ours(case: ByLibrary, vjp: Vjp, dtype: str, scale: float) -> Check:
    """A NumPy function with a backward by hand."""
    inputs = tuple(x.astype(dtype) for x in case.inputs)

    def fn(*args: Any) -> Any:
        return case.value(np, *args) * scale

    def pullback(*args: Any) -> Sequence[Any]:
        *given, cotangent = args
        return tuple(vjp(np, cotangent * scale, *given))

    return lambda: str(check_gradients(fn, inputs, vjp=pullback).verdict)


def of_jax(case: ByLibrary, vjp: Vjp, dtype: str, scale: float) -> Check:
    """A `custom_vjp`, backward only, since it has no forward mode; float64 where that is asked for."""
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    inputs = tuple(x.astype(dtype) for x in case.inputs)

    @jax.custom_vjp
    def fn(*args: Any) -> Any:
        return case.value(jnp, *args) * scale

    fn.defvjp(lambda *args: (fn(*args), args), lambda args, g: tuple(vjp(jnp, g * scale, *args)))

    def run() -> str:
        with jax.enable_x64(dtype == "float64"):
            return _said(lambda: check_grads(fn, inputs, order=1, modes=("rev",)))

    return run


def of_hips(case: ByLibrary, vjp: Vjp, dtype: str, scale: float) -> Check:
    """A primitive with `defvjp`, backward only and of the first order, as the others are asked."""
    inputs = tuple(x.astype(dtype) for x in case.inputs)
    argnums = tuple(range(len(inputs)))
    fn = extend.primitive(lambda *args: case.value(np, *args) * scale)

    def rule(argnum: int) -> Callable[..., Any]:
        return lambda ans, *args: lambda g: vjp(np, g * scale, *args)[argnum]

    extend.defvjp(fn, *map(rule, argnums))

    def run() -> str:
        # It draws from NumPy's own state: seeded for every run, and restored for other code.
        state = np.random.get_state()
        np.random.seed(0)
        try:
            check = hips.check_grads(fn, argnums if len(argnums) > 1 else 0, modes=["rev"], order=1)
            return _said(lambda: check(*inputs))
        finally:
            np.random.set_state(state)

    return run


def _said(check: Callable[[], object]) -> str:
    try:
        check()
    except AssertionError:
        return "fail"
    return "pass"


MAKE = {OURS: ours, JAX: of_jax, HIPS: of_hips}


def contestants(case: ByLibrary, vjp: Vjp, dtype: str, scale: float = 1.0) -> dict[str, Check]:
    """Who checks a backward."""
    return {name: MAKE[name](case, vjp, dtype, scale) for name in peers()}


# ---------------------------------------------------------------------- tables


def whole(functions: Mapping[str, ByLibrary], rounds: int) -> Table:
    """Right backwards, and those with a mistake."""
    rows, misjudged, ratios = [], 0, []
    found: dict[str, dict[str, str]] = {dtype: {} for dtype in DTYPES}
    for dtype in DTYPES:
        for kind, vjp_of, due in (
            ("right", lambda c: c.right, "pass"),
            ("wrong", lambda c: c.wrong, "fail"),
        ):
            cases = {name: contestants(case, vjp_of(case), dtype) for name, case in functions.items()}
            said, ms = compared(cases, rounds)
            misjudged += len(cases) - said[OURS][due]
            for name, answers in said.items():
                if kind == "right":
                    found[dtype][name] = counted(answers["fail"], answers["inconclusive"])
                counts = [str(answers[what]) for what in SAID]
                rows.append([f"{dtype}, {kind}, {name}", *counts, *figures(ms[name], ms[OURS] / ms[name])])
            ratios += [(name, ms[OURS] / ms[name]) for name in ms if name != OURS]
    return Table(
        "Hand-written backwards, next to check_grads",
        f"{len(functions)} functions of arrays, each with its right backward, which should pass, and one "
        "with a mistake as people make it, which should fail: the checkers with their defaults, at one "
        f"point, first order, reverse mode. {absent()}JAX computes in float32 by default; "
        "autograd's `check_grads` has a step and tolerances for float64 alone; ours takes the differences of "
        "a float32 function in float64 where it runs in it. Milliseconds are the median "
        "over the functions, the best of several rounds, so compilation by JAX in the first one is not "
        "counted; the last column is ours over that line's.",
        ["", *SAID, "ms", "ours over it"],
        rows,
        [Aim("of these that `check_gradients` judges otherwise,", 0, misjudged)],
        [
            Ratio(f"a check of a hand-written backward, over {name}", [r for who, r in ratios if who == name])
            for name in peers()[1:]
        ],
        [
            Found(f"correct hand-written backwards that fail, of {len(functions)}, in {dtype}", found[dtype])
            for dtype in DTYPES
        ],
    )


def by_fault(functions: Mapping[str, ByLibrary], dtypes: Sequence[str], sizes: Mapping[str, float]) -> Table:
    """Every fault, in every dtype and size of the output: how many pass."""
    rows, let_pass = [], 0
    counts: dict[str, Counter[str]] = {}
    others = " and ".join(size for size, scale in sizes.items() if scale != 1)
    wrong = {
        (name, fault): vjp
        for name, case in functions.items()
        for fault in FAULTS
        if (vjp := broken(case, fault)) is not None
    }
    for dtype in dtypes:
        for size, scale in sizes.items():
            right = [contestants(case, case.right, dtype, scale) for case in functions.values()]
            rows.append([f"{dtype}, times {size}, (right)", str(len(right)), *_passes(right)])
            for fault in FAULTS:
                checks = [
                    contestants(functions[name], vjp, dtype, scale)
                    for (name, of), vjp in wrong.items()
                    if of == fault
                ]
                cells = _passes(checks)
                rows.append([f"{dtype}, times {size}, {fault}", str(len(checks)), *cells])
                let_pass += int(cells[0])
                if fault == SLIGHT:
                    continue
                where = f"in {dtype}" if scale == 1 else f"with the output times {others}"
                count = counts.setdefault(where, Counter({ALL_OF_THEM: 0}))
                count[ALL_OF_THEM] += len(checks)
                count.update(dict(zip([OURS, UNSURE, *peers()[1:]], map(int, cells), strict=True)))
    return Table(
        "Hand-written backwards with faults",
        "How many backwards pass, by fault. The right ones, in the first line of each group, should "
        "pass, all others should not: a checker that passes few of the right ones finds the wrong ones by "
        "failing everything. The output is multiplied by what the line says. A fault that moves no entry by "
        "a thousandth of the largest is none and not counted; ×1.001 is the least that ours promises to see. "
        f"{absent()}Ours may be inconclusive, in the column after its own.",
        ["dtype, output times, fault", "checks", OURS, "inconclusive", *peers()[1:]],
        rows,
        [Aim("broken backwards that `check_gradients` passes,", 0, let_pass)],
        found=[
            Found(
                f"broken hand-written backwards that pass, of {count[ALL_OF_THEM]:,} "
                f"(without {SLIGHT}), {where}",
                {who: counted(count[who], count[UNSURE] if who == OURS else 0) for who in peers()},
            )
            for where, count in counts.items()
        ],
    )


def _passes(checks: Sequence[Mapping[str, Check]]) -> list[str]:
    """How many checks pass: by ours, and of how many it cannot tell, then by each of the peers."""
    said, _ = compared({str(i): each for i, each in enumerate(checks)}, 1)
    mine, *others = (said[name] for name in peers())
    return [str(n) for n in (mine["pass"], mine["inconclusive"], *(each["pass"] for each in others))]


def run(quick: bool) -> Iterator[Table]:
    """Both tables."""
    functions = every(FUNCTIONS, quick)
    yield whole(functions, 1 if quick else 3)
    yield by_fault(functions, DTYPES[1:] if quick else DTYPES, {"1": 1.0} if quick else SIZES)
