"""Which registered gradients a check runs, and how far."""

from __future__ import annotations

import functools
import sys
import time

import numpy as np
import pytest
import torch

from pytest_gradcheck.core.check import check_in_test
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.methods.registered_gradients import rules_of
from reference_engine import extend

HERE = [__name__]
RULES = {}


def with_backward(backward):
    """A decorator as projects have them: one Function for all, whose backward is another one each time."""

    def decorate(forward):
        class Made(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return forward(x)

            @staticmethod
            def backward(ctx, grad):
                return backward(*ctx.saved_tensors, grad)

        @functools.wraps(forward)
        def function(x):
            return Made.apply(x)

        RULES[function] = backward
        return function

    return decorate


@with_backward(lambda x, grad: 2 * x * grad)
def square(x):
    return x * x


@with_backward(lambda x, grad: 3 * x**2 * grad)
def cube(x):
    return x**3


def cosine_rule(cotangent, result, x):
    return cotangent * np.cos(x)


@extend.primitive(name="test_registered_rules.sine", rules=[cosine_rule])
def sine(x):
    return np.sin(x)


def ran(fn, inputs, pairs, **options):
    result = check_in_test(fn, inputs, rules=rules_of(pairs, HERE), **options)
    assert result.verdict == "pass", result
    return {f.name.rpartition(".")[2]: f.ran for f in result.functions if "Made" not in f.name}


X = torch.tensor([1.0, 2.0], dtype=torch.float64)


def test_functions_that_one_decorator_made_are_told_apart():
    assert ran(square, X, RULES.items()) == {"square": ("backward", "forward")}
    twice = ran(lambda x: cube(square(x)), X, RULES.items(), order=2)
    assert twice == dict.fromkeys(("square", "cube"), ("backward", "double-backward", "forward"))
    assert sys.getprofile() is None


def test_only_the_forward_of_a_constant_is_run():
    w = X.clone().requires_grad_()
    found = ran(lambda x: square(x) * cube(w), X, RULES.items())
    assert found == {"square": ("backward", "forward"), "cube": ("forward",)}


def test_rules_of_the_reference_engine():
    pairs = [("sine", sine.rules[0])]
    assert ran(sine, np.array([1.0, 2.0]), pairs, methods=("central", "reference")) == {
        "sine": ("backward", "forward")
    }
    found = ran(sine, np.array([1.0, 2.0]), pairs, methods=("central", "reference"), order=2)
    assert found == {"sine": ("backward", "double-backward", "forward")}


def test_a_gradient_by_hand_says_nothing_of_its_own_derivative():
    def gradient(x):
        return np.cos(x)

    found = ran(lambda x: np.sum(np.sin(x)), np.ones(2), [("sine", gradient)], gradient=gradient, order=2)
    assert found == {"sine": ("backward", "forward")}


@pytest.mark.parametrize("order", [1, 2])
def test_a_gradient_that_is_part_of_the_value_is_not_what_is_checked(order):
    def fn(x):
        return cosine_rule(2.0, None, x) * x

    methods = ("central", "reference")
    assert ran(fn, np.array([1.0, 2.0]), [("sine", cosine_rule)], methods=methods, order=order) == {}


def test_a_method_that_is_left_out_has_run_nothing():
    calls = []

    def erratic(x):
        # Not the same in torch's run, which is therefore no witness.
        calls.append(x.requires_grad)
        return square(x) if x.requires_grad else 2 * square(x)

    result = check_in_test(erratic, X, rules=rules_of(RULES.items(), HERE))
    assert result.methods["torch"].status == "unavailable"
    assert [f.ran for f in result.functions if "square" in f.name] == [("forward",)]


def test_nobody_else_is_disturbed_who_profiles():
    seen = []
    sys.setprofile(lambda frame, event, arg: seen.append(event))
    try:
        assert ran(square, X, RULES.items()) == {}
        assert sys.getprofile() is not None
    finally:
        sys.setprofile(None)
    assert seen


def maker(k):
    def rule(x):
        return k * x

    return rule


class Callable:
    def __call__(self, x):
        return x

    def method(self, x):
        return x


def test_what_may_be_a_backward():
    pairs = [
        ("partial", functools.partial(square.__wrapped__, x=1)),
        ("object", Callable()),
        ("method", Callable().method),
        ("wrapped", functools.wraps(cosine_rule)(lambda *args: None)),
        (maker, maker(1)),
        (maker, maker),
        ("elsewhere", time.sleep.__class__ and pytest.fail),
    ]
    rules = rules_of(pairs, HERE)
    assert [rule.name for rule in rules] == [
        "partial",
        "object",
        "method",
        "wrapped",
        f"{__name__}.maker[0]",
        f"{__name__}.maker[1]",
    ]
    # The rule that another one makes is what has to run.
    assert rules[-1].parts == rules[-2].parts


def test_backwards_that_nobody_can_tell_apart():
    with pytest.raises(InvalidArgument, match=r"got a and b, which share the backward rule in .*; register"):
        rules_of([("a", maker(1)), ("b", maker(2))], HERE)
    # The same twice is not a contradiction: two conftests may know of it.
    assert len(rules_of([("a", cosine_rule), ("a", cosine_rule)], HERE)) == 1
