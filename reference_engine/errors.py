"""The engine's own exceptions; each is also the built-in exception that it specialises."""

from __future__ import annotations

__all__ = ["GraphReleasedError", "MissingRuleError", "OutOfGraphError"]


class OutOfGraphError(TypeError):
    """Raised when a traced value, and with it its derivative, would leave the graph."""


class MissingRuleError(NotImplementedError):
    """Raised when a function without a rule is called with a traced value."""


class GraphReleasedError(RuntimeError):
    """Raised by a second pass over a graph that the first one has freed."""
