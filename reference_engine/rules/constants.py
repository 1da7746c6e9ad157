"""NumPy's functions without a derivative to follow: their results do not vary, or are not numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.definitions import values_of
from reference_engine.dispatch import FUNCTIONS
from reference_engine.rules.elementwise import constant

__all__ = ["CONSTANT", "PLAIN"]

CONSTANT: tuple[Callable[..., Any], ...] = (
    np.argmax, np.argmin, np.argsort, np.argpartition, np.nanargmax, np.nanargmin, np.argwhere, np.nonzero,
    np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize, np.lexsort,
    np.all, np.any, np.isclose, np.isreal, np.iscomplex, np.isneginf, np.isposinf, np.isin,
    np.packbits, np.unpackbits,
)  # fmt: skip
"""Functions whose results (indices, counts, truth values) do not vary with small changes."""

PLAIN: tuple[Callable[..., Any], ...] = (
    np.ndim, np.shape, np.size, np.result_type, np.can_cast, np.min_scalar_type, np.common_type,
    np.iscomplexobj, np.isrealobj, np.shares_memory, np.may_share_memory,
    np.allclose, np.array_equal, np.array_equiv, np.array2string, np.array_repr, np.array_str,
    np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.ix_,
    np.unravel_index, np.ravel_multi_index, np.einsum_path,
)  # fmt: skip
"""Functions that return plain objects: shapes, dtypes, booleans, text, indices made from shapes."""


def _plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: function(
        *values_of(args), **{key: values_of(value) for key, value in kwargs.items()}
    )


for _function in CONSTANT:
    FUNCTIONS[_function] = constant(_function)
for _function in PLAIN:
    FUNCTIONS[_function] = _plainly(_function)
