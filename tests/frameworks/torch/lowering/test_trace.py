"""What the recording sees: in-place and view code, custom Functions, control flow, noise, containers,
exits."""

from __future__ import annotations

import dataclasses
import gc
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import reference_engine as engine  # noqa: E402  # after the skip where torch is missing
from pytest_gradcheck.frameworks.torch.lowering import (  # noqa: E402  # the same
    LoweringError,
    first_divergence,
    lower,
    register,
    trace,
    unregister,
)

pytestmark = pytest.mark.kernels


def rand(*shape: int) -> Any:
    return torch.randn(*shape, dtype=torch.float64)


# ---------------------------------------------------------------------- custom Functions


class OldStyle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.clone().mul_(x).sin_()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return -g


class Detaching(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.kept = x.detach()
        return ctx.kept * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


class NewStyle(torch.autograd.Function):
    @staticmethod
    def forward(x: Any, y: Any) -> Any:
        return x * y.exp(), x + y

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        return g, h


class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        x.mul_(3)
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("grad_enabled", [False, True])
def test_a_wrong_backward_plays_no_part(requires_grad: bool, grad_enabled: bool) -> None:
    def fn(x: Any, y: Any) -> Any:
        a, b = NewStyle.apply(OldStyle.apply(x), y)
        return (a * b).sum() + InPlace.apply(x * 1).sum()

    def right(x: Any, y: Any) -> Any:
        s = (x * x).sin()
        return (s * y.exp() * (s + y)).sum() + (x * 3).sum()

    x, y = rand(3).requires_grad_(requires_grad), rand(3).requires_grad_(requires_grad)
    lowered = lower(fn, (x, y), grad_enabled=grad_enabled)
    value, pullback = engine.vjp(lambda *a: lowered(*a)[0], *lowered.inputs())
    x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
    expected = right(x, y)
    np.testing.assert_allclose(value, expected.item(), rtol=1e-12)
    for ours, theirs in zip(pullback(1.0), torch.autograd.grad(expected, (x, y)), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9)


# ---------------------------------------------------------------------- in-place and views


def chain(x: Any) -> Any:
    y = x.clone()
    y[1:] *= 2
    z = y.t()
    z[0].add_(x[:, 0])
    y.select(1, 2).copy_(x.sum(1))
    return y.exp_()


def before_and_after(x: Any) -> Any:
    y = x * 1
    view = y.view(-1)
    first = view * 2
    y.relu_()
    return first, view * 3, y


def into_zeros(x: Any) -> Any:
    out = torch.zeros(4, 3, dtype=x.dtype)
    early = out[0]
    for i in range(4):
        out[i] = x[i] ** (i + 1)
    return out, early + 1


def masks(x: Any) -> Any:
    y = x.clone()
    y[y > 0] = 0.0
    y.masked_fill_(y < -1, 5.0)
    y[[0, 2]] += 1
    return y.index_put_((torch.tensor([1, 1]),), x[:2], accumulate=True)


def metadata(x: Any) -> Any:
    y = x.clone()
    y.t_().unsqueeze_(0)
    y.squeeze_(0).mul_(2)
    return y


def overwritten(x: Any) -> Any:
    y = x * 2
    z = y * 3
    y.fill_(1.0)
    w = torch.empty_like(x).copy_(z)
    return y + z + w.zero_()


def strided(x: Any) -> Any:
    y = x.contiguous()
    return y.as_strided((3, 2), (1, 4)) * 2 + y.as_strided((3, 2), (2, 3), 1)


def complex_parts(x: Any) -> Any:
    z = torch.complex(x, x * 2)
    torch.view_as_real(z)[..., 0].mul_(3)
    z.imag.add_(1)
    return (z.conj() * z.conj().imag).abs()


def conjugated(x: Any) -> Any:
    z = torch.complex(x, -x)
    z.conj().mul_(1j)
    return torch.view_as_real(z).clone()


def split(x: Any) -> Any:
    y = x.clone()
    a, b = y[:2], y[2:]
    a.add_(b)
    b.mul_(3)
    return torch.cat([b, a]), a.unbind(0)


@pytest.mark.parametrize(
    "fn",
    [
        chain,
        before_and_after,
        into_zeros,
        masks,
        metadata,
        overwritten,
        strided,
        complex_parts,
        conjugated,
        split,
    ],
)
def test_in_place_and_view_code(fn: Any, agree: Any) -> None:
    agree(fn, rand(4, 3))


# ---------------------------------------------------------------------- memory that is resized or exchanged


def smaller(x: Any) -> Any:
    y = x * 2
    y.resize_(2, 2)
    return y * x[0]


def larger(x: Any) -> Any:
    y = x * 2
    part = y[1:]
    y.resize_(10)
    y[6:] = 1
    part.mul_(3)
    return y, part


def as_another(x: Any) -> Any:
    y = torch.zeros(3, dtype=x.dtype)
    y.resize_as_(x).copy_(x)
    return y


def out_of_another_shape(x: Any) -> Any:
    y = x * 3
    torch.mul(x[:4], x[2:], out=y.resize_(0))
    return y


def memory_of_another(x: Any) -> Any:
    y, z = x * 2, x.sin()
    y.set_(z)
    y.mul_(2)
    return y, z


def data_of_another(x: Any) -> Any:
    y, z = x * 2, x.sin()
    y.data = z
    z.mul_(2)
    return y


@pytest.mark.parametrize(
    "fn", [smaller, larger, as_another, out_of_another_shape, memory_of_another, data_of_another]
)
def test_memory_that_is_resized_or_exchanged_is_followed(fn: Any) -> None:
    lowered = lower(fn, [rand(6)])
    elsewhere = rand(6)
    from pytest_gradcheck.frameworks.torch.lowering.tree import tensors

    for value, want in zip(lowered(elsewhere.numpy()), tensors(fn(elsewhere)), strict=True):
        np.testing.assert_allclose(value, want.numpy(), rtol=1e-12, strict=True)


def test_data_that_is_exchanged_is_a_stop_gradient() -> None:
    assert [site.operation for site in lower(data_of_another, [rand(6)]).stop_gradients] == ["Tensor.data"]
    with pytest.raises(LoweringError, match="swapped storage"):
        lower(data_of_another, [rand(6)], hold_stops=True)


def test_memory_from_nowhere_is_refused() -> None:
    with pytest.raises(LoweringError, match=r"set_\.source_Storage.*other memory"):
        lower(lambda x: (x * 1).set_(torch.ones(3, dtype=x.dtype).untyped_storage()), [rand(3)])


def test_out_arguments() -> None:
    def fn(x: Any) -> Any:
        w = torch.empty(0, dtype=x.dtype)
        v = torch.ones(2, 4, dtype=x.dtype)
        torch.mul(x, x, out=w)
        torch.exp(x, out=v[:, 1:])
        torch.max(x, 1, out=(y := torch.empty(2).double(), torch.empty(2, dtype=torch.int64)))
        return w, v, y

    lowered = lower(fn, [rand(2, 3)])
    point = np.random.default_rng(0).standard_normal((2, 3))
    w, v, y = lowered(point)
    np.testing.assert_allclose(w, point**2)
    np.testing.assert_allclose(v, np.c_[np.ones(2), np.exp(point)])
    np.testing.assert_allclose(y, point.max(1))


def test_duplicates_in_an_assignment_get_no_second_share() -> None:
    # torch's own backward gives the overwritten entry a gradient too.
    def fn(x: Any, v: Any) -> Any:
        y = x.clone()
        y[torch.tensor([0, 0])] = v
        return y.sum()

    lowered = lower(fn, (rand(3), rand(2)))
    gradients = engine.vjp(lambda *a: lowered(*a)[0], *lowered.inputs())[1](1.0)
    np.testing.assert_array_equal(gradients[0], [0, 1, 1])
    np.testing.assert_array_equal(gradients[1], [0, 1])


def test_singular_entries_that_nothing_uses_do_no_harm() -> None:
    lowered = lower(lambda x: (x.sqrt()[1], x.sqrt() ** 2, x.norm()), [torch.tensor([0.0, 4.0]).double()])
    _, pullback = engine.vjp(lowered, np.array([0.0, 4.0]))
    np.testing.assert_allclose(pullback([1.0, np.zeros(2), 0.0])[0], [0, 0.25])
    np.testing.assert_allclose(pullback([0.0, np.ones(2), 0.0])[0], [1, 1])
    np.testing.assert_allclose(pullback([0.0, np.zeros(2), 1.0])[0], [0, 1])


def test_inputs_that_are_views_of_one_memory() -> None:
    base = rand(6)
    x, y = base[::2], base[1:4]

    def fn(x: Any, y: Any) -> Any:
        return (x * y).sum() + base.sum() * 2

    lowered = lower(fn, (x, y))
    [value] = lowered(*lowered.inputs())
    np.testing.assert_allclose(value, fn(x, y).item())
    gradients = engine.vjp(lambda *a: lowered(*a)[0], *lowered.inputs())[1](1.0)
    # base is read through both inputs; where they overlap the later one counts.
    assert sum(float(np.sum(g)) for g in gradients) == pytest.approx(float((x + y).sum()) + 2 * 5)


def test_an_input_written_to_is_written_to_as_by_any_call() -> None:
    x = rand(3)
    expected = x * 2
    lowered = lower(lambda x: x.mul_(2).sin(), [x])
    torch.testing.assert_close(x, expected)
    [value] = lowered(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(value, np.sin([2.0, 4.0, 6.0]))


def test_batch_norm_statistics_move_once() -> None:
    layer, twin = torch.nn.BatchNorm1d(3).double(), torch.nn.BatchNorm1d(3).double()
    x = rand(4, 3)
    lower(lambda x: layer(x), [x])
    twin(x)
    torch.testing.assert_close(layer.running_var, twin.running_var)
    assert layer.num_batches_tracked == 1


def test_running_statistics_depend_on_the_input(agree: Any) -> None:
    def fn(x: Any) -> Any:
        mean, var = torch.zeros(3, dtype=x.dtype), torch.ones(3, dtype=x.dtype)
        y = torch.nn.functional.batch_norm(x, mean, var, training=True)
        return y, torch.nn.functional.batch_norm(x.sin(), mean.clone(), var.clone()).detach()

    lowered = lower(fn, [rand(4, 3)])
    for value, want in zip(lowered(*lowered.inputs()), lowered.trace.outputs(), strict=True):
        np.testing.assert_allclose(value, want.numpy(), rtol=1e-12)


# ---------------------------------------------------------------------- control flow, noise, closures


def test_branches_and_loops_on_values(agree: Any) -> None:
    def fn(x: Any) -> Any:
        n = 0
        while x.abs().max() < 10:
            x = x * 1.7 if x.sum() > 0 else x * x + 1
            n += 1
        return x / n

    agree(fn, rand(3))


def test_dropout_keeps_the_mask_that_it_drew(agree: Any) -> None:
    def fn(x: Any) -> Any:
        noise = torch.randn_like(x) + torch.empty_like(x).uniform_()
        y = torch.nn.functional.dropout(x * noise, 0.5)
        return torch.nn.functional.rrelu(y, training=True) + torch.normal(0.0, 1.0, x.shape, dtype=x.dtype)

    agree(fn, rand(50))


def test_random_state_moves_as_in_a_plain_call() -> None:
    def fn(x: Any) -> Any:
        return torch.nn.functional.dropout(torch.logit(torch.sigmoid(x)), 0.3) + torch.rand(2).sum()

    x = rand(5)
    torch.manual_seed(3)
    fn(x)
    expected = torch.get_rng_state()
    torch.manual_seed(3)
    lower(fn, [x])
    assert torch.equal(torch.get_rng_state(), expected)


def test_closures_are_constants_as_they_were() -> None:
    weight = rand(3)
    lowered = lower(lambda x: x * weight, [rand(3)])
    expected = weight.numpy().copy()
    weight.zero_()
    np.testing.assert_array_equal(lowered(np.ones(3))[0], expected)


# ---------------------------------------------------------------------- transforms, checkpoints, blocks


def cube(x: Any) -> Any:
    return (x**3).sum() + (x * x.flip(-1)).prod()


def by_grad(x: Any) -> Any:
    return torch.func.grad(cube)(x)


def by_hessian(x: Any) -> Any:
    return torch.func.hessian(cube)(x[0])


def by_jacrev(x: Any) -> Any:
    return torch.func.jacrev(lambda t: t.sin().cumsum(0))(x[0])


def by_jacfwd(x: Any) -> Any:
    return torch.func.jacfwd(lambda t: t.sin().cumsum(0))(x[0])


def by_vmap(x: Any) -> Any:
    return torch.func.vmap(lambda row: row.sin() * row.sum() + row.clone().mul_(2))(x)


def by_vmap_of_grad(x: Any) -> Any:
    return torch.func.vmap(torch.func.grad(cube))(x)


def by_vjp(x: Any) -> Any:
    value, pullback = torch.func.vjp(lambda t: t.exp() * t[0], x)
    return pullback(value.sin())[0]


def by_jvp(x: Any) -> Any:
    return torch.func.jvp(lambda t: t.exp() * t[0], (x,), (x.cos(),))


def by_functional_call(x: Any) -> Any:
    return torch.func.functional_call(torch.nn.Linear(3, 2).double(), {"weight": x, "bias": x[:, 0]}, x)


def by_functionalize(x: Any) -> Any:
    return torch.func.functionalize(lambda t: t.clone().mul_(t).view(-1))(x)


# torch scripts its rules of forward mode when the first is asked for, and has deprecated that.
forward_mode = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


@forward_mode
@pytest.mark.parametrize(
    "fn",
    [
        by_grad,
        by_hessian,
        by_jacrev,
        by_jacfwd,
        by_vmap,
        by_vmap_of_grad,
        by_vjp,
        by_jvp,
        by_functional_call,
        by_functionalize,
    ],
)
def test_transforms_inside(fn: Any, agree: Any) -> None:
    agree(fn, rand(2, 3))


@forward_mode
def test_forward_mode_inside(agree: Any) -> None:
    from torch.autograd import forward_ad

    def fn(x: Any) -> Any:
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x, x.cos())
            value, tangent = forward_ad.unpack_dual(dual.exp() * dual[0])
            return value + tangent**2

    agree(fn, rand(2, 3))


def part(t: Any) -> Any:
    return torch.nn.functional.dropout(t.tanh(), 0.5) * t


def test_checkpoints_inside(agree: Any) -> None:
    agree(lambda x: torch.utils.checkpoint.checkpoint(part, x * 2, use_reentrant=False), rand(4, 3))


def test_reentrant_checkpoints_inside() -> None:
    # torch refuses to differentiate them with torch.autograd.grad, so they are held against what is inside.
    x = rand(4, 3).requires_grad_()

    def outer(x: Any) -> Any:
        return torch.utils.checkpoint.checkpoint(part, x * 2, use_reentrant=True)

    torch.manual_seed(0)
    lowered = lower(outer, [x])
    torch.manual_seed(0)
    expected = part(x * 2)
    value, pullback = engine.vjp(lambda t: lowered(t)[0], *lowered.inputs())
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-12)
    (theirs,) = torch.autograd.grad(expected.sum(), x)
    np.testing.assert_allclose(pullback(np.ones((4, 3)))[0], theirs.numpy(), rtol=1e-9)


