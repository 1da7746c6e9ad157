"""The recording of a torch function as data, and its replay.

A tape is in static single assignment form: every value has a number (its *slot*), is written once, and
nothing is changed in place. Slots are inputs, constants, or results of nodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
NumpyRule = Callable[..., Any]
Precision = Literal["float64", "float32", "own"]

_IN_PRECISION: dict[str, dict[str, np.dtype[Any]]] = {
    "float64": {"f": np.dtype(np.float64), "c": np.dtype(np.complex128)},
    "float32": {"f": np.dtype(np.float32), "c": np.dtype(np.complex64)},
    "own": {},
}


class LoweringError(Exception):
    """Raised for a torch function that cannot be lowered to the reference engine.

    Attributes:
        operation: qualified name of the operation that stands in the way, such as
            ``"mylib::blur.default"``, or None when no single operation does.
    """

    def __init__(self, message: str, operation: str | None = None) -> None:
        super().__init__(message)
        self.operation = operation


class OpaqueError(LoweringError):
    """Raised when memory was written where the recording does not see it."""


class Slot(NamedTuple):
    """Stands in a node's arguments for the value with this number."""

    number: int


class Dtype(NamedTuple):
    """Stands in a node's arguments for a dtype; which one it is depends on the precision of the replay."""

    own: np.dtype[Any]


class Entry(NamedTuple):
    """A rule and what the recorder must do for it.

    ``recorded``: the results of the recording are passed to the rule as the keyword ``recorded``, for
    operations that draw their own noise. ``hidden_writes`` names, among the arguments of a call, the tensors
    that the operation updates without saying so in its schema; their new values are further results of the
    rule.
    """

    function: NumpyRule
    recorded: bool = False
    hidden_writes: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None


class Site(NamedTuple):
    """An event in a recorded function, and its place.

    ``operation`` is the name in the user's code if it is known (``"Tensor.item"``), ``location`` is
    ``"path:line"`` of the innermost frame outside torch, or ``""``. ``inside`` says whether that was in the
    forward of an `autograd.Function`, whose backward need not care.
    """

    operation: str
    location: str
    inside: bool = False


@dataclass(slots=True)
class TapeNode:
    """One operation: ``rule(*args, **kwargs)``, with slots for values, gives the values of ``out``.

    ``out`` holds slot numbers, None for a result that is not a tensor. ``single`` tells a rule that returns
    its only result bare from one that returns a tuple. ``dtypes`` are those of the recording.
    """

    name: str
    rule: NumpyRule
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: tuple[int | None, ...]
    dtypes: tuple[np.dtype[Any] | None, ...]
    single: bool
    reads: tuple[int, ...]
    location: str = ""


#: Is called with a node and its results.
Observer = Callable[[TapeNode, list[Any]], None]


@dataclass(slots=True)
class Tape:
    """Inputs, constants, nodes and outputs; see the module's docstring.

    ``constants`` are arrays in the dtype that they had (bfloat16 as float32). ``stops`` are the values behind
    which autograd sees nothing.
    """

    inputs: list[int] = field(default_factory=list)
    input_dtypes: list[np.dtype[Any]] = field(default_factory=list)
    constants: dict[int, Array] = field(default_factory=dict)
    nodes: list[TapeNode] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    slots: int = 0

    def new_slot(self) -> int:
        """A number that no value has yet."""
        self.slots += 1
        return self.slots - 1

    def held(self, inputs: Sequence[Array]) -> Tape:
        """The same tape with stopped values as constants: those at these inputs."""
        wanted = set(self.stops)
        values: dict[int, Array] = {}

        def keep(node: TapeNode, results: list[Any]) -> None:
            values.update((slot, np.asarray(results[0])) for slot in node.out if slot in wanted)

        Replay(self, "float64").run(inputs, keep)
        nodes = [node for node in self.nodes if wanted.isdisjoint(node.out)]
        tape = dataclasses.replace(self, constants={**self.constants, **values}, nodes=nodes, stops=[])
        tape.prune()
        return tape

    def prune(self) -> None:
        """Drop every node and constant that no output needs."""
        needed = set(self.outputs)
        kept: list[TapeNode] = []
        for node in reversed(self.nodes):
            if any(slot in needed for slot in node.out):
                needed.update(node.reads)
                kept.append(node)
        kept.reverse()
        self.nodes = kept
        self.constants = {slot: value for slot, value in self.constants.items() if slot in needed}


