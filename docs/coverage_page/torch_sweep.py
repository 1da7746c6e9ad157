"""torch's own database of operators, each sample of it on the reference engine and under torch autograd.

The page on torch's operators and the sweep of tests/frameworks/torch/lowering both stand on this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._python_dispatch import TorchDispatchMode

import reference_engine as engine
from pytest_gradcheck.frameworks.torch.lowering import Lowered, LoweringError, lower, tree
from pytest_gradcheck.frameworks.torch.perturbed import SCALE, Disturbed

__all__ = ["OPERATORS", "Draws", "Finding", "Outcome", "calls", "outcome", "plan_of", "theirs_of"]

LARGEST = 1000
"""Samples with more entries are left out, unless an operator has no smaller one: then its first is taken."""

RTOL = 1e-9
"""How far an entry may be off, relative to itself."""

ROUNDING = 0.01
"""In addition, an entry may be off by this part of its change when every operation is perturbed by 1.5e-11 of
itself: where large terms cancel to almost nothing, no digit is right on either side."""

NOTHING = 1e-11
"""What one side may have where the other has exactly zero: arguments and cotangents are about 10."""

STAGES = ("value", "first", "second")

Arrays = list[np.ndarray[Any, Any]]


def _name(operator: Any) -> str:
    return str(operator.name + ("." + operator.variant_test_name if operator.variant_test_name else ""))


OPERATORS: dict[str, Any] = {
    _name(each): each
    for each in op_db
    if each.supports_autograd and torch.float64 in each.supported_dtypes("cpu")
}
"""The operators that have a gradient and take float64 on the CPU, by name and variant."""


class Finding(NamedTuple):
    """What did not come out at one sample: ``stage`` is runs, value, first or second."""

    stage: str
    sample: int
    text: str


class Outcome(NamedTuple):
    """What the samples of one operator showed.

    ``samples`` were compared, ``first`` of them in the derivative and ``second`` in the derivative of that;
    where torch has none there is nothing to compare. ``random``: it does not give the same twice.
    """

    samples: int
    first: int
    second: int
    random: bool
    findings: list[Finding]

    def stages(self) -> set[str]:
        """The stages with findings."""
        return {finding.stage for finding in self.findings}


def _plain(value: Any) -> np.ndarray[Any, Any]:
    if isinstance(value, torch.Tensor):
        value = value.detach()
        value = value.to_dense() if value.layout is not torch.strided else value
        value = value.to(_WIDER.get(value.dtype, value.dtype))
        return np.asarray(value.resolve_conj().resolve_neg().numpy(force=True)).copy()
    return np.asarray(value.data if isinstance(value, engine.Tensor) else value)


_WIDER = {torch.bfloat16: torch.float32, torch.complex32: torch.complex64}


class Draws(TorchDispatchMode):
    """Notes whether a random operation ran."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen = self.seen or torch.Tag.nondeterministic_seeded in func.tags
        return func(*args, **(kwargs or {}))


