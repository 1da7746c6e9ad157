"""Evaluate many points of a torch function in one call.

`vmap` runs the function once on tensors with an extra axis that the function does not see. It refuses what it
cannot do: control flow that depends on values, ``item``, NumPy, writes into tensors that are not batched,
random numbers.

Afterwards the function's state is that of a call at its point, which comes first.
"""

from __future__ import annotations

import warnings

import torch

from pytest_gradcheck.frameworks.base import FunctionAtPoint
from pytest_gradcheck.frameworks.flat import Matrix
from pytest_gradcheck.frameworks.torch import private
from pytest_gradcheck.frameworks.torch.leaves import to_numpy


def values_at_many(function: FunctionAtPoint, points: Matrix) -> Matrix:
    """Return the values at the function's point and at others; see `Framework.values_at_many`."""
    arrays = function.inputs.split_many(function.point[None], points)
    leaves = [
        torch.from_numpy(array).to(device=leaf.device, dtype=None if function.double else leaf.dtype)
        for array, leaf in zip(arrays, function.leaves, strict=True)
    ]
    with (
        private.none_batched_afterwards(),
        torch.no_grad(),
        warnings.catch_warnings(),
        private.rules_only(),
        private.plain_functions(),
    ):
        # The user did not make this call, so a missing rule of an operation is not reported.
        warnings.simplefilter("ignore")
        outs = private.mapped(
            lambda values: function.call(values, double=function.double), leaves, 1 + len(points)
        )
    return function.outputs.join_many([to_numpy(torch.as_tensor(out)) for out in outs])
