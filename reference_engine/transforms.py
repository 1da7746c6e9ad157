"""Functions of functions: vjp, jvp, grad, jacobian, hessian.

Every transform runs the function on its own leaves. Other values that the result depends on (an outer
transform's argument, a Tensor from outside) stay in the graph as different leaves, so nested derivatives are
never confused, and nesting gives the higher orders.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from reference_engine import operators
from reference_engine.backward import Tape, check_cotangent
from reference_engine.containers import flatten, is_differentiable
from reference_engine.contexts import now, recording, tracing
from reference_engine.primitives import Node, tensor_of
from reference_engine.tensor import Tensor, as_tensor

__all__ = ["grad", "hessian", "jacobian", "jvp", "value_and_grad", "vjp"]


def _leaf(value: Any) -> Node:
    """A transform's leaf, connected to `value` if an outer transform traces it."""
    if type(value) is Tensor and value.requires_grad:
        with recording():
            return operators.positive(value)._node  # type: ignore[no-any-return]  # a primitive returns Any
    leaf = Tensor(value, requires_grad=True)._node
    leaf.params = {"live": True}
    return leaf


class _Trace:
    """One run of `f` on leaves in place of the differentiable arguments."""

    def __init__(self, f: Callable[..., Any], args: Sequence[Any]) -> None:
        if not callable(f):
            raise TypeError(f"f must be callable, got {type(f).__name__}")
        self.given, self.rebuild = flatten(tuple(args))
        self.sources: list[Node | None] = [
            _leaf(leaf) if is_differentiable(leaf) else None for leaf in self.given
        ]
        if not any(source is not None for source in self.sources):
            kinds = ", ".join(type(leaf).__name__ for leaf in self.given) or "nothing"
            raise TypeError(
                f"args must hold at least one real or complex number, array or Tensor, got {kinds}; "
                "pass 2.0 in place of 2, and array.astype(float) for an integer array"
            )
        # `f` may write into its arguments: that changes its handles, not the sources.
        inputs = self.rebuild(
            [g if s is None else tensor_of(s) for g, s in zip(self.given, self.sources, strict=True)]
        )
        try:
            with tracing():
                result = f(*inputs)
        finally:
            for source in self.sources:
                if source is not None and source.primitive is None:
                    source.params = {"live": False}
        self.results, self.rebuild_result = flatten(result)
        _must_be_numbers(self.results)

    @property
    def value(self) -> Any:
        """The result of `f`; Tensors only if something other than its arguments is being traced."""
        return self.rebuild_result([self._outside(leaf) for leaf in self.results])

    def _outside(self, leaf: Any) -> Any:
        if type(leaf) is not Tensor:
            return leaf
        if leaf.requires_grad and self.nested:
            return leaf
        return leaf._node.data[()]

    @property
    def nested(self) -> bool:
        """Whether anything besides this trace's own leaves is being traced."""
        return now().depth > 0 or self.tape.foreign

    @functools.cached_property
    def tape(self) -> Tape:
        """From all results to all differentiable sources."""
        return self.tape_from(range(len(self.results)))

    def tape_from(self, places: Iterable[int]) -> Tape:
        """From the results in `places` to all differentiable sources."""
        return Tape(
            [self.results[i]._node for i in places if self.is_traced(i)],
            [source for source in self.sources if source is not None],
        )

    def is_traced(self, i: int) -> bool:
        """Whether the result in place i may depend on a source."""
        leaf = self.results[i]
        return type(leaf) is Tensor and leaf.requires_grad

    def pull(self, cotangents: Sequence[Any], differentiable: bool | None = None) -> list[Any]:
        """The cotangent of each differentiable source; zeros where nothing depends on it."""
        traced = [cotangent for i, cotangent in enumerate(cotangents) if self.is_traced(i)]
        return self.filled(self.tape.pull(traced, differentiable))

    def filled(self, found: Sequence[Any]) -> list[Any]:
        """The cotangents that a tape found, with zeros for sources that nothing depends on."""
        sources = [source for source in self.sources if source is not None]
        return [
            np.zeros_like(source.data) if cotangent is None else cotangent
            for source, cotangent in zip(sources, found, strict=True)
        ]

    def spread(self, cotangents: Sequence[Any]) -> list[Any]:
        """`cotangents` of the differentiable arguments among all of them, None for the others."""
        rest = iter(cotangents)
        return [None if source is None else _result(next(rest)) for source in self.sources]


def _must_be_numbers(results: Iterable[Any]) -> None:
    for leaf in results:
        if not (is_differentiable(leaf) or isinstance(leaf, int | np.ndarray | np.generic | Tensor)):
            raise TypeError(
                "the result of f must be numbers, arrays or Tensors, nested in tuples, lists, dicts or "
                f"dataclasses, got {type(leaf).__name__}"
            )


