"""JAX's own database of primitives: each on the reference engine, and under two checkers.

The page on JAX's primitives and the sweep that holds it stand on this module.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
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

__all__ = [
    "CHECKERS",
    "DTYPES",
    "FAULTS",
    "PRIMITIVES",
    "Outcome",
    "Stages",
    "first_problem",
    "gradients_of_jax",
    "names_of_part",
    "outcome",
    "seeds",
]

PARTS = 22
"""The sweep can be run in so many parts: part k has every 22nd primitive by name, from the k-th on."""

DTYPES = {"float64": np.float64, "float32": np.float32}

COMPLEX = {"float64": np.complex128, "float32": np.complex64}
"""The complex numbers of the same precision."""

SENSITIVITY = 1e-3
"""What a check promises by default: a fault that moves no entry by as much of the largest is none."""

LARGEST = 64
"""A harness has up to so many numbers, in and out, if there is one; else the smallest is taken."""

LARGEST_BROKEN = 512
"""Rules are broken of functions with up to so many numbers, in and out."""

ON_ENGINE = 3
"""So many harnesses of a primitive are run on the engine, and one of complex numbers; one is checked."""

RTOL, ATOL = 1e-9, 1e-12
"""How far an entry may be off, relative to itself and to the largest entry of its array."""

SIDE = 3
"""Arguments that are drawn are cut to so many entries along each axis, if the primitive takes them so."""


INTO_DOMAIN: tuple[Callable[[Any], Any], ...] = (
    lambda x: x,
    lambda x: np.nan_to_num(x / (1 + np.abs(x)), nan=0.5, posinf=0.7, neginf=-0.7),
    lambda x: 1 + np.abs(np.nan_to_num(x, nan=0.5, posinf=0.7, neginf=0.7)),
)
"""Where a value or a gradient is not finite at the arguments as they are drawn, the first that helps is done
to them. They are drawn without a look at where a function has a value, and some are infinite on purpose."""

FOR_BARE: dict[str, Callable[..., Any]] = {
    "mul": jax.lax.mul,
    "conj": jax.lax.conj,
    "cholesky": jax.lax.linalg.cholesky,
    "eigh": jax.lax.linalg.eigh,
    "clamp": lambda low, x, high: jax.lax.clamp(low, x, low + jnp.abs(high)),
}
"""What is called for primitives that the database calls as nothing else does: without parameters that JAX's
derivative asks for, with one triangle of a matrix (JAX's derivative is that for symmetric matrices), with
parts of the result undefined (above a diagonal), or with bounds in the wrong order."""


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
    """The first harnesses of a primitive that have a derivative in a dtype, at least one number and few.

    After those of real numbers comes one of complex numbers.
    """
    return [*_problems(name, DTYPES[dtype], ON_ENGINE), *_problems(name, COMPLEX[dtype], 1)]


def first_problem(name: str, dtype: str) -> Problem | None:
    """The first of `problems`, without a look at the others."""
    found = _problems(name, DTYPES[dtype], 1) or _problems(name, COMPLEX[dtype], 1)
    return found[0] if found else None


def _problems(name: str, dtype: Any, most: int) -> list[Problem]:
    found: list[Problem] = []
    large: list[Problem] = []
    for harness in _harnesses()[name]:
        # What is not a matter of this dtype has another one, or none, in its own row.
        if harness.dtype != dtype or not harness.filter(jax.default_backend()):
            continue
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problem = _small(harness)
            if problem is None:
                continue
            (found if problem.numbers <= LARGEST else large).append(problem)
        if len(found) == most:
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
    function = FOR_BARE.get(harness.group_name, harness.dyn_fun)

    def fn(*values: Any) -> list[Any]:
        given = list(args)
        for k, value in zip(places, values, strict=True):
            given[k] = value
        outs = jax.tree_util.tree_leaves(function(*given))
        return [out for out in outs if jnp.issubdtype(jnp.asarray(out).dtype, jnp.inexact)]

    if not sum(np.size(args[k]) for k in places):
        return None
    for move in INTO_DOMAIN:
        inputs = tuple(jnp.asarray(move(np.asarray(args[k])), args[k].dtype) for k in places)
        outs, pull = jax.vjp(fn, *inputs)
        if not sum(out.size for out in outs):
            return None
        found = pull([jnp.ones_like(out) for out in outs])
        if all(np.isfinite(np.asarray(x, complex)).all() for x in (*outs, *found)):
            break
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
        theirs = list(gradients_of_jax(problem))
        runs += 1
        # What is converted to a narrow dtype is rounded to it in JAX; the replay is in float64.
        eps = max(float(jnp.finfo(np.asarray(x).dtype).eps) for x in (*theirs[0], *problem.inputs))
        agree = [_agree(a, b, max(RTOL, 4 * eps)) for a, b in zip(ours, theirs, strict=False)]
        if not all(agree[:2]):
            why = why or "the derivative differs"
        first += all(agree[:2])
        if len(theirs) > 2:
            seconds += 1
            second += all(agree)
            if all(agree[:2]) and not all(agree):
                why = why or "the second derivative differs"
    return Stages(len(chosen), runs, first, seconds, second, why)


def seeds(like: Sequence[Any], seed: int) -> list[Any]:
    """Random cotangents of arrays, by a seed."""
    rng = np.random.default_rng(seed)
    found = []
    for x in like:
        u = rng.uniform(0.5, 1.5, np.shape(x)) * rng.choice([-1.0, 1.0], np.shape(x))
        found.append(u + 1j * rng.uniform(0.5, 1.5, np.shape(x)) if jnp.iscomplexobj(x) else u)
    return found


def gradients_of_jax(problem: Problem) -> Iterator[list[Any]]:
    """JAX's value, derivative, and derivative of that as far as it has one; conjugated as the engine's is."""
    outs = problem.fn(*problem.inputs)
    yield [np.asarray(out) for out in outs]
    along = [jnp.asarray(u, out.dtype) for u, out in zip(seeds(outs, 1), outs, strict=True)]

    def gradient(*values: Any) -> list[Any]:
        count = len(problem.inputs)
        _, pull = jax.vjp(problem.fn, *values[:count])
        return [jnp.conj(g) for g in pull([jnp.conj(u) for u in values[count:]])]

    yield [np.asarray(g) for g in gradient(*problem.inputs, *along)]
    again = [jnp.asarray(u, x.dtype) for u, x in zip(seeds(problem.inputs, 2), problem.inputs, strict=True)]
    with contextlib.suppress(Exception):
        _, pull = jax.vjp(gradient, *problem.inputs, *along)
        yield [np.conj(np.asarray(g)) for g in pull([jnp.conj(u) for u in again])]


def _ours(problem: Problem) -> Iterator[list[Any]]:
    closed = jax.make_jaxpr(problem.fn)(*problem.inputs)
    replay = Replay(closed.jaxpr, closed.consts, RULES)
    arrays = [np.asarray(x) for x in problem.inputs]
    outs = replay(*arrays)
    yield [np.asarray(out) for out in outs]
    along, again = seeds(outs, 1), seeds(arrays, 2)

    def gradient(*values: Any) -> list[Any]:
        count = len(arrays)
        return list(engine.vjp(lambda *x: list(replay(*x)), *values[:count])[1](list(values[count:])))

    with np.errstate(all="ignore"):
        yield [_plain(g) for g in engine.vjp(lambda *x: list(replay(*x)), *arrays)[1](along)]
        yield [_plain(g) for g in engine.vjp(gradient, *arrays, *along)[1](again)]


def _plain(value: Any) -> Any:
    return np.asarray(value.data if isinstance(value, engine.Tensor) else value)


def _agree(ours: Sequence[Any], theirs: Sequence[Any], rtol: float) -> bool:
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape:
            return False
        with np.errstate(all="ignore"):
            largest = np.abs(b[np.isfinite(b)]).max(initial=0.0)
            off = np.abs(a - b) > rtol * np.abs(b) + ATOL * largest
            if (off & np.isfinite(b) & ~(a == b)).any():
                return False
    return True


# ---------------------------------------------------------------------- faults


class Fault(NamedTuple):
    """A linear fault: of gradients in one flat vector g it makes ``factor * g[order] + more * g[place]``."""

    factor: Any
    order: Any
    more: Any
    place: Any

    def __call__(self, flat: Any) -> Any:
        """Return the wrong gradients, as one flat vector."""
        return (self.factor * flat[self.order] + self.more * flat[self.place]).astype(flat.dtype)


def _faults(right: Sequence[Any]) -> dict[str, Fault]:
    """The faults by name, for gradients like the right ones, which say where the largest entry is."""
    flat = np.concatenate([g.reshape(-1) for g in right])
    size, sizes = len(flat), [g.size for g in right]
    ones, zeros, order, place = np.ones(size), np.zeros(size), np.arange(size), int(np.abs(flat).argmax())
    starts = np.cumsum([0, *sizes])
    own = next(slice(a, b) for a, b in itertools.pairwise(starts) if a <= place < b)
    one, hole, second, turned = zeros.copy(), ones.copy(), ones.copy(), order.copy()
    # Not the largest itself, if there is another: that would be a factor of what is seen best.
    one[own.start + (place - own.start + (own.stop - own.start) // 2) % (own.stop - own.start)] = 0.01
    hole[place] = 0.0
    if len(right) > 1:
        second[starts[1] : starts[2]] = 0.0
    for a, b in itertools.pairwise(starts):
        turned[a:b] = order[a:b][::-1]
    found = {
        "right": (ones, order, zeros),
        "sign": (-ones, order, zeros),
        "×1.01": (1.01 * ones, order, zeros),
        "×1.001": (1.001 * ones, order, zeros),
        "one entry +1 % of the largest": (ones, order, one),
        "largest entry zeroed": (hole, order, zeros),
        "reversed": (ones, turned, zeros),
        "second input dropped": (second, order, zeros),
    }
    return {name: Fault(*parts, np.int32(place)) for name, parts in found.items()}


FAULTS = tuple(_faults([np.ones(1)]))[1:]
"""The names of the faults, in the order of their letters."""


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
        for us in (seeds(outs, seed) for seed in (3, 4, 5))
    ]
    faults = _faults(found[0])

    # One function for all: what is compiled for one fault serves the others.
    @jax.custom_vjp
    def corrupted(fault: Any, *values: Any) -> Any:
        return problem.fn(*values)

    def forward(fault: Any, *values: Any) -> Any:
        return problem.fn(*values), (fault, values)

    def backward(kept: Any, along: Any) -> Any:
        fault, values = kept
        gradients = jax.vjp(problem.fn, *values)[1](along)
        parts = jnp.split(
            Fault(*fault)(jnp.concatenate([jnp.reshape(g, -1) for g in gradients])),
            np.cumsum([g.size for g in gradients])[:-1],
        )
        shaped = [
            jnp.reshape(part, g.shape).astype(g.dtype) for part, g in zip(parts, gradients, strict=True)
        ]
        return None, *shaped

    corrupted.defvjp(forward, backward)
    for name, fault in faults.items():
        pairs = [(g, _split(fault(np.concatenate([x.reshape(-1) for x in g])), g)) for g in found]
        if name != "right" and not any(_changes(*pair) for pair in pairs):
            yield None
            continue
        arrays = jnp.asarray(fault.factor), jnp.asarray(fault.order), jnp.asarray(fault.more)
        yield functools.partial(corrupted, (*arrays, jnp.asarray(fault.place)))


def _split(flat: Any, like: Sequence[Any]) -> list[Any]:
    parts = np.split(flat, np.cumsum([x.size for x in like])[:-1])
    return [part.reshape(x.shape) for part, x in zip(parts, like, strict=True)]


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
        small = faults and problem.numbers <= LARGEST_BROKEN
        functions = list(_broken(problem)) if small else [problem.fn, *[None] * len(FAULTS)]
        letters, seconds = [], []
        for check in CHECKERS.values():
            clock = process_time()
            letters.append("".join("-" if fn is None else check(fn, problem.inputs) for fn in functions))
            seconds.append(process_time() - clock)
        registry.release()
        # JAX keeps every operation that it has compiled.
        jax.clear_caches()
        return Outcome(tuple(letters), tuple(seconds))