def test_a_sequence_in_checkpoints(agree: Any) -> None:
    layers = torch.nn.Sequential(*(torch.nn.Linear(3, 3).double() for _ in range(4)))
    agree(
        lambda x: torch.utils.checkpoint.checkpoint_sequential(layers, 2, x, use_reentrant=False), rand(2, 3)
    )


def test_a_function_that_needs_gradients_enabled(agree: Any) -> None:
    def penalty(x: Any) -> Any:
        y = (x**3).sum()
        (gradient,) = torch.autograd.grad(y, x, create_graph=True)
        return (gradient**2).sum()

    agree(penalty, rand(3))


def test_hooks_play_no_part() -> None:
    def fn(x: Any) -> Any:
        y = x.sin()
        y.register_hook(lambda g: g * 100)
        return y * x

    x = rand(3).requires_grad_()
    lowered = lower(fn, [x])
    [gradient] = engine.vjp(lambda t: lowered(t)[0], *lowered.inputs())[1](np.ones(3))
    at = x.detach().numpy()
    np.testing.assert_allclose(gradient, np.cos(at) * at + np.sin(at))


def in_no_grad(x: Any) -> Any:
    with torch.no_grad():
        y = x.sin()
        y[1:] *= x[:-1]
    return y * x


def in_inference_mode(x: Any) -> Any:
    with torch.inference_mode():
        y = x.sin()
        y[1:] *= x[:-1]
    return y.clone() * x


