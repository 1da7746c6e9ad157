"""The bounds that no evaluation may leave."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.flat import Layout, Vector
from pytest_gradcheck.function.call import Call
from pytest_gradcheck.function.signatures import lies_under


def bounds(domain: Any, call: Call, inputs: Layout, point: Vector) -> tuple[Vector, Vector]:
    """Return the lower and upper bounds of all entries, each of shape ``(inputs.size,)``, infinite for none.

    ``domain`` is a pair of bounds for the one input, or a dict of them by name, as in `check_gradients`;
    ``inputs`` is how the leaves that are differentiated lie in the point. Raises `InvalidArgument` for what
    are not bounds, for a name that no input has, and for a point that lies outside.
    """
    lower = np.full(inputs.size, -np.inf)
    upper = np.full(inputs.size, np.inf)
    for key, pair in _by_name(domain, call):
        try:
            low, high = pair
            low = -np.inf if low is None else low
            high = np.inf if high is None else high
        except (TypeError, ValueError):
            raise InvalidArgument("domain", repr(pair), "bounds are a pair (lower, upper)") from None
        if np.any(np.asarray(low) > np.asarray(high)):
            raise InvalidArgument("domain", repr(pair), "the lower bound comes first")
        for leaf in inputs.leaves:
            if lies_under(leaf.name, key):
                for side, bound in ((lower, low), (upper, high)):
                    values = np.broadcast_to(np.asarray(bound, dtype=np.float64), leaf.shape).reshape(-1)
                    side[leaf.start : leaf.stop] = np.repeat(values, 2) if leaf.is_complex else values
        if not any(lies_under(n, key) for n in call.names):
            raise InvalidArgument("domain", f"the name {key!r}", f"name one of {', '.join(call.names)}")
    outside = ~((point >= lower) & (point <= upper)) & np.isfinite(point)
    if outside.any():
        where, index = inputs.locate(int(np.argmax(outside)))
        raise InvalidArgument(
            "domain", f"a point outside the bounds at {where}{list(index) or ''}", "the point must lie inside"
        )
    return lower, upper


def _by_name(domain: Any, call: Call) -> list[tuple[str, Any]]:
    if isinstance(domain, dict):
        return [(key, pair) for key, pair in domain.items() if pair is not None]
    keys = list(call.arguments)
    if len(keys) == 1:
        return [(keys[0], domain)]
    raise InvalidArgument(
        "domain", f"{domain!r} for {len(keys)} inputs", f"give a dict by name: {', '.join(keys)}"
    )
