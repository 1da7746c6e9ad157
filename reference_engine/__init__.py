"""A reverse-mode differentiation engine on NumPy, readable and of any order."""

from reference_engine import extend
from reference_engine.contexts import name_scope, no_grad, perturbed
from reference_engine.draw import Drawing, draw
from reference_engine.errors import GraphReleasedError, MissingRuleError, OutOfGraphError
from reference_engine.rules.index import index_add, index_put, scatter
from reference_engine.rules.linalg import solve_triangular
from reference_engine.rules.nn import (
    convolution,
    convolution_transpose,
    fold,
    log_softmax,
    logsumexp,
    softmax,
    windows,
)
from reference_engine.rules.special import polygamma
from reference_engine.tensor import Tensor
from reference_engine.transforms import grad, hessian, jacobian, jvp, value_and_grad, vjp

__all__ = [
    "Drawing",
    "GraphReleasedError",
    "MissingRuleError",
    "OutOfGraphError",
    "Tensor",
    "convolution",
    "convolution_transpose",
    "draw",
    "extend",
    "fold",
    "grad",
    "hessian",
    "index_add",
    "index_put",
    "jacobian",
    "jvp",
    "log_softmax",
    "logsumexp",
    "name_scope",
    "no_grad",
    "perturbed",
    "polygamma",
    "scatter",
    "softmax",
    "solve_triangular",
    "value_and_grad",
    "vjp",
    "windows",
]