@torch.no_grad()
def as_decorated(x: Any) -> Any:
    y = x.sin()
    y[1:] *= x[:-1]
    return y * x


@pytest.mark.parametrize("fn", [in_no_grad, in_inference_mode, as_decorated])
def test_what_autograd_does_not_see_is_recorded(fn: Any) -> None:
    def open_to_all(x: Any) -> Any:
        y = x.sin()
        y[1:] *= x[:-1]
        return y * x

    x = rand(4)
    ours, theirs = lower(fn, [x]), lower(open_to_all, [x])
    for lowered in (ours, theirs):
        np.testing.assert_allclose(lowered(x.numpy())[0], open_to_all(x).numpy(), rtol=1e-12)
    gradients = [
        engine.vjp(lambda t, lowered=lowered: lowered(t)[0], x.numpy())[1](np.arange(4.0))[0]
        for lowered in (ours, theirs)
    ]
    np.testing.assert_array_equal(*gradients)


def test_compiled_code_is_seen_into(agree: Any) -> None:
    compiled = torch.compile(lambda t: t.sin() * t.sum(), backend="eager")
    lowered = agree(lambda x: compiled(x) * 2, rand(3))
    assert "aten::sin.default" in lowered.operations


# ---------------------------------------------------------------------- modules, buffers, arguments


