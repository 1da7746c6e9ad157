"""A drawn sample of torch's own operators, right and broken, under ours and `torch.autograd.gradcheck`.

The functions and their inputs are not chosen for this package: both are torch's own, and a fixed seed draws
the sample out of all of them. The page of verdicts has every operator, and takes hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random

from docs.verdicts_page import sweep
from docs.verdicts_page.sweep import DTYPES, FAULTS, LARGEST, OPERATORS, WRONG, Verdicts
from tests.benchmarks.detection import FAST, OURS, SLOW
from tests.benchmarks.tables import Aim, Found, Ratio, Table, counted, figures

PACKAGES = ("numpy", "torch")

CHECKERS = {
    OURS: sweep.ours,
    SLOW: sweep.gradchecks,
    FAST: partial(sweep.gradchecks, fast_mode=True),
}

SEED, DRAWN = 0, 100

#: Which fault is so slight that `gradcheck` is not asked to see it.
SLIGHT = list(FAULTS).index("×1.001")


def sample(quick: bool) -> list[str]:
    """Names of operators, the same in every run; one that is soon checked, if quick."""
    return ["softmax"] if quick else sorted(Random(SEED).sample(sorted(set(OPERATORS) - set(WRONG)), DRAWN))


def _seconds(found: Sequence[Sequence[Verdicts]]) -> list[float]:
    return [sum(each[k].seconds for each in found) for k in range(len(CHECKERS))]


def right(names: Sequence[str]) -> Table:
    """The operators as they are: to fail is wrong."""
    rows, failed = [], 0
    ratios: dict[str, list[float]] = {SLOW: [], FAST: []}
    found = []
    for dtype in DTYPES:
        verdicts = [v for name in names if (v := sweep.on_right(name, dtype, CHECKERS)) is not None]
        seconds = _seconds(verdicts)
        flagged = {}
        for k, who in enumerate(CHECKERS):
            letters = [each[k].letters[0] for each in verdicts]
            flagged[who] = counted(letters.count("f"), letters.count("i"))
            failed += letters.count("f") if who == OURS else 0
            counts = [str(letters.count(letter)) for letter in "fip"]
            line = figures(seconds[k], seconds[0] / seconds[k])
            rows.append([f"{dtype}, {len(verdicts)} operators, {who}", *counts, *line])
        found.append(
            Found(f"correct operators of torch that fail, of {len(verdicts)} drawn, in {dtype}", flagged)
        )
        for k, who in enumerate((SLOW, FAST), 1):
            ratios[who] += [each[0].seconds / each[k].seconds for each in verdicts]
    return Table(
        "Torch's operators, unchanged",
        f"Of torch's own database of {len(OPERATORS)} operators, without the {len(WRONG)} whose "
        f"gradient in torch differs from the function's (the page of verdicts names them), {len(names)} are "
        f"drawn by the seed {SEED}; counted are those that have a gradient in that dtype and draw no random "
        "numbers, at torch's own first sample. They are taken for correct, so a failure is a false alarm. "
        "`gradcheck` is made for float64, and says so. Seconds are for all of them; the last column is "
        "ours over that line's.",
        ["", "fail", "inconclusive", "pass", "s", "ours over it"],
        rows,
        [Aim("correct operators that `check_gradients` fails,", 0, failed)],
        [Ratio(f"a check of one of torch's operators, over {who}", ratios[who]) for who in ratios],
        found,
    )


def broken(names: Sequence[str]) -> Table:
    """The same with a fault in the backward: to pass is wrong."""
    rows, passed, found = [], 0, []
    for dtype in DTYPES:
        verdicts = [
            v for name in names if (v := sweep.on_broken(name, dtype, CHECKERS, {"1": 1.0})) is not None
        ]
        seconds = _seconds(verdicts)
        let_pass, clear = {}, 0
        for k, who in enumerate(CHECKERS):
            as_it_is = [each[k].letters[0][0] for each in verdicts]
            letters = "".join(each[k].letters[0][1:] for each in verdicts).replace("-", "")
            slight = "".join(each[k].letters[0][1 + SLIGHT] for each in verdicts).replace("-", "")
            wrong, clear = len(letters), len(letters) - len(slight)
            let_pass[who] = counted(*(letters.count(said) - slight.count(said) for said in "pi"))
            passed += letters.count("p") if who == OURS else 0
            counts = [*(str(letters.count(letter)) for letter in "fip"), str(slight.count("p"))]
            line = figures(seconds[k], seconds[0] / seconds[k])
            rows.append(
                [f"{dtype}, {who}", f"{as_it_is.count('p')} of {len(as_it_is)}", str(wrong), *counts, *line]
            )
        what = f"broken backwards of torch's operators that pass, of {clear} (without ×1.001), in {dtype}"
        found.append(Found(what, let_pass))
    return Table(
        "Torch's operators, broken",
        f"Those of them with up to {LARGEST} numbers, in and out, with the faults {', '.join(FAULTS)} put "
        "behind their backwards; a fault that moves no entry by a thousandth of the largest is none. The "
        "first column says how many a checker passes as they are, in the same wrapper: one that passes few "
        "of them finds the wrong ones by failing everything. Then the broken ones, which should fail. "
        "×1.001 is the least that ours promises to see, and less than `gradcheck` is asked for. Ours also "
        "says where and how a gradient is wrong, which is most of its time here.",
        ["", "right passed", "broken", "fail", "inconclusive", "pass", "of ×1.001", "s", "ours over it"],
        rows,
        [Aim("broken backwards of operators that `check_gradients` passes,", 0, passed)],
        found=found,
    )


def run(quick: bool) -> Iterator[Table]:
    """Both tables."""
    names = sample(quick)
    # Imports of the first check are not part of any measurement.
    sweep.on_right("exp", "float64", CHECKERS)
    yield right(names)
    yield broken(names)
