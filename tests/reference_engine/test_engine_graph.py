"""Graphs of any size, and their memory."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

from reference_engine import GraphReleasedError, Tensor, grad


def test_a_chain_of_a_million_nodes_needs_no_stack():
    x = Tensor(1.0, requires_grad=True)
    y = x
    gc.disable()  # a million live objects are no garbage; collecting in between only takes time
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