def _result(value: Any) -> Any:
    """A gradient in the form that transforms return: private memory, unless it is still traced."""
    if type(value) is Tensor:
        return value if value.requires_grad else np.array(value._node.data)[()]
    return np.array(value)[()]


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """The value of `f(*args)` and its pullback, from cotangents of the result to those of the arguments.

    `pullback(cotangent)` takes the nesting and shapes of the value and returns one entry per argument, with
    the argument's own nesting: arrays of its shape and dtype, None for a leaf that is not a real or complex
    number. It can be called any number of times. Inside another transform, or if the cotangent is a Tensor
    that requires a gradient, the result is differentiable.

    Errors: TypeError if `args` hold nothing differentiable, ValueError for a cotangent of another nesting
    or shape.
    """
    trace = _Trace(f, args)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        given, _ = flatten(cotangent)
        if len(given) != len(trace.results):
            raise ValueError(
                f"cotangent must have the nesting of the value, {len(trace.results)} leaves, got {len(given)}"
            )
        checked = [
            check_cotangent(c, leaf._node.data) if type(leaf) is Tensor and leaf.requires_grad else None
            for c, leaf in zip(given, trace.results, strict=True)
        ]
        return trace.rebuild(trace.spread(trace.pull(checked)))  # type: ignore[no-any-return]  # rebuilds a tuple

    return trace.value, pullback


