"""Many points of a JAX function in one call, mapped by `vmap` and compiled.

To compile takes some 100 ms, more than all that a check does, so it is done for a function that comes again
and again with the same shapes, as in a marked test. What the function closes over is an argument of what is
compiled: it may differ from example to example.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.base import FunctionAtPoint
from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.frameworks.jax import precision, traces
from pytest_gradcheck.frameworks.jax.leaves import to_numpy
from pytest_gradcheck.frameworks.jax.lowering.replay import OPAQUE, equations

#: A function is compiled when it is met so often with the same shapes.
OFTEN = 3

#: Points are filled up to a multiple of this number: each other number would be compiled for itself.
BLOCK = 32

#: So many compiled functions are kept, and so many are counted.
KEPT, COUNTED = 8, 256

_compiled: OrderedDict[Any, Callable[..., Any]] = OrderedDict()
_met: OrderedDict[Any, int] = OrderedDict()


def values_at_many(function: FunctionAtPoint, points: Matrix) -> Matrix:
    """Return the values at the function's point and at others; see `Framework.values_at_many`."""
    closed = traces.of(function, double=function.double)
    key = _key(closed)
    if key not in _compiled:
        _met[key] = _met.pop(key, 0) + 1
        if len(_met) > COUNTED:
            _met.popitem(last=False)
        if _met[key] < OFTEN:
            raise Unavailable("it is compiled when it comes again with the same shapes")
        if any(equation.primitive.name in OPAQUE for equation in equations(closed.jaxpr)):
            raise Unavailable("it calls what is not seen into")
        _compiled[key] = jax.jit(jax.vmap(_on_leaves(closed.jaxpr), in_axes=(None, 0)))
        if len(_compiled) > KEPT:
            _compiled.popitem(last=False)
    _compiled.move_to_end(key)
    count = 1 + len(points)
    rows = np.concatenate([function.point[None], points, *[function.point[None]] * (-count % BLOCK)])
    with precision.working_in(double=function.double):
        leaves = [
            np.asarray(array, var.aval.dtype)
            for array, var in zip(function.inputs.split_many(rows), closed.jaxpr.invars, strict=True)
        ]
        outs = _compiled[key](closed.consts, leaves)
        # The memory of an array of JAX is not to be written to.
        return np.array(function.outputs.join_many([to_numpy(out)[:count] for out in outs]))


def _on_leaves(jaxpr: Any) -> Callable[..., Any]:
    def run(constants: Any, leaves: Any) -> Any:
        return jax.core.eval_jaxpr(jaxpr, constants, *leaves)

    return run


def _key(closed: Any) -> Any:
    """Return what is the same for jaxprs that compute the same, whatever the constants.

    Functions among the parameters are written with their address. Of rules by hand the forward computation
    alone matters here.
    """
    constants = tuple((jnp.shape(c), str(jnp.asarray(c).dtype)) for c in closed.consts)
    return str(closed.jaxpr), constants
