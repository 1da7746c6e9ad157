"""Functions that torch compiles, and backends whose backward has a fault, as a compiler's bug would be."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import eager_oracles
import torch
from torch import Tensor
from trials import CALLS, Kernel, together, uniform

with warnings.catch_warnings():
    # Of torch's own deprecated functions, which it uses itself.
    warnings.simplefilter("ignore", DeprecationWarning)
    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd

Graph = torch.fx.GraphModule


def counting(name: str, graph: Callable[..., Any]) -> Any:
    """Count the calls of a compiled graph."""

    def run(*args: Any) -> Any:
        CALLS[name] += 1
        return graph(*args)

    return make_boxed_func(run)


def rounding(graph: Graph) -> Callable[..., Any]:
    """Round the gradients to bfloat16, as code does that casts on its way."""

    def run(*args: Any) -> Any:
        return [g if g is None else g.to(torch.bfloat16).to(g.dtype) for g in graph(*args)]

    return run


def summing_one_row_less(graph: Graph) -> Callable[..., Any]:
    """Leave the last row out of the gradient of what was broadcast over rows."""
    sums = [node for node in graph.graph.nodes if node.target is torch.ops.aten.sum.dim_IntList]
    over_rows = [node for node in sums if 0 in node.args[1]]
    assert over_rows
    for node in over_rows:
        with graph.graph.inserting_before(node):
            cut = graph.graph.call_function(torch.ops.aten.slice.Tensor, (node.args[0], 0, 0, -1))
        node.update_arg(0, cut)
    graph.recompile()
    return graph


def simplifying(graph: Graph) -> Callable[..., Any]:
    """Replace a backward by one that leaves a term out, as a wrong rewriting rule would."""
    rules = {
        torch.ops.aten._softmax_backward_data.default: lambda g, y, *_: g * y,
        torch.ops.aten.silu_backward.default: lambda g, x: g * torch.sigmoid(x),
    }
    found = [node for node in graph.graph.nodes if node.target in rules]
    assert found
    for node in found:
        node.target = rules[node.target]
    graph.recompile()
    return graph


FAULTS = {
    None: lambda graph: graph,
    "half": rounding,
    "last-row": summing_one_row_less,
    "missing-term": simplifying,
}


def backend(fault: str | None) -> Any:
    """Return a backend that runs the graphs of AOTAutograd as they are, but for a fault of the backward."""
    return aot_autograd(
        fw_compiler=lambda graph, _: counting("forward", graph),
        bw_compiler=lambda graph, _: counting("backward", FAULTS[fault](graph)),
        inference_compiler=lambda graph, _: counting("forward", graph),
    )


def compiled(function: Callable[..., Tensor], by: str | None = None) -> Callable[..., Tensor]:
    """Return a function of tensors and of ``fault`` that runs another one compiled."""

    @functools.cache
    def made(fault: str | None) -> Any:
        return torch.compile(function, backend=by or backend(fault))

    def call(*inputs: Any, fault: str | None) -> Any:
        return made(fault)(*inputs)

    return call


KERNELS = {
    "RMS norm": Kernel(
        compiled(eager_oracles.rms_norm),
        eager_oracles.rms_norm,
        together(uniform(4, 6), uniform(6, low=0.5)),
        ("half", "last-row"),
    ),
    "softmax": Kernel(
        compiled(eager_oracles.softmax),
        eager_oracles.softmax,
        together(uniform(4, 6)),
        ("half", "missing-term"),
    ),
    "SwiGLU": Kernel(
        compiled(eager_oracles.swiglu),
        eager_oracles.swiglu,
        together(uniform(4, 6), uniform(4, 6)),
        ("half", "missing-term"),
    ),
}

#: Nothing but torch's own compilers, which have no faults here.
BACKENDS = {
    by: {
        name: Kernel(compiled(kernel.oracle, by), kernel.oracle, kernel.draw, ())
        for name, kernel in KERNELS.items()
    }
    for by in ("eager", "aot_eager", "inductor")
}
