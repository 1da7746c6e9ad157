"""How a row's calls are drawn: values, dtypes, memory layouts, shapes and keywords."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.special
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

import reference_engine as engine
from pytest_gradcheck import arrays

Shapes = st.SearchStrategy[tuple[tuple[int, ...], ...]]
Keywords = Callable[[tuple[tuple[int, ...], ...]], st.SearchStrategy[dict[str, Any]]]

# ---------------------------------------------------------------------------- calls

LAYOUTS = ("C", "F", "strided", "reversed", "broadcast", "read-only")
"""How an argument may lie in memory; `laid_out` makes it so."""


class Call:
    """A function with its keywords, and how `laid_out` is to lay out each of its arguments."""

    def __init__(
        self, name: str, function: Callable[..., Any], keywords: dict[str, Any], layouts: Sequence[str]
    ):
        self.name, self.function, self.keywords, self.layouts = name, function, keywords, layouts

    def __call__(self, *args: Any) -> Any:
        return self.function(*args, **self.keywords)

    def __repr__(self) -> str:
        said = ", ".join(f"{key}={value!r}" for key, value in self.keywords.items())
        return f"<{self.name}({said}) of arguments that are {', '.join(self.layouts)}>"


class Case(NamedTuple):
    call: Call
    args: tuple[Any, ...]


def laid_out(x: Any, layout: str) -> Any:
    """An array of the same values, dtype and shape that lies in memory in another way."""
    if layout == "broadcast":
        return np.broadcast_to(x[:1].copy(), x.shape)
    made = np.empty_like(x, order="F" if layout == "F" else "C")
    if layout == "strided":
        made = np.repeat(made, 2, axis=-1)[..., ::2]
    elif layout == "reversed":
        made = made[::-1]
    made[...] = x
    made.flags.writeable = layout != "read-only"
    return made


# ---------------------------------------------------------------------------- values

REAL = ("float64", "float32")
COMPLEX = ("complex128", "complex64")
ALL = REAL + COMPLEX


@dataclass(frozen=True)
class Values:
    """What an argument is: numbers between bounds (so are real and imaginary parts), and what is added.

    ``signed`` draws one sign for all of them; ``diagonal`` is added along the main diagonal of matrices.
    """

    low: float
    high: float
    unique: bool = False
    signed: bool = False
    offset: float = 0.0
    diagonal: tuple[float, ...] = ()
    dtypes: tuple[str, ...] | None = None


ANY = Values(-3, 3)
SMALL = Values(-1, 1)
POSITIVE = Values(0.25, 3)
AWAY = Values(0.25, 3, signed=True)  # from zero
INNER = Values(-0.9, 0.9)
UNIT = Values(0.05, 0.95)
ABOVE_ONE = Values(1.1, 4)
DISTINCT = Values(-3, 3, unique=True)
BETWEEN = Values(-3, 3, offset=0.137)  # off the whole numbers and halves, where piecewise functions jump
REGULAR = Values(-1, 1, diagonal=(4, 4, 4, 4))  # diagonally dominant
#: Layouts are drawn here; second derivatives at kinks say nothing, and there are few examples of each row.
FEATURES = ("ties", "bounds")
SPREAD = Values(-0.6, 0.6, diagonal=(4, 8, 12, 16))  # singular values and eigenvalues far apart


@st.composite
def cases(
    draw: Any, name: str, function: Callable[..., Any], values: Sequence[Values], shapes: Shapes,
    keywords: Keywords, dtypes: tuple[str, ...],
) -> Case:  # fmt: skip
    sides = draw(shapes)
    common = draw(st.sampled_from(dtypes))
    args, layouts = [], []
    for side, spec in zip(sides, values, strict=True):
        # One argument in four has a dtype of its own.
        own = spec.dtypes or (dtypes if len(sides) > 1 and draw(st.integers(0, 3)) == 3 else (common,))
        layout = draw(st.sampled_from(LAYOUTS)) if side else "C"
        if layout == "broadcast" and (spec.unique or spec.diagonal or 0 in side):
            layout = "F"
        x = draw(
            arrays(
                side,
                draw(st.sampled_from(own)),
                min_value=spec.low,
                max_value=spec.high,
                unique=spec.unique,
                special=FEATURES,
            )
        )
        if spec.signed and draw(st.booleans()):
            x = -x
        if spec.offset:
            x = x + x.dtype.type(spec.offset)
        for i in range(min(side[-2:]) if spec.diagonal else 0):
            x[..., i, i] += spec.diagonal[i]
        args.append(laid_out(x, layout).copy())
        layouts.append(layout)
    return Case(Call(name, function, draw(keywords(sides)), layouts), tuple(args))


@st.composite
def cases_near(
    draw: Any, name: str, function: Callable[..., Any], points: Sequence[tuple[Any, ...]],
    places: Sequence[int],
) -> Case:  # fmt: skip
    """Calls within four percent of known points; only the arguments at ``places`` have a derivative."""
    usual = [p for p in points if all(0 < abs(x) < 8 for x in p)] or list(points)
    point = draw(st.sampled_from(usual))
    dtype = "complex128" if any(isinstance(x, complex) for x in point) else draw(st.sampled_from(REAL))
    args, layouts = [], []
    for side in draw(together(len(places))):
        layouts.append(draw(st.sampled_from(LAYOUTS)) if side else "C")
        x = 1 + draw(arrays(side, dtype, min_value=-0.04, max_value=0.04))
        args.append(laid_out(x * x.dtype.type(point[places[len(args)]]), layouts[-1]).copy())
    # Python's integers would follow the others into float32, and scipy takes no count there.
    fixed = {i: np.int64(x) if type(x) is int else x for i, x in enumerate(point) if i not in places}

    def call(*inputs: Any, fixed: dict[int, Any]) -> Any:
        given = iter(inputs)
        return function(*(fixed[i] if i in fixed else next(given) for i in range(len(point))))

    return Case(Call(name, call, {"fixed": fixed}, layouts), tuple(args))


# ---------------------------------------------------------------------------- shapes


def one(least: int = 0, most: int = 3, *, side: int = 1, longest: int = 3) -> Shapes:
    """One array of so many dimensions, each of at least ``side``."""
    some = array_shapes(min_dims=max(least, 1), max_dims=most, min_side=side, max_side=longest)
    return (some if least else st.just(()) | some).map(lambda shape: (shape,))


def together(count: int) -> Shapes:
    """So many arrays that broadcast, size-1 and missing dimensions among them."""
    return mutually_broadcastable_shapes(num_shapes=count, max_dims=2, max_side=3).map(
        lambda s: s.input_shapes
    )


def alike(count: int, least: int = 1, most: int = 2) -> Shapes:
    """So many arrays of one shape."""
    return array_shapes(min_dims=least, max_dims=most, min_side=1, max_side=3).map(lambda s: (s,) * count)


def of(*choices: Any) -> Shapes:
    """One of these tuples of shapes."""
    return st.sampled_from([c if c and isinstance(c[0], tuple) else (c,) for c in choices])


LINE = one(1, 1)
SQUARE = of((1, 1), (2, 2), (3, 3), (2, 2, 2), (1, 3, 3))
TALL_AND_WIDE = of((3, 3), (3, 2), (2, 3), (1, 1), (2, 3, 2), (3, 1))
STACKED = of((2, 3), (3, 2), (1, 3), (2, 3, 2))

# ---------------------------------------------------------------------------- keywords


def nothing(shapes: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.just({})


def choice(**options: Sequence[Any]) -> Keywords:
    """Each keyword is one of these."""
    return lambda shapes: st.fixed_dictionaries(
        {key: st.sampled_from(list(value)) for key, value in options.items()}
    )


def some(**options: Sequence[Any]) -> Keywords:
    """Each keyword is one of these, or left out."""
    return lambda shapes: st.fixed_dictionaries(
        {}, optional={key: st.sampled_from(list(value)) for key, value in options.items()}
    )


def axis(shapes: Any) -> st.SearchStrategy[dict[str, Any]]:
    """``axis``: one, from the front or the back."""
    n = len(shapes[0])
    return st.fixed_dictionaries({"axis": st.integers(-n, n - 1)}) if n else st.just({})


def axis_or_none(shapes: Any) -> st.SearchStrategy[dict[str, Any]]:
    return axis(shapes) | st.just({"axis": None})


@st.composite
def _several_axes(draw: Any, n: int) -> dict[str, Any]:
    chosen = draw(st.permutations(range(n)))[: draw(st.integers(1, n))]
    return {"axis": tuple(a - n if draw(st.booleans()) else a for a in chosen)}


def axes(shapes: Any) -> st.SearchStrategy[dict[str, Any]]:
    """``axis``: None, one, or several."""
    n = len(shapes[0])
    return axis_or_none(shapes) | _several_axes(n) if n else st.just({"axis": None})


def kept(shapes: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.booleans().map(lambda keep: {"keepdims": keep})


def both(*keywords: Keywords) -> Keywords:
    """The keywords of all of these."""

    @st.composite
    def merged(draw: Any, shapes: Any) -> dict[str, Any]:
        return {key: value for part in keywords for key, value in draw(part(shapes)).items()}

    return merged


def indices(name: str) -> Keywords:
    """Positions along the last axis of the first argument, repeated ones and negative ones among them."""

    def drawn(shapes: Any) -> st.SearchStrategy[dict[str, Any]]:
        n = shapes[0][-1]
        return st.fixed_dictionaries({name: st.lists(st.integers(-n, n - 1), min_size=1, max_size=4)})

    return drawn


def masks(name: str) -> Keywords:
    """A mask of the first argument's shape that holds at least once."""

    def drawn(shapes: Any) -> st.SearchStrategy[dict[str, Any]]:
        count = int(np.prod(shapes[0]))
        marks = st.lists(st.booleans(), min_size=count, max_size=count)
        return marks.map(lambda found: {name: np.array([True, *found[1:]]).reshape(shapes[0])})

    return drawn


