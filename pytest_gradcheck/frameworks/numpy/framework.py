"""NumPy and plain Python as a framework: no gradients of their own, and they run on the reference engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.base import Framework, FunctionAtPoint, Lowering
from pytest_gradcheck.frameworks.pullback import Program


class NumpyFramework(Framework):
    """NumPy arrays, NumPy scalars and Python floats and complex numbers."""

    name = "numpy"

    def owns(self, value: Any) -> bool:
        """Whether a value is a number or an array; see `Framework.owns`."""
        return isinstance(value, np.ndarray | np.generic | float | complex)

    def lower(self, function: FunctionAtPoint, *, hold_stops: bool = False) -> Lowering:
        """Return the function itself: NumPy's functions dispatch to the engine; see `Framework.lower`."""

        def run(*leaves: Any) -> Sequence[Any]:
            return function.call(leaves, double=True)

        return Lowering(Program(run, function.inputs, function.outputs))
