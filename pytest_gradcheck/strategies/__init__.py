"""Hypothesis strategies for the points at which gradients are checked.

The only package here that imports Hypothesis. Importing it imports no framework; drawing a tensor does.
"""

from __future__ import annotations

from pytest_gradcheck.strategies.annotations import from_annotation
from pytest_gradcheck.strategies.modules import modules
from pytest_gradcheck.strategies.points import arrays, domain_of, scalars, tensors
from pytest_gradcheck.strategies.sizes import broadcastable, shapes, size
from pytest_gradcheck.strategies.structured import (
    distinct,
    indices,
    orthogonal,
    positive_definite,
    probabilities,
    sorted_,
)

__all__ = [
    "arrays",
    "broadcastable",
    "distinct",
    "domain_of",
    "from_annotation",
    "indices",
    "modules",
    "orthogonal",
    "positive_definite",
    "probabilities",
    "scalars",
    "shapes",
    "size",
    "sorted_",
    "tensors",
]
