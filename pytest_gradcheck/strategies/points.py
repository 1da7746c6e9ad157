"""Strategies for one input: a float, or an array of any framework."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.frameworks.base import Framework
from pytest_gradcheck.strategies import validation
from pytest_gradcheck.strategies.dtypes import COMPONENTS, must_be_of
from pytest_gradcheck.strategies.sizes import ShapeLike, checked_shape, draw_shape
from pytest_gradcheck.strategies.tables import Range, distinct
from pytest_gradcheck.strategies.values import draw_from, draw_kind, draw_recipe, draw_values

if TYPE_CHECKING:
    import torch
    from hypothesis.internal.conjecture.data import ConjectureData
    from numpy.typing import NDArray

T = TypeVar("T")


class Entries(NamedTuple):
    """How the entries of a point are drawn: the arguments of `arrays` by the same names."""

    min_value: float | None = None
    max_value: float | None = None
    elements: st.SearchStrategy[Any] | None = None
    unique: bool = False
    special: bool | Iterable[str] = True


_ANY = Entries()


def arrays(
    shape: ShapeLike = None,
    dtype: Any = np.float64,
    *,
    min_value: float | None = None,
    max_value: float | None = None,
    elements: st.SearchStrategy[Any] | None = None,
    unique: bool = False,
    special: bool | Iterable[str] = True,
    layout: str | None = None,
    library: str = "numpy",
) -> st.SearchStrategy[Any]:
    """Return a strategy for arrays of a floating dtype, from NumPy or another library.

    Parameters
    ----------
    shape
        An int, a tuple of ints, a strategy for tuples, or names: ``"n k"`` has the same ``n`` and ``k`` as
        every other shape of the example that names them. Strings are as in jaxtyping: ``"*batch n 3"``,
        ``"n+1"``, ``"..."``. By default one or two dimensions of 1 to 4.
    dtype
        float16, float32, float64, complex64 or complex128, in any form that NumPy accepts, or a list of
        several.
    min_value, max_value
        Bounds that values may reach. The check never evaluates the function outside of them. They bound
        the real and the imaginary part of complex numbers. Without bounds most values lie within ±10.
    elements
        A strategy for single entries, instead of bounds.
    unique
        Whether all entries of an array differ (for complex numbers: their real parts).
    special
        Names of the special features that points may have; True for all, False for none. ``"zeros"``: one, a
        row, all. ``"negative_zeros"``: -0.0. ``"ties"``: at the largest or smallest entry, equal rows or
        columns, all equal, the same few numbers in all inputs. ``"signs"``: all negative or positive.
        ``"bounds"``: an entry at a bound, or at ±1. ``"tiny"``: 1e-4 to 1e-300, as far as the dtype allows.
        ``"large"``: 1e2 to 1e8 and mixed scales, within the bounds. ``"layouts"``. If a bound is zero, a
        third of the points have features and the others have none.
    layout
        ``"contiguous"``, ``"fortran"``, ``"strided"`` (every second entry) or ``"reversed"`` (the last axis
        backwards in memory). By default most arrays are contiguous; the others have one of these layouts.
    library
        ``"numpy"``, ``"torch"``, ``"jax"`` or the name of another installed framework. As JAX does unless
        ``jax_enable_x64`` is set, its arrays become float32 instead of float64 and complex64 instead of
        complex128. They are always contiguous. A library is imported when the first array is drawn.

    About half of the entries are spread evenly over the bounds, or over ±10 where there are none. Values are
    finite, and shrink towards zeros and small whole numbers in contiguous memory. Arrays are writeable.
    Arrays of more than 64 entries are made from about twenty choices, whatever their size.

    Raises `pytest_gradcheck.InvalidArgument` for arguments that do not fit together.
    """
    checked_library(library)
    entries = Entries(min_value, max_value, elements, unique, special)
    return points(library, shape, dtype, entries, layout=layout)


def tensors(
    shape: ShapeLike = None,
    dtype: Any = "float64",
    *,
    min_value: float | None = None,
    max_value: float | None = None,
    elements: st.SearchStrategy[Any] | None = None,
    unique: bool = False,
    special: bool | Iterable[str] = True,
    layout: str | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> st.SearchStrategy[torch.Tensor]:
    """Return a strategy for torch tensors of a floating dtype.

    ``dtype`` is a torch dtype or its name, or a list of several; bfloat16 is accepted too. ``layout`` is
    ``"contiguous"``, ``"fortran"``, ``"strided"`` or ``"expanded"`` (the first row repeated with a stride of
    0). ``device`` is the CPU by default. If any input has ``requires_grad``, those without it are constants
    of the check. Everything else is as in `arrays`. torch is imported when the first tensor is drawn.
    """
    must_be_installed("tensors", "torch")
    validation.checked_flag("requires_grad", requires_grad)
    if device is not None and not isinstance(device, str) and type(device).__name__ != "device":
        raise InvalidArgument("device", repr(device), 'give a torch device or its name, such as "cuda"')
    entries = Entries(min_value, max_value, elements, unique, special)
    options = {"device": device, "requires_grad": requires_grad}
    return points("torch", shape, dtype, entries, layout=layout, **options)


def points(
    library: str,
    shape: ShapeLike = None,
    dtype: Any = "float64",
    entries: Entries = _ANY,
    *,
    layout: str | None = None,
    **options: Any,
) -> st.SearchStrategy[Any]:
    """Return a strategy for arrays of an installed framework; see `arrays`.

    ``options`` are passed to `Framework.from_drawn`.
    """
    framework = registry.named(library)
    for each in dtype if isinstance(dtype, list | tuple) else (dtype,):
        must_be_of(each, library)
    names = validation.checked_dtypes(dtype, framework.drawn_dtypes)
    call = validation.call_text(
        framework.plural, shape, names, entries._asdict() | {"layout": layout} | options
    )
    made = {names: Point(shape, names, entries)}
    domain = made[names].domain
    layouts = tuple(framework.drawn_layouts.values())
    if layout is not None and layout not in layouts:
        remedy = f"use one of {', '.join(layouts)}, or None for any"
        raise InvalidArgument("layout", repr(layout), remedy)

    def build(data: ConjectureData) -> Any:
        # The library's settings may narrow a dtype, and may change after the strategy was made.
        settled = tuple(map(framework.dtype_drawn, names))
        if settled not in made:
            made[settled] = Point(shape, settled, entries)
        array, drawn_dtype, drawn = made[settled].draw(data)
        in_memory = layout or framework.drawn_layouts.get(drawn, "contiguous")
        return framework.from_drawn(array, drawn_dtype, in_memory, **options)

    return _PointStrategy(call, domain, build)


def scalars(
    min_value: float | None = None,
    max_value: float | None = None,
    *,
    special: bool | Iterable[str] = True,
    library: str | None = None,
) -> st.SearchStrategy[Any]:
    """Return a strategy for Python floats, with bounds and values as in `arrays`.

    With ``library`` they are arrays of that library of shape ``()``, of float64 (with ``"jax"`` of float32,
    unless JAX is configured for float64).
    """
    entries = Entries(min_value, max_value, special=special)
    if library is not None:
        checked_library(library)
        return points(library, (), "float64", entries)
    call = validation.call_text("scalars", None, ("float64",), entries._asdict())
    point = Point((), ("float64",), entries)
    return _ScalarStrategy(call, point.domain, lambda data: float(point.draw(data)[0]))


def domain_of(strategy: st.SearchStrategy[Any]) -> tuple[float, float] | None:
    """Return the bounds given to a strategy, as ``(lower, upper)`` with ±inf for a missing one.

    None if no bound is known: without ``min_value`` and ``max_value``, and for strategies from elsewhere
    (``map`` may move values out of the bounds, and a collection has no single pair of them). ``filter`` keeps
    the bounds.
    """
    inner = getattr(strategy, "filtered_strategy", None)
    while inner is not None:
        strategy, inner = inner, getattr(inner, "filtered_strategy", None)
    return strategy.domain if isinstance(strategy, Bounded) else None


def checked_library(library: Any) -> Framework:
    """Return the framework of a library whose arrays can be drawn; raises `InvalidArgument` for any other."""
    if library in registry.names():
        must_be_installed("library", library)
        framework = registry.named(library)
        if framework.drawn_dtypes:
            return framework
    raise InvalidArgument("library", repr(library), f"use one of {', '.join(registry.names())}")


def must_be_installed(argument: str, library: str) -> None:
    """Raise `InvalidArgument` if a library is not installed, without importing it."""
    if importlib.util.find_spec(library) is None:
        remedy = f"install it: pip install 'pytest-gradcheck[{library}]'"
        raise InvalidArgument(argument, f"an environment without {library}", remedy)


class Bounded(st.SearchStrategy[T]):
    """A strategy with known bounds, whose values a function builds from the example's choices.

    Subclasses differ in name only: Hypothesis uses the name to see which parts of an example are alike.
    """

    def __init__(self, call: str, domain: tuple[float, float] | None, build: Callable[[ConjectureData], T]):
        super().__init__()
        self._call, self.domain, self._build = call, domain, build

    def __repr__(self) -> str:
        return self._call

    def do_draw(self, data: ConjectureData) -> T:
        """Draw a value."""
        return self._build(data)


class _PointStrategy(Bounded[Any]):
    """Arrays of a framework."""


class _ScalarStrategy(Bounded[float]):
    """Python floats."""


class Point:
    """What is drawn for any library: shape, dtype and numbers. Arguments are validated on construction."""

    def __init__(self, shape: ShapeLike, dtypes: tuple[str, ...], entries: Entries):
        low, high, elements, unique, special = entries
        self._shape = checked_shape(shape)
        self._unique = validation.checked_flag("unique", unique)
        self._special = validation.checked_special(special)
        self._elements = validation.checked_elements(elements, low, high)
        bounds = [validation.Bounds.checked(low, high, COMPONENTS[dtype], dtype) for dtype in dtypes]
        self._kinds = [(dtype, of_dtype.within) for dtype, of_dtype in zip(dtypes, bounds, strict=True)]
        self.domain = bounds[0].domain
        if self._unique and self._elements is None and isinstance(self._shape, tuple):
            for kind in self._kinds:
                _check_room(*kind, math.prod(self._shape))

    def draw(self, data: ConjectureData) -> tuple[NDArray[Any], str, str]:
        """Draw a contiguous array, the name of its dtype, and the layout that it should get."""
        shape = draw_shape(data, self._shape)
        dtype, within = draw_kind(data, self._kinds) if len(self._kinds) > 1 else self._kinds[0]
        recipe = draw_recipe(data, self._special)
        # NumPy has no bfloat16, whose values are some of those of float32.
        stored = "float32" if dtype == "bfloat16" else dtype
        values: NDArray[Any]
        if self._elements is not None:
            entries = hnp.arrays(np.dtype(stored), shape, elements=self._elements, unique=self._unique)
            return data.draw(entries), dtype, recipe.layout
        if self._unique:
            _check_room(dtype, within, math.prod(shape))
            values = draw_from(data, distinct(within, math.prod(shape)), shape)
        else:
            values = draw_values(data, shape, within, recipe, self._special)
        if dtype.startswith("complex"):
            values = values + 1j * draw_values(data, shape, within, recipe, self._special)
        return values.astype(stored), dtype, recipe.layout


def _check_room(dtype: str, within: Range, count: int) -> None:
    room = len(distinct(within, count))
    if room < count:
        got = f"{count} entries from {room} short {dtype} values in [{within.low!r}, {within.high!r}]"
        raise InvalidArgument("unique", got, "take a smaller shape, wider bounds or elements=...")
