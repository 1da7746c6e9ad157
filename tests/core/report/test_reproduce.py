"""The source of a callable names the same callable, and a call has the options that decide."""

from __future__ import annotations

import functools
import importlib
import math
from typing import Any

import numpy as np
import pytest
import torch

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.report.reproduce import written


def cube(x: Any) -> Any:
    return x**3


def wrong(x: Any, factor: float = 2.0) -> Any:
    return factor * np.diag(x**2)


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return 3 * g


class Machine:
    def run(self, x: Any) -> Any:
        return x

    @classmethod
    def made(cls, x: Any) -> Any:
        return x


machine = Machine()
nameless = lambda x: x  # noqa: E731  a lambda that a module has a name for

#: Callables, and their source.
HAVE = [
    (np.sin, "np.sin"),
    (np.linalg.norm, "norm"),
    (torch.sin, "torch.sin"),
    (torch.nn.functional.gelu, "gelu"),
    (math.sin, "sin"),
    (sum, "sum"),
    (cube, "cube"),
    (functools.partial(wrong, factor=4.0), "functools.partial(wrong, factor=4.0)"),
    (Twice.apply, "Twice.apply"),
    (machine.run, "machine.run"),
    (Machine.made, "Machine.made"),
    (machine, "machine"),
    (nameless, "nameless"),
]


@pytest.mark.parametrize(("function", "source"), HAVE, ids=[source for _, source in HAVE])
def test_what_a_module_has_is_named(function: Any, source: str) -> None:
    found = written(function)
    assert found is not None
    assert found.expression == source
    names: dict[str, Any] = {"np": np, "torch": torch}
    for name, module in found.names.items():
        holder = importlib.import_module(module or name)
        names[name] = getattr(holder, name) if module else holder
    made = eval(found.expression, names)
    if isinstance(function, functools.partial):
        assert (made.func, made.keywords) == (function.func, function.keywords)
    else:
        assert made == function


def test_what_no_module_has_is_not_named() -> None:
    def local(x: Any) -> Any:
        return x

    for function in (lambda x: x, local, functools.partial(local, 1), Machine().run, Machine()):
        assert written(function) is None


def test_the_options_that_decide_are_in_the_call() -> None:
    x = np.array([1.0, 2.0])
    options = {
        "rtol": 1e-4,
        "mode": "full",
        "domain": (0.5, 3.0),
        "methods": ["central", "user"],
        "name": "f",
    }
    result = check_gradients(cube, x, gradient=wrong, **options)  # type: ignore[arg-type]  # by keyword
    assert result.imports == f"from {__name__} import cube, wrong"
    assert "rtol=0.0001" in result.reproduce
    assert "mode='full', domain=(0.5, 3.0)" in result.reproduce
    assert "methods=('central', 'user')" in result.reproduce
    assert "name=" not in result.reproduce
    again = eval(
        result.reproduce, {"np": np, "check_gradients": check_gradients, "cube": cube, "wrong": wrong}
    )
    assert (again.verdict, again.culprit, again.worst) == (result.verdict, result.culprit, result.worst)


def test_an_input_without_a_source_cannot_be_imported() -> None:
    result = check_gradients(
        lambda x, m: x, (np.array([1.0]), object()), gradient=lambda x, m: (np.array([[2.0]]), None)
    )
    assert result.imports is None
    plain = check_gradients(Twice.apply, torch.ones(2, dtype=torch.float64))
    assert plain.imports == f"from {__name__} import Twice"
