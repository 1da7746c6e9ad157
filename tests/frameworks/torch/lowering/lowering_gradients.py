"""Gradients of lowered functions along random cotangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import reference_engine as engine
from pytest_gradcheck.frameworks.torch.lowering import Lowered

__all__ = ["cotangents", "differentiable", "engine_gradients"]


def cotangents(outputs: Sequence[Any]) -> list[np.ndarray]:
    """A random cotangent for each output, complex for complex ones."""
    rng = np.random.default_rng(1)
    found = []
    for output in outputs:
        value = np.asarray(output)
        cotangent = rng.standard_normal(value.shape)
        if value.dtype.kind == "c":
            cotangent = cotangent + 1j * rng.standard_normal(value.shape)
        found.append(np.asarray(cotangent))
    return found


def differentiable(tensors: Sequence[Any]) -> list[int]:
    return [i for i, t in enumerate(tensors) if t.is_floating_point() or t.is_complex()]


def engine_gradients(lowered: Lowered, wrt: Sequence[int]) -> tuple[list[Any], list[Any]]:
    """Values of the differentiable outputs and the gradients with respect to the inputs ``wrt``."""
    start = lowered.inputs()
    chosen = differentiable(lowered.trace.outputs())

    def of_chosen(*values: Any) -> list[Any]:
        full: list[Any] = list(start)
        for i, value in zip(wrt, values, strict=True):
            full[i] = value
        outputs = lowered(*full)
        return [outputs[i] for i in chosen]

    values, pullback = engine.vjp(of_chosen, *(start[i] for i in wrt))
    return values, list(pullback(cotangents(values)))
