"""Global random states of Python and all frameworks: the same for every call, and restored afterwards."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.registry import imported


class RandomStates:
    """Makes every call of a function that draws random numbers draw the same ones.

    Seeding the generators costs 30 µs, many times a small function, so it is done only after the first
    call was seen to move one of them.
    """

    def __init__(self, seed: int):
        self.seed = seed
        #: Whether the first call was seen to draw something; None before it.
        self.moved: bool | None = None

    def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """Call a function with the generators where every call starts; the first time, see if it draws."""
        if self.moved is not False:
            self._seed()
        result = function(argument)
        if self.moved is None:
            self._after = _next_draws()
            self._seed()
            self.moved = self._after != _next_draws()
            # A later call may draw anyway, if its values lead to another branch.
            self._seed()
        return result

    def stand_as_after_the_first_call(self) -> bool:
        """Whether the call that was just made drew what the first one drew.

        A framework's uniform numbers may take two steps of its generator in float64 and one in float32.
        """
        return not self.moved or self._after == _next_draws()

    def _seed(self) -> None:
        random.seed(self.seed)
        np.random.seed(self.seed % 2**32)
        for framework in imported():
            framework.seed(self.seed)


@contextlib.contextmanager
def kept_random_states() -> Iterator[None]:
    """Restore the global random states of Python, NumPy and other frameworks on exit."""
    python, numpy = random.getstate(), np.random.get_state()
    others = [(framework, framework.random_state()) for framework in imported()]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        for framework, state in others:
            framework.set_random_state(state)


def _next_draws() -> tuple[Any, ...]:
    """Draw from each generator: one that stands elsewhere draws something else, but once in 2^53 times.

    To read Python's and NumPy's states takes 20 times as long.
    """
    others = [framework.next_draw() for framework in imported()]
    return random.getrandbits(64), np.random.random_sample(), others
