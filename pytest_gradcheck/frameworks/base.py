"""What a framework offers: arrays of a kind of its own, functions of them, and their derivatives.

NumPy, torch and JAX are frameworks. The rest of the package knows them by this protocol alone, through
`registry`. What a framework does not offer keeps the default below and is not used.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pytest_gradcheck.errors import Unavailable

if TYPE_CHECKING:
    import numpy as np

    from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
    from pytest_gradcheck.frameworks.pullback import Program, Pullback

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class HandWritten:
    """A gradient written by hand, and how far a check ran it.

    ``name`` is the dotted name of a function or class, or that of a custom operation (``"mine::square"``);
    ``line`` and ``backward_line``, from 1, are of ``path``. ``ran`` has some of ``"forward"``, ``"backward"``
    and ``"double-backward"``.
    """

    name: str
    path: str | None
    line: int | None
    backward_line: int | None
    ran: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "name": self.name,
            "path": self.path,
            "line": self.line,
            "backward_line": self.backward_line,
            "ran": list(self.ran),
        }


@dataclass(frozen=True)
class Property:
    """Something that holds of a right function beyond its values, such as a backward that can run twice.

    ``holds`` is None where it could not be tried, or where it is nobody's fault; ``detail`` says what was
    seen, ``code`` is that of the diagnosis where it does not hold.
    """

    name: str
    holds: bool | None
    detail: str
    code: str


@dataclass(frozen=True)
class NotChecked:
    """A part of the inputs, outputs or entries that this check says nothing about, and why."""

    what: str
    reason: str


class FunctionAtPoint(Protocol):
    """The function under test at its point, as a framework sees it (`function.problem.Problem`).

    ``inputs`` and ``outputs`` are how the differentiable leaves lie in flat vectors, ``point`` the flat
    inputs, shape ``(inputs.size,)``; ``value`` is the function's value there in the working precision,
    ``primal`` in its own. ``double`` says whether it is evaluated in float64.
    """

    inputs: Layout
    outputs: Layout
    point: Vector
    value: Vector
    primal: Vector
    double: bool
    eps: float
    seed: int

    @property
    def trial_eps(self) -> float:
        """Unit roundoff of the coarsest dtype among the inputs and outputs."""

    @property
    def has_modules(self) -> bool:
        """Whether parameters of modules are among the inputs."""

    def call(self, values: Sequence[Any], *, double: bool) -> list[Any]:
        """Call the function on leaves of its framework; returns its differentiable output leaves."""

    def evaluate(self, vector: Vector) -> Vector:
        """Return the value at another point, NaN where it has none."""

    def native_values(self) -> list[Any]:
        """Return copies of the user's own differentiable leaves."""

    def values_at(self, vector: Vector) -> list[Any]:
        """Return the leaves that stand for a flat vector, in the working precision."""

    def many_values_at(self, points: Matrix) -> list[Any]:
        """Return leaves with one axis more, along which lie the point and then the points."""

    def substituted(self, values: Sequence[Any], *, double: bool) -> AbstractContextManager[None]:
        """Let the modules among the inputs hold these values."""


@dataclass(frozen=True, eq=False)
class Lowering:
    """A function as a program on the reference engine, with what was seen of it on the way there.

    ``notes`` are pairs of a code and a sentence: ``"hidden"`` for what the engine cannot see,
    ``"out-of-graph"`` for a value that left the graph, ``"stop-gradient"``. ``parting()`` says where the
    program first gives another value than the function, as the end of a sentence.
    """

    program: Program
    notes: Sequence[tuple[str, str]] = ()
    parting: Callable[[], str] = str


class Framework(abc.ABC):
    """One framework. Abstract methods are what every framework has; the others have a default."""

    #: The name of the library's top-level module, of the entry point, and of the method that differentiates
    #: its functions.
    name: ClassVar[str]
    #: Whether the framework has a gradient of its own for its functions. That gradient is then on trial.
    differentiates: ClassVar[bool] = False
    #: Whether it differentiates functions of NumPy arrays and Python numbers too, as one more run of the
    #: same code.
    stands_in: ClassVar[bool] = False
    #: Whether its functions can stop gradients on purpose (``stop_gradients="intended"``).
    stops_gradients: ClassVar[bool] = False

    # -- leaves --------------------------------------------------------------------------------------

    @abc.abstractmethod
    def owns(self, value: Any) -> bool:
        """Whether a value is an array of this framework."""

    # -- derivatives ---------------------------------------------------------------------------------

    def pullback(self, function: FunctionAtPoint) -> Pullback:
        """Return the framework's own gradient of one of its functions, in the dtypes that the user gave."""
        raise Unavailable(f"{self.name} has no gradients of its own")

    def stand_in(self, function: FunctionAtPoint) -> Pullback:
        """Return the framework's gradient of a function of NumPy arrays or Python numbers, in float64."""
        raise Unavailable(f"{self.name} does not run NumPy code")

    def lower(self, function: FunctionAtPoint, *, hold_stops: bool = False) -> Lowering:
        """Return the function as a program on the reference engine.

        With ``hold_stops`` what the function detaches is a constant, as it is for the framework.
        Raises `Unavailable` where it cannot be carried over.
        """
        raise Unavailable(f"{self.name} functions cannot be lowered to the reference engine")

    def properties_of_run(self, function: FunctionAtPoint, pullback: Pullback) -> Sequence[Property]:
        """Return what holds of one run of the framework's gradient besides its values."""
        return ()

    def properties_of_functions(self, function: FunctionAtPoint, pullback: Pullback) -> Sequence[Property]:
        """Return what holds of the gradients written by hand in a run, however they are called."""
        return ()

    def code_of_error(self, text: str) -> str | None:
        """Return the diagnosis code for what the framework says when a backward fails, None if unknown."""
        return None

    def hand_written_in(self, packages: Sequence[str]) -> Sequence[HandWritten]:
        """Return every gradient written by hand in those modules of the packages that are imported."""
        return ()
