"""The search of one run of a marked test: how each example is checked, and what Hypothesis learns from it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast

from pytest_gradcheck.core.results import CheckResult, GradientMismatch, Verdict
from pytest_gradcheck.function.fingerprint import fingerprint
from pytest_gradcheck.methods.names import DIFFERENCE_METHODS
from pytest_gradcheck.plugin.progress import time_left
from pytest_gradcheck.records.record import Stopped

#: Seconds for shrinking a failing example, or ten times what all examples take if that is more.
LEAST_SECONDS, PASSING_TESTS = 60.0, 10.0

#: Hypothesis does not maximise differences below this share of the tolerance.
NOTABLE = 0.1


class Ask(Protocol):
    """Check the example at hand, briefly or to the end."""

    def __call__(self, *, brief: bool) -> CheckResult: ...  # noqa: D102  the class has it


class _Plain(NamedTuple):
    """A failing point: how plain its failure is, and how to check it again."""

    score: tuple[float, float]  # how generic the point is; the relative error
    ask: Ask


class Search:
    """The failures that one run of a test has found, and its remaining time.

    Until something fails, every example is checked in full. From then on Hypothesis tries hundreds of
    variants of the failing one: each is checked briefly and at most once, and the last one in full. If that
    check does not reproduce the failure, the test fails with the first one that was seen in full.

    The last example is the smallest and the least informative: at zeros and ones many mistakes look alike. So
    a failure is shown at the most generic point that has it, and the last one serves to reproduce it.
    """

    def __init__(
        self, max_seconds: float | None, show: Callable[[Callable[[], str]], None] = lambda text: None
    ) -> None:
        """Begin to search; ``show`` is called after each example with a function that tells the progress."""
        self.stopped: Stopped | None = None
        #: By function: the options of its checks and the settings, which are read once.
        self.options: dict[Any, Any] = {}
        self._show = show
        self._max_seconds = max_seconds
        self._start = time.monotonic()
        self._examples = 0
        #: When a failing example is small enough: infinity until one is found.
        self._enough = math.inf
        # By kind of failure: the first one, which was checked in full.
        self._first: dict[type[GradientMismatch], CheckResult] = {}
        # By kind of failure: the point where it is plainest so far.
        self._plainest: dict[type[GradientMismatch], _Plain] = {}
        # By point: its failure, or None.
        self._known: dict[bytes, CheckResult | None] = {}

    def look(self, ask: Ask, inputs: dict[str, Any], record: Callable[[CheckResult], None]) -> None:
        """Check one example, unless its outcome is known or the time is up.

        ``record`` takes each result of a check in full. Raises `GradientMismatch` for a failure.
        """
        __tracebackhide__ = True
        from hypothesis.control import current_build_context

        if current_build_context().is_final:
            result = self._where_plain(self._last_look(ask, inputs))
            record(result)
        elif self._first:
            known = self._look_again(ask, inputs)
            self._show(self._how_far)
            if known is None:
                return
            result = known
        elif self._is_over():
            return
        else:
            result = ask(brief=False)
            self._examples += 1
            record(result)
            report_to_hypothesis(result)
            self._show(self._how_far)
        if result.verdict is Verdict.FAIL:
            if not self._first:
                self._enough = self._when_enough()
            self._first.setdefault(kind(result), result)
            self._note(result, ask)
            key = fingerprint(inputs)
            if key is not None:
                # A result that is not a pass is false.
                known = self._known.get(key)
                self._known[key] = result if known is None else known
            raise mismatch(result)

    def _how_far(self) -> str:
        """``example 41 of 100, 12 s left``."""
        from hypothesis import settings

        if self._first:
            return f"wrong gradient, {len(self._known)} variants tried"
        default: Any = settings.default
        elapsed, of = time.monotonic() - self._start, default.max_examples
        left = time_left(elapsed, self._examples, of, self._max_seconds)
        return f"example {self._examples} of {of}, {left}"

    def _look_again(self, ask: Ask, inputs: dict[str, Any]) -> CheckResult | None:
        """Return the result at a variant of a failing point, or None if it does not matter."""
        key = fingerprint(inputs)
        if key is None:
            # A point that cannot be recognised later must not get two different answers.
            return ask(brief=False)
        if key in self._known or time.monotonic() > self._enough or self._is_over():
            return self._known.get(key)
        result = ask(brief=True)
        if result.verdict is not Verdict.FAIL:
            self._known[key] = None
        return result

    def _last_look(self, ask: Ask, inputs: dict[str, Any]) -> CheckResult:
        """Check in full an ``@example``, or the example that the search ends with."""
        result = ask(brief=False)
        before = self._known.get(fingerprint(inputs) or b"") if self._known else None
        if before is None or kind(before) is kind(result):
            return result
        return self._first.get(kind(before), before)

    def _note(self, result: CheckResult, ask: Ask) -> None:
        """Remember a failure if it is plainer than those of its kind so far."""
        worst, share = result.worst, 0.0
        if worst is not None:
            size = max(map(abs, worst.values.values()), default=0.0)
            share = min(worst.difference / size, 1.0) if 0.0 < size < math.inf else 1.0
        new, old = _Plain((result.plainness, share), ask), self._plainest.get(kind(result))
        if old is None or new.score > old.score:
            self._plainest[kind(result)] = new

    def _where_plain(self, last: CheckResult) -> CheckResult:
        """Return the failure with which the search ends as it is where it is plainest."""
        best = self._plainest.get(kind(last))
        if last.verdict is not Verdict.FAIL or best is None or best.score[0] <= last.plainness:
            return last
        shown = self._first.get(kind(last), last)
        limit = math.inf if self._max_seconds is None else self._max_seconds
        if shown.plainness < best.score[0] and time.monotonic() - self._start <= limit:
            # The function need not repeat itself.
            with contextlib.suppress(Exception):
                again = best.ask(brief=False)
                shown = again if kind(again) is kind(last) else shown
        if shown.plainness <= last.plainness or not last.inputs:
            return last
        return dataclasses.replace(
            shown,
            inputs=last.inputs,
            reproduce=last.reproduce,
            imports=last.imports,
            seed=last.seed,
            shown_at=shown.inputs,
        )

    def _when_enough(self) -> float:
        """Return when shrinking ends: a failing test may take as long as ten that pass.

        No verdict depends on it, since the failure is known. ``max_seconds`` limits it too.
        """
        from hypothesis import settings

        if self._max_seconds is not None:
            return math.inf
        now, default = time.monotonic(), cast("Any", settings.default)
        passing: float = (now - self._start) / max(1, self._examples) * default.max_examples
        return now + max(LEAST_SECONDS, PASSING_TESTS * passing)

    def _is_over(self) -> bool:
        # The first example is always checked.
        limit = math.inf if self._max_seconds is None or not self._examples else self._max_seconds
        if time.monotonic() - self._start <= limit:
            return False
        from hypothesis import event, settings

        event("gradcheck: not checked, max_seconds is over")
        current: Any = settings.default
        if self.stopped is None:
            self.stopped = Stopped(self._examples, current.max_examples, limit, bool(self._first))
        return True


def report_to_hypothesis(result: CheckResult) -> None:
    """Report events for Hypothesis's statistics, and the margin as a target to maximise."""
    from hypothesis import event, target
    from hypothesis.errors import InvalidArgument

    event(f"gradcheck: {result.verdict}")
    if result.verdict is Verdict.INCONCLUSIVE:
        event(f"gradcheck: inconclusive, {result.diagnosis.code}")
    for label in result.labels:
        event(f"gradcheck: {label}")
    height = _height(result)
    if height is not None:
        # If an example has several checks of one name, the first one is the target.
        with contextlib.suppress(InvalidArgument):
            target(height, label=f"margin of {result.name}")