class _Call(NamedTuple):
    """The operator at one sample: a function of nothing, and the tensors that it reads and may give."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    twice: bool

    def outputs(self, seed: int = 0) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        return tree.tensors(self.fn(*self.args, **self.kwargs))

    def inputs(self) -> list[torch.Tensor]:
        return tree.tensors((self.args, self.kwargs))


class _Plan(NamedTuple):
    """By which inputs which outputs are differentiated, along which cotangents."""

    wrt: list[int]
    chosen: list[int]
    along: Arrays
    again: Arrays


def calls(operator: Any) -> Iterator[_Call]:
    """The operator at its samples, called as torch's own gradient tests call it.

    Their wrappers make an argument symmetric, or triangular, where the operator reads one triangle only.
    Weights in float32, which only cov's samples have, are given in float64.
    """
    large = None
    small = 0
    for sample in operator.sample_inputs("cpu", torch.float64, requires_grad=True):
        args, kwargs = tree.replace(((sample.input, *sample.args), sample.kwargs), _in_float64)
        inputs = tree.tensors((args, kwargs))
        if len({id(t) for t in inputs}) != len(inputs):
            continue

        def fn(*a: Any, process: Any = sample.output_process_fn_grad, **k: Any) -> Any:
            out = operator.gradcheck_wrapper(operator.op, *a, **k)
            return process(out) if process else out

        call = _Call(fn, args, kwargs, operator.supports_gradgrad)
        if sum(t.numel() for t in inputs) <= LARGEST:
            small += 1
            yield call
        else:
            large = large or call
    if large and not small:
        yield large


def _in_float64(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dtype != torch.float32:
        return tensor
    return tensor.detach().double().requires_grad_(tensor.requires_grad)


def outcome(name: str, rtol: float = RTOL) -> Outcome:
    """Compare an operator at all of its samples."""
    with warnings.catch_warnings():
        # torch's samples exercise its own deprecations.
        warnings.simplefilter("ignore")
        return _outcome(OPERATORS[name], rtol)


def _outcome(operator: Any, rtol: float) -> Outcome:
    rng = np.random.default_rng(0)
    findings: list[Finding] = []
    samples = 0
    compared = dict.fromkeys(("runs", *STAGES), 0)
    random = False
    torch.manual_seed(0)
    for number, call in enumerate(calls(operator)):
        try:
            with Draws() as draws:
                expected = call.outputs()
        except Exception:  # samples that torch itself refuses
            continue
        samples += 1
        random = random or draws.seen
        for stage, wrong in _compare(call, expected, rng, rtol):
            compared[stage] += 1
            if wrong:
                findings.append(Finding(stage, number, wrong))
    return Outcome(samples, compared["first"], compared["second"], random, findings)


def _compare(
    call: _Call, expected: list[torch.Tensor], rng: np.random.Generator, rtol: float
) -> Iterator[tuple[str, str]]:
    """Each stage that torch has something for, with what is wrong there."""
    plan = plan_of(call.inputs(), expected, rng)
    theirs = theirs_of(call, plan)
    torch.manual_seed(0)
    try:
        lowered = lower(call.fn, call.args, call.kwargs)
        ours = _ours(lowered, plan, len(theirs))
    except (LoweringError, NotImplementedError, engine.MissingRuleError) as error:
        yield "runs", str(error)
        yield from ((stage, "") for stage in STAGES[1 : len(theirs)])
        return
    disturbed: list[list[Arrays]] = []
    for i, stage in enumerate(STAGES[: len(theirs)]):
        wrong = ""
        for k, (a, b) in enumerate(zip(ours[i], theirs[i], strict=True)):
            within = max(rtol, _rounding(expected[k])) if stage == "value" else rtol
            if not wrong and _off(a, b, within):
                if a.shape == b.shape and not disturbed:
                    disturbed = list(_disturbed(call, lowered, plan, ours, theirs))
                moved = [run[i][k] for run in disturbed if run[i][k].shape == a.shape]
                wrong = _off(a, b, within, ROUNDING * np.max(moved, axis=0) if moved else 0.0)
        yield stage, wrong


def _rounding(tensor: torch.Tensor) -> float:
    """Results in a narrow dtype are rounded to it; the replay is in float64."""
    floating = tensor.is_floating_point() or tensor.is_complex()
    return float(torch.finfo(tensor.dtype).eps) if floating else 0.0


def _off(ours: Any, theirs: Any, rtol: float, rounding: Any = 0.0) -> str:
    """What is wrong with an array, entry by entry: an empty string if nothing is."""
    ours, theirs = _plain(ours), _plain(theirs)
    if ours.shape != theirs.shape:
        return f"shape {ours.shape} in place of {theirs.shape}"
    with np.errstate(all="ignore"):
        off = np.abs(ours - theirs)
        allowed = rtol * np.abs(theirs) + np.where(np.isfinite(rounding), rounding, 0)
        right = (off <= allowed) | (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        right |= ((ours == 0) | (theirs == 0)) & (off <= NOTHING)
        if np.all(right):
            return ""
        # What torch has no number for is named only if nothing else is wrong.
        size = np.where(np.isnan(theirs), 0, np.where(np.isnan(off), np.inf, off))
        worst = np.unravel_index(np.argmax(np.where(right, -1, size)), off.shape)
    return f"{ours[worst]} in place of {theirs[worst]} at {tuple(map(int, worst))}"


def plan_of(inputs: list[torch.Tensor], expected: list[torch.Tensor], rng: np.random.Generator) -> _Plan:
    """By which inputs which outputs are differentiated, along random cotangents."""
    wrt = [i for i, t in enumerate(inputs) if t.requires_grad]
    chosen = [
        i for i, t in enumerate(expected) if t.requires_grad and (t.is_floating_point() or t.is_complex())
    ]
    narrow = any(expected[i].dtype not in (torch.float64, torch.complex128) for i in chosen)
    return _Plan(
        wrt,
        chosen,
        [_cotangent(expected[i], narrow, rng) for i in chosen],
        [_cotangent(inputs[i], narrow, rng) for i in wrt],
    )


def _cotangent(like: torch.Tensor, narrow: bool, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Random numbers. For results in a narrow dtype they have seven bits, which bfloat16 holds exactly, so a
    conversion rounds none of them.
    """

    def draw() -> Any:
        numbers = rng.uniform(1, 10, tuple(like.shape)) * rng.choice([-1, 1], tuple(like.shape))
        return np.round(8 * numbers) / 8 if narrow else numbers

    return np.asarray(draw() + 1j * draw() if like.is_complex() else draw())