def vjp_of_arrays(
    f: Callable[..., Sequence[Any]], arrays: Sequence[Any]
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """As `vjp`, for real or complex arrays, a flat sequence of results, and plain numbers throughout.

    The values and the gradients are arrays or NumPy scalars, whatever else is being traced, and may share
    memory with the graph. The pullback takes one cotangent per result and returns one per array.
    """
    sources = [_leaf(array) for array in arrays]
    try:
        with tracing():
            results = list(f(*map(tensor_of, sources)))
    finally:
        for source in sources:
            source.params = {"live": False}
    _must_be_numbers(results)
    nodes = [leaf._node if type(leaf) is Tensor else None for leaf in results]
    live = [node for node in nodes if node is not None and node.requires_grad]
    tape = Tape(live, sources)

    def pullback(cotangents: Sequence[Any]) -> list[Any]:
        checked = [
            check_cotangent(cotangent, node.data)
            for cotangent, node in zip(cotangents, nodes, strict=True)
            if node is not None and node.requires_grad
        ]
        found = zip(sources, tape.pull(checked, differentiable=False), strict=True)
        return [np.zeros_like(source.data) if got is None else got for source, got in found]

    return [leaf if node is None else node.data for leaf, node in zip(results, nodes, strict=True)], pullback


def jvp(f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of `f(*args)` and its directional derivative along `tangents`.

    `tangents` has the nesting and shapes of `args`; None (or anything) stands for a leaf that is not
    differentiable. The tangent is the transpose of the transpose: the pullback is linear in its
    cotangent, and the pullback of that map is the pushforward (J. Townsend, "A new trick for calculating
    Jacobian vector products", 2017).
    """
    if not isinstance(args, tuple | list):
        raise TypeError(f"args must be a tuple of arguments, got {type(args).__name__}")
    if not isinstance(tangents, tuple | list):
        raise TypeError(f"tangents must be a tuple like args, got {type(tangents).__name__}")
    trace = _Trace(f, args)
    given, _ = flatten(tuple(tangents))
    if len(given) != len(trace.given):
        raise ValueError(
            f"tangents must have the nesting of args with {len(trace.given)} leaves, got {len(given)}"
        )
    directions = [
        check_cotangent(tangent, source.data, "tangents")
        for tangent, source in zip(given, trace.sources, strict=True)
        if source is not None
    ]
    dummies = [
        Tensor(np.zeros_like(leaf._node.data), requires_grad=True)
        if type(leaf) is Tensor and leaf.requires_grad
        else None
        for leaf in trace.results
    ]
    pulled = trace.pull(dummies, differentiable=True)
    outputs = [
        (cotangent._node, direction)
        for cotangent, direction in zip(pulled, directions, strict=True)
        if type(cotangent) is Tensor and cotangent.requires_grad
    ]
    live = [dummy._node for dummy in dummies if dummy is not None]
    pushed = iter(Tape([node for node, _ in outputs], live).pull([direction for _, direction in outputs]))
    out = []
    for leaf, dummy in zip(trace.results, dummies, strict=True):
        tangent = None if dummy is None else next(pushed)
        out.append(np.zeros(np.shape(leaf), leaf.dtype if hasattr(leaf, "dtype") else float)[()]
                   if tangent is None else _result(tangent))  # fmt: skip
    return trace.value, trace.rebuild_result(out)


def _argnums(argnums: int | Sequence[int], count: int) -> tuple[int, ...]:
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in chosen:
        if isinstance(i, bool) or not isinstance(i, int) or not -count <= i < count:
            raise ValueError(
                f"argnums must be positions of the {count} positional arguments, got {argnums!r}"
            )
    return tuple(i % count for i in chosen)


def _partial(
    f: Callable[..., Any], argnums: int | Sequence[int], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[_Trace, Callable[[Sequence[Any]], Any]]:
    """A trace of `f` as a function of the chosen arguments, and a function that returns their gradients."""
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}")
    chosen = _argnums(argnums, len(args))
    # A Python int counts as a real number if its derivative is requested by position.
    values = [float(args[i]) if type(args[i]) is int else args[i] for i in chosen]

    def call(*inner: Any) -> Any:
        full = list(args)
        for i, value in zip(chosen, inner, strict=True):
            full[i] = value
        return f(*full, **kwargs)

    trace = _Trace(call, values)

    def pack(cotangents: Sequence[Any]) -> Any:
        result = trace.rebuild(trace.spread(cotangents))
        return result[0] if isinstance(argnums, int) else result

    return trace, pack


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[Any, Any]]:
    """A function that returns `f(...)`, one real number, and its gradient with respect to `argnums`.

    The gradient has the nesting, shapes and dtypes of the argument; for several `argnums` it is a tuple.
    """

    def with_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        trace, pack = _partial(f, argnums, args, kwargs)
        if len(trace.results) != 1 or np.size(trace.results[0]) != 1:
            shapes = [np.shape(leaf) for leaf in trace.results]
            raise ValueError(
                f"grad needs a function with one number as its result, got shapes {shapes}; see jacobian"
            )
        (leaf,) = trace.results
        if np.result_type(leaf if type(leaf) is not Tensor else leaf.dtype).kind == "c":
            raise TypeError(
                "grad needs a real result, got a complex one; take its real or imaginary part, or use vjp"
            )
        cotangents = trace.pull([np.ones(leaf.shape, leaf.dtype)] if type(leaf) is Tensor else [None])
        return trace.value, pack(cotangents)

    return with_gradient


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The gradient of `f`, a function that returns one real number, with respect to the arguments `argnums`.

    `grad(grad(f))` and any other nesting gives the higher orders.
    """
    both = value_and_grad(f, argnums)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The Jacobian of `f` with respect to the arguments `argnums`, for results of any shape.

    For a result of shape s and an argument of shape t the Jacobian has shape s + t: entry [i, j] is d
    result[i] / d argument[j]. With nested results or arguments it has the nesting of the result, and in
    each leaf that of the argument. One pullback per entry of the result. For complex results the cotangent
    1 is pulled back, so a holomorphic function gives the conjugate of its derivative's conjugate, that
    is, f'.
    """

    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        trace, pack = _partial(f, argnums, args, kwargs)
        blocks = [_jacobian_blocks(trace, k) for k in range(len(trace.results))]
        return trace.rebuild_result([pack(row) for row in blocks])

    return jacobian_of


def _jacobian_blocks(trace: _Trace, place: int) -> list[Any]:
    """The Jacobian of one result with respect to each differentiable source, one pass per entry."""
    leaf = trace.results[place]
    shape = np.shape(leaf)
    sources = [source for source in trace.sources if source is not None]
    if not trace.is_traced(place) or 0 in shape:
        return [np.zeros(shape + source.data.shape, source.data.dtype) for source in sources]
    tape = trace.tape_from([place])
    unit = np.zeros(shape, leaf.dtype)
    rows = []
    for index in np.ndindex(*shape):
        unit[index] = 1
        rows.append(trace.filled(tape.pull([unit.copy()])))
        unit[index] = 0
    blocks = []
    for i, source in enumerate(sources):
        block = np.reshape(_stack([row[i] for row in rows]), shape + source.data.shape)
        blocks.append(np.conjugate(block) if leaf.dtype.kind == "c" else block)
    return blocks


def _stack(rows: list[Any]) -> Any:
    if any(type(row) is Tensor for row in rows):
        return np.stack([as_tensor(row) for row in rows])
    return np.stack(rows)


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The Hessian of `f`, a function that returns one real number: the Jacobian of its gradient.

    For an argument of shape t it has shape t + t.
    """
    return jacobian(grad(f, argnums), argnums)
