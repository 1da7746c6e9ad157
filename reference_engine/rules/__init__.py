"""The rules, by family; importing this package fills the tables."""

from reference_engine.rules import elementwise, fft, index, linalg, nn, numeric, reduce, shape, special

__all__ = ["elementwise", "fft", "index", "linalg", "nn", "numeric", "reduce", "shape", "special"]