class Scaled(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 3))
        self.tied = torch.nn.Linear(3, 3)
        self.tied.weight = self.linear.parametrizations.weight.original1
        self.register_buffer("scale", torch.ones(3))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.scale.mul_(0.5).add_(x.mean(0))
        return self.tied(self.linear(x) * self.scale)


def test_parameters_buffers_and_tied_weights_as_inputs(agree: Any) -> None:
    module = Scaled().double()
    names = [name for name, _ in module.named_parameters()]
    start = {name: buffer.clone() for name, buffer in module.named_buffers()}

    def fn(x: Any, scale: Any, *parameters: Any) -> Any:
        # The buffer is written to, and the write shows in what is returned.
        buffers = {"scale": scale * 1, "calls": start["calls"].clone()}
        given = dict(zip(names, parameters, strict=True))
        out = torch.func.functional_call(module, (given, buffers), x)
        return out, buffers["scale"]

    lowered = agree(fn, rand(2, 3), start["scale"], *(p.detach().clone() for p in module.parameters()))
    assert len(lowered.trace.inputs) == 2 + len(names)


def test_parts_of_an_input_are_written_to(agree: Any) -> None:
    def fn(x: Any, y: Any) -> Any:
        own = x * 1
        own[0].mul_(y)
        own.T[1].copy_(y[:2].exp())
        own.view(-1)[::4] = 0
        return own, own.diagonal() * y[:2]

    agree(fn, rand(2, 3), rand(3))


