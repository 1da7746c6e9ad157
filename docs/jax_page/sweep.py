"""JAX's own database of primitives: each on the reference engine, and under two checkers.

The page on JAX's primitives and the sweep that holds it stand on this module.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from time import process_time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

import reference_engine as engine
from pytest_gradcheck import InvalidArgument, check_gradients
from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.frameworks.jax.lowering.replay import Replay
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES

__all__ = ["CHECKERS", "DTYPES", "FAULTS", "PRIMITIVES", "Outcome", "Stages", "names_of_part", "outcome"]

PARTS = 22
"""The sweep can be run in so many parts: part k has every 22nd primitive by name, from the k-th on."""

DTYPES = {"float64": np.float64, "float32": np.float32}

SENSITIVITY = 1e-3
"""What a check promises by default: a fault that moves no entry by as much of the largest is none."""

LARGEST = 64
"""A harness has up to so many numbers, in and out, if there is one; else the smallest is taken."""

ON_ENGINE = 3
"""So many harnesses of a primitive are run on the engine; the first of them is checked."""

RTOL, ATOL = 1e-9, 1e-12
"""How far an entry may be off, relative to itself and to the largest entry of its array."""

SIDE = 3
"""Arguments that are drawn are cut to so many entries along each axis, if the primitive takes them so."""


@functools.cache
def _harnesses() -> dict[str, list[Any]]:
    with jax.enable_x64(True):
        from jax._src.internal_test_util import test_harnesses

        found = collections.defaultdict(list)
        for harness in test_harnesses.all_harnesses:
            found[harness.group_name].append(harness)
    return dict(found)


class _Names(collections.abc.Sequence[str]):
    """The names of the primitives; the database is read when they are first asked for."""

    def __getitem__(self, k: Any) -> Any:
        return sorted(_harnesses())[k]

    def __len__(self) -> int:
        return len(_harnesses())


PRIMITIVES: Sequence[str] = _Names()


def names_of_part(part: int) -> list[str]:
    """The primitives of one part."""
    return list(PRIMITIVES[part::PARTS])


class Problem(NamedTuple):
    """A harness as a function of its floating arguments."""

    fn: Callable[..., list[Any]]
    inputs: tuple[Any, ...]

    @property
    def numbers(self) -> int:
        """How many numbers go in and come out."""
        return sum(int(x.size) for x in (*self.inputs, *self.fn(*self.inputs)))


def problems(name: str, dtype: str) -> list[Problem]:
    """The first harnesses of a primitive that have a derivative in a dtype, at least one number and few."""
    found: list[Problem] = []
    large: list[Problem] = []
    for harness in _harnesses()[name]:
        # What is not a matter of this dtype has another one, or none, in its own row.
        if harness.dtype != DTYPES[dtype] or any(limit.enabled for limit in harness.jax_unimplemented):
            continue
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problem = _small(harness)
            if problem is None:
                continue
            (found if problem.numbers <= LARGEST else large).append(problem)
        if len(found) == ON_ENGINE:
            break
    return found or sorted(large, key=lambda each: each.numbers)[:1]


def _small(harness: Any) -> Problem | None:
    args = harness.dyn_args_maker(np.random.RandomState(0))
    cut = [
        np.asarray(x)[tuple(slice(0, SIDE) for _ in np.shape(x))] if np.size(x) > LARGEST // 2 else x
        for x in args
    ]
    if any(np.size(x) != np.size(y) for x, y in zip(args, cut, strict=True)):
        with contextlib.suppress(Exception):
            return _problem(harness, cut)
    return _problem(harness, args)


def _problem(harness: Any, args: Sequence[Any]) -> Problem | None:
    places = [k for k, x in enumerate(args) if hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.inexact)]
    inputs = tuple(jnp.asarray(args[k]) for k in places)

    def fn(*values: Any) -> list[Any]:
        given = list(args)
        for k, value in zip(places, values, strict=True):
            given[k] = value
        outs = jax.tree_util.tree_leaves(harness.dyn_fun(*given))
        return [out for out in outs if jnp.issubdtype(jnp.asarray(out).dtype, jnp.inexact)]

    if not sum(x.size for x in inputs):
        return None
    outs, pull = jax.vjp(fn, *inputs)
    if not sum(out.size for out in outs):
        return None
    pull([jnp.ones_like(out) for out in outs])
    return Problem(fn, inputs)


# ---------------------------------------------------------------------- on the engine


class Stages(NamedTuple):
    """At how many harnesses the engine ran, and how many derivatives and second ones agree of how many."""

    harnesses: int
    runs: int
    first: int
    seconds: int
    second: int
    why: str


def on_engine(name: str) -> Stages:
    """Hold the engine's value and derivatives against JAX's, in float64."""
    with jax.enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _on_engine(problems(name, "float64"))


def _on_engine(chosen: Sequence[Problem]) -> Stages:
    runs = first = seconds = second = 0
    why = ""
    for problem in chosen:
        try:
            ours = list(_ours(problem))
        except (Unavailable, engine.MissingRuleError, engine.OutOfGraphError, NotImplementedError) as error:
            why = why or str(error).splitlines()[0]
            continue
        theirs = list(_theirs(problem))
        runs += 1
        agree = [_agree(a, b) for a, b in zip(ours, theirs, strict=False)]
        if not all(agree[:2]):
            why = why or "the derivative differs"
        first += all(agree[:2])
        if len(theirs) > 2:
            seconds += 1
            second += all(agree)
            if all(agree[:2]) and not all(agree):
                why = why or "the second derivative differs"
    return Stages(len(chosen), runs, first, seconds, second, why)


def _seeds(like: Sequence[Any], seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    found = []
    for x in like:
        u = rng.uniform(0.5, 1.5, np.shape(x)) * rng.choice([-1.0, 1.0], np.shape(x))
        found.append(u + 1j * rng.uniform(0.5, 1.5, np.shape(x)) if jnp.iscomplexobj(x) else u)
    return found


def _theirs(problem: Problem) -> Iterator[list[Any]]:
    """JAX's value, derivative, and derivative of that as far as it has one; conjugated as the engine's is."""
    outs = problem.fn(*problem.inputs)
    yield [np.asarray(out) for out in outs]
    along = [jnp.asarray(u, out.dtype) for u, out in zip(_seeds(outs, 1), outs, strict=True)]

    def gradient(*values: Any) -> list[Any]:
        count = len(problem.inputs)
        _, pull = jax.vjp(problem.fn, *values[:count])
        return [jnp.conj(g) for g in pull([jnp.conj(u) for u in values[count:]])]

    yield [np.asarray(g) for g in gradient(*problem.inputs, *along)]
    again = [jnp.asarray(u, x.dtype) for u, x in zip(_seeds(problem.inputs, 2), problem.inputs, strict=True)]
    with contextlib.suppress(Exception):
        _, pull = jax.vjp(gradient, *problem.inputs, *along)
        yield [np.conj(np.asarray(g)) for g in pull([jnp.conj(u) for u in again])]


def _ours(problem: Problem) -> Iterator[list[Any]]:
    closed = jax.make_jaxpr(problem.fn)(*problem.inputs)
    replay = Replay(closed.jaxpr, closed.consts, RULES)
    arrays = [np.asarray(x) for x in problem.inputs]
    outs = replay(*arrays)
    yield [np.asarray(out) for out in outs]
    along, again = _seeds(outs, 1), _seeds(arrays, 2)

    def gradient(*values: Any) -> list[Any]:
        count = len(arrays)
        return list(engine.vjp(lambda *x: list(replay(*x)), *values[:count])[1](list(values[count:])))

    with np.errstate(all="ignore"):
        yield [_plain(g) for g in engine.vjp(lambda *x: list(replay(*x)), *arrays)[1](along)]
        yield [_plain(g) for g in engine.vjp(gradient, *arrays, *along)[1](again)]


def _plain(value: Any) -> Any:
    return np.asarray(value.data if isinstance(value, engine.Tensor) else value)


def _agree(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape:
            return False
        with np.errstate(all="ignore"):
            largest = np.abs(b[np.isfinite(b)]).max(initial=0.0)
            off = np.abs(a - b) > RTOL * np.abs(b) + ATOL * largest
            if (off & np.isfinite(b) & ~(a == b)).any():
                return False
    return True


# ---------------------------------------------------------------------- faults

Fault = Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]
"""Takes gradients, and the right ones along one cotangent, which say where the largest entry is."""


def _each(factor: float) -> Fault:
    return lambda gradients, right: [factor * g for g in gradients]


def _one_entry(change: Callable[[Any, int], Any]) -> Fault:
    def fault(gradients: Sequence[Any], right: Sequence[Any]) -> Sequence[Any]:
        sizes = [float(np.abs(g).max()) if g.size else -1.0 for g in right]
        which = sizes.index(max(sizes))
        largest = int(np.abs(right[which]).reshape(-1).argmax())
        target = gradients[which]
        changed = change(jnp.reshape(target, -1), largest).reshape(target.shape)
        return [*gradients[:which], changed, *gradients[which + 1 :]]

    return fault


def _plus_a_percent(flat: Any, largest: int) -> Any:
    # Not the largest itself, if there is another: that would be a factor of what is seen best.
    return flat.at[(largest + flat.size // 2) % flat.size].add(flat[largest] / 100)


FAULTS: dict[str, Fault] = {
    "sign": _each(-1.0),
    "×1.01": _each(1.01),
    "×1.001": _each(1.001),
    "one entry +1 % of the largest": _one_entry(_plus_a_percent),
    "largest entry zeroed": _one_entry(lambda flat, largest: flat.at[largest].set(0)),
    "reversed": lambda gradients, right: [jnp.reshape(jnp.reshape(g, -1)[::-1], g.shape) for g in gradients],
    "second input dropped": lambda gradients, right: [
        0 * g if k == 1 else g for k, g in enumerate(gradients)
    ],
}


def _changes(right: Sequence[Any], wrong: Sequence[Any]) -> bool:
    """Whether some entry is off by what a check promises to see, relative to its input's largest."""
    for a, b in zip(right, wrong, strict=True):
        if a.size and np.isfinite(a).all():
            largest = max(float(np.abs(a).max()), float(np.abs(b).max()))
            if float(np.abs(b - a).max()) > 0.99 * SENSITIVITY * largest:
                return True
    return False


