"""Trials that call a function in ways that its user did not ask for: they neither harm nor accuse for it."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch.autograd import Function

from docs.diagnoses_page.faults import function, saved
from pytest_gradcheck import check_gradients

X = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]], dtype=torch.float64)
NAME = "zero-size-inputs"


def of(result, name=NAME):
    (found,) = [p for p in result.properties if p.name == name]
    return found


# -- the number of rows means something ----------------------------------------------------------------


def three_vector(ctx, g):
    (x,) = ctx.saved_tensors
    x0, x1, x2 = x.unbind()
    n = torch.sqrt(x0**2 + x1**2 + x2**2)
    return g * n + x * ((g * x).sum() / n)


def quaternion(ctx, g):
    (q,) = ctx.saved_tensors
    w, x, y, z = q
    n = torch.sqrt(w**2 + x**2 + y**2 + z**2)
    return g / (1 + n) - q * (g @ q) / (n * (1 + n) ** 2)


def by_index(ctx, g):
    (x,) = ctx.saved_tensors
    n = torch.sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2)
    return g * n + x * ((g * x).sum() / n)


def by_matrix(ctx, g):
    (x,) = ctx.saved_tensors
    return 2 * g * (x @ torch.eye(3, dtype=x.dtype))


def in_rows(ctx, g):
    (x,) = ctx.saved_tensors
    return (2 * g.reshape(2, 3) * x.reshape(2, 3)).reshape(x.shape)


def kept(forward):
    def keep(ctx, x):
        ctx.save_for_backward(x)
        return forward(x)

    return keep


MEANT = [
    pytest.param(kept(lambda x: x * x.norm()), three_vector, X[1], id="unbind"),
    pytest.param(kept(lambda q: q / (1 + q.norm())), quaternion, torch.rand(4).double() + 0.1, id="unpack"),
    pytest.param(kept(lambda x: x * x.norm()), by_index, X[1], id="index"),
    pytest.param(saved, by_matrix, X[1], id="matrix"),
    pytest.param(saved, in_rows, X.reshape(-1), id="reshape"),
]


@pytest.mark.parametrize(("forward", "backward", "x"), MEANT)
def test_components_of_a_vector_are_no_rows(forward, backward, x):
    result = check_gradients(function(forward, backward), x)
    assert result.verdict == "pass", str(result)
    assert of(result).holds is None
    assert "the number of rows means something" in of(result).detail


def scaled_by_rows(ctx, g):
    return 2 * g * ctx.saved_tensors[0] * (len(g) // len(g))


def by_largest(ctx, g):
    scale = g.abs().max()
    return 2 * (g / scale) * scale * ctx.saved_tensors[0]


def by_pieces(ctx, g):
    (x,) = ctx.saved_tensors
    return torch.stack([2 * a * b for a, b in zip(g, x, strict=True)])


@pytest.mark.parametrize("backward", [scaled_by_rows, by_largest, by_pieces])
@pytest.mark.parametrize("x", [X, X[1], X[:1]], ids=["2 x 3", "3", "1 x 3"])
def test_a_backward_that_works_with_any_rows_but_none_fails(backward, x):
    result = check_gradients(function(saved, backward), x)
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", NAME), str(result)


# -- code that torch does not see ------------------------------------------------------------------------


def c_scale(out, x, factor):
    """Stand for a kernel that is given addresses and a size, and trusts them."""
    doubles = ctypes.POINTER(ctypes.c_double)
    a, b = (ctypes.cast(t.data_ptr(), doubles) for t in (out, x))
    for k in range(x.numel()):
        a[k] = factor * b[k]


SEEN = []


def by_address(ctx, x):
    SEEN.append(len(x))
    out = torch.empty(x.shape, dtype=x.dtype)
    c_scale(out, x.contiguous(), 2.0)
    return out


def address_in_backward(ctx, g):
    out = torch.empty(g.shape, dtype=g.dtype)
    c_scale(out, g.contiguous(), 2.0)
    return out


def by_numpy(ctx, x):
    SEEN.append(len(x))
    return torch.from_numpy(2 * x.numpy())


def by_interface(ctx, x):
    SEEN.append(len(x))
    return torch.from_numpy(2 * np.from_dlpack(x.detach()))


def plain(ctx, x):
    SEEN.append(len(x))
    return 2 * x


@torch.library.custom_op("gradcheck_harmless::double", mutates_args=())
def double(x: torch.Tensor) -> torch.Tensor:
    SEEN.append(len(x))
    return 2 * x


OPAQUE = [
    pytest.param(by_address, lambda ctx, g: 2 * g, id="an address"),
    pytest.param(plain, address_in_backward, id="an address in the backward"),
    pytest.param(by_numpy, lambda ctx, g: 2 * g, id="NumPy"),
    pytest.param(by_interface, lambda ctx, g: 2 * g, id="DLPack"),
    pytest.param(lambda ctx, x: double(x), lambda ctx, g: 2 * g, id="an operation"),
]


@pytest.mark.parametrize(("forward", "backward"), OPAQUE)
def test_what_torch_does_not_see_is_called_without_rows_only_if_asked_for(forward, backward):
    SEEN.clear()
    fn = function(forward, backward)
    result = check_gradients(fn, X)
    assert result.verdict == "pass", str(result)
    assert of(result).holds is None
    assert of(result).detail.startswith("not tried: ")
    assert 0 not in SEEN
    asked = check_gradients(fn, X, properties=["default", NAME])
    assert asked.verdict == "pass", str(asked)
    assert of(asked).holds is True
    assert 0 in SEEN


def test_memory_that_unseen_code_writes_shows():
    """As an extension in C++ does, which asks no tensor for its address by a method."""
    address = torch.Tensor.data_ptr

    def hidden(ctx, x):
        SEEN.append(len(x))
        given, out = x.contiguous(), torch.empty(x.shape, dtype=x.dtype)
        ctypes.memmove(address(out), address(given), 8 * x.numel())
        return out

    SEEN.clear()
    result = check_gradients(function(hidden, lambda ctx, g: g.clone()), X)
    assert result.verdict == "pass", str(result)
    assert "torch does not see" in of(result).detail
    assert 0 not in SEEN


PDIST = """
    import torch
    from pytest_gradcheck import check_gradients

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        g, x = g.contiguous(), x.contiguous()
        return torch.ops.aten._pdist_backward(g, x, 2.0, torch.nn.functional.pdist(x))

    class Distances(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return {forward}

        backward = staticmethod(backward)

    x = torch.rand(4, 3, dtype=torch.float64)
    result = check_gradients(Distances.apply, x)
    (tried,) = [p for p in result.properties if p.name == "zero-size-inputs"]
    print(result.verdict, tried.holds, tried.detail)
"""


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        ("torch.nn.functional.pdist(x)", "aten._pdist_"),
        ("torch.nn.functional.pdist(x) if len(x) else x.new_zeros(0) * x.sum()", "aten._pdist_"),
        ("(x[:, None] - x)[[0, 0, 0, 1, 1, 2], [1, 2, 3, 2, 3, 3]].norm(dim=-1)", "whole numbers"),
    ],
)
def test_an_operation_that_ends_the_process_without_rows_is_not_called(forward, reason):
    program = textwrap.dedent(PDIST).format(forward=forward)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pass None not tried: "), done.stdout
    assert reason in done.stdout


def test_a_function_may_take_another_way_without_rows():
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x if len(x) else torch.ops.aten._pdist_backward(g, x, 2.0, g)

    result = check_gradients(function(saved, backward), X)
    assert result.verdict == "pass", str(result)
    assert "_pdist_backward" in of(result).detail


# -- layouts ---------------------------------------------------------------------------------------------


def behind(x):
    """Return how many entries lie in memory from the first one on."""
    return x.untyped_storage().nbytes() // x.element_size() - x.storage_offset()


READ = []


def blind(x):
    """Read, as a kernel does that knows of no strides, as many entries as a contiguous tensor has."""
    READ.append(behind(x) - x.numel())
    return x.as_strided(x.shape, torch.empty(x.shape).stride(), x.storage_offset())


@pytest.mark.parametrize(
    ("forward", "backward", "codes"),
    [
        (
            kept(lambda x: blind(x) ** 2),
            lambda ctx, g: 2 * g * ctx.saved_tensors[0],
            {"non-contiguous-inputs", "expanded-inputs"},
        ),
        (
            saved,
            lambda ctx, g: 2 * blind(g) * ctx.saved_tensors[0],
            {"non-contiguous-cotangents", "expanded-cotangents"},
        ),
        (
            kept(lambda x: x**2),
            lambda ctx, g: 2 * g * blind(ctx.saved_tensors[0]),
            {"non-contiguous-inputs", "expanded-inputs"},
        ),
    ],
)
@pytest.mark.parametrize("x", [X, X[0], X.reshape(1, 2, 3)], ids=["2 x 3", "3", "1 x 2 x 3"])
def test_a_kernel_without_strides_gets_wrong_numbers_and_no_memory_of_others(forward, backward, codes, x):
    READ.clear()
    result = check_gradients(function(forward, backward), x)
    assert result.verdict == "fail", str(result)
    broken = {p.code for p in result.properties if p.holds is False}
    assert broken & codes
    if x.shape[0] > 1:
        assert codes <= broken, broken
    assert min(READ) >= 0


# -- random numbers ----------------------------------------------------------------------------------------


class Dropout(Function):
    @staticmethod
    def forward(ctx, x, p):
        mask = torch.rand_like(x) >= p
        ctx.save_for_backward(mask)
        ctx.p = p
        return x * mask / (1 - p)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0] / (1 - ctx.p), None


class Checkpoint(Function):
    @staticmethod
    def forward(ctx, block, x):
        ctx.block, ctx.state = block, torch.get_rng_state()
        ctx.save_for_backward(x)
        return block(x)

    @staticmethod
    def backward(ctx, g):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            torch.set_rng_state(ctx.state)
            return None, torch.autograd.grad(ctx.block(x), x, g)[0]


class InPlace(Function):
    @staticmethod
    def forward(ctx, x):
        mask = torch.empty_like(x).bernoulli_(0.5)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class OwnGenerator(Function):
    @staticmethod
    def forward(ctx, x):
        noise = torch.empty_like(x).normal_(generator=torch.Generator().manual_seed(3))
        ctx.save_for_backward(noise)
        return x * noise

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


@torch.library.custom_op("gradcheck_harmless::drop", mutates_args=())
def drop(x: torch.Tensor) -> torch.Tensor:
    return (torch.rand_like(x) > 0.5).to(x.dtype)


class InOperation(InPlace):
    @staticmethod
    def forward(ctx, x):
        mask = drop(x)
        ctx.save_for_backward(mask)
        return x * mask


DRAWING = [
    pytest.param(lambda x: Dropout.apply(x, 0.3), id="dropout"),
    pytest.param(lambda x: Dropout.apply(x, 0.02), id="dropout of few"),
    pytest.param(
        lambda x: Checkpoint.apply(
            lambda x: torch.tanh(torch.nn.functional.dropout(x, 0.5, training=True)), x
        ),
        id="checkpoint",
    ),
    pytest.param(InPlace.apply, id="in place"),
    pytest.param(OwnGenerator.apply, id="a generator of its own"),
    pytest.param(InOperation.apply, id="a custom operation"),
]


@pytest.mark.parametrize("fn", DRAWING)
@pytest.mark.parametrize("zeros", [False, True])
def test_a_function_that_draws_like_its_input_passes(fn, zeros):
    x = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(3, 4)
    if zeros:
        x[:, 1:3] = 0
    result = check_gradients(fn, x, seed=0)
    assert result.verdict == "pass", str(result)
    # The same numbers are drawn, so the trial says something.
    assert of(result, "non-contiguous-inputs").holds is True
    assert of(result, "expanded-inputs").holds is True


def flat_cotangent(ctx, g):
    return (g.view(-1) * ctx.saved_tensors[0].reshape(-1)).view(g.shape)


def in_memory(ctx, g):
    (mask,) = ctx.saved_tensors
    return g * mask.as_strided(mask.shape, torch.empty(mask.shape).stride())


def memory_first(ctx, x):
    mask = (torch.rand_like(x) > 0.3).double()
    ctx.save_for_backward(mask)
    return x.as_strided(x.shape, torch.empty(x.shape).stride(), x.storage_offset()) * mask


@pytest.mark.parametrize(
    ("forward", "backward", "code"),
    [
        (InPlace.forward, flat_cotangent, "non-contiguous-cotangents"),
        (InPlace.forward, in_memory, "non-contiguous-inputs"),
        (memory_first, InPlace.backward, "non-contiguous-inputs"),
        (kept(blind), lambda ctx, g: g.clone(), "non-contiguous-inputs"),
    ],
    ids=["cotangent", "mask", "forward", "forward without draws"],
)
def test_a_function_that_draws_can_be_wrong_for_a_layout(forward, backward, code):
    x = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(3, 4) + 0.1
    result = check_gradients(function(forward, backward), x, seed=0)
    assert (result.verdict, result.diagnosis.code) == ("fail", code), str(result)


def test_a_function_that_draws_more_for_another_layout_is_not_blamed():
    def forward(ctx, x):
        mask = torch.rand_like(x) > 0.5
        if not x.is_contiguous():
            mask = torch.rand_like(x) > 0.5
        ctx.save_for_backward(mask)
        return x * mask

    result = check_gradients(function(forward, lambda ctx, g: g * ctx.saved_tensors[0]), X, seed=0)
    assert result.verdict == "pass", str(result)
    tried = of(result, "non-contiguous-inputs")
    assert (tried.holds, "other random numbers" in tried.detail) == (None, True)


# -- code that breaks down does not refuse -----------------------------------------------------------------


def magnitude(ctx, x, y):
    r = torch.sqrt(x * x + y * y + 1)
    ctx.save_for_backward(x, y, r)
    return r


def unbound(ctx, g):
    x, y, r = ctx.saved_tensors
    if ctx.needs_input_grad[0]:
        scaled = g / r
        dx = scaled * x
    return dx, scaled * y


def absent(ctx, g):
    x, y, r = ctx.saved_tensors
    if ctx.needs_input_grad[0]:
        ctx.scaled = g / r
    return (ctx.scaled * x if ctx.needs_input_grad[0] else None), ctx.scaled * y


def of_none(ctx, g):
    x, y, r = ctx.saved_tensors
    scaled = g / r if ctx.needs_input_grad[0] else None
    return (scaled * x if ctx.needs_input_grad[0] else None), scaled * y


def index_error(ctx, g):
    x, y, r = ctx.saved_tensors
    some = [g / r] if ctx.needs_input_grad[0] else []
    return (some[0] * x if some else None), some[0] * y


def unpacked(ctx, g):
    x, y, r = ctx.saved_tensors
    (scaled,) = [g / r] if ctx.needs_input_grad[0] else []
    return scaled * x, scaled * y


def refuses(ctx, g):
    x, y, r = ctx.saved_tensors
    if not all(ctx.needs_input_grad):
        raise TypeError("both inputs have to require a gradient")
    return g / r * x, g / r * y


def asserts(ctx, g):
    x, y, r = ctx.saved_tensors
    assert all(ctx.needs_input_grad)
    return g / r * x, g / r * y


def refuses_inside(ctx, g):
    x, y, r = ctx.saved_tensors
    return g / r * x, g / r * (y if all(ctx.needs_input_grad) else y.view(7))


@pytest.mark.parametrize("backward", [unbound, absent, of_none, index_error, unpacked])
def test_a_backward_that_breaks_down_for_a_frozen_input_fails(backward):
    result = check_gradients(function(magnitude, backward), (X, X + 1))
    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "torch", "frozen-inputs"), str(
        result
    )
    assert "with x frozen breaks down" in result.diagnosis.text
    assert "the values of the gradient agree" in result.diagnosis.text


def test_a_frozen_input_is_named():
    def needed(ctx, g):
        x, y, r = ctx.saved_tensors
        return (g / r * x, g / r * y) if ctx.needs_input_grad[0] else (None, None)

    result = check_gradients(function(magnitude, needed), (X, X + 1))
    assert result.diagnosis.code == "frozen-inputs"
    assert "with x frozen Wrong returns None for the gradient of y" in result.diagnosis.text


@pytest.mark.parametrize("backward", [refuses, asserts, refuses_inside])
def test_a_backward_that_refuses_a_frozen_input_passes(backward):
    result = check_gradients(function(magnitude, backward), (X, X + 1))
    assert result.verdict == "pass", str(result)
    assert of(result, "frozen-inputs").holds is None


def test_a_forward_that_breaks_down_for_a_layout_fails():
    def forward(ctx, x):
        ctx.save_for_backward(x)
        if x.is_contiguous():
            squared = x * x
        return squared

    result = check_gradients(function(forward, lambda ctx, g: 2 * g * ctx.saved_tensors[0]), X)
    assert (result.verdict, result.diagnosis.code) == ("fail", "non-contiguous-inputs"), str(result)


# -- values are always reported ------------------------------------------------------------------------------


def forgets(ctx, g):
    x = ctx.__dict__.pop("x", None)
    return 2 * g * (torch.zeros_like(g) if x is None else x)


def keeps(ctx, x):
    ctx.x = x.clone()
    return x * x


def overwrites(factor):
    def backward(ctx, g):
        out = factor * g * ctx.saved_tensors[0]
        g.zero_()
        return out

    return backward


def test_a_broken_property_leaves_the_values_known():
    looking = function(
        saved, lambda ctx, g: (2 * g.view(-1) * ctx.saved_tensors[0].reshape(-1)).view(g.shape)
    )
    for fn in (looking, function(keeps, forgets), function(saved, overwrites(2))):
        result = check_gradients(fn, X)
        assert result.verdict == "fail"
        assert result.diagnosis.text.endswith(
            "; the values of the gradient agree with central, forward and reference"
        )


def test_a_broken_property_and_wrong_values_are_both_reported():
    result = check_gradients(function(saved, overwrites(3)), X)
    assert (result.verdict, result.diagnosis.code) == ("fail", "mutated-cotangent")
    assert "autograd's gradient differs from the other methods" in result.diagnosis.text


def test_torch_is_as_before():
    before = {
        name: getattr(torch.Tensor, name) for name in ("data_ptr", "numpy", "__array__", "untyped_storage")
    }
    own = set(vars(torch.Tensor))
    empty = np.empty
    check_gradients(function(by_address, lambda ctx, g: 2 * g), X)
    assert {name: getattr(torch.Tensor, name) for name in before} == before
    assert set(vars(torch.Tensor)) == own
    assert np.empty is empty
