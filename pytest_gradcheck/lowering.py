"""Functions recorded and replayed on the reference engine: the public names of the lowering."""

from pytest_gradcheck.frameworks.torch.lowering import (
    Divergence,
    Lowered,
    LoweringError,
    Site,
    Trace,
    first_divergence,
    lower,
    register,
    trace,
    unregister,
)

__all__ = [
    "Divergence",
    "Lowered",
    "LoweringError",
    "Site",
    "Trace",
    "first_divergence",
    "lower",
    "register",
    "trace",
    "unregister",
]
