"""How each primitive is computed on proven numbers: one row per primitive, by family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.balls.numbers import over_arrays
from reference_engine.balls.rules import arrays, linalg, special
from reference_engine.balls.rules import elementwise as of_numbers
from reference_engine.primitives import Primitive

__all__ = ["rule_of"]

#: Primitives of these packages are what their names say. Those of users may be called anything.
KNOWN = ("numpy", "_operator", "scipy", "reference_engine.", "pytest_gradcheck.frameworks.")

_SCIPY = "scipy.special."


def _with_params(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **params: Any) -> Any:
        return np.frompyfunc(lambda *numbers: function(*numbers, **params), len(args), 1)(*args)

    return call


def _several(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        return np.frompyfunc(function, len(args), count)(*args)

    return call


_ROWS: dict[str, Callable[..., Any]] = {
    **{name: over_arrays(function) for name, function in special.NUMBERS_OF_FRAMEWORKS.items()},
    **{name: over_arrays(function) for name, function in of_numbers.NUMBERS.items()},
    **{_SCIPY + name: over_arrays(f) for name, f in special.NUMBERS_OF_SCIPY.items()},
    **{_SCIPY + name: _several(*row) for name, row in special.SEVERAL.items()},
    **{name: _with_params(f) for name, f in (of_numbers.PARAMETRIC | special.PARAMETRIC).items()},
    **arrays.ARRAYS,
    **linalg.MATRICES,
}
#: A lowering has an i0 without a parameter.
_I0_OF_FRAMEWORKS = over_arrays(special.NUMBERS_OF_FRAMEWORKS["i0"])


def rule_of(primitive: Primitive) -> Callable[..., Any] | None:
    """The computation of a primitive on numbers, `rule(recorded, *arrays, **params)`; None without one."""
    name, forward = primitive.name, primitive.forward
    module = (
        "numpy" if isinstance(forward, np.ufunc) else str(getattr(forward, "__module__", None) or "numpy")
    )
    if not module.startswith(KNOWN):
        return None
    if name.startswith(_SCIPY):
        # Names of ufuncs may begin with an underscore that a primitive's name has not.
        found = _ROWS.get(name) or _ROWS.get(f"{_SCIPY}_{name.removeprefix(_SCIPY)}")
    elif name in arrays.AS_THEY_ARE:
        found = forward
    elif name in linalg.BY_RESULT:
        return linalg.BY_RESULT[name]
    elif name == "i0" and not module.startswith("reference_engine"):
        found = _I0_OF_FRAMEWORKS
    else:
        found = _ROWS.get(name)
    if found is None:
        return None
    return lambda recorded, *args, **params: found(*args, **params)
