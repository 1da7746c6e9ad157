"""A strategy for modules, with drawn arguments and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.registry import imported
from pytest_gradcheck.strategies.points import Bounded, Entries, Point, must_be_installed
from pytest_gradcheck.strategies.values import draw_kind

if TYPE_CHECKING:
    import numpy as np
    import torch
    from hypothesis.internal.conjecture.data import ConjectureData

#: Weights are not drawn as far from zero as inputs: their products would be farther.
_ENTRIES = Entries(-2.0, 2.0, special=("zeros", "negative_zeros", "ties", "signs"))


def modules(
    module: type[torch.nn.Module], /, *args: Any, **kwargs: Any
) -> st.SearchStrategy[torch.nn.Module]:
    """Return a strategy for modules ``module(*args, **kwargs)``, all of whose parameters are inputs.

    Arguments may be strategies, which are drawn for every example: ``modules(torch.nn.Linear, size("k"), 3,
    bias=st.booleans())`` fits ``tensors("n k")``. Parameters come from the module's own initialisation with a
    drawn seed, or are drawn within ±2, sometimes with zeros, ties or a single sign. They are float64 unless
    the constructor is given a ``dtype``. torch's random state is not changed. Shrinks towards parameters of
    zero.

    Raises `pytest_gradcheck.InvalidArgument` if ``module`` is not a class of modules.
    """
    must_be_installed("modules", "torch")
    framework = next((f for f in imported() if f.is_module_class(module)), None)
    if framework is None:
        raise InvalidArgument("module", repr(module), "give a class of modules, such as torch.nn.Linear")

    def build(data: ConjectureData) -> Any:
        drawn_args = tuple(_drawn(data, value) for value in args)
        drawn_kwargs = {key: _drawn(data, value) for key, value in kwargs.items()}
        by_itself = draw_kind(data, ("drawn", "initial")) == "initial"

        def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
            return Point(shape, (dtype,), _ENTRIES).draw(data)[0]

        seed = int.from_bytes(data.draw_bytes(2, 2), "big")
        initial = None if by_itself else numbers
        return framework.drawn_module(module, drawn_args, drawn_kwargs, seed=seed, numbers=initial)

    given = [module.__name__, *map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())]
    return _ModuleStrategy(f"modules({', '.join(given)})", None, build)


class _ModuleStrategy(Bounded[Any]):
    """Modules with drawn parameters."""


def _drawn(data: ConjectureData, value: Any) -> Any:
    return data.draw(value) if isinstance(value, st.SearchStrategy) else value
