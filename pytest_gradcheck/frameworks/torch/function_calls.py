"""Repeat one call of an `autograd.Function` separately, in every way that a caller may use."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.base import Property
from pytest_gradcheck.frameworks.fresh_memory import FILLED_WITH
from pytest_gradcheck.frameworks.leaves import EPS64, EPS_BY_DTYPE
from pytest_gradcheck.frameworks.properties import HOLDS, Selection
from pytest_gradcheck.frameworks.refusals import is_refusal
from pytest_gradcheck.frameworks.torch.draws import Draws
from pytest_gradcheck.frameworks.torch.fresh_memory import filling, said_of, unwritten_by
from pytest_gradcheck.frameworks.torch.functions import name_of, place_of
from pytest_gradcheck.frameworks.torch.leaves import dtype_of, to_numpy
from pytest_gradcheck.frameworks.torch.private import none_batched_afterwards

#: How often a computation is repeated at points moved by roundoff, if two ways seem to differ.
REPEATS = 4

#: Steps along a line, in units of the arguments, of two central differences; where they agree to this share,
#: they decide. A backward is wrong if it is ten times as far from them.
DIFFERENCE_STEPS = (1e-4, 1e-5)
SETTLED = 1e-5

Tensors = list[torch.Tensor]
Arrange = Callable[[torch.Tensor], torch.Tensor]


def finding(
    name: str,
    holds: bool | None,
    text: str = "",
    code: str = "",
    compared: tuple[tuple[str, complex], ...] = (),
    at: str = "",
) -> Property:
    """Return the property found by a trial, by default with the text of `HOLDS` and its own name."""
    return Property(name, holds, text or HOLDS[name], code or name, compared, at)


@dataclass(eq=False)
class FunctionCall:
    """One application of a Function, which can be repeated by itself.

    ``arguments`` are copies; ``wanted`` the positions of those that require a gradient.
    """

    kind: type[Any]
    arguments: list[Any]
    wanted: list[int]
    state: torch.Tensor
    seeds: Tensors = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    #: The node of autograd's graph that this call made, and copies of what it returned, where they are known.
    node: Any = None
    returned: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The Function's name, as its author wrote it."""
        return name_of(self.kind)

    def argument(self, position: int) -> str:
        """Name an argument as the author of the forward did."""
        with contextlib.suppress(TypeError, ValueError):
            names = list(inspect.signature(self.kind.forward).parameters)
            return names[position + (0 if overridden(self.kind, "setup_context") else 1)]
        return f"argument {position}"

    @property
    def points(self) -> Tensors:
        """The differentiable arguments' values."""
        return [self.arguments[p] for p in self.wanted]

    @property
    def eps(self) -> float:
        """Unit roundoff of the coarsest dtype among them."""
        return max(EPS_BY_DTYPE.get(dtype_of(x), EPS64) for x in [*self.points, *self.seeds])

    def apply(self, tensors: Sequence[Any]) -> list[Any]:
        """Call it with these differentiable arguments; returns all that it returns."""
        given = dict(zip(self.wanted, tensors, strict=True))
        filled = [
            given[p] if p in given else a.clone() if isinstance(a, torch.Tensor) else a
            for p, a in enumerate(self.arguments)
        ]
        torch.set_rng_state(self.state)
        out = self.kind.apply(*filled)
        return list(out) if isinstance(out, tuple | list) else [out]

    def forward(self, points: Sequence[torch.Tensor], arrange: Arrange) -> FunctionRun:
        """Call it under autograd with arguments laid out in memory by ``arrange``."""
        with torch.enable_grad():
            leaves = [arrange(x.detach()).requires_grad_() for x in points]
            # Autograd does not allow changes of a leaf in place, nor of a view of one.
            given = [_contiguous(x) if arrange is _contiguous else x.view_as(x) for x in leaves]
            before = [(x.grad_fn, x.detach().clone()) for x in given]
            everything = self.apply(given)
        outs = [o for o in everything if isinstance(o, torch.Tensor) and o.requires_grad]
        if not self.seeds:
            self.outputs = [i for i, o in enumerate(everything) if any(o is kept for kept in outs)]
            self.seeds = [random_like(o, k) for k, o in enumerate(outs)]
        return FunctionRun(leaves, given, before, outs)

    def findings(self, wanted: Selection) -> list[Property]:
        """Try every wanted way; empty if the call is not even repeatable."""
        try:
            with Draws() as draws:
                base = self.forward(self.points, _contiguous)
                # Values that a backward keeps and returns may change in later passes.
                first = [gradient.clone() for gradient in base.pull(self.seeds)]
            given = [seed.clone() for seed in self.seeds]
        except Exception:
            # Called separately it does not run as it did inside of the function, so ways cannot be compared.
            return []
        again: Tensors = []
        # Unwritten memory that it keeps may make it raise.
        with contextlib.suppress(Exception), filling(FILLED_WITH[0]):
            run = self.forward(self.points, _contiguous)
            again = run.gradients(run.outs, given)
        if not base.outs:
            return []
        if not self._alike(first, again):
            if "initialised-memory" in wanted and (memory := self._never_written()):
                return [memory]
            try:
                run = self.forward(self.points, _contiguous)
                repeats = self._alike(first, run.pull(self.seeds))
            except Exception:
                repeats = False
            if not repeats:
                return []
        trials: list[tuple[str, Callable[..., Property | None], tuple[Any, ...]]] = [
            ("inputs-unchanged", self._unchanged, (base,)),
            ("cotangents-unchanged", self._cotangents_unchanged, (given,)),
            *[(f"{way[0]}-inputs", self._inputs, (base, first, draws, *way)) for way in INPUT_WAYS],
            *[(f"{way[0]}-cotangents", self._cotangents, (base, first, *way)) for way in COTANGENT_WAYS],
            ("undefined-cotangents", self._undefined, ()),
            ("frozen-inputs", self._one_wanted, (first,)),
            ("twice-differentiable", self._once_differentiable, ()),
        ]
        if self.kind.generate_vmap_rule or overridden(self.kind, "vmap"):
            trials += [("batched-cotangents", self._batched, ()), ("vmap", self._vmapped, ())]
        if overridden(self.kind, "jvp"):
            trials.append(("forward-mode", self._forward_mode, (first,)))
        found = []
        for name, trial, arguments in trials:
            # An unforeseen error of a Function is not a finding, and must not end the check.
            with contextlib.suppress(Exception):
                found.append(trial(*arguments) if name in wanted else None)
        return [self._placed(finding) for finding in found if finding is not None]

    def _placed(self, found: Property) -> Property:
        """Add the place of the code that breaks a property."""
        if found.holds is not False:
            return found
        method = "jvp" if found.name == "forward-mode" else "backward"
        return dataclasses.replace(found, place=f"{self.name}.{method}{place_of(self.kind, method)}")

    def is_right(self) -> bool | None:
        """Whether the backward agrees with differences of the forward along two lines, in float64.

        None if differences cannot decide: the forward does not run in float64, or bends at the point.
        """
        with contextlib.suppress(Exception):
            fine = dataclasses.replace(self, arguments=list(map(_in_double, self.arguments)), seeds=[])
            gradient = fine.forward(fine.points, _contiguous).pull(fine.seeds)
            return all(fine._is_right_along(gradient, k) for k in range(2))
        return None

    def _is_right_along(self, gradient: Tensors, k: int) -> bool:
        tangents = [random_like(x, k + 300) * x.abs().clamp_min(0.1) for x in self.points]
        slope = _inner(list(zip(gradient, tangents, strict=True)))

        def value(step: float) -> float:
            moved = [x + step * v for x, v in zip(self.points, tangents, strict=True)]
            return _inner(list(zip(self.seeds, self.forward(moved, _contiguous).values(), strict=True)))

        wide, narrow = ((value(h) - value(-h)) / (2 * h) for h in DIFFERENCE_STEPS)
        size = max(abs(slope), abs(wide), abs(narrow))
        if not abs(wide - narrow) <= SETTLED * size:
            raise ArithmeticError("differences do not settle")
        return abs(slope - narrow) <= 10 * SETTLED * size

    def at_once(self, wanted: Selection, seed: int) -> list[Property] | None:
        """Try in one call and two backward passes what `findings` tries in a dozen; None if anything is
        wrong.

        Its inputs and its cotangents are not contiguous, the cotangents are minus two times those of the call
        as it was, and fresh memory holds nan. Of several inputs one alone may require a gradient, or all:
        that depends on the seed. No entries share memory or are missing, which could harm a kernel.
        """
        first = self._first_gradients()
        if first is None:
            return None
        asked = [*range(len(self.wanted))]
        if len(asked) > 1 and seed % 2:
            asked = [seed // 2 % len(asked)]
        call = dataclasses.replace(self, wanted=[self.wanted[k] for k in asked])
        seeds = [_spread(-2 * u) for u in self.seeds]
        given = [u.clone() for u in seeds]
        try:
            with filling(FILLED_WITH[0]):
                run = call.forward(call.points, _spread)
                found = run.gradients(run.outs, seeds)
        except Exception:
            return None
        expected = [-2 * first[k] for k in asked]
        values = [self.returned[k] for k in self.outputs]
        if not (self._alike(run.values(), values) and self._alike(found, expected)):
            return None
        if self._unchanged(run).holds is False or not all(map(identical, seeds, given)):
            return None
        names = ["inputs-unchanged", "cotangents-unchanged", "linear-backward"]
        names += ["frozen-inputs"] if len(asked) < len(self.wanted) else []
        if not all(_as_before(x, _spread(x)) for x in call.points):
            names.append("non-contiguous-inputs")
        if not all(_as_before(u, _spread(u)) for u in self.seeds):
            names.append("non-contiguous-cotangents")
        found_too = [self._once_differentiable() if "twice-differentiable" in wanted else None]
        return [finding(name, True) for name in names if name in wanted] + [f for f in found_too if f]

    def _first_gradients(self) -> Tensors | None:
        """Pull random cotangents back through the original call; None if that fails."""
        floating = [
            isinstance(o, torch.Tensor) and (o.is_floating_point() or o.is_complex()) for o in self.returned
        ]
        try:
            if self.node is None or not all(floating):
                base = self.forward(self.points, _contiguous)
                self.returned = [None] * (1 + max(self.outputs, default=-1))
                for k, value in zip(self.outputs, base.values(), strict=True):
                    self.returned[k] = value
                return [gradient.clone() for gradient in base.pull(self.seeds)]
            self.outputs = [*range(len(self.returned))]
            self.seeds = [random_like(o, k) for k, o in enumerate(self.returned)]
            with torch.no_grad():
                found = self.node.apply(*(seed.clone() for seed in self.seeds))
            every = found if isinstance(found, tuple) else (found,)
            gradients = [every[p] for p in self.wanted]
            return [
                torch.zeros_like(x) if g is None else g.clone()
                for x, g in zip(self.points, gradients, strict=True)
            ]
        except Exception:
            return None

    def _alike(self, some: Tensors, others: Tensors) -> bool:
        same = functools.partial(alike, eps=self.eps)
        return len(some) == len(others) and all(map(same, some, others))

    def _never_written(self) -> Property | None:
        """Try whether the forward keeps, or the backward returns, memory that was never written."""

        def run() -> Any:
            made = self.forward(self.points, _contiguous)
            return np.concatenate([np.ravel(to_numpy(g)) for g in made.pull(self.seeds)])

        if unwritten_by(run) is None:
            return None
        return finding("initialised-memory", False, said_of(self.kind, ""), "uninitialised-memory")

    # -- one property each -----------------------------------------------------------------------------

    def _unchanged(self, run: FunctionRun) -> Property:
        changed = (
            f"{self.name} changes its argument {p} in place without ctx.mark_dirty"
            for p, x, (node, value) in zip(self.wanted, run.given, run.before, strict=True)
            if x.grad_fn is node and not identical(x, value)
        )
        text = next(changed, "")
        return finding("inputs-unchanged", not text, text, "mutated-input")

    def _cotangents_unchanged(self, given: Tensors) -> Property:
        same = all(identical(a, b) for a, b in zip(given, self.seeds, strict=True))
        text = "" if same else f"{self.name}.backward writes into its cotangents"
        return finding("cotangents-unchanged", same, text, "mutated-cotangent")

    def _inputs(
        self, base: FunctionRun, first: Tensors, draws: Draws, way: str, arrange: Arrange, repeats: bool
    ) -> Property | None:
        name, words = f"{way}-inputs", f"{way} inputs"
        points = [arrange(x).contiguous() for x in self.points] if repeats else self.points
        if all(_as_before(x, arrange(x)) for x in points):
            return None
        try:
            expected = [*base.values(), *first]
            if repeats:
                with Draws() if draws.made else contextlib.nullcontext(draws) as draws:
                    plain = self.forward(points, _contiguous)
                    expected = [*plain.values(), *plain.pull(self.seeds)]
        except Exception:
            # An expanded matrix has equal rows, which no function need accept.
            return finding(name, None, f"{self.name} does not accept the values that were tried")
        # A Function that drew nothing has nothing to replay.
        replayed = Draws(draws.made) if draws.made else draws
        given_again = replayed if draws.made else contextlib.nullcontext()
        try:
            with given_again:
                run = self.forward(points, arrange)
        except Exception as error:
            return self._raised(name, words, error)

        def results() -> Tensors:
            with given_again:
                return [*run.values(), *run.pull(self.seeds)]

        found = self._same(name, results, expected, words, points)
        if found.holds is False and replayed.parted:
            return finding(name, None, f"not tried: {self.name} draws different random numbers for {words}")
        return found

    def _raised(self, name: str, words: str, error: Exception) -> Property:
        """Interpret an exception: a Function that refuses its arguments does not return wrong numbers."""
        if is_refusal(error):
            return finding(name, None, f"{self.name} refuses {words}: {said(error)}")
        return finding(name, False, f"{self.name} with {words} breaks down: {said(error)}")

    def _cotangents(
        self, base: FunctionRun, first: Tensors, way: str, arrange: Arrange, repeats: bool
    ) -> Property | None:
        name, words = f"{way}-cotangents", f"{way} cotangents"
        seeds = [arrange(u).contiguous() for u in self.seeds] if repeats else self.seeds
        if all(_as_before(u, arrange(u)) for u in seeds):
            return None
        try:
            expected = base.pull(seeds) if repeats else first
        except Exception:
            # Not these values of a cotangent, whatever its layout: there is nothing to compare with.
            return None
        again = self.forward(self.points, _contiguous)
        return self._same(
            name, lambda: again.pull([arrange(u) for u in seeds]), expected, words, self.points, seeds
        )

    def _undefined(self) -> Property | None:
        name = "undefined-cotangents"
        if len(self.seeds) < 2:
            return None
        for k, seed in enumerate(self.seeds):
            zeros = [seed if i == k else torch.zeros_like(u) for i, u in enumerate(self.seeds)]
            expected = self.forward(self.points, _contiguous).pull(zeros)
            run = self.forward(self.points, _contiguous)
            words = f"a cotangent for output {self.outputs[k]} alone"
            pull = functools.partial(run.pull, [seed], only=k)
            found = self._same(name, pull, expected, words, self.points, zeros)
            if found.holds is False:
                return found
        return found

    def _one_wanted(self, whole: Tensors) -> Property | None:
        """Let one argument at a time require a gradient, as ``ctx.needs_input_grad`` allows."""
        name = "frozen-inputs"
        if len(self.wanted) < 2:
            return None
        refused = None
        for k, p in enumerate(self.wanted):
            frozen = [self.argument(other) for other in self.wanted if other != p]
            words = f"{' and '.join(frozen)} frozen"
            call = dataclasses.replace(self, wanted=[p])
            try:
                run = call.forward(call.points, _contiguous)
                found = run.pull(self.seeds)
            except Exception as error:
                refused = self._raised(name, words, error)
                if refused.holds is False:
                    return refused
                continue
            own = [found[0] if i == k else g for i, g in enumerate(whole)]
            compared = self._same(name, functools.partial(list, own), whole, words, self.points)
            if compared.holds is False and run.missing:
                text = f"with {words} {self.name} returns None for the gradient of {self.argument(p)}"
                return finding(name, False, text)
            if compared.holds is not True:
                return compared
        return refused or finding(name, True)

    def _once_differentiable(self) -> Property | None:
        # torch's decorator can be recognised only by the function that it wraps.
        backward = getattr(self.kind, "backward", None)
        if "once_differentiable" not in getattr(getattr(backward, "__code__", None), "co_qualname", ""):
            return None
        text = f"{self.name} is marked once_differentiable: it has no second derivative"
        return finding("twice-differentiable", None, text, "once-differentiable")

    def _batched(self) -> Property:
        name = "batched-cotangents"
        other = [random_like(u, k + 100) for k, u in enumerate(self.seeds)]
        run = self.forward(self.points, _contiguous)
        expected = [torch.stack(pair) for pair in zip(run.pull(self.seeds), run.pull(other), strict=True)]
        both = [torch.stack(pair) for pair in zip(self.seeds, other, strict=True)]

        def together() -> Tensors:
            with none_batched_afterwards():
                return run.pull(both, batched=True)

        return self._same(name, together, expected, "batched cotangents", None)

    def _vmapped(self) -> Property | None:
        turned = [x.flip(0) if x.ndim else x.clone() for x in self.points]
        try:
            with torch.no_grad():
                expected = [_tensors(self.apply(points)) for points in (self.points, turned)]
        except Exception:
            # Not defined at the turned point: there is nothing to compare with.
            return None
        stacked = [torch.stack(pair) for pair in zip(self.points, turned, strict=True)]

        def mapped() -> Tensors:
            with none_batched_afterwards(), torch.no_grad():
                run = torch.func.vmap(lambda *xs: tuple(_tensors(self.apply(xs))), randomness="same")
                return list(run(*stacked))

        both = [torch.stack(pair) for pair in zip(*expected, strict=True)]
        return self._same("vmap", mapped, both, "torch.func.vmap", None)

    def _forward_mode(self, gradient: Tensors) -> Property:
        name = "forward-mode"
        tangents = [random_like(x, k + 200) for k, x in enumerate(self.points)]
        # torch leaves its functions unannotated.
        forward: Any = torch.autograd.forward_ad
        try:
            with forward.dual_level():
                duals = [forward.make_dual(x.clone(), v) for x, v in zip(self.points, tangents, strict=True)]
                outs = self.apply(duals)
                moved = [forward.unpack_dual(outs[i]).tangent for i in self.outputs]
        except Exception as error:
            return finding(name, False, f"{self.name}.jvp raises {said(error)}")
        ahead = [(u, t) for u, t in zip(self.seeds, moved, strict=True) if t is not None]
        back = list(zip(gradient, tangents, strict=True))
        gap = abs(_inner(ahead) - _inner(back))
        size = sum(float((a.abs() * b.abs()).sum()) for a, b in [*ahead, *back])
        if gap <= _allowed(self.eps) * size or np.isnan(gap):
            return finding(name, True)
        text = (
            f"{self.name}.jvp contradicts its backward: u · Jv is {_inner(ahead):.6g} by forward mode "
            f"and {_inner(back):.6g} by reverse mode"
        )
        by = (f"u · Jv by {self.name}.jvp", _inner(ahead)), (f"u · Jv by {self.name}.backward", _inner(back))
        return finding(name, False, text, compared=by, at="the same product in forward and in reverse mode")

    def _same(
        self,
        name: str,
        run: Callable[[], Tensors],
        expected: Tensors,
        words: str,
        points: Tensors | None,
        seeds: Tensors | None = None,
    ) -> Property:
        """Compare; differences within the effect of roundoff at ``points``, if given, count as equal."""
        try:
            got = run()
        except Exception as error:
            return finding(name, False, f"{self.name} with {words} raises {said(error)}")
        text = f"{self.name} returns different values for {words}"
        if len(got) != len(expected):
            return finding(name, False, text)
        apart = [
            k for k, pair in enumerate(zip(got, expected, strict=True)) if not alike(*pair, eps=self.eps)
        ]
        noise = [0.0] * len(got)
        if apart and points is not None:
            noise = self._noise(points, self.seeds if seeds is None else seeds, expected)
            apart = [
                k
                for k in apart
                if got[k].shape != expected[k].shape
                or not ((got[k] - expected[k]).abs() <= 64 * noise[k]).all()
            ]
        if not apart:
            return finding(name, True)
        if points is not None and all(
            noise[k] > _allowed(self.eps) * _largest(to_numpy(expected[k]))
            or not expected[k].isfinite().all()
            for k in apart
        ):
            # The deviation of equal numbers is rounding or zero, and dividing by it gives anything or nan.
            text = f"at the values tried, rounding decides what {self.name} gives"
            return finding(name, None, f"not tried: {text}")
        return finding(
            name,
            False,
            text,
            compared=_farthest(got, expected, apart, words),
            at=self._label(apart[0], expected),
        )

    def _label(self, k: int, results: Tensors) -> str:
        """Name the result number k of a run: its outputs, its gradients, or the ones and then the others."""
        outs = len(results) - len(self.wanted)
        if len(results) == len(self.outputs) and len(self.outputs) != len(self.wanted):
            outs = len(results)
        return (
            f"output {self.outputs[k]}"
            if k < outs
            else f"the gradient of {self.argument(self.wanted[k - outs])}"
        )

    def _noise(self, points: Tensors, seeds: Tensors, expected: Tensors) -> list[float]:
        """Return how far roundoff in the arguments moves each result; results that cancel are noise."""
        worst = [0.0] * len(expected)
        for k in range(REPEATS):
            moved = [x * (1 + 2 * self.eps * random_like(x.abs(), k)) for x in points]
            try:
                run = self.forward(moved, _contiguous)
                results = [*run.values(), *run.pull(seeds)][-len(expected) :]
            except Exception:
                # Undefined next to the point, so this one does not show the noise.
                continue
            for i, (a, b) in enumerate(zip(results, expected, strict=True)):
                worst[i] = max(worst[i], _largest(to_numpy(a - b)))
        return worst


@dataclass(eq=False)
class FunctionRun:
    """A call that was made: its leaves, the arguments made of them, and its differentiable outputs."""

    leaves: Tensors
    given: Tensors
    before: list[tuple[Any, torch.Tensor]]
    outs: Tensors
    #: Whether the last gradients had None among them.
    missing: bool = False

    def values(self) -> Tensors:
        """The outputs' values."""
        return [o.detach().clone() for o in self.outs]

    def pull(self, seeds: Tensors, *, only: int | None = None, batched: bool = False) -> Tensors:
        """Return the gradients at the leaves, zeros for None; ``only`` is the one output with a cotangent."""
        # A backward that writes into its cotangents must not affect those of the next way.
        own = [seed.clone() if seed.is_contiguous() and not seed.is_conj() else seed for seed in seeds]
        outs = self.outs if only is None else [self.outs[only]]
        return self.gradients(outs, own, batched=batched)

    def gradients(self, outs: Tensors, seeds: Tensors, *, batched: bool = False) -> Tensors:
        """Return the gradients for these very cotangents."""
        found = torch.autograd.grad(
            outs, self.leaves, seeds, retain_graph=True, allow_unused=True, is_grads_batched=batched
        )
        self.missing = any(g is None for g in found)
        shape = (len(seeds[0]),) if batched else ()
        return [
            torch.zeros((*shape, *x.shape), dtype=x.dtype, device=x.device) if g is None else g
            for x, g in zip(self.leaves, found, strict=True)
        ]


def overridden(kind: type[Any], method: str) -> bool:
    """Whether a Function has a static method of its own."""
    return getattr(kind, method, None) is not getattr(torch.autograd.Function, method, None)


# -- arrangements in memory ------------------------------------------------------------------------


def _contiguous(x: torch.Tensor) -> torch.Tensor:
    return x.clone(memory_format=torch.contiguous_format)


def _spread(x: torch.Tensor) -> torch.Tensor:
    """Put the axes in reverse order, and other numbers between the entries: it cannot be viewed as flat."""
    backwards = tuple(reversed(range(x.ndim)))
    turned = x.permute(backwards)
    gapped = torch.stack([turned, turned.detach() + 1], dim=-1)[..., 0]
    return gapped.permute(backwards)


def _shared(x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Let a tensor share the memory of the first of ``rows``, with other numbers behind it.

    A kernel that does not look at strides reads, or writes, as many entries as a contiguous tensor has. Then
    it gets wrong numbers, but does not touch foreign memory: a crashed process is not a test result.
    """
    memory = torch.cat([rows[:1], rows[1:] + 1])
    return memory[0].reshape((1,) * (x.ndim - memory[0].ndim) + memory[0].shape).expand(x.shape)


def _expanded(x: torch.Tensor) -> torch.Tensor:
    """Let all rows share the memory of the first."""
    return _shared(x, x) if x.ndim and len(x) else x


def _broadcast(x: torch.Tensor) -> torch.Tensor:
    """Let all entries share the memory of the first, as the backward of a sum does."""
    return _shared(x, x.reshape(-1)) if x.numel() else x


def _conjugated(x: torch.Tensor) -> torch.Tensor:
    """Mark the tensor as the conjugate of what lies in its memory."""
    return x.conj().resolve_conj().conj() if x.is_complex() else x


#: Arrangements by name, and whether they repeat entries: then tensors of the same entries are compared with.
INPUT_WAYS = (
    ("non-contiguous", _spread, False),
    ("expanded", _expanded, True),
    ("conjugated", _conjugated, False),
)
COTANGENT_WAYS = (
    ("non-contiguous", _spread, False),
    ("expanded", _broadcast, True),
    ("conjugated", _conjugated, False),
)


def _as_before(x: torch.Tensor, arranged: torch.Tensor) -> bool:
    """Whether an arrangement changed nothing, as for a single number."""
    return arranged.is_contiguous() and arranged.is_conj() == x.is_conj()


# -- comparing -------------------------------------------------------------------------------------


def _allowed(eps: float) -> float:
    """Return the relative difference that another order of summation may make."""
    return float(np.sqrt(eps))


def close(a: Any, b: Any, eps: float) -> bool:
    """Whether two arrays are equal up to another order of summation."""
    if np.array_equal(a, b):
        return True
    bar = _allowed(eps) * max(_largest(a), _largest(b))
    return bool(np.allclose(a, b, rtol=0.0, atol=bar, equal_nan=True))


def alike(a: torch.Tensor, b: torch.Tensor, eps: float) -> bool:
    """Whether two tensors are; see `close`."""
    return a.shape == b.shape and close(to_numpy(a), to_numpy(b), eps)


def _farthest(
    got: Tensors, expected: Tensors, apart: Sequence[int], words: str
) -> tuple[tuple[str, complex], ...]:
    """Return the entry in which two runs differ most, for both; empty if their shapes differ."""
    some, other = to_numpy(expected[apart[0]]), to_numpy(got[apart[0]])
    if some.shape != other.shape or not some.size:
        return ()
    gap = np.abs(some - other).ravel()
    k = int(np.argmax(np.where(np.isnan(gap), np.inf, gap)))
    return ("as usual", some.ravel()[k].item()), (f"with {words}", other.ravel()[k].item())


def _in_double(value: Any) -> Any:
    """Return a floating tensor in double precision, and anything else as it is."""
    if not isinstance(value, torch.Tensor) or not (value.is_floating_point() or value.is_complex()):
        return value
    return value.to(torch.complex128 if value.is_complex() else torch.float64)


def _largest(x: Any) -> float:
    """Return the largest finite magnitude of an array; zero without any."""
    return float(np.abs(x[np.isfinite(x)]).max(initial=0.0))


def identical(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors hold the same numbers, nan among them; torch.equal knows no complex half."""
    left, right = to_numpy(a), to_numpy(b)
    return np.array_equal(left, right) or np.array_equal(left, right, equal_nan=True)


def random_like(x: torch.Tensor, k: int) -> torch.Tensor:
    """Return signed numbers away from zero, the same for the same shape and k."""
    rng = np.random.default_rng(k)

    def draw() -> Any:
        return np.asarray(rng.choice([-1.0, 1.0], x.shape) * rng.uniform(0.5, 1.5, x.shape))

    values = draw() + 1j * draw() if x.is_complex() else draw()
    return torch.from_numpy(np.asarray(values)).to(device=x.device, dtype=x.dtype)


def _inner(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Return the real inner product of lists of tensors: torch's convention for complex gradients."""
    return float(sum(float(np.real(np.vdot(to_numpy(a), to_numpy(b)))) for a, b in pairs))


def _tensors(values: Sequence[Any]) -> Tensors:
    return [v for v in values if isinstance(v, torch.Tensor)]


def said(error: Exception) -> str:
    """Return the first line of an exception, with its kind."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
