"""What a check found, as plain frozen data: the one thing that reports, gate and fixtures read."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gradcheck.frameworks.base import HandWritten, NotChecked, Property

__all__ = [
    "CheckResult",
    "Diagnosis",
    "GradientMismatch",
    "HandWritten",
    "MethodResult",
    "NotChecked",
    "Pair",
    "Place",
    "Property",
    "Status",
    "Verdict",
    "Worst",
    "json_number",
]


class Verdict(enum.StrEnum):
    """What the check says of the gradients at one point."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Status(enum.StrEnum):
    """What became of one method."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    ERROR = "error"


@dataclass(frozen=True, eq=False)
class MethodResult:
    """One method's answer.

    ``value`` has the structure of the inputs, one entry per differentiable input leaf: for a scalar
    output an array of the leaf's shape (a float for a scalar), else the Jacobian of shape
    ``output.shape + input.shape``; with several outputs a tuple of such structures. In directional
    mode it is the vector of projections ``cotangent · J · tangent``. ``uncertainty`` is the same for
    the error bar. Both are None when the method gave no answer; ``reason`` then says why in words.
    ``calls`` of the function are fewer than ``evaluations`` where many points were evaluated in one.
    """

    status: Status
    reason: str | None = None
    value: Any = None
    uncertainty: Any = None
    evaluations: int = 0
    seconds: float = 0.0
    calls: int = 0


@dataclass(frozen=True)
class Place:
    """One entry of a Jacobian.

    ``input`` and ``output`` are names as the user wrote them (``"x"``, ``"params['weight']"``),
    the indices are multi-indices into them; ``()`` for a scalar.
    """

    input: str
    index: tuple[int, ...]
    output: str
    output_index: tuple[int, ...]

    def __str__(self) -> str:
        """``d output[k] / d x[i, j]`` as a person writes it."""
        return f"d {self.output}{_brackets(self.output_index)} / d {self.input}{_brackets(self.index)}"


def _brackets(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


@dataclass(frozen=True)
class Pair:
    """Two methods compared: the worst differences found, where, and the tolerance there.

    ``agree`` is None when neither agreement nor disagreement could be established.
    """

    a: str
    b: str
    max_abs: float
    max_rel: float
    at: Place | None
    tolerance: float
    agree: bool | None


@dataclass(frozen=True)
class Worst:
    """The entry on which the methods differ most, with every method's value and error bar there."""

    place: Place
    values: Mapping[str, float]
    uncertainties: Mapping[str, float]
    difference: float
    tolerance: float

    @property
    def input(self) -> str:
        """Name of the input."""
        return self.place.input

    @property
    def index(self) -> tuple[int, ...]:
        """Multi-index into the input."""
        return self.place.index

    @property
    def output(self) -> str:
        """Name of the output."""
        return self.place.output

    @property
    def output_index(self) -> tuple[int, ...]:
        """Multi-index into the output."""
        return self.place.output_index

    @property
    def margin(self) -> float:
        """Difference over tolerance: above 1 is a disagreement."""
        if self.tolerance > 0:
            return self.difference / self.tolerance
        return 0.0 if self.difference == 0 else math.inf


@dataclass(frozen=True)
class Diagnosis:
    """What kind of result this is: a stable ``code`` and one sentence."""

    code: str
    text: str


