"""Many points of a torch function in one call, as long as that gives what single calls give.

`torch.func.vmap` runs the function once on tensors with an axis more, which the function does not see. What
it cannot do it refuses: control flow that depends on values, ``item``, NumPy, writes into tensors that are
not batched, random numbers. The rest is compared with single calls, at some points of every batch.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_gradcheck.frameworks.flat import is_rounding
from pytest_gradcheck.frameworks.leaves import to_numpy

if TYPE_CHECKING:
    from pytest_gradcheck.function.problem import Problem

Points = np.ndarray[Any, np.dtype[np.float64]]

#: So few points cost less one by one: a call with an axis more takes five times as long, and is compared.
FEW = 8

#: Points of the first batch at which the function is called by itself too: the first one, and others.
SAMPLED = 3


class Batch:
    """Evaluates a problem at many points at a time; ``refused`` says why not, None while it does.

    It does not hold the problem, which holds it: a cycle keeps the inputs' memory until it is collected.
    """

    def __init__(self, problem: Problem):
        self.refused = None if problem.batchable else "not a torch function that repeats itself"
        self._rng = np.random.default_rng(problem.seed)
        self._tried = False

    def __call__(self, problem: Problem, points: Points) -> tuple[Points, int] | None:
        """Return the values, shape ``(points, outputs.size)``, and the number of calls; None for one by one.

        The last call is always a single one: whatever the function keeps of a call (a module its activations)
        it keeps of that.
        """
        if self.refused is not None or len(points) < FEW:
            return None
        try:
            # The point itself goes first, to see by how much a value moves that is computed in this way.
            together = _together(problem, points)
        except Exception as error:
            self.refused = f"{type(error).__name__}: {error}"
            return None
        here, values = together[0], together[1:]
        sample = self._sample(points)
        single = np.stack([problem.value, *(problem.evaluate(points[k]) for k in sample)])
        many = together[[0, *(k + 1 for k in sample)]]
        if not np.array_equal(many, single) and not all(
            is_rounding(problem.outputs, *pair, problem.eps) for pair in zip(many, single, strict=True)
        ):
            self.refused = "the values differ from those of single calls"
            return None
        moved = problem.value - here
        if moved.any():
            values += np.where(np.isfinite(moved), moved, 0.0)
        return values, 1 + len(sample)

    def _sample(self, points: Points) -> list[int]:
        """Choose points for single calls: of the first batch the first, and others, then one of each.

        A ladder begins with its widest step, so that the first point is a farthest one.
        """
        if self._tried:
            return [int(self._rng.integers(len(points)))]
        self._tried = True
        return [0, *(int(k) for k in self._rng.integers(1, len(points), SAMPLED - 1))]


def _together(problem: Problem, points: Points) -> Points:
    import torch

    from pytest_gradcheck.frameworks.torch.private import rules_only

    leaves = problem.many_values_at(points)

    with torch.no_grad(), warnings.catch_warnings(), rules_only(), _plain_functions():
        # Nobody asked for this call: that an operation has no rule for it is no concern of the user's.
        warnings.simplefilter("ignore")
        outs = _mapped(lambda values: problem.call(values, double=problem.double), leaves, 1 + len(points))
    return problem.outputs.join_many([to_numpy(out) for out in outs])


def _mapped(call: Callable[[list[Any]], list[Any]], leaves: list[Any], count: int) -> list[Any]:
    """Call on tensors with one axis more, of ``count`` entries, that it does not see.

    As `torch.func.vmap` does inside. To take the arguments and results apart, which are no containers here,
    takes that as long as a small function runs, and leaves cycles to the garbage collector.
    """
    import torch
    from torch._functorch import vmap

    vmap.lazy_load_decompositions()  # type: ignore[attr-defined]  # torch declares no more than torch.func.vmap
    functorch: Any = torch._C._functorch
    level = functorch._vmap_increment_nesting(count, "error")
    try:
        outs = call([functorch._add_batch_dim(leaf, 0, level) for leaf in leaves])
        return [functorch._remove_batch_dim(torch.as_tensor(out), level, count, 0) for out in outs]
    finally:
        functorch._vmap_decrement_nesting()


@contextlib.contextmanager
def _plain_functions() -> Iterator[None]:
    """Let every `autograd.Function` run its forward under `vmap`, as under ``no_grad`` it does without.

    torch refuses one without ``setup_context``, because its backward could not be called; nobody will.
    """
    import torch
    from torch._functorch.utils import enable_single_level_autograd_function

    right, here = torch._C._are_functorch_transforms_active, threading.get_ident()

    def transforms_active() -> bool:
        return threading.get_ident() != here and bool(right())

    torch._C._are_functorch_transforms_active = transforms_active
    try:
        with enable_single_level_autograd_function():
            yield
    finally:
        torch._C._are_functorch_transforms_active = right
