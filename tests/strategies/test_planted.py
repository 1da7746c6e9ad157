"""Functions that are wrong at special places: their faults are met, by the strategies and by the checks."""

from __future__ import annotations

import builtins
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pages import ROOT
from processes import run_pytest

from docs.search_page import measure
from docs.search_page.planted import PLANTED

NAMES = [planted.name for planted in PLANTED]
#: One of each kind, and different ones each time that the table changes.
#: How many entries of a shrunk example differ from zero where more than two have to.
FULL = {
    "no spread": 6,  # all of them equal
    "rows told apart by their values": 12,  # equal rows: torch.full((4, 3), 1.0) is as plain as two of them
    "values told apart by a dictionary": 4,  # ties, of which np.full(4, 1.0) is as plain as two
    "a product divided by its factors": 3,  # all but one of them
    "raveled as it lies in memory": 11,  # the entry that differs is found by its place
    "strides not looked at": 4,
}
SAMPLE = list({planted.kind: planted for planted in PLANTED}.values())


def test_there_are_enough_of_both_libraries() -> None:
    assert len(PLANTED) >= 60
    assert len(set(NAMES)) == len(NAMES)
    assert sum(planted.library == "numpy" for planted in PLANTED) >= 20


@pytest.mark.parametrize("planted", SAMPLE, ids=lambda planted: planted.kind)
def test_each_kind_of_fault_is_met(planted: measure.Planted) -> None:
    for seed in (0, 1):
        assert measure.ours(planted, seed) is not None, seed


@pytest.mark.sweep
@pytest.mark.parametrize("planted", PLANTED, ids=NAMES)
def test_every_fault_is_met_over_twenty_seeds(planted: measure.Planted) -> None:
    assert [seed for seed in range(20) if measure.ours(planted, seed) is None] == []


@pytest.mark.sweep
@pytest.mark.parametrize("which", ["wrong", "right"])
def test_marked_tests_tell_wrong_gradients_from_right_ones(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where CI is set, Hypothesis draws by the source of a test and not by the seed.
    monkeypatch.delenv("CI", raising=False)
    path = tmp_path / "report.json"
    file = str(ROOT / "tests/strategies/marked_faults.py")
    # What is found is found early; a right gradient would be checked at 100 points each.
    profile = "default" if which == "wrong" else "quick"
    flags = ("--hypothesis-seed=0", f"--gradcheck-profile={profile}", f"--gradcheck-report={path}")
    _, output = run_pytest(file, "-k", which, "-n", "2", *flags)
    failed = set(re.findall(r"^FAILED \S+::test_(\w+)", output, re.MULTILINE))
    assert failed == ({f"{name}_wrong" for name in NAMES} if which == "wrong" else set())
    checks = {check["name"]: check for check in json.loads(path.read_text(encoding="utf-8"))["checks"]}
    assert len(checks) == len(PLANTED)
    for planted in PLANTED:
        check = checks[f"test_{planted.name}_{which}"]
        assert check["verdict"] == ("fail" if which == "wrong" else "pass"), check
        culprit = "user" if planted.library == "numpy" else "torch"
        assert check["culprit"] == (culprit if which == "wrong" else None), check
        if which == "wrong":
            assert_is_small(planted, check["reproduce"])


#: Faults whose example keeps a number or a few more than a person would. Simpler variants are inconclusive at
#: a second look, in numbers so unlike each other, and a failure does not shrink to what does not fail.
LESS_SMALL = {
    "the logarithm clamped at 1e-6",
    "exp(x) / (1 + exp(x)) that overflows",
    "a clamp at 50",
    "a wrong case in 64 numbers",
}


class Names(dict[str, object]):
    """The names of a line; functions of the planted file are of no consequence for its inputs."""

    def __missing__(self, name: str) -> None:
        if hasattr(builtins, name):
            raise KeyError(name)


def assert_is_small(planted: measure.Planted, reproduce: str) -> None:
    """A person sees in a shrunk example at once what its gradient is wrong for."""
    made = {
        f"test_{planted.name}_wrong": None,
        "np": np,
        "torch": torch,
        "check_gradients": lambda _, x, **__: x,
    }
    for name, value in eval(reproduce, dict(made), Names(made)).items():
        numbers = np.asarray(value.double() if isinstance(value, torch.Tensor) else value)
        if planted.what in LESS_SMALL:
            assert numbers.size <= 64, reproduce
            continue
        # An expanded row is printed once.
        numbers = numbers[tuple(slice(1) if step == 0 else slice(None) for step in numbers.strides)]
        nonzero = numbers[numbers != 0]
        assert numbers.size <= 12, reproduce
        # One number, and where that takes two, the two.
        assert len(np.unique(nonzero)) <= 2, reproduce
        may_be_zero = (planted.inputs[name].low or 0.0) <= 0.0
        assert nonzero.size <= (FULL.get(planted.what, 2) if may_be_zero else numbers.size), reproduce


@pytest.mark.parametrize("value", ["np.zeros(13)", "np.array([1.0, 2.0, 3.0])", "np.full(3, 2.0)"])
def test_what_a_person_has_to_think_about_is_not_small(value: str) -> None:
    first = PLANTED[0]
    name = next(iter(first.inputs))
    assert_is_small(first, f"check_gradients(test_{first.name}_wrong, {{{name!r}: np.eye(2)}}, seed=1)")
    with pytest.raises(AssertionError):
        assert_is_small(first, f"check_gradients(test_{first.name}_wrong, {{{name!r}: {value}}}, seed=1)")
