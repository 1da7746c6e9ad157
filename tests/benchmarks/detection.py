"""Wrong backwards that are found, and right ones that are let pass, next to `torch.autograd.gradcheck`.

The functions are those of the test suite: wrong ones of the kinds that public trackers show, and right ones
that are hard to take differences of. Each is checked at the one point that its list gives.
"""

from __future__ import annotations

import statistics
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch

from docs.diagnoses_page.faults import Fault
from pytest_gradcheck import check_gradients
from tests.benchmarks import timing
from tests.benchmarks.tables import Aim, Found, Table, counted, figures
from tests.core.test_hard_functions import ALL as HARD
from tests.core.test_hard_functions import typed
from tests.core.test_wrong_functions import ALL as WRONG

PACKAGES = ("numpy", "torch")
OURS, SLOW, FAST = "check_gradients", "gradcheck, slow mode", "gradcheck, fast mode"

#: What a checker may say, as the columns of the tables.
SAID = ("fail", "inconclusive", "pass")

Check = Callable[[], str]


def ours(fn: Callable[..., Any], inputs: Any, **options: Any) -> Check:
    """This package, with its defaults but for the options that the list gives."""
    return lambda: str(check_gradients(fn, inputs, **options).verdict)


def gradchecks(fn: Callable[..., Any], inputs: Any, order: int, *, fast: bool) -> Check:
    """torch's, with its defaults. What its caller did not mean to raise is a failure too."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    leaves = tuple(
        x.detach().clone().requires_grad_(x.is_floating_point() or x.is_complex())
        if isinstance(x, torch.Tensor)
        else x
        for x in given
    )
    checker = torch.autograd.gradcheck if order == 1 else torch.autograd.gradgradcheck

    def run() -> str:
        try:
            checker(fn, leaves, fast_mode=fast)
        except Exception:
            return "fail"
        return "pass"

    return run


def contestants(fn: Callable[..., Any], inputs: Any, order: int = 1, **options: Any) -> dict[str, Check]:
    """Who checks a function."""
    return {
        OURS: ours(fn, inputs, order=order, **options),
        SLOW: gradchecks(fn, inputs, order, fast=False),
        FAST: gradchecks(fn, inputs, order, fast=True),
    }


def compared(
    cases: Mapping[str, Mapping[str, Check]], rounds: int
) -> tuple[dict[str, Counter[str]], dict[str, float]]:
    """By contestant, how often it said what, and the milliseconds of a check, the median over the cases."""
    said: dict[str, Counter[str]] = {}
    seconds: dict[str, list[float]] = {}
    for checks in cases.values():
        answers: dict[str, str] = {}

        def ask(name: str, check: Check, answers: dict[str, str] = answers) -> None:
            answers[name] = check()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            best = timing.best({name: partial(ask, name, check) for name, check in checks.items()}, rounds)
        for name, answer in answers.items():
            said.setdefault(name, Counter())[answer] += 1
            seconds.setdefault(name, []).append(best[name])
    return said, {name: statistics.median(found) * 1e3 for name, found in seconds.items()}


def rows(
    said: Mapping[str, Counter[str]], ms: Mapping[str, float], base: str, of: str = ""
) -> list[list[str]]:
    """A line for each contestant: what it said, how often, how long it took, and that over the base."""
    return [
        [of + name, *(str(answers[what]) for what in SAID), *figures(ms[name], ms[name] / ms[base])]
        for name, answers in said.items()
    ]


def every(cases: Mapping[str, Any], quick: bool) -> dict[str, Any]:
    """All of them, or a few."""
    return {name: case for i, (name, case) in enumerate(cases.items()) if not quick or i % 30 == 0}


def wrong(quick: bool) -> Table:
    """Wrong backwards: to fail is right."""
    faults: dict[str, Fault] = every(WRONG, quick)
    cases = {name: contestants(f.function, f.inputs, f.order) for name, f in faults.items()}
    said, ms = compared(cases, 1 if quick else 2)
    return Table(
        "Wrong backwards",
        f"{len(cases)} wrong backwards of the kinds that public trackers show, each at one point where it is "
        "wrong; those of the second order by `order=2` and `gradgradcheck`. The right answer is to fail. "
        "Milliseconds are the median over the functions, and the last column that line's over slow mode's. "
        "Ours also reports which method is wrong, where and how.",
        ["", *SAID, "ms", "over slow mode"],
        rows(said, ms, SLOW),
        [Aim("wrong backwards that `check_gradients` does not fail,", 0, len(cases) - said[OURS]["fail"])],
        found=[
            Found(
                f"wrong backwards of our tests that pass, of {len(cases)}",
                {who: counted(answers["pass"], answers["inconclusive"]) for who, answers in said.items()},
            )
        ],
    )


def right(quick: bool) -> Table:
    """Hard correct functions: to fail is wrong."""
    lines, failed, found = [], 0, []
    for dtype in (torch.float64, torch.float32):
        hard = {name: h for name, h in every(HARD, quick).items() if dtype in h.dtypes}
        cases = {
            name: contestants(h.function, typed(h.inputs, dtype), **h.options) for name, h in hard.items()
        }
        said, ms = compared(cases, 1 if quick else 2)
        lines += rows(said, ms, SLOW, f"{str(dtype)[6:]}, {len(cases)} functions, ")
        failed += said[OURS]["fail"]
        found.append(
            Found(
                f"hard correct functions of our tests that fail, of {len(cases)}, in {str(dtype)[6:]}",
                {who: counted(answers["fail"], answers["inconclusive"]) for who, answers in said.items()},
            )
        )
    return Table(
        "Hard correct functions",
        "Loops, implicit functions, steep, stiff and chaotic ones, kinks. None of the gradients is wrong, so "
        "a failure is a false alarm. Straight-through estimators are declared to ours; `gradcheck` has no "
        "option for that. It is made for float64, and says so.",
        ["", *SAID, "ms", "over slow mode"],
        lines,
        [Aim("correct functions that `check_gradients` fails,", 0, failed)],
        found=found,
    )


def run(quick: bool) -> Iterator[Table]:
    """Both tables."""
    yield wrong(quick)
    yield right(quick)
