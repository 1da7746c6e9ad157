"""Rules as people write them, wrong in the ways that issue trackers show, and their right twins."""

import functools

import jax
import jax.numpy as jnp
import jax.scipy
import numpy as np
import pytest
from jax import lax

from pytest_gradcheck import check_gradients

RNG = np.random.default_rng(3)
X = RNG.uniform(0.3, 1.2, (3,)).astype(np.float32)
M = RNG.normal(size=(3, 3)).astype(np.float32)
N = RNG.normal(size=(3, 3)).astype(np.float32)
SPD = (M @ M.T + 2 * np.eye(3)).astype(np.float32)
BATCH = RNG.normal(size=(4, 3)).astype(np.float32)
COMPLEX = (RNG.normal(size=3) + 1j * RNG.normal(size=3)).astype(np.complex64)


def vjp(function, backward, forward=None, **options):
    """A custom_vjp whose residuals are its arguments."""
    rule = jax.custom_vjp(lambda *x: function(*x), **options)
    rule.defvjp(forward or (lambda *x: (function(*x), x)), backward)
    return rule


def jvp(function, derivative):
    rule = jax.custom_jvp(lambda *x: function(*x))
    rule.defjvp(lambda primals, tangents: (function(*primals), derivative(primals, tangents)))
    return rule


# -- elementwise --------------------------------------------------------------------------------------


def tanh(factor):
    return vjp(jnp.tanh, lambda x, g: (g * (factor - jnp.tanh(x[0]) ** 2),))


def softplus(slope):
    return vjp(jax.nn.softplus, lambda x, g: (g * slope(x[0]),))


def log1pexp(derivative):
    return jvp(lambda x: jnp.log1p(jnp.exp(x)), lambda p, t: derivative(p[0]) * t[0])


def safe_sqrt(power):
    return jvp(jnp.sqrt, lambda p, t: 0.5 * p[0] ** power * t[0])


def clip_gradient(low, high):
    """A right vjp of the identity clips nothing within its range; the wrong one clips every cotangent."""
    return vjp(lambda x: x * 1.0, lambda x, g: (jnp.clip(g, low, high),))


# -- sums over what was broadcast, repeated or shared ---------------------------------------------------


def add_bias(reduce):
    return vjp(lambda x, b: x * b, lambda r, g: (g * r[1], reduce(g * r[0])))


def scale_by_scalar(reduce):
    return vjp(lambda x, s: x * s, lambda r, g: (g * r[1], reduce(g * r[0])))


def lookup(gather):
    at = jnp.array([0, 2, 2, 0])
    return vjp(lambda table: table[at], lambda r, g: (gather(jnp.zeros_like(r[0]), at, g),))


def segment_mean(divide):
    at, counts = jnp.array([0, 1, 1, 1]), jnp.array([1.0, 3.0])
    return vjp(
        lambda x: jax.ops.segment_sum(x, at, 2) / counts[:, None],
        lambda r, g: ((g / counts[:, None] if divide else g)[at],),
    )


# -- matrices -----------------------------------------------------------------------------------------


def matmul(left, right):
    return vjp(jnp.matmul, lambda r, g: (left(g, r[1]), right(r[0], g)))


def solve(transposed):
    def backward(r, g):
        a, b = r
        u = jnp.linalg.solve(a.T if transposed else a, g)
        return -jnp.outer(u, jnp.linalg.solve(a, b)), u

    return vjp(jnp.linalg.solve, backward)


def inverse(sign):
    def backward(r, g):
        y = jnp.linalg.inv(r[0])
        return (sign * y.T @ g @ y.T,)

    return vjp(jnp.linalg.inv, backward)


def logdet(transposed):
    def backward(r, g):
        y = jnp.linalg.inv(r[0])
        return (g * (y.T if transposed else y),)

    return vjp(lambda a: jnp.linalg.slogdet(a)[1], backward)


def norm(squared):
    return vjp(jnp.linalg.norm, lambda r, g: (g * r[0] / (1.0 if squared else jnp.linalg.norm(r[0])),))


