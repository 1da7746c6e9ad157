"""Properties of hand-written rules besides the values of a gradient; each rule is tried separately."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pytest_gradcheck.frameworks.base import FunctionAtPoint, Property
from pytest_gradcheck.frameworks.jax import traces
from pytest_gradcheck.frameworks.jax.compiled import OPTIONS
from pytest_gradcheck.frameworks.jax.custom_rules import RuleCall, calls_of, settle
from pytest_gradcheck.frameworks.leaves import EPS_BY_DTYPE
from pytest_gradcheck.frameworks.properties import HOLDS, Selection
from pytest_gradcheck.frameworks.pullback import NOT_LINEAR, Pullback

#: At most so many functions are tried.
MOST_FUNCTIONS = 8

#: The effect of another order of operations, in roots of the unit roundoff; faults have far larger effects.
ROOTS = 4.0

#: Roundings by which operands are moved to measure the noise of a function, and how many times that noise is
#: acceptable.
TREMOR, NOISES = 4.0, 16.0


def properties_of_functions(
    function: FunctionAtPoint, pullback: Pullback, wanted: Selection, *, few_calls: bool = False
) -> Sequence[Property]:
    """Try the functions with a hand-written rule in every way that a caller may use.

    With ``few_calls`` too: a rule that was tried once is not tried again.
    """
    if not {"leaked-tracers", *_OF_RULES} & wanted.names:
        return ()
    found: dict[str, Property] = {}
    calls = calls_of(function)[:MOST_FUNCTIONS]
    if "leaked-tracers" in wanted and calls:
        traced = traces.key_of(function, double=False)
        # Different rules around the same operations are different functions: each is tried.
        tried = ("leaked-tracers", traced.family, traced.rules)
        leaking = _passed.get(tried) or _leaks(function, calls)
        found[leaking.name] = leaking
        if leaking.holds:
            _passed[tried] = leaking
    for call in calls:
        if not call.floating:
            continue
        for name, trial in _OF_RULES.items():
            if name not in wanted or (name in found and found[name].holds is False):
                continue
            key = (name, *call.kind)
            if key not in _passed:
                _passed[key] = _tried(name, trial, call)
            one = _passed[key]
            if one is not None and one.holds is False:
                # At another point, or once it is fixed, the answer may differ.
                del _passed[key]
            if one is not None and (name not in found or one.holds is False):
                found[name] = one
        # The operands that it keeps are not needed any more.
        call.first = None
    while len(_passed) > MOST_KEPT:
        del _passed[next(iter(_passed))]
    if all(one.holds is not False for one in found.values()):
        settle(function)
    return list(found.values())


#: Results by rule and kind of operands: compiling a rule takes 50 ms, many times a check.
_passed: dict[tuple[Any, ...], Property | None] = {}

#: So many of them are kept.
MOST_KEPT = 256


def _tried(name: str, trial: Callable[[RuleCall], str | None], call: RuleCall) -> Property | None:
    try:
        text = trial(call)
    except _NotTried:
        return None
    code = _CODES.get(name, name)
    return Property(name, text is None, f"{text}: {call}" if text else HOLDS[name], code)


class _NotTried(Exception):  # noqa: N818  it is not an error
    """Raised by a trial without a result for this rule."""


# -- trials: each returns what is wrong, or None ---------------------------------------------------------


def returns_another_value(call: RuleCall) -> str | None:
    """Return what is wrong with a rule's value, or None."""
    value = _first(call).value
    expected = call.plain(*call.operands)
    if _alike(value, expected) or _is_noise(value, expected, call.plain(*_moved(call, TREMOR))):
        return None
    return "the rule returns a different value than the function"


def _fits(call: RuleCall) -> str | None:
    for k, gradient in zip(call.floating, _first(call).gradients, strict=True):
        expected = call.operands[k].dtype
        if gradient.dtype != expected:
            return f"the cotangent of argument {k} is {gradient.dtype} instead of {expected}"
    return None