def _height(result: CheckResult) -> float | None:
    """Return the decimal logarithm of the margin, or None if it is a useless target.

    A margin is useless if it shows rounding (methods differ by no more than their error bars), the error of a
    difference while two exact methods agree, or the slopes at a kink.
    """
    worst = result.worst
    if result.verdict is not Verdict.PASS or worst is None or "kink" in result.labels:
        return None
    exact = [name for name in worst.values if name not in DIFFERENCE_METHODS]
    bars = {name: bar for name, bar in worst.uncertainties.items() if math.isfinite(bar)}
    difference = worst.difference
    if len(exact) > 1:
        values = [worst.values[name] for name in exact]
        bars, difference = {name: bars.get(name, 0.0) for name in exact}, max(values) - min(values)
    if difference <= sum(bars.values()) or not NOTABLE < worst.margin < math.inf:
        return None
    return math.log10(worst.margin)


def mismatch(result: CheckResult) -> GradientMismatch:
    """Return the exception for a failure; Hypothesis tells kinds of failures apart by its class."""
    return kind(result)(result)


def kind(result: CheckResult) -> type[GradientMismatch]:
    """Return the kind of a failure: its culprit, its order, and in what way it is wrong.

    A pattern of wrong numbers (a sign, a factor) is not part of it, since it changes as a point gets simpler.
    """
    # Two differences that disagree next to a kink do not count.
    apart = any(p.agree is False and not {p.a, p.b} <= DIFFERENCE_METHODS for p in result.pairs)
    key = (result.verdict, result.culprit, result.order, "values" if apart else result.diagnosis.code)
    return _class_of(key)


@functools.cache
def _class_of(key: tuple[Any, ...]) -> type[GradientMismatch]:
    shown = {"__module__": GradientMismatch.__module__, "__doc__": GradientMismatch.__doc__}
    return type(GradientMismatch.__name__, (GradientMismatch,), shown)
