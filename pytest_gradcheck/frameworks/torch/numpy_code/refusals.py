"""Find the original refusal in an exception that NumPy raises while its code runs on tensors."""

from __future__ import annotations

from pytest_gradcheck.errors import Unavailable


def refusal(error: BaseException | None) -> Unavailable | None:
    """Return the refusal inside an exception.

    NumPy turns an exception raised while it reads an entry into a ValueError of its own, whose cause is
    the first one.
    """
    while error is not None and not isinstance(error, Unavailable):
        error = error.__cause__
    return error
