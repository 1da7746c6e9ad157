"""The options of a check, validated by name in one place."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from pytest_gradcheck.core import thresholds
from pytest_gradcheck.errors import InvalidArgument, nearest, suggestion
from pytest_gradcheck.frameworks.properties import DEFAULT, Selection, selected
from pytest_gradcheck.methods.names import (
    AUTODIFF_METHODS,
    DEFAULT_METHODS,
    FIRST_FORMS,
    METHOD_NAMES,
    SECOND_FORMS,
)

MODES = ("auto", "full", "directional")

#: The values of ``stop_gradients``.
STOPS = ("wrong", "intended")

#: Options that contradict ``stop_gradients="intended"``: what was given, and why.
NOT_WITH_STOPS = {
    "oracle": ("an oracle", "an oracle stops nothing"),
    "surrogate": ("a surrogate", "a surrogate already says which gradient is intended"),
}

#: Equivalents of the options of other gradient checkers.
ELSEWHERE = {
    **dict.fromkeys(("eps", "epsilon"), "steps are chosen automatically, and step= sets one"),
    **dict.fromkeys(("atols", "abs_tol", "absolute_tolerance"), "did you mean atol?"),
    **dict.fromkeys(("rtols", "rel_tol", "relative_tolerance", "tol"), "did you mean rtol?"),
    **dict.fromkeys(("modes", "fast_mode"), "did you mean mode? mode='directional' is the fast one"),
    "nondet_tol": "leave it out: a backward that differs from run to run fails",
    "raise_exception": "leave it out: check_gradients returns a result, assert_gradients raises",
    "grad": "did you mean gradient?",
    "jac": "did you mean jacobian, or gradient for a scalar? gradient=True is jac=True of scipy.optimize",
    "hess": "did you mean hessian?",
    "hessp": "did you mean hvp?",
    **dict.fromkeys(("argnum", "argnums"), "did you mean wrt? it takes names or positions"),
}

#: The options that only a test can give.
OF_TESTS = ("brief", "thorough", "drawn", "written_as")


@dataclass(frozen=True)
class Tolerance:
    """What is allowed beyond the error bars, and the smallest relative error that must be detected."""

    rtol: float
    atol: float
    sensitivity: float
    #: The smallest normal number of the dtype on trial; below it numbers lose digits or vanish.
    tiny: float = 0.0


@dataclass(frozen=True, eq=False)
class Options:
    """The keyword arguments of `check_gradients`, and the additions of a test.

    A ``brief`` check finds a failure but does not explain it. A ``thorough`` one compares entries from the
    start if that is affordable. With ``drawn`` every floating-point input must be differentiated.
    """

    methods: Iterable[str] | None = None
    gradient: Callable[..., Any] | bool | None = None
    vjp: Callable[..., Any] | None = None
    jacobian: Callable[..., Any] | None = None
    jvp: Callable[..., Any] | None = None
    hessian: Callable[..., Any] | None = None
    hvp: Callable[..., Any] | None = None
    oracle: Callable[..., Any] | None = None
    surrogate: Callable[..., Any] | None = None
    order: int = 1
    wrt: Any = None
    rtol: float | None = None
    atol: float | None = None
    sensitivity: float | None = None
    mode: str = "auto"
    domain: Any = None
    step: float | None = None
    stop_gradients: str = "wrong"
    properties: str | Iterable[str] = "default"
    seed: int | None = None
    name: str | None = None
    brief: bool = False
    thorough: bool = False
    drawn: bool = False
    #: Returns the body of a test as source (`core.report.reproduce.Written`), or None.
    written_as: Callable[[], Any] | None = None
    #: The methods to run.
    chosen: tuple[str, ...] = field(init=False)
    #: Whether gradients that the function stops are intended.
    holds_stops: bool = field(init=False)
    #: The properties to try.
    tried: Selection = field(init=False)
    #: The derivatives by hand that were given, by form.
    forms: dict[str, Any] = field(init=False)
    #: Whether any derivative by hand was given.
    is_by_hand: bool = field(init=False)

    def __post_init__(self) -> None:
        """Validate the options, and turn iterables of names into tuples; see `validate_options`."""
        for name in ("methods", "properties"):
            value = getattr(self, name)
            if isinstance(value, Iterable) and not isinstance(value, str):
                object.__setattr__(self, name, tuple(value))
        given = {name: getattr(self, name) for name in OPTION_NAMES}
        validate_options(**{name: v for name, v in given.items() if v is not _DEFAULTS[name]})
        object.__setattr__(self, "chosen", DEFAULT_METHODS if self.methods is None else self.methods)
        object.__setattr__(self, "holds_stops", self.stop_gradients == "intended")
        object.__setattr__(
            self, "tried", DEFAULT if self.properties == "default" else selected(self.properties)
        )
        forms = {name: given[name] for name in (*FIRST_FORMS, *SECOND_FORMS)}
        object.__setattr__(self, "forms", forms)
        object.__setattr__(self, "is_by_hand", any(each is not None for each in forms.values()))

    def tolerance(self, eps: float, tiny: float) -> Tolerance:
        """Return the tolerance for dtypes with this unit roundoff and smallest normal number."""
        rtol = self.rtol
        least = thresholds.SENSITIVITY_OVER_RTOL * (rtol or 0.0)
        if rtol is None:
            coarse = max(thresholds.RTOL_COARSE, thresholds.RTOL_ROUNDINGS * eps)
            rtol = coarse if eps > sys.float_info.epsilon else thresholds.RTOL
        sensitivity = max(thresholds.SENSITIVITY, least) if self.sensitivity is None else self.sensitivity
        return Tolerance(rtol, self.atol or 0.0, sensitivity, tiny)


_DEFAULTS = {f.name: f.default for f in fields(Options) if f.init and f.name not in OF_TESTS}

#: The keyword arguments of `check_gradients`.
OPTION_NAMES = tuple(_DEFAULTS)


def validate_options(**options: Any) -> None:
    """Validate option values independently of the function, such as those of a marker at collection.

    Raises `InvalidArgument` for an unknown option or a wrong value.
    """
    for key, value in options.items():
        if key not in OPTION_NAMES:
            close = key if key in ELSEWHERE else nearest(key, (*OPTION_NAMES, *ELSEWHERE))
            hint = f"did you mean {close}?" if close else f"the options are {', '.join(OPTION_NAMES)}"
            hint = ELSEWHERE.get(close or "", hint)
            raise InvalidArgument(key, "an option that does not exist", hint)
        if value is not None and key == "methods":
            _validate_methods(value)
        elif key == "properties":
            _validate_properties(value)
        elif value is not None and key in _CHECKS and not _CHECKS[key][0](value):
            raise InvalidArgument(key, repr(value), _CHECKS[key][1])
    methods = options.get("methods")
    if options.get("oracle") is not None and methods is not None and "oracle" not in methods:
        raise InvalidArgument("oracle", "an oracle and methods= without it", "add 'oracle' to the methods")
    for other, (what, why) in NOT_WITH_STOPS.items():
        if options.get(other) is not None and options.get("stop_gradients") == "intended":
            remedy = f"leave one of the two out: {why}"
            raise InvalidArgument("stop_gradients", f"'intended' with {what}", remedy)


def _validate_methods(value: Any) -> None:
    key = "methods"
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidArgument(key, repr(value), "give a tuple of method names")
    names = list(value)
    for item in names:
        if item not in METHOD_NAMES:
            raise InvalidArgument(key, repr(item), suggestion(str(item), METHOD_NAMES, "the methods are"))
    if not names:
        raise InvalidArgument(key, "none", f"name some of {', '.join(METHOD_NAMES)}")
    for name in names:
        if name in AUTODIFF_METHODS and importlib.util.find_spec(name) is None:
            raise InvalidArgument(
                key,
                f"{name!r}, which is not installed",
                f"pip install 'pytest-gradcheck[{name}]', or leave it out",
            )


def _validate_properties(value: Any) -> None:
    if not isinstance(value, Iterable):
        raise InvalidArgument("properties", repr(value), "give 'default', 'none' or a tuple of names")
    selected(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_Check = tuple[Callable[[Any], bool], str]

_TOLERANCE: _Check = (
    lambda v: _is_number(v) and 0 <= v < math.inf,
    "a tolerance is a finite number, zero or more",
)
_FUNCTION: _Check = (callable, "give a function of the inputs")

#: Per option: a test of its value, and what to give instead.
_CHECKS: dict[str, _Check] = {
    "gradient": (
        lambda v: v is True or callable(v),
        "give a function of the inputs, or True if the function under check returns (value, gradient)",
    ),
    "vjp": (callable, "give a function of the inputs and a cotangent"),
    "jacobian": _FUNCTION,
    "jvp": (callable, "give a function of the inputs and their tangents"),
    "hessian": _FUNCTION,
    "hvp": (callable, "give a function of the inputs and their tangents"),
    "oracle": (callable, "give a function of the same inputs that computes the same values"),
    "surrogate": (callable, "give a function of the same inputs whose derivative the gradient is to be"),
    "order": (
        lambda v: v in (1, 2) and not isinstance(v, bool),
        "1 checks the gradient, 2 the gradient of the gradient too",
    ),
    "rtol": _TOLERANCE,
    "atol": _TOLERANCE,
    "sensitivity": (
        lambda v: _is_number(v) and 0 < v < 1,
        "give a relative error between 0 and 1, such as 1e-3",
    ),
    "mode": (lambda v: v in MODES, f"the modes are {', '.join(MODES)}"),
    "step": (
        lambda v: _is_number(v) and 0 < v < math.inf,
        "a step is a finite number above zero, such as 1e-6",
    ),
    "stop_gradients": (lambda v: v in STOPS, f"a stopped gradient is one of {', '.join(STOPS)}"),
    "seed": (
        lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0,
        "a seed is a whole number, zero or more",
    ),
    "name": (lambda v: isinstance(v, str), "give a string"),
}
