"""Strategies for shapes and named sizes: within an example, each name stands for one number."""

from __future__ import annotations

import ast
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hypothesis import assume
from hypothesis import strategies as st

from pytest_gradcheck.errors import InvalidArgument

if TYPE_CHECKING:
    from hypothesis.internal.conjecture.data import ConjectureData

Shape = tuple[int, ...]
ShapeLike = int | str | Sequence[int] | st.SearchStrategy[Shape] | None

_MAX_SIDE = 4
_SIDES = st.integers(1, _MAX_SIDE)
_SOME_SIDES = st.lists(_SIDES, max_size=2).map(tuple)
_REMEDY = "use whole numbers, names, or sums and products of them"


def shapes(
    *, min_dims: int = 1, max_dims: int = 2, min_side: int = 1, max_side: int = _MAX_SIDE
) -> st.SearchStrategy[Shape]:
    """Return a strategy for shapes: tuples of ``min_dims`` to ``max_dims`` sides.

    Sides run from ``min_side`` to ``max_side``; 0 and 1 are drawn more often, since they break code that
    sums, divides or broadcasts. Shapes shrink towards fewer and smaller sides.

    Raises `pytest_gradcheck.InvalidArgument` for numbers below zero, or in the wrong order.
    """
    ranges: dict[str, tuple[Any, Any]] = {"dims": (min_dims, max_dims), "side": (min_side, max_side)}
    for what, ends in ranges.items():
        for name, value in zip((f"min_{what}", f"max_{what}"), ends, strict=True):
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
                raise InvalidArgument(name, repr(value), "give a whole number, zero or more")
    for what, (low, high) in ranges.items():
        if low > high:
            raise InvalidArgument(f"min_{what}", f"{low} above max_{what}={high}", "swap them")
    side = st.integers(min_side, max_side)
    if min_side <= 1 < max_side:
        # Among small sides one in three or four would be 1 anyway; among large ones hardly any.
        side = st.one_of(st.integers(min_side, 1), side, side)
    return st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple)


