"""The result of a check as frozen data, and its text, for reports, gate and fixtures."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gradcheck.frameworks.base import HandWritten, NotChecked, Property

__all__ = [
    "CheckResult",
    "Convergence",
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
    "pasteable",
    "render",
]


class Verdict(enum.StrEnum):
    """The verdict on the gradients at one point."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Status(enum.StrEnum):
    """The status of one method."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    ERROR = "error"


@dataclass(frozen=True, eq=False)
class MethodResult:
    """One method's answer.

    ``value`` has the structure of the inputs, one entry per differentiable input leaf: for a scalar output an
    array of the leaf's shape (a float for a scalar), else the Jacobian of shape ``output.shape +
    input.shape``; with several outputs a tuple of such structures. In directional mode it is the vector of
    projections ``cotangent · J · tangent``. ``uncertainty`` is the same for the error bar. Both are None if
    the method gave no answer; ``reason`` then says why. ``calls`` of the function are fewer than
    ``evaluations`` if one call evaluated many points. ``note`` is a remark on a method that gave an answer:
    how an oracle was differentiated.
    """

    status: Status
    reason: str | None = None
    value: Any = None
    uncertainty: Any = None
    evaluations: int = 0
    seconds: float = 0.0
    calls: int = 0
    note: str | None = None


@dataclass(frozen=True)
class Place:
    """One entry of a Jacobian.

    ``input`` and ``output`` are names as in the user's code (``"x"``, ``"params['weight']"``), the indices
    are multi-indices into them; ``()`` for a scalar.
    """

    input: str
    index: tuple[int, ...]
    output: str
    output_index: tuple[int, ...]

    def __str__(self) -> str:
        """``d output[k] / d x[i, j]``."""
        return f"d {self.output}{_brackets(self.output_index)} / d {self.input}{_brackets(self.index)}"


def _brackets(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


@dataclass(frozen=True)
class Pair:
    """Two methods compared: the worst differences, their place, and the tolerance there.

    ``agree`` is None if neither agreement nor disagreement could be established.
    """

    a: str
    b: str
    max_abs: float
    max_rel: float
    at: Place | None
    tolerance: float
    agree: bool | None


@dataclass(frozen=True)
class AtAnEntry:
    """Data about one entry of the Jacobian."""

    place: Place

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


@dataclass(frozen=True)
class Worst(AtAnEntry):
    """The entry on which the methods differ most, with every method's value and error bar there."""

    values: Mapping[str, float]
    uncertainties: Mapping[str, float]
    difference: float
    tolerance: float

    @property
    def margin(self) -> float:
        """Difference over tolerance: above 1 is a disagreement."""
        if self.tolerance > 0:
            return self.difference / self.tolerance
        return 0.0 if self.difference == 0 else math.inf


@dataclass(frozen=True)
class Convergence:
    """The Taylor test of one gradient g: how f(x + h·d) − f(x) − h·g·d shrinks with the step h.

    ``remainders`` are its magnitudes at ``steps``, ``order`` the exponent of h: 2 for a right gradient, 1 for
    a wrong one, None if the remainders are rounding, as for a linear function.
    """

    order: float | None
    steps: tuple[float, ...]
    remainders: tuple[float, ...]


@dataclass(frozen=True)
class Proof(AtAnEntry):
    """One entry of the Jacobian, proven.

    The derivative differs from ``digits`` by at most ``radius``; both are decimal numbers.
    """

    digits: str
    radius: str

    def __str__(self) -> str:
        """The entry with its digits and radius."""
        return f"{self.place} = {self.digits} ± {self.radius}"


@dataclass(frozen=True)
class Diagnosis:
    """What kind of result this is: a stable ``code`` and one sentence."""

    code: str
    text: str