def distance(half):
    """A kernel of pairwise distances whose second argument was forgotten."""

    def function(x):
        d = x[:, None] - x[None]
        return jnp.sum(d**2, -1)

    def backward(r, g):
        d = r[0][:, None] - r[0][None]
        first = 2 * jnp.einsum("ij,ijk->ik", g, d)
        return (first if half else first - 2 * jnp.einsum("ij,ijk->jk", g, d),)

    return vjp(function, backward)


# -- layers -------------------------------------------------------------------------------------------


def softmax(centred):
    def backward(r, g):
        p = jax.nn.softmax(r[0])
        return (p * (g - (jnp.sum(g * p, -1, keepdims=True) if centred else 0.0)),)

    return vjp(jax.nn.softmax, backward)


def layer_norm(terms):
    def function(x):
        return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-3)

    def backward(r, g):
        x = r[0]
        y, s = function(x), jnp.sqrt(x.var(-1, keepdims=True) + 1e-3)
        inner = (
            g - g.mean(-1, keepdims=True) * (terms > 1) - y * (g * y).mean(-1, keepdims=True) * (terms > 2)
        )
        return (inner / s,)

    return vjp(function, backward)


def rms_norm(sums):
    def function(x, w):
        return x * w * lax.rsqrt(jnp.mean(x**2, -1, keepdims=True))

    def backward(r, g):
        x, w = r
        s = lax.rsqrt(jnp.mean(x**2, -1, keepdims=True))
        of_x = s * (g * w - x * s**2 * jnp.mean(g * w * x, -1, keepdims=True))
        return of_x, jnp.sum(g * x * s, 0) if sums else (g * x * s)[0]

    return vjp(function, backward)


def cross_entropy(scaled):
    labels = jnp.array([0, 2, 1, 1])

    def function(logits):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1))

    def backward(r, g):
        p = jax.nn.softmax(r[0]) - jax.nn.one_hot(labels, 3)
        return (g * p / (4 if scaled else 1),)

    return vjp(function, backward)


def attention(scaled):
    def weights(q, k):
        return jax.nn.softmax(q @ k.T / np.sqrt(3.0))

    def backward(r, g):
        q, k = r
        p = weights(q, k)
        s = p * (g - jnp.sum(g * p, -1, keepdims=True)) / (np.sqrt(3.0) if scaled else 1.0)
        return s @ k, s.T @ q

    return vjp(weights, backward)


def dropout(rescaled):
    mask = jnp.array([1.0, 0.0, 1.0])
    return vjp(lambda x: x * mask / 0.75, lambda r, g: (g * mask / (0.75 if rescaled else 1.0),))


def huber(inside):
    def function(x):
        return jnp.where(jnp.abs(x) < 0.8, 0.5 * x**2, 0.8 * (jnp.abs(x) - 0.4))

    def backward(r, g):
        x = r[0]
        return (g * (jnp.clip(x, -0.8, 0.8) if inside else x),)

    return vjp(function, backward)


# -- loops and implicit functions -----------------------------------------------------------------------


def cumulative_sum(reverse):
    return vjp(jnp.cumsum, lambda r, g: (jnp.flip(jnp.cumsum(jnp.flip(g))) if reverse else jnp.cumsum(g),))


def fixed_point(solves):
    """x = tanh(a x) + b, differentiated implicitly, or as if x did not depend on itself."""

    def step(x, a, b):
        return 0.5 * jnp.tanh(a @ x) + b

    def function(a, b):
        return lax.fori_loop(0, 60, lambda _, x: step(x, a, b), b)

    def backward(r, g):
        a, b = r
        x = function(a, b)
        _, pull = jax.vjp(step, x, a, b)
        u = lax.fori_loop(0, 60, lambda _, u: g + pull(u)[0], g) if solves else g
        return pull(u)[1:]

    return vjp(function, backward)


def newton_root(sign):
    """The root of x**3 + x = a: its derivative is 1 / (3 x**2 + 1)."""

    def step(state):
        x, k, a = state
        return x - (x**3 + x - a) / (3 * x**2 + 1), k + 1, a

    def function(a):
        return lax.while_loop(lambda state: state[1] < 30, step, (a, 0, a))[0]

    return vjp(function, lambda r, g: (sign * g / (3 * function(r[0]) ** 2 + 1),))


