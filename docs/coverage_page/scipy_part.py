"""The sections on scipy: the ufuncs of scipy.special, and what reference_engine.scipy has."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import scipy.special

from docs.coverage_page import reasons
from docs.coverage_page.markdown import by_reason, code, folded, match, table
from docs.coverage_page.numpy_part import split
from reference_engine.dispatch import UFUNCS_BY_NAME
from reference_engine.rules.special import SPECIAL

__all__ = ["is_answered", "mirrors", "sections"]


def sections() -> list[str]:
    """The lines of these sections."""
    return [*_ufuncs(), *_functions()]


def is_answered(ufunc: np.ufunc) -> bool:
    """Whether a ufunc of scipy.special takes Tensors."""
    return ufunc.__name__ in UFUNCS_BY_NAME


def _ufuncs() -> list[str]:
    whole, partly = [], []
    for name, row in SPECIAL.items():
        # Of some functions in Python scipy keeps the ufunc to itself.
        public = name.lstrip("_")
        if None in row:
            names, by, without = split(row, row, 1)
            partly.append([f"`{public}({', '.join(names)})`", code(by), code(without)])
        else:
            whole.append(public)
    ufuncs = {name: f for name, f in vars(scipy.special).items() if isinstance(f, np.ufunc)}
    others = [name for name, ufunc in ufuncs.items() if is_answered(ufunc) and name not in SPECIAL]
    missing = [name for name, ufunc in ufuncs.items() if not is_answered(ufunc)]
    match("ufunc of scipy.special", missing, reasons.UFUNCS_NO_RULE)
    return [
        "## scipy.special",
        "",
        "The ufuncs of `scipy.special` accept Tensors. The engine itself does not need scipy.",
        "",
        *folded(
            f"{len(whole)} ufuncs with a derivative with respect to every argument", [code(sorted(whole)), ""]
        ),
        *folded(f"{len(others)} aliases of these or of NumPy's ufuncs", [code(sorted(others)), ""]),
        *folded(
            f"{len(partly)} ufuncs with a derivative with respect to some arguments",
            [
                "The other arguments are integers, or no closed form is known.",
                "",
                *table(["function", "derivative", "no derivative"], sorted(partly)),
            ],
        ),
        *folded(
            f"{len(missing)} ufuncs without a rule",
            table(["reason", "ufuncs"], by_reason(missing, reasons.UFUNCS_NO_RULE)),
        ),
    ]


def mirrors() -> dict[str, Any]:
    """What reference_engine.scipy has, by module."""
    if importlib.util.find_spec("reference_engine.scipy") is None:
        return {}
    return {
        name: importlib.import_module(f"reference_engine.scipy.{name}").MIRROR
        for name in ("linalg", "special")
        if importlib.util.find_spec(f"reference_engine.scipy.{name}")
    }


def _functions() -> list[str]:
    lines = []
    for module, mirror in mirrors().items():
        real = importlib.import_module(f"scipy.{module}")
        values = {name: getattr(real, name) for name in mirror.names()}
        functions = [n for n, f in values.items() if callable(f) and not isinstance(f, type | np.ufunc)]
        known = {**reasons.FUNCTIONS_NO_RULE[module], **mirror.undefined}
        missing = [n for n in functions if n not in mirror.functions and n not in mirror.dispatching]
        match(f"function of scipy.{module}", missing, known)
        lines += [
            f"## Other functions of scipy.{module}",
            "",
            "scipy converts the arguments of these functions to arrays. That would remove a Tensor from",
            f"the graph. `reference_engine.scipy.{module}` has them, for Tensors and arrays.",
            "",
            *folded(f"{len(mirror.functions)} functions", [code(sorted(mirror.functions)), ""]),
        ]
        if mirror.dispatching:
            lines += [
                f"Accept Tensors, because they only call ufuncs: {code(sorted(mirror.dispatching))}.",
                "",
            ]
        lines += folded(
            f"{len(missing)} functions without a rule",
            table(["reason", "functions"], by_reason(missing, known)),
        )
    return lines
