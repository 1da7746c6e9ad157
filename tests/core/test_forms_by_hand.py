"""Jacobians, tangents, Hessians and their products by hand: right ones pass, wrong ones fail by name."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from pytest_gradcheck import InvalidArgument, check_gradients

X = np.array([1.3, 0.7])
Y = np.array([1.3, 0.7, -0.4])


def residual(x):
    return np.stack([x[0] ** 2 * x[1], 5 * x[0] + np.sin(x[1]), x[1] ** 3])


def residual_jacobian(x):
    return np.array([[2 * x[0] * x[1], x[0] ** 2], [5.0, np.cos(x[1])], [0.0, 3 * x[1] ** 2]])


def potential(x):
    return np.sum(x**3) * x[0]


def slope(x):
    grad = 3 * x**2 * x[0]
    grad[0] += np.sum(x**3)
    return grad


def curvature(x):
    matrix = np.diag(6 * x) * x[0]
    matrix[0] += 3 * x**2
    matrix[:, 0] += 3 * x**2
    return matrix


def opaque_potential(x):
    """Code that no recording sees."""
    return sum(float(t) ** 3 for t in x) * float(x[0])


def opaque_residual(x):
    a, b = float(x[0]), float(x[1])
    return np.array([a**2 * b, 5 * a + math.sin(b), b**3])


def one_wrong(matrix):
    out = np.array(matrix)
    out[1, 1] *= 1.2
    return out


#: A form, the function it is of, the right derivative and a wrong one.
FORMS = {
    "gradient": (potential, slope, lambda x: 1.2 * slope(x)),
    "vjp": (
        residual,
        lambda x, u: u @ residual_jacobian(x),
        lambda x, u: u @ one_wrong(residual_jacobian(x)),
    ),
    "jacobian": (residual, residual_jacobian, lambda x: one_wrong(residual_jacobian(x))),
    "jvp": (
        residual,
        lambda x, v: residual_jacobian(x) @ v,
        lambda x, v: one_wrong(residual_jacobian(x)) @ v,
    ),
    "hessian": (potential, curvature, lambda x: one_wrong(curvature(x))),
    "hvp": (potential, lambda x, v: curvature(x) @ v, lambda x, v: one_wrong(curvature(x)) @ v),
}
OPAQUE = {potential: opaque_potential, residual: opaque_residual}


def point_of(fn):
    return Y if fn is potential else X


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seen", [True, False], ids=["recorded", "opaque"])
def test_a_right_form_passes_and_a_wrong_one_fails(form, seen):
    fn, right, wrong = FORMS[form]
    called = fn if seen else OPAQUE[fn]

    good = check_gradients(called, point_of(fn), **{form: right})
    bad = check_gradients(called, point_of(fn), **{form: wrong})

    assert (good.verdict, good.methods["user"].status) == ("pass", "ok"), str(good)
    assert (bad.verdict, bad.culprit) == ("fail", "user"), str(bad)
    assert "test_forms_by_hand.py:" in bad.code
    assert f"{form}=" in bad.reproduce
    if form not in ("gradient", "vjp"):
        assert good.diagnosis.text.startswith(f"{form}: ")
        assert bad.diagnosis.text.startswith(f"{form}: the ")
        assert "of user" not in bad.diagnosis.text


@pytest.mark.parametrize("form", ["hessian", "hvp"])
def test_a_second_derivative_is_of_the_second_order_by_itself(form):
    _, right, wrong = FORMS[form]

    assert check_gradients(potential, Y, **{form: right}).order == 2
    result = check_gradients(potential, Y, **{form: wrong})
    assert (result.order, result.worst.place.output) == (2, "grad x")
    assert "order=2" not in result.reproduce


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_raises(form):
    fn = FORMS[form][0]

    def broken(*_):
        raise ZeroDivisionError("no slope")

    result = check_gradients(fn, point_of(fn), **{form: broken})

    assert (result.verdict, result.culprit, result.diagnosis.code) == ("fail", "user", "backward-raised")
    assert "ZeroDivisionError: no slope" in result.diagnosis.text
    assert "broken (test_forms_by_hand.py:" in result.code


class TestSeveral:
    def test_all_right(self):
        jac = residual_jacobian
        result = check_gradients(
            residual, X, jacobian=jac, jvp=lambda x, v: jac(x) @ v, vjp=lambda x, u: u @ jac(x)
        )

        assert result, str(result)
        assert result.diagnosis.text.startswith("vjp, jacobian, jvp: ")

    @pytest.mark.parametrize("wrong", FORMS)
    def test_the_wrong_one_is_named(self, wrong):
        fn = FORMS[wrong][0]
        several = {name: row[2 if name == wrong else 1] for name, row in FORMS.items() if row[0] is fn}
        assert len(several) == 3

        result = check_gradients(fn, point_of(fn), **several)

        assert (result.verdict, result.culprit) == ("fail", "user"), str(result)
        assert result.diagnosis.text.startswith(f"{wrong}: ")
        assert not any(f"{name}: the" in result.diagnosis.text for name in several if name != wrong)

    def test_two_wrong_ones_are_both_named(self):
        result = check_gradients(
            potential, Y, gradient=lambda x: -slope(x), hessian=lambda x: 2 * curvature(x)
        )

        assert (result.culprit, result.diagnosis.code) == ("user", "sign")
        assert result.diagnosis.text == (
            "gradient: the gradient has the wrong sign; hessian: the Hessian is twice the correct one"
        )

    def test_forms_that_agree_with_each_other_and_not_with_the_function_fail(self):
        def jac(x):
            return 1.5 * residual_jacobian(x)

        result = check_gradients(residual, X, jacobian=jac, jvp=lambda x, v: jac(x) @ v)

        assert result.diagnosis.text.startswith("jacobian: ")
        assert "; jvp: " in result.diagnosis.text

    def test_a_second_form_takes_few_calls_more(self):
        calls = []

        def counted(x):
            calls.append(1)
            return opaque_residual(x)

        assert check_gradients(counted, X, jacobian=residual_jacobian)
        alone = len(calls)
        assert check_gradients(
            counted, X, jacobian=residual_jacobian, jvp=lambda x, v: residual_jacobian(x) @ v
        )
        assert len(calls) - alone <= alone + 2


class TestValueAndGradient:
    def test_right_and_wrong(self):
        right = check_gradients(lambda x: (potential(x), slope(x)), Y, gradient=True)
        wrong = check_gradients(lambda x: (potential(x), -slope(x)), Y, gradient=True)

        assert right, str(right)
        assert (wrong.culprit, wrong.diagnosis.code) == ("user", "sign")
        assert wrong.diagnosis.text.startswith("gradient: ")
        assert "gradient=True" in wrong.reproduce

    def test_several_inputs(self):
        def both(a, b):
            return np.sum(a**2) * b, (2 * a * b, np.sum(a**2))

        assert check_gradients(both, (Y, 1.7), gradient=True)
        assert check_gradients(both, {"a": Y, "b": 1.7}, gradient=True)

    def test_with_a_hessian(self):
        result = check_gradients(lambda x: (potential(x), slope(x)), Y, gradient=True, hessian=curvature)
        assert result
        assert result.order == 2

    @pytest.mark.parametrize("fn", [potential, lambda x: (1.0, x, x)])
    def test_a_function_that_returns_something_else(self, fn):
        with pytest.raises(InvalidArgument, match=r"gradient: got True for .*return \(value, gradient\)"):
            check_gradients(fn, Y, gradient=True)


class TestInputs:
    def test_several_and_by_name(self):
        def fn(a, b):
            return a * b

        def jacobian(a, b):
            return np.diag(np.full(3, b)), a

        def jvp(a, b, da, db):
            return a * db + da * b

        for inputs in ((Y, 1.7), {"a": Y, "b": 1.7}):
            assert check_gradients(fn, inputs, jacobian=jacobian, jvp=jvp)
            wrong = check_gradients(fn, inputs, jvp=lambda a, b, da, db: a * db - da * b)
            assert (wrong.culprit, wrong.diagnosis.text[:4]) == ("user", "jvp:")

    def test_containers(self):
        def fn(params):
            return params["w"] @ np.ones(2) + params["b"]

        point = {"params": {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([0.5, 0.25])}}

        def jacobian(params):
            w = np.zeros((2, 2, 2))
            w[0, 0] = w[1, 1] = 1.0
            return {"params": {"w": w, "b": np.eye(2)}}

        def jvp(params, tangent):
            return tangent["w"] @ np.ones(2) + tangent["b"]

        assert check_gradients(fn, point, jacobian=jacobian, jvp=jvp)
        assert not check_gradients(fn, point, jvp=lambda params, tangent: tangent["b"])

    def test_a_constant_has_no_tangent(self):
        def power(x, n):
            return x**n

        assert check_gradients(power, (Y, 3), jvp=lambda x, n, v: n * x ** (n - 1) * v)
        assert check_gradients(power, (Y, 3), jvp=lambda x, n, v, dn: n * x ** (n - 1) * v)

    def test_several_outputs(self):
        def fn(x):
            return {"square": x**2, "sum": np.sum(x)}

        def jacobian(x):
            return {"square": np.diag(2 * x), "sum": np.ones(3)}

        def jvp(x, v):
            return {"square": 2 * x * v, "sum": np.sum(v)}

        assert check_gradients(fn, Y, jacobian=jacobian, jvp=jvp)
        wrong = check_gradients(fn, Y, jvp=lambda x, v: {"square": 2 * x * v, "sum": 2 * np.sum(v)})
        assert "for sum" in wrong.diagnosis.text or wrong.worst.place.output == "output['sum']"

    def test_a_hessian_of_several_inputs(self):
        def fn(a, b):
            return np.sum(a**2) * b

        blocks = check_gradients(fn, (Y, 1.7), hessian=lambda a, b: (2 * b * np.eye(3), 0.0))
        every = check_gradients(fn, (Y, 1.7), hessian=lambda a, b: ((2 * b * np.eye(3), 2 * a), (2 * a, 0.0)))
        assert blocks
        assert every
        assert any("mixed second derivatives" in one.what for one in blocks.not_checked)
        assert not any("mixed" in one.what or "wrt" in one.reason for one in every.not_checked)

        wrong = check_gradients(fn, (Y, 1.7), hessian=lambda a, b: (2 * b * np.eye(3), 1.0))
        assert (wrong.culprit, wrong.worst.place.input) == ("user", "b")
        turned = check_gradients(
            fn, (Y, 1.7), hessian=lambda a, b: ((2 * b * np.eye(3), -2 * a), (2 * a, 0.0))
        )
        assert (turned.culprit, turned.worst.place.input) == ("user", "b")

    def test_a_product_of_several_inputs(self):
        def fn(a, b):
            return np.sum(a**2) * b

        assert check_gradients(fn, (Y, 1.7), hvp=lambda a, b, v, w: (2 * b * v + 2 * a * w, 2 * a @ v))
        assert not check_gradients(fn, (Y, 1.7), hvp=lambda a, b, v, w: (2 * b * v, 2 * a @ v))

    def test_dataclasses(self):
        @dataclasses.dataclass
        class Pair:
            a: object
            b: object

        pair = {"p": Pair(Y, 1.7)}
        assert check_gradients(lambda p: p.a * p.b, pair, jvp=lambda p, v: v.a * p.b + p.a * v.b)
        assert not check_gradients(lambda p: p.a * p.b, pair, jvp=lambda p, v: v.a * p.b)

    def test_a_scalar(self):
        assert check_gradients(lambda x: x**3, 1.5, hessian=lambda x: 6 * x, jacobian=lambda x: 3 * x**2)
        assert check_gradients(math.sin, 1.5, hvp=lambda x, v: -math.sin(x) * v)
        assert not check_gradients(math.sin, 1.5, hvp=lambda x, v: math.sin(x) * v)


class TestKindsOfNumbers:
    def test_float32(self):
        point = X.astype(np.float32)
        assert check_gradients(residual, point, jacobian=lambda x: residual_jacobian(x).astype(np.float32))
        assert check_gradients(potential, Y.astype(np.float32), hessian=curvature)
        wrong = check_gradients(potential, Y.astype(np.float32), hessian=lambda x: one_wrong(curvature(x)))
        assert wrong.culprit == "user"

    def test_torch(self):
        fn, x = lambda x: torch.sum(x**3) * x[0], torch.tensor(Y)

        def hessian(x):
            return torch.autograd.functional.hessian(fn, x)

        assert check_gradients(fn, x, hessian=hessian, hvp=lambda x, v: hessian(x) @ v)
        wrong = check_gradients(fn, x, hvp=lambda x, v: hessian(x) @ v / 2)
        assert (wrong.culprit, wrong.diagnosis.code) == ("user", "constant-factor")
        assert check_gradients(torch.sin, x, jvp=lambda x, v: torch.cos(x) * v)
        assert not check_gradients(torch.sin, x, jvp=lambda x, v: torch.sin(x) * v)
        assert check_gradients(torch.sin, x, jacobian=lambda x: torch.diag(torch.cos(x)))

    def test_jax(self):
        fn, x = lambda x: jnp.sum(x**3) * x[0], jnp.asarray(Y, jnp.float32)
        assert check_gradients(fn, x, hessian=jax.hessian(fn))
        assert check_gradients(jnp.sin, x, jacobian=jax.jacobian(jnp.sin), jvp=lambda x, v: jnp.cos(x) * v)
        wrong = check_gradients(fn, x, hessian=lambda x: jax.hessian(fn)(x) / 2)
        assert (wrong.culprit, wrong.diagnosis.text) == (
            "user",
            "hessian: the Hessian is half the correct one",
        )

    def test_array_api(self):
        def sine(x):
            return x.__array_namespace__().sin(x)

        def jvp(x, v):
            return x.__array_namespace__().cos(x) * v

        assert check_gradients(sine, Y, jvp=jvp, jacobian=lambda x: np.diag(np.cos(x)))
        assert not check_gradients(sine, Y, jvp=lambda x, v: -jvp(x, v))

    def test_complex(self):
        z = np.array([1.0 + 0.5j, -0.3 + 2.0j])

        assert check_gradients(
            lambda z: z**2, z, jacobian=lambda z: np.diag(2 * z), jvp=lambda z, v: 2 * z * v
        )
        wrong = check_gradients(lambda z: z**2, z, jacobian=lambda z: np.diag(2 * z.conj()))
        assert wrong.culprit == "user"
        # dL/dRe + i dL/dIm, as autograd writes it.
        assert check_gradients(lambda z: np.sum(np.abs(z) ** 2), z, jacobian=lambda z: 2 * z)
        assert check_gradients(lambda z: np.sum(np.abs(z) ** 2), z, hvp=lambda z, v: 2 * v)
        assert not check_gradients(lambda z: np.sum(np.abs(z) ** 2), z, hvp=lambda z, v: 2 * v.conj())
        # From real numbers to complex ones.
        assert check_gradients(lambda x: np.exp(1j * x), Y, jacobian=lambda x: np.diag(1j * np.exp(1j * x)))


class TestLinearity:
    @pytest.mark.parametrize(
        ("fn", "form"),
        [
            (residual, {"jvp": lambda x, v: residual_jacobian(x) @ np.abs(v)}),
            (potential, {"hvp": lambda x, v: curvature(x) @ v * (1 if v[0] >= 0 else 0.5)}),
        ],
    )
    def test_a_product_that_is_not_linear(self, fn, form):
        result = check_gradients(fn, point_of(fn), **form)

        assert (result.verdict, result.culprit) == ("fail", "user"), str(result)
        assert result.diagnosis.text.startswith(f"{next(iter(form))}: ")

    def test_a_sum_of_columns_rounds_in_a_coarse_dtype(self):
        def jvp(x, v):
            p = torch.softmax(x, 0)
            return p * (v - torch.sum(p * v))

        point = torch.tensor(Y).bfloat16()
        assert check_gradients(lambda x: torch.softmax(x, 0), point, jvp=jvp)
        assert not check_gradients(lambda x: torch.softmax(x, 0), point, jvp=lambda x, v: jvp(x, v.abs()))


class TestBounds:
    @staticmethod
    def entropy(x):
        return sum(float(t) * math.log(float(t)) for t in x)

    @pytest.mark.parametrize("point", [[0.1, 0.5], [0.1, 1.0], [0.10001, 0.5], [0.3, 0.5]])
    def test_second_differences_stay_inside(self, point):
        seen = []

        def fn(x):
            seen.extend(x.tolist())
            return self.entropy(x)

        assert check_gradients(fn, np.array(point), hessian=lambda x: np.diag(1 / x), domain=(0.1, 1.0))
        assert min(seen) >= 0.1
        assert max(seen) <= 1.0

    def test_a_wrong_one_inside_fails(self):
        point = np.array([0.3, 0.5])
        result = check_gradients(self.entropy, point, hessian=lambda x: np.diag(2 / x), domain=(0.1, 1.0))
        assert result.culprit == "user"


class TestWrongUse:
    @pytest.mark.parametrize(
        ("form", "answer", "remedy"),
        [
            ("jacobian", lambda x: np.ones((7, 2)), r"got shape \(7, 2\) for x; the right shape is \(3, 2\)"),
            ("jacobian", lambda x: None, "got None for x"),
            ("jacobian", lambda x: 1j * residual_jacobian(x), "return the real part"),
            ("jacobian", lambda x: np.array([[{}] * 2] * 3), "array of objects"),
            ("jvp", lambda x, v: v, r"got shape \(2,\) for output; the right shape is \(3,\)"),
            ("jvp", lambda x: x, r"is called with \(input 0, tangent"),
            ("hessian", lambda x: np.eye(2), "which returns output of shape .*return a scalar"),
            ("hvp", lambda x, v: v, "return a scalar"),
        ],
    )
    def test_of_a_vector(self, form, answer, remedy):
        with pytest.raises(InvalidArgument, match=f"{form}: .*{remedy}"):
            check_gradients(residual, X, **{form: answer})

    @pytest.mark.parametrize(
        ("form", "answer", "remedy"),
        [
            ("hessian", lambda x: np.eye(2), r"got shape \(2, 2\) for x; the right shape is \(3, 3\)"),
            ("hvp", lambda x, v: np.eye(3), r"got shape \(3, 3\) for x; the right shape is \(3,\)"),
            ("hvp", lambda x: x, r"is called with \(input 0, tangent"),
        ],
    )
    def test_of_a_number(self, form, answer, remedy):
        with pytest.raises(InvalidArgument, match=f"{form}: .*{remedy}"):
            check_gradients(potential, Y, **{form: answer})

    def test_complex_hessian(self):
        z = np.array([1.0 + 0.5j, -0.3 + 2.0j])
        with pytest.raises(
            InvalidArgument, match=r"hessian: got a function of complex numbers; give hvp= instead"
        ):
            check_gradients(lambda z: np.sum(np.abs(z) ** 2), z, hessian=lambda z: np.eye(2))

    def test_of_several_inputs(self):
        with pytest.raises(InvalidArgument, match=r"hessian: .*one array per input: a, b"):
            check_gradients(lambda a, b: a * b, (1.0, 2.0), hessian=lambda a, b: np.eye(2))


def test_a_wrong_framework_gradient_is_still_found_next_to_a_right_hessian():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x**2

    point = torch.tensor(Y)
    result = check_gradients(lambda x: Cube.apply(x).sum(), point, hessian=lambda x: torch.diag(6 * x))

    assert (result.verdict, result.culprit) == ("fail", "torch")


@pytest.mark.parametrize("form", ["hessian", "hvp"])
def test_an_oracle_is_what_a_second_derivative_is_compared_with(form):
    _, right, wrong = FORMS[form]

    assert check_gradients(opaque_potential, Y, oracle=potential, **{form: right})
    assert check_gradients(opaque_potential, Y, oracle=potential, **{form: wrong}).culprit == "user"


def test_order_two_is_checked_as_well():
    def fn(x):
        return torch.sum(x**3)

    result = check_gradients(fn, torch.tensor(Y), hessian=lambda x: torch.diag(6 * x), order=2)
    assert result
    assert result.order == 2
    wrong = check_gradients(fn, torch.tensor(Y), hessian=lambda x: torch.diag(3 * x), order=2)
    assert wrong.culprit == "user"


def test_what_is_left_out_of_the_methods_is_not_asked():
    result = check_gradients(potential, Y, hessian=lambda x: 1 / 0, methods=("central", "reference"))
    assert result
    assert result.order == 1


def test_a_second_derivative_is_not_checked_where_the_function_does_not_repeat_itself():
    noise = np.random.default_rng(0)
    result = check_gradients(lambda x: np.sum(x**2) + noise.normal(), Y, hessian=lambda x: 2 * np.eye(3))

    assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nondeterministic")
    assert any(one.what == "hessian" for one in result.not_checked)
