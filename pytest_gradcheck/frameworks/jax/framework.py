"""JAX as a framework.

This file itself does not import jax: strategies ask for the dtypes of arrays that may never be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pytest_gradcheck.frameworks.base import Framework
from pytest_gradcheck.frameworks.lazy import provided_by


class JaxFramework(Framework):
    """JAX arrays, and whatever pytrees JAX knows as containers of them."""

    name = "jax"
    differentiates = True
    differentiator = "JAX"
    aliases: ClassVar[Mapping[str, str]] = {"jnp": "jax.numpy"}
    stops_gradients = True
    draws_by_keys = True
    drawn_dtypes = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")

    owns = provided_by(".leaves.is_array")
    dtype_of = provided_by(".leaves.dtype_of")
    to_numpy = provided_by(".leaves.to_numpy")
    like = provided_by(".leaves.like")
    from_numpy = provided_by(".leaves.from_numpy")
    copy = provided_by(".leaves.copy")
    rounded = provided_by(".leaves.rounded")
    fingerprint = provided_by(".leaves.fingerprint")
    is_array_type = provided_by(".leaves.is_array_type")
    from_drawn = provided_by(".leaves.from_drawn")
    dtype_drawn = provided_by(".leaves.dtype_drawn")

    source_of = provided_by(".source.source_of")

    children_of = provided_by(".pytrees.children_of")
    working_in = provided_by(".precision.working_in")

    evaluator = provided_by(".compiled.evaluator")
    release = provided_by(".release.release")
    why_not_measured = provided_by(".samplers.why_not_measured")

    pullback = provided_by(".pullback.prepare")
    lower = provided_by(".lowered.lower")
    properties_of_functions = provided_by(".rule_properties.properties_of_functions")
    hand_written_in = provided_by(".custom_rules.hand_written_in")
    code_of_error = provided_by(".pullback.code_of_error")
