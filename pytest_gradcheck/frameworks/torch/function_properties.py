"""Run torch functions and their backwards in many ways that must make no difference.

A result must not depend on the memory layout of tensors, or on how often and by which code a cotangent is
pulled back. torch's own operations comply; a hand-written backward may not.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.base import FunctionAtPoint, Property
from pytest_gradcheck.frameworks.fresh_memory import FILLED_WITH
from pytest_gradcheck.frameworks.properties import HOLDS, Selection
from pytest_gradcheck.frameworks.pullback import NOT_LINEAR, scales
from pytest_gradcheck.frameworks.torch import zero_size
from pytest_gradcheck.frameworks.torch.draws import Draws
from pytest_gradcheck.frameworks.torch.fresh_memory import filling, first_with_nan, said_of, unwritten_by
from pytest_gradcheck.frameworks.torch.function_calls import (
    FunctionCall,
    alike,
    close,
    finding,
    identical,
    overridden,
    random_like,
    said,
)
from pytest_gradcheck.frameworks.torch.functions import described_name, is_by_hand, is_users, nodes_of
from pytest_gradcheck.frameworks.torch.leaves import to_numpy
from pytest_gradcheck.frameworks.torch.private import function_of
from pytest_gradcheck.frameworks.torch.pullback import TorchPullback

#: A network may apply the same Function a thousand times: its first call stands for all, and at most so many
#: Functions are tried.
MOST_FUNCTIONS = 8

#: Properties of every torch function; the others need a Function that the user wrote.
_OF_RUN = frozenset({"inputs-unchanged", "outputs-in-graph", "gradients-fit", "repeatable-backward"})
#: Properties that need another pass.
_OF_PASSES = frozenset({"accumulates", "initialised-memory", "repeatable-backward", "cotangents-unchanged"})
_OF_FUNCTIONS = frozenset(HOLDS) - _OF_RUN
_BATCHED = frozenset({"batched-cotangents", "vmap"})


def properties_of_run(problem: FunctionAtPoint, pullback: TorchPullback, wanted: Selection) -> list[Property]:
    """Try the properties of every torch function: one more backward pass, no call of the function.

    It is that of the cotangent that ``pullback`` has begun with.
    """
    return [one for one in _of_run(problem, pullback, wanted) if one.name in wanted]


def _of_run(problem: FunctionAtPoint, pullback: TorchPullback, wanted: Selection) -> list[Property]:
    assert pullback.first is not None
    cotangent, gradient = pullback.first
    seeds = pullback.seeds(cotangent)
    copies = [seed.clone() for seed in seeds]
    # torch raises for gradients that do not fit, before anything is tried here.
    fits = finding("gradients-fit", True, "one gradient per input, of its shape, dtype and device", "fits")
    missing = "; ".join(text for code, text in pullback.notes if code in ("detached", "once-differentiable"))
    in_graph = finding(
        "outputs-in-graph", None if missing else True, missing or "every output has a backward", "detached"
    )
    findings = [_leaves_unchanged(problem, pullback), in_graph, fits]
    if (
        not {"accumulates", "initialised-memory", "repeatable-backward", "cotangents-unchanged"}
        & wanted.names
    ):
        return findings
    written = [
        leaf.name
        for leaf, x in zip(pullback.program.inputs.leaves, pullback.leaves, strict=True)
        if x.grad is not None
    ]
    if pullback.called_backward:
        names = ", ".join(pullback.called_backward)
        text = (
            f"the function calls backward() itself, which fills .grad of {names}: return the output instead"
        )
        findings.append(finding("accumulates", False, text))
    elif written:
        text = (
            f"the backward writes into .grad of {', '.join(written)}, in addition to returning the gradient"
        )
        findings.append(finding("accumulates", False, text))

    def pass_again() -> Any:
        return pullback.program.inputs.join([to_numpy(g) for g in pullback.pull(seeds)])

    again = None
    # torch's own backwards write what they return.
    if "initialised-memory" in wanted and any(map(is_by_hand, nodes_of(pullback.outs))):
        # A pass that raises says more when it is run as it is.
        with contextlib.suppress(Exception), filling(FILLED_WITH[0]):
            again = pass_again()
        if again is None or np.isnan(again).any() or not close(gradient, again, pullback.eps):
            memory = _never_written(pullback)
            if memory is not None:
                return [*findings, memory]
            again = None
        findings.append(finding("initialised-memory", True))
    try:
        again = pass_again() if again is None else again
    except Exception as error:
        text = f"a second backward through the same graph raises {said(error)}"
        return [*findings, finding("repeatable-backward", False, text, "stale-saved-tensor")]
    findings.append(_repeatable(pullback, cotangent, gradient, again))
    changed = [
        leaf.name
        for leaf, seed, copy in zip(pullback.program.outputs.leaves, seeds, copies, strict=True)
        if not identical(seed, copy)
    ]
    text = f"the backward writes into the cotangent of {', '.join(changed)}" if changed else ""
    return [*findings, finding("cotangents-unchanged", not changed, text, "mutated-cotangent")]


def _never_written(pullback: TorchPullback) -> Property | None:
    """Return the property for a gradient with unwritten memory, else None."""
    assert pullback.first is not None
    cotangent = pullback.first[0]
    found = unwritten_by(lambda: pullback.vjp(cotangent))
    if found is None:
        return None
    with contextlib.suppress(Exception), first_with_nan(pullback.outs) as kinds, filling(FILLED_WITH[0]):
        pullback.vjp(cotangent)
    text = said_of(kinds[0] if kinds else None, found.where(pullback.program.inputs))
    return finding("initialised-memory", False, text, "uninitialised-memory")


def _leaves_unchanged(problem: FunctionAtPoint, pullback: TorchPullback) -> Property:
    now = pullback.program.inputs.join([to_numpy(x) for x in pullback.leaves])
    moved = np.flatnonzero(~((now == problem.point) | np.isnan(now)))
    text = "the call does not modify its inputs"
    if moved.size:
        name, _ = problem.inputs.locate(int(moved[0]))
        text = f"the call changes {name} in place without autograd knowing"
    # The statistics of a batch norm are inputs that torch itself changes so, and its gradients are right.
    return finding("inputs-unchanged", None if moved.size else True, text, "mutated-input")


def _repeatable(pullback: TorchPullback, cotangent: Any, first: Any, second: Any) -> Property:
    holds = close(first, second, pullback.eps)
    text, code = "a second backward gives the same gradient", "stale-saved-tensor"
    if not holds:
        try:
            fresh = TorchPullback.at(pullback.program, pullback.fresh(), pullback.eps)
            other = fresh.vjp(cotangent)
        except Exception:
            # It ran a moment ago: something in it has changed for good.
            other = first
        text = (
            "a second backward through the same graph gives a different gradient: "
            "the first changed what it saved"
        )
        if _draws(pullback):
            text = "a second backward gives a different gradient: the backward uses its own random numbers"
            code = "nondeterministic-backward"
        elif not close(first, other, pullback.eps):
            text = "two backward passes at the same point give different gradients"
            code = "nondeterministic-backward"
    return finding("repeatable-backward", holds, text, code)


def _draws(pullback: TorchPullback) -> bool:
    """Whether passes of a backward agree with equal random numbers, but not with different ones."""
    ones = np.ones(pullback.program.outputs.size)
    devices = sorted({x.device.index for x in pullback.leaves if x.is_cuda})
    try:
        with torch.random.fork_rng(devices):
            one = pullback.vjp(ones)
        with torch.random.fork_rng(devices):
            same = pullback.vjp(ones)
        pullback.vjp(ones)
        other = pullback.vjp(ones)
    except Exception:
        # Values that the first pass spoilt may make another one raise.
        return False
    return close(one, same, pullback.eps) and not close(one, other, pullback.eps)


# -- functions that the user wrote a backward for ---------------------------------------------------


def properties_of_functions(
    problem: FunctionAtPoint, pullback: TorchPullback, wanted: Selection, *, few_calls: bool = False
) -> list[Property]:
    """Run the user's `autograd.Function`s in every way that a caller may use; empty without any.

    With ``few_calls`` one call replaces many ways, unless it shows a fault. Each is tried separately, with
    the arguments of its first call. If every call of the function creates the class again, its calls cannot
    be recorded, and the list is empty as well.
    """
    every = dict.fromkeys(function_of(node) for node in nodes_of(pullback.outs))
    kinds = [kind for kind in every if kind is not None and is_users(kind)][:MOST_FUNCTIONS]
    if not kinds or not _OF_FUNCTIONS & wanted.names:
        return []
    if few_calls:
        # Opaque code does not get an extra axis.
        wanted = Selection(wanted.names - (_BATCHED - wanted.by_name), wanted.by_name)
        found = None if _OF_FUNCTIONS & wanted.by_name else _at_once(problem, pullback, wanted, kinds)
        if found is not None:
            return found
    leaves = pullback.fresh()
    findings = [_linear(pullback)] if "linear-backward" in wanted else []
    # The user did not make these calls: warnings, such as those of torch's forward mode, must not become
    # errors.
    with pullback.program.surroundings(leaves), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _recorded(kinds) as calls:
            try:
                with torch.enable_grad():
                    outs = pullback.program.run(*leaves)
            except Exception:
                # It ran a moment ago: a function with memory, about which nothing more can be found out.
                return findings
        if "accumulates" in wanted:
            findings += _accumulates(pullback, leaves, outs)
        for call in calls.values():
            findings += call.findings(wanted)
        if zero_size.NAME in wanted:
            findings += zero_size.zero_size(problem, pullback, calls.values(), wanted)
    names = [one.name for one in findings]
    # One property of each name: a violation, else a success, else one that was not tried.
    findings.sort(key=lambda one: (False, True, None).index(one.holds))
    best = {one.name: one for one in reversed(findings)}
    return [best[name] for name in dict.fromkeys(names)]


def right_functions(pullback: TorchPullback) -> dict[str, bool | None]:
    """Return by the name of each Function in the graph whether its first call is right.

    See `Framework.right_functions`.
    """
    every = dict.fromkeys(function_of(node) for node in nodes_of(pullback.outs))
    kinds = [kind for kind in every if kind is not None and is_users(kind)][:MOST_FUNCTIONS]
    leaves = pullback.fresh()
    with pullback.program.surroundings(leaves), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _recorded(kinds) as calls, torch.enable_grad():
            pullback.program.run(*leaves)
        return {described_name(kind): call.is_right() for kind, call in calls.items()}


def _at_once(
    problem: FunctionAtPoint, pullback: TorchPullback, wanted: Selection, kinds: Sequence[type[Any]]
) -> list[Property] | None:
    """Try the first call of each Function in one way that stands for most; None if it shows a fault.

    Hand-written forward mode needs a separate trial.
    """
    if any(overridden(kind, "jvp") for kind in kinds):
        return None
    leaves, found = pullback.fresh(), []
    with pullback.program.surroundings(leaves), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _recorded(kinds) as calls, Draws() as draws, torch.enable_grad():
                outs = pullback.program.run(*leaves)
        except Exception:
            return None
        if draws.made:
            # Random numbers must be replayed.
            return None
        for call in calls.values():
            one = call.at_once(wanted, problem.seed)
            if one is None:
                return None
            found += one
    del outs
    if zero_size.NAME in wanted:
        found.append(finding(zero_size.NAME, None, "not tried: torch does not see the code of the function"))
    return found


def _linear(pullback: TorchPullback) -> Property:
    # The matrix exponential scales its argument, and in float32 it may then lose other digits.
    holds = scales(pullback) or ((fine := pullback.in_double()) is not None and scales(fine))
    return finding("linear-backward", holds, "" if holds else NOT_LINEAR)


@contextlib.contextmanager
def _recorded(kinds: Sequence[type[Any]]) -> Iterator[dict[type[Any], FunctionCall]]:
    """Record the first call of each Function while the context lasts."""
    calls: dict[type[Any], FunctionCall] = {}
    with contextlib.ExitStack() as stack:
        for kind in kinds:
            own = vars(kind).get("forward")
            put_back = (delattr, kind, "forward") if own is None else (setattr, kind, "forward", own)
            watched = _watched(kind, calls)
            stack.callback(*put_back)
            kind.forward = staticmethod(watched)
        yield calls


def _watched(kind: type[Any], calls: dict[type[Any], FunctionCall]) -> Callable[..., Any]:
    right = kind.forward
    # With a setup_context, forward does not get the context.
    skip = 0 if overridden(kind, "setup_context") else 1

    def forward(*arguments: Any) -> Any:
        if kind not in calls:
            given = arguments[skip:]
            wanted = [i for i, a in enumerate(given) if isinstance(a, torch.Tensor) and a.requires_grad]
            copies = [a.detach().clone() if isinstance(a, torch.Tensor) else a for a in given]
            calls[kind] = call = FunctionCall(kind, copies, wanted, torch.get_rng_state())
            out = right(*arguments)
            call.node = arguments[0] if skip else None
            parts = out if isinstance(out, tuple | list) else [out]
            call.returned = [o.detach().clone() if isinstance(o, torch.Tensor) else o for o in parts]
            return out
        return right(*arguments)

    return forward


# -- the whole function ----------------------------------------------------------------------------


def _accumulates(pullback: TorchPullback, leaves: Sequence[Any], outs: Sequence[Any]) -> list[Property]:
    """Let the gradient accumulate in ``.grad``, as in training, twice."""
    name = "accumulates"
    live = [out for out in outs if isinstance(out, torch.Tensor) and out.requires_grad]
    seeds = [random_like(out, k) for k, out in enumerate(live)]
    try:
        copies = [seed.clone() for seed in seeds]
        found = torch.autograd.grad(live, leaves, copies, retain_graph=True, allow_unused=True)
        once = [None if g is None else g.clone() for g in found]
        for leaf in leaves:
            leaf.grad = None
        for _ in range(2):
            copies = [seed.clone() for seed in seeds]
            torch.autograd.backward(live, copies, retain_graph=True, inputs=list(leaves))
    except Exception as error:
        return [finding(name, False, f"accumulating the gradient in .grad raises {said(error)}")]
    for leaf, x, g in zip(pullback.program.inputs.leaves, leaves, once, strict=True):
        twice = torch.zeros_like(x) if g is None else 2 * g
        got = torch.zeros_like(x) if x.grad is None else x.grad
        if not alike(got, twice, pullback.eps):
            text = f"two backward passes do not add up to twice the gradient in .grad of {leaf.name}"
            return [finding(name, False, text)]
    return [finding(name, True)]
