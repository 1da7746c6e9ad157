"""Properties of ATen operations, from their names and schemas."""

from __future__ import annotations

from typing import Any

import torch

from pytest_gradcheck.frameworks.torch.private import overload_of, schema_of

# Results that depend on the arguments' shape and dtype only.
BLIND = frozenset([
    "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "randint_like",
    "new_empty", "new_empty_strided", "new_zeros", "new_ones", "new_full", "empty_strided",
    "empty_permuted", "sym_size", "sym_stride", "sym_numel", "is_same_size", "is_pinned",
    "_local_scalar_dense_shape", "_new_zeros_with_same_feature_meta",
])  # fmt: skip
EMPTY = frozenset([
    "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided",
])  # fmt: skip
# In-place operations whose result has nothing to do with what was there before.
OVERWRITES = frozenset([
    "copy_", "fill_", "zero_", "bernoulli_", "normal_", "uniform_", "random_", "exponential_", "cauchy_",
    "geometric_", "log_normal_",
])  # fmt: skip
# Random operations whose result has nothing to do with what their tensors hold.
FRESH = frozenset([
    "bernoulli.p", "cauchy", "exponential", "geometric", "log_normal", "normal_functional", "random",
    "uniform",
])  # fmt: skip
# Random operations with integer results: for fixed random numbers the result is constant except for jumps.
WHOLE = frozenset(["bernoulli", "binomial", "multinomial", "poisson", "randint_like"])
# Random operations whose result moves with a tensor of parameters, for the same random numbers too. What
# torch differentiates is not that: the gradient of a rejection sampler is implicit (Figurnov et al., Implicit
# reparameterization gradients, NeurIPS 2018), that of `normal` zero by definition.
SAMPLERS = frozenset(["_sample_dirichlet", "_standard_gamma", "normal"])
ALLOCATION_ONLY = frozenset([
    "device", "layout", "memory_format", "pin_memory", "non_blocking", "generator",
])  # fmt: skip


class Info:
    """What the recorder needs to know of one operation, looked up once per process."""

    def __init__(self, func: Any) -> None:
        schema = schema_of(func)
        namespace, base = schema.name.split("::")
        self.name = f"{schema.name}.{overload_of(func)}"
        self.base = base if namespace == "aten" else schema.name
        self.overload = overload_of(func)
        self.written = tuple(
            (i, a.name, a.kwarg_only)
            for i, a in enumerate(schema.arguments)
            if a.alias_info is not None and a.alias_info.is_write
        )
        self.mutable = bool(self.written)
        self.view = not self.mutable and any(r.alias_info is not None for r in schema.returns)
        self.random = torch.Tag.nondeterministic_seeded in func.tags
        named = self.base, f"{self.base}.{self.overload}"
        #: Whether the result is a constant for the engine, though tensors that it depends on are not.
        self.holds_still = self.random and not (FRESH | WHOLE).isdisjoint(named)
        self.inplace_view = torch.Tag.inplace_view in func.tags
        self.gives_tensors = any("Tensor" in str(r.type) for r in schema.returns)


_functional_forms: dict[Any, Any] = {}


def functional_form(func: Any, info: Info, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the operation that gives what another one writes, None if there is none, and its keywords."""
    outs = {name for _, name, kwarg_only in info.written if kwarg_only}
    if outs:
        kwargs = {k: v for k, v in kwargs.items() if k not in outs}
    if func not in _functional_forms:
        _functional_forms[func] = _find_functional(func, bool(outs))
    return _functional_forms[func], kwargs


def _find_functional(func: Any, is_out: bool) -> Any:
    namespace, base = schema_of(func).name.split("::")
    packet = getattr(getattr(torch.ops, namespace), base if is_out else base.removesuffix("_"), None)
    if packet is None:
        return None
    written = {
        a.name for a in schema_of(func).arguments if a.alias_info is not None and a.alias_info.is_write
    }
    wanted = [(a.name, str(a.type)) for a in schema_of(func).arguments if not (is_out and a.name in written)]
    for name in packet.overloads():
        candidate = getattr(packet, name)
        arguments = schema_of(candidate).arguments
        if any(a.alias_info is not None and a.alias_info.is_write for a in arguments):
            continue
        if [(a.name, str(a.type)) for a in arguments] == wanted:
            return candidate
    return None