def size(name: str) -> st.SearchStrategy[int]:
    """Return a strategy for the number that a named size has in an example.

    ``size("k")`` is the ``k`` of every ``arrays("n k")`` in the same test. Use it where a number is needed
    rather than a shape: as an argument of a module, or for the range of indices. Sums and products work as
    well: ``size("2*k+1")``.

    Raises `pytest_gradcheck.InvalidArgument` for a text that is not such an expression.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidArgument("name", repr(name), 'give a name, such as "k"')
    return _expression(name.strip(), "name").map(lambda sides: sides[0])


def broadcastable(shape: ShapeLike) -> st.SearchStrategy[Shape]:
    """Return a strategy for shapes that broadcast to a shape, which may be symbolic.

    Each has the sides of ``shape``, or 1 in their places, and may omit leading ones. Two inputs
    ``arrays(broadcastable("n k"))`` broadcast against each other and against ``arrays("n k")``.

    Raises `pytest_gradcheck.InvalidArgument` for anything but a shape.
    """
    if shape is None:
        raise InvalidArgument("shape", "None", 'say to what it broadcasts, such as "n k" or (4, 3)')
    full = checked_shape(shape)

    @st.composite
    def broadcast(draw: st.DrawFn) -> Shape:
        sides = full if isinstance(full, tuple) else drawn_shape(draw(full))
        # Counted so that both shrink towards the full shape.
        kept = sides[draw(st.integers(0, len(sides))) :]
        return tuple(1 if draw(st.booleans()) else side for side in kept)

    return broadcast()


# -- symbolic shapes -------------------------------------------------------------------------------


def symbolic(dims: str, argument: str) -> st.SearchStrategy[Shape]:
    """Return a strategy for the shapes that a string such as ``"*batch n 3 n+1"`` describes.

    The strings are those of jaxtyping: numbers, names, ``*names`` for any number of sides, ``...``,
    ``_``, ``#name`` for a side that may be 1, ``rows=3``, and expressions. Raises `InvalidArgument` under
    the given argument name for anything else.
    """
    parts = [_dimension(token, argument) for token in dims.split()]

    @st.composite
    def drawn(draw: st.DrawFn) -> Shape:
        return tuple(side for part in parts for side in draw(part))

    return drawn()


def _dimension(token: str, argument: str) -> st.SearchStrategy[Shape]:
    """Return a strategy for the sides that one token of a symbolic shape stands for."""
    text = token.partition("=")[2] if token.partition("=")[0].isidentifier() and "=" in token else token
    if text == "...":
        return _SOME_SIDES
    flags = text[: len(text) - len(text.lstrip("#*?_"))]
    text = text[len(flags) :]
    if "_" in flags:
        return _SOME_SIDES if "*" in flags else st.tuples(_SIDES)
    if "*" in flags and text.isidentifier():
        sides = _shared(_SOME_SIDES, f"*{text}")
    else:
        sides = _expression(text, argument)
    if "#" in flags:
        return sides.flatmap(lambda full: st.sampled_from([full, (1,) * len(full)]))
    return sides


def _shared(strategy: st.SearchStrategy[Any], key: str) -> st.SearchStrategy[Any]:
    return st.shared(strategy, key=f"pytest_gradcheck size {key}")


def _named(name: str) -> st.SearchStrategy[int]:
    return _shared(_SIDES, name)


def _expression(text: str, argument: str) -> st.SearchStrategy[Shape]:
    """Return a strategy for the one side that a number, a name or an expression stands for."""
    if text.isdigit():
        return st.just((int(text),))
    if text.isidentifier():
        return st.tuples(_named(text))
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        raise InvalidArgument(argument, f"the size {text!r}", _REMEDY) from None
    operations = ast.Expression | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop
    if not all(isinstance(node, operations | ast.Name | ast.Load | ast.Constant) for node in ast.walk(tree)):
        raise InvalidArgument(argument, f"the size {text!r}", _REMEDY)
    names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
    code = compile(tree, text, "eval")

    @st.composite
    def sides(draw: st.DrawFn) -> Shape:
        side = eval(code, {"__builtins__": {}}, {key: draw(_named(key)) for key in names})
        assume(isinstance(side, int) and side >= 1)
        return (side,)

    return sides()


# -- validation ------------------------------------------------------------------------------------


def checked_shape(shape: ShapeLike) -> Shape | st.SearchStrategy[Shape]:
    """Return a shape as a tuple, or a strategy for shapes; raises `InvalidArgument` for anything else."""
    if shape is None:
        return shapes()
    if isinstance(shape, st.SearchStrategy):
        return shape
    if isinstance(shape, str):
        return symbolic(shape, "shape")
    sides: Any = (shape,) if isinstance(shape, numbers.Integral) else shape
    remedy = 'give an int, a tuple of ints, names such as "n k", or a strategy for tuples of ints'
    if not isinstance(sides, tuple | list):
        raise InvalidArgument("shape", repr(shape), remedy)
    for side in sides:
        if isinstance(side, bool) or not isinstance(side, numbers.Integral):
            raise InvalidArgument("shape", repr(shape), remedy)
        if int(side) < 0:
            raise InvalidArgument("shape", repr(shape), "no side can be negative")
    return tuple(int(side) for side in sides)


def draw_shape(data: ConjectureData, shape: Shape | st.SearchStrategy[Shape]) -> Shape:
    """Return a shape that `checked_shape` has returned, drawn if it is a strategy."""
    return shape if isinstance(shape, tuple) else drawn_shape(data.draw(shape))


def drawn_shape(drawn: Any) -> Shape:
    """Return a value drawn for a shape as a tuple; raises `InvalidArgument` if it is not a shape."""
    shape = checked_shape(drawn) if not isinstance(drawn, str) else drawn
    if not isinstance(shape, tuple):
        raise InvalidArgument("shape", repr(drawn), "give a strategy for tuples of ints")
    return shape