@dataclass(frozen=True, eq=False, repr=False)
class CheckResult:
    """The outcome of one check at one point; true if and only if it is a pass.

    ``str()`` returns a readable message. ``name`` is that of the function, ``culprit`` the method that is
    wrong, or None; ``methods`` has all requested methods by name, ``pairs`` every two of them compared,
    ``worst`` the entry with the largest difference relative to its tolerance (None if nothing was compared),
    ``diagnosis`` a code and a sentence. ``not_checked`` lists what the verdict does not cover. ``labels`` are
    ``"kink"`` if a subgradient passed, ``"one-sided"`` at a bound of the domain, ``"reference-engine"`` if
    the engine was overruled, ``"constant"`` if the value is the same far from the point too, and so depends
    on none of the inputs. ``order`` is 2 if the verdict is on the second order; ``mode`` is ``"full"`` if
    entries were compared, ``"directional"`` if projections were; ``seed`` reproduces both. ``properties`` are
    those tried besides the values. ``inputs`` is, for every verdict except a pass, the point as Python
    source, exact to the last bit, by argument name; ``reproduce`` is a call that reruns the check, after the
    statements ``imports``, which are None if it names functions that cannot be imported. ``shown_at`` is, by
    argument name, the point of the diagnosis, the worst entry and the figures, if it differs from ``inputs``:
    a search shows a fault where it is clear, and ``inputs`` is the smallest example. ``plainness`` is how
    generic the point is. ``functions`` are hand-written gradients in the framework's graph. ``rule`` is the
    name of the rule that decided, and ``allowances`` names the excuses for kinks, edges and rounding that
    applied. ``rates`` is the Taylor test of a failure, by method: of the culprit and, for comparison, of the
    others. ``proofs`` are entries in question whose derivative is proven, and ``proved`` is whether there are
    any. ``code`` says where the culprit's gradient is written (``"Gelu.backward (ops.py:12)"``), or what
    raised. ``values_right`` says, for a broken property, that the values of the gradient are right.
    ``figures()`` evaluates the function again, at most about a hundred times, and returns the figures of the
    HTML report as plain data; for a result of `check_gradients` it returns nothing.
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
    imports: str | None = ""
    labels: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()
    functions: tuple[HandWritten, ...] = ()
    shown_at: Mapping[str, str] = field(default_factory=dict)
    plainness: float = 0.0
    rule: str = ""
    allowances: tuple[str, ...] = ()
    rates: Mapping[str, Convergence] = field(default_factory=dict)
    code: str = ""
    proofs: tuple[Proof, ...] = ()
    values_right: bool = False
    figures: Callable[[], Mapping[str, Any]] = dict

    @property
    def proved(self) -> bool:
        """Whether the derivative in question is proven; ``proofs`` has its digits."""
        return bool(self.proofs)

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

    @property
    def broken_property(self) -> Property | None:
        """The property that the diagnosis is about; None if it is about values."""
        code = self.diagnosis.code
        return next((p for p in self.properties if p.holds is False and p.code == code), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, of the shape of one entry of ``checks`` in the JSON report."""
        data: dict[str, Any] = _json(self)
        return data

    def __bool__(self) -> bool:
        """Whether the verdict is ``pass``: so ``assert check_gradients(...)`` fails for any other."""
        return self.verdict is Verdict.PASS

    def __repr__(self) -> str:
        # One line, shown by ``assert check_gradients(...)`` and the Python prompt.
        found = f"{self.diagnosis.code}: {self.diagnosis.text}"
        return f"<{type(self).__name__} {self.verdict}, {self.name}: {found}>"

    def __str__(self) -> str:
        return render(self)


class GradientMismatch(AssertionError):  # noqa: N818  the public name is a contract (DESIGN 2.1)
    """Raised by `assert_gradients` for a result that is not a pass; ``result`` is the `CheckResult`."""

    def __init__(self, result: CheckResult):
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        """The text of the result."""
        return str(self.result)


