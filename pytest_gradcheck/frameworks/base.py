"""What a framework offers: arrays of a kind of its own, functions of them, and their derivatives.

The rest of the package knows frameworks by this protocol alone, through `registry`. What a framework does not
offer keeps the default below and is not used. To add one, derive from `Framework` and name the class in an
entry point of the group ``pytest_gradcheck.frameworks``, called like the top-level module of the library.
"""

from __future__ import annotations

import abc
import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pytest_gradcheck.errors import Unavailable

if TYPE_CHECKING:
    import numpy as np

    from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
    from pytest_gradcheck.frameworks.properties import Selection
    from pytest_gradcheck.frameworks.pullback import Program, Pullback

    Array = np.ndarray[Any, Any]

#: Takes the right gradients of some arrays, and returns wrong ones.
Fault = Callable[[Sequence[Any]], Sequence[Any]]

#: Gives an array its numbers, from its shape and the name of its dtype.
Numbers = Callable[[tuple[int, ...], str], "Array"]


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
        return {**dataclasses.asdict(self), "ran": list(self.ran)}


@dataclass(frozen=True)
class Property:
    """Something that holds of a right function beyond its values, such as a backward that can run twice.

    ``holds`` is None where it could not be tried, or where no one is to blame; ``detail`` says what was
    seen, ``code`` is that of the diagnosis where it does not hold. ``compared`` are numbers that should be
    the same, each with what it is, and ``at`` what they are of. ``place`` is that of the code which breaks
    it, as ``"Gelu.backward (ops.py:12)"``.
    """

    name: str
    holds: bool | None
    detail: str
    code: str
    compared: tuple[tuple[str, complex], ...] = ()
    at: str = ""
    place: str = ""


@dataclass(frozen=True)
class NotChecked:
    """A part of the inputs, outputs or entries that this check says nothing about, and why."""

    what: str
    reason: str


class FunctionAtPoint(Protocol):
    """The function under test at its point, as a framework sees it (`function.problem.Problem`).

    ``inputs`` and ``outputs`` are how the differentiable leaves lie in flat vectors, ``point`` the flat
    inputs, shape ``(inputs.size,)``; ``value`` is the function's value there in the working precision,
    ``primal`` in its own. ``double`` says whether it is evaluated in float64; ``eps`` is the unit roundoff of
    `evaluate`, ``trial_eps`` that of the coarsest dtype among inputs and outputs. ``leaves`` are the user's
    own differentiable leaves, which are not to be changed; with ``has_modules`` parameters of modules are
    among them.
    """

    inputs: Layout
    outputs: Layout
    point: Vector
    primal: Vector
    seed: int
    trial_eps: float
    leaves: list[Any]
    has_modules: bool

    @property
    def value(self) -> Vector:
        """The value at the point in the working precision."""

    @property
    def double(self) -> bool:
        """Whether the working precision is float64."""

    @property
    def eps(self) -> float:
        """The unit roundoff of `evaluate`."""

    def call(self, values: Sequence[Any], *, double: bool) -> list[Any]:
        """Call the function on leaves of its framework; returns its differentiable output leaves."""

    def evaluate(self, vector: Vector) -> Vector:
        """Return the value at another point, NaN where it has none."""

    def native_values(self) -> list[Any]:
        """Return copies of the user's own differentiable leaves."""

    def values_at(self, vector: Vector, *, double: bool | None = None) -> list[Any]:
        """Return the leaves that stand for a flat vector, by default in the working precision."""

    def substituted(self, values: Sequence[Any], *, double: bool) -> AbstractContextManager[None]:
        """Let the modules among the inputs hold these values."""

    @property
    def description(self) -> Any:
        """What a call rests on besides the differentiable leaves; unlike any other if not all is known.

        It is hashable. Two functions of equal descriptions give the same for equal leaves.
        """

    def rests_on(self, *functions: Any) -> Any:
        """Return a hashable description of functions: their code, and what it leads to besides arguments.

        Equal descriptions are of the same computation. Where not all can be seen it is unlike any other.
        """


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


def kind_of(value: Any) -> str:
    """Return what a value is, in words: ``a float``, ``an int``, ``None``."""
    name = type(value).__name__
    if value is None:
        return "None"
    return f"a {name}" if name[0].lower() not in "aeiou" else f"an {name}"


