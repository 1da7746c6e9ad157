"""A strategy for torch modules, with drawn arguments and parameters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.strategies.points import Bounded, Point, require_torch
from pytest_gradcheck.strategies.values import draw_kind

if TYPE_CHECKING:
    import torch
    from hypothesis.internal.conjecture.data import ConjectureData

#: Weights are not drawn as far from zero as inputs: their products would be farther.
_LIMIT = 2.0
_SPECIAL = ("zeros", "negative_zeros", "ties", "signs")


def modules(
    module: type[torch.nn.Module], /, *args: Any, **kwargs: Any
) -> st.SearchStrategy[torch.nn.Module]:
    """Return a strategy for modules ``module(*args, **kwargs)``, all of whose parameters are inputs.

    Arguments may be strategies, which are drawn anew in every example: ``modules(torch.nn.Linear, size("k"),
    3, bias=st.booleans())`` fits ``tensors("n k")``. Parameters are those that the module's own
    initialisation gives, with a drawn seed, or drawn within ±2, with zeros, ties and one sign among them.
    They are float64 unless the constructor is given a ``dtype``. torch's own random state stays as it is.
    Shrinks towards parameters of zero.

    Raises `pytest_gradcheck.InvalidArgument` for what is no class of modules.
    """
    require_torch("modules")
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module, type) or not issubclass(module, torch.nn.Module):
        raise InvalidArgument("module", repr(module), "give a class of modules, such as torch.nn.Linear")
    return _ModuleStrategy(module, args, kwargs)


class _ModuleStrategy(Bounded["torch.nn.Module"]):
    def __init__(self, module: type[torch.nn.Module], args: tuple[Any, ...], kwargs: dict[str, Any]):
        given = [*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())]
        super().__init__(f"modules({', '.join([module.__name__, *given])})", None)
        self._module, self._args, self._kwargs = module, args, kwargs

    def do_draw(self, data: ConjectureData) -> torch.nn.Module:
        import torch

        args = [_drawn(data, value) for value in self._args]
        kwargs = {key: _drawn(data, value) for key, value in self._kwargs.items()}
        by_itself = draw_kind(data, ("drawn", "initial")) == "initial"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int.from_bytes(data.draw_bytes(2, 2), "big"))
            module = self._module(*args, **kwargs)
        if "dtype" not in kwargs:
            module = module.to(torch.float64)
        # So that the module can be written as source: it cannot be asked how it was made.
        vars(module)["_gradcheck_made"] = args, kwargs
        if not by_itself:
            for parameter in module.parameters():
                name = str(parameter.dtype).removeprefix("torch.")
                point = Point(tuple(parameter.shape), (name,), -_LIMIT, _LIMIT, None, False, _SPECIAL)
                with torch.no_grad():
                    parameter.copy_(torch.from_numpy(point.draw(data)[0]))
        return module


def _drawn(data: ConjectureData, value: Any) -> Any:
    return data.draw(value) if isinstance(value, st.SearchStrategy) else value
