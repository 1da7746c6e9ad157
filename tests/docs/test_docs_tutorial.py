"""Every number of "Backpropagation from the ground up", by this project's methods."""

from __future__ import annotations

import pytest
from pages import ROOT

from pytest_gradcheck import check_gradients
from reference_engine import Tensor

pytestmark = pytest.mark.kernels

PAGE = (ROOT / "docs/tutorial/backpropagation.md").read_text(encoding="utf-8")

POINT = {"a": 3.0, "b": -2.0, "c": 8.0, "f": -2.0}


def f(x):
    return 2 * x**2 - 3 * x + 4


def line(a, b, c):
    return a * b + c


def loss(a, b, c, f):
    return (a * b + c) * f


@pytest.mark.parametrize(
    ("x", "value", "quotient"),
    [
        (2.0, 6.0, 5.000002000876691),
        (6.0, 58.0, 21.000002000448603),
        (-2.0, 18.0, -10.999997996918864),
    ],
)
def test_the_parabola(x, value, quotient):
    assert f(x) == value
    assert check_gradients(f, x, step=1e-6).methods["forward"].value == quotient
    assert PAGE.count(str(quotient)) == 2


def test_the_parabola_at_its_lowest_point():
    assert check_gradients(f, 0.75, step=1e-9).methods["forward"].value == 0.0
    for name, method in check_gradients(f, 0.75).methods.items():
        assert method.value == pytest.approx(0.0, abs=1e-9), name


@pytest.mark.parametrize(("name", "slope"), [("a", -2.0), ("b", 3.0), ("c", 1.0)])
def test_the_partial_derivatives(name, slope):
    point = {key: POINT[key] for key in "abc"}
    result = check_gradients(line, point, wrt=name)
    assert result.verdict == "pass"
    for method in ("central", "forward", "reference"):
        assert result.methods[method].value[name] == pytest.approx(slope, rel=1e-9)
    quotient = check_gradients(line, point, step=1e-4).methods["forward"].value[name]
    assert str(quotient) in PAGE
    assert quotient == pytest.approx(slope, rel=1e-11)


def test_every_node_of_the_graph_by_the_reference_engine():
    a, b, c, f = (Tensor(value, requires_grad=True) for value in POINT.values())
    d = a * b
    e = d + c
    L = e * f
    L.backward()
    assert [float(node.data) for node in (d, e, L)] == [-6.0, 2.0, -4.0]
    assert [float(node.grad) for node in (L, e, f, d, a)] == [1.0, -2.0, 2.0, -2.0, 4.0]


def test_every_node_of_the_graph_by_torch_in_float32():
    torch = pytest.importorskip("torch")
    a, b, c, f = (torch.tensor([value], requires_grad=True) for value in POINT.values())
    d = a * b
    e = d + c
    L = e * f
    for node in (d, e, L):
        node.retain_grad()
    L.backward()
    assert L.dtype == torch.float32
    assert [node.grad.item() for node in (L, e, f, d, a)] == [1.0, -2.0, 2.0, -2.0, 4.0]


def test_the_loss_checked_in_float32_by_every_method():
    torch = pytest.importorskip("torch")
    result = check_gradients(loss, {key: torch.tensor([value]) for key, value in POINT.items()})
    assert result.verdict == "pass"
    expected = {"a": 4.0, "b": -6.0, "c": -2.0, "f": 2.0}
    for name in ("central", "forward", "reference", "torch"):
        for key, slope in expected.items():
            assert result.methods[name].value[key].item() == pytest.approx(slope, rel=1e-6), name
