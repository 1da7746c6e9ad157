"""Hypothesis strategies for the points at which gradients are checked.

The only package here that imports Hypothesis. Importing it does not import torch; drawing a tensor does.
"""

from __future__ import annotations

from pytest_gradcheck.strategies.annotations import from_annotation
from pytest_gradcheck.strategies.points import arrays, domain_of, scalars, tensors

__all__ = ["arrays", "domain_of", "from_annotation", "scalars", "tensors"]
