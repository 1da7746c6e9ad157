"""Errors: wrong use by the caller, and methods that cannot run."""

from __future__ import annotations

from collections.abc import Iterable


class InvalidArgument(ValueError):  # noqa: N818  named as in Hypothesis, whose users meet both side by side
    """Raised for wrong use of the interface; names the argument, its value and what to write instead."""

    def __init__(self, argument: str, got: str, remedy: str):
        super().__init__(f"{argument}: got {got}; {remedy}")
        self.argument = argument


class Unavailable(Exception):  # noqa: N818  a state of a method, not an error
    """Raised by a method that cannot run on a problem; reports show its text as the reason."""


class Opaque(Unavailable):
    """Raised by a method that needs a recording when the function runs code that cannot be recorded."""


class NotImplementedByFramework(Unavailable):
    """Raised when a framework does not implement a derivative, such as that of a fused kernel's backward."""


def suggestion(name: str, known: Iterable[str], what: str) -> str:
    """Return the remedy for an unknown name: the closest known name, then all of them after ``what``."""
    known = list(known)
    near = nearest(name, known)
    return f"{f'did you mean {near!r}? ' if near else ''}{what}: {', '.join(known)}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to a mistyped one, or None.

    Swapped letters come first: "esp" is "eps", although difflib finds "hessp" closer.
    """
    import difflib

    known = list(known)
    exchanged = [one for one in known if sorted(one) == sorted(name)]
    return next(iter(exchanged or difflib.get_close_matches(name, known, n=1)), None)
