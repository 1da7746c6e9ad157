"""Every family of primitives on the engine: value, gradient and the gradient of the gradient are JAX's."""

import jax
import jax.numpy as jnp
import jax.scipy
import numpy as np
import pytest
from jax import lax

import reference_engine
from pytest_gradcheck import check_gradients
from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.jax.lowering.replay import Replay, traced
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES
from reference_engine.transforms import vjp_of_arrays

A = np.array([[0.7, 0.3, -0.2], [0.15, 0.9, 0.4], [-0.35, 0.25, 1.3]])
B = np.array([[1.1, -0.6, 0.5], [0.2, 0.8, -0.9], [0.65, -1.2, 0.45]])
Z = A + 1j * B
SPD = A @ A.T + np.eye(3)
IMAGE = np.linspace(-1.0, 1.3, 2 * 3 * 5 * 4).reshape(2, 3, 5, 4) ** 3
KERNEL = np.cos(np.arange(4 * 3 * 2 * 3)).reshape(4, 3, 2, 3)
PLAIN = {"xla_backend_optimization_level": 0}
INDEX = np.array([[2, 0], [0, 0], [1, 5], [-7, 1]])


def at(mode, method="add"):
    return lambda x, y: getattr(x.at[INDEX[:, 0]], method)(y[jnp.array([0, 1, 2, 0])], mode=mode)


def newton(a):
    def step(state):
        x, k = state
        return x - (x**3 - a) / (3 * x**2), k + 1

    return lax.while_loop(lambda s: s[1] < 12, step, (jnp.ones_like(a), 0))[0]


def conjugate_gradients(a, b):
    return jax.scipy.sparse.linalg.cg(lambda v: (a + a.T) @ v / 2, b, tol=1e-12)[0]


def pool(x, kind, init):
    return lax.reduce_window(x, init, kind, (1, 1, 2, 2), (1, 1, 2, 1), ((0, 0), (0, 0), (1, 0), (0, 1)))