@dataclass(frozen=True, eq=False)
class CheckResult:
    """The outcome of one check at one point; ``str()`` of it is the text that a person reads.

    ``name`` is what the function is called, ``culprit`` the method that is wrong, or None; ``methods`` has
    all that were asked, by name, ``pairs`` each two of them compared, ``worst`` the entry with the largest
    difference for its tolerance (None where nothing was compared), ``diagnosis`` a code and a sentence.
    ``not_checked`` says what the verdict does not speak of. ``labels`` are ``"kink"`` where a subgradient
    passed, ``"one-sided"`` at a bound of the domain, ``"reference-engine"`` where the engine was overruled.
    ``order`` is 2 if the verdict is on the second order; ``mode`` is ``"full"`` where entries were looked at,
    ``"directional"`` where projections were; ``seed`` makes both again. ``properties`` hold beside values.

    ``inputs`` is, for every verdict but a pass, the point as Python source, exact to the last bit, by
    argument name; ``reproduce`` a call that makes this check again. ``functions`` are gradients written by
    hand that torch's graph runs through. ``figures()`` evaluates the function again, some hundred times at
    most, and returns what the HTML report shows, as plain data; nothing, from `check_gradients`.
    """

    name: str
    verdict: Verdict
    culprit: str | None
    methods: Mapping[str, MethodResult]
    pairs: tuple[Pair, ...]
    worst: Worst | None
    diagnosis: Diagnosis
    not_checked: tuple[NotChecked, ...] = ()
    order: int = 1
    mode: str = "full"
    sensitivity: float = 1e-3
    seed: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)
    reproduce: str = ""
    labels: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()
    functions: tuple[HandWritten, ...] = ()
    figures: Callable[[], Mapping[str, Any]] = dict

    @property
    def evaluations(self) -> int:
        """Evaluations of the function by all methods together."""
        return sum(m.evaluations for m in self.methods.values())

    @property
    def calls(self) -> int:
        """Calls of the function by all methods together; each may evaluate it at many points."""
        return sum(m.calls for m in self.methods.values())

    @property
    def seconds(self) -> float:
        """Wall time of all methods together, in seconds."""
        return sum(m.seconds for m in self.methods.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, of the shape of one entry of ``checks`` in the JSON report."""
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "culprit": self.culprit,
            "order": self.order,
            "mode": self.mode,
            "methods": {
                name: {
                    "status": str(m.status),
                    "reason": m.reason,
                    "evaluations": m.evaluations,
                    "calls": m.calls,
                    "seconds": m.seconds,
                }
                for name, m in self.methods.items()
            },
            "pairs": [
                {
                    "a": p.a,
                    "b": p.b,
                    "max_abs": json_number(p.max_abs),
                    "max_rel": json_number(p.max_rel),
                    "at": place_dict(p.at),
                    "tolerance": json_number(p.tolerance),
                    "agree": p.agree,
                }
                for p in self.pairs
            ],
            "worst": None
            if self.worst is None
            else {
                **(place_dict(self.worst.place) or {}),
                "values": {k: json_number(v) for k, v in self.worst.values.items()},
                "uncertainties": {k: json_number(v) for k, v in self.worst.uncertainties.items()},
                "difference": json_number(self.worst.difference),
                "tolerance": json_number(self.worst.tolerance),
                "margin": json_number(self.worst.margin),
            },
            "diagnosis": {"code": self.diagnosis.code, "text": self.diagnosis.text},
            "labels": list(self.labels),
            "properties": [{"name": p.name, "holds": p.holds, "detail": p.detail} for p in self.properties],
            "functions": [f.to_dict() for f in self.functions],
            "not_checked": [{"what": n.what, "reason": n.reason} for n in self.not_checked],
            "sensitivity": self.sensitivity,
            "seed": self.seed,
            "inputs": dict(self.inputs),
            "reproduce": self.reproduce,
        }

    def __str__(self) -> str:
        from pytest_gradcheck.core.message import render

        return render(self)


class GradientMismatch(AssertionError):  # noqa: N818  the public name is a contract (DESIGN 2.1)
    """Raised by `assert_gradients` for a result that is not a pass; ``result`` is the whole finding."""

    def __init__(self, result: CheckResult):
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        """The text of the result."""
        return str(self.result)


def place_dict(place: Place | None) -> dict[str, Any] | None:
    """Return the place as plain JSON data, or None."""
    if place is None:
        return None
    return {
        "input": place.input,
        "index": list(place.index),
        "output": place.output,
        "output_index": list(place.output_index),
    }


def json_number(value: float) -> float | str:
    """Return the number, or ``"nan"``, ``"inf"``, ``"-inf"``, which JSON cannot hold."""
    value = float(value)
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
