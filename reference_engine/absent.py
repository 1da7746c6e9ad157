"""What to write in place of a method that arrays of other libraries have, and NumPy's have not."""

from __future__ import annotations

import numpy as np

__all__ = ["in_place_of"]

#: Methods and attributes of tensors that NumPy has under another name, and what to write instead for x.
_OTHERWISE = {
    "add_": "x += y",
    "clamp": "np.clip(x, low, high)",
    "cpu": "x itself: an array is in memory",
    "cuda": "x itself: an array is in memory",
    "detach": "x itself: an array has no graph",
    "dim": "x.ndim",
    "div_": "x /= y",
    "double": "x.astype(np.float64)",
    "erf": "scipy.special.erf(x)",
    "expand": "np.broadcast_to(x, shape)",
    "float": "x.astype(np.float32)",
    "flip": "np.flip(x, axis)",
    "half": "x.astype(np.float16)",
    "lgamma": "scipy.special.gammaln(x)",
    "log_softmax": "scipy.special.log_softmax(x, axis)",
    "logdet": "np.linalg.slogdet(x)[1]",
    "logsumexp": "scipy.special.logsumexp(x, axis)",
    "masked_fill": "np.where(mask, value, x)",
    "mm": "x @ y",
    "mul_": "x *= y",
    "norm": "np.linalg.norm(x)",
    "numel": "x.size",
    "numpy": "x itself: it is an array of NumPy",
    "permute": "np.transpose(x, axes)",
    "pow": "x**y",
    "relu": "np.maximum(x, 0)",
    "requires_grad_": "x itself: a check differentiates its inputs",
    "rsqrt": "1 / np.sqrt(x)",
    "sigmoid": "scipy.special.expit(x)",
    "softmax": "scipy.special.softmax(x, axis)",
    "sub_": "x -= y",
    "t": "x.T",
    "type": "x.astype(dtype)",
    "unsqueeze": "np.expand_dims(x, axis)",
    "view": "x.reshape(shape)",
    "zero_": "x[...] = 0",
}


def in_place_of(name: str) -> str | None:
    """What to write in place of the method `name` of an array x; None where nothing is known."""
    if name in _OTHERWISE:
        return _OTHERWISE[name]
    if name.startswith("_"):
        return None
    for module, prefix in ((np, "np"), (np.linalg, "np.linalg")):
        function = getattr(module, name, None)
        if callable(function) and not isinstance(function, type):
            return f"{prefix}.{name}(x)"
    return None
