"""A reverse-mode differentiation engine on NumPy, readable and of any order."""

from reference_engine import rules as _rules
from reference_engine.errors import GraphReleasedError, MissingRuleError, OutOfGraphError
from reference_engine.rules.index import index_add, index_put, scatter
from reference_engine.tensor import Tensor, no_grad
from reference_engine.transforms import grad, hessian, jacobian, jvp, value_and_grad, vjp

__all__ = [
    "GraphReleasedError",
    "MissingRuleError",
    "OutOfGraphError",
    "Tensor",
    "grad",
    "hessian",
    "index_add",
    "index_put",
    "jacobian",
    "jvp",
    "no_grad",
    "scatter",
    "value_and_grad",
    "vjp",
]

assert _rules