def _leaks(function: FunctionAtPoint, calls: Sequence[RuleCall]) -> Property:
    """Try whether a rule leaks traced values, which raise wherever they are used later.

    The whole function is run: a rule that was traced before is not run again.
    """
    leaves = function.native_values()

    def values(*given: Any) -> list[Any]:
        return [jnp.asarray(out) for out in function.call(given, double=False)]

    def gradients(*given: Any) -> Any:
        value, pull = jax.vjp(values, *given)
        return pull([jnp.ones_like(out) for out in value])

    # Values that the function itself leaks are not the rule's fault.
    leaks = _is_leak(gradients, leaves) and not _is_leak(values, leaves)
    name, of = "leaked-tracers", ", ".join(map(str, calls))
    return Property(name, not leaks, f"a rule leaks a traced value: {of}" if leaks else HOLDS[name], name)


def _is_leak(function: Callable[..., Any], leaves: Sequence[Any]) -> bool:
    try:
        with jax.checking_leaks():
            jax.make_jaxpr(function)(*leaves)
    except Exception as error:
        return "Leaked" in str(error)
    return False


def _undefined(call: RuleCall) -> str | None:
    value, pull = _vjp(call, call.operands)
    if len(value) < 2:
        raise _NotTried
    seeds = _seeds(value, 0)
    for k, seed in enumerate(seeds):
        filled = [u if j == k else jnp.zeros_like(u) for j, u in enumerate(seeds)]
        # One output alone: JAX may tell the rule that nothing comes from the others.
        of_one = _of_floating(lambda *x, k=k: [_floating(call(*x))[k]], call.operands, call.floating)
        _, alone = jax.vjp(of_one, *(call.operands[i] for i in call.floating))
        if not _alike(alone([seed]), pull(filled)):
            return (
                f"with a cotangent for output {k} alone, the gradient differs from that with zeros for "
                f"the other "
                "outputs"
            )
    return None


def _frozen(call: RuleCall) -> str | None:
    places = call.floating
    if len(places) < 2:
        raise _NotTried
    value, pull = _vjp(call, call.operands)
    seeds = _seeds(value, 0)
    for k, gradient in zip(places, pull(seeds), strict=True):
        _, alone = jax.vjp(_of_floating(call, call.operands, [k]), call.operands[k])
        if not _alike(alone(seeds), [gradient]):
            return f"the gradient with respect to argument {k} alone differs from that next to the others"
    return None


def _floating(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if jnp.issubdtype(value.dtype, jnp.inexact)]


def _linear(call: RuleCall) -> str | None:
    first = _first(call)
    twice = first.pull([_times(-2.0, u) for u in first.seeds])
    return None if _alike(twice, [-2 * g for g in first.gradients]) else NOT_LINEAR


def _compiled(call: RuleCall) -> str | None:
    if _mapped_at_once(call):
        return None
    row, seeds = call.operands, _first(call).seeds
    found = jax.jit(functools.partial(_both, call))(row, seeds)
    return _parting(call, row, seeds, found, "jit gives a different {}")


def _mapped(call: RuleCall) -> str | None:
    if _mapped_at_once(call):
        return None
    rows, seeds = _rows(call)
    stacked = _columns(rows)
    try:
        jax.vmap(call.plain)(*stacked)
    except Exception as error:
        # If a function cannot be mapped, its users do not map it.
        raise _NotTried from error
    try:
        found = jax.vmap(functools.partial(_both, call))(stacked, _columns(seeds))
    except Exception as error:
        return f"vmap of the rule raises {type(error).__name__} ({str(error).strip().splitlines()[0]})"
    for k, (row, u) in enumerate(zip(rows, seeds, strict=True)):
        mine = [[x[k] for x in part] for part in found]
        text = "vmap of the rule gives a different {} than single calls"
        if (said := _parting(call, row, u, mine, text)) is not None:
            return said
    return None