def test_an_input_that_is_a_view_of_a_larger_tensor(agree: Any) -> None:
    base = rand(4, 6)

    def fn(x: Any) -> Any:
        return x.reshape(-1)[1:] * x.stride(0), x.clone(memory_format=torch.contiguous_format).view(6)

    agree(fn, base[1:3, ::2])
    agree(fn, base.T[:2, :3])


def test_writes_keep_shape_and_dtype_of_their_target(agree: Any) -> None:
    def fn(x: Any) -> Any:
        steps = x.clone().gt_(0)
        counts = torch.zeros(3, dtype=torch.int64)
        counts.add_((x > 0).sum(0))
        narrow = torch.ones(3, dtype=torch.float32)
        narrow.mul_(2).add_(counts)
        wide = x.clone()
        return steps * x, wide.mul_(narrow).add_(x[0]), counts

    agree(fn, rand(2, 3))


def test_random_operations_under_a_fixed_seed_are_the_function_itself() -> None:
    def fn(x: Any) -> Any:
        kept = torch.bernoulli(torch.full_like(x, 0.5))
        noise = torch.randn(x.shape, dtype=x.dtype) * torch.rand_like(x)
        order = torch.randperm(len(x))
        return (x * kept + noise)[order] * torch.normal(torch.zeros_like(x), 1.0).sign()

    x = rand(6)
    torch.manual_seed(5)
    lowered = lower(fn, [x])
    torch.manual_seed(5)
    expected = fn(x)
    np.testing.assert_array_equal(lowered(x.numpy())[0], expected.numpy())


