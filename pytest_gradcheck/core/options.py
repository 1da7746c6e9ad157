"""The options of a check: what they are, and validated by name wherever they come from."""

from __future__ import annotations

import difflib
import importlib.util
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pytest_gradcheck.core.evidence.compare import Tolerance
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.methods.names import METHOD_NAMES

MODES = ("auto", "full", "directional")

#: What a gradient that the function itself stops is taken for.
STOPS = ("wrong", "intended")

#: The keyword arguments of `check_gradients`.
OPTION_NAMES: tuple[str, ...] = (
    "methods",
    "gradient",
    "vjp",
    "order",
    "wrt",
    "rtol",
    "atol",
    "sensitivity",
    "mode",
    "domain",
    "step",
    "stop_gradients",
    "seed",
    "name",
)


@dataclass(frozen=True)
class Options:
    """What the caller asked for.

    ``demanded`` says whether the methods were named, ``hold_stops`` whether stopped gradients are intended,
    ``brief`` whether a failure is to be seen and not to be explained, ``thorough`` whether entries are looked
    at from the start where that can be paid.
    """

    methods: tuple[str, ...]
    demanded: bool
    gradient: Callable[..., Any] | None
    vjp: Callable[..., Any] | None
    tolerance: Tolerance
    mode: str
    step: float | None
    hold_stops: bool = False
    brief: bool = False
    thorough: bool = False


def validate_options(**options: Any) -> None:
    """Check the values of options that are wrong whatever the function: at collection, in a marker.

    Raises `InvalidArgument` for an unknown option or a value that it cannot take.
    """
    for key, value in options.items():
        if key not in OPTION_NAMES:
            close = difflib.get_close_matches(key, OPTION_NAMES, 1)
            hint = f"did you mean {close[0]}?" if close else f"the options are {', '.join(OPTION_NAMES)}"
            raise InvalidArgument(key, "an option that does not exist", hint)
        if value is not None and key in _CHECKS:
            _CHECKS[key](key, value)
    if options.get("gradient") is not None and options.get("vjp") is not None:
        raise InvalidArgument("gradient", "a gradient and a vjp", "give one of the two")


def _methods(key: str, value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidArgument(key, repr(value), "give a tuple of method names")
    names = list(value)
    for item in names:
        if item not in METHOD_NAMES:
            close = difflib.get_close_matches(str(item), METHOD_NAMES, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InvalidArgument(key, repr(item), f"{hint}the methods are {', '.join(METHOD_NAMES)}")
    if not names:
        raise InvalidArgument(key, "none", f"name some of {', '.join(METHOD_NAMES)}")
    if "torch" in names and importlib.util.find_spec("torch") is None:
        raise InvalidArgument(
            key, "'torch', which is not installed", "pip install 'pytest-gradcheck[torch]', or leave it out"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rule(test: Callable[[Any], bool], remedy: str) -> Callable[[str, Any], None]:
    def check(key: str, value: Any) -> None:
        if not test(value):
            raise InvalidArgument(key, repr(value), remedy)

    return check


_tolerance = _rule(
    lambda v: _is_number(v) and 0 <= v < math.inf, "a tolerance is a finite number, zero or more"
)
_function = _rule(callable, "give a function of the inputs")

_CHECKS: dict[str, Callable[[str, Any], None]] = {
    "methods": _methods,
    "gradient": _function,
    "vjp": _function,
    "order": _rule(
        lambda v: v in (1, 2) and not isinstance(v, bool),
        "1 checks the gradient, 2 the gradient of the gradient too",
    ),
    "rtol": _tolerance,
    "atol": _tolerance,
    "sensitivity": _rule(
        lambda v: _is_number(v) and 0 < v < 1, "give a relative error between 0 and 1, such as 1e-3"
    ),
    "mode": _rule(lambda v: v in MODES, f"the modes are {', '.join(MODES)}"),
    "step": _rule(
        lambda v: _is_number(v) and 0 < v < math.inf, "a step is a finite number above zero, such as 1e-6"
    ),
    "stop_gradients": _rule(lambda v: v in STOPS, f"a stopped gradient is one of {', '.join(STOPS)}"),
    "seed": _rule(
        lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0,
        "a seed is a whole number, zero or more",
    ),
    "name": _rule(lambda v: isinstance(v, str), "give a string"),
}
