"""Derivatives with a proven bound: the engine's recording in ball arithmetic. Needs python-flint."""

from __future__ import annotations

from reference_engine.balls.numbers import Jet
from reference_engine.balls.replay import Enclosure, NotProvenError, TiedError, enclose
from reference_engine.balls.rules import rule_of

__all__ = ["Enclosure", "Jet", "NotProvenError", "TiedError", "enclose", "rule_of"]
