"""The ufuncs of scipy.special, by name: only callers need scipy, the engine does not.

Functions of scipy.special that are not ufuncs (softmax, logsumexp) do not dispatch: `reference_engine.scipy`
has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import conj, from_partial
from reference_engine.dispatch import UFUNCS, UFUNCS_BY_NAME
from reference_engine.primitives import Primitive, Rule
from reference_engine.rules.elementwise import constant
from reference_engine.rules.special import (
    bessel,
    distributions,
    elementary,
    elliptic,
    error_functions,
    gamma,
    hypergeometric,
    incomplete_gamma,
    orthogonal,
)
from reference_engine.rules.special.common import Row, RowEntry
from reference_engine.rules.special.gamma import polygamma

__all__ = ["SPECIAL", "polygamma"]

SPECIAL: dict[str, Row] = {
    **error_functions.TABLE,
    **elementary.TABLE,
    **gamma.TABLE,
    **incomplete_gamma.TABLE,
    **distributions.TABLE,
    **bessel.TABLE,
    **elliptic.TABLE,
    **hypergeometric.TABLE,
    **orthogonal.TABLE,
}
"""Derivatives of scipy.special's ufuncs by name; None for an argument without one."""


def _over_outputs(partial: Callable[..., Any]) -> Rule:
    """The rule of a function of several outputs from their derivatives with respect to one argument."""

    def rule(cotangents: Any, result: Any, *args: Any) -> Any:
        slopes = partial(result, *args)
        return sum(c * conj(slope) for c, slope in zip(cotangents, slopes, strict=True) if c is not None)

    return rule


def _rule(partial: RowEntry, several: bool) -> Rule | None:
    if partial is None:
        return None
    return _over_outputs(partial) if several else from_partial(partial)


def _maker(name: str, row: Row) -> Callable[[np.ufunc], Callable[..., Any]]:
    def make(ufunc: np.ufunc) -> Callable[..., Any]:
        several = ufunc.nout > 1
        rules = [_rule(partial, several) for partial in row]
        return Primitive(f"scipy.special.{name.lstrip('_')}", ufunc, rules, outputs=several)

    return make


for _name, _row in SPECIAL.items():
    UFUNCS_BY_NAME[_name] = _maker(_name, _row)

# The same functions as NumPy's, under the same names.
for _ufunc in (np.cbrt, np.exp2, np.expm1, np.log1p):
    UFUNCS_BY_NAME[_ufunc.__name__] = lambda ufunc, same=_ufunc: UFUNCS[same]  # type: ignore[misc]  # a default that binds
UFUNCS_BY_NAME["round"] = constant