CASES = {
    "arithmetic": (lambda x, y: x * y - x / y + x**3 - x**-2 + (-x) % 0.7, A, B),
    "powers": (
        lambda x, y: jnp.abs(x) ** y + jnp.sqrt(jnp.abs(x)) + lax.rsqrt(jnp.abs(y)) + jnp.cbrt(y),
        A,
        B,
    ),
    "exponentials": (
        lambda x: jnp.exp(x) + jnp.expm1(x) + jnp.exp2(x) + jnp.log1p(x * x) + jnp.log(x * x),
        A,
    ),
    "trigonometry": (
        lambda x: jnp.sin(x) * jnp.cos(x) + jnp.tan(x / 3) + jnp.arcsin(x / 3) + jnp.arctan(x),
        A,
    ),
    "hyperbolics": (
        lambda x: jnp.sinh(x) + jnp.tanh(x) + jnp.arcsinh(x) + jnp.arccosh(x + 3) + jnp.arctanh(x / 2),
        A,
    ),
    "two-arguments": (lambda x, y: jnp.arctan2(x, y) + jnp.hypot(x, y) + jnp.logaddexp(x, y), A, B),
    "choices": (
        lambda x, y: (
            jnp.maximum(x, y) + jnp.minimum(x, 0.2) + jnp.clip(y, -0.5, 0.5) * jnp.where(x > y, x, y * y)
        ),
        A,
        B,
    ),
    "rounding": (
        lambda x: x * jnp.round(3 * x) + jnp.floor(x) * x + jnp.sign(x) * x**2 + x.astype(jnp.float32) ** 2,
        A,
    ),
    "activations": (
        lambda x: jax.nn.gelu(x) + jax.nn.silu(x) + jax.nn.softplus(x) + jax.nn.sigmoid(x) + jax.nn.elu(x),
        A,
    ),
    "softmax": (lambda x: jax.nn.softmax(x) * jax.nn.log_softmax(x, 0) + jax.nn.logsumexp(x), A),
    "special": (
        lambda x: (
            jax.scipy.special.erf(x) + jax.scipy.special.gammaln(x + 3) + jax.scipy.special.digamma(x + 3)
        ),
        A,
    ),
    "more-special": (
        lambda x: (
            jax.scipy.special.i0e(x)
            + jax.scipy.special.i1e(x)
            + jax.scipy.special.erfinv(x / 3)
            + jax.scipy.special.ndtri(0.5 + x / 9)
        ),
        A,
    ),
    "zeta": (lambda x: jax.scipy.special.polygamma(2, x + 3) + jax.scipy.special.zeta(3.0, x + 4), A),
    "shapes": (
        lambda x: (
            jnp.reshape(x.T[::-1, :, None], (1, 9))[:, 1:8:3] * jnp.squeeze(jnp.tile(x[:1], (1, 1)))[:3]
        ),
        A,
    ),
    "joining": (
        lambda x, y: (
            jnp.concatenate([x, jnp.stack([y[0], y[1] * x[2]])], 0) * jnp.roll(jnp.repeat(x, 2, 0)[:5], 1, 0)
        ),
        A,
        B,
    ),
    "padding": (lambda x: lax.pad(x, 0.5 * x[0, 0], ((1, -1, 1), (-1, 2, 0))), A),
    "triangles": (lambda x: jnp.tril(x) @ jnp.triu(x, 1) + jnp.diag(jnp.diag(x)), A),
    "reductions": (
        lambda x: x.sum(0) * x.prod(1) + x.max(0) * x.min() + x.mean() * x.std(1) + jnp.var(x, 0),
        A,
    ),
    "cumulative": (
        lambda x: jnp.cumsum(x, 0) * jnp.cumprod(x, 1) + lax.cummax(x, 0) + lax.cummin(x, 1, reverse=True),
        A,
    ),
    "cumulative-logsumexp": (lambda x: lax.cumlogsumexp(x, 0) + lax.cumlogsumexp(x, 1, reverse=True), A),
    "sorting": (
        lambda x: jnp.sort(x, 0) * x + jnp.median(x) + lax.top_k(x, 2)[0].sum() + x[jnp.argsort(x[:, 0])],
        A,
    ),
    "sorting-by-keys": (lambda x, y: lax.sort((jnp.round(x), y, x * y), num_keys=2)[2], A, B),
    "indexing": (lambda x: x[INDEX[:2, 0], INDEX[:2, 1]] * x[jnp.array([1, 1]), 0] + x[-1, 1], A),
    "gather-fill": (lambda x: x.at[INDEX[:, 0], INDEX[:, 1]].get(mode="fill", fill_value=0.5), A),
    "gather-clip": (lambda x: x.at[INDEX[:, 0], INDEX[:, 1]].get(mode="clip"), A),
    "take-along": (lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1), A),
    "scatter-drop": (at("drop"), A, B),
    "scatter-clip": (at("clip"), A, B),
    "scatter-set": (lambda x, y: x.at[jnp.array([2, 0])].set(y[:2]).at[0, 1].set(y[2, 2]), A, B),
    "scatter-multiply": (lambda x, y: x.at[jnp.array([2, 0])].multiply(y[:2], unique_indices=True), A, B),
    "scatter-max": (at("drop", "max"), A, B),
    "scatter-min": (at("drop", "min"), A, B),
    "segment-sum": (lambda x: jax.ops.segment_sum(x, jnp.array([1, 0, 1]), 2), A),
    "dynamic-slices": (
        lambda x, y: lax.dynamic_update_slice(x, y[:2, :1], (5, 1)) * lax.dynamic_slice(x, (1, 0), (3, 3)),
        A,
        B,
    ),
    "products": (
        lambda x, y: (
            jnp.einsum("ij,kj,k->ik", x, y, y[0]) + x @ y + jnp.tensordot(x, y, 1) + jnp.kron(x, y)[:3, :3]
        ),
        A,
        B,
    ),
    "batched-products": (lambda x: jnp.einsum("abij,acij->abc", x, x), IMAGE[:, :, :2]),
    "convolution": (lambda x, w: lax.conv_general_dilated(x, w, (2, 1), ((1, 0), (-1, 2))), IMAGE, KERNEL),
    "dilated-convolution": (
        lambda x, w: lax.conv_general_dilated(
            x, w, (1, 1), ((1, 0), (0, 2)), (2, 1), (1, 2), ("NCHW", "OIHW", "NHWC")
        ),
        IMAGE,
        KERNEL,
    ),
    "grouped-convolution": (
        lambda x, w: lax.conv_general_dilated(x, w[:3, :1], (1, 1), "SAME", feature_group_count=3),
        IMAGE,
        KERNEL,
    ),
    "batch-groups": (
        lambda x, w: lax.conv_general_dilated(x, w, (1, 1), "SAME", batch_group_count=2),
        IMAGE,
        KERNEL,
    ),
    "max-pool": (lambda x: pool(x, lax.max, -jnp.inf), IMAGE),
    "mean-pool": (lambda x: pool(x, lax.add, 0.0), IMAGE),
    "solve": (lambda a, b: jnp.linalg.solve(a, b[0]) + jnp.linalg.inv(a) @ b[:, 1], A, B),
    "determinants": (lambda a: jnp.linalg.det(a) + jnp.linalg.slogdet(a)[1], A),
    "cholesky": (
        lambda a: jnp.linalg.cholesky(a) + jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(a), True), a[0]),
        SPD,
    ),
    "eigh": (
        lambda a: (
            jnp.linalg.eigh(a)[0]
            + (jnp.linalg.eigh(a)[1] ** 2).sum(0) * jnp.arange(3)
            + jnp.linalg.eigh(a)[1][0] ** 2
        ),
        SPD,
    ),
    "svd": (
        lambda a: (
            jnp.linalg.svd(a, full_matrices=False)[1]
            + (
                jnp.linalg.svd(a, full_matrices=False)[0]
                @ jnp.diag(jnp.arange(3.0))
                @ jnp.linalg.svd(a, full_matrices=False)[2]
            )[0]
        ),
        A,
    ),
    "qr": (lambda a: jnp.linalg.qr(a)[0] + jnp.linalg.qr(a)[1], A),
    "triangular-solve": (
        lambda a, b: (
            jax.scipy.linalg.solve_triangular(a, b, lower=True, trans=1)
            + lax.linalg.triangular_solve(a, b, unit_diagonal=True)
        ),
        A,
        B,
    ),
    "matrix-functions": (lambda a: jax.scipy.linalg.expm(a), A),
    "fft": (lambda x: jnp.abs(jnp.fft.fft2(x)) + jnp.fft.ifft(x).real + jnp.fft.irfft(jnp.fft.rfft(x), 3), A),
    "complex": (
        lambda z: (
            jnp.exp(z) * jnp.conj(z) + z.real * jnp.imag(z) + jnp.abs(z) + lax.complex(z.real, z.imag) / z
        ),
        Z,
    ),
    "complex-products": (lambda z: z @ z.T + jnp.linalg.solve(z, z[0]) + jnp.fft.fft(z), Z),
    "cond": (
        lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x) + lax.switch(2, [jnp.sin, jnp.cos, jnp.tanh], x),
        A,
    ),
    "scan": (
        lambda x, y: lax.scan(
            lambda c, row: (c * 0.5 + jnp.sin(row) * y[0], c.sum() * row), y[1], x, reverse=True
        )[1],
        A,
        B,
    ),
    "fori": (lambda x: lax.fori_loop(0, 3, lambda i, c: c + jnp.sin(c) * x[i], x), A),
    "map": (lambda x: lax.map(lambda row: jnp.outer(row, row), x), A),
    "associative-scan": (lambda x: lax.associative_scan(jnp.multiply, x), A),
    "remat-jit-vmap": (
        lambda x: jax.checkpoint(jax.jit(jax.vmap(lambda r: r * jnp.outer(r, r).sum())))(x),
        A,
    ),
    "gradient-inside": (
        lambda x: jax.grad(lambda y: (jnp.sin(y) * y**2).sum())(x) + jax.hessian(lambda y: jnp.prod(y))(x[0]),
        A,
    ),
    "linear-solve": (conjugate_gradients, SPD, B[0]),
    "random": (
        lambda x: (
            x * jax.random.normal(jax.random.key(0), (3, 3)) + jax.random.uniform(jax.random.PRNGKey(1))
        ),
        A,
    ),
    "stop-gradient-of-a-shift": (
        lambda x: jnp.exp(x - lax.stop_gradient(x.max())) / jnp.exp(x - lax.stop_gradient(x.max())).sum(),
        A,
    ),
    "statistics": (
        lambda x: jnp.percentile(x, 30.0) + jnp.cov(x)[0] + jnp.interp(x[0], jnp.sort(x[1]), x[2]),
        A,
    ),
    "convolve": (lambda x, y: jnp.convolve(x[0], y[0]) + jnp.polyval(x[1], y[1]).sum(), A, B),
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def replayed(function, *arrays):
    closed = traced(lambda *x: [function(*x)], list(map(jnp.asarray, arrays)))
    return Replay(closed.jaxpr, closed.consts, RULES)


