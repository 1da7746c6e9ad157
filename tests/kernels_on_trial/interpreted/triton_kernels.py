"""Triton kernels with backwards by hand, each right or with one of the faults that kernels really have."""

from __future__ import annotations

import eager_oracles
import torch
import triton
import triton.language as tl
from torch import Tensor
from trials import Kernel, counted, together, uniform

# ------------------------------------------------------------------------------------------ softmax


@triton.jit
def softmax_forward(x_ptr, y_ptr, n_cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * n_cols + at, mask=at < n_cols, other=-float("inf")).to(tl.float32)
    e = tl.exp(x - tl.max(x, 0))
    tl.store(y_ptr + row * n_cols + at, e / tl.sum(e, 0), mask=at < n_cols)


@triton.jit
def softmax_backward(y_ptr, g_ptr, d_ptr, n_cols, BLOCK: tl.constexpr, FAULT: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    y = tl.load(y_ptr + row * n_cols + at, mask=at < n_cols, other=0.0).to(tl.float32)
    g = tl.load(g_ptr + row * n_cols + at, mask=at < n_cols, other=0.0).to(tl.float32)
    dot = tl.sum(y * g, 0)
    if FAULT == "no-sum":
        dot = 0.0
    if FAULT == "half":
        dot = tl.sum((y * g).to(tl.bfloat16).to(tl.float32), 0)
    if FAULT == "wrong-row":
        first = tl.load(y_ptr + at, mask=at < n_cols, other=0.0).to(tl.float32)
        dot = tl.sum(first * g, 0)
    tl.store(d_ptr + row * n_cols + at, y * (g - dot), mask=at < n_cols)


@counted
class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, fault):
        x = x.contiguous()
        y = torch.empty_like(x)
        softmax_forward[(len(x),)](x, y, x.shape[1], BLOCK=triton.next_power_of_2(x.shape[1]))
        ctx.save_for_backward(y)
        ctx.fault = fault
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        g = g.contiguous()
        d = torch.empty_like(y)
        block = triton.next_power_of_2(y.shape[1])
        softmax_backward[(len(y),)](y, g, d, y.shape[1], BLOCK=block, FAULT=ctx.fault or "")
        return d, None


def softmax(x: Tensor, fault: str | None = None) -> Tensor:
    return Softmax.apply(x, fault)


# --------------------------------------------------------------------------------------- layer norm


