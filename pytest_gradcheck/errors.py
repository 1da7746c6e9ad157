"""The two ways in which a check cannot be made: the caller's mistake, and a method's limits."""

from __future__ import annotations

from collections.abc import Iterable


class InvalidArgument(ValueError):  # noqa: N818  named as in Hypothesis, whose users meet both side by side
    """A wrong use of the public interface: names the argument, what was got, and what would be right."""

    def __init__(self, argument: str, got: str, remedy: str):
        super().__init__(f"{argument}: got {got}; {remedy}")
        self.argument = argument


class Unavailable(Exception):  # noqa: N818  it is a state of a method, not a mistake of anybody
    """Raised by a method that cannot run on a problem; the text is the reason that every report shows."""


class Opaque(Unavailable):
    """Raised by a method that rests on a recording, where code runs that no recording sees."""


class NotImplementedByFramework(Unavailable):
    """Raised where a framework has no derivative to give, such as that of a fused kernel's backward."""


def suggestion(name: str, known: Iterable[str], what: str) -> str:
    """Return the remedy for an unknown name: the nearest known one, then all of them after ``what``."""
    known = list(known)
    near = nearest(name, known)
    return f"{f'did you mean {near!r}? ' if near else ''}{what}: {', '.join(known)}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a mistyped one resembles most, if any does.

    Exchanged letters come first: "esp" is "eps", although difflib finds more of it in "hessp".
    """
    import difflib

    known = list(known)
    exchanged = [one for one in known if sorted(one) == sorted(name)]
    return next(iter(exchanged or difflib.get_close_matches(name, known, n=1)), None)