def seed(value):
    rng = np.random.default_rng(7)
    u = rng.normal(size=np.shape(value))
    return u + 1j * rng.normal(size=np.shape(value)) if np.iscomplexobj(value) else u


def close(ours, theirs):
    theirs = np.asarray(theirs)
    np.testing.assert_allclose(ours, np.conj(theirs), rtol=1e-7, atol=1e-7 * np.abs(theirs).max(initial=1.0))


def value_and_pullback(function, arrays, cotangent):
    value, pull = jax.vjp(function, *arrays)
    return value, pull(jax.tree.map(lambda u, v: jnp.asarray(u, v.dtype), cotangent, value))


def compiled(derivative, function, arrays, cotangent):
    """In one piece, and not optimized: to compile operation by operation takes four times as long."""
    whole = jax.jit(lambda x, u: derivative(function, x, u), compiler_options=PLAIN)
    return whole(tuple(map(jnp.asarray, arrays)), cotangent)


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_are_those_of_jax(name):
    function, *arrays = CASES[name]
    (value,), pull = vjp_of_arrays(replayed(function, *arrays), arrays)
    u = seed(value)
    expected, theirs = compiled(value_and_pullback, function, arrays, np.conj(u))

    close(value, np.conj(expected))
    for ours, right in zip(pull([u]), theirs, strict=True):
        close(ours, right)