def _mapped_at_once(call: RuleCall) -> bool:
    """Whether value and gradient are right when the rule is mapped and compiled at once.

    It is tried first: one compilation instead of several, for the many rules without a fault.
    """
    if call.mapped_at_once is None:
        rows, seeds = _rows(call)
        try:
            both = jax.jit(jax.vmap(functools.partial(_both, call)), compiler_options=OPTIONS)
            found = both(_columns(rows), _columns(seeds))
        except Exception:
            call.mapped_at_once = False
        else:
            call.mapped_at_once = all(
                _parting(call, row, u, [[x[k] for x in part] for part in found], "") is None
                for k, (row, u) in enumerate(zip(rows, seeds, strict=True))
            )
    return call.mapped_at_once


def _both(call: RuleCall, operands: Any, seeds: Any) -> Any:
    """Return value and gradient of a call."""
    value, pull = _vjp(call, operands)
    return value, pull(seeds)


def _rows(call: RuleCall) -> tuple[list[Any], list[Any]]:
    """Return the operands of two calls near each other, and cotangents for each."""
    moved = [_near(x) if k in call.floating else x for k, x in enumerate(call.operands)]
    first = _first(call)
    return [list(call.operands), moved], [first.seeds, _seeds(first.value, 1)]


def _columns(rows: Any) -> Any:
    return [_stacked(column) for column in zip(*rows, strict=True)]


def _stacked(arrays: Sequence[Any]) -> Any:
    if any(jnp.issubdtype(x.dtype, jax.dtypes.extended) for x in arrays):
        return jnp.stack(arrays)
    # By NumPy: JAX compiles each operation for every shape, for 30 ms.
    return jnp.asarray(np.stack([np.asarray(x) for x in arrays]))


def _times(factor: float, x: Any) -> Any:
    """Return an array times a number, in its dtype; by NumPy too."""
    return jnp.asarray(np.asarray(x) * np.asarray(factor, x.dtype))


def _parting(call: RuleCall, operands: Any, seeds: Any, found: Any, text: str) -> str | None:
    """Return a sentence on the first part that differs from that of a plain call, or None."""
    first = _first(call)
    expected = (first.value, first.gradients) if seeds is first.seeds else _both(call, operands, seeds)
    for k, (name, mine, right) in enumerate(zip(("value", "gradient"), found, expected, strict=True)):
        if not _alike(mine, right):
            nearby = _both(call, _moved(call, TREMOR, operands), seeds)[k]
            if not _is_noise(mine, right, nearby):
                return text.format(name)
    return None


def _moved(call: RuleCall, by: float, operands: Sequence[Any] | None = None) -> list[Any]:
    """Return operands of which those that are floating are moved by so many roundings."""
    given = call.operands if operands is None else operands
    places = set(call.floating)
    return [
        _times(1 + by * EPS_BY_DTYPE.get(str(x.dtype), 2.0**-7), x) if k in places else x
        for k, x in enumerate(given)
    ]


def _is_noise(found: Sequence[Any], expected: Sequence[Any], nearby: Sequence[Any]) -> bool:
    """Whether a difference is as large as the change when the operands move by roundings, as for the step
    counts and errors that a solver returns with its solution.
    """
    sizes = [np.abs(np.asarray(x)) for x in expected if jnp.issubdtype(x.dtype, jnp.inexact)]
    largest = max((float(np.nanmax(size, initial=0.0)) for size in sizes), default=0.0)
    for mine, right, moved in zip(found, expected, nearby, strict=True):
        if not jnp.issubdtype(right.dtype, jnp.inexact) or mine.shape != right.shape:
            continue
        a, b, c = (np.asarray(x, np.complex128) for x in (mine, right, moved))
        eps = EPS_BY_DTYPE.get(str(right.dtype), 2.0**-7)
        noise = max(np.nanmax(np.abs(c - b), initial=0.0), eps * largest)
        if not _alike([mine], [right]) and not np.nanmax(np.abs(a - b), initial=0.0) <= NOISES * noise:
            return False
    return True


