"""Samplers whose values, for fixed random numbers, are not the function that torch differentiates."""

from __future__ import annotations

from typing import Any

import torch

from pytest_gradcheck.frameworks.base import FunctionAtPoint
from pytest_gradcheck.frameworks.flat import Vector
from pytest_gradcheck.frameworks.torch.lowering.operations import SAMPLERS
from pytest_gradcheck.frameworks.torch.private import Mode


def why_not_measured(function: FunctionAtPoint, nearby: Vector) -> str | None:
    """Return the sampler whose parameters move with the inputs; see `Framework.why_not_measured`."""
    here, there = (_parameters(function, point) for point in (function.point, nearby))
    if len(here) != len(there):
        names = [name for name, _ in here or there]
    else:
        pairs = zip(here, there, strict=True)
        names = [name for (name, before), (_, after) in pairs if not _same(before, after)]
    if not names:
        return None
    return (
        f"aten::{names[0]} draws from a distribution that depends on the inputs; with fixed random "
        "numbers it is a different function of them than the one that torch differentiates"
    )


class _Watch(Mode):
    """Keeps what the samplers that run inside are given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[torch.Tensor]]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if name in SAMPLERS:
            self.seen.append((name, [x.detach().clone() for x in args if isinstance(x, torch.Tensor)]))
        return func(*args, **(kwargs or {}))


def _parameters(function: FunctionAtPoint, point: Vector) -> list[tuple[str, list[torch.Tensor]]]:
    watch = _Watch()
    with watch:
        function.evaluate(point)
    return watch.seen


def _same(before: list[torch.Tensor], after: list[torch.Tensor]) -> bool:
    return len(before) == len(after) and all(map(torch.equal, before, after))
