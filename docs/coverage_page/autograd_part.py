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
        "its own helpers among them": f"{len(hips.HELPERS)}: {code(hips.HELPERS)}",
        "functions of NumPy among them": str(len(taken)),
        "of these, with a rule here": str(len(answered & set(taken))),
        "functions that it takes as constant": str(len(constant)),
        "of these, constant here": "all; the fill value of `full_like` keeps its derivative",
    }
    return [
        "## Against HIPS autograd",
        "",
        "Whatever `autograd.numpy` can differentiate, plain `numpy` on Tensors can, but for the calls below.",
        "A test walks through autograd's own register, calls every function in both, and compares values,",
        "first and second derivatives.",
        "",
        *table(["autograd.numpy", ""], rules.items()),
        *table(
            ["call", "why plain NumPy cannot", "instead"],
            ([f"`{call}`", *row] for call, row in hips.INSTEAD.items()),
        ),
        *table(
            ["`autograd.scipy`, counterpart", "functions"],
            ([where, code(names)] for where, names in sorted(theirs.items())),
        ),
    ]