@triton.jit
def layer_norm_forward(x_ptr, w_ptr, b_ptr, y_ptr, mean_ptr, rstd_ptr, n_cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < n_cols
    x = tl.load(x_ptr + row * n_cols + at, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(w_ptr + at, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(b_ptr + at, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(x, 0) / n_cols
    centred = tl.where(inside, x - mean, 0.0)
    rstd = 1 / tl.sqrt(tl.sum(centred * centred, 0) / n_cols + 1e-5)
    tl.store(mean_ptr + row, mean)
    tl.store(rstd_ptr + row, rstd)
    tl.store(y_ptr + row * n_cols + at, centred * rstd * w + b, mask=inside)


@triton.jit
def layer_norm_backward(
    x_ptr, w_ptr, g_ptr, mean_ptr, rstd_ptr, dx_ptr, dw_ptr, db_ptr, n_rows, n_cols,
    ROWS: tl.constexpr, BLOCK: tl.constexpr, FAULT: tl.constexpr,
):  # fmt: skip
    """Each program takes ROWS rows, and leaves its share of dw and db in a row of its own."""
    program = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < n_cols
    w = tl.load(w_ptr + at, mask=inside, other=0.0).to(tl.float32)
    dw = tl.zeros((BLOCK,), tl.float32)
    db = tl.zeros((BLOCK,), tl.float32)
    for k in range(ROWS):
        row = program * ROWS + k
        if row < n_rows:
            x = tl.load(x_ptr + row * n_cols + at, mask=inside, other=0.0).to(tl.float32)
            g = tl.load(g_ptr + row * n_cols + at, mask=inside, other=0.0).to(tl.float32)
            mean = tl.load(mean_ptr + row)
            rstd = tl.load(rstd_ptr + row)
            if FAULT == "wrong-row":
                rstd = tl.load(rstd_ptr + program)
            hat = (x - mean) * rstd
            if FAULT != "mask":
                hat = tl.where(inside, hat, 0.0)
            else:
                g = tl.load(g_ptr + row * n_cols + at, mask=at < BLOCK, other=0.0).to(tl.float32)
            wg = w * g
            c1 = tl.sum(hat * wg, 0) / n_cols
            c2 = tl.sum(wg, 0) / n_cols
            if FAULT == "mask":
                c1 = tl.sum(hat * wg, 0) / BLOCK
            tl.store(dx_ptr + row * n_cols + at, (wg - (hat * c1 + c2)) * rstd, mask=inside)
            if FAULT == "missing-sum":
                dw = g * hat
            else:
                dw += g * hat
            db += g
    tl.store(dw_ptr + program * n_cols + at, dw, mask=inside)
    tl.store(db_ptr + program * n_cols + at, db, mask=inside)


@counted
class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, fault):
        x, weight, bias = x.contiguous(), weight.contiguous(), bias.contiguous()
        rows, cols = x.shape
        y = torch.empty_like(x)
        mean, rstd = torch.empty(rows), torch.empty(rows)
        block = triton.next_power_of_2(cols)
        layer_norm_forward[(rows,)](x, weight, bias, y, mean, rstd, cols, BLOCK=block)
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.fault = fault
        return y

    @staticmethod
    def backward(ctx, g):
        x, weight, mean, rstd = ctx.saved_tensors
        g = g.contiguous()
        rows, cols = x.shape
        per_program = 2
        programs = triton.cdiv(rows, per_program)
        dx = torch.empty_like(x)
        dw, db = torch.zeros(programs, cols), torch.zeros(programs, cols)
        layer_norm_backward[(programs,)](
            x, weight, g, mean, rstd, dx, dw, db, rows, cols,
            ROWS=per_program, BLOCK=triton.next_power_of_2(cols), FAULT=ctx.fault or "",
        )  # fmt: skip
        if ctx.fault == "last-block":
            dw, db = dw[:-1], db[:-1]
        return dx, dw.sum(0).to(weight.dtype), db.sum(0).to(weight.dtype), None


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, fault: str | None = None) -> Tensor:
    return LayerNorm.apply(x, weight, bias, fault)


# ----------------------------------------------------------------------------------------- RMS norm


@triton.jit
def rms_norm_forward(x_ptr, stride, w_ptr, y_ptr, rstd_ptr, n_cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * stride + at, mask=at < n_cols, other=0.0).to(tl.float32)
    w = tl.load(w_ptr + at, mask=at < n_cols, other=0.0).to(tl.float32)
    rstd = 1 / tl.sqrt(tl.sum(x * x, 0) / n_cols + 1e-5)
    tl.store(rstd_ptr + row, rstd)
    tl.store(y_ptr + row * n_cols + at, x * rstd * w, mask=at < n_cols)


@triton.jit
def rms_norm_backward(
    x_ptr, stride, w_ptr, g_ptr, rstd_ptr, dx_ptr, dw_ptr, n_cols,
    BLOCK: tl.constexpr, FAULT: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < n_cols
    x = tl.load(x_ptr + row * stride + at, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(w_ptr + at, mask=inside, other=0.0).to(tl.float32)
    g = tl.load(g_ptr + row * n_cols + at, mask=inside, other=0.0).to(tl.float32)
    rstd = tl.load(rstd_ptr + row)
    if FAULT == "wrong-row":
        rstd = tl.load(rstd_ptr)
    hat = x * rstd
    c = tl.sum(hat * w * g, 0) / n_cols
    if FAULT == "missing-term":
        c = 0.0
    tl.store(dx_ptr + row * n_cols + at, (w * g - hat * c) * rstd, mask=inside)
    tl.atomic_add(dw_ptr + at, g * hat, mask=inside)


@counted
class RmsNorm(torch.autograd.Function):
    """Rows may stand apart in memory: a row of x begins ``stride`` entries after the one before."""

    @staticmethod
    def forward(ctx, x, weight, fault):
        x = x if x.stride(1) == 1 else x.contiguous()
        weight = weight.contiguous()
        rows, cols = x.shape
        y = torch.empty(rows, cols, dtype=x.dtype)
        rstd = torch.empty(rows)
        block = triton.next_power_of_2(cols)
        rms_norm_forward[(rows,)](x, x.stride(0), weight, y, rstd, cols, BLOCK=block)
        ctx.save_for_backward(x, weight, rstd)
        ctx.fault = fault
        return y

    @staticmethod
    def backward(ctx, g):
        x, weight, rstd = ctx.saved_tensors
        g = g.contiguous()
        rows, cols = x.shape
        dx = torch.empty(rows, cols, dtype=x.dtype)
        dw = torch.zeros(cols)
        stride = cols - 1 if ctx.fault == "wrong-stride" else x.stride(0)
        rms_norm_backward[(rows,)](
            x, stride, weight, g, rstd, dx, dw, cols,
            BLOCK=triton.next_power_of_2(cols), FAULT=ctx.fault or "",
        )  # fmt: skip
        return dx, dw.to(weight.dtype), None


def rms_norm(x: Tensor, weight: Tensor, fault: str | None = None) -> Tensor:
    return RmsNorm.apply(x, weight, fault)


# ------------------------------------------------------------------------------------------- SwiGLU


@triton.jit
def swiglu_forward(a_ptr, b_ptr, y_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    a = tl.load(a_ptr + at, mask=at < n, other=0.0).to(tl.float32)
    b = tl.load(b_ptr + at, mask=at < n, other=0.0).to(tl.float32)
    tl.store(y_ptr + at, a * tl.sigmoid(a) * b, mask=at < n)


@triton.jit
def swiglu_backward(a_ptr, b_ptr, g_ptr, da_ptr, db_ptr, n, BLOCK: tl.constexpr, FAULT: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    a = tl.load(a_ptr + at, mask=at < n, other=0.0).to(tl.float32)
    b = tl.load(b_ptr + at, mask=at < n, other=0.0).to(tl.float32)
    g = tl.load(g_ptr + at, mask=at < n, other=0.0).to(tl.float32)
    s = tl.sigmoid(a)
    slope = s + a * s * (1 - s)
    if FAULT == "missing-term":
        slope = s
    tl.store(da_ptr + at, g * b * slope, mask=at < n)
    tl.store(db_ptr + at, g * a * s, mask=at < n)


@counted
class SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gate, up, fault):
        gate, up = gate.contiguous(), up.contiguous()
        y = torch.empty_like(gate)
        swiglu_forward[(triton.cdiv(y.numel(), 16),)](gate, up, y, y.numel(), BLOCK=16)
        ctx.save_for_backward(gate, up)
        ctx.fault = fault
        return y

    @staticmethod
    def backward(ctx, g):
        gate, up = ctx.saved_tensors
        g = g.contiguous()
        n = g.numel()
        da, db = torch.zeros_like(gate), torch.zeros_like(up)
        blocks = n // 16 if ctx.fault == "last-block" else triton.cdiv(n, 16)
        if blocks:
            swiglu_backward[(blocks,)](gate, up, g, da, db, n, BLOCK=16, FAULT=ctx.fault or "")
        return da, db, None


def swiglu(gate: Tensor, up: Tensor, fault: str | None = None) -> Tensor:
    return SwiGlu.apply(gate, up, fault)


# ------------------------------------------------------------------------------------ cross entropy


@triton.jit
def cross_entropy_kernel(
    x_ptr, label_ptr, loss_ptr, d_ptr, n_cols, n_counted, BLOCK: tl.constexpr, FAULT: tl.constexpr
):
    """The loss of a row and its gradient, in one pass: what the backward needs is ready when it starts."""
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < n_cols
    label = tl.load(label_ptr + row)
    x = tl.load(x_ptr + row * n_cols + at, mask=inside, other=-float("inf")).to(tl.float32)
    top = tl.max(x, 0)
    e = tl.exp(x - top)
    total = tl.sum(e, 0)
    p = e / total
    if label >= 0:
        chosen = tl.sum(tl.where(at == label, x, 0.0), 0)
        tl.store(loss_ptr + row, (tl.log(total) + top - chosen) / n_counted)
        at_label = at == label
        if FAULT == "wrong-row":
            at_label = at == tl.load(label_ptr)
        tl.store(d_ptr + row * n_cols + at, (p - tl.where(at_label, 1.0, 0.0)) / n_counted, mask=inside)
    else:
        tl.store(loss_ptr + row, 0.0)
        d = tl.zeros((BLOCK,), tl.float32)
        if FAULT == "ignore-index":
            d = p / n_counted
        tl.store(d_ptr + row * n_cols + at, d, mask=inside)


@counted
class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels, fault):
        logits = logits.contiguous()
        rows, cols = logits.shape
        losses, d = torch.empty(rows), torch.empty_like(logits)
        number = int((labels >= 0).sum())
        cross_entropy_kernel[(rows,)](
            logits, labels, losses, d, cols, number,
            BLOCK=triton.next_power_of_2(cols), FAULT=fault or "",
        )  # fmt: skip
        if fault == "mean-of-all":
            d = d * (number / rows)
        ctx.save_for_backward(d)
        return losses.sum().to(logits.dtype)

    @staticmethod
    def backward(ctx, g):
        (d,) = ctx.saved_tensors
        return d * g, None, None


def cross_entropy(logits: Tensor, labels: Tensor, fault: str | None = None) -> Tensor:
    return CrossEntropy.apply(logits, labels, fault)


# --------------------------------------------------------------------------------------------- RoPE


@triton.jit
def rope_kernel(
    x_ptr, cos_ptr, sin_ptr, y_ptr, n_heads, HALF: tl.constexpr, BACKWARD: tl.constexpr, FAULT: tl.constexpr
):
    """One program per position and head. The backward is the same with the sine's sign turned."""
    position = tl.program_id(0)
    head = tl.program_id(1)
    at = tl.arange(0, HALF)
    start = (position * n_heads + head) * 2 * HALF
    turn = position
    if FAULT == "wrong-stride":
        turn = head
    cos = tl.load(cos_ptr + turn * HALF + at)
    sin = tl.load(sin_ptr + turn * HALF + at)
    if BACKWARD and FAULT != "sign":
        sin = -sin
    a = tl.load(x_ptr + start + at).to(tl.float32)
    b = tl.load(x_ptr + start + HALF + at).to(tl.float32)
    tl.store(y_ptr + start + at, a * cos - b * sin)
    tl.store(y_ptr + start + HALF + at, b * cos + a * sin)


@counted
class Rope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, fault):
        x = x.contiguous()
        length, heads, dim = x.shape
        frequencies = 100.0 ** (-torch.arange(dim // 2, dtype=torch.float64) / (dim // 2))
        angles = torch.arange(max(length, heads), dtype=torch.float64)[:, None] * frequencies
        ctx.tables = torch.cos(angles).float(), torch.sin(angles).float()
        ctx.fault = fault
        y = torch.empty_like(x)
        rope_kernel[(length, heads)](x, *ctx.tables, y, heads, HALF=dim // 2, BACKWARD=False, FAULT="")
        return y

    @staticmethod
    def backward(ctx, g):
        g = g.contiguous()
        length, heads, dim = g.shape
        d = torch.empty_like(g)
        rope_kernel[(length, heads)](
            g, *ctx.tables, d, heads, HALF=dim // 2, BACKWARD=True, FAULT=ctx.fault or ""
        )
        return d, None


def rope(x: Tensor, fault: str | None = None) -> Tensor:
    return Rope.apply(x, fault)


# --------------------------------------------------------------------------------------------- scan


@triton.jit
def scan_forward(a_ptr, x_ptr, h_ptr, length, n_channels, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n_channels
    h = tl.zeros((BLOCK,), tl.float32)
    tl.store(h_ptr + at, h, mask=inside)
    for t in range(length):
        a = tl.load(a_ptr + t * n_channels + at, mask=inside, other=0.0).to(tl.float32)
        x = tl.load(x_ptr + t * n_channels + at, mask=inside, other=0.0).to(tl.float32)
        h = a * h + x
        tl.store(h_ptr + (t + 1) * n_channels + at, h, mask=inside)


@triton.jit
def scan_backward(
    a_ptr, h_ptr, g_ptr, da_ptr, dx_ptr, length, n_channels, BLOCK: tl.constexpr, FAULT: tl.constexpr
):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n_channels
    carry = tl.zeros((BLOCK,), tl.float32)
    for back in range(length):
        t = length - 1 - back
        g = tl.load(g_ptr + t * n_channels + at, mask=inside, other=0.0).to(tl.float32)
        a = tl.load(a_ptr + t * n_channels + at, mask=inside, other=0.0).to(tl.float32)
        before = tl.load(h_ptr + t * n_channels + at, mask=inside, other=0.0)
        if FAULT == "shift":
            before = tl.load(h_ptr + (t + 1) * n_channels + at, mask=inside, other=0.0)
        if FAULT == "carry":  # between blocks of four steps
            carry = tl.where(t % 4 == 3, 0.0, carry)
        d = g + carry
        tl.store(da_ptr + t * n_channels + at, d * before, mask=inside)
        tl.store(dx_ptr + t * n_channels + at, d, mask=inside)
        carry = a * d


@counted
class Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, x, fault):
        a, x = a.contiguous(), x.contiguous()
        length, channels = x.shape
        h = torch.empty(length + 1, channels)  # begins with the state before the first step
        scan_forward[(triton.cdiv(channels, 4),)](a, x, h, length, channels, BLOCK=4)
        ctx.save_for_backward(a, h)
        ctx.fault = fault
        return h[1:].to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        a, h = ctx.saved_tensors
        g = g.contiguous()
        length, channels = a.shape
        da, dx = torch.empty_like(a), torch.empty_like(a)
        scan_backward[(triton.cdiv(channels, 4),)](
            a, h, g, da, dx, length, channels, BLOCK=4, FAULT=ctx.fault or ""
        )
        return da, dx, None


def scan(a: Tensor, x: Tensor, fault: str | None = None) -> Tensor:
    return Scan.apply(a, x, fault)


# -------------------------------------------------------------------------------------- segment sum


@triton.jit
def segment_sum_forward(x_ptr, w_ptr, segment_ptr, y_ptr, n_cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < n_cols
    segment = tl.load(segment_ptr + row)
    x = tl.load(x_ptr + row * n_cols + at, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(w_ptr + row).to(tl.float32)
    tl.atomic_add(y_ptr + segment * n_cols + at, w * x, mask=inside)


@triton.jit
def segment_sum_backward(
    x_ptr, w_ptr, segment_ptr, g_ptr, dx_ptr, dw_ptr, n_cols, BLOCK: tl.constexpr, FAULT: tl.constexpr
):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < n_cols
    segment = tl.load(segment_ptr + row)
    if FAULT == "wrong-row":
        segment = tl.load(segment_ptr + row // 2 * 2)
    x = tl.load(x_ptr + row * n_cols + at, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(w_ptr + row).to(tl.float32)
    g = tl.load(g_ptr + segment * n_cols + at, mask=inside, other=0.0).to(tl.float32)
    product = x * g
    if FAULT == "half":
        product = product.to(tl.bfloat16).to(tl.float32)
    tl.store(dx_ptr + row * n_cols + at, w * g, mask=inside)
    tl.store(dw_ptr + row, tl.sum(product, 0))


@counted
class SegmentSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, segments, count, fault):
        x, weight = x.contiguous(), weight.contiguous()
        rows, cols = x.shape
        y = torch.zeros(count, cols)
        segment_sum_forward[(rows,)](x, weight, segments, y, cols, BLOCK=triton.next_power_of_2(cols))
        ctx.save_for_backward(x, weight, segments)
        ctx.fault = fault
        return y.to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        x, weight, segments = ctx.saved_tensors
        g = g.contiguous()
        rows, cols = x.shape
        dx, dw = torch.empty_like(x), torch.empty_like(weight)
        segment_sum_backward[(rows,)](
            x, weight, segments, g, dx, dw, cols,
            BLOCK=triton.next_power_of_2(cols), FAULT=ctx.fault or "",
        )  # fmt: skip
        return dx, dw, None, None, None


def segment_sum(x: Tensor, weight: Tensor, segments: Tensor, count: int, fault: str | None = None) -> Tensor:
    return SegmentSum.apply(x, weight, segments, count, fault)


# ---------------------------------------------------------------------------------------- embedding


@triton.jit
def embedding_forward(table_ptr, token_ptr, y_ptr, n_cols, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    token = tl.load(token_ptr + row)
    tl.store(
        y_ptr + row * n_cols + at,
        tl.load(table_ptr + token * n_cols + at, mask=at < n_cols),
        mask=at < n_cols,
    )


@triton.jit
def embedding_backward(token_ptr, g_ptr, d_ptr, n_cols, BLOCK: tl.constexpr, FAULT: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < n_cols
    token = tl.load(token_ptr + row)
    g = tl.load(g_ptr + row * n_cols + at, mask=inside, other=0.0).to(tl.float32)
    if FAULT == "no-atomics":  # the last of the rows with this token wins
        tl.store(d_ptr + token * n_cols + at, g, mask=inside)
    elif FAULT == "half":
        sofar = tl.load(d_ptr + token * n_cols + at, mask=inside)
        tl.store(d_ptr + token * n_cols + at, (sofar + g).to(tl.bfloat16).to(tl.float32), mask=inside)
    else:
        tl.atomic_add(d_ptr + token * n_cols + at, g, mask=inside)


@counted
class Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table, tokens, fault):
        table = table.contiguous()
        cols = table.shape[1]
        y = torch.empty(len(tokens), cols, dtype=table.dtype)
        embedding_forward[(len(tokens),)](table, tokens, y, cols, BLOCK=triton.next_power_of_2(cols))
        ctx.save_for_backward(tokens)
        ctx.rows, ctx.fault = len(table), fault
        return y

    @staticmethod
    def backward(ctx, g):
        (tokens,) = ctx.saved_tensors
        g = g.contiguous()
        cols = g.shape[1]
        d = torch.zeros(ctx.rows, cols)
        embedding_backward[(len(tokens),)](
            tokens, g, d, cols, BLOCK=triton.next_power_of_2(cols), FAULT=ctx.fault or ""
        )
        return d.to(g.dtype), None, None


def embedding(table: Tensor, tokens: Tensor, fault: str | None = None) -> Tensor:
    return Embedding.apply(table, tokens, fault)


# ---------------------------------------------------------------------------------------- attention


@triton.jit
def attention_forward(
    q_ptr, k_ptr, v_ptr, o_ptr, lse_ptr, length, scale,
    ROWS: tl.constexpr, DIM: tl.constexpr,
):  # fmt: skip
    """One program per block of queries, with the softmax kept up to date from block of keys to block."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    d = tl.arange(0, DIM)
    q = tl.load(q_ptr + rows[:, None] * DIM + d, mask=rows[:, None] < length, other=0.0).to(tl.float32)
    top = tl.full((ROWS,), -1e30, tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    o = tl.zeros((ROWS, DIM), tl.float32)
    for start in range(0, length, ROWS):
        keys = start + tl.arange(0, ROWS)
        k = tl.load(k_ptr + keys[:, None] * DIM + d, mask=keys[:, None] < length, other=0.0).to(tl.float32)
        v = tl.load(v_ptr + keys[:, None] * DIM + d, mask=keys[:, None] < length, other=0.0).to(tl.float32)
        scores = tl.sum(q[:, None, :] * k[None, :, :], 2) * scale
        scores = tl.where((rows[:, None] >= keys) & (keys < length), scores, -1e30)
        new_top = tl.maximum(top, tl.max(scores, 1))
        shrink = tl.exp(top - new_top)
        p = tl.exp(scores - new_top[:, None])
        total = total * shrink + tl.sum(p, 1)
        o = o * shrink[:, None] + tl.sum(p[:, :, None] * v[None, :, :], 1)
        top = new_top
    tl.store(o_ptr + rows[:, None] * DIM + d, o / total[:, None], mask=rows[:, None] < length)
    tl.store(lse_ptr + rows, top + tl.log(total), mask=rows < length)


@triton.jit
def attention_backward(
    q_ptr, k_ptr, v_ptr, g_ptr, lse_ptr, delta_ptr, dq_ptr, dk_ptr, dv_ptr, length, scale,
    ROWS: tl.constexpr, DIM: tl.constexpr, FAULT: tl.constexpr,
):  # fmt: skip
    """One program per block of keys; dq is added up by atomics."""
    keys = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    d = tl.arange(0, DIM)
    k = tl.load(k_ptr + keys[:, None] * DIM + d, mask=keys[:, None] < length, other=0.0).to(tl.float32)
    v = tl.load(v_ptr + keys[:, None] * DIM + d, mask=keys[:, None] < length, other=0.0).to(tl.float32)
    dk = tl.zeros((ROWS, DIM), tl.float32)
    dv = tl.zeros((ROWS, DIM), tl.float32)
    for start in range(0, length, ROWS):
        rows = start + tl.arange(0, ROWS)
        there = rows < length
        q = tl.load(q_ptr + rows[:, None] * DIM + d, mask=there[:, None], other=0.0).to(tl.float32)
        g = tl.load(g_ptr + rows[:, None] * DIM + d, mask=there[:, None], other=0.0).to(tl.float32)
        lse = tl.load(lse_ptr + rows, mask=there, other=0.0)
        delta = tl.load(delta_ptr + rows, mask=there, other=0.0)
        scores = tl.sum(q[:, None, :] * k[None, :, :], 2) * scale
        seen = there[:, None] & (keys < length)
        if FAULT != "mask":
            seen = seen & (rows[:, None] >= keys)
        p = tl.where(seen, tl.exp(scores - lse[:, None]), 0.0)
        dp = tl.sum(g[:, None, :] * v[None, :, :], 2)
        if FAULT == "delta":
            delta = tl.zeros((ROWS,), tl.float32)
        ds = p * (dp - delta[:, None]) * scale
        dv += tl.sum(p[:, :, None] * g[:, None, :], 0)
        if FAULT == "scale":
            dk += tl.sum(ds[:, :, None] * q[:, None, :], 0) / scale
        else:
            dk += tl.sum(ds[:, :, None] * q[:, None, :], 0)
        dq = tl.sum(ds[:, :, None] * k[None, :, :], 1)
        tl.atomic_add(dq_ptr + rows[:, None] * DIM + d, dq, mask=there[:, None])
    tl.store(dk_ptr + keys[:, None] * DIM + d, dk, mask=keys[:, None] < length)
    tl.store(dv_ptr + keys[:, None] * DIM + d, dv, mask=keys[:, None] < length)


@counted
class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, fault):
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        length, dim = q.shape
        o, lse = torch.empty_like(q), torch.empty(length)
        attention_forward[(triton.cdiv(length, 4),)](q, k, v, o, lse, length, dim**-0.5, ROWS=4, DIM=dim)
        ctx.save_for_backward(q, k, v, o, lse)
        ctx.fault = fault
        return o

    @staticmethod
    def backward(ctx, g):
        q, k, v, o, lse = ctx.saved_tensors
        g = g.contiguous()
        length, dim = q.shape
        delta = (g.float() * o.float()).sum(1)
        dq, dk, dv = torch.zeros(length, dim), torch.empty_like(k), torch.empty_like(v)
        attention_backward[(triton.cdiv(length, 4),)](
            q, k, v, g, lse, delta, dq, dk, dv, length, dim**-0.5,
            ROWS=4, DIM=dim, FAULT=ctx.fault or "",
        )  # fmt: skip
        return dq.to(q.dtype), dk, dv, None


def attention(q: Tensor, k: Tensor, v: Tensor, fault: str | None = None) -> Tensor:
    return Attention.apply(q, k, v, fault)


# --------------------------------------------------------------------------------------------------

rows = uniform(4, 6)
KERNELS = {
    "softmax": Kernel(softmax, eager_oracles.softmax, together(rows), ("no-sum", "wrong-row", "half")),
    "layer norm": Kernel(
        layer_norm,
        eager_oracles.layer_norm,
        together(uniform(5, 6), uniform(6, low=0.5), uniform(6)),
        ("missing-sum", "wrong-row", "mask", "last-block"),
    ),
    "RMS norm": Kernel(
        rms_norm,
        eager_oracles.rms_norm,
        together(rows, uniform(6, low=0.5)),
        ("missing-term", "wrong-row", "wrong-stride"),
    ),
    "SwiGLU": Kernel(swiglu, eager_oracles.swiglu, together(rows, rows), ("missing-term", "last-block")),
    "cross entropy": Kernel(
        cross_entropy,
        eager_oracles.cross_entropy,
        together(uniform(5, 6)),
        ("ignore-index", "mean-of-all", "wrong-row"),
        {"labels": torch.tensor([2, 0, -100, 5, 2])},
    ),
    "RoPE": Kernel(rope, eager_oracles.rope, together(uniform(3, 2, 8)), ("sign", "wrong-stride")),
    "scan": Kernel(
        scan,
        eager_oracles.scan,
        together(uniform(6, 3, low=0.2, high=0.9), uniform(6, 3)),
        ("shift", "carry"),
    ),
    "segment sum": Kernel(
        segment_sum,
        eager_oracles.segment_sum,
        together(uniform(6, 4), uniform(6)),
        ("wrong-row", "half"),
        {"segments": torch.tensor([0, 2, 2, 1, 0, 2]), "count": 4},
    ),
    "embedding": Kernel(
        embedding,
        eager_oracles.embedding,
        together(uniform(4, 5)),
        ("no-atomics",),
        {"tokens": torch.tensor([1, 3, 1, 0, 1, 3])},
    ),
    "attention": Kernel(
        attention,
        eager_oracles.attention,
        together(uniform(6, 4), uniform(6, 4), uniform(6, 4)),
        ("mask", "scale", "delta"),
    ),
}
