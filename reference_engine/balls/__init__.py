"""Derivatives with a proven bound: the engine's recording in ball arithmetic. Needs python-flint."""

from __future__ import annotations

from reference_engine.balls.numbers import Jet
from reference_engine.balls.replay import Enclosure, NotProven, Tied, enclose
from reference_engine.balls.rules import rule_of

__all__ = ["Enclosure", "Jet", "NotProven", "Tied", "enclose", "rule_of"]
