"""Deliberately wrong gradients: a call under autograd, with a fault after its backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from pytest_gradcheck.frameworks.base import Fault
from pytest_gradcheck.frameworks.containers import Tree, itself
from pytest_gradcheck.frameworks.torch.leaves import is_floating
from pytest_gradcheck.frameworks.torch.numpy_code.dispatch import TorchArray, unwrap, wrap


def corrupted_call(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], fault: Fault
) -> Any:
    """Call a function on tensors, or on those that stand in for NumPy's; see `Framework.corrupted_call`."""
    tree = Tree((args, kwargs), "inputs")
    if any(isinstance(leaf, torch.Tensor) for leaf in tree.leaves):
        return _run(fn, tree, fault)
    if not any(isinstance(leaf, TorchArray) for leaf in tree.leaves):
        return NotImplemented

    def on_tensors(*tensor_args: Any, **tensor_kwargs: Any) -> Any:
        back_args, back_kwargs = _changed((tensor_args, tensor_kwargs), torch.Tensor, wrap)
        return _changed(fn(*back_args, **back_kwargs), TorchArray, unwrap)

    bare = Tree(_changed((args, kwargs), TorchArray, unwrap), "inputs")
    return _changed(_run(on_tensors, bare, fault), torch.Tensor, wrap)


def _changed(value: Any, kind: type[Any], change: Callable[[Any], Any]) -> Any:
    """Return the same containers, with the leaves of a kind changed."""
    tree = Tree(value, "value")
    return tree.rebuild((change(leaf) if isinstance(leaf, kind) else leaf for leaf in tree.leaves), itself)


def _run(fn: Callable[..., Any], tree: Tree, fault: Fault) -> Any:
    """Run a torch function with its backward replaced by the right one and a fault after it."""
    positions = [i for i, v in enumerate(tree.leaves) if isinstance(v, torch.Tensor) and is_floating(v)]
    structure: list[Tree] = []

    def call(tensors: Sequence[Any]) -> list[Any]:
        leaves = list(tree.leaves)
        for i, tensor in zip(positions, tensors, strict=True):
            leaves[i] = tensor
        args, kwargs = tree.rebuild(iter(leaves), itself)
        structure[:] = [Tree(fn(*args, **kwargs), "output")]
        return structure[0].leaves

    class Corrupted(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            return tuple(call(tensors))

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            again = torch.is_grad_enabled()
            with torch.enable_grad():
                inputs = ctx.saved_tensors
                if not again:
                    inputs = [x.detach().requires_grad_() for x in inputs]
                pairs = [
                    (out, cotangent)
                    for out, cotangent in zip(call(inputs), cotangents, strict=True)
                    if isinstance(out, torch.Tensor) and out.requires_grad
                ]
                right = torch.autograd.grad(
                    [out for out, _ in pairs],
                    inputs,
                    [cotangent for _, cotangent in pairs],
                    create_graph=again,
                    allow_unused=True,
                )
                # A zero tensor of torch's without memory, as of sgn, cannot be added to in .grad.
                full = [
                    torch.zeros_like(x) if g is None or g._is_zerotensor() else g
                    for x, g in zip(inputs, right, strict=True)
                ]
                return tuple(fault(full))

    outs = Corrupted.apply(*[tree.leaves[i] for i in positions])  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return structure[0].rebuild(iter(outs), itself)
