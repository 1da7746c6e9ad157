"""Strategies for arrays with a structure: matrices, probabilities, indices, entries without ties."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.strategies.dtypes import COMPONENTS, must_be_of, rounded
from pytest_gradcheck.strategies.points import Bounded, checked_library
from pytest_gradcheck.strategies.sizes import Shape, ShapeLike, checked_shape, draw_shape
from pytest_gradcheck.strategies.tables import Range
from pytest_gradcheck.strategies.validation import Bounds, checked_dtypes, checked_number
from pytest_gradcheck.strategies.values import (
    SPECIAL,
    Values,
    draw_choices,
    draw_from,
    draw_kind,
    draw_recipe,
    draw_values,
)

if TYPE_CHECKING:
    from hypothesis.internal.conjecture.data import ConjectureData

_SPECIAL = frozenset(SPECIAL)

#: Gaps between entries without ties, coarsest first; the range without bounds has 21 to 20,001 such places.
_GAPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)

#: Share of the range of eigenvalues reserved for the gaps between them.
_APART = 0.25


def positive_definite(
    size: ShapeLike = None, *, condition: float = 100.0, dtype: Any = "float64", library: str = "numpy"
) -> st.SearchStrategy[Any]:
    """Return a strategy for symmetric positive definite matrices of shape ``(*batch, n, n)``.

    Parameters
    ----------
    size
        ``n``, after batch sizes if there are any: an int, names such as ``"*batch n"``, a tuple, or a
        strategy for tuples. By default 1 to 4.
    condition
        The largest ratio of two eigenvalues, which lie in [1, condition].
    dtype, library
        A real dtype; ``"numpy"`` or ``"torch"``.

    Two eigenvalues are exactly equal, or differ by at least ``(condition - 1) / (4 * (n - 1))``. Equal ones
    occur in diagonal matrices only, which represent them exactly; about one matrix in six has some. Neither
    eigenvectors nor single eigenvalues have a derivative there.

    The check moves single entries, so the matrix does not stay symmetric. A test of a function that reads one
    triangle only, such as a Cholesky factorisation, must pass it ``(a + a.T) / 2``; otherwise its derivative
    differs from what backwards return for symmetric matrices. All eigenvalues are at least 1, so no step of
    the differences makes a matrix indefinite. There is no domain.

    Shrinks towards the identity.
    """
    full = checked_shape(size if size is not None else st.tuples(st.integers(1, 4)))
    limit = checked_number("condition", condition, "give a number, one or more")
    if not 1.0 <= limit < math.inf:
        raise InvalidArgument("condition", repr(condition), "give a finite number, one or more")

    def build(data: ConjectureData) -> Values:
        *batch, n = draw_shape(data, full) or (1,)
        turned = _orthonormal(data, (*batch, n, n))
        # One entry per column: a permutation, with signs that the product loses.
        diagonal = (np.count_nonzero(turned, axis=(-2, -1)) == n) | (limit == 1.0)
        turned[diagonal] = np.rint(turned[diagonal]) if limit > 1.0 else np.eye(n)
        equal = diagonal & (draw_kind(data, ("any", "apart")) == "any")
        spectrum = _eigenvalues(data, (*batch, n), limit, equal)
        matrix = turned * spectrum[..., None, :] @ turned.swapaxes(-1, -2)
        symmetric: Values = (matrix + matrix.swapaxes(-1, -2)) / 2
        return symmetric

    given = {"condition": (condition, 100.0)}
    return _structured("positive_definite", size, build, _dtype(dtype, library), library, given)


def _eigenvalues(data: ConjectureData, shape: Shape, limit: float, equal: NDArray[np.bool_]) -> Values:
    """Draw eigenvalues in [1, limit], along the last axis: separated, unless they may be ``equal``.

    The rounding of the product ``Q diag(w) Qᵀ`` would split equal ones by 1e-16, which no difference can
    resolve. So they are equal in diagonal matrices only.
    """
    drawn = _numbers(data, shape, 1.0, limit)
    order = np.argsort(drawn, axis=-1, kind="stable")
    rising = np.take_along_axis(drawn, order, axis=-1)
    n = shape[-1]
    gap = (limit - 1.0) * _APART / max(n - 1, 1)
    apart = 1.0 + (rising - 1.0) * (1.0 - _APART) + gap * np.arange(n)
    for k in range(1, n):
        near = rising[..., k] - rising[..., k - 1] < gap
        rising[..., k] = np.where(near, rising[..., k - 1], rising[..., k])
    kept = np.where(equal[..., None], rising, np.minimum(apart, limit))
    out = np.empty_like(drawn)
    np.put_along_axis(out, order, kept, axis=-1)
    return out


def orthogonal(
    size: ShapeLike = None, *, dtype: Any = "float64", library: str = "numpy"
) -> st.SearchStrategy[Any]:
    """Return a strategy for matrices with orthonormal columns: rotations, reflections, permutations.

    ``size`` is ``n``, for a square matrix, or a shape ``(*batch, m, n)`` with ``m >= n``; names are as in
    `arrays`. After a step the matrix is no longer orthogonal, as in `positive_definite`; there is no domain.
    Shrinks towards the identity.
    """
    full = checked_shape(size if size is not None else st.tuples(st.integers(1, 4)))

    def build(data: ConjectureData) -> Values:
        shape = draw_shape(data, full)
        shape = (*shape, *shape) if len(shape) == 1 else shape
        if len(shape) < 2 or shape[-2] < shape[-1]:
            remedy = "give n, or a shape with as many rows as columns or more"
            raise InvalidArgument("size", repr(shape), remedy)
        return _orthonormal(data, shape)

    return _structured("orthogonal", size, build, _dtype(dtype, library), library, {})


def probabilities(
    shape: ShapeLike = None, *, min_value: float = 0.0, dtype: Any = "float64", library: str = "numpy"
) -> st.SearchStrategy[Any]:
    """Return a strategy for probabilities: numbers up to 1 whose sum along the last axis is 1.

    They are ``min_value`` or more. Among them are uniform ones, certainties (a single 1), zeros, ties and
    numbers near zero. The domain is ``[min_value, 1]``: steps of the check stay within it, but change the
    sum. Shapes are as in `arrays`. Shrinks towards uniform probabilities.
    """
    full = checked_shape(shape)
    low = checked_number("min_value", min_value, "give a probability")
    if not 0.0 <= low < 1.0:
        raise InvalidArgument("min_value", repr(min_value), "give a number from 0 to below 1")
    if isinstance(full, tuple) and full:
        _check_room_for(low, full[-1])

    def build(data: ConjectureData) -> Values:
        drawn = draw_shape(data, full)
        if not drawn or drawn[-1] == 0:
            raise InvalidArgument("shape", repr(drawn), "give at least one axis, with one entry or more")
        _check_room_for(low, drawn[-1])
        values = _numbers(data, drawn, 0.0, 1.0)
        sums = values.sum(-1, keepdims=True)
        values = np.where(sums > 0.0, values / np.where(sums > 0.0, sums, 1.0), 1.0 / drawn[-1])
        out: Values = np.clip(low + (1.0 - drawn[-1] * low) * values, low, 1.0)
        return out

    given = {"min_value": (min_value, 0.0)}
    return _structured("probabilities", shape, build, _dtype(dtype, library), library, given, (low, 1.0))


def _check_room_for(low: float, count: int) -> None:
    if low * count > 1.0:
        raise InvalidArgument("min_value", f"{low!r} for {count} entries", f"give at most {1.0 / count:.3g}")


def distinct(
    shape: ShapeLike = None,
    *,
    gap: float | None = None,
    min_value: float | None = None,
    max_value: float | None = None,
    dtype: Any = "float64",
    library: str = "numpy",
) -> st.SearchStrategy[Any]:
    """Return a strategy for arrays without ties: any two entries are at least ``gap`` apart.

    For functions without a derivative at ties: maxima, medians, sorting, ranks. Entries are whole multiples
    of the gap, within the bounds (which become the domain) or within ±10. By default the gap is the largest
    of 1, 0.5, 0.25, … 0.001 that leaves four places per entry; these are for a range of 20 and scale with it.
    Differences take steps of 1e-2 of an entry and less, so they do not step over a gap that large.
    """
    return _apart(shape, gap, (min_value, max_value), dtype, library, rising=False)


def sorted_(
    shape: ShapeLike = None,
    *,
    gap: float | None = None,
    min_value: float | None = None,
    max_value: float | None = None,
    dtype: Any = "float64",
    library: str = "numpy",
) -> st.SearchStrategy[Any]:
    """Return a strategy for arrays that rise along the last axis, without ties, as in `distinct`."""
    return _apart(shape, gap, (min_value, max_value), dtype, library, rising=True)


def _apart(
    shape: ShapeLike, gap: float | None, ends: tuple[Any, Any], dtype: Any, library: str, *, rising: bool
) -> st.SearchStrategy[Any]:
    full = checked_shape(shape)
    dtype_name = _dtype(dtype, library)
    bounds = Bounds.checked(*ends, COMPONENTS[dtype_name], dtype_name)
    if gap is not None:
        gap = checked_number("gap", gap, "give a number above zero, or None")
        if not 0.0 < gap < math.inf:
            raise InvalidArgument("gap", repr(gap), "give a finite number above zero, or None")
    if isinstance(full, tuple):
        _places(bounds.within, gap, math.prod(full))

    def build(data: ConjectureData) -> Values:
        drawn = draw_shape(data, full)
        values = draw_from(data, _places(bounds.within, gap, math.prod(drawn)), drawn)
        return np.sort(values, axis=-1) if rising else values

    given = {"gap": (gap, None), "min_value": (ends[0], None), "max_value": (ends[1], None)}
    name = "sorted_" if rising else "distinct"
    return _structured(name, shape, build, dtype_name, library, given, bounds.domain)


def _places(within: Range, gap: float | None, count: int) -> Values:
    """Return the multiples of a gap within a range, simplest first: at least so many."""
    width = within.high - within.low
    if width == 0.0 and count <= 1:
        return np.array([within.low])
    for step in (gap,) if gap is not None else (g * width / 20.0 for g in _GAPS if width):
        first, last = math.ceil(within.low / step - 1e-9), math.floor(within.high / step + 1e-9)
        enough = count if gap is not None else 4 * count
        if last - first + 1 >= max(enough, 1):
            # 100,000 serve all sizes that the default gaps do; a fine gap needs no more.
            middle = min(max(0, first), last)
            wide = np.arange(max(first, middle - 50_000), min(last, middle + 50_000) + 1)
            ordered = sorted(wide.tolist(), key=lambda k: (abs(k), k < 0))
            values = np.array([float(f"{k * step:.12g}") for k in ordered])
            places = rounded(np.clip(values, within.low, within.high), within.component)
            if np.diff(np.sort(places)).min(initial=math.inf) >= step / 2 and len(places) >= count:
                return places
    got = f"{count} entries {'' if gap is None else f'{gap!r} apart '}in [{within.low!r}, {within.high!r}]"
    remedy = "take a smaller shape or gap, wider bounds or a finer dtype"
    raise InvalidArgument("shape" if gap is None else "gap", got, remedy)


def indices(
    shape: ShapeLike = None, *, into: int | st.SearchStrategy[int], library: str = "numpy"
) -> st.SearchStrategy[Any]:
    """Return a strategy for int64 arrays of indices, from 0 to below ``into``.

    ``into`` is an int or a strategy for one, such as ``size("n")`` next to ``arrays("n k")``. The arrays
    include repeated indices, a single index, and all indices in order or reversed. They are constants of the
    check. Shrinks towards zeros.
    """
    full = checked_shape(shape)
    if not isinstance(into, st.SearchStrategy):
        _checked_into(into)
    checked_library(library)

    def build(data: ConjectureData) -> NDArray[np.int64]:
        drawn = draw_shape(data, full)
        limit = _checked_into(data.draw(into) if isinstance(into, st.SearchStrategy) else into)
        count = math.prod(drawn)
        kind = draw_kind(data, ("drawn", "drawn", "drawn", "same", "rising", "falling"))
        picked = draw_choices(data, count) * limit >> 16
        if kind == "same":
            picked[:] = picked[:1]
        elif kind != "drawn":
            picked = np.arange(count) % limit
        return (picked[::-1] if kind == "falling" else picked).astype(np.int64).reshape(drawn)

    return _structured("indices", shape, build, "int64", library, {"into": (into, None)})


def _checked_into(into: Any) -> int:
    if isinstance(into, bool) or not isinstance(into, numbers.Integral) or not 0 < int(into) <= 1 << 16:
        raise InvalidArgument("into", repr(into), 'give an int from 1 to 65,536, or size("n")')
    return int(into)


# -- common parts ----------------------------------------------------------------------------------


class _Structured(Bounded[Any]):
    """Arrays of a framework with a structure."""


def _structured(
    name: str,
    shape: ShapeLike,
    build: Callable[[ConjectureData], NDArray[Any]],
    dtype: str,
    library: str,
    given: Mapping[str, tuple[Any, Any]],
    domain: tuple[float, float] | None = None,
) -> st.SearchStrategy[Any]:
    """Return the strategy ``name`` for the arrays that ``build`` returns.

    ``given`` has the value and the default of each other argument: the repr has those that differ.
    """
    framework = checked_library(library)
    more = {"dtype": (dtype, "int64" if dtype == "int64" else "float64"), "library": (library, "numpy")}
    shown = [f"{key}={value!r}" for key, (value, default) in {**given, **more}.items() if value != default]
    call = f"{name}({', '.join([repr(shape)] * (shape is not None) + shown)})"
    return _Structured(call, domain, lambda data: framework.from_drawn(build(data), dtype, "contiguous"))


def _dtype(dtype: Any, library: Any) -> str:
    """Return the name of a real dtype of a library."""
    allowed = checked_library(library).drawn_dtypes
    must_be_of(dtype, library)
    return checked_dtypes((dtype,), tuple(name for name in allowed if not name.startswith("complex")))[0]


def _numbers(data: ConjectureData, shape: Shape, low: float, high: float) -> Values:
    recipe = draw_recipe(data, _SPECIAL)
    return draw_values(data, shape, Range.within(low, high, "float64"), recipe, _SPECIAL)


def _orthonormal(data: ConjectureData, shape: Shape) -> Values:
    """Draw matrices with orthonormal columns; the identity where all choices are zero."""
    permuted = draw_kind(data, ("drawn", "drawn", "drawn", "permutation")) == "permutation"
    drawn = _numbers(data, shape, -1.0, 1.0)
    eye = np.eye(shape[-2], shape[-1])
    if permuted:
        return eye[np.argsort(drawn[..., 0], axis=-1, kind="stable")]
    q, r = np.linalg.qr(drawn + 0.0)
    # Unique where the columns are independent: a positive diagonal of R, and the identity for zeros.
    signs = np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0.0, -1.0, 1.0)
    out: Values = np.where(drawn.any((-2, -1), keepdims=True), q * signs[..., None, :], eye) + 0.0
    return out
