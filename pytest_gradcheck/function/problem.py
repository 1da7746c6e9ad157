"""A callable at a point, seen as one function from a flat real vector to a flat real vector."""

from __future__ import annotations

import contextlib
import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument, Unavailable
from pytest_gradcheck.frameworks.base import Evaluator, Framework, NotChecked, kind_of
from pytest_gradcheck.frameworks.containers import Tree, as_dict
from pytest_gradcheck.frameworks.flat import Layout, Matrix, Vector
from pytest_gradcheck.frameworks.leaves import EPS64, EPS_BY_DTYPE, TINY64, TINY_BY_DTYPE, like
from pytest_gradcheck.frameworks.registry import imported
from pytest_gradcheck.function.call import Call
from pytest_gradcheck.function.domain import bounds
from pytest_gradcheck.function.many_points import Batch
from pytest_gradcheck.function.random_states import RandomStates
from pytest_gradcheck.function.selection import select
from pytest_gradcheck.function.signatures import called_wrongly, name_of, signature_text
from pytest_gradcheck.function.state import State, changed, put_back

#: So few points cost less one by one: a call with an axis more takes five times as long, and is compared.
FEW = 8

#: So many calls are looked at, each for 10 µs; if none changes what the function keeps, later ones are not.
WATCHED = 4

#: So many calls of the other kind are guarded: up to 5 ms each, for a function that leads to many objects. If
#: none changes what the function keeps, later ones are not. Second-order differences alone make hundreds.
GUARDED = 16

#: Relative step to a point nearby: far more than rounding in float32, far less than a function's features.
NEARBY = 2.0**-14

#: How far around the point the function's rounding is measured, as a share of each input.
#: Measured: with less, values in the tails of gelu in float32 are all zero, and seem to have no rounding.
NEIGHBOURHOOD = 0.3


