"""properties=: which properties a check tries, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd import Function

from pytest_gradcheck import GradientMismatch, assert_gradients, check_gradients
from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.properties import DEFAULT, HOLDS, selected

X = torch.tensor([0.3, -1.2, 0.8], dtype=torch.float64)


class Boolean(Function):
    """Right, and torch has no rule to map what it does."""

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


class Shifted(Boolean):
    """As that, with a wrong gradient."""

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0].clamp_min(0) + 0.1 * g


def tried(result):
    return {p.name for p in result.properties}


def test_a_property_that_is_left_out_is_not_tried():
    assert check_gradients(Boolean.apply, X).diagnosis.code == "vmap"
    result = check_gradients(Boolean.apply, X, properties=["-vmap"])
    assert result.verdict == "pass", str(result)
    assert "vmap" not in tried(result)
    assert {"batched-cotangents", "non-contiguous-inputs", "repeatable-backward"} <= tried(result)
    assert_gradients(Boolean.apply, X, properties=("-vmap",))
    with pytest.raises(GradientMismatch):
        assert_gradients(Boolean.apply, X)


def test_properties_that_are_named_are_tried_alone():
    result = check_gradients(Boolean.apply, X, properties=["frozen-inputs", "expanded-inputs"])
    assert tried(result) == {"deterministic", "expanded-inputs"}
    both = check_gradients(torch.mul, (X, X), properties=iter(["repeatable-backward"]))
    assert tried(both) == {"deterministic", "repeatable-backward"}


def test_none_are_tried():
    calls = []

    def fn(x):
        calls.append(1)
        return Boolean.apply(x)

    result = check_gradients(fn, X, properties="none")
    assert (result.verdict, tried(result)) == ("pass", {"deterministic"}), str(result)
    without = len(calls)
    check_gradients(fn, X, properties=("-vmap",))
    assert len(calls) - without > without


@pytest.mark.parametrize("properties", ["none", ["-vmap"], ["vmap"]])
def test_values_are_judged_whatever_is_tried(properties):
    result = check_gradients(Shifted.apply, X, properties=properties)
    assert (result.verdict, result.culprit) == ("fail", "torch")
    assert result.diagnosis.code != "vmap"


def test_a_vjp_by_hand_keeps_to_the_selection():
    def vjp(x, cotangent):
        return 2 * np.abs(cotangent) * x

    x = np.array([0.5, 1.5])
    assert check_gradients(np.square, x, vjp=vjp).diagnosis.code == "linear-backward"
    assert "linear-backward" not in tried(
        check_gradients(np.square, x, vjp=vjp, properties=["-linear-backward"])
    )


def test_the_line_to_repeat_has_the_selection():
    result = check_gradients(Shifted.apply, X, properties=["-vmap"])
    assert "properties=('-vmap',)" in result.reproduce


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["-vmop"], r"properties: got 'vmop'; did you mean 'vmap'\? the properties are: inputs-unchanged, "),
        (["frozen"], r"properties: got 'frozen'; did you mean 'frozen-inputs'\?"),
        ("vmap", r"got 'vmap'; give a tuple of names: \('vmap',\)"),
        (["none", "vmap"], "'none' next to other names; leave out 'none', or the names"),
        (
            ["vmap", "-accumulates"],
            "got 'vmap' next to '-accumulates'; add 'default' for all but accumulates",
        ),
        (3, "got 3; give 'default', 'none' or a tuple of names"),
        ([None], "got None; the properties are"),
        (None, "got None; give 'default'"),
    ],
)
def test_what_cannot_be_selected_is_refused_by_name(value, message):
    with pytest.raises(InvalidArgument, match=message):
        check_gradients(torch.sin, X, properties=value)


def test_what_a_selection_means():
    assert selected("default") == DEFAULT
    assert selected(["default"]) == DEFAULT
    assert selected("none") == selected(["none"]) == selected([])
    assert selected(["-vmap", "-accumulates"]).names == set(HOLDS) - {"vmap", "accumulates"}
    alone = selected(["vmap"])
    assert alone.names == alone.by_name == {"vmap"}
    more = selected(["default", "zero-size-inputs", "-vmap"])
    assert (more.names, more.by_name) == (set(HOLDS) - {"vmap"}, {"zero-size-inputs"})
