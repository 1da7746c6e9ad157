"""Deliberately wrong gradients, for testing a checker."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.registry import imported

__all__ = ["FAULTS", "corrupt"]

Gradients = Sequence[Any]
Fault = Callable[[Gradients], Gradients]


def corrupt(fn: Callable[..., Any], fault: str | Fault) -> Callable[..., Any]:
    """Give a function a wrong backward under torch autograd; its values do not change.

    Parameters
    ----------
    fn
        A function of torch tensors, or of NumPy arrays or floats, in any nesting.
    fault
        A name from ``FAULTS``, or a function from the right gradients (one tensor per tensor input, in
        order) to wrong ones of the same shapes.

    Returns
    -------
    Callable
        A function that is called like ``fn``. With plain floats or arrays, and on the reference engine, it is
        ``fn`` itself.
    """
    if not callable(fn):
        raise InvalidArgument("fn", repr(fn), "give a function")
    if isinstance(fault, str) and fault not in FAULTS:
        raise InvalidArgument("fault", repr(fault), f"the faults are {', '.join(FAULTS)}")
    chosen = FAULTS[fault] if isinstance(fault, str) else fault
    if not callable(chosen):
        raise InvalidArgument("fault", repr(fault), "give a name or a function of the gradients")

    @functools.wraps(fn)
    def corrupted(*args: Any, **kwargs: Any) -> Any:
        for framework in imported():
            value = framework.corrupted_call(fn, args, kwargs, chosen)
            if value is not NotImplemented:
                return value
        return fn(*args, **kwargs)

    return corrupted


# -- faults: from the right gradients to wrong ones -------------------------------------------------


def _each(change: Callable[[Any], Any]) -> Fault:
    return lambda gradients: [change(g) for g in gradients]


def _at_largest(change: Callable[[Any], Any]) -> Fault:
    """Change the one entry, of all inputs, that is largest in magnitude."""

    def fault(gradients: Gradients) -> Gradients:
        sizes = [float(g.detach().abs().max()) if g.numel() else -1.0 for g in gradients]
        k = sizes.index(max(sizes))
        target = gradients[k]
        flat = target.reshape(-1)
        hit = flat.new_zeros(flat.shape).bool()
        hit[int(flat.detach().abs().argmax())] = True
        changed = change(flat).where(hit, flat).reshape(target.shape)
        return [*gradients[:k], changed, *gradients[k + 1 :]]

    return fault


#: Faults by name, each from the right gradients to wrong ones: all of a gradient times minus one, two, 1.01,
#: 1.001 or zero; nan; a hundredth of the largest entry added to each; the largest entry alone off by a
#: hundredth, or zero; its entries in reverse order; a matrix transposed; no gradient with respect to the
#: second input.
FAULTS: dict[str, Fault] = {
    "sign": _each(lambda g: -g),
    "double": _each(lambda g: 2 * g),
    "percent": _each(lambda g: 1.01 * g),
    "permille": _each(lambda g: 1.001 * g),
    "zero": _each(lambda g: 0 * g),
    "nan": _each(lambda g: g * float("nan")),
    "offset": _each(lambda g: g + g.abs().max() / 100 if g.numel() else g),
    "entry-percent": _at_largest(lambda g: 1.01 * g),
    "entry-zero": _at_largest(lambda g: 0 * g),
    "reversed": _each(lambda g: g.reshape(-1).flip(0).reshape(g.shape)),
    "transposed": _each(lambda g: g.T if g.ndim == 2 and g.shape[0] == g.shape[1] else g),
    "second-input": lambda gradients: [g * 0 if k == 1 else g for k, g in enumerate(gradients)],
}
