"""The section that compares with HIPS autograd."""

from __future__ import annotations

import numpy as np

from docs.coverage_page import hips, reasons
from docs.coverage_page.markdown import code, table
from docs.coverage_page.numpy_part import kind_of
from docs.coverage_page.scipy_part import is_answered, mirrors

__all__ = ["sections"]


def _where(name: str, function: object) -> str:
    """Where the counterpart of a function of autograd.scipy is."""
    module, _, last = name.rpartition(".")
    mirror = mirrors().get(module)
    if (isinstance(function, np.ufunc) and is_answered(function)) or (mirror and last in mirror.dispatching):
        return "scipy's own on Tensors"
    return f"`reference_engine.scipy.{module}`" if mirror and last in mirror.functions else "none"


def sections() -> list[str]:
    """The lines of this section.

    Errors: ValueError for a function of NumPy that autograd knows and no table of the engine holds.
    """
    functions, constant = hips.differentiable(), hips.constant()
    taken = {name: function for name, function in functions.items() if name not in hips.HELPERS}
    answered = {name for name, function in {**taken, **constant}.items() if kind_of(function)}
    if rest := {*taken, *constant} - answered - set(reasons.NO_ARRAY):
        raise ValueError(f"autograd knows what no table of the engine holds: {', '.join(sorted(rest))}")
    theirs: dict[str, list[str]] = {}
    for name, function in hips.of_scipy().items():
        theirs.setdefault(_where(name, function), []).append(name)
    rules = {
        "rules": str(len(functions)),
        "of these, its own helpers": f"{len(hips.HELPERS)}: {code(hips.HELPERS)}",
        "of these, functions of NumPy": str(len(taken)),
        "of the latter, with a rule here": str(len(answered & set(taken))),
        "functions treated as constant": str(len(constant)),
        "of these, constant here": "all; the fill value of `full_like` keeps its derivative",
    }
    return [
        "## Comparison with HIPS autograd",
        "",
        "Plain `numpy` on Tensors can differentiate everything that `autograd.numpy` can, except the calls",
        "below. A test calls every function in autograd's registry in both libraries and compares values,",
        "first and second derivatives.",
        "",
        *table(["autograd.numpy", "number"], rules.items()),
        *table(
            ["call", "why it does not work", "instead"],
            ([f"`{call}`", *row] for call, row in hips.INSTEAD.items()),
        ),
        *table(
            ["`autograd.scipy`, counterpart", "functions"],
            ([where, code(names)] for where, names in sorted(theirs.items())),
        ),
    ]
