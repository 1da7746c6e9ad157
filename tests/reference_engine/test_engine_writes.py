"""Writing into Tensors: what NumPy would make of every array, and the gradient of exactly that."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from engine_samples import SAMPLES, name_of
from hypothesis import given, settings
from hypothesis import strategies as st

import reference_engine as engine
from reference_engine import OutOfGraphError, Tensor, grad, no_grad, value_and_grad, vjp
from reference_engine.containers import flatten

# ------------------------------------------------------------------ who shares memory with whom

VIEWS = {
    "x[1:]": lambda x: x[1:],
    "x[...]": lambda x: x[...],
    "x[None]": lambda x: x[None],
    "x[1]": lambda x: x[1],
    "x[::-1]": lambda x: x[::-1, 1],
    "x[[0, 1]]": lambda x: x[[0, 1]],
    "x[mask]": lambda x: x[np.array([True, False, True])],
    "x[array(1)]": lambda x: x[np.array(1)],
    "x.T": lambda x: x.T,
    "reshape": lambda x: x.reshape(-1),
    "reshape(F)": lambda x: np.reshape(x, -1, order="F"),
    "reshape of a turned one": lambda x: x.T.reshape(-1),
    "ravel": lambda x: x.ravel(),
    "ravel of a turned one": lambda x: x.T.ravel(),
    "ravel of a column": lambda x: x[:, 0].ravel(),
    "flatten": lambda x: x.flatten(),
    "copy": lambda x: x.copy(),
    "astype": lambda x: x.astype(x.dtype),
    "astype(copy=False)": lambda x: x.astype(x.dtype, copy=False),
    "real": lambda x: x.real,
    "np.real": np.real,
    "squeeze": lambda x: x[:, :1].squeeze(),
    "diagonal": lambda x: x.diagonal(),
    "diag": np.diag,
    "repeat once": lambda x: np.repeat(x, 1),
    "tile once": lambda x: np.tile(x, 1),
    "atleast_3d": np.atleast_3d,
    "split": lambda x: np.split(x, 3)[1],
    "iteration": lambda x: list(x)[2],
    "meshgrid": lambda x: np.meshgrid(x[0], x[1])[0],
    "meshgrid(copy=False)": lambda x: np.meshgrid(x[0], x[1], copy=False)[0],
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, 1.0)[0],
    "sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, 1),
    "rot90": np.rot90,
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "flip": np.flip,
}


def shares(a: Tensor, b: Tensor) -> bool:
    return a is b or (a._view is not None and b._view is not None and a._view.memory is b._view.memory)


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("call", VIEWS.values(), ids=VIEWS)
def test_views_are_those_of_numpy(call: Any, dtype: Any) -> None:
    x = np.arange(9.0).reshape(3, 3).astype(dtype)
    t = Tensor(x)
    assert shares(call(t), t) == np.shares_memory(call(x), x)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        pytest.param(function, args, id=f"{name_of(key)}-{i}")
        for key, samples in SAMPLES.items()
        for i, (function, args) in enumerate(samples)
    ],
)
def test_every_function_shares_memory_where_numpy_does(function: Any, args: Any) -> None:
    arrays = [np.array(x) for x in args]
    tensors = [Tensor(x) for x in arrays]
    expected, _ = flatten(function(*arrays))
    found, _ = flatten(function(*tensors))
    for theirs, ours in zip(expected, found, strict=True):
        for array, tensor in zip(arrays, tensors, strict=True):
            # A number has no memory that anybody could write to.
            if isinstance(theirs, np.ndarray) and theirs.size and array.ndim and isinstance(ours, Tensor):
                assert shares(ours, tensor) == np.shares_memory(theirs, array)


# ------------------------------------------------------------------ programs

SLICES = st.sampled_from(
    [
        slice(None),
        slice(1, None),
        slice(None, -1),
        slice(None, None, -1),
        slice(None, None, 2),
        0,
        -1,
        Ellipsis,
    ]
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "view",
                "turn",
                "flatten",
                "rows",
                "set",
                "set own",
                "add",
                "multiply",
                "out",
                "copy",
                "fill",
                "real",
            ]
        ),
        st.integers(0, 99),
        SLICES,
        st.integers(0, 99),
        st.sampled_from([-1.5, 0.5, 2.0]),
    ),
    min_size=1,
    max_size=12,
)


def fits(index: Any, a: Any) -> bool:
    """Whether an index finds an entry: a view of a view may have no rows left."""
    return a.ndim > 0 and (not isinstance(index, int) or -len(a) <= index < len(a))


def run(steps: Any, x: Any, number: Any) -> list[Any]:
    """A program of views and writes; every array that it has held. The same code for arrays and Tensors."""
    held = [np.copy(x)]
    for kind, i, index, j, value in steps:
        a, b = held[i % len(held)], held[j % len(held)]
        if kind == "view" and fits(index, a):
            part = a[index]
            if part.ndim:  # a number is no view in NumPy
                held.append(part)
        elif kind == "turn":
            held.append(a.T)
        elif kind == "flatten":
            held.append(a.reshape(-1))
        elif kind == "rows" and a.ndim > 1:
            for row in a:
                row *= value
        elif kind == "set" and fits(index, a):
            a[index] = number * value
        elif kind == "set own" and fits(index, a):
            a[index] = a[index] * number
        elif kind == "add" and a.shape == b.shape:
            a += b * value
        elif kind == "multiply":
            a *= number
        elif kind == "out" and a.shape == b.shape:
            np.multiply(a, b, out=a)
        elif kind == "copy":
            held.append(a.copy())
        elif kind == "fill" and a.ndim and isinstance(index, slice):
            a[index] += value
        elif kind == "real":
            held.append(np.real(a))
    return held


@given(steps=STEPS)
@settings(max_examples=150, deadline=None)
def test_programs_of_views_and_writes(steps: Any) -> None:
    """Each array holds what NumPy says, and the gradient is that of the complex step, exact to rounding."""
    steps = [step for step in steps if step[0] != "real"]
    x = np.linspace(0.5, 1.5, 6).reshape(2, 3)
    weights = [0.3 + 0.7 * k for k in range(40)]

    def total(x: Any, number: Any) -> Any:
        return sum(w * np.sum(np.sin(a)) for w, a in zip(weights, run(steps, x, number), strict=False))

    want = run(steps, x.copy(), 1.25)
    got = run(steps, Tensor(x), Tensor(1.25))
    for theirs, ours in zip(want, got, strict=True):
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-12, atol=1e-12)
    if not all(np.all(np.abs(a) < 20) for a in want):
        return  # the sine of a large number is all rounding
    _, (by_x, by_number) = value_and_grad(total, argnums=(0, 1))(x, 1.25)
    h = 1e-30
    scale = 1 + np.max(np.abs(by_x)) + abs(by_number)
    assert by_number == pytest.approx(np.imag(total(x.astype(complex), 1.25 + h * 1j)) / h, abs=1e-9 * scale)
    for place in np.ndindex(*x.shape):
        moved = x.astype(complex)
        moved[place] += h * 1j
        assert by_x[place] == pytest.approx(np.imag(total(moved, 1.25)) / h, abs=1e-9 * scale)


@given(steps=STEPS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_programs_on_complex_arrays(steps: Any, data: Any) -> None:
    """With views of the real part among them; values only, since the complex step is taken."""
    x = np.linspace(0.5, 1.5, 6).reshape(2, 3) * (1 - 0.5j)
    want = run_or_error(steps, x.copy())
    got = run_or_error(steps, Tensor(x))
    if isinstance(want, Exception):
        assert isinstance(got, TypeError)
        return
    for theirs, ours in zip(want, got, strict=True):
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-12, atol=1e-12)


def run_or_error(steps: Any, x: Any) -> Any:
    try:
        return run(steps, x, 1.25)
    except (TypeError, ValueError) as error:
        return error


def test_physics_in_place() -> None:
    """Ten explicit Euler steps of the heat equation, with the ends held."""

    def heat(u0: Any, kappa: Any) -> Any:
        u = u0.copy()
        for _ in range(10):
            u[1:-1] += kappa * (u[2:] - 2 * u[1:-1] + u[:-2])
            u[0], u[-1] = 1.0, 0.0
        return np.sum(u**2)

    u0 = np.linspace(0, 1, 8) ** 2
    by_u0, by_kappa = grad(heat, argnums=(0, 1))(u0, 0.2)
    h = 1e-30
    assert by_kappa == pytest.approx(np.imag(heat(u0.astype(complex), 0.2 + h * 1j)) / h, rel=1e-13)
    for i in range(8):
        moved = u0.astype(complex)
        moved[i] += h * 1j
        assert by_u0[i] == pytest.approx(np.imag(heat(moved, 0.2)) / h, rel=1e-13, abs=1e-16)


# ------------------------------------------------------------------ out=, where=


def test_division_where_it_is_defined() -> None:
    """The idiom of NumPy; what is not evaluated does not turn the gradient into nan."""

    def f(a: Any, b: Any) -> Any:
        return np.divide(a, b, out=np.zeros_like(b), where=b != 0)

    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0, 4.0])
    value, pullback = vjp(f, a, b)
    np.testing.assert_array_equal(value, [0.5, 0.0, 0.75])
    by_a, by_b = pullback(np.ones(3))
    np.testing.assert_array_equal(by_a, [0.5, 0.0, 0.25])
    np.testing.assert_array_equal(by_b, [-0.25, 0.0, -3 / 16])


def test_out_keeps_the_old_values_where_the_mask_is_off() -> None:
    value, pullback = vjp(
        lambda x, old: np.sqrt(x, out=old * 1.0, where=x > 0), np.array([4.0, -1.0]), np.ones(2)
    )
    np.testing.assert_array_equal(value, [2.0, 1.0])
    by_x, by_old = pullback(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(by_x, [0.25, 0.0])
    np.testing.assert_array_equal(by_old, [0.0, 10.0])


@pytest.mark.parametrize(
    "call",
    [
        lambda x, out: np.multiply(x, x, out=out),
        lambda x, out: np.multiply(x, x, out=(out,)),
        lambda x, out: np.cumsum(x * x, out=out),
        lambda x, out: np.cumsum(x * x, None, None, out),
        lambda x, out: np.clip(x, 0.0, 1.0, out=out),
        lambda x, out: np.matmul(np.eye(3), x, out=out),
        lambda x, out: np.concatenate([x[:1], x[1:] * 2], out=out),
    ],
)
def test_out_is_written_and_returned(call: Any) -> None:
    x = np.array([0.2, 0.5, 2.0])
    want = call(x, np.zeros(3))
    t, out = Tensor(x, requires_grad=True), Tensor(np.zeros(3))
    other = out[1:]
    assert call(t, out) is out
    np.testing.assert_array_equal(out.data, want)
    np.testing.assert_array_equal(other.data, want[1:])
    np.sum(other).backward()
    assert t.grad is not None


def test_two_outputs() -> None:
    quotient, rest = Tensor(np.zeros(2)), Tensor(np.zeros(2))
    np.divmod(Tensor([7.0, 9.0]), 4.0, out=(quotient, rest))
    assert (quotient.data.tolist(), rest.data.tolist()) == ([1.0, 2.0], [3.0, 1.0])


# ------------------------------------------------------------------ what is refused


def test_a_leaf_is_not_written_to() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    part = w[:1]
    for write in (
        lambda: w.__setitem__(0, 3.0),
        lambda: part.__setitem__(0, 3.0),
        lambda: w.__iadd__(1.0),
        lambda: w.fill(0.0),
        lambda: np.add(w, 1.0, out=w),
    ):
        with pytest.raises(OutOfGraphError, match="a leaf that requires a gradient cannot be written to"):
            write()
    assert w.data.tolist() == [1.0, 2.0]


def test_a_step_of_gradient_descent() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, label="w")
    part = w[1:]
    old = np.sum(w * w)
    old.backward()
    with no_grad():
        w -= 0.25 * w.grad
        w[0] = 7.0
    assert (w.data.tolist(), w.label, w.requires_grad, part.data.tolist()) == ([7.0, 1.0], "w", True, [1.0])
    assert w.grad.tolist() == [2.0, 4.0]
    w.zero_grad()
    assert w.grad is None
    np.sum(w**3).backward()
    assert w.grad.tolist() == [147.0, 3.0]
    assert old.item() == 5.0


@pytest.mark.parametrize("start", [5.0, np.array([5.0, -3.0])])
def test_an_optimisers_step_by_data(start: Any) -> None:
    w = Tensor(start, requires_grad=True, label="w")
    for _ in range(60):
        w.zero_grad()
        np.sum((w - 2.0) ** 2).backward()
        w.data = w.data - 0.25 * w.grad
    np.testing.assert_allclose(w.data, 2.0)
    assert w.requires_grad
    assert w.label == "w"


def test_leaves_are_copied_and_pickled() -> None:
    w = Tensor(np.ones((2, 3)).T, requires_grad=True, label="w")
    for other in (pickle.loads(pickle.dumps(w)), copy.deepcopy(w)):
        assert (other.shape, other.requires_grad, other.label, other.grad) == ((3, 2), True, "w", None)
        with no_grad():
            other += 1.0
        assert w.data.sum() == 6.0
    for refused in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="only a leaf Tensor can be"):
            refused(w * 2.0)
    shallow = copy.copy(w)
    np.sum(shallow).backward()
    assert w.grad.sum() == 6.0


def test_what_was_computed_before_a_write_stays() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 3.0
    before = np.sum(y * y)
    y[0] = 0.0
    after = np.sum(y * y)
    before.backward()
    assert x.grad.tolist() == [18.0, 36.0]
    x.grad = None
    after.backward()
    assert x.grad.tolist() == [0.0, 36.0]


def test_the_arguments_of_a_transform_may_be_written_to() -> None:
    def f(x: Any) -> Any:
        kept = x
        x *= x
        kept[0] = 5.0 * x[1]
        return np.sum(x)

    x = np.array([2.0, 3.0])
    value, gradient = value_and_grad(f)(x)
    assert (value, gradient.tolist(), x.tolist()) == (54.0, [0.0, 36.0], [2.0, 3.0])
    assert engine.hessian(f)(x).tolist() == [[0.0, 0.0], [0.0, 12.0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Tensor(np.zeros(2)).__setitem__(0, 1j), TypeError, "cannot write complex values"),
        (lambda: Tensor(np.zeros(2)).__iadd__(np.zeros((2, 2))), ValueError, "non-broadcastable output"),
        (lambda: Tensor(np.zeros(2, int)).__iadd__(0.5), TypeError, "into a Tensor of dtype int64"),
        (lambda: np.broadcast_to(Tensor(1.0), (2,)).__setitem__(0, 1.0), ValueError, "read-only"),
        (lambda: np.diagonal(Tensor(np.eye(2))).__setitem__(0, 1.0), ValueError, "read-only"),
        (lambda: Tensor(np.zeros(2)).__setitem__(5, 1.0), IndexError, "out of bounds"),
        (lambda: Tensor(np.zeros(2)).__setitem__("a", 1.0), TypeError, "indexed with integers"),
        (lambda: np.put(Tensor(np.zeros(2)), [5], 1.0), IndexError, "ind must be positions"),
        (lambda: np.place(Tensor(np.ones(2)), [True, False], []), ValueError, "must not be empty"),
        (lambda: np.copyto(np.zeros(2), Tensor(1.0, requires_grad=True)), OutOfGraphError, "plain array"),
        (lambda: np.sin(Tensor(1.0), out=np.zeros(())), OutOfGraphError, "plain array"),
        (lambda: np.maximum.at(Tensor(np.zeros(2)), [0], 1.0), OutOfGraphError, "subtract.at"),
        (lambda: np.sin(Tensor(np.ones(2)), where=[True, False]), engine.MissingRuleError, "give it out="),
    ],
)
def test_wrong_writes(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_methods_that_write() -> None:
    x = np.array([[3.0, 1.0, 2.0]])
    for write in (
        lambda a: a.sort(),
        lambda a: a.partition(1),
        lambda a: a.fill(4.0),
        lambda a: a.put([0, 2], [7.0, 8.0]),
        lambda a: setattr(a, "real", 9.0),
    ):
        want, got = x.copy(), Tensor(x)
        write(want)
        write(got)
        np.testing.assert_array_equal(got.data, want)
    z, t = np.array([1.0 + 1j]), Tensor(np.array([1.0 + 1j]))
    z.imag = t.imag = 5.0
    assert t.data.tolist() == z.tolist()