REDUCED = both(axes, kept)

# ---------------------------------------------------------------------------- the register

Register = dict[str, st.SearchStrategy[Case]]
ROWS: Register = {}
HALF_PRECISION: Register = {}
"""Rows in float16, whose roundoff is as large as the error that is looked for elsewhere."""


def named(name: str) -> Callable[..., Any]:
    """NumPy's function (or a ufunc's method) of that name, scipy's under "special.", or the engine's own."""
    if name.startswith("special."):
        return getattr(scipy.special, name.removeprefix("special."))
    if "." not in name and name in engine.__all__:
        return on_arrays(getattr(engine, name))
    return functools.reduce(getattr, name.split("."), np)


def on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """One of the engine's own functions, which gives arrays for arrays, as NumPy's do."""

    def call(*args: Any, **keywords: Any) -> Any:
        result = function(*args, **keywords)
        traced = any(isinstance(x, engine.Tensor) for x in args)
        return result if traced or not isinstance(result, engine.Tensor) else result.data

    return call


def put(
    names: str, *values: Values, function: Callable[..., Any] | None = None, shapes: Shapes | None = None,
    keywords: Keywords = nothing, dtypes: tuple[str, ...] = REAL, register: Register = ROWS,
) -> None:  # fmt: skip
    """Enter rows of one kind.

    ``function`` takes NumPy's function first, where its arguments need arranging.
    """
    if shapes is None:
        shapes = one() if len(values) == 1 else together(len(values))
    for name in names.split():
        own = named(name) if name not in OPERATORS else None
        drawn = cases(
            name, own if function is None else functools.partial(function, own),
            values, shapes, keywords, dtypes,
        )  # fmt: skip
        register[name] = register[name] | drawn if name in register else drawn


OPERATORS = ("getitem",)


def listed(f: Any, *args: Any, **keywords: Any) -> Any:
    """A function that takes its arrays in a list."""
    return f(list(args), **keywords)


def changed(f: Any, x: Any, *args: Any, **keywords: Any) -> Any:
    """What a function that writes into its argument makes of a copy."""
    copy = np.copy(x)
    f(copy, *args, **keywords)
    return copy


def hermitian(x: Any) -> Any:
    """A Hermitian matrix with eigenvalues far apart from a square one."""
    return (x + np.conjugate(np.swapaxes(x, -1, -2))) / 2


def squared(x: Any) -> Any:
    """|x|², which is the same whatever the phase of an eigenvector."""
    return np.real(x) ** 2 + np.imag(x) ** 2
