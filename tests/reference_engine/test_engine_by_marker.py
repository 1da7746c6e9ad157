"""Every rule of the engine under the marker of the plugin: Hypothesis draws, and all methods judge.

A row of the engine's tables is one test. Beside the four methods there is a fifth witness, which takes the
place of a gradient by hand: the engine once more, on the arguments' own dtypes and memory layouts, because
the method "reference" works on contiguous float64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from engine_calls import Case, Register, laid_out
from engine_domains import HALF_PRECISION, ROWS
from engine_samples import SAMPLES, name_of
from engine_without_torch import WITHOUT_TORCH
from hypothesis import settings
from test_engine_rules import ALIASES, NO_DERIVATIVE
from test_engine_rules import ROWS as TABLE_ROWS

import reference_engine as engine
from pytest_gradcheck.core.results import CheckResult, Status, Verdict
from pytest_gradcheck.plugin.session import SESSION_KEY
from reference_engine.containers import flatten
from reference_engine.rules.special import SPECIAL


def own_precision(case: Case, cotangent: Any) -> dict[str, Any]:
    """The engine's vjp on arguments of their own dtype, in memory as the case says."""
    given = [laid_out(x, layout) for x, layout in zip(case.args, case.call.layouts, strict=True)]
    value, pull = engine.vjp(case.call, *given)
    for got, expected in zip(flatten(value)[0], flatten(case.call(*given))[0], strict=True):
        wanted = np.result_type(expected)
        assert np.result_type(got) == wanted, f"a result of {np.result_type(got)} for NumPy's {wanted}"
    gradients = pull(cotangent)
    for gradient, x in zip(gradients, given, strict=True):
        assert gradient.dtype == x.dtype, f"a gradient of {gradient.dtype} for an argument of {x.dtype}"
    return {"case": Case(case.call, gradients)}


def objection(result: CheckResult) -> str | None:
    """Why a result that the marker lets pass fails a rule of the engine all the same, or None."""
    reference = result.methods["reference"]
    if reference.status != Status.OK:
        return f"the engine took no part: {reference.reason}"
    # Differences and torch together overrule the engine; here it is what is on trial.
    if "reference-engine" in result.labels:
        return str(result)
    # Nobody is blamed where no exact method agrees with differences, as at ties; without torch, the engine
    # and its twin are all that there are.
    alone = result.methods["torch"].status != Status.OK
    return str(result) if alone and result.diagnosis.code == "methods-split" else None


class Findings:
    """What the checks of one test came to."""

    def __init__(self) -> None:
        self.verdicts: Counter[Verdict] = Counter()
        self.diagnoses: Counter[str] = Counter()
        self.torch: Counter[str] = Counter()

    def add(self, result: CheckResult) -> None:
        self.verdicts[result.verdict] += 1
        self.diagnoses[result.diagnosis.code] += 1
        torch = result.methods["torch"]
        self.torch["" if torch.status == Status.OK else str(torch.reason)] += 1
        if result.verdict != Verdict.FAIL:
            reason = objection(result)
            assert reason is None, reason

    def judge(self, name: str) -> None:
        """Fail for a row that was hardly checked, or where torch came in or stayed out unnoticed."""
        if self.verdicts[Verdict.FAIL]:
            return
        assert 2 * self.verdicts[Verdict.PASS] >= self.verdicts.total(), (
            f"{name} is hardly checked: {self.diagnoses}"
        )
        if name in WITHOUT_TORCH:
            assert "" not in self.torch, f"torch checks {name} now: drop it from WITHOUT_TORCH"
            assert any(WITHOUT_TORCH[name] in reason for reason in self.torch), self.torch
        else:
            assert "" in self.torch, f"torch does not check {name}: enter it into WITHOUT_TORCH: {self.torch}"


@pytest.fixture
def findings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = Findings()
    recorder = request.config.stash[SESSION_KEY].results
    add = recorder.add

    def look(nodeid: str, result: CheckResult) -> None:
        add(nodeid, result)
        found.add(result)

    monkeypatch.setattr(recorder, "add", look)
    yield
    found.judge(request.function.row)


def fill(home: type, register: Register, examples: int, **options: Any) -> type:
    """A class with one marked test for each row."""
    for name, cases in register.items():

        def body(self: Any, case: Case) -> Any:
            return case.call(*case.args)

        body.__name__ = body.__qualname__ = f"test_{name.replace('.', '_')}"
        body.row = name  # type: ignore[attr-defined]  # which row it is, for the fixture
        marked: Any = pytest.mark.gradcheck(case=cases, vjp=own_precision, **options)(body)
        # Of the modes of pad torch has one alone, which few examples may not have.
        count = max(examples, 20) if name == "pad" else examples
        setattr(home, body.__name__, settings(max_examples=count, derandomize=True, database=None)(marked))
    return pytest.mark.usefixtures("findings")(home)


class TestRow: ...


class TestHalfPrecision: ...


@pytest.mark.sweep
class TestRowThoroughly: ...


@pytest.mark.sweep
class TestHalfPrecisionThoroughly: ...


# The sweep has them all.
fill(TestRow, dict(list(ROWS.items())[::4]), 4, order=2)
fill(TestRowThoroughly, ROWS, 10, order=2)
# A hundred roundings of float16 are an error of five percent.
fill(TestHalfPrecision, HALF_PRECISION, 4, sensitivity=0.1)
fill(TestHalfPrecisionThoroughly, HALF_PRECISION, 20, sensitivity=0.1)


TABLE = {
    *(name_of(ALIASES.get(key, key)) for key in TABLE_ROWS if name_of(key) not in SPECIAL),
    *(f"special.{name}" for name in SPECIAL),
    *(key for key in SAMPLES if isinstance(key, str) and key not in SPECIAL),
} - {name_of(key) for key in NO_DERIVATIVE}


@pytest.mark.parametrize("name", sorted(TABLE | set(ROWS)))
def test_every_table_row_has_a_domain(name: str) -> None:
    assert name in ROWS, f"add a domain for {name} to engine_domains.py"
    assert name in TABLE, f"{name} is no row of the engine's tables: drop its domain from engine_domains.py"
