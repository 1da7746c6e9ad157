"""Record the random numbers of a call, and replay them in a call of the same values in another layout.

torch fills memory in its own order: from the same seed, ``torch.rand_like`` draws another mask for a
transposed tensor. Such a call is one of another function, and its result proves nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch

from pytest_gradcheck.frameworks.torch.lowering.tree import tensors
from pytest_gradcheck.frameworks.torch.private import Mode, schema_of

#: What the random operations of a call returned and wrote, one list for each operation.
Drawn = list[list[torch.Tensor]]


class Draws(Mode):
    """Inside this context the results of random operations are recorded in ``made``, or replaced by those in
    ``again``.

    ``parted`` says that a call could not get the numbers of the other one, because it drew differently.
    """

    def __init__(self, again: Sequence[list[torch.Tensor]] | None = None) -> None:
        super().__init__()
        self.made: Drawn = []
        self._again = again
        self._differs = False

    @property
    def parted(self) -> bool:
        """Whether the call drew other numbers than the one before."""
        return self._differs or (self._again is not None and len(self._again) != len(self.made))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, and keep or replace what it drew."""
        kwargs = kwargs or {}
        draws = _draws(func)
        if draws is False:
            return func(*args, **kwargs)
        before = None if draws else torch.get_rng_state()
        out = func(*args, **kwargs)
        if before is None or not torch.equal(before, torch.get_rng_state()):
            self._keep(tensors(out) + written_by(func, args, kwargs))
        return out

    def _keep(self, drawn: list[torch.Tensor]) -> None:
        k = len(self.made)
        if self._again is not None and k < len(self._again):
            before = self._again[k]
            if [(x.shape, x.dtype) for x in drawn] == [(x.shape, x.dtype) for x in before]:
                with torch.no_grad():
                    for x, old in zip(drawn, before, strict=True):
                        x.copy_(old)
            else:
                self._differs = True
        self.made.append([x.detach().clone() for x in drawn])


@functools.cache
def _draws(func: Any) -> bool | None:
    """Whether an operation draws random numbers; None for one of the user's own, which carries no tag."""
    if func.namespace not in ("aten", "prim", "prims"):
        return None
    return torch.Tag.nondeterministic_seeded in func.tags


def written_by(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """Return the tensors among the arguments of an operation that it writes to."""
    places = _written_places(func)
    return tensors([kwargs.get(name, args[k] if k < len(args) else None) for k, name in places])


@functools.cache
def _written_places(func: Any) -> list[tuple[int, str]]:
    listed = enumerate(schema_of(func).arguments)
    return [(k, a.name) for k, a in listed if a.alias_info is not None and a.alias_info.is_write]
