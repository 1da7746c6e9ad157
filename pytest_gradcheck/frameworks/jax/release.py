"""Release everything that is cached from check to check, at the end of a test."""

from __future__ import annotations

from pytest_gradcheck.frameworks.jax import compiled, custom_rules, traces


def release() -> None:
    """Let go of it; see `Framework.release`."""
    for part in (compiled, custom_rules, traces):
        part.release()
