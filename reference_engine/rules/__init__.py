"""The rules, by family; importing this package fills the tables."""

from reference_engine.rules import elementwise, index, linalg, reduce, shape

__all__ = ["elementwise", "index", "linalg", "reduce", "shape"]