def ode(adjoint):
    """Euler's steps of x' = sin(w x), and the adjoint equation back; a step size may be missing there."""
    dt, steps = 0.1, 10

    def field(x, w):
        return jnp.sin(w @ x)

    def states(x, w):
        return lax.scan(lambda x, _: (x + dt * field(x, w), x), x, None, steps)

    def backward(r, g):
        x, w = r
        _, path = states(x, w)

        def back(carry, x):
            u, total = carry
            _, pull = jax.vjp(field, x, w)
            of_x, of_w = pull(u)
            return (u + dt * of_x, total + (dt if adjoint else 1.0) * of_w), None

        (of_x, of_w), _ = lax.scan(back, (g, jnp.zeros_like(w)), path, reverse=True)
        return of_x, of_w

    return vjp(lambda x, w: states(x, w)[0], backward)


def recurrent(reverse):
    """A linear recurrence h = a h + x whose adjoint runs backwards in time."""
    a = jnp.array([0.5, -0.3, 0.9])

    def run(x, reverse):
        start = jnp.zeros(3, x.dtype)
        return lax.scan(lambda h, row: (a.astype(x.dtype) * h + row,) * 2, start, x, reverse=reverse)[1]

    def function(x):
        return run(x, False)

    def backward(r, g):
        return (run(g, reverse),)

    return vjp(function, backward)


# -- conventions ----------------------------------------------------------------------------------------


def complex_square(conjugate):
    return vjp(lambda z: z * z, lambda r, g: (2 * g * (jnp.conj(r[0]) if conjugate else r[0]),))


def absolute_square(conjugate):
    return vjp(
        lambda z: jnp.real(z * jnp.conj(z)),
        lambda r, g: (2 * g * (r[0] if conjugate else jnp.conj(r[0])),),
    )


def static_argument(right):
    @functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
    def power(x, n):
        return x**n

    power.defvjp(lambda x, n: (x**n, x), lambda n, x, g: (g * n * x ** (n - 1 if right else n),))
    return lambda x: power(x, 3)


def several_outputs(both):
    return vjp(
        lambda x: (jnp.sin(x), jnp.cos(x)),
        lambda r, g: (g[0] * jnp.cos(r[0]) - (g[1] * jnp.sin(r[0]) if both else 0.0),),
    )


def none_for(is_none):
    return vjp(lambda x, y: x * y, lambda r, g: (g * r[1], None if is_none else g * r[0]))


def linear(right):
    return vjp(lambda x: 3.0 * x, lambda r, g: (3.0 * (g if right else jnp.abs(g)),))


def narrow(right):
    return vjp(lambda x: x * x, lambda r, g: ((2 * r[0] * g).astype(r[0].dtype if right else jnp.float16),))


def value_of_forward(right):
    return vjp(
        lambda x: jnp.exp(x),
        lambda r, g: (g * r,),
        forward=lambda x: (jnp.exp(x), jnp.exp(x)) if right else (jnp.exp(x) + 1e-2, jnp.exp(x)),
    )


def batch_blind(right):
    """A rule that takes the number of axes for what it is called with; under vmap it is another one."""

    def function(x):
        return jnp.sin(x)

    rule = jax.custom_batching.custom_vmap(lambda x: jnp.cos(x))
    rule.def_vmap(lambda size, batched, x: (jnp.cos(x) * (1.0 if right else 2.0), batched[0]))
    return vjp(function, lambda r, g: (g * rule(r[0]),))


def symbolic(right):
    """A rule that learns from JAX which arguments are differentiated, and uses the wrong one."""

    def function(x, y):
        return jnp.sin(x) * y

    def forward(x, y):
        return function(x.value, y.value), (x.value, y.value, x.perturbed, y.perturbed)

    def backward(kept, g):
        x, y, first, second = kept
        wanted = (first, second) if right else (first and second, second)
        both = g * jnp.cos(x) * y, g * jnp.sin(x)
        return tuple(u if each else jnp.zeros_like(u) for u, each in zip(both, wanted, strict=True))

    rule = jax.custom_vjp(function)
    rule.defvjp(forward, backward, symbolic_zeros=True)
    return rule