def test_arguments_that_are_no_tensors(agree: Any) -> None:
    class Power(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, n: int, extra: Any, *, inverted: bool = False) -> Any:
            ctx.save_for_backward(x)
            ctx.n = n
            return x**n, x.long(), "text"

        @staticmethod
        def backward(ctx: Any, g: Any, *rest: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * ctx.n * x ** (ctx.n - 1), None, None

    def fn(x: Any) -> Any:
        value, whole, text = Power.apply(x, 3, None)
        return value * whole, text

    agree(fn, rand(3) + 2)


# ---------------------------------------------------------------------- containers


@dataclasses.dataclass
class Pair:
    left: Any
    right: Any


def test_containers_in_and_out(agree: Any) -> None:
    inputs = [rand(2), rand(2), rand(2), torch.tensor([1, 0])]

    def nested(tree: Any, *, scale: float = 2.0) -> Any:
        pair = tree["pair"]
        product = pair.left * pair.right[0] * scale
        return {
            "sum": [product.sum(), (tree["index"],)],
            "pair": Pair(product[tree["index"]], "text"),
            "n": 3,
        }

    def fn(a: Any, b: Any, index: Any) -> Any:
        return nested({"pair": Pair(a, [b]), "index": index})

    agree(fn, inputs[0], inputs[1], inputs[3])
    made = trace(nested, [{"pair": Pair(inputs[0], [inputs[1]]), "index": inputs[3]}], {"scale": 3.0})
    assert [id(t) for t in made.inputs] == [id(inputs[0]), id(inputs[1]), id(inputs[3])]
    rebuilt = made.unflatten(["a", "b", "c"])
    assert rebuilt == {"sum": ["a", ("b",)], "pair": Pair("c", "text"), "n": 3}


def test_an_output_that_is_no_function_of_the_input() -> None:
    lowered = lower(lambda x: (x, torch.ones(2), x.shape[0]), [rand(3)])
    first, second = lowered(np.arange(3.0))
    np.testing.assert_array_equal(first, np.arange(3.0))
    np.testing.assert_array_equal(second, np.ones(2))


def test_a_tensor_given_twice_is_refused() -> None:
    x = rand(2)
    with pytest.raises(LoweringError, match="twice"):
        lower(lambda a, b: a * b, (x, x))


def test_wrong_number_of_inputs() -> None:
    with pytest.raises(TypeError, match="1 inputs, got 2"):
        lower(torch.sin, [rand(2)])(1.0, 2.0)


# ---------------------------------------------------------------------- values that leave the graph


def test_escapes_are_named_with_their_place() -> None:
    def fn(x: Any) -> Any:
        if x.sum() > 1e9:  # a branch is not an escape
            return x
        return x * math.sin(x[0]) + x.sum().item() + torch.tensor(x.tolist(), dtype=x.dtype)

    lowered = lower(fn, [rand(2)])
    assert [site.operation for site in lowered.escapes] == [
        "Tensor.__float__",
        "Tensor.item",
        "Tensor.tolist",
    ]
    assert all(site.location.startswith(__file__ + ":") for site in lowered.escapes)


def test_numpy_is_an_escape() -> None:
    lowered = lower(lambda x: torch.from_numpy(np.sin(x.numpy())) * x, [rand(2)])
    assert [site.operation for site in lowered.escapes] == ["Tensor.numpy"]


def test_a_generator_that_is_collected_meanwhile_stops_no_gradient() -> None:
    closed = []

    @torch.no_grad()
    def numbers() -> Iterator[int]:
        try:
            yield from range(2)
        finally:
            closed.append(torch.is_grad_enabled())

    def fn(x: torch.Tensor) -> torch.Tensor:
        before = len(closed)
        gc.collect()
        assert (before, closed) == (0, [False])
        return torch.sin(x)

    gc.disable()
    try:
        left: list[Any] = [numbers()]
        next(left[0])
        left.append(left)
        del left
        lowered = lower(fn, [rand(3)], grad_enabled=True)
    finally:
        gc.enable()
    assert lowered.stop_gradients == []


def test_stop_gradients_are_named_with_their_place() -> None:
    def fn(x: Any) -> Any:
        with torch.no_grad():
            y = x * 2
        return y + x.detach() * x.data + torch.ones(2).detach()

    lowered = lower(fn, [rand(2)])
    assert [site.operation for site in lowered.stop_gradients] == [
        "torch.no_grad",
        "Tensor.detach",
        "Tensor.data",
    ]
    assert all(site.location.startswith(__file__ + ":") for site in lowered.stop_gradients)


def test_functions_and_layers_of_torch_report_no_stop_gradient() -> None:
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).double()
    assert lower(layer, [rand(1, 3, 4)]).stop_gradients == []
    assert lower(Detaching.apply, [rand(3)]).stop_gradients == []


