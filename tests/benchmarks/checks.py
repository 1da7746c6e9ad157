"""What a check costs next to `torch.autograd.gradcheck`, in evaluations of the function and in time.

Every check is looked at before anything is timed: right functions pass in both checkers, broken ones fail.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch.autograd.gradcheck import GradcheckError, _get_numerical_jacobian

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.options import Options
from pytest_gradcheck.core.orders import FirstOrder
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.testing import corrupt
from tests.benchmarks import timing
from tests.benchmarks.tables import Aim, Ratio, Table, figures

PACKAGES = ("numpy", "torch")

#: Numbers in the inputs, about.
SIZES = (10, 50, 200)

FAULTS = {"sign": "sign", "one entry 1 % off": "entry-percent", "× 1.01": "percent"}

Function = Callable[..., torch.Tensor]


class Case(NamedTuple):
    """A function and where it is checked."""

    fn: Function
    inputs: tuple[torch.Tensor, ...]

    @property
    def size(self) -> str:
        """Numbers in the inputs, and in the output."""
        # One word in a narrow column of a table.
        space = "\N{NO-BREAK SPACE}"
        return f"{sum(x.numel() for x in self.inputs):,}{space}×{space}{self.fn(*self.inputs).numel():,}"


class OldStyle(torch.autograd.Function):
    """``x · exp(−x²)`` as most Functions are written: the context is an argument of forward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        """The value, and what the backward needs."""
        bell = torch.exp(-x * x)
        ctx.save_for_backward(x, bell)
        return x * bell

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> torch.Tensor:
        """By hand."""
        x, bell = ctx.saved_tensors
        return cotangent * bell * (1 - 2 * x * x)


class NewStyle(torch.autograd.Function):
    """The same with ``setup_context``, and torch's own rule for `torch.func.vmap`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The value, and what the backward needs."""
        bell = torch.exp(-x * x)
        return x * bell, bell

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Save it."""
        ctx.save_for_backward(*inputs, output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor, _: Any) -> torch.Tensor:
        """By hand."""
        x, bell = ctx.saved_tensors
        return cotangent * bell * (1 - 2 * x * x)


def normal(*shape: int) -> torch.Tensor:
    """Random numbers, the same in every run."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


def square(count: int, n: int) -> int:
    """The side of ``count`` square matrices that hold about ``n`` numbers."""
    return max(1, round((n / count) ** 0.5))


def elementwise(n: int) -> Case:
    """A gate of every number."""
    return Case(lambda x: x * torch.tanh(x), (normal(n),))


def layer(n: int) -> Case:
    """A linear layer and its activation, by the weights, the bias and the input."""
    k = square(1, n) - 1
    return Case(lambda w, b, x: torch.nn.functional.silu(w @ x + b), (normal(k, k), normal(k), normal(k)))


def softmax(n: int) -> Case:
    """Of a vector: every output depends on every input."""
    return Case(lambda x: torch.softmax(x, 0), (normal(n),))


def matmul(n: int) -> Case:
    """Of two square matrices."""
    k = square(2, n)
    return Case(torch.matmul, (normal(k, k), normal(k, k)))


def convolution(n: int) -> Case:
    """In one dimension, by the signal and the kernel."""
    return Case(torch.nn.functional.conv1d, (normal(1, 1, n - 3), normal(1, 1, 3)))


def old_style(n: int) -> Case:
    """A Function with a backward by hand."""
    return Case(OldStyle.apply, (normal(n),))


def new_style(n: int) -> Case:
    """The same with a rule for vmap."""
    return Case(lambda x: NewStyle.apply(x)[0], (normal(n),))


CASES: dict[str, Callable[[int], Case]] = {
    "elementwise": elementwise,
    "layer": layer,
    "softmax": softmax,
    "matmul": matmul,
    "convolution": convolution,
    "Function, old style": old_style,
    "Function, new style": new_style,
}


# ---------------------------------------------------------------------- contestants


def check(case: Case, verdict: str = "pass", **options: Any) -> Callable[[], None]:
    """Ours."""

    def run() -> None:
        result = check_gradients(case.fn, case.inputs, **options)
        if result.verdict != verdict:
            raise AssertionError(str(result))

    return run


def gradcheck(case: Case, verdict: str = "pass", *, fast: bool = False) -> Callable[[], None]:
    """torch's."""

    def run() -> None:
        try:
            torch.autograd.gradcheck(case.fn, case.inputs, fast_mode=fast)
        except GradcheckError:
            found = "fail"
        else:
            found = "pass"
        assert found == verdict

    return run


