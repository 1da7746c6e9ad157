"""torch's own database of operators under two checkers: as the operators are, and with broken backwards.

The page of verdicts and the sweep that holds it stand on this module.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import process_time
from typing import Any, NamedTuple

import torch

from docs.coverage_page.torch_sweep import OPERATORS, Draws
from pytest_gradcheck import InvalidArgument, check_gradients
from pytest_gradcheck.frameworks.torch.lowering import tree
from pytest_gradcheck.testing import FAULTS as NAMED
from pytest_gradcheck.testing import corrupt

__all__ = [
    "CHECKERS",
    "DIRECTIONAL",
    "DTYPES",
    "FAULTS",
    "LEFT_OUT",
    "PARTS",
    "SCALES",
    "WRONG",
    "Verdicts",
    "names_of_part",
    "on_broken",
    "on_directional",
    "on_right",
    "problem",
]

PARTS = 48
"""The sweeps can be run in so many parts: part k has every 48th operator by name, from the k-th on."""

DTYPES = {"float64": torch.float64, "float32": torch.float32}

SCALES = {"1": 1.0, "1e-7": 1e-7, "1e7": 1e7}
"""What the operator's output is multiplied by."""

SENSITIVITY = 1e-3
"""What a check promises by default, and here in half precision too: a fault that moves no entry by as much of
the largest is none."""

LARGEST = 64
"""Backwards are broken of operators whose sample has up to so many numbers, in and out: to look where and how
a gradient is wrong takes seconds where there are hundreds, and there are 42 checks of an operator."""

LARGEST_DIRECTIONAL = 4096
"""The same in directional mode, whose cost does not grow with the numbers, for the output as it is alone."""

ALONG = 3
"""So many cotangents decide whether a fault is one."""

TRIANGLE = "reads one triangle; torch's gradient assumes a symmetric argument"
DETACHED = "torch gives no gradient to some outputs that depend on the input"
DUPLICATES = "of several values written to one place, one stays; torch gives all of them a gradient"

WRONG = {
    "cholesky": TRIANGLE,
    "linalg.cholesky": TRIANGLE,
    "linalg.cholesky_ex": TRIANGLE,
    "linalg.eigh": TRIANGLE,
    "linalg.eigvalsh": TRIANGLE,
    "linalg.pinv.hermitian": TRIANGLE,
    "linalg.eig": "eigenvectors are defined up to a phase, and torch's backward rejects the free choice",
    "native_layer_norm": DETACHED,
    "native_batch_norm": DETACHED,
    "_native_batch_norm_legit": DETACHED,
    "_batch_norm_with_update": DETACHED,
    "nn.functional.max_unpool2d": DUPLICATES,
    "nn.functional.max_unpool3d": DUPLICATES,
    "as_strided_scatter": "torch gives a gradient to overwritten values, and none to the values kept",
    "nn.functional.ctc_loss": "torch's gradient assumes a log_softmax that the function does not contain",
}
"""Operators whose gradient in torch is not that of the function as it is called here."""

LEFT_OUT = {
    "corrcoef": "for one variable it is constant, and its gradient is rounding error",
    "sparse.mm.reduce": "its gradient is sparse, and the faults need a dense one",
}
"""Operators whose backwards are not broken, and why."""

Gradients = Sequence[torch.Tensor]


class Problem(NamedTuple):
    """An operator at its first sample, as a function of the tensors that require a gradient.

    ``random``: it draws random numbers.
    """

    fn: Callable[..., list[torch.Tensor]]
    inputs: tuple[torch.Tensor, ...]
    random: bool

    def pullback(self, fn: Callable[..., Any], along: Gradients) -> list[torch.Tensor]:
        """The gradients along cotangents, one for each output."""
        found = torch.autograd.grad(fn(*self.inputs), self.inputs, along, allow_unused=True)
        return [torch.zeros_like(x) if g is None else g for x, g in zip(self.inputs, found, strict=True)]