def slots_in(tree: Any) -> list[int]:
    """The slot numbers in a node's argument, nested lists included."""
    if type(tree) is Slot:
        return [tree.number]
    if type(tree) in (list, tuple):
        return [slot for item in tree for slot in slots_in(item)]
    return []


def working_dtype(own: np.dtype[Any], precision: Precision) -> np.dtype[Any]:
    """The dtype in which a value recorded in dtype ``own`` is replayed."""
    return _IN_PRECISION[precision].get(own.kind, own)


def _specialise(arg: Any, precision: Precision) -> Any:
    return working_dtype(arg.own, precision) if type(arg) is Dtype else arg


def _fill(tree: Any, values: list[Any]) -> Any:
    if type(tree) is Slot:
        return values[tree.number]
    if type(tree) is list:
        return [_fill(item, values) for item in tree]
    return tree


class Replay:
    """A tape prepared for replay in one precision: dtypes settled, constants cast, slots located."""

    def __init__(self, tape: Tape, precision: Precision) -> None:
        self.tape = tape
        self.precision = precision
        self._start: list[Any] = [None] * tape.slots
        for slot, constant in tape.constants.items():
            self._start[slot] = constant.astype(working_dtype(constant.dtype, precision), copy=False)
        self._steps = [self._step(node) for node in tape.nodes]

    def _step(self, node: TapeNode) -> tuple[Any, ...]:
        args: Any = node.args
        plain: list[tuple[int, int]] = []
        nested: list[int] = []
        for i, arg in enumerate(args):
            kind = type(arg)
            if kind is Slot:
                plain.append((i, arg.number))
            elif kind is list and slots_in(arg):
                nested.append(i)
            elif kind is Dtype:
                args = (*args[:i], working_dtype(arg.own, self.precision), *args[i + 1 :])
        kwargs, named = node.kwargs, []
        if kwargs:
            kwargs = {name: _specialise(arg, self.precision) for name, arg in kwargs.items()}
            named = [name for name, arg in kwargs.items() if slots_in(arg)]
        return node, args, kwargs, plain, nested, named

    def run(
        self, inputs: Sequence[Any], watch: Callable[[TapeNode, list[Any]], None] | None = None
    ) -> list[Any]:
        """Values of the tape's outputs. ``inputs`` are arrays or engine tensors in the working dtype.

        ``watch`` is called after every node with the node and its results.
        """
        values = self._start.copy()
        for slot, value in zip(self.tape.inputs, inputs, strict=True):
            values[slot] = value
        # torch computes infinities and NaN without warnings, and so does its replay.
        with np.errstate(all="ignore"):
            self._replay(values, watch)
        return [values[slot] for slot in self.tape.outputs]

    def _replay(self, values: list[Any], watch: Observer | None) -> None:
        narrow = self.precision != "float64"  # in float64 nothing can drift
        for node, args, kwargs, plain, nested, named in self._steps:
            filled = list(args)
            for position, slot in plain:
                filled[position] = values[slot]
            for position in nested:
                filled[position] = _fill(args[position], values)
            if named:
                kwargs = kwargs | {name: _fill(kwargs[name], values) for name in named}
            try:
                result = node.rule(*filled, **kwargs)
            except Exception as error:
                raise LoweringError(
                    f"the reference rule of {node.name} failed: {type(error).__name__}: {error}", node.name
                ) from error
            results = (result,) if node.single else result
            if narrow:
                results = [_kept(r, d, self.precision) for r, d in zip(results, node.dtypes, strict=False)]
            for slot, value in zip(node.out, results, strict=False):
                if slot is not None:
                    values[slot] = value
            if watch is not None:
                watch(node, list(results))


def _kept(value: Any, dtype: np.dtype[Any] | None, precision: Precision) -> Any:
    # NumPy promotes a 0-d float64 with a float32 array to float64 where torch stays in float32, and has no
    # float32 version of some routines: without this the replay would drift to float64 unnoticed.
    if dtype is None or value is None or dtype.kind not in "fc":
        return value
    dtype = working_dtype(dtype, precision)
    current = np.asarray(value).dtype if not hasattr(value, "dtype") else value.dtype
    return value if current == dtype else value.astype(dtype)