def _forward(call: RuleCall) -> str | None:
    if not call.is_forward:
        # JAX has no forward mode for a custom_vjp.
        raise _NotTried
    places = call.floating
    tangents = [_seeds([call.operands[k]], 5 + k)[0] for k in places]
    value, moved = jax.jvp(
        _of_floating(call, call.operands, places), [call.operands[k] for k in places], tangents
    )
    _, _, seeds, gradients = _first(call)
    forward = _dot(seeds, moved)
    backward = _dot(gradients, tangents)
    size = max(_sizes(seeds, moved), _sizes(gradients, tangents))
    eps = max(EPS_BY_DTYPE.get(str(x.dtype), 0.0) for x in (*value, *tangents))
    if abs(forward - backward) > ROOTS * np.sqrt(eps) * size:
        return f"the jvp along a direction gives {forward:.6g}, the vjp {backward:.6g}"
    return None


_OF_RULES: dict[str, Callable[[RuleCall], str | None]] = {
    "primal": returns_another_value,
    "gradients-fit": _fits,
    "linear-backward": _linear,
    "undefined-cotangents": _undefined,
    "frozen-inputs": _frozen,
    "compiled": _compiled,
    "vmap": _mapped,
    "forward-mode": _forward,
}

_CODES = {"primal": "primal-mismatch", "gradients-fit": "dtype-mismatch"}


# -- parts ----------------------------------------------------------------------------------------------


def _of_floating(
    function: Callable[..., Sequence[Any]], operands: Sequence[Any], places: Sequence[int]
) -> Callable[..., list[Any]]:
    """Return a function of the floating operands alone, with its floating results."""

    def of_floating(*values: Any) -> list[Any]:
        full = list(operands)
        for k, value in zip(places, values, strict=True):
            full[k] = value
        return _floating(function(*full))

    return of_floating


class _First(NamedTuple):
    """The value of a rule at the operands of its call, its pullback, cotangents and gradients along them."""

    value: list[Any]
    pull: Callable[[Any], Sequence[Any]]
    seeds: list[Any]
    gradients: Sequence[Any]


def _first(call: RuleCall) -> _First:
    """Run a rule at the operands of its call, once for all trials."""
    if call.first is None:
        value, pull = _vjp(call, call.operands)
        seeds = _seeds(value, 0)
        call.first = _First(value, pull, seeds, pull(seeds))
    found: _First = call.first
    return found


def _vjp(call: RuleCall, operands: Sequence[Any]) -> tuple[list[Any], Callable[[Any], Sequence[Any]]]:
    places = call.floating
    value, pull = jax.vjp(_of_floating(call, operands, places), *(operands[k] for k in places))
    return value, lambda seeds: pull(list(seeds))


def _seeds(value: Sequence[Any], seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    found = []
    for out in value:
        u = rng.uniform(0.5, 1.5, out.shape) * rng.choice([-1.0, 1.0], out.shape)
        if jnp.issubdtype(out.dtype, jnp.complexfloating):
            u = u + 1j * rng.uniform(0.5, 1.5, out.shape)
        found.append(jnp.asarray(u, out.dtype))
    return found


def _near(x: Any) -> Any:
    """Return a point nearby, at which a function has almost the same value."""
    return _times(1 + 2.0**-6, x)


def _alike(found: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether arrays are equal up to the effect of another order of operations."""
    for mine, right in zip(found, expected, strict=True):
        if not jnp.issubdtype(right.dtype, jnp.inexact):
            continue
        eps = max(EPS_BY_DTYPE.get(str(x.dtype), 2.0**-7) for x in (mine, right))
        a, b = (np.asarray(x, np.complex128) for x in (mine, right))
        finite = np.isfinite(a) & np.isfinite(b)
        if a.shape != b.shape:
            return False
        size = np.abs(b[finite]).max(initial=0.0)
        if (np.abs(a - b)[finite] > ROOTS * np.sqrt(eps) * size).any():
            return False
    return True


def _products(left: Sequence[Any], right: Sequence[Any]) -> Any:
    pairs = zip(left, right, strict=True)
    parts = [np.asarray(a, np.complex128) * np.asarray(b, np.complex128) for a, b in pairs]
    return np.concatenate([part.reshape(-1) for part in parts])


def _dot(left: Sequence[Any], right: Sequence[Any]) -> float:
    return float(np.real(np.sum(_products(left, right))))


def _sizes(left: Sequence[Any], right: Sequence[Any]) -> float:
    return float(np.sum(np.abs(_products(left, right))))
