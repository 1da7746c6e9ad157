"""Wrong gradients on purpose, for trying out a checker."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.function.containers import Tree, is_tensor

__all__ = ["FAULTS", "corrupt"]

Gradients = Sequence[Any]
Fault = Callable[[Gradients], Gradients]


def corrupt(fn: Callable[..., Any], fault: str | Fault) -> Callable[..., Any]:
    """Give a function a wrong backward under torch autograd; its values stay as they are.

    Parameters
    ----------
    fn
        A function of torch tensors, or of NumPy arrays or floats, in any nesting.
    fault
        A name from ``FAULTS``, or a function from the right gradients (one tensor per tensor input, in
        order) to wrong ones of the same shapes.

    Returns
    -------
    Callable
        A function that is called like ``fn``. When it is called with plain floats or arrays, and on the
        reference engine, it is ``fn`` itself.
    """
    if isinstance(fault, str):
        if fault not in FAULTS:
            raise InvalidArgument("fault", repr(fault), f"the faults are {', '.join(FAULTS)}")
        chosen = FAULTS[fault]
    elif callable(fault):
        chosen = fault
    else:
        raise InvalidArgument("fault", repr(fault), "give a name or a function of the gradients")

    @functools.wraps(fn)
    def corrupted(*args: Any, **kwargs: Any) -> Any:
        tree = Tree((args, kwargs), "inputs")
        if any(is_tensor(leaf) for leaf in tree.leaves):
            return _run(fn, tree, chosen)
        from pytest_gradcheck.frameworks.torch.numpy_code import dispatch as numpy_on_torch

        if not any(isinstance(leaf, numpy_on_torch.TorchArray) for leaf in tree.leaves):
            return fn(*args, **kwargs)

        def on_tensors(*tensor_args: Any, **tensor_kwargs: Any) -> Any:
            inner = Tree((tensor_args, tensor_kwargs), "inputs")
            wrapped = [numpy_on_torch.wrap(v) if is_tensor(v) else v for v in inner.leaves]
            (back_args, back_kwargs), _ = inner.rebuild(wrapped)
            out = Tree(fn(*back_args, **back_kwargs), "output")
            return out.map([_bare(v) for v in out.leaves])

        bare = [_bare(leaf) for leaf in tree.leaves]
        (bare_args, bare_kwargs), _ = tree.rebuild(bare)
        result = Tree(_run(on_tensors, Tree((bare_args, bare_kwargs), "inputs"), chosen), "output")
        return result.map([numpy_on_torch.wrap(v) if is_tensor(v) else v for v in result.leaves])

    return corrupted


def _bare(leaf: Any) -> Any:
    from pytest_gradcheck.frameworks.torch.numpy_code import dispatch as numpy_on_torch

    return numpy_on_torch.unwrap(leaf) if isinstance(leaf, numpy_on_torch.TorchArray) else leaf


def _run(fn: Callable[..., Any], tree: Tree, fault: Fault) -> Any:
    """Run a torch function with its backward replaced by the right one and a fault after it."""
    import torch

    positions = [
        i for i, v in enumerate(tree.leaves) if is_tensor(v) and (v.is_floating_point() or v.is_complex())
    ]
    structure: list[Tree] = []

    def call(tensors: Sequence[Any]) -> list[Any]:
        leaves = list(tree.leaves)
        for i, tensor in zip(positions, tensors, strict=True):
            leaves[i] = tensor
        (args, kwargs), _ = tree.rebuild(leaves)
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
                    if is_tensor(out) and out.requires_grad
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
    return structure[0].map(list(outs))


# -- faults: from the right gradients to wrong ones -------------------------------------------------


def _each(change: Callable[[Any], Any]) -> Fault:
    return lambda gradients: [change(g) for g in gradients]


def _at_largest(change: Callable[[Any], Any]) -> Fault:
    """Change the one entry, of all inputs, that is largest in magnitude."""

    def fault(gradients: Gradients) -> Gradients:
        import torch

        sizes = [float(g.detach().abs().max()) if g.numel() else -1.0 for g in gradients]
        k = sizes.index(max(sizes))
        target = gradients[k]
        flat = target.reshape(-1)
        hit = torch.zeros_like(flat, dtype=torch.bool)
        hit[int(flat.detach().abs().argmax())] = True
        changed = torch.where(hit, change(flat), flat).reshape(target.shape)
        return [*gradients[:k], changed, *gradients[k + 1 :]]

    return fault


def _drop_second(gradients: Gradients) -> Gradients:
    return [g * 0 if k == 1 else g for k, g in enumerate(gradients)]


def _transpose(gradient: Any) -> Any:
    square = gradient.ndim == 2 and gradient.shape[0] == gradient.shape[1]
    return gradient.T if square else gradient


#: Faults by name, each from the right gradients to wrong ones: all of a gradient times minus one, two, 1.01,
#: 1.001 or zero; nan; a hundredth of the largest entry added to each; the largest entry alone off by a
#: hundredth, or zero; its entries in reverse order; a matrix transposed; no gradient by the second input.
FAULTS: dict[str, Fault] = {
    "sign": _each(lambda g: -g),
    "double": _each(lambda g: 2 * g),
    "percent": _each(lambda g: 1.01 * g),
    "permille": _each(lambda g: 1.001 * g),
    "zero": _each(lambda g: 0 * g),
    "nan": _each(lambda g: g * float("nan")),
    "offset": _each(lambda g: g + g.abs().max() / 100 if g.numel() else g),
    "entry-percent": _at_largest(lambda g: 1.01 * g),
    "entry-zero": _at_largest(lambda g: 0 * g),
    "reversed": _each(lambda g: g.reshape(-1).flip(0).reshape(g.shape)),
    "transposed": _each(_transpose),
    "second-input": _drop_second,
}
