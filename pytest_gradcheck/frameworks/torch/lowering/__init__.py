"""Torch functions on the reference engine.

`lower` runs a torch callable once, records it as pure ATen operations, and returns the same computation as a
function on `reference_engine` tensors, to be differentiated there in float64 by rules independent of torch's.
autograd, including custom backwards, is not involved.
"""

from pytest_gradcheck.frameworks.torch.lowering.lowered import Divergence, Lowered, first_divergence, lower
from pytest_gradcheck.frameworks.torch.lowering.registry import register, unregister
from pytest_gradcheck.frameworks.torch.lowering.tape import LoweringError, Site
from pytest_gradcheck.frameworks.torch.lowering.trace import Trace, trace

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