# ---------------------------------------------------------------------- opaque operations


@pytest.fixture
def opaque() -> Any:
    @torch.library.custom_op("gradcheck_tests::cube", mutates_args=())
    def cube(x: torch.Tensor, scale: float) -> torch.Tensor:
        return torch.from_numpy(x.detach().numpy() ** 3 * scale)

    yield cube
    unregister(cube)


def test_an_opaque_operation_is_named(opaque: Any) -> None:
    with pytest.raises(LoweringError, match=r"gradcheck_tests::cube.*register") as caught:
        lower(lambda x: opaque(x, 2.0), [rand(2)])
    assert caught.value.operation == "gradcheck_tests::cube.default"
    # Of constants it is a constant.
    lower(lambda x: opaque(torch.ones(2).double(), 2.0) * x, [rand(2)])


@pytest.mark.parametrize("by", ["object", "packet", "overload", "name", "name of the overload"])
def test_a_registered_rule_makes_it_transparent(opaque: Any, by: str) -> None:
    name = {
        "object": opaque,
        "packet": torch.ops.gradcheck_tests.cube,
        "overload": torch.ops.gradcheck_tests.cube.default,
        "name": "gradcheck_tests::cube",
        "name of the overload": "gradcheck_tests::cube.default",
    }[by]
    register(name, lambda x, scale: x**3 * scale)
    try:
        lowered = lower(lambda x: opaque(x, 2.0), [torch.tensor([1.0, 2.0])])
        value, pullback = engine.vjp(lambda x: lowered(x)[0], np.array([1.0, 2.0]))
        np.testing.assert_allclose(value, [2, 16])
        np.testing.assert_allclose(pullback(np.ones(2))[0], [6, 24])
    finally:
        unregister(name)


