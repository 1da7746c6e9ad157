"""The inputs of a planted fault: shapes and bounds, and three ways to draw from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_gradcheck import arrays, indices, shapes, size, tensors
from pytest_gradcheck.strategies.sizes import checked_shape

#: What names stand for where shapes are not drawn.
NAMED = {"n": 4, "k": 3}


@dataclass(frozen=True)
class Input:
    """One input: a shape, of names or free (None) if need be, bounds, dtypes; or indices into an axis."""

    shape: Any = (4, 3)
    low: float | None = None
    high: float | None = None
    dtype: Any = "float64"
    into: str | None = None

    def of(self, library: str) -> st.SearchStrategy[Any]:
        """Return the strategy of this package, with nothing but shape, dtype and bounds."""
        if self.into is not None:
            return indices(self.shape, into=size(self.into), library=library)
        shape = self._shape()
        make = arrays if library == "numpy" else tensors
        return make(shape, self.dtype, min_value=self.low, max_value=self.high)

    def plain(self, library: str) -> st.SearchStrategy[Any]:
        """Return what a user of Hypothesis's own strategies writes for it."""
        shape = checked_shape(self._shape())
        if self.into is not None:
            named = size(self.into)
            of_shape = st.tuples(shape if isinstance(shape, st.SearchStrategy) else st.just(shape), named)
            drawn = of_shape.flatmap(lambda p: hnp.arrays(np.int64, p[0], elements=st.integers(0, p[1] - 1)))
            return drawn if library == "numpy" else drawn.map(torch.from_numpy)
        name = self._dtypes()[0]
        stored = "float32" if name == "bfloat16" else name
        elements = hnp.from_dtype(
            np.dtype(stored),
            min_value=self.low,
            max_value=self.high,
            allow_nan=False,
            allow_infinity=False,
        )
        made = hnp.arrays(stored, shape, elements=elements)
        if library == "numpy":
            return made
        return made.map(lambda array: torch.from_numpy(array).to(getattr(torch, name)))

    def random(self, rng: np.random.Generator, library: str) -> Any:
        """Return normal numbers, or evenly spread ones where there are bounds, as in ``randn(4, 3)``."""
        shape = self.shape if self.shape is not None else "n k"
        sides = tuple(NAMED[s.lstrip("#")] for s in shape.split()) if isinstance(shape, str) else shape
        if self.into is not None:
            array = rng.integers(0, NAMED[self.into], sides)
            return array if library == "numpy" else torch.from_numpy(array)
        if self.low is not None:
            high = self.high if self.high is not None else self.low + 10.0
            values = rng.uniform(self.low, high, sides)
        else:
            values = rng.standard_normal(sides)
        name = self._dtypes()[0]
        if library == "numpy":
            return np.asarray(values, name)
        return torch.tensor(values, dtype=getattr(torch, name))

    def _dtypes(self) -> list[str]:
        return [self.dtype] if isinstance(self.dtype, str) else list(self.dtype)

    def _shape(self) -> Any:
        return shapes(min_dims=0) if self.shape is None else self.shape
