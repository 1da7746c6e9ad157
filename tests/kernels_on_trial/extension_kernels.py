"""Kernels in C++, built by torch.utils.cpp_extension: Functions in Python, and one in C++."""

from __future__ import annotations

import functools
import shutil
from types import ModuleType
from typing import Any

import eager_oracles
import torch
from torch import Tensor
from trials import CALLS, Kernel, counted, together, uniform

COMPILER = shutil.which("c++") and shutil.which("ninja")

SOURCE = r"""
#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

#define FOR_ALL(tensor, ...) \
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, tensor.scalar_type(), "kernel", __VA_ARGS__)

Tensor softmax_forward(const Tensor &x) {
    Tensor y = at::empty_like(x);
    FOR_ALL(x, [&] {
        using acc = at::opmath_type<scalar_t>;
        long cols = x.size(1);
        for (long i = 0; i < x.size(0); i++) {
            const scalar_t *row = x.const_data_ptr<scalar_t>() + i * cols;
            acc top = row[0], total = 0;
            for (long j = 1; j < cols; j++)
                top = std::max<acc>(top, row[j]);
            for (long j = 0; j < cols; j++)
                total += std::exp(acc(row[j]) - top);
            for (long j = 0; j < cols; j++)
                y.mutable_data_ptr<scalar_t>()[i * cols + j] = std::exp(acc(row[j]) - top) / total;
        }
    });
    return y;
}

Tensor softmax_backward(const Tensor &y, const Tensor &g, const std::string &fault) {
    Tensor d = at::zeros_like(y);
    FOR_ALL(y, [&] {
        using acc = at::opmath_type<scalar_t>;
        const scalar_t *py = y.const_data_ptr<scalar_t>(), *pg = g.const_data_ptr<scalar_t>();
        scalar_t *pd = d.mutable_data_ptr<scalar_t>();
        long rows = y.size(0), cols = y.size(1);
        for (long i = 0; i < (fault == "last-block" ? rows - 1 : rows); i++) {
            acc dot = 0;
            long from = fault == "wrong-row" ? 0 : i;
            for (long j = 0; j < cols && fault != "missing-sum"; j++)
                dot += acc(py[from * cols + j]) * acc(pg[i * cols + j]);
            for (long j = 0; j < cols; j++)
                pd[i * cols + j] = acc(py[i * cols + j]) * (acc(pg[i * cols + j]) - dot);
        }
    });
    return d;
}

// SwiGLU as a Function in C++. What is between the pointers is opaque, and so is the Function.
struct SwiGlu : torch::autograd::Function<SwiGlu> {
    static Tensor forward(AutogradContext *ctx, const Tensor &gate, const Tensor &up, std::string fault) {
        Tensor a = gate.contiguous(), b = up.contiguous(), y = at::empty_like(a);
        FOR_ALL(a, [&] {
            using acc = at::opmath_type<scalar_t>;
            const scalar_t *pa = a.const_data_ptr<scalar_t>(), *pb = b.const_data_ptr<scalar_t>();
            for (long i = 0; i < a.numel(); i++)
                y.mutable_data_ptr<scalar_t>()[i] = acc(pa[i]) / (1 + std::exp(-acc(pa[i]))) * acc(pb[i]);
        });
        ctx->save_for_backward({a, b});
        ctx->saved_data["fault"] = fault;
        return y;
    }

    static variable_list backward(AutogradContext *ctx, variable_list gs) {
        auto saved = ctx->get_saved_variables();
        Tensor a = saved[0], b = saved[1], g = gs[0].contiguous();
        std::string fault = ctx->saved_data["fault"].toStringRef();
        Tensor da = at::zeros_like(a), db = at::zeros_like(b);
        long n = fault == "last-block" ? a.numel() / 16 * 16 : a.numel();
        FOR_ALL(a, [&] {
            using acc = at::opmath_type<scalar_t>;
            const scalar_t *pa = a.const_data_ptr<scalar_t>(), *pb = b.const_data_ptr<scalar_t>();
            const scalar_t *pg = g.const_data_ptr<scalar_t>();
            for (long i = 0; i < n; i++) {
                acc x = pa[i], s = 1 / (1 + std::exp(-x));
                acc slope = fault == "missing-term" ? s : s * (1 + x * (1 - s));
                da.mutable_data_ptr<scalar_t>()[i] = acc(pg[i]) * acc(pb[i]) * slope;
                db.mutable_data_ptr<scalar_t>()[i] = acc(pg[i]) * x * s;
            }
        });
        return {da, db, Tensor()};
    }
};

Tensor swiglu(const Tensor &gate, const Tensor &up, const std::string &fault) {
    return SwiGlu::apply(gate, up, fault);
}
"""


@functools.cache
def extension() -> ModuleType:
    """Build the extension, or take the one that was built before from the same source."""
    from torch.utils import cpp_extension

    names = ["softmax_forward", "softmax_backward", "swiglu"]
    built: ModuleType = cpp_extension.load_inline(
        "pytest_gradcheck_kernels_on_trial", SOURCE, functions=names, extra_cflags=["-O1"]
    )
    return built


@counted
class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, fault):
        y = extension().softmax_forward(x.contiguous())
        ctx.save_for_backward(y)
        ctx.fault = fault
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return extension().softmax_backward(y, g.contiguous(), ctx.fault or ""), None


def softmax(x: Tensor, fault: str | None = None) -> Tensor:
    return Softmax.apply(x, fault)


def swiglu(gate: Tensor, up: Tensor, fault: str | None = None) -> Any:
    CALLS["forward"] += 1
    return extension().swiglu(gate, up, fault or "")


rows = uniform(4, 6)
KERNELS = {
    "softmax": Kernel(
        softmax, eager_oracles.softmax, together(rows), ("missing-sum", "wrong-row", "last-block")
    ),
    "SwiGLU": Kernel(swiglu, eager_oracles.swiglu, together(rows, rows), ("missing-term", "last-block")),
}