@pytest.mark.parametrize(("operation", "function"), [("cube", np.sin), (3, np.sin), ("a::b", "sin")])
def test_wrong_registrations(operation: Any, function: Any) -> None:
    with pytest.raises(TypeError):
        register(operation, function)


def test_memory_filled_out_of_sight_is_refused() -> None:
    def fn(x: Any) -> Any:
        out = torch.empty(2, dtype=x.dtype)
        out.numpy()[:] = np.sin(x.numpy())
        return out * x

    with pytest.raises(LoweringError, match="cannot see"):
        lower(fn, [rand(2)])


def test_sparse_tensors_are_refused() -> None:
    with pytest.raises(LoweringError):
        lower(lambda x: torch.sparse.mm(x.to_sparse(), x).sum(), [rand(2, 2)])


def test_integer_results_without_a_rule_are_frozen() -> None:
    lowered = lower(lambda x: x[torch.unique((x > 0).long())], [rand(3)])
    assert [site.operation for site in lowered.frozen] == ["aten::_unique2.default"]


def test_a_failing_rule_names_its_operation(opaque: Any) -> None:
    register(opaque, lambda x, scale: x.nonsense)
    lowered = lower(lambda x: opaque(x, 2.0), [rand(2)])
    with pytest.raises(LoweringError, match=r"cube.*nonsense") as caught:
        lowered(*lowered.inputs())
    assert caught.value.operation == "gradcheck_tests::cube.default"


def test_exceptions_of_the_function_come_through() -> None:
    def fn(x: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        lower(fn, [rand(2)])


# ---------------------------------------------------------------------- second order, divergence


def test_second_derivatives_by_nested_vjp() -> None:
    def fn(x: Any, w: Any) -> Any:
        h = torch.nn.functional.gelu(x @ w)
        return torch.logsumexp(torch.nn.functional.layer_norm(h, (3,)) * h, -1).sum()

    x, w = rand(2, 3).requires_grad_(), rand(3, 3).requires_grad_()
    lowered = lower(fn, (x, w))
    v = np.random.default_rng(0).standard_normal((2, 3))

    def directional(x_: Any, w_: Any) -> Any:
        gradient, _ = engine.vjp(lambda *a: lowered(*a)[0], x_, w_)[1](1.0)
        return np.sum(gradient * v)

    ours = engine.vjp(directional, *lowered.inputs())[1](1.0)
    (gradient,) = torch.autograd.grad(fn(x, w), x, create_graph=True)
    theirs = torch.autograd.grad((gradient * torch.from_numpy(v)).sum(), (x, w))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-9, atol=1e-12)


def test_first_divergence_names_the_operation(opaque: Any) -> None:
    register(opaque, lambda x, scale: x**3 * scale * 1.5)

    def fn(x: Any) -> Any:
        return opaque(x.sin(), 2.0).sum()

    found = first_divergence(fn, [rand(3)])
    assert found is not None
    assert found.operation == "gradcheck_tests::cube.default"
    assert found.location.startswith(__file__)
    assert found.difference == pytest.approx(found.scale / 2)
    assert first_divergence(torch.tanh, [rand(3)]) is None
