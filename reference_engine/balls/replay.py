"""A function run on floats and on proven numbers at once, and what it decided on the way run again.

The engine records the function while it runs. Every recorded value gets its enclosure from the enclosures of
its arguments, and the program goes on with the float next to it. So whatever the program decides by its
values (a branch, a mask, an order, a number of steps) it decides by numbers that are right to the last digit.
Then it runs again, with every value moved a little, and must record the same: a choice that turns on the last
digits is a tie, and a constant that moves with the inputs has left the recording.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import acb, arb

from reference_engine.balls import numbers
from reference_engine.balls.numbers import Jet, Slopes, TieError, UndecidedError
from reference_engine.balls.rules import rule_of
from reference_engine.contexts import EXACT, tracing, watched
from reference_engine.primitives import PICK, Node, Primitive
from reference_engine.tensor import Tensor

__all__ = ["Enclosure", "NotProvenError", "TiedError", "enclose"]

#: Bits of the first attempt and of the last one: each has twice as many as the one before. 192 are 57 digits,
#: of which a hundred operations leave the 28 that are wanted.
BITS = (192, 384, 768, 1536, 3072)

#: A ball is narrow enough if its radius is smaller than so much of its midpoint: more digits than are
#: printed.
NARROW = 1e-28

#: Or, as that of a zero that cancels, than so much of the largest slope of its output, with so many bits.
NEXT_TO_LARGEST, BITS_OF_ZERO = 1e-60, 512

#: Or than the smallest normal float, with as many bits: what is zero but for a ball next to nothing.
NEXT_TO_NOTHING = 2.0**-1022

#: How far values are moved to see whether a choice turns on them: relative, and for zeros absolute.
NUDGE, NUDGE_OF_ZERO = 2.0**-43, 1e-300

#: Runs with moved values: in pairs, the second moved to the other side.
NUDGED_PAIRS = 2

#: So many numbers are enclosed at most. One takes a few microseconds.
MOST_NUMBERS = 200_000

#: And so many slopes of them, of which one takes a microsecond.
MOST_SLOPES = 2_000_000


class NotProvenError(Exception):
    """There is no proven value, and the message says why."""


class TiedError(NotProvenError):
    """The function makes a choice that turns on the last digits: it may have no derivative here."""


@dataclass(eq=False)
class Enclosure:
    """The value and the Jacobian of a function at a point, enclosed: one array of numbers per output.

    The slopes of a number are by the inputs' entries that were asked for. `bits` is the precision that
    sufficed, and `operations` how many were recorded.
    """

    outputs: list[Any]
    bits: int
    operations: int
    recording: _Recording
    results: list[Any]

    def took_the_same_way(self, other: Enclosure) -> bool:
        """Whether the function has recorded the same at another point: its choices, steps and constants."""
        mine, theirs = self.recording, other.recording
        return (
            len(mine.steps) == len(theirs.steps)
            and all(
                a.primitive is b.primitive and _same(a.args, b.args) and _same(a.params, b.params)
                for a, b in zip(mine.steps, theirs.steps, strict=True)
            )
            and _same(_ends(mine, self.results), _ends(theirs, other.results))
        )


@dataclass(eq=False)
class _Step:
    """One recorded operation: what it was applied to, and the enclosure of its result."""

    primitive: Primitive
    args: tuple[Any, ...]
    params: dict[str, Any]
    enclosure: Any
    #: The floats next to it.
    rounded: Any = None


@dataclass(eq=False)
class _Recording:
    """A run of the function; with `before` one that must repeat it, and takes its enclosures from there."""

    leaves: dict[Node, tuple[Any, ...]]
    before: _Recording | None = None
    nudge: Callable[[Any], Any] | None = None
    places: dict[Node, Any] = field(default_factory=dict)
    steps: list[_Step] = field(default_factory=list)
    failure: NotProvenError | UndecidedError | None = None
    left: int = MOST_NUMBERS
    slopes_left: int = MOST_SLOPES
    #: Choices that are open; see `numbers.either`.
    ties: list[Any] = field(default_factory=list)

    def see(self, node: Node) -> None:
        """Take note of a recorded node, enclose it, and let the program go on with the float next to it."""
        place = self.places[node] = len(self.steps)
        if self.failure is not None:
            self.steps.append(_Step(PICK, (), {}, None))
            return
        try:
            if self.before is None:
                self._enclose(node)
            else:
                self._repeat(node, place)
        except (NotProvenError, UndecidedError) as reason:
            self.failure = reason
            self.steps.append(_Step(PICK, (), {}, None))

    def _enclose(self, node: Node) -> None:
        primitive, params = node.primitive, node.params or {}
        assert primitive is not None
        assert node.args is not None
        rule = rule_of(primitive)
        if rule is None:
            raise NotProvenError(f"{primitive.name} has no rule in ball arithmetic")
        self.left -= sum(np.size(part) for part in node.data) if primitive.outputs else np.size(node.data)
        if self.left < 0:
            raise NotProvenError(f"the function computes more than {MOST_NUMBERS} numbers")
        keys, known = tuple(self.key(arg) for arg in node.args), len(self.ties)
        try:
            found = rule(node.data, *(self.numbers(arg) for arg in node.args), **params)
        except UndecidedError as reason:
            raise type(reason)(f"{primitive.name}: {reason}") from reason
        except NotImplementedError as reason:
            raise NotProvenError(f"{primitive.name} has no rule in ball arithmetic {reason}") from reason
        except (TypeError, ValueError, ZeroDivisionError, AttributeError, IndexError) as reason:
            raise NotProvenError(f"{primitive.name} cannot be enclosed: {reason}") from reason
        enclosure = (
            tuple(map(_settled, found, node.data)) if primitive.outputs else _settled(found, node.data)
        )
        for tie in self.ties[known:]:
            tie.reason = type(tie.reason)(f"{primitive.name}: {tie.reason}")
        for part in enclosure if primitive.outputs else (enclosure,):
            self.slopes_left -= sum(map(_slopes, part.reshape(-1)))
        if self.slopes_left < 0:
            raise NotProvenError(f"the function computes numbers with more than {MOST_SLOPES} slopes")
        step = _Step(primitive, keys, params, enclosure)
        self.steps.append(step)
        if not _shares_memory(primitive):
            step.rounded = node.data = _rounded(enclosure, node.data)

    def _repeat(self, node: Node, place: int) -> None:
        assert self.before is not None
        assert self.nudge is not None
        assert node.args is not None
        steps, params = self.before.steps, node.params or {}
        primitive = node.primitive
        step = steps[place] if place < len(steps) else None
        if step is None or step.primitive is not primitive:
            raise TiedError("the function takes another way if its values move in the last digits")
        keys = tuple(self.key(arg) for arg in node.args)
        if not (_same(step.args, keys) and _same(step.params, params)):
            raise TiedError(
                f"what {primitive.name} is applied to moves with the last digits of the values: a choice "
                "is a tie, or a number has left the recording"
            )
        self.steps.append(step)
        if not _shares_memory(step.primitive):
            rounded = step.rounded
            node.data = tuple(map(self.nudge, rounded)) if type(rounded) is tuple else self.nudge(rounded)

    def key(self, arg: Any) -> Any:
        """What an argument is, the same in each run: a place for what was recorded, else the constant."""
        if type(arg) is not Node:
            return arg
        if arg in self.places:
            return _Place(self.places[arg])
        if arg in self.leaves:
            return _Place(self.leaves[arg][0])
        if arg.primitive is PICK:
            assert arg.args is not None
            assert arg.params is not None
            return _Place((self.places[arg.args[0]], arg.params["index"]))
        if arg.requires_grad:
            raise NotProvenError("a value from outside of the function requires a gradient")
        return None if (arg.params or {}).get("free") else arg.data

    def numbers(self, arg: Any) -> Any:
        """An argument as numbers; what is none, as a mask or a name, as it is."""
        if type(arg) is Node:
            if arg in self.places:
                return self.steps[self.places[arg]].enclosure
            if arg in self.leaves:
                return self.leaves[arg][1]
            if arg.primitive is PICK:
                assert arg.args is not None
                assert arg.params is not None
                return self.steps[self.places[arg.args[0]]].enclosure[arg.params["index"]]
            arg = arg.data
        if arg is None or isinstance(arg, str | bool) or np.asarray(arg).dtype.kind == "b":
            return arg
        return numbers.lifted(arg)


@dataclass(frozen=True)
class _Place:
    """Where in a recording a value was made."""

    at: Any


def _shares_memory(primitive: Primitive) -> bool:
    return primitive.lens is not None or primitive.name in EXACT


def _slopes(x: Any) -> int:
    if type(x) is not Jet:
        return 0
    return len(x.slopes) * (1 + len(x.value.slopes) if type(x.value) is Jet else 1)


def _settled(found: Any, like: Any) -> Any:
    """A result as an array of numbers in the shape of the recorded one, complex where that is."""
    is_complex = np.asarray(like).dtype.kind == "c"
    array = numbers.lifted(found, is_complex=is_complex)
    if not is_complex and any(type(numbers.ball_of(x)) is acb for x in array.reshape(-1)):
        raise NotProvenError("a real number comes out complex in ball arithmetic")
    if array.shape != np.shape(like):
        raise NotProvenError(f"a rule in ball arithmetic gives shape {array.shape}, not {np.shape(like)}")
    return array


def _rounded(enclosure: Any, like: Any) -> Any:
    if type(enclosure) is tuple:
        return tuple(map(_rounded, enclosure, like))
    like = np.asarray(like)
    out = np.empty(like.shape, like.dtype)
    flat = out.reshape(-1)
    for i, x in enumerate(enclosure.reshape(-1)):
        flat[i] = numbers.nearest(x)
    # What is not known to a digit stays as it was computed.
    return np.where(np.isfinite(out), out, like)[()]


def _same(a: Any, b: Any) -> bool:
    """Whether two constants or parameters are the same, arrays and what functions close over included."""
    if a is b:
        return True
    if isinstance(a, np.ndarray | np.generic) or isinstance(b, np.ndarray | np.generic):
        x, y = np.asarray(a), np.asarray(b)
        if x.shape != y.shape or x.dtype != y.dtype:
            return False
        return bool(np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"))
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, functools.partial):
        return a.func is b.func and _same((a.args, a.keywords), (b.args, b.keywords))
    if isinstance(a, types.FunctionType):
        cells = ([c.cell_contents for c in f.__closure__ or ()] for f in (a, b))
        return a.__code__ is b.__code__ and _same(*cells) and _same(a.__defaults__, b.__defaults__)
    return bool(a == b)


def _nudger(seed: int, side: float) -> Callable[[Any], Any]:
    rng = np.random.default_rng(seed)

    def nudge(value: Any) -> Any:
        value = np.asarray(value)
        step = side * rng.uniform(-1, 1, value.shape)
        moved = np.where(value == 0, NUDGE_OF_ZERO * step, value * (1 + NUDGE * step))
        return moved.astype(value.dtype)[()]

    return nudge


def _leaf(array: Any, index: Any, wanted: frozenset[int] | None, twice: bool) -> Any:
    """An input as numbers: the exact floats, each with the slope 1 with respect to itself.

    To differentiate `twice` the floats have that slope too; that of a slope of 1 is none.

    A complex one has the slopes 1 and i, with respect to its real part (the number in `index.real`) and its
    imaginary part.
    """
    balls = numbers.lifted(array)
    out = np.empty(balls.shape, object)
    flat, at = out.reshape(-1), np.asarray(index).reshape(-1)
    is_complex = np.iscomplexobj(array)
    for k, ball in enumerate(balls.reshape(-1)):
        if is_complex:
            units: dict[int, Any] = {int(at[k].real): acb(1), int(at[k].imag): acb(0, 1)}
        else:
            units = {int(at[k]): arb(1)}
        slopes: Slopes = {i: unit for i, unit in units.items() if wanted is None or i in wanted}
        flat[k] = Jet(Jet(ball, slopes) if twice else ball, slopes)
    return out


def _run(
    f: Callable[..., Sequence[Any]],
    arrays: Sequence[Any],
    leaves: Sequence[Any],
    before: _Recording | None = None,
    nudge: Callable[[Any], Any] | None = None,
) -> tuple[_Recording, list[Any]]:
    tensors = [Tensor(array if nudge is None else nudge(array), requires_grad=True) for array in arrays]
    known = {t._node: (("input", k), leaf) for k, (t, leaf) in enumerate(zip(tensors, leaves, strict=True))}
    recording = _Recording(known, before, nudge)
    try:
        with (
            numbers.ties() as recording.ties,
            np.errstate(all="ignore"),
            tracing(),
            watched(recording.see),
        ):
            results = list(f(*tensors))
    except Exception as error:
        # The function is the user's, and may catch and change what a rule has raised.
        if recording.failure is not None:
            raise recording.failure from error
        if before is not None:
            raise TiedError(f"the function raises if its values move in the last digits: {error}") from error
        raise
    if recording.failure is not None:
        raise recording.failure
    return recording, results


def enclose(
    f: Callable[..., Sequence[Any]],
    arrays: Sequence[Any],
    indices: Sequence[Any],
    wanted: frozenset[int] | None = None,
    *,
    twice: bool = False,
) -> Enclosure:
    """The value and the derivatives of a function of arrays, enclosed.

    Args:
        f: takes Tensors, one per array, and returns a sequence of Tensors, arrays and numbers.
        arrays: the point, float64 or complex128; the inputs are exactly these numbers.
        indices: per array the numbers of its entries, an array of the same shape: a complex one has the
            number of the real part and, as its imaginary part, that of the imaginary part.
        wanted: the numbers of the entries to differentiate with respect to; None for all.
        twice: whether slopes have slopes of their own, the second derivatives.

    Raises:
        NotProvenError: a primitive without a rule, values that no precision resolves, too many numbers.
        TiedError: a choice that turns on the last digits.
    """
    reason: Exception = NotProvenError("")
    for bits in BITS:
        with numbers.precision(bits):
            leaves = [_leaf(a, i, wanted, twice) for a, i in zip(arrays, indices, strict=True)]
            try:
                recording, results = _run(f, arrays, leaves)
                outputs = [
                    recording.numbers(r._node) if isinstance(r, Tensor) else numbers.lifted(r)
                    for r in results
                ]
                if recording.ties:
                    outputs = [_settle(output, recording.ties) for output in outputs]
            except TieError as tie:
                raise TiedError(str(tie)) from tie
            except UndecidedError as undecided:
                reason = undecided
                continue
            wide = _widest(outputs, bits)
            if wide is not None and bits < BITS[-1]:
                reason = NotProvenError(f"{wide} is all that is known with {bits} bits")
                continue
            if wide is not None:
                raise NotProvenError(f"{wide} is all that is known with {bits} bits")
            _same_choices(f, arrays, leaves, recording, results)
            return Enclosure(outputs, bits, len(recording.steps), recording, results)
    raise TiedError(f"{reason}, with {BITS[-1]} bits") from reason


def _settle(output: Any, found: list[Any]) -> Any:
    out = np.empty(output.shape, object)
    for at in np.ndindex(*output.shape):
        out[at] = numbers.settled(output[at], found)
    return out


def _ends(run: _Recording, values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(run.key(r._node) if isinstance(r, Tensor) else r for r in values)


def _same_choices(
    f: Callable[..., Sequence[Any]],
    arrays: Sequence[Any],
    leaves: Sequence[Any],
    recording: _Recording,
    results: Sequence[Any],
) -> None:
    """Run the function with moved values; raise `TiedError` where it records something else."""
    for seed in range(NUDGED_PAIRS):
        for side in (1.0, -1.0):
            again, values = _run(f, arrays, leaves, recording, _nudger(seed, side))
            if len(again.steps) != len(recording.steps) or not _same(
                _ends(recording, results), _ends(again, values)
            ):
                raise TiedError("the function takes another way if its values move in the last digits")


def _widest(outputs: Sequence[Any], bits: int) -> Any:
    """A ball among the slopes of the outputs that is too wide to be of use, None where there is none."""
    for output in outputs:
        slopes = [d for x in output.reshape(-1) if type(x) is Jet for d in x.slopes.values()]
        slopes = [
            each for d in slopes for each in ((d.value, *d.slopes.values()) if type(d) is Jet else (d,))
        ]
        parts = [p for d in slopes for p in ((d.real, d.imag) if isinstance(d, acb) else (d,))]
        wide = [part for part in parts if not _is_narrow(part)]
        if wide and bits >= BITS_OF_ZERO:
            largest = max(parts, key=lambda part: part.abs_lower().mid())
            bound = largest.abs_lower() * NEXT_TO_LARGEST
            wide = [
                part
                for part in wide
                if not part.is_finite() or not (part.rad() <= bound or part.abs_upper() < NEXT_TO_NOTHING)
            ]
        if wide:
            return wide[0]
    return None


def _is_narrow(ball: Any) -> bool:
    return bool(ball.is_finite() and ball.rad() <= abs(ball.mid()) * NARROW)
