"""Functions inside of functions: calls, branches, loops, and linear solves given by their matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.jax.lowering.replay import subjaxprs
from pytest_gradcheck.frameworks.jax.lowering.tools import Rules, data, is_tensor

#: A solve that iterates is replaced by that of its matrix up to so many numbers.
MOST_DENSE = 128


def _call(key: str) -> Any:
    def rule(p: Any, *operands: Any) -> Any:
        inner = getattr(p, key)
        if hasattr(inner, "consts"):
            return p.replay.closed(inner, operands)
        return p.replay.run(inner, (), operands)

    return rule


def _cond(p: Any, which: Any, *operands: Any) -> Any:
    at = int(np.clip(int(data(which)), 0, len(p.branches) - 1))
    return p.replay.closed(p.branches[at], operands)


def _while(p: Any, *operands: Any) -> Any:
    n, m = p.cond_nconsts, p.body_nconsts
    of_condition, of_body, state = operands[:n], operands[n : n + m], list(operands[n + m :])
    while data(p.replay.closed(p.cond_jaxpr, [*of_condition, *state])[0]):
        state = p.replay.closed(p.body_jaxpr, [*of_body, *state])
    return state


def _scan(p: Any, *operands: Any) -> Any:
    n, m = p.num_consts, p.num_carry
    constants, carry, lines = operands[:n], list(operands[n : n + m]), operands[n + m :]
    rows: list[list[Any]] = []
    for k in range(p.length):
        at = p.length - 1 - k if p.reverse else k
        found = p.replay.closed(p.jaxpr, [*constants, *carry, *(line[at] for line in lines)])
        carry = found[:m]
        rows.append(found[m:])
    if p.reverse:
        rows.reverse()
    # A loop without steps has results of its own shapes.
    if not rows:
        return [*carry, *(np.zeros(aval.shape) for aval in p.outs[m:])]
    return [*carry, *(_stacked(column) for column in zip(*rows, strict=True))]


def _stacked(parts: Any) -> Any:
    if any(map(is_tensor, parts)):
        return np.stack(parts)
    return np.stack([np.asarray(part) for part in parts])


def _iterates(closed: Any) -> bool:
    inner = closed.jaxpr
    return any(
        equation.primitive.name in ("while", "scan")
        for jaxpr in (inner, *subjaxprs(inner))
        for equation in jaxpr.eqns
    )


def _linear_solve(p: Any, *operands: Any) -> Any:
    """Solve A x = b as the function does, but replace an iteration by the matrix of its product.

    An iteration stops when it is close enough, and its own derivative is not that of the solution.
    """
    lengths = p.const_lengths
    groups, start = [], 0
    for count in (lengths.matvec, lengths.vecmat, lengths.solve, lengths.transpose_solve):
        groups.append(operands[start : start + count])
        start += count
    right = operands[start:]
    sizes = [int(np.size(data(b))) for b in right]
    total = sum(sizes)
    if not _iterates(p.jaxprs.solve) or total > MOST_DENSE:
        return p.replay.closed(p.jaxprs.solve, [*groups[2], *right])
    ends = np.cumsum(sizes)

    def parts(vector: Any) -> list[Any]:
        return [
            np.reshape(vector[end - size : end], b.shape)
            for end, size, b in zip(ends, sizes, right, strict=True)
        ]

    def joined(arrays: Any) -> Any:
        return np.concatenate([np.reshape(x, (-1,)) for x in arrays])

    columns = [joined(p.replay.closed(p.jaxprs.matvec, [*groups[0], *parts(e)])) for e in np.eye(total)]
    return parts(np.linalg.solve(np.stack(columns, axis=-1), joined(right)))


#: Calls of a jaxpr, under the names of all versions of JAX.
CALLS = ("jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint", "composite")

RULES: Rules = {
    **dict.fromkeys(
        ("jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint", "composite"), _call("jaxpr")
    ),
    **dict.fromkeys(("custom_jvp_call", "custom_vjp_call", "call"), _call("call_jaxpr")),
    "custom_vmap_call": _call("call"),
    "custom_vjp_call_jaxpr": _call("fun_jaxpr"),
    "cond": _cond,
    "while": _while,
    "scan": _scan,
    "custom_linear_solve": _linear_solve,
}
