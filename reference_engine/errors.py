"""The engine's own exceptions; each is also the built-in exception that it specialises."""

from __future__ import annotations

__all__ = ["GraphReleasedError", "MissingRuleError", "OutOfGraphError"]


class OutOfGraphError(TypeError):
    """A traced value was about to leave the graph, and with it its derivative."""


class MissingRuleError(NotImplementedError):
    """A function for which the engine has no rule met a traced value."""


class GraphReleasedError(RuntimeError):
    """A second pass was asked of a graph whose memory the first one has freed."""