#: The JSON fields of each class, in order.
_KEYS: dict[type, str] = {
    CheckResult: "name verdict culprit order mode methods pairs worst diagnosis labels properties functions "
    "not_checked sensitivity seed inputs reproduce imports shown_at rule allowances code rates proved proofs",
    MethodResult: "status reason note evaluations calls seconds",
    Pair: "a b max_abs max_rel at tolerance agree",
    Worst: "input index output output_index values uncertainties difference tolerance margin",
    Place: "input index output output_index",
    Proof: "input index output output_index digits radius",
    Diagnosis: "code text",
    Convergence: "order steps remainders",
    Property: "name holds detail",
    HandWritten: "name path line backward_line ran",
    NotChecked: "what reason",
}


def _json(value: Any) -> Any:
    """Return a result, or a part of it, as plain JSON data."""
    if type(value) in _KEYS:
        return {key: _json(getattr(value, key)) for key in _KEYS[type(value)].split()}
    if isinstance(value, Mapping):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_json(each) for each in value]
    if isinstance(value, float):
        return json_number(value)
    return str(value) if isinstance(value, enum.StrEnum) else value


def json_number(value: float) -> float | str:
    """Return the number, or ``"nan"``, ``"inf"``, ``"-inf"``, which JSON cannot hold."""
    value = float(value)
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


# -- the text of a result: at most 25 lines, never a matrix --------------------------------------------

#: The longest line of the message; longer reasons are cut there, but not in the report.
WIDTH = 160

#: The longest input that is printed in full in one line to paste: about 200 numbers.
WHOLE = 4000

#: A memory layout may break several related properties. The message shows the first of them.
_LAYOUTS = ("-inputs", "-cotangents")

_HEADLINES = {
    Verdict.PASS: "gradients agree",
    Verdict.FAIL: "wrong gradient",
    Verdict.INCONCLUSIVE: "gradients could not be checked",
}


def render(result: CheckResult, *, full: bool = False) -> str:
    """Return the message; ``full`` adds pairs and costs, and cuts nothing."""
    order = " (second order)" if result.order == 2 else ""
    known = result.broken_property
    apart = result.worst is not None and not result.worst.difference <= result.worst.tolerance
    headline = _HEADLINES[result.verdict]
    if known is not None and result.values_right:
        headline = "broken property"
    lines = [f"{headline}{order}: {result.name}"]
    lines.append(f"  diagnosis: {result.diagnosis.text} [{result.diagnosis.code}]")
    if result.culprit:
        lines.append(f"  culprit:   {result.culprit}")
    if result.code:
        lines.append(f"  code:      {result.code}")
    broken = [p for p in result.properties if p.holds is False and p.code != result.diagnosis.code]
    if known is not None and not full:
        # A fault with the layout of tensors in memory shows under several of them.
        kind = next((each for each in _LAYOUTS if known.name.endswith(each)), None)
        broken = [p for p in broken if kind is None or not p.name.endswith(kind)]
    lines += _some("property", [f"{p.name}: {p.detail}" for p in broken], full)
    lines += _compared(known) if known is not None and not apart else _worst(result)
    if full or result.verdict is not Verdict.PASS:
        lines += [f"  proved:    {proof}" for proof in (result.proofs if full else result.proofs[:1])]
    if known is not None and known.place and headline == "broken property":
        lines.append(f'  declared:  properties=("-{known.name}",) leaves this property out')
    for name, method in result.methods.items():
        if method.status is not Status.OK:
            lines.append(f"  {name}: {_cut(f'{method.status} ({method.reason})')}")
        elif method.note and (full or result.verdict is not Verdict.PASS):
            lines.append(f"  {name}: {method.note if full else _cut(method.note)}")
    if result.not_checked and (full or result.verdict is not Verdict.PASS):
        lines += _some("not checked", [f"{n.what}: {n.reason}" for n in result.not_checked], full)
    if result.shown_at:
        point = ", ".join(f"{name}={source}" for name, source in result.shown_at.items())
        lines.append(f"  seen at:   {point if full else _cut(point)}")
        lines.append("  smallest failing example:")
    again = result.reproduce
    by_names = not full and len(again) > WIDTH
    if by_names:
        # With the names of the inputs, which are listed above it.
        for key, source in result.inputs.items():
            again = again.replace(source, key, 1) if key.isidentifier() else again
    if result.inputs and (full or by_names):
        lines.append("  inputs:")
        shown = list(result.inputs.items())
        for key, source in shown if full else shown[:4]:
            lines.append(f"    {key} = {source if full else pasteable(source)}")
        if not full and len(shown) > 4:
            lines.append(f"    … and {len(shown) - 4} more")
    if full and result.rule:
        lines.append(f"  decided by: {result.rule.replace('_', '-')}")
    if full and result.allowances:
        lines.append(f"  allowed:   {', '.join(name.replace('_', '-') for name in result.allowances)}")
    if full and result.rates:
        orders = (f"h^{c.order:.2f} ({name})" for name, c in result.rates.items() if c.order is not None)
        lines.append(f"  Taylor test: the remainder shrinks as {', '.join(orders) or 'rounding'}")
    if full:
        for pair in result.pairs:
            said = {True: "agree", False: "differ", None: "undecided"}[pair.agree]
            lines.append(
                f"  {pair.a} and {pair.b} {said}: at most {pair.max_abs:.3g} ({pair.max_rel:.3g} relative)"
            )
        for name, method in result.methods.items():
            together = f" in {method.calls} calls" if method.calls < method.evaluations else ""
            noun = "evaluation" if method.evaluations == 1 else "evaluations"
            spent = f"{method.evaluations} {noun}{together}, {method.seconds * 1e3:.2f} ms"
            lines.append(f"  {name}: {spent}")
    if again:
        lines += [f"  imports:   {result.imports}"] if result.imports else []
        lines.append(f"  reproduce: {again}")
    return "\n".join(lines)


