"""Hypothesis strategies for the points at which gradients are checked.

The only package here that imports Hypothesis. Importing it does not import torch; drawing a tensor does.
"""

from __future__ import annotations

from pytest_gradcheck.strategies.annotations import from_annotation
from pytest_gradcheck.strategies.points import arrays, domain_of, scalars, tensors
from pytest_gradcheck.strategies.sizes import broadcastable, shapes, size

__all__ = [
    "arrays",
    "broadcastable",
    "domain_of",
    "from_annotation",
    "scalars",
    "shapes",
    "size",
    "tensors",
]
