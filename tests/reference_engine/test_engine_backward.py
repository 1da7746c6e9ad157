"""Graphs of any size, and their memory."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

from reference_engine import GraphReleasedError, Tensor, grad, vjp


def test_a_chain_of_a_million_nodes_needs_no_stack():
    x = Tensor(1.0, requires_grad=True)
    y = x
    gc.disable()  # a million live objects are not garbage; collecting in between only takes time
    try:
        for _ in range(1_000_000):
            y = -y
        y.backward(retain_graph=False)
        assert x.grad == 1
        for _ in range(1_000_000):
            y = -y
        del y
    finally:
        gc.enable()


def test_a_diamond_is_passed_once_per_node():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(200):
        y = (y + y) * 0.5
    y.backward()
    assert x.grad == 1


def test_graph_that_is_not_retained_is_freed():
    x = Tensor(np.ones(3), requires_grad=True)
    middle = np.sin(x)
    inner = weakref.ref(middle)
    y = np.sum(middle * middle)
    del middle
    y.backward(retain_graph=False)
    assert inner() is None
    assert x.grad is not None
    with pytest.raises(GraphReleasedError, match="retain_graph=True"):
        y.backward()


def test_labelled_values_keep_their_gradient_when_the_graph_goes():
    x = Tensor(2.0, requires_grad=True)
    middle = x * x
    middle.label = "square"
    (middle * 3).backward(retain_graph=False)
    assert middle.grad == 3


def test_memory_falls_while_the_pass_goes_on():
    n, steps = 100_000, 30

    def peak(retain):
        x = Tensor(np.ones(n), requires_grad=True)
        y = x
        for _ in range(steps):
            y = np.sin(y)
        L = np.sum(y)
        del y
        tracemalloc.start()
        L.backward(retain_graph=retain)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(retain=False) < 8 * n * 10
    assert peak(retain=True) > 8 * n * steps


def test_only_paths_to_the_chosen_argument_are_walked():
    calls = []

    class Spy:
        def __call__(self, x):
            calls.append(x)
            return np.exp(x)

    spy = Spy()
    assert grad(lambda x, y: spy(x) * y, argnums=1)(0.0, 2.0) == 1
    assert calls == [0.0]


@pytest.mark.parametrize("also", [lambda a: a[0], lambda a: np.sum(a * np.array([1.0, 0.0]))])
def test_a_cotangent_that_two_values_share_is_not_added_to_in_place(also):
    """a + b hands the same array to both; what else a is used for must not reach b."""
    w = np.array([2.0, 3.0])

    def f(a, b):
        first = also(a)
        return np.sum((a + b) * w) + first

    by_a, by_b = grad(f, argnums=(0, 1))(np.ones(2), np.ones(2))
    assert by_a.tolist() == [3.0, 3.0]
    assert by_b.tolist() == [2.0, 3.0]
    a, b = Tensor(np.ones(2), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    f(a, b).backward()
    assert a.grad.tolist() == [3.0, 3.0]
    assert b.grad.tolist() == [2.0, 3.0]


def test_entries_read_one_by_one():
    """Also with a use of the whole before, in between and after."""

    def f(x):
        total = np.sum(x * x)
        for i in range(len(x)):
            total = total + x[i] * x[-i] + np.sum(x[i:]) * x[[0, 0]][1]
        return total + np.prod(x)

    x = np.linspace(0.5, 1.5, 5)
    h = 1e-30
    expected = [np.imag(f(x + h * 1j * unit)) / h for unit in np.eye(5)]
    np.testing.assert_allclose(grad(f)(x), expected, rtol=1e-13)
    t = Tensor(x, requires_grad=True)
    f(t).backward()
    f(t).backward()
    np.testing.assert_allclose(t.grad, 2 * np.array(expected), rtol=1e-13)


def test_the_same_value_returned_twice():
    value, pullback = vjp(lambda x: (x * 2.0, x * 3.0, x, x), np.ones(2))
    assert [part.tolist() for part in value] == [[2.0, 2.0], [3.0, 3.0], [1.0, 1.0], [1.0, 1.0]]
    for _ in range(2):
        assert pullback((np.ones(2), np.ones(2), np.ones(2), 10 * np.ones(2)))[0].tolist() == [16.0, 16.0]
