"""The two ways in which a check cannot be made: the caller's mistake, and a method's limits."""

from __future__ import annotations


class InvalidArgument(ValueError):  # noqa: N818  named as in Hypothesis, whose users meet both side by side
    """A wrong use of the public interface: names the argument, what was got, and what would be right."""

    def __init__(self, argument: str, got: str, remedy: str):
        super().__init__(f"{argument}: got {got}; {remedy}")
        self.argument = argument


class Unavailable(Exception):  # noqa: N818  it is a state of a method, not a mistake of anybody
    """Raised by a method that cannot run on a problem; the text is the reason that every report shows."""


class NotImplementedByFramework(Unavailable):
    """Raised where a framework has no derivative to give, such as that of a fused kernel's backward."""
