"""Gradients with memory that was never written: one fault with one code, whatever the memory held."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.autograd import Function

from docs.diagnoses_page.faults import function, saved
from pytest_gradcheck import arrays, check_gradients, indices, size, tensors
from pytest_gradcheck.core.check import check_in_test

CODE = "uninitialised-memory"
X = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]], dtype=torch.float64)
THREE = {"min_value": -3, "max_value": 3}


class Gather(Function):
    @staticmethod
    def forward(ctx, table, i):
        ctx.save_for_backward(i)
        ctx.shape = table.shape
        return table[i].clone()

    @staticmethod
    def backward(ctx, g):
        (i,) = ctx.saved_tensors
        out = torch.empty(ctx.shape, dtype=g.dtype)
        out[i] = 0
        return out.index_add_(0, i, g), None


class SwiGLU(Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        a, b = x.chunk(2, -1)
        return a * torch.sigmoid(a) * b * scale[:, None]

    @staticmethod
    def backward(ctx, g):
        x, scale = ctx.saved_tensors
        gx, gs = torch.empty_like(x), torch.empty_like(scale)
        for row in range(len(x)):
            (a, b), s = x[row].chunk(2), torch.sigmoid(x[row].chunk(2)[0])
            gs[row] = (g[row] * a * s * b).sum()
            gx[0] = torch.cat([g[row] * b * scale[row] * (s + a * s * (1 - s)), g[row] * a * s * scale[row]])
        return gx, gs


def fails_once(fn, **strategies):
    """Search as a marked test does; return the codes of all failures that are found."""
    codes = []

    @settings(max_examples=60, database=None, deadline=None, derandomize=True)
    @given(**strategies)
    def search(**inputs):
        result = check_in_test(fn, inputs, brief=True)
        if result.verdict == "fail":
            codes.append(result.diagnosis.code)

    search()
    return codes


def test_rows_that_no_index_names():
    codes = fails_once(
        lambda table, i: Gather.apply(table, i),
        table=tensors("n k", **THREE),
        i=indices("m", into=size("n"), library="torch"),
    )
    assert len(codes) > 5
    assert set(codes) == {CODE}


def test_every_row_written_to_the_first():
    codes = fails_once(
        lambda x, scale: SwiGLU.apply(x, scale),
        x=tensors("n 4", dtype=torch.float32, **THREE),
        scale=tensors("n", dtype=torch.float32, min_value=0, max_value=1),
    )
    assert len(codes) > 5
    assert set(codes) == {CODE}


def rows(ctx, g):
    out = torch.empty_like(g)
    out[0] = 2 * g[0] * ctx.saved_tensors[0][0]
    return out


def new_empty(ctx, g):
    out = g.new_empty(g.shape)
    out[:, 1:] = 2 * (g * ctx.saved_tensors[0])[:, 1:]
    return out


def added_to(ctx, g):
    return torch.empty_strided(g.shape, (3, 1), dtype=g.dtype).add_(2 * g * ctx.saved_tensors[0])


def times_zero(ctx, g):
    return 2 * g * ctx.saved_tensors[0] + 0 * torch.empty_like(g)


def compared(ctx, g):
    return 2 * g * ctx.saved_tensors[0] * (1 + (torch.empty_like(g) > 0))


def resized(ctx, g):
    out = torch.zeros(1, dtype=g.dtype).resize_(g.shape)
    out[0] = 2 * g[0] * ctx.saved_tensors[0][0]
    return out


def by_numpy(ctx, g):
    out = np.empty(g.shape)
    out[0] = 2 * g[0] * ctx.saved_tensors[0][0]
    return torch.from_numpy(out)


@pytest.mark.parametrize("backward", [rows, new_empty, added_to, times_zero, compared, resized, by_numpy])
@pytest.mark.parametrize("brief", [False, True])
def test_a_backward_that_returns_fresh_memory_fails_by_one_code(backward, brief):
    for seed in range(3):
        # Something else lies in the memory each time.
        dirt = torch.full((7, *X.shape), float(seed), dtype=X.dtype)
        del dirt
        result = check_in_test(function(saved, backward), X + seed, brief=brief)
        assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", CODE), str(result)
        assert "Wrong.backward (test_unwritten_memory.py:" in result.diagnosis.text or backward is compared


@pytest.mark.parametrize("brief", [False, True])
@pytest.mark.parametrize("calls", range(9))
def test_what_memory_holds_by_chance_is_no_matter(brief, calls):
    """Where a check does not fill memory, it holds what is not seen for some calls, and then what is."""
    count = 0

    def by_chance(ctx, g):
        nonlocal count
        count += 1
        memory = torch.empty_like(g)
        if not (memory.isnan().all() or (memory == 1).all()):
            memory.fill_(-1.0 if count <= calls else 3.0)
        return 2 * g * ctx.saved_tensors[0] * (1 + (memory > 0))

    result = check_in_test(function(saved, by_chance), X, brief=brief)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", CODE), str(result)


@pytest.mark.parametrize("number", [5e-324, 1.3e-310, -1.3e-310, 1e-300])
def test_entries_next_to_nothing_have_a_diagnosis(number):
    def next_to_nothing(ctx, g):
        return number * g * ctx.saved_tensors[0]

    result = check_gradients(function(saved, next_to_nothing), X)
    assert (result.verdict, result.culprit) == ("fail", "torch")


def test_the_message_names_function_and_entries():
    result = check_gradients(lambda x: Square.apply(Rows.apply(x)), X)
    assert result.diagnosis.code == CODE
    assert "Rows.backward (test_unwritten_memory.py:" in result.diagnosis.text
    assert "never written (torch.empty or the like): x[1, 0], x[1, 1], x[1, 2]" in result.diagnosis.text
    (broken,) = [p for p in result.properties if p.holds is False]
    assert (broken.name, broken.code) == ("initialised-memory", CODE)


class Rows(Function):
    forward = staticmethod(saved)
    backward = staticmethod(rows)


class Square(Function):
    forward = staticmethod(saved)

    @staticmethod
    def backward(ctx, g):
        out = torch.empty_like(g)
        return torch.mul(2 * g, ctx.saved_tensors[0], out=out)


def kept_in_forward(ctx, x):
    ctx.save_for_backward(x)
    ctx.scale = torch.empty_like(x)
    ctx.scale[0] = 2
    return x * x


def test_memory_that_the_forward_keeps_is_named_too():
    dirt = torch.full((20, *X.shape), 2.0, dtype=X.dtype)
    del dirt
    fn = function(kept_in_forward, lambda ctx, g: g * ctx.scale * ctx.saved_tensors[0])
    result = check_gradients(fn, X)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", CODE), str(result)


@pytest.mark.parametrize("x", [X, X.float(), X[0], torch.complex(X, X + 1)], ids=lambda x: str(x.dtype))
def test_a_backward_that_writes_all_that_it_allocates_passes(x):
    def filled(ctx, g):
        (x,) = ctx.saved_tensors
        out, work = torch.empty(x.shape, dtype=x.dtype), np.empty(3)
        work[:] = 2
        flat = out.view(-1)
        for k in range(flat.numel()):
            flat[k] = work[k % 3] * g.reshape(-1)[k] * x.reshape(-1)[k].conj()
        return out

    result = check_gradients(function(saved, filled), x)
    assert result.verdict == "pass", str(result)
    (tried,) = [p for p in result.properties if p.name == "initialised-memory"]
    assert tried.holds is True


def test_a_gradient_that_is_nan_is_not_taken_for_unwritten():
    result = check_gradients(function(saved, lambda ctx, g: g * float("nan")), X)
    assert (result.verdict, result.diagnosis.code) == ("fail", "non-finite-gradient"), str(result)


def test_a_backward_that_draws_is_not_taken_for_unwritten():
    def noisy(ctx, g):
        return 2 * g * ctx.saved_tensors[0] * (1 + torch.empty_like(g).normal_())

    result = check_gradients(function(saved, noisy), X)
    assert (result.verdict, result.diagnosis.code) == ("fail", "nondeterministic-backward"), str(result)


# -- by hand, with NumPy ---------------------------------------------------------------------------------


def half(x):
    out = np.empty_like(x)
    out[0] = 2 * x[0]
    return out


def half_of_more(x):
    out = np.empty(x.shape)
    out[:-1] = 2 * x[:-1]
    return out


def half_vjp(x, cotangent):
    out = np.empty(3, dtype=x.dtype)
    out[1:] = (2 * cotangent * x)[1:]
    return out


@pytest.mark.parametrize(
    ("fn", "options"),
    [
        (lambda x: np.sum(x**2), {"gradient": half}),
        (lambda x: np.sum(x**2), {"gradient": half_of_more}),
        (np.square, {"vjp": half_vjp}),
    ],
)
def test_a_gradient_by_hand_that_returns_fresh_memory_fails_by_that_code(fn, options):
    x = np.array([0.5, 1.5, -2.5])
    # The memory holds the right gradient.
    lucky = [2 * x for _ in range(20)]
    del lucky
    result = check_gradients(fn, x, **options)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", CODE), str(result)
    assert "returns memory that was never written (np.empty or the like): x[" in result.diagnosis.text


@pytest.mark.gradcheck(x=arrays(3, **THREE), gradient=lambda x: np.multiply(2, x, out=np.empty_like(x)))
def test_a_gradient_by_hand_that_writes_all_of_it_passes(x):
    return np.sum(x**2)


def test_wrong_values_by_hand_keep_their_code():
    result = check_gradients(lambda x: np.sum(x**2), np.array([0.5, 1.5]), gradient=lambda x: -2 * x)
    assert result.diagnosis.code == "sign"
    assert np.empty.__module__ == "numpy"