def one_of_two(right):
    """A rule with two outputs that takes a cotangent that is not there for ones."""

    def function(x):
        return jnp.sin(x), x * x

    def forward(x):
        return function(x.value), x.value

    def backward(x, g):
        missing = isinstance(g[1], jax.custom_derivatives.SymbolicZero)
        second = (jnp.zeros_like(x) if right else jnp.ones_like(x)) if missing else g[1]
        first = jnp.zeros_like(x) if isinstance(g[0], jax.custom_derivatives.SymbolicZero) else g[0]
        return (first * jnp.cos(x) + second * 2 * x,)

    rule = jax.custom_vjp(function)
    rule.defvjp(forward, backward, symbolic_zeros=True)
    return rule


KEPT = []


def keeping(right):
    """A rule that keeps a residual where nothing that is traced may be kept."""

    def forward(x):
        if not right:
            KEPT.append(x)
        return jnp.sin(x), x

    return vjp(jnp.sin, lambda x, g: (g * jnp.cos(x),), forward=forward)


TWINS = {
    "tanh": (tanh(1.0), tanh(1.01), X),
    "softplus-sign": (softplus(jax.nn.sigmoid), softplus(lambda x: jax.nn.sigmoid(-x)), X),
    "log1pexp-jvp": (
        log1pexp(lambda x: 1 - 1 / (1 + jnp.exp(x))),
        log1pexp(lambda x: 1 / (1 + jnp.exp(x))),
        X,
    ),
    "sqrt-jvp": (safe_sqrt(-0.5), safe_sqrt(0.5), X),
    "clipped-cotangent": (clip_gradient(-np.inf, np.inf), clip_gradient(-0.1, 0.1), X),
    "bias-sum": (add_bias(lambda g: g.sum(0)), add_bias(lambda g: g.mean(0)), BATCH, X),
    "scalar-sum": (scale_by_scalar(jnp.sum), scale_by_scalar(lambda g: g.reshape(-1)[0]), X, np.float32(0.7)),
    "repeated-indices": (
        lookup(lambda z, i, g: z.at[i].add(g)),
        lookup(lambda z, i, g: z.at[i].set(g)),
        BATCH[:3],
    ),
    "segment-mean": (segment_mean(True), segment_mean(False), BATCH),
    "matmul": (
        matmul(lambda g, b: g @ b.T, lambda a, g: a.T @ g),
        matmul(lambda g, b: g @ b, lambda a, g: a.T @ g),
        M,
        N,
    ),
    "solve": (solve(True), solve(False), M + 3 * np.eye(3, dtype=np.float32), X),
    "inverse": (inverse(-1), inverse(1), SPD),
    "logdet": (logdet(True), logdet(False), M + 3 * np.eye(3, dtype=np.float32)),
    "norm": (norm(False), norm(True), X),
    "distances": (distance(False), distance(True), BATCH),
    "softmax": (softmax(True), softmax(False), BATCH),
    "layer-norm": (layer_norm(3), layer_norm(2), BATCH),
    "rms-norm": (rms_norm(True), rms_norm(False), BATCH, X),
    "cross-entropy": (cross_entropy(True), cross_entropy(False), BATCH),
    "attention": (attention(True), attention(False), BATCH, BATCH[:3]),
    "dropout": (dropout(True), dropout(False), X),
    "huber": (huber(True), huber(False), np.float32([0.3, -1.7, 2.0])),
    "cumsum": (cumulative_sum(True), cumulative_sum(False), X),
    "fixed-point": (fixed_point(True), fixed_point(False), 0.5 * M, X),
    "newton-root": (newton_root(1.0), newton_root(-1.0), X),
    "ode-adjoint": (ode(True), ode(False), X, M),
    "recurrence": (recurrent(True), recurrent(False), BATCH),
    "complex-square": (complex_square(False), complex_square(True), COMPLEX),
    "absolute-square": (absolute_square(False), absolute_square(True), COMPLEX),
    "nondiff-argument": (static_argument(True), static_argument(False), X),
    "several-outputs": (several_outputs(True), several_outputs(False), X),
    "none-for-an-argument": (none_for(False), none_for(True), X, X[::-1]),
    "nonlinear": (linear(True), linear(False), X),
    "narrow-cotangent": (narrow(True), narrow(False), X),
    "forward-value": (value_of_forward(True), value_of_forward(False), X),
    "vmap": (batch_blind(True), batch_blind(False), X),
    "symbolic-zeros": (symbolic(True), symbolic(False), X, X[::-1]),
    "missing-cotangent": (one_of_two(True), one_of_two(False), X),
    "leaked-tracer": (keeping(True), keeping(False), X),
}

