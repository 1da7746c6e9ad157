"""Functions whose gradient is wrong, or whose use is; test_what_a_failure_says.py has their messages."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from pytest_gradcheck import arrays, indices, positive_definite, scalars, size, tensors

f64 = partial(torch.tensor, dtype=torch.float64)
TWO = {"min_value": -2, "max_value": 2}
THREE = {"min_value": -3, "max_value": 3}


# ---- memory that the backward never wrote: printed as 4 to 10 "distinct failures", none of which names it


class Gather(torch.autograd.Function):
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


@pytest.mark.gradcheck(table=tensors("n k", **THREE), i=indices("m", into=size("n"), library="torch"))
def test_uninitialised_rows(table, i):
    return Gather.apply(table, i)


class SwiGLU(torch.autograd.Function):
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


ROWS = {
    "x": tensors("n 4", dtype=torch.float32, **THREE),
    "scale": tensors("n", dtype=torch.float32, min_value=0, max_value=1),
}


@pytest.mark.gradcheck(**ROWS)
def test_every_row_written_to_row_zero(x, scale):
    return SwiGLU.apply(x, scale)


# ---- reproduce: lines that do not reproduce ----------------------------------------------------


class TestNorms:
    @pytest.mark.gradcheck(x=arrays(3, **TWO), gradient=lambda x: x)
    def test_square(self, x):
        return np.sum(x**2)


def test_lambda_in_the_reproduce_line(
    gradcheck,
):
    gradcheck(lambda x: np.sum(x**2), np.ones(3), gradient=lambda x: x)


def test_reproduce_line_keeps_options(
    gradcheck,
):
    gradcheck(np.sum, np.ones(3), gradient=lambda a: 1.001 * np.ones(3), rtol=1e-4, domain=(0.5, 2))


# ---- the diagnosis is that of the shrunk point -------------------------------------------------


@pytest.mark.gradcheck(h=arrays(4, min_value=0.3, max_value=3), gradient=lambda h: h * (1 / h + 2 * h))
def test_gradient_by_log_parameters(
    h,
):
    return np.sum(np.log(h) + h**2)


class RowScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w, (g * x)[0]


@pytest.mark.gradcheck(x=tensors((4, 3), **TWO), w=tensors(3, **TWO))
def test_first_row_for_the_sum(x, w):
    return RowScale.apply(x, w)


def layer_gradient(W, x):
    d = 1 - np.tanh(W @ x) ** 2
    return np.outer(d, x), W @ d


@pytest.mark.gradcheck(W=arrays((3, 3), **TWO), x=arrays(3, **TWO), gradient=layer_gradient)
def test_missing_transpose(W, x):
    return np.sum(np.tanh(W @ x))


@pytest.mark.gradcheck(
    a=scalars(**TWO), b=scalars(min_value=0, max_value=1), gradient=lambda a, b: (math.cos(a), 0.0)
)
def test_small_fault_hides_the_large_one(a, b):
    a, b = float(a), float(b)
    return math.sin(a) * (1 + 4e-4 * math.cos(a)) + b**3 + b


class SafeLog(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.log()

    @staticmethod
    def backward(ctx, g):
        return g / ctx.saved_tensors[0].clamp(min=2.2e-16)


@pytest.mark.gradcheck(x=tensors(4, min_value=0, max_value=3))
def test_clamped_below_eps(x):
    return SafeLog.apply(x)


# ---- a property is broken and the table says that all is well ----------------------------------


class ReadsAsContiguous(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, g):
        return 2 * torch.as_strided(g, g.shape, torch.empty(g.shape).stride(), 0)


@pytest.mark.gradcheck(x=tensors((2, 3), **TWO))
def test_property_with_a_table_of_agreement(
    x,
):
    return ReadsAsContiguous.apply(x)


class ChangesCotangent(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, g):
        return g.mul_(2)


@pytest.mark.gradcheck(x=tensors(3, **TWO))
def test_property_without_a_table(
    x,
):
    return ChangesCotangent.apply(x)


class Frozen(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return (g * w, g * x) if ctx.needs_input_grad[0] else (None, None)


@pytest.mark.gradcheck(x=tensors(3, **TWO), w=tensors(3, **TWO))
def test_frozen_input(x, w):
    return Frozen.apply(x, w)


class Jvp(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]

    @staticmethod
    def jvp(ctx, t):
        return 2 * ctx.saved_tensors[0] + 0 * t


@pytest.mark.gradcheck(x=tensors(3, **TWO))
def test_forgotten_tangent(x):
    return Jvp.apply(x)


# ---- whose code, and where ---------------------------------------------------------------------


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, g * x * 1.01


@pytest.mark.gradcheck(x=tensors(3, **TWO), y=tensors(3, **TWO))
def test_two_functions(x, y):
    return torch.tanh(Product.apply(torch.sin(x), y)) + RowScale.apply(x[None], y).sum(0)


class Raises(Product):
    @staticmethod
    def backward(ctx, g):
        _, y = ctx.saved_tensors
        return g * y, undefined  # noqa: F821


@pytest.mark.gradcheck(x=tensors(3, **TWO), y=tensors(3, **TWO))
def test_exception_in_backward(x, y):
    return Raises.apply(x, y)


@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.gradcheck(x=arrays(3, **TWO), gradient=lambda x, power: x)
def test_parametrized(x, power):
    return np.sum(x**power)


@pytest.mark.gradcheck(x=tensors(3, **TWO), y=tensors(3, **TWO))
def test_backward_in_the_body(x, y):
    out = (x * y).sum()
    out.backward()
    return x.grad


# ---- first calls of a new user -----------------------------------------------------------------


def test_inputs_not_in_a_tuple(gradcheck):
    gradcheck(lambda x, y: np.sum(x * y), np.ones(3), np.ones(3))


def test_eps(
    gradcheck,
):
    gradcheck(lambda x: np.sum(x**2), np.ones(3), eps=1e-6)


def test_jax_function_numpy_in(
    gradcheck,
):
    jax = pytest.importorskip("jax")
    gradcheck(lambda x: jax.numpy.sum(jax.numpy.sin(x)), np.array([0.1, 0.2]))


def test_jax_array_in(gradcheck):
    jax = pytest.importorskip("jax")
    gradcheck(lambda x: jax.numpy.sum(jax.numpy.sin(x)), jax.numpy.array([0.1, 0.2]))


@pytest.mark.gradcheck
def test_math_sin(x: float):
    return math.sin(x)


@pytest.mark.gradcheck(x=arrays(2, **TWO))
def test_array_of_entries(x):
    import numpy as np  # a name that no module has

    return np.array([np.cos(x[0]), x[0] * x[1]])


@pytest.mark.gradcheck(logits=tensors("n 5", **TWO), target=indices("n", into=5))
def test_indices_beside_tensors(logits, target):
    return torch.nn.functional.cross_entropy(logits, target)


@pytest.mark.gradcheck(a=positive_definite(3))
def test_torch_dtype_gives_arrays(
    a,
):
    return torch.logdet(a)


# ---- the wrong name for the fault --------------------------------------------------------------


def impedance(p):
    return p[0] + 1j * p[1] + 1 / (1j * p[2])


def impedance_vjp(p, cotangent):
    return np.real(cotangent * np.array([1, 1j, 1j / p[2] ** 2]))


@pytest.mark.gradcheck(p=arrays(3, min_value=0.5, max_value=2), vjp=impedance_vjp)
def test_conjugate(p):
    return impedance(p)


def test_complex_jacobian_as_gradient(gradcheck):
    gradcheck(impedance, np.array([1.0, 0.5, 0.8]), gradient=lambda p: np.array([1, 1j, 1j / p[2] ** 2]))


def residual(p):
    return np.stack([p[0] * p[1], p[1] - p[2] ** 2, np.exp(p[0]) * p[2]])


def residual_transposed(p):
    return np.array([[p[1], p[0], 0], [0, 1, -2 * p[2]], [np.exp(p[0]) * p[2], 0, np.exp(p[0])]]).T


@pytest.mark.gradcheck(p=arrays(3, **TWO), gradient=residual_transposed)
def test_transposed_jacobian(p):
    return residual(p)


def test_transposed_jacobian_at_a_point(gradcheck):
    gradcheck(residual, np.array([0.7, -1.3, 0.4]), gradient=residual_transposed)


def equilibrium(k, tol=1e-9):
    a, b, u = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0]), np.zeros(2)
    last = np.ones(2)
    while np.max(np.abs(u - last)) >= tol:
        u, last = u + 0.15 * (b - a @ u - k * u**3), u
    return u


def equilibrium_gradient(k):
    u = equilibrium(k, 1e-15)
    return -np.linalg.solve(np.array([[4.0, 1.0], [1.0, 3.0]]) + np.diag(3 * k * u**2), 2 * u) * u**3


def test_iteration_to_1e_9(
    gradcheck,
):
    gradcheck(lambda k: np.sum(equilibrium(k) ** 2), np.array([0.1, 3.0]), gradient=equilibrium_gradient)


# ---- properties and surrogates that cannot be declared as intended -----------------------------


class Boolean(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        y = torch.zeros_like(x)
        y[x > 0] = x[x > 0] ** 2
        return y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0].clamp_min(0)


@pytest.mark.gradcheck(x=tensors(2, **TWO))
def test_vmap_that_cannot_be_switched_off(
    x,
):
    return Boolean.apply(x)


class Quaternion(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q):
        ctx.save_for_backward(q)
        return q / (1 + q.norm())

    @staticmethod
    def backward(ctx, g):
        (q,) = ctx.saved_tensors
        w, x, y, z = q
        n = torch.sqrt(w**2 + x**2 + y**2 + z**2)
        return g / (1 + n) - q * (g @ q) / (n * (1 + n) ** 2)


@pytest.mark.gradcheck(q=tensors(4, min_value=0.1, max_value=2))
def test_zero_size_that_cannot_be_switched_off(
    q,
):
    return Quaternion.apply(q)


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, g):
        return g


@pytest.mark.gradcheck(x=tensors(4, **THREE), stop_gradients="intended")
def test_straight_through(
    x,
):
    return Round.apply(x / 0.5).clamp(-4, 3) * 0.5


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        return g / (25 * ctx.saved_tensors[0].abs() + 1) ** 2


@pytest.mark.gradcheck(x=tensors(3, **TWO))
def test_spiking_surrogate(x):
    return Spike.apply(x)