def problem(name: str, dtype: torch.dtype) -> Problem | None:
    """The operator at its first sample, or None where it has no gradient in this dtype."""
    operator = OPERATORS[name]
    if dtype not in operator.supported_dtypes("cpu"):
        return None
    torch.manual_seed(0)
    sample = next(iter(operator.sample_inputs("cpu", dtype, requires_grad=True)))
    given = (sample.input, *sample.args), sample.kwargs
    # By identity: a tensor that is given twice is one input.
    inputs = {id(t): t.detach().clone().requires_grad_() for t in tree.tensors(given) if t.requires_grad}

    def fn(*tensors: torch.Tensor) -> list[torch.Tensor]:
        of = dict(zip(inputs, tensors, strict=True))
        args, kwargs = tree.replace(given, lambda t: of.get(id(t), t))
        return tree.tensors(operator(*args, **kwargs))

    with Draws() as draws:
        outputs = fn(*inputs.values())
    if not any(t.requires_grad and t.numel() for t in outputs) or not any(t.numel() for t in inputs.values()):
        return None
    return Problem(fn, tuple(inputs.values()), draws.seen)


def differentiable(start: Problem, scale: float) -> Callable[..., tuple[torch.Tensor, ...]]:
    """The function with its output scaled, and without the outputs that have no gradient."""
    keep = [i for i, t in enumerate(start.fn(*start.inputs)) if t.requires_grad]

    def fn(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = start.fn(*tensors)
        return tuple(outputs[i] * scale for i in keep)

    return fn


# ---------------------------------------------------------------------- faults


def _one_entry(change: Callable[[torch.Tensor, int], torch.Tensor]) -> Callable[[Gradients], Any]:
    """A fault at one place of the input with the largest entry of `right`: the same for every cotangent."""

    def place(right: Gradients) -> Any:
        sizes = [float(g.abs().max()) if g.numel() else -1.0 for g in right]
        which = sizes.index(max(sizes))
        largest = int(right[which].abs().reshape(-1).argmax())

        def fault(gradients: Gradients) -> Gradients:
            target = gradients[which]
            changed = change(target.reshape(-1), largest).reshape(target.shape)
            return [*gradients[:which], changed, *gradients[which + 1 :]]

        return fault

    return place


def _plus_a_percent(flat: torch.Tensor, largest: int) -> torch.Tensor:
    hit = torch.zeros_like(flat)
    # Not the largest itself, if there is another: that would be a factor of what is seen best.
    hit[(largest + len(flat) // 2) % len(flat)] = 0.01
    return flat + hit * flat[largest]


def _zeroed(flat: torch.Tensor, largest: int) -> torch.Tensor:
    hit = torch.ones_like(flat)
    hit[largest] = 0.0
    return flat * hit


def _named(name: str) -> Callable[[Gradients], Any]:
    return lambda right: NAMED[name]


FAULTS: dict[str, Callable[[Gradients], Any]] = {
    "sign": _named("sign"),
    "×1.01": _named("percent"),
    "×1.001": _named("permille"),
    "one entry +1 % of the largest": _one_entry(_plus_a_percent),
    "largest entry zeroed": _one_entry(_zeroed),
    "reversed": _named("reversed"),
    "second input dropped": _named("second-input"),
}
"""From the right gradients along one cotangent to a fault: a function from right gradients to wrong ones."""


def _cotangents(outputs: Gradients, count: int) -> Iterator[list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        # Drawn in one dtype for all: the place of a fault does not depend on it.
        yield [torch.randn(t.shape, generator=generator, dtype=torch.float64).to(t.dtype) for t in outputs]


def changes(right: Gradients, wrong: Gradients) -> bool:
    """Whether some entry is off by what a check promises to see, relative to its input's largest.

    The factor leaves room for the rounding of ×1.001 in float32. What is not finite shows nothing.
    """
    for a, b in zip(right, wrong, strict=True):
        if a.numel() and torch.isfinite(torch.view_as_real(a) if a.is_complex() else a).all():
            largest = max(float(a.abs().max()), float(b.abs().max()))
            if float((b - a).abs().max()) > 0.99 * SENSITIVITY * largest:
                return True
    return False


# ---------------------------------------------------------------------- checkers


def ours(fn: Callable[..., Any], inputs: Gradients, **options: Any) -> str:
    """The verdict of this project, by default options and ``options``: p(ass), i(nconclusive) or f(ail)."""
    try:
        return check_gradients(fn, tuple(inputs), sensitivity=SENSITIVITY, **options).verdict[0]
    except InvalidArgument:
        return "-"


def gradchecks(fn: Callable[..., Any], inputs: Gradients, **options: Any) -> str:
    """The same of torch.autograd.gradcheck, which raises for what it finds wrong."""
    try:
        torch.autograd.gradcheck(lambda *tensors: tuple(fn(*tensors)), tuple(inputs), **options)
    except Exception:
        return "f"
    return "p"


CHECKERS = {"ours": ours, "torch.autograd.gradcheck": gradchecks}
DIRECTIONAL = {
    "ours": functools.partial(ours, mode="directional"),
    "torch.autograd.gradcheck": functools.partial(gradchecks, fast_mode=True),
}
"""The modes of both that look along random directions instead of at every entry."""


class Verdicts(NamedTuple):
    """What one checker said: a letter per check, in rows, and the seconds on the process's clock."""

    letters: tuple[str, ...]
    seconds: float


def on_right(
    name: str, dtype: str, checkers: Mapping[str, Callable[..., str]] | None = None
) -> list[Verdicts] | None:
    """The verdict of every checker on an operator as it is; None where nothing is to be checked."""
    return _verdicts(name, dtype, lambda start: [[start.fn]], checkers or CHECKERS)


def on_broken(
    name: str,
    dtype: str,
    checkers: Mapping[str, Callable[..., str]] | None = None,
    scales: Mapping[str, float] | None = None,
) -> list[Verdicts] | None:
    """The verdicts of every checker on an operator with broken backwards, in a row per scale.

    Each row starts with the right backward inside the same wrapper. A dash is where a fault is none. None for
    what torch differentiates wrongly, which is broken already, for what is too large, and for what is
    `LEFT_OUT`.
    """
    if name in WRONG or name in LEFT_OUT:
        return None

    def functions(start: Problem) -> list[Functions]:
        return [
            _functions(start, scale) for scale in (scales or SCALES).values() if _numbers(start) <= LARGEST
        ]

    return _verdicts(name, dtype, functions, checkers or CHECKERS)


def on_directional(name: str, dtype: str) -> list[Verdicts] | None:
    """The verdicts in directional mode; one row, of the output as it is. See `on_broken`."""
    if name in WRONG or name in LEFT_OUT:
        return None

    def functions(start: Problem) -> list[Functions]:
        return [_functions(start, 1.0)] if _numbers(start) <= LARGEST_DIRECTIONAL else []

    return _verdicts(name, dtype, functions, DIRECTIONAL)


def _numbers(start: Problem) -> int:
    return sum(t.numel() for t in (*start.inputs, *start.fn(*start.inputs)))


Functions = list[Callable[..., Any] | None]


def _verdicts(
    name: str,
    dtype: str,
    functions: Callable[[Problem], list[Functions]],
    checkers: Mapping[str, Callable[..., str]],
) -> list[Verdicts] | None:
    with warnings.catch_warnings():
        # torch's samples exercise its own deprecations, and its checker warns of float32.
        warnings.simplefilter("ignore")
        start = problem(name, DTYPES[dtype])
        if start is None or start.random:
            return None
        rows = functions(start)
        if not rows:
            return None
        found = []
        for check in checkers.values():
            clock = process_time()
            letters = ["".join("-" if fn is None else check(fn, start.inputs) for fn in row) for row in rows]
            found.append(Verdicts(tuple(letters), process_time() - clock))
        return found


def _functions(start: Problem, scale: float) -> Functions:
    right = differentiable(start, scale)
    return [corrupt(right, lambda gradients: gradients), *_broken(start, right)]


def _broken(start: Problem, right: Callable[..., Any]) -> Iterator[Callable[..., Any] | None]:
    """The function with each fault in its backward, or None where the fault is none."""
    along = list(_cotangents(right(*start.inputs), ALONG))
    plain = [start.pullback(right, each) for each in along]
    for what, make in FAULTS.items():
        fault = make(plain[0])
        if what == "second input dropped" and len(start.inputs) < 2:
            yield None
        elif any(changes(g, fault(g)) for g in plain):
            yield corrupt(right, fault)
        else:
            yield None


def names_of_part(part: int) -> list[str]:
    """The operators of one part."""
    return sorted(OPERATORS)[part::PARTS]