def by_differences(case: Case) -> Callable[[], Any]:
    """Our differences of every entry, both kinds, with error bars, and nothing else of a check."""
    problem = Problem(case.fn, case.inputs)
    options = Options(methods=("central", "forward"), mode="full")
    jacobian = Jacobian(FirstOrder(problem, options).function, {}, ("central", "forward"))

    def run() -> Any:
        return jacobian.columns(range(problem.inputs.size), None, thorough=False)

    return run


def numerical(case: Case) -> Callable[[], Any]:
    """torch's differences of every entry: one central quotient each."""

    def run() -> Any:
        return _get_numerical_jacobian(case.fn, case.inputs, eps=1e-6)

    return run


def calls(case: Case, contestant: Callable[[Case], Callable[[], object]]) -> int:
    """How often a contestant calls the function."""
    count = 0

    def counted(*args: torch.Tensor) -> torch.Tensor:
        nonlocal count
        count += 1
        return case.fn(*args)

    contestant(case._replace(fn=counted))()
    return count


# ---------------------------------------------------------------------- tables


def jacobians(quick: bool) -> Table:
    """Time all of a Jacobian by differences, and torch's."""
    rows, ratios = [], []
    for name, make in CASES.items():
        for n in SIZES[:1] if quick else SIZES:
            case = make(n)
            seconds = timing.best(
                {"ours": by_differences(case), "numerical": numerical(case), "slow": gradcheck(case)},
                1 if quick else 7,
            )
            ratios.append((n, seconds["ours"] / seconds["slow"]))
            rows.append(
                [
                    name,
                    case.size,
                    *(f"{calls(case, who):,}" for who in (by_differences, numerical, gradcheck)),
                    *figures(*(seconds[key] * 1e3 for key in ("ours", "numerical", "slow"))),
                    *figures(seconds["ours"] / seconds["numerical"], ratios[-1][1]),
                ]
            )
    return Table(
        "All of a Jacobian by differences",
        "Central and forward differences of every entry, each extrapolated over three steps and with an "
        "error bar, which is what a check spends besides its exact methods; the Jacobian that "
        "`torch.autograd.gradcheck` takes by one quotient per entry; and all of `gradcheck` in slow mode. "
        "Sizes are numbers in the inputs × in the output. First how often each calls the function, then "
        "milliseconds, then ours over each of torch's. The functions of this and the next three tables: "
        "x · tanh(x) entry by entry; SiLU of a linear layer, by weights, bias and input; the softmax of a "
        "vector; the product of two square matrices; a convolution in one dimension; and x · exp(-x²) as an "
        "`autograd.Function` whose forward has the context as an argument (old style) or which has "
        "`setup_context` and a rule for vmap (new style).",
        [
            "function",
            "size",
            "our calls",
            "its quotients'",
            "slow mode's",
            "ours, ms",
            "its quotients",
            "slow mode",
            "over its quotients",
            "over slow mode",
        ],
        rows,
        [
            Aim(f"over slow mode, {words} of {n} numbers,", 1 / 7, found)
            for n in SIZES
            if (of_size := [ratio for size, ratio in ratios if size == n])
            for words, found in (("worst", max(of_size)), ("middle", statistics.median(of_size)))
        ],
        [Ratio("all of a Jacobian by differences, over gradcheck's slow mode", [r for _, r in ratios])],
    )


def whole_checks(quick: bool) -> Table:
    """Whole checks of right functions."""
    rows, large = [], []
    over: dict[str, list[float]] = {"slow": [], "fast": [], "two": [], "full": []}
    for name, make in CASES.items():
        for n in SIZES[:1] if quick else SIZES:
            case = make(n)
            seconds = timing.best(
                {
                    "auto": check(case),
                    "full": check(case, mode="full"),
                    "two": check(case, mode="full", methods=("central", "torch")),
                    "slow": gradcheck(case),
                    "fast": gradcheck(case, fast=True),
                },
                1 if quick else 7,
            )
            for key in ("slow", "fast"):
                over[key].append(seconds["auto"] / seconds[key])
            for key in ("two", "full"):
                over[key].append(seconds[key] / seconds["slow"])
            if n >= 50:
                large += [seconds[key] / seconds["slow"] for key in ("auto", "full")]
            rows.append(
                [
                    name,
                    case.size,
                    *figures(*(seconds[key] * 1e3 for key in ("auto", "full", "two", "slow", "fast"))),
                    *figures(*(seconds[key] / seconds["slow"] for key in ("auto", "full", "two"))),
                    *figures(seconds["auto"] / seconds["fast"]),
                ]
            )
    return Table(
        "Checks of correct functions",
        "Milliseconds for `check_gradients` as it is called without options, which looks at two random "
        'projections of what is not small; with `mode="full"`, which looks at every entry by all methods; '
        'with `mode="full", methods=("central", "torch")`, which compares what slow mode compares; and for '
        "`gradcheck` in slow and in fast mode. Then each of ours over slow mode, and the first over fast.",
        [
            "function",
            "size",
            "ours, ms",
            "full",
            "full, two methods",
            "slow mode",
            "fast mode",
            "ours over slow",
            "full over slow",
            "two over slow",
            "ours over fast",
        ],
        rows,
        [Aim("a check over slow mode, from 50 numbers on, the worst case,", 1, max(large))] if large else [],
        [
            Ratio("a check of a correct function, over gradcheck's slow mode", over["slow"]),
            Ratio("a check of a correct function, over gradcheck's fast mode", over["fast"]),
            Ratio('a check of a correct function with mode="full", over slow mode', over["full"]),
            Ratio("a full check by the methods of slow mode alone, over slow mode", over["two"]),
        ],
    )