class Problem:
    """The function, its point, and everything that every method needs to know of both.

    ``point`` is the flat vector of the differentiable inputs, shape ``(inputs.size,)``; ``primal`` the
    function's value there, shape ``(outputs.size,)``, in the function's own precision. `evaluate` is the
    function on flat vectors, in float64 where the function allows it (``double``).

    Making one takes one call of the function. What further calls tell (``double``, ``eps``, ``value``,
    ``evaluation_noise``) is found out when it is first asked for: with an oracle nothing asks.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        inputs: Any,
        *,
        name: str | None = None,
        wrt: Any = None,
        domain: Any = None,
        seed: int | None = None,
        drawn: bool = False,
    ):
        self.fn = fn
        self._asked = asked = Call(fn, inputs)
        #: The user's inputs by argument name; how they were given: ``"dict"``, ``"tuple"`` or ``"one"``.
        self.arguments, self.how = asked.arguments, asked.how
        #: Whether parameters of modules are among the inputs: what differentiates must know `substituted`.
        self.has_modules = any(asked.in_module)
        self.name = name or name_of(fn)
        self.framework = framework = asked.framework
        self._positions, self.not_checked = select(asked, wrt, drawn=drawn)
        #: The user's own differentiable leaves, all of them the framework's; they are not to be changed.
        self.leaves = leaves = [asked.leaves[i] for i in self._positions]
        self.inputs = Layout(
            [asked.names[i] for i in self._positions],
            [framework.shape_of(v) for v in leaves],
            [framework.dtype_of(v) for v in leaves],
        )
        if self.inputs.size == 0:
            raise InvalidArgument(
                "inputs",
                f"only empty arrays ({', '.join(leaf.name for leaf in self.inputs.leaves)})",
                "draw at least one number",
            )
        self.point = self.inputs.join([framework.to_numpy(v) for v in leaves])
        self.seed = zlib.crc32(self.point.tobytes()) if seed is None else seed
        #: What no evaluation may leave, shapes ``(inputs.size,)``.
        self.lower, self.upper = np.full((2, self.inputs.size), [[-np.inf], [np.inf]])
        if domain is not None:
            self.lower, self.upper = bounds(domain, asked, self.inputs, self.point)
        self._random = RandomStates(self.seed)
        #: What the function keeps between calls, None for one that leads to nothing that could be replaced.
        #: Every call that a user would not make leaves it as it was.
        self._state = State(fn, *self.arguments.values()) or None
        #: Whether a call was seen to change it. Then every later call starts from the same state.
        self._keeps_state = False
        #: How many more calls are looked at for that.
        self._to_watch = 0
        self._guarded = 0
        self._differentiates_inside = False
        self._start()
        #: Whether the first call moved a generator of random numbers.
        self.draws = bool(self._random.moved)

    @functools.cached_property
    def not_measured(self) -> str | None:
        """Why values are no measure of the function's gradient, None where they are."""
        return self.framework.why_not_measured(self, self._nearby())

    @property
    def sampled(self) -> str | None:
        """The same, for a function that is seen to draw, or that could not be seen to."""
        return self.not_measured if self.draws or self.framework.draws_by_keys else None

    # -- the call ------------------------------------------------------------------------------------

    def call(self, values: Sequence[Any], *, double: bool) -> list[Any]:
        """Call the function with these values as its differentiable leaves, in their places.

        Returns the differentiable output leaves, raw. ``double`` says whether the constants next to
        them (buffers, inputs that are not differentiated) are given in float64 too. What the function keeps
        between calls stays as it was: the values may be of a kind that no later call can use.
        """
        with self._keeping_state(collections=True):
            return [leaf for leaf, _ in self._outputs_of(self._call(values, double))]

    def native_values(self) -> list[Any]:
        """Return copies of the user's own differentiable leaves: same dtype, device, strides, values."""
        return [self.framework.copy(leaf, double=False) for leaf in self.leaves]

    def values_at(self, vector: Vector, *, double: bool | None = None) -> list[Any]:
        """Return the leaves that stand for a flat vector, in the precision of `evaluate` by default."""
        double = self.double if double is None else double
        return [
            self.framework.like(array, leaf, double=double)
            for array, leaf in zip(self.inputs.split(vector), self.leaves, strict=True)
        ]

    def substituted(self, values: Sequence[Any], *, double: bool) -> contextlib.AbstractContextManager[None]:
        """Let the modules among the inputs hold these values, as they do while `call` runs."""
        return self._asked.substituted(self._filled(values, double))

    @functools.cached_property
    def description(self) -> Any:
        """What a call rests on besides the differentiable leaves; see `FunctionAtPoint.description`."""
        plain = all(map(self.framework.owns, self.arguments.values()))
        if self.draws or self._keeps_state or not plain or len(self.arguments) != len(self.leaves):
            return object()
        return self.how, tuple(self.arguments), self.rests_on(self.fn)

    def rests_on(self, *functions: Any) -> Any:
        """Return a hashable description of functions; see `FunctionAtPoint.rests_on`."""
        return State(*functions).content()

    def evaluate(self, vector: Vector) -> Vector:
        """Return the function's value at another point, NaN where it cannot be evaluated there.

        An exception away from the point means that the neighbour lies outside of the function's
        domain (``math.log`` of a negative number, a matrix that is no longer positive definite).
        """
        if self._evaluator is not None:
            (value,) = self._evaluator(vector[None])
            return np.asarray(value)
        try:
            with np.errstate(all="ignore"):
                return self._flat(self._evaluated(self.values_at(vector), self.double))
        except Exception:
            return np.full(self.outputs.size, np.nan)

    def evaluate_many(self, points: Matrix) -> tuple[Matrix, int]:
        """Return the function's values at many points, shape ``(points, outputs.size)``, as `evaluate` does.

        The second part is the number of calls that it took: far smaller where many points share one.
        """
        if self._evaluator is not None:
            return self._evaluator(points), 1
        if len(points) >= FEW and self._batch is not None:
            together = self._batch(self, points)
            if together is not None:
                return together
        return np.stack([self.evaluate(point) for point in points]), len(points)

    def call_one_by_one(self) -> None:
        """Evaluate many points in as many calls from here on: opaque code takes no axis more."""
        self._batch = None

    def rounded(self, points: Matrix) -> Matrix:
        """Return the points at which `evaluate` really evaluates, shape ``(…, n)``: in working precision."""
        return points if self.double else self._in_own_dtypes(points)

    def _in_own_dtypes(self, points: Matrix) -> Matrix:
        out = np.empty_like(points)
        for leaf, own in zip(self.inputs.leaves, self.leaves, strict=True):
            part = np.ascontiguousarray(points[..., leaf.start : leaf.stop])
            wide = part.view(np.complex128) if leaf.is_complex else part
            out[..., leaf.start : leaf.stop] = self.framework.rounded(wide, own).view(np.float64)
        return out

    def noise_in_own_dtypes(self, count: int) -> Vector:
        """Return how far values in the dtypes of the inputs are from those in float64, around the point.

        The root mean square over ``count`` points in which each input has about its own size; zero where the
        function is evaluated in these dtypes anyway, or cannot be evaluated in them.
        """
        rng = np.random.default_rng(self.seed)
        points = self.point * (1 + NEIGHBOURHOOD * rng.uniform(-1, 1, (count, self.point.size)))
        points = self._in_own_dtypes(np.clip(points, self.lower, self.upper))
        if not self.double:
            return np.zeros(self.outputs.size)
        squares = []
        with np.errstate(all="ignore"):
            for point in points:
                with contextlib.suppress(Exception):
                    own = self._flat(self._evaluated(self.values_at(point, double=False), double=False))
                    squares.append((own - self.evaluate(point)) ** 2)
            squares = [each for each in squares if np.isfinite(each).all()]
            return np.sqrt(np.mean(squares, axis=0)) if squares else np.zeros(self.outputs.size)

    def structure(self, arrays: Sequence[Any]) -> Any:
        """Put one value per differentiable leaf into the structure of the user's inputs.

        Leaves that are not differentiated become None; one array alone stands for itself.
        """
        filled: list[Any] = [None] * len(self._asked.leaves)
        for i, array in zip(self._positions, arrays, strict=True):
            filled[i] = array
        return self._asked.structure(filled)

    def call_on_inputs(
        self, argument: str, function: Callable[..., Any], vector: Vector | None = None, **more: Any
    ) -> Any:
        """Call another function of the user's, given as ``argument``, on fresh inputs, and on ``more``.

        They stand for the point, or for another flat vector. Inputs in a tuple go by position, others by name
        where the function has it.
        """
        values = self.native_values() if vector is None else self.values_at(vector, double=False)
        return self._asked.run_another(argument, function, self._filled(values, double=False), more)

    def call_along(
        self, argument: str, function: Callable[..., Any], tangent: Vector, vector: Vector | None = None
    ) -> Any:
        """Call another function of the user's on fresh inputs and on a flat tangent of them.

        The tangent is given in the structure, kind and dtype of the inputs, one per differentiated argument;
        see `call_on_inputs`.
        """
        values = self.native_values() if vector is None else self.values_at(vector, double=False)
        tangents: list[Any] = [None] * len(self._asked.leaves)
        for i, part, leaf in zip(self._positions, self.inputs.split(tangent), self.leaves, strict=True):
            tangents[i] = self.framework.like(part, leaf, double=False)
        return self._asked.run_along(argument, function, self._filled(values, double=False), tangents)

    @property
    def positions(self) -> Sequence[int]:
        """Where the differentiable leaves are among all leaves of the inputs."""
        return self._positions

    def leaves_in(self, framework: Framework, *, double: bool) -> list[Any]:
        """Return copies of all leaves of the inputs as arrays of a framework; ``double`` is as in `call`.

        Raises `Unavailable` where it does not have their dtypes.
        """
        if framework is self.framework:
            values = self.values_at(self.point, double=True) if double else self.native_values()
            return self._filled(values, double)
        parts: dict[int, Any] = dict(zip(self._positions, self.inputs.split(self.point), strict=True))
        dtypes = dict(zip(self._positions, (leaf.dtype for leaf in self.inputs.leaves), strict=True))
        out: list[Any] = []
        for i, (leaf, owner) in enumerate(zip(self._asked.leaves, self._asked.owners, strict=True)):
            if owner is None:
                out.append(leaf)
                continue
            array = parts[i] if i in parts else np.asarray(owner.to_numpy(leaf))
            dtype = dtypes.get(i, owner.dtype_of(leaf))
            floating = dtype.startswith(("float", "bfloat", "complex"))
            if not (double and floating):
                try:
                    array = array.astype(dtype)
                except TypeError:
                    raise Unavailable(f"{framework.name} has no {dtype}") from None
            out.append(framework.from_numpy(array))
        return out

    def call_instead(
        self,
        argument: str,
        function: Callable[..., Any],
        leaves: Sequence[Any],
        framework: Framework,
        *,
        double: bool,
    ) -> Any:
        """Call another function, given as ``argument``, on leaves of a framework; see `Call.run_instead`."""
        return self._asked.run_instead(argument, function, leaves, framework, double=double)

    def differentiable_outputs(self) -> list[tuple[Any, Framework | None]]:
        """Return the differentiable outputs of the first call, each with its framework."""
        return self._outputs_of(self.output_tree)

    @property
    def returns_of(self) -> Framework | None:
        """The framework of arrays that the function returns for inputs of another one; None otherwise."""
        found = (owner for _, owner in self.differentiable_outputs() if owner is not None)
        return next((owner for owner in found if owner.name not in (self.framework.name, "numpy")), None)

    def output_cotangent(self, vector: Vector) -> Any:
        """Return a flat cotangent in the structure, kind and dtype of the function's result.

        Outputs that have no derivative get None.
        """
        parts = iter(self.outputs.split(vector))
        filled = (
            like(next(parts), leaf, double=False) if keep else None
            for leaf, keep in zip(self.output_tree.leaves, self._kept, strict=True)
        )
        return self.output_tree.rebuild(filled, as_dict)

    def match_inputs(self, answer: Any) -> list[Any] | None:
        """Find in a hand-written gradient the part for each differentiable leaf; None if it does not fit.

        Where one array is all that is differentiated, next to constants, an answer may be that of it alone.
        """
        found = self._asked.match(answer)
        if found is None and len(self._positions) == 1 and not isinstance(answer, tuple | list | dict):
            return [answer]
        return None if found is None else [found[i] for i in self._positions]

    def match_outputs(self, answer: Any) -> list[Any] | None:
        """Find in a hand-written tangent the part for each differentiable output; None if it does not fit."""
        if self.output_tree.names == ["output"]:
            return [answer]
        inner = Tree(answer, "output")
        by_name = dict(zip(inner.names, inner.leaves, strict=True))
        return self._of_outputs([by_name.get(name) for name in self.output_tree.names])

    def split_by_output(self, answer: Any) -> list[Any] | None:
        """Find in a hand-written Jacobian the part for each differentiable output; None if it does not fit.

        A part is a structure of its own. So outputs in containers of containers are not found.
        """
        if self.output_tree.names == ["output"]:
            return [answer]
        if not isinstance(answer, tuple | list | dict):
            return None
        items = answer.items() if isinstance(answer, dict) else enumerate(answer)
        by_name = {f"output[{key!r}]": part for key, part in items}
        return self._of_outputs([by_name.get(name) for name in self.output_tree.names])

    def _of_outputs(self, parts: list[Any]) -> list[Any] | None:
        kept = [part for part, keep in zip(parts, self._kept, strict=True) if keep]
        return None if any(part is None for part in kept) else kept

    @functools.cached_property
    def double(self) -> bool:
        """Whether the function is evaluated in float64: where it runs in it."""
        return self._is_wide or self._evaluator is not None or self._in_double is not None

    @functools.cached_property
    def _evaluator(self) -> Evaluator | None:
        single = self.draws or self._keeps_state or self._differentiates_inside
        return None if single else self.framework.evaluator(self)

    @functools.cached_property
    def _in_working_precision(self) -> tuple[Vector, float]:
        if self._evaluator is not None:
            return self.evaluate(self.point), EPS64
        found = None if self._is_wide else self._in_double
        tree = self._evaluated(self.values_at(self.point), self.double) if found is None else found
        eps = EPS64 if self.double else self.trial_eps
        for leaf, owner in self._outputs_of(tree):
            if owner is not None:
                eps = max(eps, EPS_BY_DTYPE.get(owner.dtype_of(leaf), EPS64))
        return self._flat(tree), eps

    @property
    def value(self) -> Vector:
        """The function's value in the working precision, from a second call: what differences start at."""
        return self._in_working_precision[0]

    @property
    def eps(self) -> float:
        """Unit roundoff of `evaluate`: of the coarsest output, for a function that narrows its result."""
        return self._in_working_precision[1]

    @functools.cached_property
    def evaluation_noise(self) -> Vector:
        """How much the value moves when nothing moves; zero for a deterministic function."""
        noise, value = np.zeros(self.outputs.size), self.value
        # A first call in the same precision that gave the same is what a third one would be compared for.
        if not ((self._is_wide or not self.double) and np.array_equal(value, self.primal, equal_nan=True)):
            with np.errstate(invalid="ignore"):
                spread = np.abs(self.evaluate(self.point) - value)
            noise = np.where(np.isfinite(spread), spread, 0.0)
        return np.fmax(noise, np.where(np.isfinite(self._wobble), self._wobble, 0.0))

    @functools.cached_property
    def _batch(self) -> Batch | None:
        # Calls that draw or waver share no work; what differentiates inside has its graph in one alone.
        alone = self.draws or self._differentiates_inside or self.evaluation_noise.any()
        return Batch(self.seed) if self.framework.evaluates_many and not alone else None

    @property
    def is_erratic(self) -> bool:
        """Whether two calls at the point differ by more than any rounding would make them."""
        size = np.abs(self.value).max(initial=0.0)
        return bool((self.evaluation_noise > np.sqrt(self.eps) * size).any())

    def _keeping_state(self, *, collections: bool) -> contextlib.AbstractContextManager[None]:
        """Let a call start from the common state, if there is one, and put back what it leaves."""
        self._guarded += 1
        if self._state is not None and (self._guarded <= GUARDED or self._keeps_state):
            return self._guard(self._state, collections)
        # What is found at the end of a check is put back all the same.
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def _guard(self, state: State, collections: bool) -> Iterator[None]:
        if self._keeps_state:
            # A backward that runs a part of the function again, as a checkpoint does, has left its own.
            self.restore_state()
        self._to_watch = max(self._to_watch - 1, 0)
        before = state.now(collections=collections)
        try:
            yield
        finally:
            self._keeps_state = put_back(before) or self._keeps_state

    def restore_state(self) -> None:
        """Put back what the function keeps between calls, as the first calls at the point have left it."""
        if self._state_at_start:
            put_back(self._state_at_start)

    # -- construction --------------------------------------------------------------------------------

    def _start(self) -> None:
        """Evaluate at the point: structure of the outputs, precision, repeatability."""
        state = self._state
        before = [] if state is None else state.now(collections=False)
        self.output_tree = tree = self._first_call()
        moved = state is not None and changed(before)
        self._to_watch = 0 if state is None else WATCHED
        names, shapes, dtypes = [], [], []
        self._kept: list[bool] = []
        reasons: list[str] = []
        for name, leaf, owner in zip(tree.names, tree.leaves, tree.owners, strict=True):
            reason: str | None = "None"
            if owner is not None:
                reason = owner.why_no_derivative(leaf)
            elif leaf is not None:
                reason = f"{kind_of(leaf)} has no derivative"
            if owner is not None and reason is None:
                names.append(name)
                shapes.append(owner.shape_of(leaf))
                dtypes.append(owner.dtype_of(leaf))
            else:
                reasons.append(str(reason))
                if leaf is not None:
                    self.not_checked.append(NotChecked(name, str(reason)))
            self._kept.append(reason is None)
        if not names:
            raise InvalidArgument(
                "fn",
                f"a result that cannot be differentiated: {', '.join(reasons) or 'an empty container'}",
                "a function under check returns a float or a floating array",
            )
        self.outputs = Layout(names, shapes, dtypes)
        self.primal = self._flat(tree)
        self._wobble = np.zeros(self.outputs.size)
        if state is not None and moved:
            # From here on every call starts from the state that the first one has left.
            state.look()
            self._state_at_start, self._keeps_state = state.now(collections=False), True
            first, self.primal = self.primal, self._flat(self._evaluated(self.native_values(), double=False))
            with np.errstate(invalid="ignore"):
                self._wobble = np.abs(self.primal - first)
        else:
            self._state_at_start = before
        dtypes = [flat.dtype for flat in (*self.inputs.leaves, *self.outputs.leaves)]
        #: Unit roundoff of the coarsest dtype among the differentiable inputs and the outputs.
        self.trial_eps = max(EPS_BY_DTYPE.get(dtype, EPS64) for dtype in dtypes)
        #: Smallest normal number of the narrowest dtype among them.
        self.trial_tiny = max(TINY_BY_DTYPE.get(dtype, TINY64) for dtype in dtypes)
        given = [leaf.dtype for leaf in self.inputs.leaves]
        for leaf, owner in zip(self._asked.leaves, self._asked.owners, strict=True):
            if owner is not None and not owner.mixes_precisions:
                given.append(owner.dtype_of(leaf))
        #: Whether all inputs, and the constants that are widened with them, are float64 as they are given.
        self._is_wide = all(EPS_BY_DTYPE.get(dtype, EPS64) <= EPS64 for dtype in given)

    def _first_call(self) -> Tree:
        values = self.native_values()
        try:
            return self._evaluated(values, double=False)
        except Exception as error:
            self._explain(error)
            if not self.framework.may_differentiate_inside(error):
                raise
            # A function that differentiates inside (forces from an energy) needs inputs that require
            # a gradient; where none is recorded its own gradient has nothing to work on.
            self._differentiates_inside = True
            try:
                return self._evaluated(values, double=False)
            except type(error) as again:
                if str(again) != str(error):
                    raise
            raise

    def _nearby(self) -> Vector:
        """Return another point, inside of the domain, at which the function is nearly the same."""
        step = NEARBY * np.fmax(np.abs(self.point), 1.0)
        return np.where(self.point + step <= self.upper, self.point + step, self.point - step)

    def _blame_layout(self, error: Exception) -> None:
        """Note on an exception that the layout of the inputs in memory is what raises it, if it is."""
        asked, scattered = self._asked, {}
        contiguous = list(asked.leaves)
        for i, (name, leaf, owner) in enumerate(zip(asked.names, asked.leaves, asked.owners, strict=True)):
            if owner is not None:
                contiguous[i] = owner.contiguous_copy(leaf)
                scattered[name] = owner.strides_if_scattered(leaf)
        where = ", ".join(f"{name} (strides {strides})" for name, strides in scattered.items() if strides)
        if not where:
            return
        try:
            with self.framework.evaluating():
                self._random.call(asked.run, contiguous)
        except Exception:
            return
        error.add_note(
            f"gradcheck: it runs on contiguous copies of {where}; use reshape where it takes a view, or draw "
            'them with layout="contiguous"'
        )

    def _explain(self, error: Exception) -> None:
        text = str(error)
        missed = (f for f in imported() if f is not self.framework and f.is_missed(text))
        if (missing := next(missed, None)) is not None:
            arrays = any(isinstance(v, np.ndarray | np.generic) for v in self._asked.leaves)
            given = "NumPy arrays" if arrays else "Python floats"
            if self.framework.name != "numpy":
                given = f"{self.framework.name} {self.framework.plural}"
            raise InvalidArgument(
                "inputs",
                f"{given} for a function that calls {missing.name} ({text.splitlines()[0]})",
                f"draw {missing.plural}(...) instead, or pass {missing.name} {missing.plural}",
            ) from error
        if self.framework.is_missed(text):
            # A constant that lies next to the framework's own arrays.
            plain = [
                name
                for name, leaf in zip(self._asked.names, self._asked.leaves, strict=True)
                if isinstance(leaf, np.ndarray)
            ]
            if plain:
                library = self.framework.name
                raise InvalidArgument(
                    "inputs",
                    f"a NumPy array for {plain[0]} next to {library} {self.framework.plural} "
                    f"({text.splitlines()[0]})",
                    f'draw it with library="{library}", or pass {library} {self.framework.plural} alone',
                ) from error
        if isinstance(error, TypeError) and "argument" in text and called_wrongly(self.fn, error):
            raise InvalidArgument(
                "inputs",
                f"{', '.join(self._asked.arguments)} for {self.name}{signature_text(self.fn)} ({text})",
                "a tuple is passed by position, a dict by name, anything else as the one argument",
            ) from error
        if (remedy := self.framework.remedy(error)) is not None:
            error.add_note(f"gradcheck: {remedy}, or draw inputs of the library whose method it is")
        self._blame_layout(error)

    @functools.cached_property
    def _in_double(self) -> Tree | None:
        """The result in float64, None where the function does not run in it."""
        try:
            tree = self._evaluated(self.values_at(self.point, double=True), double=True)
            found = self._outputs_of(tree)
            shapes = [np.shape(leaf) if owner is None else owner.shape_of(leaf) for leaf, owner in found]
            # With other random numbers it is another function.
            same = self._random.stand_as_after_the_first_call() and all(
                shape == leaf.shape for shape, leaf in zip(shapes, self.outputs.leaves, strict=True)
            )
            return tree if same else None
        except Exception:
            return None

    def _flat(self, tree: Tree) -> Vector:
        """Return the differentiable leaves of a result as a flat vector."""
        found = self._outputs_of(tree)
        return self.outputs.join([leaf if owner is None else owner.to_numpy(leaf) for leaf, owner in found])

    def _outputs_of(self, tree: Tree) -> list[tuple[Any, Framework | None]]:
        """Return the differentiable leaves of a result, each with its framework."""
        both = zip(tree.leaves, tree.owners, strict=True)
        return [pair for pair, kept in zip(both, self._kept, strict=True) if kept]

    def _evaluated(self, values: Sequence[Any], double: bool) -> Tree:
        """Call the function for its values alone.

        It may log its calls in a list, which a call like those of its users is let do.
        """
        if self._keeps_state or self._to_watch:
            with self._keeping_state(collections=False):
                return self._plainly(values, double)
        return self._plainly(values, double)

    def _plainly(self, values: Sequence[Any], double: bool) -> Tree:
        if not self.framework.differentiates:
            return self._call(values, double)
        if self._differentiates_inside:
            values = self.framework.recorded(values)
        with self.framework.evaluating(recording=self._differentiates_inside):
            return self._call(values, double)

    def _call(self, values: Sequence[Any], double: bool) -> Tree:
        with self.framework.working_in(double=double):
            return Tree(self._random.call(self._asked.run, self._filled(values, double)), "output")

    def _filled(self, values: Sequence[Any], double: bool) -> list[Any]:
        """Return all leaves: these values as the differentiated ones, and copies of the constants."""
        rest, leaves = dict(zip(self._positions, values, strict=True)), self._asked.leaves
        return [
            rest[i] if i in rest else leaf if owner is None else owner.copy(leaf, double=double)
            for i, (leaf, owner) in enumerate(zip(leaves, self._asked.owners, strict=True))
        ]
