"""The rules, by family; importing this package fills the tables."""

from reference_engine.rules import (
    assign,
    elementwise,
    fft,
    index,
    linalg,
    nn,
    numeric,
    reduce,
    shape,
    special,
)

__all__ = ["assign", "elementwise", "fft", "index", "linalg", "nn", "numeric", "reduce", "shape", "special"]
