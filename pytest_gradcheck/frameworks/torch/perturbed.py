"""Run torch in disturbed arithmetic, to measure how much its computation amplifies rounding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from pytest_gradcheck.frameworks.torch.leaves import is_floating
from pytest_gradcheck.frameworks.torch.lowering.tree import replace
from pytest_gradcheck.frameworks.torch.private import Mode, is_zero_tensor, schema_of

#: Far above the roundoff of float64, so it is visible, and far below what a backward treats as its caller's
#: error: torch's of a complex SVD raises when phases that should cancel are off by rounding in float32.
SCALE = 2.0**-36

#: ATen operations that move, choose or make entries and round nothing. What returns a view or writes in
#: place is left alone by its schema.
EXACT = frozenset([
    "_to_copy", "_unsafe_masked_index", "_unsafe_masked_index_put_accumulate", "abs", "alias", "amax",
    "amin", "arange", "cat", "clamp", "clone", "constant_pad_nd", "copysign", "cummax", "cummin",
    "diag_embed", "embedding", "empty", "empty_like", "empty_strided", "expand", "eye", "flip", "full",
    "full_like", "gather", "index", "index_put", "index_select", "isfinite", "kthvalue", "lift_fresh_copy",
    "masked_fill", "masked_scatter", "masked_select", "max", "max_pool2d_with_indices", "maximum", "median",
    "min", "minimum", "mode", "neg", "new_empty", "new_empty_strided", "new_full", "new_ones", "new_zeros",
    "ones", "ones_like", "relu", "repeat", "roll", "scalar_tensor", "scatter", "select_backward",
    "select_scatter", "sgn", "sign", "slice_backward", "slice_scatter", "sort", "stack", "take",
    "threshold_backward", "topk", "tril", "triu", "where", "zeros", "zeros_like",
])  # fmt: skip

#: Functions that return whole numbers because they saturate, not because they are exact.
SATURATING = frozenset(["_softmax", "erf", "sigmoid", "tanh"])


class Counted(Mode):
    """Inside this context operations are counted, in ``count``, and more than ``most`` raise RuntimeError.

    A loop that ends by its values may never end where these are coarse.
    """

    def __init__(self, most: float = math.inf) -> None:
        super().__init__()
        self.count, self._most = 0, most

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, unless the limit is reached."""
        self.count += 1
        if self.count > self._most:
            raise RuntimeError(f"more than {self._most} operations: a loop does not end in coarse arithmetic")
        return func(*args, **(kwargs or {}))


class Disturbed(Counted):
    """Inside this context every result that rounds is moved by a random relative error of up to ``scale``.

    Monte Carlo arithmetic (D. S. Parker, UCLA CSD-970002, 1997) for forward and backward passes alike; the
    counterpart of `reference_engine.perturbed`. Draws nothing from torch's random numbers.
    """

    def __init__(self, scale: float, seed: int, most: float = math.inf) -> None:
        super().__init__(most)
        self._scale = scale
        self._random = np.random.default_rng(seed)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation and move what it gave."""
        out = super().__torch_dispatch__(func, types, args, kwargs)
        name = func.overloadpacket.__name__
        if name in EXACT or any(returned.alias_info is not None for returned in schema_of(func).returns):
            return out
        return replace(out, lambda x: self._move(x, whole_too=name in SATURATING))

    def _move(self, x: torch.Tensor, *, whole_too: bool) -> torch.Tensor:
        plain = type(x) is torch.Tensor and not is_zero_tensor(x) and x.layout == torch.strided
        if not plain or not is_floating(x):
            return x
        error = self._random.uniform(-1, 1, (2, *x.shape))
        # The two parts of a complex number are rounded on their common scale.
        factor = 1 + self._scale * (error[0] + 1j * error[1] if x.is_complex() else error[0])
        moved = x * torch.from_numpy(np.asarray(factor)).to(device=x.device, dtype=x.dtype)
        # A whole number is exact as a rule, and has to be one as an exponent: the derivative of x ** 2
        # computes 2 - 1, and a negative number to the power of 1 + 1e-11 is nan.
        return moved if whole_too or x.is_complex() else torch.where(x == x.round(), x, moved)