#: The diagnoses of those whose kind is not that of a wrong value.
CODES = {
    "clipped-cotangent": {"linear-backward", "wrong-values", "constant-factor"},
    "nonlinear": {"linear-backward"},
    "narrow-cotangent": {"dtype-mismatch", "precision-loss"},
    "forward-value": {"primal-mismatch"},
    "vmap": {"vmap"},
    "symbolic-zeros": {"frozen-inputs"},
    "missing-cotangent": {"undefined-cotangents"},
    "leaked-tracer": {"leaked-tracers"},
    "complex-square": {"conjugate"},
    "absolute-square": {"conjugate"},
    "inverse": {"sign"},
    "newton-root": {"sign"},
}


#: One of each diagnosis, a plain one, a kernel of many steps, and one of several arguments: a check compiles
#: some twenty programs, more than a second. The others are in the sweep.
QUICK = {*CODES, "tanh", "softmax", "attention", "recurrence"}


def twins():
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.sweep) for name in TWINS]


def arrays(values):
    return tuple(map(jnp.asarray, values))


@pytest.mark.parametrize("name", twins())
def test_the_right_rule_passes(name):
    right, _, *values = TWINS[name]
    result = check_gradients(right, arrays(values))

    assert result.verdict == "pass", str(result)
    assert result.methods["reference"].status == "ok", str(result)


@pytest.mark.parametrize("name", twins())
def test_the_wrong_rule_fails(name):
    _, wrong, *values = TWINS[name]
    assert_found(name, wrong, values)


@pytest.mark.parametrize("name", ["tanh", "nonlinear", "vmap"])
def test_the_wrong_rule_fails_under_jit(name):
    _, wrong, *values = TWINS[name]
    assert_found(name, jax.jit(wrong), values)


def cosine(x, g):
    return (g * jnp.cos(x),)


def sine(x):
    return jnp.sin(x), x


def leaking(x):
    KEPT.append(x)
    return sine(x)


@pytest.mark.parametrize(
    ("right", "wrong", "code"),
    [
        (keeping(True), keeping(False), "leaked-tracers"),
        (vjp(jnp.sin, cosine, forward=sine), vjp(jnp.sin, cosine, forward=leaking), "leaked-tracers"),
        (
            vjp(jnp.sin, cosine, forward=sine),
            vjp(jnp.sin, cosine, forward=lambda x: (jnp.sin(x) + 0.1, x)),
            "primal-mismatch",
        ),
    ],
    ids=["leaked", "leaked, one backward", "value, one backward"],
)
def test_what_holds_of_one_rule_is_not_taken_to_hold_of_another(right, wrong, code):
    for rule, verdict in ((right, "pass"), (wrong, "fail"), (right, "pass")):
        result = check_gradients(rule, jnp.asarray(X))
        assert result.verdict == verdict, str(result)
        assert (result.diagnosis.code == code) == (verdict == "fail"), str(result)


def assert_found(name, wrong, values):
    result = check_gradients(wrong, arrays(values))

    assert (result.verdict, result.culprit) == ("fail", "jax"), str(result)
    assert result.diagnosis.code in CODES.get(name, {result.diagnosis.code}), str(result)
