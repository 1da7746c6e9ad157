"""Smooth operations whose backwards are written by hand."""

from smoothops.functions import soft_abs, square_plus

__all__ = ["soft_abs", "square_plus"]