def _broken(problem: Problem) -> Iterator[Callable[..., Any] | None]:
    """The function with its right rule, and with each fault in it; None where the fault is none."""
    outs, pull = jax.vjp(problem.fn, *problem.inputs)
    found = [
        [np.asarray(g) for g in pull([jnp.asarray(u, out.dtype) for u, out in zip(us, outs, strict=True)])]
        for us in (_seeds(outs, seed) for seed in (3, 4, 5))
    ]
    right = found[0]
    faults: list[Fault] = [lambda gradients, right: gradients, *FAULTS.values()]

    # One function for all: what is compiled for one fault serves the others.
    @jax.custom_vjp
    def corrupted(number: Any, *values: Any) -> Any:
        return problem.fn(*values)

    def forward(number: Any, *values: Any) -> Any:
        return problem.fn(*values), (number, values)

    def backward(kept: Any, along: Any) -> Any:
        number, values = kept
        gradients = list(jax.vjp(problem.fn, *values)[1](along))
        ways = [functools.partial(lambda fault, *g: tuple(fault(list(g), right)), fault) for fault in faults]
        return None, *jax.lax.switch(number, ways, *gradients)

    corrupted.defvjp(forward, backward)
    for k, (name, fault) in enumerate(zip(("right", *FAULTS), faults, strict=True)):
        fits = name != "second input dropped" or len(problem.inputs) > 1
        pairs = [(g, list(map(np.asarray, fault(list(map(jnp.asarray, g)), right)))) for g in found]
        if k and not (fits and any(_changes(*pair) for pair in pairs)):
            yield None
            continue
        number = jnp.asarray(k, jnp.int32)
        yield functools.partial(lambda number, *values: corrupted(number, *values), number)


