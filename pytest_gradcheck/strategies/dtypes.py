"""Floating dtypes of points, by name, and rounding to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.registry import names

#: Real dtype of each component, by dtype name. All of their values are exact in float64.
COMPONENTS = {
    "float16": "float16",
    "bfloat16": "bfloat16",
    "float32": "float32",
    "float64": "float64",
    "complex64": "float32",
    "complex128": "float64",
}

_BFLOAT16_MAX = (2.0 - 2.0**-7) * 2.0**127


def must_be_of(dtype: Any, library: str) -> None:
    """Raise `InvalidArgument` for a dtype of a different library from that of the arrays it is for."""
    other = str(dtype).partition(".")[0]
    if other != library and other in names() and not isinstance(dtype, str):
        remedy = f'add library="{other}", or give the dtype by its name'
        raise InvalidArgument("dtype", f'{dtype} for library="{library}"', remedy)


def dtype_name(dtype: Any, allowed: tuple[str, ...]) -> str:
    """Return the name of a dtype given as a name, a type, a ``numpy.dtype`` or that of another library.

    Raises `InvalidArgument` for anything that is not one of the allowed floating dtypes.
    """
    choices = f"use one of {', '.join(allowed)}"
    library, _, name = str(dtype).rpartition(".")
    if library.partition(".")[0] not in names() and dtype != "bfloat16":
        if dtype is None:
            # numpy.dtype(None) is float64, which would hide a mistake.
            raise InvalidArgument("dtype", "None", choices)
        try:
            name = np.dtype(dtype).name
        except TypeError:
            raise InvalidArgument("dtype", repr(dtype), choices) from None
    if name in allowed:
        return name
    whole = name.startswith(("int", "uint", "bool"))
    # The name as written: whether NumPy knows it depends on the packages that are imported.
    got = repr(dtype) if isinstance(dtype, str) else name
    raise InvalidArgument("dtype", got, f"gradients need a floating dtype; {choices}" if whole else choices)


def largest(component: str) -> float:
    """Return the largest finite value of a real dtype."""
    return _BFLOAT16_MAX if component == "bfloat16" else float(np.finfo(component).max)


def rounded(values: NDArray[np.float64], component: str) -> NDArray[np.float64]:
    """Return float64 values, each rounded to the nearest value of a real dtype."""
    if component == "float64":
        return values
    if component == "bfloat16":
        bits = np.asarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
        # To nearest, ties to even, on the upper half of the bits of a float32.
        bits = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) & np.uint64(0xFFFF0000)
        return bits.astype(np.uint32).view(np.float32).astype(np.float64)
    with np.errstate(over="ignore"):
        return values.astype(component).astype(np.float64)


def rounded_up(value: float, component: str) -> float:
    """Return the smallest value of a real dtype that is not below ``value``."""
    nearest = float(rounded(np.array([value]), component)[0])
    if nearest >= value:
        return nearest
    if component == "bfloat16":
        upper = int(np.float32(nearest).view(np.uint32)) >> 16
        upper = 1 if nearest == 0.0 else upper + (1 if nearest > 0.0 else -1)
        return float(np.uint32(upper << 16).view(np.float32))
    kind = np.dtype(component).type
    return float(np.nextafter(kind(nearest), kind(np.inf)))


def rounded_down(value: float, component: str) -> float:
    """Return the largest value of a real dtype that is not above ``value``."""
    return -rounded_up(-value, component)
