"""The proven derivative: the engine's recording in ball arithmetic, where the bound is a theorem.

The inputs and the constants are exactly the floats that they are; the derivative is that of the real function
that the recording describes. Whether the recording is the function is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
from pytest_gradcheck.frameworks.leaves import EPS64
from pytest_gradcheck.frameworks.pullback import Program, Pullback

#: So many digits are printed of a proven number.
DIGITS = 25


def prepare(recording: Pullback, at: Vector | None = None) -> ExactPullback:
    """Enclose the Jacobian of what the engine has recorded, at its point or another one.

    Raises:
        Unavailable: python-flint is not installed, an operation has no rule in ball arithmetic, or a choice
            turns on the last digits: a tie.
    """
    found = _enclosed(recording, at)
    return ExactPullback(recording, found, _rows(found.outputs, recording.program.outputs))


def _enclosed(recording: Pullback, at: Vector | None, *, twice: bool = False) -> Any:
    """Enclose a recording at its point or another one; see `prepare`."""
    try:
        from reference_engine.balls import NotProvenError, TiedError, enclose
    except ModuleNotFoundError:
        text = "python-flint is not installed (pip install 'pytest-gradcheck[exact]')"
        raise Unavailable(text) from None
    program = recording.program
    arrays = getattr(recording, "arrays", None)
    if arrays is None:
        raise Unavailable("the function has no recording")
    if at is not None:
        arrays = program.inputs.split(at)
    try:
        return enclose(program.run, arrays, _numbered(program.inputs), twice=twice)
    except TiedError as tie:
        raise Unavailable(f"a tie: {tie}") from tie
    except NotProvenError as reason:
        raise Unavailable(str(reason)) from reason


def _numbered(layout: Layout) -> list[Any]:
    """Return the numbers of the coordinates, in the shapes of the leaves; see `enclose`."""
    return layout.split(np.arange(layout.size, dtype=np.float64))


class ExactPullback(Pullback):
    """An enclosed Jacobian.

    What is returned are the floats next to the proven numbers, and their distances from the truth. ``notes``
    are those of the recording.
    """

    def __init__(self, recording: Pullback, enclosure: Any, rows: list[dict[int, Any]]):
        super().__init__(recording.program, recording.primal, EPS64, recording.notes)
        self._recording, self._enclosure, self._rows = recording, enclosure, rows
        self._bars: dict[bytes, Vector] = {}

    def vjp(self, cotangent: Vector) -> Vector:
        """Take the cotangent times the Jacobian, in balls; see `Pullback.vjp`."""
        from reference_engine.balls.numbers import distance, nearest

        balls = self.enclosed(cotangent)
        value = np.zeros(self.program.inputs.size)
        bars = np.zeros(self.program.inputs.size)
        for i, ball in balls.items():
            value[i] = nearest(ball)
            bars[i] = distance(ball, value[i])
        self._bars[value.tobytes()] = bars
        return value

    def rounding(self, gradients: Matrix) -> Matrix:
        """Return the proven distances of gradients from the truth, shape ``(…, inputs.size)``."""
        rows = np.reshape(gradients, (-1, self.program.inputs.size))
        bars = [
            self._bars.get(np.ascontiguousarray(row).tobytes(), np.full(row.shape, np.inf)) for row in rows
        ]
        return np.reshape(bars, np.shape(gradients))

    def enclosed(self, cotangent: Vector) -> dict[int, Any]:
        """Return the balls of ``cotangent · J`` by coordinate; what is not there is zero."""
        from reference_engine.balls.numbers import precision

        total: dict[int, Any] = {}
        with precision(512):
            for k in np.flatnonzero(cotangent):
                for i, ball in self._rows[k].items():
                    term = ball * float(cotangent[k])
                    total[i] = total[i] + term if i in total else term
        return total

    def digits(self, cotangent: Vector, coordinate: int) -> tuple[str, str]:
        """Return an entry of ``cotangent · J`` and its radius as decimal numbers; see `DIGITS`."""
        from reference_engine.balls.numbers import decimal

        ball = self.enclosed(cotangent).get(coordinate)
        return ("0", "0") if ball is None else decimal(ball, DIGITS)

    def primal_at(self, vector: Vector) -> Vector:
        """Replay the recording, in floats; see `Pullback.primal_at`."""
        return self._recording.primal_at(vector)

    def moved(self, vector: Vector) -> ExactPullback:
        """Enclose the Jacobian at another point; see `Pullback.moved`."""
        return prepare(self._recording, vector)

    def takes_the_same_way(self, vector: Vector) -> bool:
        """Whether the function makes the choices at another point that it makes here, by proven numbers."""
        try:
            there = self.moved(vector)
        except Unavailable:
            return False
        return bool(self._enclosure.took_the_same_way(there._enclosure))

    def second_order(self, cotangent: Vector) -> Pullback:
        """Enclose the recording with its second derivatives; see `Pullback.second_order`.

        Raises:
            Unavailable: as `prepare`, and an operation whose second derivative has no rule.
        """
        return SecondExactPullback.at(self._recording, None, cotangent)


class SecondExactPullback(ExactPullback):
    """The enclosed Jacobian of ``(x, u) → u · J(x)``: the Hessian along u, and the columns of J.

    The engine's second order gives the program and its values, and none of its derivatives.
    """

    first_order: Pullback

    @classmethod
    def at(cls, first: Pullback, vector: Vector | None, cotangent: Vector) -> SecondExactPullback:
        """Enclose what the engine has recorded at its point or another one, along a cotangent."""
        found = _enclosed(first, vector, twice=True)
        rows = _second_rows(found.outputs, first.program, cotangent)
        # The second order of the recording itself, which `primal_at` moves.
        self = cls(first.second_order(cotangent), found, rows)
        self.first_order = first
        return self

    def moved(self, vector: Vector) -> ExactPullback:
        """Enclose at another point and another cotangent; see `Pullback.moved`."""
        size = self.first_order.program.inputs.size
        return SecondExactPullback.at(self.first_order, vector[:size], vector[size:])

    def second_order(self, cotangent: Vector) -> Pullback:
        """Raise `Unavailable`."""
        raise Unavailable("third derivatives are not enclosed")


def _second_rows(outputs: Sequence[Any], program: Program, cotangent: Vector) -> list[dict[int, Any]]:
    """Return the slopes of each entry of ``u · J(x)``, with respect to x and then to u.

    Coordinates are real: of a complex leaf the real and the imaginary part, of outputs and inputs alike.
    """
    from reference_engine.balls.numbers import Jet, precision

    size = program.inputs.size
    found: list[dict[int, Any]] = [{} for _ in range(size)]
    with precision(512):
        for k, row in enumerate(_rows(outputs, program.outputs)):
            for i, slope in row.items():
                value, slopes = (slope.value, slope.slopes) if type(slope) is Jet else (slope, {})
                found[i][size + k] = value
                if not cotangent[k]:
                    continue
                for j, each in slopes.items():
                    term = each * float(cotangent[k])
                    found[i][j] = found[i][j] + term if j in found[i] else term
    return found


def _rows(outputs: Sequence[Any], layout: Layout) -> list[dict[int, Any]]:
    """Return the slopes of every real coordinate of the outputs."""
    from reference_engine.balls.numbers import Jet, imaginary, real

    rows: list[dict[int, Any]] = []
    for leaf, output in zip(layout.leaves, outputs, strict=True):
        for number in output.reshape(-1):
            for part in (real, imaginary) if leaf.is_complex else (real,):
                found = part(number)
                rows.append(dict(found.slopes) if type(found) is Jet else {})
    return rows
