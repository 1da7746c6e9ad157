"""Strategies for one input: a float, an array, a tensor."""

from __future__ import annotations

import importlib.util
import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_gradcheck.core.errors import InvalidArgument
from pytest_gradcheck.strategies.dtypes import COMPONENTS, NUMPY_NAMES, TORCH_NAMES, dtype_name, largest
from pytest_gradcheck.strategies.values import distinct, draw_distinct, draw_values, effective_range

if TYPE_CHECKING:
    import torch
    from hypothesis.internal.conjecture.data import ConjectureData
    from numpy.typing import NDArray

Shape = tuple[int, ...]
ShapeLike = int | Sequence[int] | st.SearchStrategy[Shape] | None
T = TypeVar("T")

_SHAPES = hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=4)


def arrays(
    shape: ShapeLike = None,
    dtype: Any = np.float64,
    *,
    min_value: float | None = None,
    max_value: float | None = None,
    elements: st.SearchStrategy[Any] | None = None,
    unique: bool = False,
) -> st.SearchStrategy[NDArray[Any]]:
    """Return a strategy for NumPy arrays of a floating dtype.

    Parameters
    ----------
    shape
        An int, a tuple of ints, or a strategy for tuples; by default one or two dimensions of 1 to 4.
    dtype
        float16, float32, float64, complex64 or complex128, as NumPy takes it.
    min_value, max_value
        Bounds that values may reach. The check never evaluates the function outside of them. They bound
        the real and the imaginary part of complex numbers. Without bounds values lie within ±10.
    elements
        A strategy for single entries, instead of bounds.
    unique
        Whether all entries of an array differ (for complex numbers: their real parts).

    Values are finite. Among them are zeros, ties, ones, small whole numbers, halves, ±1e-3 and the
    bounds; they shrink towards zeros and small whole numbers. Arrays are C-contiguous and writeable.

    Raises `pytest_gradcheck.InvalidArgument` for arguments that do not fit together.
    """
    name = dtype_name(dtype, NUMPY_NAMES)
    call = _call("arrays", shape, name, "float64", min_value, max_value, elements, unique)
    return _ArrayStrategy(call, shape, name, min_value, max_value, elements, unique)


def tensors(
    shape: ShapeLike = None,
    dtype: Any = "float64",
    *,
    min_value: float | None = None,
    max_value: float | None = None,
    elements: st.SearchStrategy[Any] | None = None,
    unique: bool = False,
) -> st.SearchStrategy[torch.Tensor]:
    """Return a strategy for torch tensors of a floating dtype, on the CPU, with ``requires_grad`` False.

    ``dtype`` is a torch dtype or its name; bfloat16 is one more of them. Everything else is as in
    `arrays`. torch is imported when the first tensor is drawn.
    """
    if importlib.util.find_spec("torch") is None:
        raise InvalidArgument(
            "tensors", "an environment without torch", "install it: pip install 'pytest-gradcheck[torch]'"
        )
    name = dtype_name(dtype, TORCH_NAMES)
    call = _call("tensors", shape, name, "float64", min_value, max_value, elements, unique)
    return _TensorStrategy(call, shape, name, min_value, max_value, elements, unique)


def scalars(min_value: float | None = None, max_value: float | None = None) -> st.SearchStrategy[float]:
    """Return a strategy for Python floats, with bounds and values as in `arrays`."""
    parts = [f"{k}={v!r}" for k, v in (("min_value", min_value), ("max_value", max_value)) if v is not None]
    return _ScalarStrategy(f"scalars({', '.join(parts)})", (), "float64", min_value, max_value, None, False)


def domain_of(strategy: st.SearchStrategy[Any]) -> tuple[float, float] | None:
    """Return the bounds given to a strategy, as ``(lower, upper)`` with ±inf for a missing one.

    None where no bound is known: without ``min_value`` and ``max_value``, and for a strategy that was
    not made by `arrays`, `tensors` or `scalars` (``map`` moves values out of the bounds; a collection
    has no single pair of them). ``filter`` keeps the bounds.
    """
    inner = getattr(strategy, "filtered_strategy", None)
    while inner is not None:
        strategy, inner = inner, getattr(inner, "filtered_strategy", None)
    return strategy.domain if isinstance(strategy, _PointStrategy) else None


