"""Modules: their tensors, replacing them, and the names of their inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.nn.utils.stateless import _reparametrize_module

from pytest_gradcheck.frameworks.base import Numbers

#: The attribute in which a drawn module keeps its arguments.
MADE = "_gradcheck_made"


def parts_of(module: torch.nn.Module) -> dict[str, Any]:
    """Return the parameters and buffers of a module; see `Framework.parts_of`."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def holding(module: torch.nn.Module, parts: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Let a module hold other tensors; see `Framework.holding`."""
    return _reparametrize_module(module, dict(parts))


def describe(module: torch.nn.Module) -> str:
    """Return how a module is put together, and whether it is in training; see `Framework.describe`."""
    return f"{module!r} {module.training}"


def is_module_class(value: Any) -> bool:
    """Whether a value is a subclass of ``torch.nn.Module``; see `Framework.is_module_class`."""
    return isinstance(value, type) and issubclass(value, torch.nn.Module)


def signature_of(fn: Any) -> inspect.Signature | None:
    """Return the signature of a module's ``forward`` and of a Function's, for its ``apply``."""
    if isinstance(fn, torch.nn.Module):
        return inspect.signature(fn.forward)
    owner = getattr(fn, "__self__", None)
    if not isinstance(owner, type) or not hasattr(owner, "forward"):
        return None
    # Function.apply takes anything; its forward knows the names, unless it takes anything itself.
    signature = inspect.signature(owner.forward)
    named = [p for p in signature.parameters.values() if p.name != "ctx" and p.kind is not p.VAR_POSITIONAL]
    return signature.replace(parameters=named)


def drawn_module(
    module: type[torch.nn.Module], args: Any, kwargs: dict[str, Any], *, seed: int, numbers: Numbers | None
) -> torch.nn.Module:
    """Make a module; torch's random state is not changed; see `Framework.drawn_module`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = module(*args, **kwargs)
    if "dtype" not in kwargs:
        made = made.to(torch.float64)
    vars(made)[MADE] = args, kwargs
    if numbers is not None:
        for parameter in made.parameters():
            name = str(parameter.dtype).removeprefix("torch.")
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(numbers(tuple(parameter.shape), name)))
    return made


def source_of(module: torch.nn.Module, inner: Callable[[Any], str]) -> str | None:
    """Return source that recreates a drawn module with its parameters and buffers."""
    if not hasattr(module, MADE):
        return None
    args, kwargs = getattr(module, MADE)
    kind = type(module)
    own = kind.__module__.startswith("torch.")
    name = f"{kind.__module__}.{kind.__qualname__}" if own else kind.__qualname__
    given = [*map(inner, args), *(f"{key}={inner(part)}" for key, part in kwargs.items())]
    double = "" if "dtype" in kwargs else ".to(torch.float64)"
    state = inner({key: tensor.detach() for key, tensor in module.state_dict().items()})
    return f"(lambda m: (m.load_state_dict({state}), m)[1])({name}({', '.join(given)}){double})"