#: Gives a function's values, shape ``(points, outputs.size)``, at points of shape ``(points, inputs.size)``.
Evaluator = Callable[["Matrix"], "Matrix"]


class Framework(abc.ABC):
    """One framework. Abstract methods are what every framework has; the others have a default.

    A *leaf* is one array or number. The methods on leaves are given those that the framework owns.
    """

    #: The name of the library's top-level module, of the entry point, and of the method that differentiates
    #: its functions.
    name: ClassVar[str]
    #: What its arrays are called, as in "draw tensors(...)".
    plural: ClassVar[str] = "arrays"
    #: Whether the framework has a gradient of its own for its functions. That gradient is then on trial.
    differentiates: ClassVar[bool] = False
    #: What messages call the part that differentiates, as in "autograd's gradient"; empty for its name.
    differentiator: ClassVar[str] = ""
    #: Modules that sources of its arrays call by another name: ``{alias: module}``.
    aliases: ClassVar[Mapping[str, str]] = {}
    #: Whether its functions can stop gradients on purpose (``stop_gradients="intended"``).
    stops_gradients: ClassVar[bool] = False
    #: Whether its functions draw random numbers by keys that they are given. No call is then seen to draw.
    draws_by_keys: ClassVar[bool] = False
    #: Whether its functions take arrays of different precision together. Constants then keep theirs while
    #: the inputs are widened.
    mixes_precisions: ClassVar[bool] = False
    #: Whether `values_at_many` does anything.
    evaluates_many: ClassVar[bool] = False
    #: The module whose names `pytest_gradcheck.lowering` offers, None for a framework without a lowering.
    lowering: ClassVar[str | None] = None
    #: The names of the floating dtypes that strategies draw; empty if they draw none of its arrays.
    drawn_dtypes: ClassVar[tuple[str, ...]] = ()
    #: What the layouts that strategies draw are called here: ``""``, the default one, ``"fortran"``,
    #: ``"strided"`` and ``"backwards"``.
    drawn_layouts: ClassVar[Mapping[str, str]] = {"": "contiguous"}

    # -- leaves --------------------------------------------------------------------------------------

    @abc.abstractmethod
    def owns(self, value: Any) -> bool:
        """Whether a value is an array of this framework. All values of one type have the same answer."""

    @abc.abstractmethod
    def dtype_of(self, leaf: Any) -> str:
        """Return the name of a leaf's dtype, as NumPy calls it: ``float32``, ``bfloat16``, ``complex64``."""

    @abc.abstractmethod
    def to_numpy(self, leaf: Any) -> Array:
        """Return a leaf as a NumPy array; floating dtypes that NumPy lacks become float64."""

    @abc.abstractmethod
    def like(self, array: Array, original: Any, *, double: bool) -> Any:
        """Return an array as a leaf of the kind, device and layout of the original, and of its shape.

        It has the original's dtype, or with ``double`` the array's own, float64 or complex128.
        """

    @abc.abstractmethod
    def copy(self, leaf: Any, *, double: bool) -> Any:
        """Return a copy that shares no memory, with the same strides; floating ones wide with ``double``."""

    def from_numpy(self, array: Array) -> Any:
        """Return a copy of a NumPy array as a leaf of its dtype."""
        return self.like(array.copy(), array, double=True)

    def shape_of(self, leaf: Any) -> tuple[int, ...]:
        """Return the shape of a leaf."""
        return tuple(leaf.shape)

    def rounded(self, array: Array, original: Any) -> Array:
        """Return an array, of any shape, rounded to the original's dtype, as float64 or complex128."""
        return self.to_numpy(self.like(array, original, double=False))

    def strides_if_scattered(self, leaf: Any) -> tuple[int, ...] | None:
        """Return the strides, in entries, of a leaf that is not C-contiguous; None for one that is."""
        return None

    def contiguous_copy(self, leaf: Any) -> Any:
        """Return a copy of a leaf that is C-contiguous."""
        return self.copy(leaf, double=False)

    def why_constants(self, inputs: Sequence[Any], in_module: Sequence[bool]) -> list[str | None]:
        """Return why each leaf of a call is a constant, None for those to differentiate with respect to.

        ``inputs`` are all leaves that one of the framework's functions is called with, its own or not;
        ``in_module`` says which of them belong to a module.
        """
        return [
            self._not_floating(leaf, "is not differentiable")
            if self.owns(leaf)
            else f"{kind_of(leaf)} next to {self.plural}"
            for leaf in inputs
        ]

    def why_not_perturbed(self, leaf: Any) -> str | None:
        """Return what a floating leaf is whose entries cannot be moved one by one, such as a sparse one.

        It is refused as an input, unless `why_constants` or ``wrt`` make it a constant. None for all others.
        """
        return None

    def why_no_derivative(self, leaf: Any) -> str | None:
        """Return why a leaf of a function's result has no derivative, None for one that has."""
        return self._not_floating(leaf, "has no derivative")

    def _not_floating(self, leaf: Any, what: str) -> str | None:
        name = self.dtype_of(leaf)
        return None if name.startswith(("float", "bfloat", "complex")) else f"dtype {name} {what}"

    def fingerprint(self, leaf: Any) -> bytes | None:
        """Return bytes that differ for any two leaves that a check can tell apart; None for none."""
        array = self.to_numpy(leaf)
        return f"{type(leaf)} {self.dtype_of(leaf)} {array.shape} ".encode() + array.tobytes()

    def source_of(self, value: Any, inner: Callable[[Any], str]) -> str | None:
        """Return Python source that gives a leaf or a module back, None for none.

        ``inner`` gives the source of what the value was made of.
        """
        return None

    # -- containers ------------------------------------------------------------------------------------

    def children_of(self, value: Any) -> tuple[list[tuple[str, Any]], Callable[[Sequence[Any]], Any]] | None:
        """Return the children of a container that only this framework can take apart; None for other values.

        Each has the source that leads to it (``.weight``, ``['w']``), and other children, in the same order,
        are made into a container of the same kind by the second part. Tuples, lists and dicts are not asked
        for.
        """
        return None

    # -- modules: objects that hold arrays -------------------------------------------------------------

    def parts_of(self, value: Any) -> dict[str, Any] | None:
        """Return the arrays that an object of this framework holds, by name; None for no such object."""
        return None

    def holding(self, module: Any, parts: Mapping[str, Any]) -> AbstractContextManager[Any]:
        """Let a module hold other arrays in the places of its own."""
        raise Unavailable(f"{self.name} has no modules")

    def describe(self, module: Any) -> str:
        """Return a text that differs for any two modules that are put together differently."""
        return repr(module)

    def signature_of(self, fn: Callable[..., Any]) -> inspect.Signature | None:
        """Return the signature with the inputs' names, for a callable of the framework that hides it."""
        return None

    # -- calls -----------------------------------------------------------------------------------------

    def working_in(self, *, double: bool) -> AbstractContextManager[Any]:
        """Return the context of a call in float64, with ``double``, or in what the user's settings make."""
        return nullcontext()

    def evaluating(self, *, recording: bool = False) -> AbstractContextManager[Any]:
        """Return the context in which functions are called for their values, if the framework differentiates.

        With ``recording`` it is one in which a function can differentiate inside.
        """
        return nullcontext()

    def may_differentiate_inside(self, error: Exception) -> bool:
        """Whether a function that raises this when it is called for its values may differentiate inside."""
        return False

    def recorded(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the same leaves, so made that a function can differentiate by them inside."""
        return list(inputs)

    def is_missed(self, message: str) -> bool:
        """Whether an error says that a function of this framework was given arrays of another."""
        return False

    def remedy(self, error: Exception) -> str | None:
        """Return what to write instead of what raised an error, where the framework knows it."""
        return None

    def values_at_many(self, function: FunctionAtPoint, points: Matrix) -> Matrix:
        """Return the function's values at its point and then at many, all from one call.

        ``points`` has the shape ``(k, inputs.size)``, the values have ``(k + 1, outputs.size)``. An exception
        means that this function must be called once per point. Needed with `evaluates_many`.
        """
        raise Unavailable(f"{self.name} evaluates one point per call")

    def evaluator(self, function: FunctionAtPoint) -> Evaluator | None:
        """Return another way to the function's values in float64: exactly those of single calls, but faster.

        None where there is none. It is asked for where the function draws no random numbers and keeps no
        state; ``value``, ``eps`` and ``double`` are not known yet.
        """
        return None

    def release(self) -> None:  # noqa: B027  a framework may keep nothing
        """Let go of what is kept to make the checks of one test faster."""

    def why_not_measured(self, function: FunctionAtPoint, nearby: Vector) -> str | None:
        """Return why values are no measure of the gradient of a function that draws; None where they are.

        So it is where a sampler draws from a distribution that depends on the inputs: its values for the same
        random numbers are another function than the one that is differentiated. ``nearby`` is another point,
        shape ``(inputs.size,)``.
        """
        return None

    def corrupted_call(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], fault: Fault
    ) -> Any:
        """Call a function, with a fault applied to its gradients; see `testing.corrupt`.

        Returns ``NotImplemented`` if this framework is not going to differentiate the call.
        """
        return NotImplemented

    # -- random numbers: those of Python and NumPy are kept for all frameworks ---------------------------

    def random_state(self) -> Any:
        """Return the state of the framework's global random numbers."""
        return None

    def set_random_state(self, state: Any) -> None:  # noqa: B027  a framework may have no such numbers
        """Bring the global random numbers to a state of `random_state`."""

    def seed(self, seed: int) -> None:  # noqa: B027  the same
        """Seed the global random numbers."""

    def next_draw(self) -> Any:
        """Return something that depends on where the global random numbers stand; it may advance them."""
        return None

    # -- strategies ------------------------------------------------------------------------------------

    def is_array_type(self, annotation: Any) -> bool:
        """Whether an annotation stands for the framework's arrays."""
        return False

    def dtype_drawn(self, name: str) -> str:
        """Return the dtype that is drawn where this one is asked for: another if settings narrow it."""
        return name

    def from_drawn(self, array: Array, dtype: str, layout: str, **options: Any) -> Any:
        """Return a drawn array, in a dtype of `drawn_dtypes` and a layout of `drawn_layouts`, as a leaf.

        The array is contiguous, and its dtype holds all numbers of ``dtype``. ``options`` are those of the
        framework's own strategy. Needed where `drawn_dtypes` has any.
        """
        raise Unavailable(f"{self.name} {self.plural} cannot be drawn")

    def is_module_class(self, value: Any) -> bool:
        """Whether a value is a class of modules."""
        return False

    def drawn_module(
        self, module: type[Any], args: Any, kwargs: dict[str, Any], *, seed: int, numbers: Numbers | None
    ) -> Any:
        """Return ``module(*args, **kwargs)`` in float64, initialised with a seed.

        ``numbers``, if any, gives each parameter its numbers. Needed where `is_module_class` is ever true.
        """
        raise Unavailable(f"{self.name} has no modules")

    def filling(self, number: float) -> AbstractContextManager[Any]:
        """Return a context in which fresh memory, which holds anything otherwise, holds this number.

        Memory of whole numbers holds the largest one for nan.
        """
        # Only now: the frameworks are listed without an import of NumPy.
        from pytest_gradcheck.frameworks.fresh_memory import filling_numpy

        return filling_numpy(number)

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

    def properties_of_run(
        self, function: FunctionAtPoint, pullback: Pullback, wanted: Selection
    ) -> Sequence[Property]:
        """Return what holds of one run of the framework's gradient besides its values: what is ``wanted``."""
        return ()

    def properties_of_functions(
        self, function: FunctionAtPoint, pullback: Pullback, wanted: Selection, *, few_calls: bool = False
    ) -> Sequence[Property]:
        """Return what holds of the gradients written by hand in a run, however they are called.

        With ``few_calls`` a call of the function is what costs: one call stands for many where it shows that
        nothing is wrong. ``wanted`` are the properties to try. A trial must not be able to harm. One that
        could, such as a call without rows of code that cannot be seen into, is run only if its property is
        among ``wanted.by_name``.
        """
        return ()

    def right_functions(self, pullback: Pullback) -> Mapping[str, bool | None]:
        """Say of gradients written by hand in a run, by their `HandWritten` name, whether each is right.

        None stands for one that could not be tried by itself. It is asked where the gradient of all of them
        together is wrong, to name the one to fix.
        """
        return {}

    def code_of_error(self, text: str) -> str | None:
        """Return the diagnosis code for what the framework says when a backward fails, None if unknown."""
        return None

    def hand_written_in(self, packages: Sequence[str]) -> Sequence[HandWritten]:
        """Return every gradient written by hand in those modules of the packages that are imported."""
        return ()