def theirs_of(call: _Call, plan: _Plan) -> list[Arrays]:
    """torch's values, gradients, and gradients of those, as far as it has them."""
    expected = call.outputs()
    found = [[_plain(t) for t in expected]]
    if not plan.wrt or not plan.chosen:
        return found
    tensors = [call.inputs()[i] for i in plan.wrt]
    results = [expected[i] for i in plan.chosen]
    along = [
        torch.from_numpy(c).to(r.dtype).requires_grad_(True) for c, r in zip(plan.along, results, strict=True)
    ]
    try:
        first = _grad(results, tensors, along, create_graph=call.twice)
    except RuntimeError:  # torch has no derivative
        return found
    found.append([_plain(t) for t in first])
    moving = [i for i, t in enumerate(first) if t.requires_grad]
    if not call.twice or not moving:
        return found
    again = [torch.from_numpy(plan.again[i]) for i in moving]
    try:
        second = _grad([first[i] for i in moving], [*tensors, *along], again)
    except RuntimeError:
        return found
    return [*found, [_plain(t) for t in second]]


def _grad(
    outputs: list[torch.Tensor],
    inputs: list[torch.Tensor],
    along: list[torch.Tensor],
    create_graph: bool = False,
) -> list[torch.Tensor]:
    found = torch.autograd.grad(outputs, inputs, along, create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


def _ours(lowered: Lowered, plan: _Plan, stages: int) -> list[Arrays]:
    """The same from the engine."""
    start = lowered.inputs()
    found = [[_plain(v) for v in lowered(*start)]]

    def of_chosen(*values: Any) -> list[Any]:
        full = list(start)
        for i, value in zip(plan.wrt, values, strict=True):
            full[i] = value
        outputs = lowered(*full)
        return [outputs[i] for i in plan.chosen]

    arrays = [start[i] for i in plan.wrt]
    if stages > 1:
        found.append([_plain(g) for g in engine.vjp(of_chosen, *arrays)[1](plan.along)])

    def gradient(*values: Any) -> list[Any]:
        return list(engine.vjp(of_chosen, *values[: len(arrays)])[1](list(values[len(arrays) :])))

    if stages > 2:
        found.append([_plain(g) for g in engine.vjp(gradient, *arrays, *plan.along)[1](plan.again)])
    return found


def _disturbed(
    call: _Call, lowered: Lowered, plan: _Plan, ours: list[Arrays], theirs: list[Arrays]
) -> Iterator[list[Arrays]]:
    """How far disturbed arithmetic moves each entry, on either side and by several seeds."""
    for seed in range(3):
        with engine.perturbed(SCALE, seed):
            yield _moved(_ours(lowered, plan, len(theirs)), ours)
        with Disturbed(SCALE, seed):
            yield _moved(theirs_of(call, plan), theirs)


def _moved(run: list[Arrays], still: list[Arrays]) -> list[Arrays]:
    with np.errstate(all="ignore"):
        return [
            [
                np.abs(np.nan_to_num(a) - np.nan_to_num(b)) if a.shape == b.shape else np.zeros(())
                for a, b in zip(*pair, strict=True)
            ]
            for pair in zip(run, still, strict=False)
        ]