#: Second derivatives compile a program each: the suite has every other one.
IN_TURN = [
    pytest.param(name, marks=[pytest.mark.sweep] if number % 2 else [])
    for number, name in enumerate(sorted(set(CASES) - {"rounding"}))
]


@pytest.mark.parametrize("name", IN_TURN)
def test_the_second_derivative_is_that_of_jax(name):
    function, *arrays = CASES[name]
    if np.iscomplexobj(arrays[0]):
        pytest.skip("the two conventions differ in the first derivative: compared by check_gradients below")
    program = replayed(function, *arrays)
    u = seed(program(*arrays)[0])

    def ours(*x):
        _, pull = reference_engine.vjp(lambda *x: list(program(*x)), *x)
        return list(pull([np.conj(u)]))

    def theirs(*x):
        return value_and_pullback(function, x, u)[1]

    gradients, pull = vjp_of_arrays(ours, arrays)
    seeds = tuple(map(seed, gradients))
    _, second = compiled(value_and_pullback, theirs, arrays, seeds)
    for mine, right in zip(pull(seeds), second, strict=True):
        close(mine, right)


@pytest.mark.parametrize("name", ["complex", "complex-products", "newton"])
def test_checks_agree(name):
    # JAX has no reverse mode for a loop whose number of steps is not known, and so no second derivative here.
    function, *arrays = CASES.get(name, (newton, np.array([0.4, 2.0])))
    result = check_gradients(function, tuple(map(jnp.asarray, arrays)), order=2 if name in CASES else 1)

    assert result.methods["reference"].status == "ok", str(result)
    assert result.verdict == "pass", str(result)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: jax.pure_callback(np.sin, x, x), "pure_callback"),
        (lambda x: jax.ffi.ffi_call("nothing", jax.ShapeDtypeStruct(x.shape, x.dtype))(x), "ffi_call"),
    ],
    ids=["callback", "ffi"],
)
def test_what_is_opaque_is_refused_by_name(function, name):
    with pytest.raises(Unavailable, match=name):
        vjp_of_arrays(replayed(function, A), [A])


def test_rules_by_hand_are_left_aside():
    rule = jax.custom_vjp(lambda x: x**2)
    rule.defvjp(lambda x: (x**2, x), lambda x, g: (5 * g,))
    forward = jax.custom_jvp(lambda x: x**2)
    forward.defjvp(lambda p, t: (p[0] ** 2, 5 * t[0]))
    for function in (rule, forward, jax.jit(rule), jax.vmap(forward)):
        _, pull = vjp_of_arrays(replayed(function, A), [A])
        np.testing.assert_allclose(pull([np.ones((3, 3))])[0], 2 * A)


def test_every_primitive_with_a_rule_exists():
    names = {primitive.name for primitive in _primitives()}
    older = {"pjit", "core_call", "checkpoint", "custom_vjp_call_jaxpr", "copy_p", "expand_dims"}
    assert not set(RULES) - names - older


def _primitives():
    import gc

    from jax.extend.core import Primitive

    # By type: to ask an object of another library for its class may warn.
    return [each for each in gc.get_objects() if issubclass(type(each), Primitive)]
