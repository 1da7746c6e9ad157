"""The arguments of strategies: validated by name when a strategy is made, and written out in its repr."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.strategies.dtypes import dtype_name, largest
from pytest_gradcheck.strategies.tables import Range
from pytest_gradcheck.strategies.values import SPECIAL

#: Defaults, which a strategy's repr omits.
_DEFAULTS: dict[str, Any] = {"unique": False, "special": True, "requires_grad": False}


class Bounds(NamedTuple):
    """Bounds as they were given, and the numbers of a dtype between them."""

    domain: tuple[float, float] | None
    within: Range

    @classmethod
    def checked(cls, min_value: Any, max_value: Any, component: str, dtype: str) -> Bounds:
        """Return the bounds.

        Raises `InvalidArgument` for anything that is not a bound, or if no number lies between them.
        """
        low = _checked_bound("min_value", min_value, component)
        high = _checked_bound("max_value", max_value, component)
        if low is not None and high is not None and low > high:
            got = f"{min_value!r} above max_value={max_value!r}"
            raise InvalidArgument("min_value", got, "swap them, or drop one")
        within = Range.within(low, high, component)
        if within.low > within.high:
            got = f"{min_value!r} and {max_value!r}, between which {dtype} has no value"
            raise InvalidArgument("min_value, max_value", got, "widen the bounds or take a finer dtype")
        if low is None and high is None:
            return cls(None, within)
        return cls((-math.inf if low is None else low, math.inf if high is None else high), within)


def _checked_bound(argument: str, value: Any, component: str) -> float | None:
    if value is None:
        return None
    bound = checked_number(argument, value, "give a real number, or None for no bound")
    if not math.isfinite(bound):
        raise InvalidArgument(argument, repr(value), "give a finite number, or None for no bound")
    if abs(bound) > largest(component):
        remedy = f"{component} ends at {largest(component):.6g}; take a smaller bound"
        raise InvalidArgument(argument, repr(value), remedy)
    return bound


def checked_number(argument: str, value: Any, remedy: str) -> float:
    """Return a real number as a float, infinite where it is too large for one."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidArgument(argument, repr(value), remedy)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def checked_dtypes(dtype: Any, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of one dtype, or of a list of several."""
    if isinstance(dtype, list | tuple):
        if not dtype:
            raise InvalidArgument("dtype", repr(dtype), f"name some of {', '.join(allowed)}")
        return tuple(dtype_name(one, allowed) for one in dtype)
    return (dtype_name(dtype, allowed),)


def checked_elements(elements: Any, min_value: Any, max_value: Any) -> st.SearchStrategy[Any] | None:
    """Return a strategy for entries, which excludes bounds; None for none."""
    if elements is None:
        return None
    if not isinstance(elements, st.SearchStrategy):
        raise InvalidArgument("elements", repr(elements), "give a strategy for single entries")
    if min_value is not None or max_value is not None:
        got = "a strategy together with min_value or max_value"
        raise InvalidArgument("elements", got, "put the bounds into that strategy")
    return elements


def checked_flag(argument: str, value: Any) -> bool:
    """Return a bool; raises `InvalidArgument` for anything else."""
    if not isinstance(value, bool):
        raise InvalidArgument(argument, repr(value), "give True or False")
    return value


def checked_special(special: Any) -> frozenset[str]:
    """Return the features that points may be given."""
    if isinstance(special, bool):
        return frozenset(SPECIAL) if special else frozenset()
    remedy = f"give True, False, or some of {', '.join(SPECIAL)}"
    if isinstance(special, str) or not isinstance(special, Iterable):
        raise InvalidArgument("special", repr(special), remedy)
    names = list(special)
    for name in names:
        if name not in SPECIAL:
            raise InvalidArgument("special", repr(name), remedy)
    return frozenset(names)


def call_text(name: str, shape: Any, dtypes: tuple[str, ...], keywords: Mapping[str, Any]) -> str:
    """Return the call that makes a strategy, without default arguments."""
    parts = [repr(shape)] if shape is not None else []
    if dtypes != ("float64",):
        text = repr(dtypes[0] if len(dtypes) == 1 else list(dtypes))
        parts.append(text if parts else f"dtype={text}")
    parts += [f"{key}={value!r}" for key, value in keywords.items() if value is not _DEFAULTS.get(key)]
    return f"{name}({', '.join(parts)})"
