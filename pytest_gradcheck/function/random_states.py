"""The global random states of Python, NumPy and torch: the same for every call, and as before afterwards."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np


class RandomStates:
    """Makes every call of a function that draws random numbers draw the same ones.

    Seeding the three generators costs 30 µs, many times a small function, so it is done only after
    the first call was seen to move one of them.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self._moved: bool | None = None

    @property
    def moved(self) -> bool:
        """Whether the first call was seen to draw something."""
        return bool(self._moved)

    def rewind(self) -> None:
        """Bring the generators to where every call starts."""
        if self._moved is not False:
            self._seed()

    def look(self) -> None:
        """After the first call: note whether it drew anything."""
        if self._moved is None:
            self._after = _next_draws()
            self._seed()
            self._moved = self._after != _next_draws()
            # A later call may draw all the same, where its values take it another way.
            self._seed()

    def stand_as_after_the_first_call(self) -> bool:
        """Whether the call that was just made drew what the first one drew.

        torch's uniform numbers take two steps of the generator in float64 and one in float32.
        """
        return not self._moved or self._after == _next_draws()

    def _seed(self) -> None:
        random.seed(self.seed)
        np.random.seed(self.seed % 2**32)
        torch = sys.modules.get("torch")
        if torch is None:
            return
        if torch.accelerator.is_available():
            torch.manual_seed(self.seed)
        else:
            # For every kind of device that is not there `torch.manual_seed` formats the stack of its caller,
            # in case the device comes up later: that takes a millisecond.
            torch.default_generator.manual_seed(self.seed)


@contextlib.contextmanager
def kept_random_states() -> Iterator[None]:
    """Leave Python's, NumPy's and torch's global random states as they were found."""
    before = _random_states()
    try:
        yield
    finally:
        _set_random_states(before)


def _random_states() -> tuple[Any, ...]:
    torch = sys.modules.get("torch")
    return random.getstate(), np.random.get_state(), None if torch is None else torch.get_rng_state()


def _set_random_states(states: tuple[Any, ...]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])
    if states[2] is not None:
        sys.modules["torch"].set_rng_state(states[2])


def _next_draws() -> tuple[Any, ...]:
    """Draw from each generator: who stands elsewhere draws something else, but once in 2^53 times.

    To read Python's and NumPy's states takes 20 times as long.
    """
    torch = sys.modules.get("torch")
    state = None if torch is None else torch.get_rng_state().numpy().tobytes()
    return random.getrandbits(64), np.random.random_sample(), state
