"""Gradients that typical mistakes in a backward would give, from the graph of the forward pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import reference_engine
from pytest_gradcheck.core import thresholds
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.methods.reference import ReferencePullback
from reference_engine.backward import Tape
from reference_engine.primitives import Node

__all__ = ["Mistake", "Mistakes"]


class Mistake(NamedTuple):
    """A code, the mistake in words, and the gradient that results, flat, for any cotangent."""

    code: str
    text: str
    gradient: Callable[[Vector], Vector]


@dataclass(frozen=True, eq=False)
class Use:
    """An argument of an operation: the node that the operation made, and the argument's position."""

    node: Node
    position: int

    @property
    def argument(self) -> Node:
        """The value that is used."""
        assert self.node.args is not None
        argument: Node = self.node.args[self.position]
        return argument

    @property
    def name(self) -> str:
        """The operation's name."""
        assert self.node.primitive is not None
        return self.node.primitive.name

    def again(self, value: Any) -> Any:
        """Call the operation with another value of the argument."""
        assert self.node.primitive is not None
        given = [a.data if type(a) is Node else a for a in self.node.args or ()]
        given[self.position] = value
        return self.node.primitive(*given, **(self.node.params or {}))


class Mistakes:
    """Possible mistakes in the backward of the program at a pullback's point."""

    def __init__(self, pullback: ReferencePullback):
        self._program = pullback.program
        leaves = [reference_engine.Tensor(a, requires_grad=True) for a in pullback.arrays]
        outs = [reference_engine.tensor.as_tensor(out) for out in self._program.run(*leaves)]
        self._leaves = [leaf._node for leaf in leaves]
        self._outs = [out._node for out in outs]
        self._uses = self._find_uses()

    def __iter__(self) -> Iterator[Mistake]:
        """Iterate over them: a use whose term is missing, then an axis or copies that are not summed over."""
        if len(self._uses) > thresholds.MOST_USES:
            return
        for use in self._uses:
            yield Mistake(
                "missing-term",
                f"lacks the term that goes through {use.name}",
                # The default binds the loop's name, which mypy takes for an argument without a type.
                lambda u, use=use: self._whole(u) - self._below(use, self._share(use, u)),  # type: ignore[misc]  # a default binds the loop's name
            )
        copied: dict[str, list[Mistake]] = {"last": [], "first": []}
        for use in self._uses:
            yield from self._unsummed(use)
            for which, mistake in self._overwritten(use):
                copied[which].append(mistake)
                yield mistake
        for which, alike in copied.items():
            if len(alike) > 1:
                yield self._all_of(
                    alike, f"takes the {which} of the places that {len(alike)} operations copy an entry to"
                )

    def _find_uses(self) -> list[Use]:
        seen: set[Node] = set()
        pending, uses = list(self._outs), []
        while pending:
            node = pending.pop()
            if node in seen or node.primitive is None or not node.requires_grad:
                continue
            seen.add(node)
            for position, argument in enumerate(node.args or ()):
                if type(argument) is Node and argument.requires_grad:
                    uses.append(Use(node, position))
                    pending.append(argument)
        # One of several results has no values of its own to be called with.
        return [use for use in uses if isinstance(use.argument.data, np.ndarray | np.generic)]

    def _whole(self, cotangent: Vector) -> Vector:
        return self._flat(Tape(self._outs, self._leaves).pull(self._split(cotangent), differentiable=False))

    def _share(self, use: Use, cotangent: Vector, argument: Any = None) -> Any:
        """Return what one use adds to the cotangent of its argument, which may be given in another shape."""
        (total,) = Tape(self._outs, [use.node]).pull(self._split(cotangent), differentiable=False)
        value = use.argument.data if argument is None else argument
        if total is None:
            return np.zeros_like(value)
        _, pull = reference_engine.vjp(use.again, value)
        (share,) = pull(total)
        return _plain(share)

    def _below(self, use: Use, share: Any) -> Vector:
        """Return what a cotangent of a use's argument adds to the gradient."""
        return self._flat(Tape([use.argument], self._leaves).pull([share], differentiable=False))

    def _unsummed(self, use: Use) -> Iterator[Mistake]:
        small, large = np.shape(use.argument.data), np.shape(use.node.data)
        if len(small) > len(large) or small == large:
            return
        full = (1,) * (len(large) - len(small)) + small
        axes = [i for i, (s, n) in enumerate(zip(full, large, strict=True)) if s == 1 and n > 1]
        if any(s not in (1, n) for s, n in zip(full, large, strict=True)):
            return
        wide = np.broadcast_to(use.argument.data, large).copy()
        for axis, index in itertools.product(axes, (0, -1)):

            def gradient(u: Vector, axis: int = axis, index: int = index) -> Vector:
                whole = self._share(use, u, wide)
                part = np.take(whole, [index], axis=axis)
                summed = self._reduced(part, full).reshape(small)
                right = self._reduced(whole, full).reshape(small)
                return self._whole(u) + self._below(use, summed - right)

            which = "first" if index == 0 else "last"
            text = f"takes the {which} entry of axis {axis}, along which {use.name} broadcasts, not the sum"
            yield Mistake("missing-sum", text, gradient)

    def _all_of(self, alike: list[Mistake], words: str) -> Mistake:
        """Combine the same mistake in several parallel operations."""

        def gradient(u: Vector) -> Vector:
            right = self._whole(u)
            return right + sum((each.gradient(u) - right for each in alike), np.zeros_like(right))

        return Mistake("missing-sum", f"{words}, not their sum", gradient)

    def _overwritten(self, use: Use) -> Iterator[tuple[str, Mistake]]:
        """If an operation copies an entry to several places, take the cotangent of only one of them.

        Each mistake says which one.
        """
        places = self._places(use)
        if places is None or np.unique(places).size == places.size:
            return
        for which, order in (("last", slice(None)), ("first", slice(None, None, -1))):

            def gradient(u: Vector, order: slice = order) -> Vector:
                (total,) = Tape(self._outs, [use.node]).pull(self._split(u), differentiable=False)
                right = self._share(use, u)
                kept = np.zeros(np.size(use.argument.data), dtype=np.asarray(right).dtype)
                if total is not None:
                    # Of several values for the same place NumPy keeps the last.
                    kept[places[order]] = np.ravel(_plain(total))[order]
                return self._whole(u) + self._below(use, kept.reshape(np.shape(right)) - right)

            text = f"takes the {which} of the places that {use.name} copies an entry to, not their sum"
            yield which, Mistake("missing-sum", text, gradient)

    def _places(self, use: Use) -> Any:
        """Return which entry of the argument each entry of the result is, or None where one is new."""
        node, value = use.node, np.asarray(use.argument.data)
        numbers = np.arange(1.0, value.size + 1).reshape(value.shape)
        try:
            found = np.ravel(_plain(use.again(numbers)))
        except Exception:
            # It does not accept such numbers, so it does not copy them.
            return None
        if found.size != np.size(node.data) or not np.isin(found, numbers).all():
            return None
        places = np.real(found).astype(int) - 1
        return places if (value.ravel()[places] == np.ravel(node.data)).all() else None

    def _reduced(self, values: Any, shape: tuple[int, ...]) -> Any:
        axes = tuple(i for i, (s, n) in enumerate(zip(shape, values.shape, strict=True)) if s == 1 and n > 1)
        return values.sum(axis=axes, keepdims=True)

    def _split(self, cotangent: Vector) -> list[Any]:
        return [
            part.astype(node.data.dtype).reshape(node.data.shape)
            for part, node in zip(self._program.outputs.split(cotangent), self._outs, strict=True)
        ]

    def _flat(self, grads: list[Any]) -> Vector:
        filled = [
            np.zeros_like(leaf.data) if g is None else np.asarray(_plain(g))
            for g, leaf in zip(grads, self._leaves, strict=True)
        ]
        return self._program.inputs.join(filled)


def _plain(value: Any) -> Any:
    return value.data if isinstance(value, reference_engine.Tensor) else value