class _PointStrategy(st.SearchStrategy[T]):
    """A strategy for points of one dtype; its arguments are checked when it is made."""

    def __init__(
        self,
        call: str,
        shape: ShapeLike,
        dtype: str,
        min_value: float | None,
        max_value: float | None,
        elements: st.SearchStrategy[Any] | None,
        unique: bool,
    ):
        super().__init__()
        self._call = call
        self._dtype = dtype
        self._component = COMPONENTS[dtype]
        self._shape = _checked_shape(shape)
        if not isinstance(unique, bool):
            raise InvalidArgument("unique", repr(unique), "give True or False")
        self._unique = unique
        self._elements = _checked_elements(elements, min_value, max_value)
        low = _checked_bound("min_value", min_value, self._component)
        high = _checked_bound("max_value", max_value, self._component)
        if low is not None and high is not None and low > high:
            raise InvalidArgument(
                "min_value", f"{min_value!r} above max_value={max_value!r}", "exchange them, or drop one"
            )
        self._low, self._high = effective_range(low, high, self._component)
        if self._low > self._high:
            raise InvalidArgument(
                "min_value, max_value",
                f"{min_value!r} and {max_value!r}, between which {dtype} has no value",
                "widen the bounds or take a finer dtype",
            )
        self.domain: tuple[float, float] | None = None
        if low is not None or high is not None:
            self.domain = (-math.inf if low is None else low, math.inf if high is None else high)
        if self._unique and self._elements is None and isinstance(self._shape, tuple):
            self._check_room(math.prod(self._shape))

    def __repr__(self) -> str:
        return self._call

    def _draw_array(self, data: ConjectureData) -> NDArray[Any]:
        """Draw an array of the dtype, or of float32 in place of bfloat16."""
        shape = self._shape if isinstance(self._shape, tuple) else _drawn_shape(data.draw(self._shape))
        stored = "float32" if self._dtype == "bfloat16" else self._dtype
        if self._elements is not None:
            drawn: NDArray[Any] = data.draw(
                hnp.arrays(np.dtype(stored), shape, elements=self._elements, unique=self._unique)
            )
            return drawn
        count = math.prod(shape)
        if self._unique:
            self._check_room(count)
        draw = draw_distinct if self._unique else draw_values
        values: NDArray[Any] = draw(data, count, self._low, self._high, self._component)
        if self._dtype.startswith("complex"):
            values = values + 1j * draw_values(data, count, self._low, self._high, self._component)
        return values.astype(stored).reshape(shape)

    def _check_room(self, count: int) -> None:
        room = len(distinct(self._low, self._high, self._component, count))
        if room < count:
            raise InvalidArgument(
                "unique",
                f"{count} entries from {room} short {self._dtype} values in [{self._low!r}, {self._high!r}]",
                "take a smaller shape, wider bounds or elements=...",
            )


class _ArrayStrategy(_PointStrategy["NDArray[Any]"]):
    def do_draw(self, data: ConjectureData) -> NDArray[Any]:
        return self._draw_array(data)


class _TensorStrategy(_PointStrategy["torch.Tensor"]):
    def do_draw(self, data: ConjectureData) -> torch.Tensor:
        import torch

        tensor = torch.from_numpy(self._draw_array(data))
        return tensor.to(torch.bfloat16) if self._dtype == "bfloat16" else tensor


class _ScalarStrategy(_PointStrategy[float]):
    def do_draw(self, data: ConjectureData) -> float:
        return float(self._draw_array(data))


# -- arguments -------------------------------------------------------------------------------------


def _call(
    name: str,
    shape: ShapeLike,
    dtype: str,
    default_dtype: str,
    min_value: float | None,
    max_value: float | None,
    elements: object,
    unique: bool,
) -> str:
    parts = [repr(shape)] if shape is not None else []
    if dtype != default_dtype:
        parts.append(repr(dtype) if parts else f"dtype={dtype!r}")
    for key, value in (("min_value", min_value), ("max_value", max_value), ("elements", elements)):
        if value is not None:
            parts.append(f"{key}={value!r}")
    if unique:
        parts.append("unique=True")
    return f"{name}({', '.join(parts)})"


def _checked_shape(shape: ShapeLike) -> Shape | st.SearchStrategy[Shape]:
    if shape is None:
        return _SHAPES
    if isinstance(shape, st.SearchStrategy):
        return shape
    sides: Any = (shape,) if isinstance(shape, numbers.Integral) else shape
    remedy = "give an int, a tuple of ints or a strategy for tuples of ints"
    if not isinstance(sides, tuple | list):
        raise InvalidArgument("shape", repr(shape), remedy)
    for side in sides:
        if isinstance(side, bool) or not isinstance(side, numbers.Integral):
            raise InvalidArgument("shape", repr(shape), remedy)
        if int(side) < 0:
            raise InvalidArgument("shape", repr(shape), "no side can be negative")
    return tuple(int(side) for side in sides)


def _drawn_shape(drawn: Any) -> Shape:
    shape = _checked_shape(drawn)
    if not isinstance(shape, tuple):
        raise InvalidArgument("shape", "a strategy for strategies", "give a strategy for tuples of ints")
    return shape


def _checked_bound(argument: str, value: Any, component: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidArgument(argument, repr(value), "give a real number, or None for no bound")
    try:
        bound = float(value)
    except OverflowError:
        bound = math.inf
    if not math.isfinite(bound):
        raise InvalidArgument(argument, repr(value), "give a finite number, or None for no bound")
    if abs(bound) > largest(component):
        raise InvalidArgument(
            argument, repr(value), f"{component} ends at {largest(component):.6g}; take a smaller bound"
        )
    return bound


def _checked_elements(elements: Any, min_value: Any, max_value: Any) -> st.SearchStrategy[Any] | None:
    if elements is None:
        return None
    if not isinstance(elements, st.SearchStrategy):
        raise InvalidArgument("elements", repr(elements), "give a strategy for single entries")
    if min_value is not None or max_value is not None:
        raise InvalidArgument(
            "elements", "a strategy beside min_value or max_value", "put the bounds into that strategy"
        )
    return elements
