"""Wrong gradients on purpose: a call under autograd, with a fault after its backward."""

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
        back_args, back_kwargs = _each_leaf((tensor_args, tensor_kwargs), _wrapped)
        return _each_leaf(fn(*back_args, **back_kwargs), _bare)

    bare = Tree(_each_leaf((args, kwargs), _bare), "inputs")
    return _each_leaf(_run(on_tensors, bare, fault), _wrapped)


def _each_leaf(value: Any, change: Callable[[Any], Any]) -> Any:
    tree = Tree(value, "value")
    return tree.rebuild(map(change, tree.leaves), itself)


def _bare(leaf: Any) -> Any:
    return unwrap(leaf) if isinstance(leaf, TorchArray) else leaf


def _wrapped(leaf: Any) -> Any:
    return wrap(leaf) if isinstance(leaf, torch.Tensor) else leaf


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