def is_whole(source: str) -> bool:
    """Whether a message contains all of an input's source."""
    return len(source) <= WHOLE


def pasteable(source: str) -> str:
    """Return an input's source, or its beginning and its length if it would fill the screen."""
    if is_whole(source):
        return source
    where = "in full with -vv and in a report: --gradcheck-report=report.html"
    return f"{source[:WIDTH]}… ({len(source)} characters; {where})"


def _worst(result: CheckResult) -> list[str]:
    worst = result.worst
    if worst is None or result.verdict is Verdict.PASS:
        return []
    lines = [f"  worst at:  {worst.place}"]
    width = max(map(len, worst.values), default=0)
    # A backward may be wrong in other ways than by its values.
    apart = not worst.difference <= worst.tolerance
    for name, value in worst.values.items():
        mark = "  <-- differs" if apart and name == result.culprit else ""
        lines.append(f"    {name:<{width}}  {value:< .12g} ± {worst.uncertainties[name]:.1g}{mark}")
    lines.append(f"    difference {worst.difference:.3g}, allowed {worst.tolerance:.3g}")
    return lines


def _compared(broken: Property) -> list[str]:
    """Show the numbers that a property requires to be equal, and that differ."""
    if not broken.compared:
        return []
    width = max(len(what) for what, _ in broken.compared)
    lines = [f"  compared:  {broken.at}"]
    for k, (what, value) in enumerate(broken.compared):
        lines.append(f"    {what:<{width}}  {value:< .12g}{'  <-- differs' if k else ''}")
    return lines


def _some(title: str, items: list[str], full: bool) -> list[str]:
    shown = items if full else items[:3]
    more = [f"and {len(items) - 3} more"] if len(items) > len(shown) else []
    return [f"  {title}: {item if full else _cut(item)}" for item in shown + more]


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= WIDTH else flat[: WIDTH - 1] + "…"
