"""The private names of torch that are used are there in the installed release, and can be done without."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pytest_gradcheck.frameworks.torch import private  # noqa: E402  # after the skip

X = torch.ones(2, dtype=torch.float64)


def test_a_mode_sees_operations() -> None:
    class Seen(private.Mode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            names.append(f"{private.schema_of(func).name}.{private.overload_of(func)}")
            return func(*args, **(kwargs or {}))

    names: list[str] = []
    with Seen():
        X + X
    assert names == ["aten::add.Tensor"]


def test_two_views_have_one_memory() -> None:
    assert private.memory_of(X[:1].untyped_storage()) == private.memory_of(X.untyped_storage())
    assert private.memory_of(X.untyped_storage()) != private.memory_of(X.clone().untyped_storage())


def test_names_of_operations() -> None:
    assert private.name_of_operation(torch.ops.aten.add.Tensor) == "aten::add.Tensor"
    assert private.name_of_operation(torch.ops.aten.add) == "aten::add"
    assert private.name_of_operation(torch.add) is None


def test_functions_in_a_graph() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * x

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad

    x = X.clone().requires_grad_()
    assert private.function_of(Square.apply(x).grad_fn) is Square
    assert private.function_of((x * x).grad_fn) is None
    assert not private.is_registered(Square)


def test_the_backward_of_a_custom_operation() -> None:
    @torch.library.custom_op("gradcheck_private::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * grad

    twice.register_autograd(backward)
    kind = private.function_of(twice(X.clone().requires_grad_()).grad_fn)
    assert kind is not None
    assert private.is_registered(kind)
    found, name = private.registered(kind)
    assert found is backward
    assert str(name).removesuffix(".default") == "gradcheck_private::twice"
    assert private.name_of_operation(twice) == "gradcheck_private::twice.default"


def test_there_are_decompositions() -> None:
    assert torch.ops.aten.addcmul.default in private.decompositions()


def test_a_tensor_of_zeros_without_memory() -> None:
    assert private.is_zero_tensor(torch._efficientzerotensor((2,)))
    assert not private.is_zero_tensor(X)


def test_vmap_refuses_what_has_no_rule() -> None:
    def mapped() -> Any:
        return torch.func.vmap(lambda x: torch.renorm(x[None], 2, 0, 1.0))(torch.ones(2, 2))

    with private.rules_only(), pytest.raises(RuntimeError, match="fallback"):
        mapped()
    with pytest.warns(UserWarning, match="batching rule"):
        mapped()


def test_mkldnn_is_off() -> None:
    before = torch._C._get_mkldnn_enabled()
    with private.without_mkldnn():
        assert not torch._C._get_mkldnn_enabled()
    assert torch._C._get_mkldnn_enabled() == before


@pytest.mark.parametrize("context", [private.rules_only, private.without_mkldnn])
def test_switches_that_are_gone(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private.torch, "_C", SimpleNamespace())
    with context(), contextlib.nullcontext():
        pass


def test_without_the_modules() -> None:
    """A check then passes by the other methods."""
    code = """
import sys
import torch
from torch.utils import _python_dispatch
kept = _python_dispatch.TorchDispatchMode
del _python_dispatch.TorchDispatchMode
from pytest_gradcheck.frameworks.torch import private
_python_dispatch.TorchDispatchMode = kept
sys.modules["torch._decomp"] = sys.modules["torch._numpy"] = None
from pytest_gradcheck import check_gradients
assert private.decompositions() == {}
import numpy as np
result = check_gradients(np.sin, 1.0)
print(result.verdict, result.methods["torch"].reason)
result = check_gradients(torch.sin, torch.ones(2, dtype=torch.float64))
print(result.verdict, {name: m.reason for name, m in result.methods.items() if m.reason})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.count("pass ") == 2, done.stdout + done.stderr
    assert "has no NumPy of its own" in done.stdout
    assert "does not show the operations that run" in done.stdout
