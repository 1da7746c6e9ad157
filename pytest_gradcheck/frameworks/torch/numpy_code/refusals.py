"""What is refused while NumPy code runs on tensors, found in the exception in which it arrives."""

from __future__ import annotations

from pytest_gradcheck.errors import Unavailable


def refusal(error: BaseException | None) -> Unavailable | None:
    """Return what was refused here from the exception in which it arrived.

    NumPy turns an exception raised while it reads an entry into a ValueError of its own, whose cause is
    the first one.
    """
    while error is not None and not isinstance(error, Unavailable):
        error = error.__cause__
    return error