def large_checks(quick: bool) -> Table:
    """Projections of large Jacobians."""
    rows, ratios, over_fast = [], [], []
    for name, make in CASES.items():
        case = make(400 if quick else 4000)
        seconds = timing.best({"ours": check(case), "fast": gradcheck(case, fast=True)}, 1 if quick else 5)
        # Once: it takes seconds, and its noise is less than a tenth of them.
        slow = timing.best({"slow": gradcheck(case)}, 1)["slow"]
        ratios.append(seconds["ours"] / slow)
        over_fast.append(seconds["ours"] / seconds["fast"])
        rows.append(
            [
                name,
                case.size,
                *(f"{calls(case, who):,}" for who in (check, gradcheck)),
                *figures(seconds["ours"] * 1e3, slow * 1e3, seconds["fast"] * 1e3),
                *figures(slow / seconds["ours"], seconds["ours"] / seconds["fast"]),
            ]
        )
    return Table(
        "Large functions",
        "`check_gradients` as it is called without options, which looks at two random projections and keeps "
        "its promise for every entry; `gradcheck` in slow mode, which is run in full, once; and in fast "
        "mode, which looks at one projection of positive numbers. Calls of the function, and milliseconds; "
        "then how many times cheaper than slow mode ours is, and ours over fast mode.",
        [
            "function",
            "size",
            "our calls",
            "slow mode's",
            "ours, ms",
            "slow mode",
            "fast mode",
            "times cheaper",
            "over fast",
        ],
        rows,
        [Aim("a check in directional mode over slow mode, the worst case,", 1 / 100, max(ratios))],
        [
            Ratio("a check of a large function, over gradcheck's slow mode", ratios),
            Ratio("a check of a large function, over gradcheck's fast mode", over_fast),
        ],
    )


def failing(quick: bool) -> Table:
    """Checks of broken backwards."""
    rows, small, large = [], [], []
    for name, make in CASES.items():
        for n in SIZES[:1] if quick else SIZES:
            cells = []
            for fault in list(FAULTS.values())[:1] if quick else FAULTS.values():
                right = make(n)
                case = right._replace(fn=corrupt(right.fn, fault))
                seconds = timing.best(
                    {"ours": check(case, "fail"), "slow": gradcheck(case, "fail")}, 1 if quick else 5
                )
                cells += [*figures(seconds["ours"] * 1e3, seconds["slow"] * 1e3)]
                (large if n >= 50 else small).append(seconds["ours"] / seconds["slow"])
                cells += figures(seconds["ours"] / seconds["slow"])
            rows.append([name, right.size, *cells])
    cells_of = ", ms", ", slow mode", ", ratio"
    faults = list(FAULTS)[:1] if quick else list(FAULTS)
    return Table(
        "Checks that fail",
        "Backwards broken on purpose, with `check_gradients` as it is called without options, which names "
        "the method that is wrong, where and how. Milliseconds next to slow mode's, and the ratio.",
        ["function", "size", *(f"{fault}{cell}" for fault in faults for cell in cells_of)],
        rows,
        [Aim("a check that fails, over slow mode, from 50 numbers on, the worst case,", 1, max(large))]
        if large
        else [],
        [Ratio("a check that fails, over gradcheck's slow mode", small + large)],
    )


def run(quick: bool) -> Iterator[Table]:
    """All of it; `quick` at tiny sizes."""
    torch.set_num_threads(1)
    for part in (jacobians, whole_checks, large_checks, failing):
        yield part(quick)