# ---------------------------------------------------------------------- checkers


def ours(fn: Callable[..., Any], inputs: Sequence[Any]) -> str:
    """The verdict of this project with its defaults: p(ass), i(nconclusive) or f(ail)."""
    try:
        return str(check_gradients(fn, tuple(inputs)).verdict[0])
    except InvalidArgument:
        return "-"


def check_grads_(fn: Callable[..., Any], inputs: Sequence[Any]) -> str:
    """The same of ``jax.test_util.check_grads``, which raises for what it finds wrong."""
    try:
        check_grads(fn, tuple(inputs), order=1, modes=("rev",))
    except Exception:
        return "f"
    return "p"


CHECKERS = {"ours": ours, "check_grads": check_grads_}


class Outcome(NamedTuple):
    """What both checkers said of a primitive in a dtype: a letter for the right rule and for each fault.

    ``seconds`` are those on the process's clock, for all letters.
    """

    letters: tuple[str, ...]
    seconds: tuple[float, ...]


def outcome(name: str, dtype: str, faults: bool = True) -> Outcome | None:
    """Run both checkers; None for a primitive without a derivative in this dtype."""
    with warnings.catch_warnings(), jax.enable_x64(dtype == "float64"):
        warnings.simplefilter("ignore")
        found = problems(name, dtype)
        if not found:
            return None
        problem = found[0]
        functions = list(_broken(problem)) if faults else [problem.fn]
        letters, seconds = [], []
        for check in CHECKERS.values():
            clock = process_time()
            letters.append("".join("-" if fn is None else check(fn, problem.inputs) for fn in functions))
            seconds.append(process_time() - clock)
        registry.release()
        return Outcome(tuple(letters), tuple(seconds))
